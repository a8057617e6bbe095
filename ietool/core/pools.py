"""Inputs read window by window, in batches of windows of like length, one batch ahead of the device where there is one.

    inputs ──cut──▶ windows ──sorted pool by pool──▶ batches ──read──▶ what is said of each input

A batch is read in stages, see :data:`Reading`. Without a device of its own a computer gains nothing by beginning one
before another is finished; with one, its next batch is under way while the CPU makes spans of the last one's numbers.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, Generic, TypeVar

T = TypeVar("T")
In = TypeVar("In")
Window = TypeVar("Window")
Raw = TypeVar("Raw")

Reading = Generator[None, None, T]
"""What is under way. It stops (``yield``) wherever it has asked a device for something and would wait for that next,
and returns what is read; what runs it may begin another before it goes on with this one."""

_Cut = Iterable[tuple[int, Window]]
_END = None
"""The batch that stands for the end of a pool."""


def finished(reading: Reading[T]) -> T:
    """What a reading returns, all its stages run one after another."""
    while True:
        try:
            next(reading)
        except StopIteration as end:
            value: T = end.value
            return value


def read_in_pools(
    inputs: Iterable[In],
    cut: Callable[[Sequence[In]], _Cut[Window]],
    size: Callable[[Window], int],
    read: Callable[[Sequence[Window]], Reading[Sequence[Raw]]],
    *,
    batch_size: int,
    pool: int = 16,
    chunk: Callable[[Iterable[In], int], Iterator[list[In]]] | None = None,
    ahead: int = 0,
) -> Iterator[tuple[In, list[Raw]]]:
    """Read inputs window by window, in batches of windows of like length, and give back what belongs to each input.

    Memory is bounded by ``pool`` batches of windows and what is read of one input, however many windows that has; with
    ``ahead`` by three pools: one that is given back, one that is read and one that is cut.

    Args:
        cut: the windows of some inputs, each with the number of its input among them, in order; may be lazy.
        size: by which windows are put together; the shortest are read first.
        read: a batch of windows → what is said of each.
        batch_size: windows of a batch.
        pool: batches whose windows are sorted together.
        chunk: how many inputs are cut at once; default: as many as a pool has windows.
        ahead: so many batches are begun before the oldest is finished. What is read is the same, and so is what was
            given back before something raises; but inputs are asked for a pool earlier.

    Yields:
        Each input, in order, with what was read of its windows, in their order.
    """
    pools = _pools(inputs, cut, batch_size, batch_size * pool, chunk or _chunks)
    steps = _steps(pools, size, batch_size, ahead)
    flying: deque[_Flight[In, Window, Raw]] = deque()  # and what is done but for something older, oldest first
    turns: deque[_Flight[In, Window, Raw]] = deque()  # those not done; the one that has waited longest goes on first
    ready: deque[tuple[In, list[Raw]]] = deque()
    going = True
    try:
        while going or flying:
            while going and len(turns) <= ahead and len(flying) <= 2 * ahead:
                begun = _begun(steps, read)
                going = begun is not None and begun.error is None
                if begun is not None:
                    flying.append(begun)
                    turns.extend(() if begun.done else (begun,))
            if turns:
                flight = turns.popleft()
                flight.go_on()
                turns.extend(() if flight.done else (flight,))
            # What was read before is given back bit by bit, for then the device has its next batches meanwhile.
            yield from _taken(ready, batch_size)
            while flying and flying[0].done:
                flight = flying.popleft()
                if flight.error is not None:
                    yield from _taken(ready, len(ready))
                    flight.tell()
                if flight.numbers is not _END:
                    flight.pool.keep(flight.numbers, flight.said)
                    continue
                yield from _taken(ready, len(ready))
                ready.extend(flight.pool.closed())
                if not ahead:
                    yield from _taken(ready, len(ready))
        yield from _taken(ready, len(ready))
    finally:
        for flight in turns:
            flight.close()


# -- pools of windows


@dataclass(frozen=True)
class _Pool(Generic[In, Window, Raw]):
    """Windows that are sorted together.

    Attributes:
        windows: of several inputs.
        into: where what is read of each of them goes.
        found: what is read of some of them so far, by number.
        whole: the inputs of which no window follows in later pools, with what is read of each.
    """

    windows: list[Window]
    into: list[list[Raw]]
    found: dict[int, Raw]
    whole: list[tuple[In, list[Raw]]]

    def keep(self, numbers: Sequence[int], said: Sequence[Raw]) -> None:
        """What a batch of them says."""
        self.found.update(zip(numbers, said, strict=True))

    def closed(self) -> list[tuple[In, list[Raw]]]:
        """The whole inputs; all windows are read."""
        for number, into in enumerate(self.into):
            into.append(self.found[number])
        return self.whole


def _pools(
    inputs: Iterable[In],
    cut: Callable[[Sequence[In]], _Cut[Window]],
    batch_size: int,
    limit: int,
    chunk: Callable[[Iterable[In], int], Iterator[list[In]]],
) -> Iterator[_Pool[In, Window, Any] | None]:
    """Pools of ``limit`` windows at most; None whenever a batch more is cut, for what is to be done in between."""
    for some in chunk(inputs, limit):
        read_of: dict[int, list[Any]] = {}
        windows: list[Window] = []
        into: list[list[Any]] = []
        done = 0
        for number, window in cut(some):
            if len(windows) >= limit:
                # The input that the next window belongs to may go on.
                yield _Pool(windows, into, {}, [(some[n], read_of.pop(n, [])) for n in range(done, number)])
                windows, into, done = [], [], number
            windows.append(window)
            into.append(read_of.setdefault(number, []))
            if len(windows) % batch_size == 0:
                yield None
        yield _Pool(windows, into, {}, [(some[n], read_of.pop(n, [])) for n in range(done, len(some))])


def _steps(
    pools: Iterator[_Pool[In, Window, Raw] | None], size: Callable[[Window], int], batch_size: int, ahead: int
) -> Iterator[tuple[_Pool[In, Window, Raw], list[int] | None]]:
    """The batches of each pool as numbers of its windows, the end of the pool behind them; with ``ahead`` the next pool
    is cut bit by bit whenever a batch is asked for."""
    current = next((one for one in pools if one is not None), None)
    while current is not None:
        following: _Pool[In, Window, Raw] | None = None
        error: Exception | None = None
        windows = current.windows
        order = sorted(range(len(windows)), key=lambda n: size(windows[n]))
        for at in range(0, len(order), batch_size):
            yield current, order[at : at + batch_size]
            if ahead and following is None and error is None:
                try:
                    following = next(pools, None)
                except Exception as raised:  # told when its turn has come: this pool is sound
                    error = raised
        yield current, _END
        if error is not None:
            raise error
        current = following or next((one for one in pools if one is not None), None)


def _chunks(inputs: Iterable[In], limit: int) -> Iterator[list[In]]:
    stream = iter(inputs)
    while some := list(islice(stream, limit)):
        yield some


# -- batches under way


class _Flight(Generic[In, Window, Raw]):
    """A batch that is being read, the end of a pool, or what was raised instead of one.

    Attributes:
        said: what is read of each window, once it is done.
        error: what was raised; it is told only when all that stands before it is done.
    """

    def __init__(
        self,
        pool: _Pool[In, Window, Raw],
        numbers: Sequence[int] | None = _END,
        reading: Reading[Sequence[Raw]] | None = None,
        error: Exception | None = None,
    ) -> None:
        self.pool, self.numbers, self.error = pool, numbers, error
        self.said: Sequence[Raw] = ()
        self._reading = reading
        self.go_on()

    @property
    def done(self) -> bool:
        return self._reading is None

    def go_on(self) -> None:
        """To where it would wait again, or to its end."""
        if self._reading is None:
            return
        try:
            next(self._reading)
        except StopIteration as end:
            self.said, self._reading = end.value, None
        except Exception as raised:
            self.error, self._reading = raised, None

    def tell(self) -> None:
        """Raise the error, which is not kept: with it all that the frames of the batch hold would live on."""
        error, self.error = self.error, None
        try:
            if error is not None:
                raise error
        finally:
            del error

    def close(self) -> None:
        """Give it up."""
        if self._reading is not None:
            self._reading.close()


def _begun(
    steps: Iterator[tuple[_Pool[In, Window, Raw], list[int] | None]],
    read: Callable[[Sequence[Window]], Reading[Sequence[Raw]]],
) -> _Flight[In, Window, Raw] | None:
    """The next batch, at the place where it would first wait; None: there is none."""
    try:
        pool, numbers = next(steps)
        reading = None if numbers is _END else read([pool.windows[n] for n in numbers])
    except StopIteration:
        return None
    except Exception as raised:
        return _Flight(_Pool([], [], {}, []), error=raised)
    return _Flight(pool, numbers, reading)


def _taken(ready: deque[T], count: int) -> Iterator[T]:
    """So many at most from the left."""
    for _ in range(min(count, len(ready))):
        yield ready.popleft()
