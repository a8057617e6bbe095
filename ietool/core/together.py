"""Several models as one reader: each proposes, then each scores what any of them proposed, one in memory at a time.

inputs ──pieces──▶ each proposes ──kept on disk──▶ union ──▶ each scores it ──kept on disk──▶ averaged
"""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np

from ietool.core.candidate_files import CandidateWriter, StoredCandidates, read_candidates
from ietool.core.candidates import Candidates, Floor, Layout, union
from ietool.core.joining import JoinedDecoder, Weights, averaged
from ietool.core.labels import LabelColumn, doubled, renumber, renumbered
from ietool.core.predicting import Reader
from ietool.errors import UserError
from ietool.files.outputs import replace_folder
from ietool.progress import Progress, no_progress

PIECE, PIECE_CHARACTERS = 1 << 11, 1 << 22
"""Inputs, and characters of them, that every member reads before the next one is opened."""
TOGETHER = 1 << 10
"""Inputs of a piece where all members are in memory."""


class Readers(Protocol):
    """The models of an ensemble, of which some are in memory."""

    @property
    def layouts(self) -> Sequence[Layout]: ...
    @property
    def labels(self) -> Sequence[LabelColumn | None]: ...

    @property
    def marks(self) -> Sequence[str]:
        """What tells each model, and how it reads, from all others."""
        ...

    @property
    def at_once(self) -> int:
        """How many of them may be in memory."""
        ...

    def __len__(self) -> int: ...

    def reading(self, number: int) -> AbstractContextManager[tuple[Reader[Any], Floor]]:
        """A member's reader and the floor above which it proposes; it may be opened for this."""
        ...


class Heard(NamedTuple):
    """What the members say of an input: ``proposed`` by each with its own numbers of labels, and ``said`` by each of
    the rows that any has proposed, with the numbers that stand for all; empty where no one was asked."""

    item: Any
    proposed: Sequence[Candidates]
    said: Sequence[Candidates]


@dataclass(frozen=True)
class Kept:
    """Where what members say of a piece is kept: ``folder`` None: in memory; ``lasting``: to be found again."""

    folder: Path | None
    lasting: bool = False

    def keep(self, name: str, mark: str, layout: Layout, found: Callable[[], Iterator[Candidates]]) -> Sequence[Any]:
        """What is found, or what an earlier process kept under this name and mark."""
        if self.folder is None:
            return list(found())
        place = self.folder / name
        if self.lasting and (known := _known(place, mark)) is not None:
            return known
        self.folder.mkdir(parents=True, exist_ok=True)
        part = place.with_name(f".{name}.part")
        shutil.rmtree(part, ignore_errors=True)
        with CandidateWriter(part, layout, Floor(), {"mark": mark}) as writer:
            for one in found():
                writer.add(one)
        replace_folder(part, place)
        return read_candidates(place)


def _known(place: Path, mark: str) -> StoredCandidates | None:
    try:
        stored = read_candidates(place)
    except UserError:
        return None
    return stored if stored.about.get("mark") == mark else None


class TogetherReader:
    """Reads with all members, and averages what they say.

    Args:
        base: whose labels stand for all: those that it lacks are left out.
        weights: of members and groups.
        decoders: of each group.
        layout: of what they say together.
        asks: whether members score what others propose; else ``said`` is empty.
        scratch: a folder in which what members say is found again by a later process; None: it is gone afterwards.
    """

    def __init__(
        self,
        readers: Readers,
        base: LabelColumn | None,
        weights: Weights,
        decoders: Sequence[JoinedDecoder],
        layout: Layout,
        *,
        asks: bool = True,
        scratch: Path | None = None,
    ) -> None:
        self.readers, self.base, self.weights, self.decoders = readers, base, weights, decoders
        self.layout, self.asks, self.scratch = layout, asks, scratch
        self.most = 0
        self.highest_probability = 0.0
        self.progress: Progress = no_progress
        self._notes: dict[str, None] = {}

    @property
    def notes(self) -> Sequence[str]:
        """Those of the members, each once."""
        return list(self._notes)

    def propose(self, inputs: Iterable[Any], *, floor: Floor) -> Iterator[tuple[Any, Candidates]]:
        """As in :class:`ietool.core.predicting.Reader`. Every member proposes above a low floor of its own, whatever
        ``floor`` is: what one holds for improbable others may not."""
        for item, _, said in self.heard(inputs):
            yield item, averaged(said, self.weights, self.decoders, self.layout)

    def score(self, inputs: Iterable[tuple[Any, Candidates]]) -> Iterator[tuple[Any, Candidates]]:
        """As in :class:`ietool.core.predicting.Reader`."""
        for number, (some, mark) in enumerate(self._pieces(inputs)):
            items, given = [item for item, _ in some], [found for _, found in some]
            with _scratch(self, number) as kept:
                said = self._said(items, [one.rows for one in given], kept, mark)
                for n, (item, one) in enumerate(zip(items, given, strict=True)):
                    found = averaged([mine[n] for mine in said], self.weights, self.decoders, self.layout)
                    yield item, replace(found, capped=one.capped)

    def heard(self, inputs: Iterable[Any]) -> Iterator[Heard]:
        """What every member says of each input, in order; memory is bounded by a piece of them."""
        for number, (items, mark) in enumerate(self._pieces(inputs)):
            with _scratch(self, number) as kept:
                proposed = self._proposed(items, kept, mark)
                said: list[Sequence[Candidates]] = []
                if self.asks and len(self.readers) > 1:
                    said = self._said(items, _Unions(proposed, self.readers, self.base), kept, mark)
                for n, item in enumerate(items):
                    mine = [found[n] for found in proposed]
                    if said:
                        yield Heard(item, mine, [_capped(found[n], mine) for found in said])
                    else:
                        yield Heard(item, mine, [self._translated(k, one) for k, one in enumerate(mine)])

    def _translated(self, number: int, found: Candidates) -> Candidates:
        return renumbered(found, self.readers.layouts[number], self.readers.labels[number], self.base)

    def _pieces(self, inputs: Iterable[Any]) -> Iterator[tuple[list[Any], str]]:
        """Some inputs at a time, with what tells them from others where that is wanted."""
        alone = self.readers.at_once < len(self.readers)
        most = PIECE if alone else TOGETHER
        some: list[Any] = []
        mark, characters = hashlib.sha256(), 0
        for item in inputs:
            some.append(item)
            if alone or self.scratch is not None:
                text = repr(item)
                characters += len(text)
                mark.update(text.encode("utf-8", "surrogatepass") + b"\0")
            if len(some) == most or characters >= PIECE_CHARACTERS:
                yield some, mark.hexdigest()
                some, mark, characters = [], hashlib.sha256(), 0
        if some:
            yield some, mark.hexdigest()

    def _proposed(self, items: Sequence[Any], kept: Kept, mark: str) -> list[Sequence[Candidates]]:
        found: list[Sequence[Candidates]] = []
        for number, (layout, model) in enumerate(zip(self.readers.layouts, self.readers.marks, strict=True)):

            def propose(number: int = number) -> Iterator[Candidates]:
                with self.readers.reading(number) as (reader, floor):
                    yield from self._told(number, "proposes", reader, reader.propose(items, floor=floor), len(items))

            found.append(kept.keep(f"proposed-{number}", f"{model} {mark}", layout, propose))
        return found

    def _said(
        self, items: Sequence[Any], rows: Sequence[Any], kept: Kept, mark: str
    ) -> list[Sequence[Candidates]]:  # fmt: skip
        """What each says of given rows, in the numbers that stand for all; the last one opened begins."""
        count = len(self.readers)
        said: list[Sequence[Candidates]] = [()] * count
        every = hashlib.sha256(" ".join([*self.readers.marks, mark]).encode()).hexdigest()
        for number in reversed(range(count)):

            def score(number: int = number) -> Iterator[Candidates]:
                with self.readers.reading(number) as (reader, _):
                    yield from self._scored(number, reader, items, rows)

            said[number] = kept.keep(f"scored-{number}", f"{every} {number}", self.readers.layouts[number], score)
        return said

    def _scored(
        self, number: int, reader: Reader[Any], items: Sequence[Any], rows: Sequence[Any]
    ) -> Iterator[Candidates]:
        layout, labels = self.readers.layouts[number], self.readers.labels[number]
        whole, share = np.zeros(len(layout.whole), np.float32), layout.parts.index(layout.product[-1])
        asked: list[Any] = []
        """Those that were given to the reader and did not come back yet: their rows, which of them it knows, and which
        say again what another one says."""

        def given() -> Iterator[tuple[Any, Candidates]]:
            for item, every in zip(items, rows, strict=True):
                own, which = renumber(every, layout, self.base, labels)
                asked.append((every, which, doubled(every, own, layout, self.base, labels)))
                yield item, Candidates(own, np.zeros((len(own), len(layout.parts)), np.float32), whole)

        stream = self._told(number, "scores", reader, reader.score(given()), len(items))
        for found in stream:
            every, which, again = asked.pop(0)
            parts = np.zeros((len(every), len(layout.parts)), np.float32)
            parts[which] = found.parts
            parts[again, share] = 0.0
            yield Candidates(every, parts, found.whole)

    def _told(
        self, number: int, does: str, reader: Reader[Any], stream: Iterator[tuple[Any, Candidates]], total: int
    ) -> Iterator[Candidates]:
        step = f"member {number + 1} of {len(self.readers)} {does}"
        for done, (_, found) in enumerate(stream, 1):
            yield found
            if done % 64 == 0 or done == total:
                self.progress(step, done, total)
        self.most = max(self.most, reader.most)
        self.highest_probability = max(self.highest_probability, reader.highest_probability)
        self._notes |= dict.fromkeys(reader.notes)


class _Unions(Sequence[Any]):
    """The rows that any member has proposed of each input, in the numbers that stand for all."""

    def __init__(self, proposed: Sequence[Sequence[Candidates]], readers: Readers, base: LabelColumn | None) -> None:
        self._proposed, self._readers, self._base = proposed, readers, base

    def __len__(self) -> int:
        return len(self._proposed[0])

    def __getitem__(self, at: Any) -> Any:
        if not 0 <= at < len(self):
            raise IndexError(at)
        of = zip(self._proposed, self._readers.layouts, self._readers.labels, strict=True)
        return union([renumbered(found[at], layout, labels, self._base) for found, layout, labels in of])


def _capped(found: Candidates, proposed: Sequence[Candidates]) -> Candidates:
    """What is said, with the most that any left out when it proposed."""
    most = max(one.capped for one in proposed)
    return replace(found, capped=most) if most else found


class _scratch(AbstractContextManager[Kept]):
    """Where a piece is kept: in memory where all members are, else in a folder."""

    def __init__(self, reader: TogetherReader, piece: int) -> None:
        self._reader, self._piece = reader, piece
        self._made: tempfile.TemporaryDirectory[str] | None = None

    def __enter__(self) -> Kept:
        readers, lasting = self._reader.readers, self._reader.scratch
        if lasting is not None:
            return Kept(lasting / f"piece-{self._piece}", lasting=True)
        if readers.at_once >= len(readers):
            return Kept(None)
        self._made = tempfile.TemporaryDirectory(prefix="ietool-ensemble-")
        return Kept(Path(self._made.name))

    def __exit__(self, *_: object) -> None:
        if self._made is not None:
            self._made.cleanup()
