"""What a task says of the labels of its records: to look at them one by one, to change them, and to write them.

An *item* is what a record's gold is made of: a triple, an entity, a linked mention. A *plain* item is the same as JSON
has it, in the words of the competition's form.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Generic, Protocol, TypeVar

import numpy as np

from ietool.core.candidates import Candidates, Layout
from ietool.errors import UserError
from ietool.files.lines import OnBad

E = TypeVar("E")
I = TypeVar("I")  # noqa: E741


class _Texted(Protocol):
    @property
    def text(self) -> str: ...


T = TypeVar("T", bound=_Texted)

BOUNDARY, ENTITY, TYPE, ANSWER = "wrong boundary", "wrong entity", "wrong type", "wrong answer"
"""What one item has wrong, if another is what was meant."""


@dataclass
class Edits(Generic[I]):
    """What becomes of the items of one text.

    Attributes:
        without: items that go.
        added: items that come.
        moved: (old, new) of those that are replaced: the old ones go, the new ones come.
        seen: records of the file that had the text.
    """

    without: list[I] = field(default_factory=list)
    added: list[I] = field(default_factory=list)
    moved: list[tuple[I, I]] = field(default_factory=list)
    seen: int = 0


def leave(error: UserError, line: str) -> None:
    """For those who read train again: what is bad was told of, or left out, when the file was prepared."""


def edit_of(read: Callable[[], T], edits: Mapping[str, Edits[I]]) -> tuple[T, Edits[I]] | None:
    """A record with what becomes of its items; None where it stays as it is: it has no edits, or is a bad one, which
    preparing told of or left out.

    Args:
        read: makes the record, or raises UserError.
        edits: by text.
    """
    try:
        record = read()
    except UserError:
        return None
    edit = edits.get(record.text)
    if edit is None:
        return None
    edit.seen += 1
    return record, edit


class LabelWriter(ABC, Generic[E, I]):
    """Of one task: what a model finds, and how it is written as gold.

    Args:
        folder: a prepared folder or run folder.
        layout: of the candidates of its head.
    """

    item: ClassVar[str]
    """What an item is called: ``triple``."""

    def __init__(self, folder: Path, layout: Layout) -> None:
        self.folder, self.layout = folder, layout

    @property
    def suffix(self) -> str:
        """How the name of a new training file ends."""
        return ".jsonl"

    @abstractmethod
    def identity(self, record: E) -> str:
        """What tells a record from all others: its text."""

    def fits(self, record: E) -> bool:
        """Whether a file of the training form can hold the text of a record, so that it is read again as it is."""
        return True

    @abstractmethod
    def found(self, prediction: Any) -> Sequence[tuple[I, float]]:
        """The items of a prediction, each with its probability."""

    def soft(self, record: E, found: Candidates, prediction: Any, least: float) -> list[tuple[I, float]]:
        """The items of a text that are at least so probable, in the order in which :meth:`written_soft` has them.

        Raises:
            UserError: the task takes no soft labels.
        """
        raise UserError(
            f"gold of {self.item}s is hard", field="--soft", mend="leave it out: recipes of ske and ner take it"
        )

    def written_soft(self, record: E, items: Sequence[I]) -> str:
        """As :meth:`written`, of items that need not go together."""
        return self.written(record, items)

    @abstractmethod
    def plain(self, record: E, item: I) -> dict[str, Any]:
        """An item as plain data."""

    def written_found(self, record: E, prediction: Any) -> str:
        """As :meth:`written`, of all items of a prediction."""
        return self.written(record, [item for item, _ in self.found(prediction)])

    @abstractmethod
    def written(self, record: E, items: Sequence[I]) -> str:
        """A record with these items as the competition's training file has it, with line end."""

    def companions(self) -> Iterable[tuple[str, Path]]:
        """Files that belong beside the file of all records written so far: how the name of each ends, in place of
        :attr:`suffix`, and where it is; none where records stand by themselves."""
        return ()

    def doubt(self, found: Candidates) -> float:
        """How many items of a text may be expected to be wrong, if what is above one half is taken: the sum of what
        each candidate lacks to 0 or to 1."""
        probability = self.layout.probability(found.parts)
        return float(np.minimum(probability, 1 - probability).sum())


class Labels(LabelWriter[E, I]):
    """Besides: gold item by item, to be looked at and changed."""

    @abstractmethod
    def gold(self, record: E) -> Sequence[I]:
        """The items that a record has."""

    def said(self, record: E, found: Candidates, prediction: Any, decode: Any) -> Sequence[I]:
        """The items that a model finds in a record of train: those of its prediction.

        Args:
            found: the candidates that it made the prediction of, with the settings ``decode``.
        """
        return [item for item, _ in self.found(prediction)]

    @abstractmethod
    def key(self, item: I) -> Hashable:
        """What two items share that the scorer takes for the same."""

    @abstractmethod
    def scores(self, record: E, found: Candidates, items: Sequence[I]) -> Sequence[float]:
        """How probable candidates make each of some items; 0 for those that are not among them."""

    def rows(self, record: E) -> Any:
        """The rows of candidates that stand for a record's gold, as far as it has such: (n, k)."""
        return np.zeros((0, len(self.layout.rows)), np.int32)

    def asked(self, record: E, found: Candidates, items: Sequence[I]) -> Sequence[bool]:
        """Whether models can say anything of each of some items. Where they cannot, as of a name that is longer than
        all that they find, their silence tells nothing."""
        return [True] * len(items)

    @abstractmethod
    def differs(self, gold: I, other: I) -> str:
        """What is wrong with ``gold`` if ``other`` was meant: one of :data:`BOUNDARY`, :data:`ENTITY`, :data:`TYPE`,
        :data:`ANSWER`; empty where the two have nothing to do with each other."""

    @abstractmethod
    def item_of(self, record: E, plain: Mapping[str, Any]) -> I:
        """The item of plain data.

        Raises:
            ValueError: it is none, or none of this record, in words that say why.
        """

    def places(self, record: E, item: I) -> Sequence[tuple[int, int]]:
        """Where an item stands in the text that :meth:`shown` gives, as far as that is known."""
        return ()

    def shown(self, record: E, items: Sequence[I]) -> tuple[str, Sequence[tuple[int, int]]]:
        """The text in which some items are looked at, and where they stand in it."""
        return self.identity(record), [place for item in items for place in self.places(record, item)]

    def along(self, record: E, old: I, new: I | None) -> Sequence[I]:
        """Items that go too where one goes, or is replaced by another."""
        return ()

    def same(self, record: E) -> str:
        """What records share whose items are changed together: by default the text."""
        return self.identity(record)

    def outputs(self, files: Mapping[str, Path]) -> Mapping[str, str]:
        """Role → the name of its new file, of those files of a preparation that hold train."""
        return {"train": f"train{self.suffix}"}

    def owned(self, files: Sequence[Path]) -> Callable[[E], bool]:
        """What tells whether a record of train comes from one of these files: all do by default."""
        return lambda record: True

    @abstractmethod
    def edited(self, source: Path, edits: Mapping[str, Edits[I]], on_bad: OnBad = leave) -> Iterator[str]:
        """A training file in pieces, with the items of some records changed (:meth:`same` → edits) and all else as it
        stands; counts in ``edits`` the records that were changed alike, and tells ``on_bad`` of what is left out since
        it cannot be read."""


def changed(items: Iterable[I], edits: Edits[I], key: Any) -> list[I]:
    """Items after some edits: what stays in its order, then what comes, each once."""
    gone = {key(item) for item in edits.without}
    kept = [item for item in items if key(item) not in gone]
    there = {key(item) for item in kept}
    for item in edits.added:
        if key(item) not in there:
            there.add(key(item))
            kept.append(item)
    return kept
