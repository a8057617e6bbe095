"""``ietool runs``."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from ietool.cli.common import examples, print_json, say
from ietool.cli.options import JsonOption
from ietool.errors import UserError


def runs_cli(
    folder: Annotated[
        Path | None, typer.Argument(metavar="DIR", help="Where to look. Default: runs/ under the working folder.")
    ] = None,
    json: JsonOption = False,
) -> None:
    """List the runs, newest first.

    Recipe, what differs from it, best dev score, when, state, where.
    """
    from ietool import paths
    from ietool.report.render import console, render
    from ietool.runs.finding import survey_runs
    from ietool.tables import Cell, Table

    root = folder or paths.runs_folder()
    if folder is not None and not folder.is_dir():
        raise UserError("no such folder", file=folder, mend="check the path")
    found, damaged = survey_runs(root, closely=True)
    if json:
        print_json(
            [
                {
                    "recipe": entry.info.recipe,
                    "task": entry.info.task,
                    "differences": entry.info.differences,
                    "best": entry.info.best,
                    "created": entry.info.created,
                    "folder": entry.folder,
                    "state": entry.state,
                    "device": entry.info.device,
                    "demo": entry.is_demo,
                }
                for entry in found
            ]
            + [{"folder": run.folder, "state": "damaged", "reason": str(run.reason)} for run in damaged]
        )
        return
    if not found and not damaged:
        say(f"no runs under {root} yet; make one with: ietool train --recipe ske")
        return
    rows: list[tuple[Cell, ...]] = []
    for entry in found:
        info, best = entry.info, entry.info.best or {}
        changed = ", ".join(f"{key}={value}" for key, value in info.differences.items())
        score = best.get("score")
        shown = None if score is None else f"{score:.4f} {best.get('metric', '')}".strip()
        records = info.overfit
        if shown and records:
            shown += f" on its own {records} records"
        recipe = f"{info.recipe} (demo)" if entry.is_demo else info.recipe
        rows.append((recipe, shown, _when(info.created), entry.state, str(entry.folder), changed or "nothing"))
    rows += [(None, None, None, "damaged", str(run.folder), None) for run in damaged]
    render(Table("", ("recipe", "best dev score", "when", "state", "where", "differs in"), rows), console())
    for run in damaged:
        say(f"note: damaged: {run.reason}")


def _when(created: str) -> str:
    try:
        return datetime.fromisoformat(created).strftime("%Y-%m-%d %H:%M")
    except ValueError:  # no moment
        return created


def register(app: typer.Typer) -> None:
    """Add the verb to the command line."""
    app.command(
        "runs",
        epilog=examples(
            "ietool runs",
            "ietool runs --json",
        ),
    )(runs_cli)
