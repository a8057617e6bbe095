"""The scoring variants of question answering by name. Nothing is imported to list them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ietool.errors import UserError

if TYPE_CHECKING:
    from ietool.tasks.qa.score.judged import Metric

SCORERS = (
    "cmrc2018",
    "dureader_robust",
    "dureader2",
    "dureader2-yesno",
    "dureader2-all",
    "dureader2-entity",
    "dureader2-description",
    "lic2019_mrc",
    "sogouqa",
    "webqa",
)
"""The variants there are, the default first. ``dureader2`` is the task *main* of its script."""

_TASKS = {
    "main": "The first predicted answer of each question against all its references; questions without references are "
    "left out, a missing prediction is an empty answer.",
    "yesno": "Each YES_NO question is up to three items, one a label: the first answer predicted with it against all "
    "references that have it; labels without references are left out, a missing answer is an empty one.",
    "all": "As main, but each YES_NO question is up to three items, one a label: the first answer predicted with it "
    "against all references that have it.",
    "entity": "As main on ENTITY questions; precision, recall and F1 of the entities predicted for all questions "
    "together, each against its reference list that fits best (the shortest where none fits).",
    "description": "As main on DESCRIPTION questions.",
}
_LONG = (
    " ROUGE-L: longest common subsequence of characters without whitespace, the best precision and the best recall "
    "over the references, recall weighing 1.2² times, averaged. BLEU-4: over all answers at once, clipped, closest "
    "length."
)


def metric_by_name(name: str) -> Metric:
    """The variant of that name.

    Raises:
        UserError: there is none.
    """
    if name in ("cmrc2018", "dureader_robust"):
        from ietool.tasks.qa.score.squad import CMRC2018, DUREADER_ROBUST

        return CMRC2018 if name == "cmrc2018" else DUREADER_ROBUST
    if name == "sogouqa":
        from ietool.tasks.qa.score.sogouqa import SOGOUQA

        return SOGOUQA
    if name == "webqa":
        from ietool.tasks.qa.score.webqa import WEBQA

        return WEBQA
    if name == "lic2019_mrc":
        from ietool.tasks.qa.score.dureader2 import Lic2019

        return Lic2019()
    if name in SCORERS:
        from ietool.tasks.qa.score.dureader2 import DuReader2

        task = name.partition("-")[2] or "main"
        groups = "By label" if task == "yesno" else "By kind of question"
        return DuReader2(name, task, _TASKS[task] + _LONG, groups)
    raise UserError(f"no scoring variant is called {name!r}", field="metric", mend=f"use one of: {', '.join(SCORERS)}")
