"""``ietool runs``."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ietool.cli.common import examples, print_json, say
from ietool.cli.options import JsonOption
from ietool.errors import UserError

if TYPE_CHECKING:
    from ietool.contest.group import GroupEntry
    from ietool.runs.entry import RunEntry
    from ietool.tables import Cell


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
    from ietool.contest.group import groups_of
    from ietool.report.render import console, render
    from ietool.runs.finding import survey_runs
    from ietool.tables import Table

    root = folder or paths.runs_folder()
    if folder is not None and not folder.is_dir():
        raise UserError("no such folder", file=folder, mend="check the path")
    found, damaged = survey_runs(root, closely=True)
    groups = groups_of(found)
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
                    **({} if group is None else {"group": group.folder}),
                }
                for group, entries in groups
                for entry in entries
            ]
            + [
                {
                    "recipe": group.info.recipe,
                    "task": group.info.task,
                    "folds": group.info.folds,
                    "seeds": group.info.seeds,
                    "members": group.info.members,
                    "scores": group.info.scores,
                    "created": group.info.created,
                    "folder": group.folder,
                    "state": group.state,
                }
                for group, _ in groups
                if group is not None
            ]
            + [{"folder": run.folder, "state": "damaged", "reason": str(run.reason)} for run in damaged]
        )
        return
    if not found and not damaged:
        say(f"no runs under {root} yet; make one with: ietool train --recipe ske")
        return
    rows: list[tuple[Cell, ...]] = []
    for group, entries in groups:
        if group is not None:
            rows.append(_group_row(group, entries))
        rows += [_row(entry, within=group is not None) for entry in entries]
    rows += [(None, None, None, "damaged", str(run.folder), None) for run in damaged]
    render(Table("", ("recipe", "best dev score", "when", "state", "where", "differs in"), rows), console())
    for run in damaged:
        say(f"note: damaged: {run.reason}")


def _row(entry: RunEntry, *, within: bool) -> tuple[Cell, ...]:
    """A run; ``within`` a group it stands in, under it."""
    info, best = entry.info, entry.info.best or {}
    changed = ", ".join(f"{key}={value}" for key, value in info.differences.items())
    score = best.get("score")
    shown = None if score is None else f"{score:.4f} {best.get('metric', '')}".strip()
    if shown and "source" in best:  # another than dev
        shown += f" on {best['source']}"
    records = info.overfit
    if shown and records:
        shown += f" on its own {records} records"
    recipe = f"{info.recipe} (demo)" if entry.is_demo else info.recipe
    if within:
        recipe = "  " + entry.folder.name
    return recipe, shown, _when(info.created), entry.state, str(entry.folder), changed or "nothing"


def _group_row(group: GroupEntry, entries: Sequence[RunEntry]) -> tuple[Cell, ...]:
    """A group: the mean of those members that have a score."""
    info = group.info
    best = [entry.info.best for entry in entries if entry.info.best]
    shown = None
    if best:
        shown = f"{sum(one['score'] for one in best) / len(best):.4f} {best[0].get('metric', '')}, mean of {len(best)}"
    what = f"{info.folds} folds" if info.folds > 1 else ""
    if len(info.seeds) > 1 or not what:
        what += f"{' × ' if what else ''}{len(info.seeds)} seed{'s' * (len(info.seeds) > 1)}"
    return f"{info.recipe}: {what}", shown, _when(info.created), group.state, str(group.folder), None


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
