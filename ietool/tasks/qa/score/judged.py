"""What a scoring variant is, and what it says of a question."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from ietool.tasks.qa.data.question import Question

if TYPE_CHECKING:
    from ietool.tasks.qa.score.files import Predicted

Sums = NDArray[np.float64]
"""Float [..., columns]: what adds up over questions, the columns being the variant's."""

Values = Mapping[str, Sums]
"""Name of a measure → float [...], 0 to 1."""

RIGHT, PARTLY, WRONG, UNANSWERED = "right", "partly", "wrong", "no answer given"
OUTCOMES = (RIGHT, PARTLY, WRONG, UNANSWERED)


@dataclass(frozen=True, slots=True)
class Judged:
    """One answer judged: of a question, or of one of its labels where a variant scores these apart.

    Attributes:
        prediction: as in the submission; empty where there is none.
        reference: the one that the prediction was credited by, or the first.
        outcome: one of ``OUTCOMES``.
        sums: the variant's columns.
        group: the row of the table of kinds that it counts in; empty for none.
        measures: the measures of this answer alone, for people to look at.
        remark: what was credited besides.
    """

    prediction: str
    reference: str
    outcome: str
    sums: tuple[float, ...]
    group: str = ""
    measures: tuple[tuple[str, float], ...] = ()
    remark: str = ""


class Metric(Protocol):
    """A scoring variant. Attributes: its name, the measure that runs are compared by, what counted as correct, the
    title of its table of groups."""

    @property
    def name(self) -> str: ...
    @property
    def primary(self) -> str: ...
    @property
    def definition(self) -> str: ...
    @property
    def groups(self) -> str: ...

    def judge(self, question: Question, predicted: Predicted | None) -> list[Judged]:
        """The question judged; nothing if it does not count. ``predicted`` None: it has no prediction."""
        ...

    def values(self, sums: Sums) -> Values:
        """The measures of some questions from the sums of their columns, the primary one first."""
        ...

    def credit(self, judged: Judged) -> tuple[str, str]:
        """(the characters of the prediction that were credited, by which rule), for ``--explain``."""
        ...


def answer_of(predicted: Predicted | None) -> str:
    """The answer that counts where a question has one: the first."""
    return predicted.answers[0] if predicted is not None and predicted.answers else ""


def outcome(prediction: str, right: bool, score: float) -> str:
    """One of ``OUTCOMES``."""
    if right:
        return RIGHT
    if not prediction.strip():
        return UNANSWERED
    return PARTLY if score > 0 else WRONG


def share(part: Sums, whole: Sums) -> Sums:
    """``part / whole``, 0 where the whole is 0."""
    return np.divide(part, whole, out=np.zeros(np.shape(part), dtype=np.float64), where=np.asarray(whole) > 0)


def f1_of(precision: Sums, recall: Sums) -> Sums:
    """Their harmonic mean, 0 where both are."""
    return share(2 * precision * recall, precision + recall)
