"""Classes of errors: what tells the outcomes of a task apart, for those who look at them.

A task fills in an :class:`ErrorClasses`; what is here does for tasks that have no classes of their own. Pure, without
heavy imports: outcomes come from a scorer, or from what a finished run kept of dev.
"""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, TypeVar

from ietool.scoring.report import Outcome

RIGHT, SPURIOUS, MISSED, DUPLICATE = "right", "spurious", "missed", "duplicate"
"""Verdicts."""

GOLD = "gold probably wrong"
"""The class of what gold calls wrong although the model is sure and the other prediction, if there is one, agrees."""

UNANSWERED = "no prediction"
"""The class of what is missed because its text has no prediction at all."""

Role = tuple[str, int, int]
"""What a stretch of a text is, and its half-open place."""


T = TypeVar("T")


@dataclass(frozen=True)
class JudgedBy:
    """What predictions were judged by.

    Attributes:
        files: those of ``Task.class_options`` that the user named.
        gold: the file of gold; None: they were judged by ``examples``.
        examples: those of a prepared folder, where it is still there.
        assets: the folder of the run that predicted.
    """

    files: Mapping[str, Path] = field(default_factory=dict)
    gold: Path | None = None
    examples: Sequence[Any] | None = None
    assets: Path | None = None


class ErrorClasses:
    """How the outcomes of a task are told apart and shown."""

    meanings: ClassVar[Mapping[str, str]] = {
        SPURIOUS: "predicted, and not in gold",
        MISSED: "in gold, and not predicted",
    }
    """Class → what it means, in the order of tables; :data:`GOLD` and :data:`UNANSWERED` need not be among them."""
    label_name: ClassVar[str] = "label"
    """What :meth:`label` gives, in a word."""
    counts_items: ClassVar[bool] = True
    """Whether right, spurious and missed outcomes add up to precision and recall."""
    means_over_labels: ClassVar[Collection[str]] = ()
    """Variants whose measure is a mean over the labels of gold: texts that lack some of these have no score of their
    own."""

    def study(self, outcomes: Iterable[Outcome]) -> None:
        """Told of all outcomes, of several predictions where there are several, before anything is asked: for those who
        must read further files once."""

    def of(self, outcomes: Sequence[Outcome]) -> list[str]:
        """The class of each outcome of one text; empty for those that are right."""
        return ["" if one.verdict in (RIGHT, DUPLICATE) else one.verdict for one in outcomes]

    def label(self, outcome: Outcome) -> str:
        """Its relation, type or kind; empty for none."""
        for key in ("predicate", "type", "part", "kind"):
            if isinstance(value := outcome.item.get(key), str):
                return value
        return ""

    def words(self, outcome: Outcome) -> str:
        """The item itself."""
        return " ".join(str(value) for value in outcome.item.values())

    def names(self, outcome: Outcome) -> Sequence[str]:
        """The names in it, by which what is new since train is told from what is not."""
        return ()

    def title(self, outcomes: Sequence[Outcome]) -> str:
        """What stands over a text: its id, its question."""
        return ""

    def text(self, outcomes: Sequence[Outcome]) -> str:
        """The text in which the outcomes of one text are marked."""
        return outcomes[0].text

    def spans(self, outcome: Outcome, text: str) -> Sequence[Role]:
        """Where an outcome stands in what :meth:`text` gives."""
        return outcome.spans

    def gold_spans(self, outcomes: Sequence[Outcome], text: str) -> Sequence[tuple[Role, str]]:
        """What gold has in a text, each with the verdict on it."""
        return [
            (span, one.verdict) for one in outcomes if one.verdict in (RIGHT, MISSED) for span in self.spans(one, text)
        ]

    def found_spans(self, outcomes: Sequence[Outcome], text: str) -> Sequence[tuple[Role, str]]:
        """What is predicted in a text, each with the verdict on it."""
        return [
            (span, one.verdict)
            for one in outcomes
            if one.verdict in (RIGHT, SPURIOUS)
            for span in self.spans(one, text)
        ]

    # -- probabilities, where a run has them

    def key_of(self, number: int, prediction: Any) -> Hashable:
        """By what the outcomes of a prediction are found: :attr:`Outcome.key`. ``number`` counts from 0."""
        return number, prediction.text

    def chances(self, prediction: Any) -> Mapping[Hashable, float]:
        """What a prediction of the task's model holds, with its probability, by what :meth:`item` gives."""
        return {}

    def chances_in(self, result: Path, outcomes: Sequence[Outcome]) -> Mapping[Hashable, Mapping[Hashable, float]]:
        """Key of a text → what :meth:`item` gives → its probability, of a file of predictions that has them; nothing of
        one that has none.

        Args:
            outcomes: of that file.
        """
        return {}

    def item(self, outcome: Outcome) -> Hashable:
        """By what :meth:`chances` has a predicted item."""
        return None

    def error_of(self, outcome: Outcome) -> Hashable:
        """By what an error of one prediction is the same as one of another on the same text."""
        found = self.item(outcome)
        return outcome.verdict, found if found is not None else (self.label(outcome), self.words(outcome))

    def is_shown(self, outcome: Outcome) -> bool:
        """Whether an outcome stands among the items beside its text."""
        return True

    def blames_gold(self, outcome: Outcome) -> bool:
        """Whether a spurious outcome of which the model is sure speaks against gold."""
        return True

    # -- train

    def seen(self, outcomes: Iterable[Outcome]) -> set[str]:
        """The names in outcomes of a file of gold, which was scored against itself."""
        return {name for one in outcomes for name in self.names(one)}

    def seen_in(self, train: Path) -> set[str] | None:
        """The names of a file of gold, where it cannot be scored against itself; None: it can."""
        return None


def overlapping(one: str, other: str) -> bool:
    """Whether one name is the other with more or fewer characters at its ends."""
    return bool(one and other) and one != other and (one in other or other in one)


def first_place(text: str, name: str) -> tuple[int, int] | None:
    """Where a name stands first in a text, in any case; None where it does not."""
    at = text.find(name) if name else -1
    if at < 0 and name:
        low = text.lower()
        at = low.find(name.lower()) if len(low) == len(text) else -1
    return None if at < 0 else (at, at + len(name))


def both_sides(values: Iterable[T], outcomes: Sequence[Outcome]) -> tuple[list[T], list[T]]:
    """Of values beside outcomes those that gold has, and those that are predicted."""
    told = list(zip(values, outcomes, strict=True))
    gold = [value for value, one in told if one.verdict in (RIGHT, MISSED)]
    return gold, [value for value, one in told if one.verdict in (RIGHT, SPURIOUS, DUPLICATE)]
