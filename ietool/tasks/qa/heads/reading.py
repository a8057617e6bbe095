"""What a model says of questions, whatever its head: windows of passages, read in batches of like length."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any, ClassVar, Generic, NamedTuple, Protocol, TypeVar

import numpy as np
import numpy.typing as npt
import torch

from ietool.core.candidates import Candidates, Floor, Layout, capped
from ietool.core.pools import Reading, read_in_pools
from ietool.nn.transfer import ahead_on
from ietool.tasks.qa.data.question import Question
from ietool.tasks.qa.recipe import QaRecipe

MOST = 1 << 15
"""Candidates of a question, at most: more than a thousand windows have."""

POOL_CHARACTERS = 1 << 22
"""Of questions that wait to be read, at most so many characters are held, or one question."""


class Window(Protocol):
    """A piece of a passage, the characters ``[start, end)``."""

    @property
    def start(self) -> int: ...
    @property
    def end(self) -> int: ...


W = TypeVar("W", bound=Window)


class Said(NamedTuple):
    """What is said of a window: ``spans`` (n, 2) of the passage's characters, their ``parts`` (n, m), and what it
    adds to what is said of the whole question, ``whole`` (w,)."""

    spans: npt.NDArray[np.int32]
    parts: npt.NDArray[np.float32]
    whole: npt.NDArray[np.float32]


class _Asked(NamedTuple):
    """A question whose rows are to be scored."""

    question: Question
    given: Candidates


class _Place(NamedTuple):
    """A window, the number of its passage, and the rows to be scored that lie in it: their numbers, and as spans."""

    window: Window
    passage: int
    at: npt.NDArray[np.int64]
    spans: npt.NDArray[np.int32]


class QaReader(ABC, Generic[W]):
    """Reads questions with the windows of their passages.

    Of a span that lies in several windows counts the one in which it is most probable. Rows above the floor are the
    best few of each window: see the heads.

    Attributes:
        least: (m,) what the recipe wants of the parts: a span that a window finds to be above counts before one that
            another finds to be below.
        nothing: (w,) what is said of a question of which nothing was read.
    """

    layout: ClassVar[Layout]
    model: Any
    most = MOST

    def __init__(self, recipe: QaRecipe, *, pool: int = 16) -> None:
        self.data, self.longest = recipe.data, recipe.decode.longest
        self.batch_size, self.pool = recipe.decode.batch_size, pool
        self.least = np.zeros(len(self.layout.parts), np.float32)
        self.nothing = np.zeros(len(self.layout.whole), np.float32)
        self.highest_probability = 0.0
        self.notes: Sequence[str] = ()
        if recipe.data.overlap < recipe.decode.longest:
            self.notes = (
                f"answers of more than {recipe.data.overlap} characters can be lost where windows meet "
                "(data.overlap is less than decode.longest)",
            )

    @property
    def has_labels(self) -> bool:
        """Whether anything is said of a question as a whole."""
        return bool(self.nothing.max(initial=-1) >= 0)

    @abstractmethod
    def windows(self, question: Question) -> Iterator[tuple[int, W]]:
        """(passage, window) of all that is read of a question."""

    @abstractmethod
    def size(self, window: W) -> int:
        """By which windows are put together."""

    @abstractmethod
    def found(self, windows: Sequence[W], floor: Floor) -> Reading[list[Said]]:
        """What each of a batch of windows holds above the floor."""

    @abstractmethod
    def parts(self, windows: Sequence[W], spans: Sequence[npt.NDArray[np.int32]]) -> Reading[list[Said]]:
        """What is said of given spans of each window, (n, 2) characters of the passage: the same ``spans``."""

    def propose(self, inputs: Iterable[Question], *, floor: Floor) -> Iterator[tuple[Question, Candidates]]:
        """As in :class:`ietool.core.predicting.Reader`."""

        def cut(some: Sequence[Question]) -> Iterator[tuple[int, tuple[int, W]]]:
            return ((number, window) for number, one in enumerate(some) for window in self.windows(one))

        @torch.inference_mode()
        def read(batch: Sequence[tuple[int, W]]) -> Reading[list[tuple[int, Said]]]:
            said = yield from self.found([window for _, window in batch], floor)
            return [(passage, one) for (passage, _), one in zip(batch, said, strict=True)]

        def chunk(stream: Iterable[Question], limit: int) -> Iterator[list[Question]]:
            return _chunks(((one, one) for one in stream), limit)

        for question, said in read_in_pools(
            inputs, cut, lambda one: self.size(one[1]), read,
            batch_size=self.batch_size, pool=self.pool, chunk=chunk, ahead=ahead_on(self.model.device),
        ):  # fmt: skip
            yield question, capped(self.layout, self._joined(said), self.most)

    def score(self, inputs: Iterable[tuple[Question, Candidates]]) -> Iterator[tuple[Question, Candidates]]:
        """As in :class:`ietool.core.predicting.Reader`."""

        def cut(some: Sequence[_Asked]) -> Iterator[tuple[int, _Place]]:
            for number, (question, given) in enumerate(some):
                rows = given.rows
                for passage, window in self.windows(question):
                    inside = (rows[:, 0] == passage) & (rows[:, 1] >= window.start) & (rows[:, 2] <= window.end)
                    at = np.flatnonzero(inside)
                    if len(at) or self.has_labels:
                        yield number, _Place(window, passage, at, rows[at, 1:])

        @torch.inference_mode()
        def read(places: Sequence[_Place]) -> Reading[list[tuple[_Place, Said]]]:
            windows: Any = [place.window for place in places]
            said = yield from self.parts(windows, [place.spans for place in places])
            return list(zip(places, said, strict=True))

        def chunk(stream: Iterable[_Asked], limit: int) -> Iterator[list[_Asked]]:
            return _chunks(((one, one.question) for one in stream), limit)

        for asked, said in read_in_pools(
            (_Asked(*one) for one in inputs), cut, lambda place: self.size(place.window), read,  # type: ignore[arg-type]
            batch_size=self.batch_size, pool=self.pool, chunk=chunk, ahead=ahead_on(self.model.device),
        ):  # fmt: skip
            parts = np.zeros((len(asked.given), len(self.layout.parts)), np.float32)
            for place, one in said:
                better = self._rank(one.parts) > self._rank(parts[place.at])
                parts[place.at[better]] = one.parts[better]
            whole = self._whole([one for _, one in said])
            yield asked.question, replace(asked.given, parts=parts, whole=whole, models=1)

    def _rank(self, parts: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
        """(n,): the higher, the sooner a window's word on a span counts."""
        rank: npt.NDArray[np.float64] = self.layout.probability(parts).astype(np.float64) + (parts > self.least).all(1)
        return rank

    def _joined(self, said: Sequence[tuple[int, Said]]) -> Candidates:
        """The candidates of a question from those of its windows, each once and by place."""
        if not said:
            return replace(Candidates.none(self.layout), whole=self.nothing)
        passages = np.repeat([passage for passage, _ in said], [len(one.spans) for _, one in said])
        rows = np.concatenate([passages[:, None], np.concatenate([one.spans for _, one in said])], 1).astype(np.int32)
        parts = np.concatenate([one.parts for _, one in said])
        order = np.lexsort(rows.T[::-1])
        rows, parts = rows[order], parts[order]
        new = np.ones(len(rows), bool)
        new[1:] = (rows[1:] != rows[:-1]).any(1)
        if not new.all():  # of each span the window that finds it most probable comes first
            order = np.lexsort((-self._rank(parts), np.cumsum(new)))
            parts = parts[order]
        return Candidates(rows[new], parts[new], self._whole([one for _, one in said]))

    def _whole(self, said: Sequence[Said]) -> npt.NDArray[np.float32]:
        if not said or not self.has_labels:
            return self.nothing
        whole: npt.NDArray[np.float32] = np.stack([one.whole for one in said]).sum(0, np.float64).astype(np.float32)
        return whole


T = TypeVar("T")


def _chunks(inputs: Iterable[tuple[T, Question]], limit: int) -> Iterator[list[T]]:
    """Inputs, each given with its question, so many at once, of at most ``POOL_CHARACTERS`` characters."""
    some: list[T] = []
    size = 0
    for one, question in inputs:
        more = sum(len(passage.text) for passage in question.passages)
        if some and (size + more > POOL_CHARACTERS or len(some) == limit):
            yield some
            some, size = [], 0
        some.append(one)
        size += more
    if some:
        yield some
