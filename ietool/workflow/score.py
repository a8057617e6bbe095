"""Score a submission file against gold by the official rules of its competition."""

from __future__ import annotations

import json
from pathlib import Path

from ietool.errors import UserError
from ietool.files import atomic_text
from ietool.recipe import Recipe
from ietool.scoring import Report
from ietool.tasks.registry import get_task


def score_files(
    recipe: Recipe,
    gold: Path,
    predictions: Path,
    *,
    metric: str | None = None,
    alias: Path | None = None,
    locations: Path | None = None,
    explain: Path | None = None,
) -> Report:
    """The official score of ``predictions``, and with ``explain`` a file with the verdict on every item.

    Args:
        recipe: its task scores; its ``score.metric`` holds where ``metric`` is None.
        gold: the competition's gold file, plain or packed.
        predictions: the submission, plain or packed.
        metric: the scoring variant; None or ``auto``: the recipe's, else told from gold.
        alias: a dictionary of other names, for variants that have one.
        locations: a dictionary of place names, for variants that have one.
        explain: one JSON object a line goes here: text, verdict, rule, and the item's own fields.

    Raises:
        UserError: an unknown variant, or a file that cannot be read or is not of the variant's form.
    """
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
    options = {name: path for name, path in (("alias", alias), ("locations", locations)) if path is not None}
    report = task.score(gold, predictions, metric=chosen, options=options, explain=explain is not None)
    if explain is not None:
        with atomic_text(explain) as out:
            for verdict in report.verdicts:
                line = {"text": verdict.text, "verdict": verdict.verdict, "rule": verdict.rule, **verdict.item}
                out.write(json.dumps(line, ensure_ascii=False) + "\n")
    return report
