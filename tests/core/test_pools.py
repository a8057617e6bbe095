"""Reading inputs window by window: in plain order, and with a batch under way ahead of the one that is finished."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ietool.core.pools import Reading, finished, read_in_pools

Window = tuple[int, int]
"""Its input's number among all, and its number among that one's windows."""


class Watched:
    """Inputs that are cut into as many windows as each says, and what was held and read on the way."""

    def __init__(self, counts: Sequence[int], *, lazy: bool = True, stages: Sequence[int] = (1,)) -> None:
        self.counts, self.lazy, self.stages = counts, lazy, stages
        self.taken = 0
        """Inputs that were asked for."""
        self.waiting = self.most_waiting = 0
        """Windows that were cut and not yet read."""
        self.batches: list[list[Window]] = []
        self.flying = self.most_flying = 0
        """Batches that were launched and are not finished."""
        self.log: list[tuple[str, int]] = []
        """What was done with which batch."""

    def inputs(self) -> Iterator[tuple[int, int]]:
        for number, count in enumerate(self.counts):
            self.taken += 1
            yield number, count

    def cut(self, some: Sequence[tuple[int, int]]) -> Iterable[tuple[int, Window]]:
        def windows() -> Iterator[tuple[int, Window]]:
            for at, (number, count) in enumerate(some):
                for n in range(count):
                    self.waiting += 1
                    self.most_waiting = max(self.most_waiting, self.waiting)
                    yield at, (number, n)

        return windows() if self.lazy else list(windows())

    def read(self, windows: Sequence[Window]) -> Reading[list[str]]:
        """The handle of a batch: it waits as often as there are stages, another number in each batch."""
        batch = len(self.batches)
        self.batches.append(list(windows))
        self.waiting -= len(windows)
        self.log.append(("launch", batch))
        self.flying += 1
        self.most_flying = max(self.most_flying, self.flying)
        for _ in range(self.stages[batch % len(self.stages)]):
            yield
            self.log.append(("wait", batch))
        self.flying -= 1
        return [f"{number}.{n}" for number, n in windows]

    @staticmethod
    def size(window: Window) -> int:
        return (window[0] * 7 + window[1] * 13) % 10

    def stream(self, batch_size: int, pool: int, **more: Any) -> Iterator[tuple[tuple[int, int], list[str]]]:
        return read_in_pools(
            self.inputs(), self.cut, self.size, self.read, batch_size=batch_size, pool=pool, **more
        )  # fmt: skip


@given(st.lists(st.integers(0, 9), max_size=30), st.integers(1, 4), st.integers(1, 4), st.booleans())
def test_every_input_has_what_its_windows_say_in_order(
    counts: list[int], batch_size: int, pool: int, lazy: bool
) -> None:
    watched = Watched(counts, lazy=lazy)
    found = list(watched.stream(batch_size, pool))
    assert found == [((n, count), [f"{n}.{k}" for k in range(count)]) for n, count in enumerate(counts)]
    # Each window once, in batches of like length.
    assert sorted(w for batch in watched.batches for w in batch) == [
        (n, k) for n, count in enumerate(counts) for k in range(count)
    ]
    assert all(0 < len(batch) <= batch_size for batch in watched.batches)
    assert all([watched.size(w) for w in b] == sorted(watched.size(w) for w in b) for b in watched.batches)
    if lazy:  # the window behind a full pool is cut before that is read
        assert watched.most_waiting <= batch_size * pool + 1


def test_windows_of_like_length_are_read_together() -> None:
    watched = Watched([1] * 12)
    list(watched.stream(4, 3))
    sizes = [watched.size(w) for batch in watched.batches for w in batch]
    assert sizes == sorted(sizes) and len(watched.batches) == 3


def test_a_stream_is_read_pool_by_pool() -> None:
    """What is asked for ahead is bounded, and what is read comes at once."""
    watched = Watched([1] * 1000)
    for number, ((at, _), _) in enumerate(watched.stream(4, 2)):
        assert at == number
        assert watched.taken <= number - number % 8 + 8


def test_one_input_with_many_windows() -> None:
    """Its windows are read as they are cut; those before it are given as soon as they are whole."""
    watched = Watched([2, 1000, 1])
    stream = watched.stream(4, 2)
    (number, _), said = next(stream)
    assert (number, len(said)) == (0, 2) and len(watched.batches) == 2  # one pool, in which the second begins
    (number, _), said = next(stream)
    assert (number, said) == (1, [f"1.{k}" for k in range(1000)]) and watched.most_waiting == 9
    assert list(stream) == [((2, 1), ["2.0"])]


@pytest.mark.parametrize("counts", [[], [0], [0, 0, 0], [0, 3, 0, 0, 1, 0]])
def test_inputs_without_windows(counts: list[int]) -> None:
    watched = Watched(counts)
    assert [len(said) for _, said in watched.stream(2, 1)] == counts
    assert bool(watched.batches) == any(counts)  # a model is never given an empty batch


def test_chunks_may_be_of_ones_own() -> None:
    watched, chunks = Watched([1] * 10), []

    def chunk(stream: Iterable[tuple[int, int]], limit: int) -> Iterator[list[tuple[int, int]]]:
        assert limit == 8
        for one in stream:
            chunks.append(one)
            yield [one]

    assert [number for (number, _), _ in watched.stream(4, 2, chunk=chunk)] == list(range(10)) and len(chunks) == 10
    assert [len(batch) for batch in watched.batches] == [1] * 10


@pytest.mark.parametrize("ahead", [0, 1])
def test_a_reader_that_says_too_little_is_an_error(ahead: int) -> None:
    watched = Watched([3])

    def read(windows: Sequence[Window]) -> Reading[list[str]]:
        yield
        return ["one"]

    with pytest.raises(ValueError, match="zip"):
        list(read_in_pools(watched.inputs(), watched.cut, watched.size, read, batch_size=4, ahead=ahead))


# -- one batch ahead

counts_ = st.lists(st.integers(0, 9), max_size=30)
stages_ = st.lists(st.integers(0, 3), min_size=1, max_size=3)


@given(counts_, st.integers(1, 4), st.integers(1, 4), st.booleans(), st.integers(0, 3), stages_)
def test_it_reads_the_same_batches_in_the_same_order_ahead(
    counts: list[int], batch_size: int, pool: int, lazy: bool, ahead: int, stages: list[int]
) -> None:
    plain, watched = Watched(counts, lazy=lazy, stages=stages), Watched(counts, lazy=lazy, stages=stages)
    assert list(watched.stream(batch_size, pool, ahead=ahead)) == list(plain.stream(batch_size, pool))
    assert watched.batches == plain.batches
    if lazy:
        assert watched.most_waiting <= (2 if ahead else 1) * batch_size * pool + 1
    assert watched.most_flying <= ahead + 1


def test_the_next_batch_is_launched_before_the_last_is_finished() -> None:
    """Also beyond the end of a pool, and while what was read is given back."""
    watched = Watched([1] * 16)
    for (number, _), _ in watched.stream(2, 2, ahead=1):
        watched.log.append(("given", number))
    log = watched.log
    order = [("launch", 0), *(one for n in range(7) for one in (("launch", n + 1), ("wait", n))), ("wait", 7)]
    assert [one for one in log if one[0] != "given"] == order
    assert [number for what, number in log if what == "given"] == list(range(16))
    # The first pool is given back while the batches of the second are under way.
    assert log.index(("launch", 3)) < log.index(("given", 0)) < log.index(("wait", 3))
    plain = Watched([1] * 8)
    list(plain.stream(2, 2))
    assert plain.log == [(what, batch) for batch in range(4) for what in ("launch", "wait")]


def test_stages_take_turns() -> None:
    """While one batch waits for its second stage the other's first is computed."""
    watched = Watched([1] * 6, stages=[2])
    list(watched.stream(2, 3, ahead=1))
    assert watched.log == [
        ("launch", 0), ("launch", 1), ("wait", 0), ("wait", 1), ("wait", 0), ("launch", 2), ("wait", 1), ("wait", 2),
        ("wait", 2),
    ]  # fmt: skip


def test_windows_are_cut_while_a_batch_is_under_way() -> None:
    """A batch's worth at a time, not the next pool at once."""
    watched = Watched([1] * 32)
    cuts: list[int] = []
    read = watched.read

    def noted(windows: Sequence[Window]) -> Reading[list[str]]:
        cuts.append(watched.waiting)
        return (yield from read(windows))

    watched.read = noted  # type: ignore[method-assign]
    list(watched.stream(2, 4, ahead=1))
    assert watched.most_waiting <= 9 and cuts[:8] == [8, 8, 8, 8, 8, 8, 8, 8]


@given(counts_, st.integers(1, 3), st.integers(1, 3), st.data())
def test_what_is_raised_comes_in_its_turn(counts: list[int], batch_size: int, pool: int, data: st.DataObject) -> None:
    """From the inputs, from cutting, from launching and from finishing; all that was whole before is given back, and
    what comes later raises nothing any more."""
    places = ["inputs", "cut", "launch", "wait"]
    faults = data.draw(st.lists(st.tuples(st.sampled_from(places), st.integers(0, 9)), min_size=1, max_size=2))

    class Faulty(Watched):
        def fault(self, place: str, number: int) -> None:
            if (place, number) in faults:
                raise KeyError(place, number)

        def inputs(self) -> Iterator[tuple[int, int]]:
            for one in super().inputs():
                self.fault("inputs", one[0])
                yield one

        def cut(self, some: Sequence[tuple[int, int]]) -> Iterable[tuple[int, Window]]:
            for at, window in super().cut(some):
                self.fault("cut", window[0])
                yield at, window

        def read(self, windows: Sequence[Window]) -> Reading[list[str]]:
            batch = len(self.batches)
            self.fault("launch", batch)
            said = yield from super().read(windows)
            self.fault("wait", batch)
            return said

    def outcome(ahead: int) -> tuple[list[Any], str]:
        found: list[Any] = []
        try:
            found.extend(Faulty(counts).stream(batch_size, pool, ahead=ahead))
        except KeyError as error:
            return found, str(error)
        return found, ""

    assert outcome(1) == outcome(0) == outcome(2)


@pytest.mark.parametrize("ahead", [0, 1])
def test_a_stream_that_is_given_up_closes_what_is_under_way(ahead: int) -> None:
    watched, closed = Watched([1] * 20), []

    def read(windows: Sequence[Window]) -> Reading[list[str]]:
        try:
            return (yield from Watched.read(watched, windows))
        finally:
            closed.append(len(windows))

    stream = read_in_pools(watched.inputs(), watched.cut, watched.size, read, batch_size=2, pool=2, ahead=ahead)
    next(stream)
    assert len(closed) == len(watched.batches) - ahead
    stream.close()  # type: ignore[attr-defined]
    assert len(closed) == len(watched.batches)


def test_a_reading_is_run_to_its_end() -> None:
    assert finished(Watched([3], stages=[3]).read([(0, 0), (0, 2)])) == ["0.0", "0.2"]


@pytest.mark.parametrize("ahead", [0, 1])
@pytest.mark.parametrize("place", ["launch", "wait"])
def test_an_error_keeps_nothing_of_its_batch(ahead: int, place: str) -> None:
    """Once it is told, the tensors of the batch are free, whatever the collector of circles does."""

    class Tensor:
        """Can be looked for."""

    alive: list[weakref.ref[Tensor]] = []

    def read(windows: Sequence[Window]) -> Reading[list[str]]:
        tensor = Tensor()
        alive.append(weakref.ref(tensor))
        if place == "wait":
            yield
        raise KeyError(place)

    watched = Watched([1] * 4)
    gc.collect()
    gc.disable()
    try:
        with pytest.raises(KeyError):
            next(read_in_pools(watched.inputs(), watched.cut, watched.size, read, batch_size=2, ahead=ahead))
        assert alive and all(one() is None for one in alive)
    finally:
        gc.enable()
