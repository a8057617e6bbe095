"""``ietool runs``: list them, remove some."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from ietool.cli.common import examples, print_json, say
from ietool.cli.options import JsonOption, TsvOption, one_form
from ietool.errors import UserError, told

if TYPE_CHECKING:
    from ietool.contest.group import GroupEntry
    from ietool.runs.finding import DamagedRun
    from ietool.tables import Cell, Table
    from ietool.workflow.listing import Listed

    Groups = Sequence[tuple[GroupEntry | None, Sequence[Listed]]]


class _Runs(TyperGroup):
    """A verb of its own that takes a folder, beside those below it."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        values = {"--sort", "--in"}
        for at, word in enumerate(args):
            before = args[at - 1] if at else ""
            if word.startswith("-") or before in values:
                continue
            if word not in self.commands:
                args = [*args[:at], "--in", word, *args[at + 1 :]]
            break
        return super().parse_args(ctx, args)


runs_app = typer.Typer(
    cls=_Runs,
    epilog=examples("ietool runs --sort score", "ietool runs rm runs/old"),
    rich_markup_mode=None,
    invoke_without_command=True,
    subcommand_metavar="[DIR] | rm [NAME]...",
)


@runs_app.callback()
def runs_cli(
    context: typer.Context,
    folder: Annotated[
        Path | None, typer.Option("--in", metavar="DIR", help="Where to look. Default: runs/ under the working folder.")
    ] = None,
    sort: Annotated[
        str,
        typer.Option(
            "--sort",
            metavar="KEY",
            help="when (newest first), score (best first), duration, epochs, recipe, state, where or data.",
        ),
    ] = "when",
    json: JsonOption = False,
    tsv: TsvOption = False,
) -> None:
    """List the runs, newest first; or remove some.

    Where each is, its best dev score with the interval, state, recipe, when it was begun, how long it was trained, on
    what data, and what differs from the recipe. DIR is where to look; default: runs/ under the working folder.
    """
    if context.invoked_subcommand is not None:
        if folder is not None or json or tsv or sort != "when":
            mend = "write ietool runs rm NAME: what lies in runs/ is removed, and nothing else"
            raise UserError("rm takes no other folder, and no option before it", field=str(folder or "rm"), mend=mend)
        return
    from ietool import paths
    from ietool.contest.group import groups_of
    from ietool.report.render import console, render_all
    from ietool.runs.finding import survey_runs
    from ietool.workflow.listing import listed, sort_key

    one_form(json=json, tsv=tsv)
    order = sort_key(sort)
    root = folder or paths.runs_folder()
    if folder is not None and not folder.is_dir():
        raise UserError("no such folder", file=folder, mend="check the path")
    found, damaged = survey_runs(root, closely=True)
    groups = [(group, [listed(entry) for entry in entries]) for group, entries in groups_of(found)]
    groups.sort(key=lambda pair: order(pair[1]))
    if json:
        print_json(_values(groups, damaged))
        return
    if not found and not damaged:
        say(f"no runs under {root} yet; make one with: ietool train --recipe ske")
        return
    render_all(_tables(groups, damaged, tsv=tsv), console(), tsv=tsv)
    for run in damaged:
        say(f"note: damaged: {run.reason}")


# -- as JSON


def _values(groups: Groups, damaged: Sequence[DamagedRun]) -> list[dict[str, Any]]:
    return (
        [_value(run, group) for group, runs in groups for run in runs]
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


def _value(run: Listed, group: GroupEntry | None) -> dict[str, Any]:
    entry = run.entry
    return {
        "recipe": entry.info.recipe,
        "task": entry.info.task,
        "differences": entry.info.differences,
        "best": entry.info.best,
        "created": entry.info.created,
        "folder": entry.folder,
        "state": entry.state,
        "device": entry.info.device,
        "demo": entry.is_demo,
        "data": run.data,
        "epochs": run.epochs,
        "seconds": run.seconds,
        "members": entry.info.members,
        **({} if group is None else {"group": group.folder}),
    }


# -- as a table

_COLUMNS = ("where", "best dev score", "95 %", "state", "recipe", "when", "epochs", "trained", "members", "data",
            "differs in", "score of")  # fmt: skip
_WHOLE = ("where", "best dev score", "95 %", "when", "trained", "data")
"""What is copied, or is one number though it has blanks in it."""


def _tables(groups: Groups, damaged: Sequence[DamagedRun], *, tsv: bool) -> list[Table]:
    """What matters first: where there is no room for all columns the last ones come into tables of their own."""
    from ietool.tables import Table

    rows: list[tuple[Cell, ...]] = []
    for group, runs in groups:
        if group is not None:
            rows.append(_group_row(group, runs, tsv=tsv))
        rows += [_row(run, within=group is not None and not tsv, tsv=tsv) for run in runs]
    nothing: tuple[Cell, ...] = (None,) * (len(_COLUMNS) - 4)
    told = {"score of"}  # behind each score, but where columns are to be computed with
    rows += [(str(run.folder), None, None, "damaged", *nothing) for run in damaged]
    empty = {n for n, name in enumerate(_COLUMNS) if name in ("members", "data") and not any(row[n] for row in rows)}
    kept = [n for n, name in enumerate(_COLUMNS) if tsv or not (n in empty or name in told)]
    shown = [tuple(row[n] for n in kept) for row in rows]
    return [Table("", tuple(_COLUMNS[n] for n in kept), shown, whole=_WHOLE)]


def _row(run: Listed, *, within: bool, tsv: bool) -> tuple[Cell, ...]:
    """A run; ``within`` a group it stands in, under it; with ``tsv`` its score and time are bare numbers."""
    from ietool.tables import interval
    from ietool.workflow.listing import span_of

    entry, info = run.entry, run.entry.info
    changed = ", ".join(f"{key}={value}" for key, value in info.differences.items())
    of, source = str(run.metric or ""), (info.best or {}).get("source")
    if source:  # another than dev
        of += f" on {source}"
    if info.overfit:
        of += f" on its own {info.overfit} records"
    shown = None if run.score is None else f"{run.score:.4f} {of}".strip()
    epochs = f"{run.best_epoch} of {run.epochs}" if run.best_epoch is not None else str(run.epochs or "–")
    return (
        str(entry.folder),
        run.score if tsv else shown,
        interval(run.interval),
        entry.state,
        f"  {info.recipe}" if within else f"{info.recipe} (demo)" if entry.is_demo else info.recipe,
        _when(info.created),
        epochs,
        run.seconds if tsv else span_of(run.seconds),
        run.members or None,
        run.data or None,
        changed or "nothing",
        None if run.score is None else of.strip(),
    )


def _group_row(group: GroupEntry, runs: Sequence[Listed], *, tsv: bool) -> tuple[Cell, ...]:
    """A group: the mean of those members that have a score."""
    from ietool.tables import interval
    from ietool.workflow.listing import span_of

    info = group.info
    scores = [run.score for run in runs if run.score is not None]
    shown = of = None
    if scores:
        metric = next(run.metric for run in runs if run.score is not None)
        of = f"{metric}, mean of {len(scores)}"
        shown = f"{sum(scores) / len(scores):.4f} {of}"
    what = f"{info.folds} folds" if info.folds > 1 else ""
    if len(info.seeds) > 1 or not what:
        what += f"{' × ' if what else ''}{len(info.seeds)} seed{'s' * (len(info.seeds) > 1)}"
    oof = (info.scores["low"], info.scores["high"]) if {"low", "high"} <= set(info.scores) else None
    spent = sum(run.seconds or 0.0 for run in runs) or None
    return (
        str(group.folder),
        sum(scores) / len(scores) if tsv and scores else shown,
        interval(oof),
        group.state,
        f"{info.recipe}: {what}",
        _when(info.created),
        None,
        spent if tsv else span_of(spent),
        len(info.members),
        next((run.data for run in runs if run.data), None),
        None,
        of,
    )


def _when(created: str) -> str:
    try:
        return datetime.fromisoformat(created).strftime("%Y-%m-%d %H:%M")
    except ValueError:  # no moment
        return created


# -- removing


@runs_app.command("rm", epilog=examples("ietool runs rm", "ietool runs rm runs/old runs/ske/20261129-190000 --yes"))
def rm_cli(
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="NAME", help="Runs or groups. Default: all that were interrupted."),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Remove runs; asks first.

    Nothing outside of runs/ is ever removed, nor a run that is being trained, nor one that an ensemble in runs/ is
    made of.
    """
    from ietool.contest.removing import doomed, remove

    chosen = doomed(names or [])
    if not chosen:
        say("no run was interrupted; nothing is removed")
        return
    for one in chosen:
        say(f"{one.folder} ({one.state}, {one.size / 1e6:,.1f} MB)")
    runs = f"{len(chosen)} folder{'s' * (len(chosen) > 1)}, {sum(one.size for one in chosen) / 1e6:,.1f} MB"
    if not yes and not _agreed(f"remove {runs}, for ever? [y/N] "):
        say("nothing was removed")
        return
    if doomed([str(one.folder) for one in chosen]) != chosen:
        raise UserError("something has changed meanwhile, and nothing was removed", mend="look at `ietool runs`")
    remove(chosen)
    say(f"removed: {runs}")


def _agreed(question: str) -> bool:
    print(told(question), end="", file=sys.stderr, flush=True)
    answer = sys.stdin.readline()
    if not answer:
        print(file=sys.stderr)
        raise UserError("nobody answered, and nothing was removed", mend="give --yes to remove without being asked")
    return answer.strip().lower() in ("y", "yes", "是")


def register(app: typer.Typer) -> None:
    """Add the verb to the command line."""
    app.add_typer(runs_app, name="runs")
