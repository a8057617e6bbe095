"""From candidates to a subject: no model here, and no torch."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from ietool.core.candidates import Candidates, Floor, Layout, Parts, Rows
from ietool.core.checking import can_stand
from ietool.core.joining import picked
from ietool.core.labels import LabelColumn
from ietool.core.predicting import check_names
from ietool.tasks.event_subject.data.example import Example

LAYOUT = Layout(("start", "end", "type"), ("probability",), ("probability",))

LEAST = 0.01
"""A place counts for its name from here on, whatever the thresholds are: so what is proposed at a lower floor decodes
to the same."""


@dataclass(frozen=True)
class FoundSubject:
    """A subject, the first place that speaks for it most, and how probable it is: at all its places together."""

    text: str
    start: int
    end: int
    probability: float


@dataclass(frozen=True)
class Answered:
    """What an example is answered with; ``subject`` None: none."""

    example: Example
    subject: FoundSubject | None

    @property
    def name(self) -> str:
        """Empty where there is none."""
        return "" if self.subject is None else self.subject.text


class SubjectDecoder:
    """Adds up what the places of a name say, and takes the best name if it is probable enough.

    Args:
        types: of events, by number.
        by_label: thresholds by type, to be checked.

    Raises:
        UserError: one of them is for a type that there is not.
    """

    layout = LAYOUT
    threshold = "threshold"
    """The key of ``decode`` that is tried first where thresholds are chosen."""

    def __init__(self, types: Sequence[str], by_label: Mapping[str, float] | None = None) -> None:
        self.types = self.label_names = types
        check_names(by_label or {}, types, "type")

    @property
    def labels(self) -> LabelColumn:
        """As in :class:`ietool.core.joining.JoinedDecoder`."""
        return LabelColumn("type", self.types)

    def joined(self, others: Sequence[SubjectDecoder]) -> SubjectDecoder:
        """As in :class:`ietool.core.joining.JoinedDecoder`: all heads speak of spans."""
        return self

    def plain(self, parts: Parts) -> Parts:
        """As in :class:`ietool.core.joining.JoinedDecoder`."""
        return parts

    def labels_of(self, rows: Rows) -> npt.NDArray[np.int64]:
        """(n,): which of ``label_names`` each row is of."""
        return rows[:, 2].astype(np.int64)

    def floor(self, decode: Any) -> Floor:
        """As in :class:`ietool.core.predicting.Decoder`."""
        return Floor(parts={"probability": LEAST})

    def decode(self, item: Example, found: Candidates, decode: Any) -> Answered:
        """As in :class:`ietool.core.predicting.Decoder`. Of equally probable names the first by place."""
        sums: dict[str, float] = {}
        best: dict[str, tuple[float, int, int]] = {}
        for (start, end, _), p in zip(found.rows.tolist(), found.parts[:, 0].tolist(), strict=True):
            name = item.text[start:end]
            if p > LEAST and can_stand(name):
                sums[name] = sums.get(name, 0.0) + p
                if name not in best or p > best[name][0]:
                    best[name] = (p, start, end)
        top = max(sums, key=lambda name: (sums[name], -best[name][1], -best[name][2]), default="")
        if not top or sums[top] <= decode.by_label.get(item.type, decode.threshold):
            return Answered(item, None)
        _, start, end = best[top]
        return Answered(item, FoundSubject(top, start, end, min(sums[top], 1.0)))


def joined(predictions: Sequence[Answered], chosen: Mapping[Hashable, float]) -> Answered:
    """As :meth:`ietool.core.contract.Task.joined` has it."""
    first = predictions[0]
    found = [p.subject for p in predictions if p.subject is not None]
    picks = picked(found, lambda subject: subject.text, chosen)
    if not picks:
        return replace(first, subject=None)
    best, p = max(picks, key=lambda pick: (pick[1], -pick[0].start))
    return replace(first, subject=replace(best, probability=p))
