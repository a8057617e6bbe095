"""What ``ietool train --folds`` prints: the table of each member as it grows, in the end one of all."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ietool.cli.common import interrupted, say
from ietool.cli.epochs import EpochTable, of_best
from ietool.cli.streams import enduring
from ietool.errors import UserError
from ietool.processes import process_count
from ietool.tables import between

if TYPE_CHECKING:
    from ietool.contest.group import GroupEntry
    from ietool.prepared import Prepared
    from ietool.recipe import Recipe
    from ietool.tables import Table
    from ietool.training.reached import EpochRow


def check_folds(folds: int | None, seeds: int | None, *, refused: Mapping[str, object]) -> None:
    """Raises UserError for options that do not go with ``--folds`` and ``--seeds``.

    Args:
        refused: option → its value, of those that do not.
    """
    if process_count() > 1:
        raise UserError("folds are trained by one process", field="--folds", mend="start it without torchrun")
    named = " and ".join(name for name, value in (("--folds", folds), ("--seeds", seeds)) if value is not None)
    if wrong := [option for option, value in refused.items() if value]:
        reason = ": RUN has seen what the folds leave out" if "--from" in wrong and folds is not None else ""
        raise UserError(f"does not go with {named}{reason}", field=wrong[0], mend="leave one of them out")


def begin_folds(
    recipe: Recipe,
    *,
    folds: int,
    seeds: int,
    data: Path | None,
    files: dict[str, Path],
    output: Path | None,
    overwrite: bool,
    skip_bad: bool,
) -> Path:
    """Cut train into folds; gives the folder of the group."""
    from ietool.cli.prepare import announce
    from ietool.cli.progress import progress_bars
    from ietool.contest.folds import begin
    from ietool.report.render import console, render_all

    def told(prepared: Prepared) -> None:
        if prepared.fresh:
            render_all(prepared.report.tables, console())
        announce(prepared)

    try:
        with progress_bars() as progress:
            return begin(
                recipe,
                folds=folds,
                seeds=seeds,
                data=data,
                files=files,
                output=output,
                overwrite=overwrite,
                skip_bad=skip_bad,
                on_prepared=told,
                progress=progress,
            )
    except KeyboardInterrupt:
        raise interrupted(lambda: "no training had begun; what was prepared before is untouched") from None


@enduring("stdout")
def train_folds(folder: Path, *, device: str, only: str | None = None, minutes: float | None = None) -> None:
    """Train what of a group is left, with a growing table a member, and print the table of all.

    Args:
        minutes: in which the trainings are to end.
    """
    from ietool.cli.progress import progress_bars
    from ietool.contest.folds import Listener, go_on
    from ietool.contest.group import open_group, resume_group
    from ietool.registry import get_task
    from ietool.report.render import console, render

    scores = get_task(open_group(folder).info.task).epoch_scores
    table: EpochTable | None = None
    try:
        with progress_bars() as progress:

            def begun(name: str, number: int, total: int) -> None:
                nonlocal table
                table = EpochTable(progress.print, scores)
                say(f"{name}, {number} of {total}")

            def epoch(row: EpochRow) -> None:
                assert table is not None
                table(row)

            def done(name: str, best: Mapping[str, Any]) -> None:
                say(f"{name}: {of_best(best) if best else 'no best weights'}")

            listener = Listener(begun, epoch, done, lambda note: say(f"note: {note}"), progress)
            entry = go_on(folder, only=only, device=device, minutes=minutes, listener=listener)
    except KeyboardInterrupt:
        go = resume_group(folder)
        raise interrupted(lambda: f"members that are finished are safe in {folder}; go on with: {go}") from None
    render(summary(entry), console())
    if note := _summary_note(entry):
        say(note)
    if entry.info.state == "finished":
        say(f"group: {folder}")
    else:
        say(f"not all members are finished; go on with: {resume_group(folder)}")


def summary(entry: GroupEntry) -> Table:
    """A table of the members and of the group as a whole."""
    from ietool.tables import Cell, Table

    info = entry.info
    rows: list[tuple[Cell, ...]] = []
    for run in entry.runs():
        best = run.info.best or {}
        rows.append((run.folder.name, best.get("score"), best.get("epoch"), run.state))
    if info.scores:
        rows.append(("mean on dev", info.scores["dev"], None, entry.state))
    if "oof" in info.scores:
        rows.append(("train, out of fold", info.scores["oof"], None, None))
    return Table("Folds" if info.folds > 1 else "Seeds", ("member", "score", "best epoch", "state"), rows)


def _summary_note(entry: GroupEntry) -> str:
    scores = entry.info.scores
    if not scores:
        return ""
    note = f"mean on dev: {scores['dev']:.4f} ({entry.info.metric})"
    if "oof" in scores:
        interval = f"95 % interval {between((scores['low'], scores['high']))}"
        note += f"; all of train, each text by models that have not seen it: {scores['oof']:.4f}, {interval}"
    return note
