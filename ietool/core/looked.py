"""What a task tells of one of its examples to those who look at a corpus and know no task."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

NOWHERE = -1
"""``start`` and ``end`` of a name whose place is not known, or which does not stand in the text."""


@dataclass(frozen=True, slots=True)
class Name:
    """A string of which gold is made.

    Attributes:
        kind: what it is, in the singular: ``subject``, ``mention``, ``answer``.
        text: as gold has it.
        start, end: [start, end) in :attr:`Looked.text`, :data:`NOWHERE` where that is not known.
        role: what it is labelled as besides the label of its item: the role of an argument, the slot of an object.
        lost: it should stand in what is read, and does not.
    """

    kind: str
    text: str
    start: int = NOWHERE
    end: int = NOWHERE
    role: str = ""
    lost: bool = False

    @property
    def placed(self) -> bool:
        return self.start != NOWHERE


@dataclass(frozen=True, slots=True)
class Gold:
    """One item of gold: a triple, an entity, an event.

    Attributes:
        label: its relation or type.
        names: what it is made of.
    """

    label: str
    names: Sequence[Name] = ()

    @property
    def key(self) -> tuple[object, ...]:
        """What two items share that are the same."""
        return (self.label, *sorted((n.kind, n.role, n.text, n.start) for n in self.names))


@dataclass(frozen=True, slots=True)
class Looked:
    """One example.

    Attributes:
        text: what is labelled: the text, the question.
        gold: its items.
        kind: what sort of record it is, where the form tells: the type of event that is asked for, the kind of
            question.
        further: what is read besides: the passages of a question.
        identity: what makes two records the same record; empty: the text.
    """

    text: str
    gold: Sequence[Gold] = ()
    kind: str = ""
    further: Sequence[str] = ()
    identity: str = ""


@dataclass(frozen=True, slots=True)
class Words:
    """What the parts of examples are called, in the plural.

    Attributes:
        labels: the labels of items: ``relations``.
        kinds: what :attr:`Looked.kind` is; empty where there is none.
        further: what :attr:`Looked.further` is; empty where there is none.
        kin: what two records share that are kin, in a sentence.
        stretches: whether an item is one stretch of the text, so that two that overlap are something to tell.
    """

    labels: str = "labels"
    kinds: str = ""
    further: str = ""
    kin: str = "their texts differ in case, width, blanks and punctuation alone"
    stretches: bool = False


def placed(text: str, kind: str, name: str, role: str = "") -> Name:
    """A name at its first place in a text; lost where it has none."""
    start = text.find(name) if name else NOWHERE
    if start < 0:
        return Name(kind, name, role=role, lost=bool(name))
    return Name(kind, name, start, start + len(name), role)
