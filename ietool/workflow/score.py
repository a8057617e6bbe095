"""Score a submission file against gold by the official rules of its competition."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from ietool.core.forms import PREDICTIONS, TEXTS, explained, swapped
from ietool.core.sources import flag_of
from ietool.errors import UserError
from ietool.files.outputs import atomic_text, check_output
from ietool.files.plain_json import dump_json
from ietool.progress import Progress, no_progress
from ietool.recipe import Recipe
from ietool.registry import get_task
from ietool.scoring.report import Report


def score_files(
    recipe: Recipe,
    gold: Path,
    predictions: Path,
    *,
    metric: str | None = None,
    options: Mapping[str, Path] | None = None,
    explain: Path | None = None,
    outcomes: bool = False,
    progress: Progress = no_progress,
) -> Report:
    """The official score of ``predictions``, and with ``explain`` a file with the verdict on every item.

    Args:
        recipe: its task scores; its ``score.metric`` holds where ``metric`` is None.
        gold: the competition's gold file, plain or packed.
        predictions: the submission, plain or packed.
        metric: the scoring variant; None or ``auto``: the recipe's, else told from gold.
        options: further files, by the names in the task's ``score_options``.
        explain: one JSON object a line goes here: text, verdict, rule, and the item's own fields.
        outcomes: whether the report tells of every item how it was judged, though no file is written.
        progress: told how far the making of what an option names is.

    Raises:
        UserError: an unknown variant, an option that the task does not know, or a file that cannot be read or is not of
            the variant's form.
    """
    check_output(explain, [gold, predictions, *(options or {}).values()])
    task = get_task(recipe.task)
    chosen = metric if metric not in (None, "auto") else getattr(recipe.score, "metric", None)
    if chosen == "auto":
        chosen = None
    if chosen is not None and chosen not in task.scorers:
        raise UserError(
            f"the task {task.name} has no scoring variant {chosen!r}",
            field="--metric",
            mend=f"use one of: {', '.join(task.scorers)}",
        )
    for name in options or ():
        if name not in task.score_options:
            flag = flag_of(name).partition("=")[0]
            known = ", ".join(flag_of(option) for option in task.score_options)
            mend = f"leave it out; there is {known}" if known else "leave it out"
            raise UserError(
                f"means nothing to the scorers of the task {task.name}",
                field=flag,
                mend=mend,
            )
    try:
        report = task.score(
            gold,
            predictions,
            metric=chosen,
            options=options or {},
            explain=outcomes or explain is not None,
            progress=progress,
        )
    except UserError as error:
        raise explained(error, task, {TEXTS: gold, PREDICTIONS: predictions, **(options or {})}) from None
    if note := swapped(task, gold, predictions):
        report = replace(report, notes=[*report.notes, note])
    if explain is not None:
        with atomic_text(explain) as out:
            for outcome in report.outcomes:
                out.write(dump_json(outcome.record()) + "\n")
    return report
