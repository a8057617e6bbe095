"""From candidates to events: no model here, and no torch."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from ietool.core.candidates import Candidates, Floor, Layout, Parts, Rows
from ietool.core.checking import can_stand
from ietool.core.labels import LabelColumn
from ietool.core.predicting import check_names, least_by_label
from ietool.tasks.events.data.example import NOWHERE, TRIGGER, Argument, Event, Example
from ietool.tasks.events.features.featurizer import Labels
from ietool.tasks.events.heads.rows import ROWS, UnitRows

Node = tuple[int, int, int]
"""(start, end, label) of a span, in characters of the text."""


@dataclass(frozen=True)
class FoundArgument:
    """``text == source[start:end]``, its role, and how probable the model holds it; of a trigger too, whose role is
    :data:`TRIGGER`."""

    text: str
    start: int
    end: int
    role: str
    probability: float


@dataclass(frozen=True)
class FoundEvent:
    """An event; ``trigger`` is None where none was found."""

    type: str
    trigger: FoundArgument | None
    arguments: tuple[FoundArgument, ...]
    probability: float

    @property
    def plain(self) -> Event:
        """Without text and probability, as gold has it."""
        start, end = (NOWHERE, NOWHERE) if self.trigger is None else (self.trigger.start, self.trigger.end)
        return Event(self.type, start, end, tuple(sorted(Argument(a.start, a.end, a.role) for a in self.arguments)))


@dataclass(frozen=True)
class Extracted:
    """The events of one text, by type in the order of the schema, then by place."""

    example: Example
    events: tuple[FoundEvent, ...]

    @property
    def plain(self) -> list[Event]:
        """As gold has them."""
        return [event.plain for event in self.events]


def least_threshold(decode: Any) -> float:
    """The lowest threshold that any type has."""
    return float(min((decode.threshold, *decode.by_label.values())))


class EventDecoder(ABC):
    """Names what rows speak of, and makes events of them.

    Args:
        labels: types and roles, by number.
        by_label: thresholds by type, to be checked.

    Raises:
        UserError: one of them is for a type that there is not.
    """

    layout: ClassVar[Layout]
    threshold: ClassVar[str] = "threshold"
    """The key of ``decode`` that is tried first where thresholds are chosen."""

    def __init__(self, labels: Labels, by_label: Mapping[str, float] | None = None) -> None:
        self.names, self.ties = labels, labels.ties
        self.label_names: Sequence[str] = labels.types
        check_names(by_label or {}, labels.types, "type of event")
        self._type = labels.type_of[self.ties.first]
        self._trigger = labels.role_of < 0

    @property
    def labels(self) -> LabelColumn:
        """As in :class:`ietool.core.joining.JoinedDecoder`."""
        return LabelColumn("tie", self.ties.names)

    def joined(self, others: Sequence[Any]) -> EventDecoder:
        """As in :class:`ietool.core.joining.JoinedDecoder`."""
        return JoinedStars(self.names)

    def plain(self, parts: Parts) -> Parts:
        """As in :class:`ietool.core.joining.JoinedDecoder`: the probability of a row."""
        return self.layout.probability(parts)[:, None]

    def labels_of(self, rows: Rows) -> npt.NDArray[np.int64]:
        """(n,): which of ``label_names`` each row is of."""
        numbers: npt.NDArray[np.int64] = self._type[rows[:, 4]]
        return numbers

    def single(self, rows: Rows) -> npt.NDArray[np.bool_]:
        """(n,): which rows speak of one span."""
        alone: npt.NDArray[np.bool_] = rows[:, 4] < self.ties.singles
        return alone

    def least(self, rows: Rows, decode: Any) -> npt.NDArray[np.float32]:
        """(n,): what is compared with probabilities of spans: a type's own threshold, or that of all."""
        least = least_by_label(self.label_names, decode.threshold, decode.by_label).astype(np.float32)
        return least[self.labels_of(rows)]

    @abstractmethod
    def floor(self, decode: Any) -> Floor:
        """As in :class:`ietool.core.predicting.Decoder`."""

    @abstractmethod
    def kept(self, found: Candidates, decode: Any) -> npt.NDArray[np.bool_]:
        """(n,): which rows these settings let pass, each by itself."""

    @abstractmethod
    def events(self, found: Candidates, decode: Any) -> Iterator[tuple[Sequence[tuple[Node, float]], float]]:
        """The events of a text: their nodes, each with its probability, and how probable each event is.

        Args:
            found: the rows that :meth:`kept` lets pass.
        """

    @abstractmethod
    def perfect(self, nodes: npt.NDArray[np.integer], event_of: npt.NDArray[np.integer]) -> UnitRows:
        """The rows of a window that a model without a fault would propose, given what it was taught.

        Args:
            nodes: (n, 3) of first unit, the one behind the last, label.
            event_of: (n,) the event that each belongs to.
        """

    def common(self, decode: Any) -> Hashable:
        """What these settings say of every text as a whole."""
        return None

    def choice(self, found: Candidates, decode: Any) -> tuple[npt.NDArray[np.bool_], Hashable]:
        """As in :class:`ietool.core.predicting.Choosing`."""
        return self.kept(found, decode)[:, None], self.common(decode)

    def decode(self, item: Example, found: Candidates, decode: Any) -> Extracted:
        """As in :class:`ietool.core.predicting.Decoder`."""
        if not len(found):
            return Extracted(item, ())
        rows = found.rows.tolist()
        mask = [
            n
            for n in np.flatnonzero(self.kept(found, decode)).tolist()
            if can_stand(item.text[rows[n][0] : rows[n][1]]) and can_stand(item.text[rows[n][2] : rows[n][3]])
        ]
        kept = Candidates(found.rows[mask], found.parts[mask], found.whole)
        made = [self._event(item.text, nodes, probability) for nodes, probability in self.events(kept, decode)]
        order = {kind: number for number, kind in enumerate(self.label_names)}
        return Extracted(item, tuple(sorted(made, key=lambda e: (order[e.type], event_key(e)))))

    def _event(self, text: str, nodes: Iterable[tuple[Node, float]], probability: float) -> FoundEvent:
        kind, trigger, arguments = "", None, []
        for (start, end, label), p in nodes:
            kind, role = self.names.names[label]
            one = FoundArgument(text[start:end], start, end, role, p)
            if role == TRIGGER:
                trigger = one
            else:
                arguments.append(one)
        return FoundEvent(kind, trigger, tuple(sorted(arguments, key=lambda a: (a.start, a.end, a.role))), probability)


def event_key(event: FoundEvent) -> tuple[Any, ...]:
    """By what events of one type are put in order: where they stand."""
    spans = [(a.start, a.end, a.role) for a in ((event.trigger,) if event.trigger else ()) + event.arguments]
    return min(spans), event.trigger is None, spans


class JoinedStars(EventDecoder):
    """Of rows that several heads speak of, and whose probability alone is known: events are triggers with what is tied
    to them, which all heads can say; ties between arguments are not looked at."""

    layout = Layout(ROWS, ("probability",), ("probability",))

    def floor(self, decode: Any) -> Floor:
        return Floor(parts={"probability": least_threshold(decode)})

    def kept(self, found: Candidates, decode: Any) -> npt.NDArray[np.bool_]:
        tie = found.rows[:, 4]
        # Two triggers make two events, whatever is said of what ties them.
        able = self._trigger[self.ties.first[tie]] & (self.single(found.rows) | ~self._trigger[self.ties.second[tie]])
        known: npt.NDArray[np.bool_] = able & (found.parts[:, 0] > self.least(found.rows, decode))
        return known

    def events(self, found: Candidates, decode: Any) -> Iterator[tuple[Sequence[tuple[Node, float]], float]]:
        return stars(self, found, found.parts[:, 0], found.parts[:, 0])

    def perfect(self, nodes: npt.NDArray[np.integer], event_of: npt.NDArray[np.integer]) -> UnitRows:
        raise NotImplementedError("nothing is taught to several heads at once")


def stars(
    decoder: EventDecoder, found: Candidates, trigger: npt.NDArray[np.float32], argument: npt.NDArray[np.float32]
) -> Iterator[tuple[Sequence[tuple[Node, float]], float]]:
    """Events as triggers, each with the arguments that a row ties to it; arguments without their trigger are none.

    Args:
        trigger: (n,) how probable each row's trigger is.
        argument: (n,) how probable what is tied to it is.
    """
    ties = decoder.ties
    alone = decoder.single(found.rows)
    nodes: dict[Node, list[tuple[Node, float]]] = {}
    for (a, b, _, _, tie), p in zip(found.rows[alone].tolist(), trigger[alone].tolist(), strict=True):
        nodes[a, b, tie] = [((a, b, tie), p)]
    for (a, b, c, d, tie), p in zip(found.rows[~alone].tolist(), argument[~alone].tolist(), strict=True):
        own = nodes.get((a, b, int(ties.first[tie])))
        if own is not None:
            own.append(((c, d, int(ties.second[tie])), p))
    for own in nodes.values():
        yield own, own[0][1]
