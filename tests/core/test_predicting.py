"""Reading inputs window by window, and predicting from candidates."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ietool.core.candidates import Candidates, Floor, Layout, capped
from ietool.core.predicting import Predictor, read_in_pools
from ietool.recipe import Section, Share

Window = tuple[int, int]
"""Its input's number among all, and its number among that one's windows."""

# -- pools


class Watched:
    """Inputs that are cut into as many windows as each says, and what was held and read on the way."""

    def __init__(self, counts: Sequence[int], *, lazy: bool = True) -> None:
        self.counts, self.lazy = counts, lazy
        self.taken = 0
        """Inputs that were asked for."""
        self.waiting = self.most_waiting = 0
        """Windows that were cut and not yet read."""
        self.batches: list[list[Window]] = []

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

    def read(self, windows: Sequence[Window]) -> list[str]:
        self.batches.append(list(windows))
        self.waiting -= len(windows)
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


def test_a_reader_that_says_too_little_is_an_error() -> None:
    watched = Watched([3])
    with pytest.raises(ValueError, match="zip"):
        list(read_in_pools(watched.inputs(), watched.cut, watched.size, lambda windows: ["one"], batch_size=4))


# -- predictors


class Decode(Section):
    threshold: Share = 0.5


class Digits:
    """Reads digits as probabilities: ``7`` is 0.7. At most three a text."""

    layout = Layout(("at",), ("probability",), ("probability",))

    def __init__(self) -> None:
        self.most, self.highest_probability = 3, 0.0
        self.notes: Sequence[str] = ("as read",)
        self.floors: list[Floor] = []

    def propose(self, inputs: Iterable[str], *, floor: Floor) -> Iterator[tuple[str, Candidates]]:
        self.floors.append(floor)
        for text in inputs:
            said = np.array([int(c) / 10 for c in text], np.float32)
            self.highest_probability = max(self.highest_probability, float(said.max(initial=0)))
            at = np.flatnonzero(said > floor.of("probability"))
            found = Candidates(at[:, None].astype(np.int32), said[at, None], np.zeros(0, np.float32))
            yield text, capped(self.layout, found, self.most)

    def score(self, inputs: Any) -> Any:
        raise AssertionError("nobody asked")


class Places:
    layout = Digits.layout

    def floor(self, decode: Decode) -> Floor:
        return Floor(parts={"probability": decode.threshold})

    def decode(self, item: str, found: Candidates, decode: Decode) -> tuple[str, list[int]]:
        return item, found.rows[found.parts[:, 0] > decode.threshold, 0].tolist()


def test_a_predictor_proposes_at_the_thresholds_and_decodes() -> None:
    reader = Digits()
    predictor = Predictor(reader, Places(), Decode(threshold=0.45))
    assert list(predictor.predict(["159", "", "000"])) == [("159", [1, 2]), ("", []), ("000", [])]
    assert reader.floors == [Floor(parts={"probability": 0.45})]
    assert predictor.highest_probability == pytest.approx(0.9) and predictor.notes == ("as read",)
    ((found, prediction),) = predictor.decided(["777"])
    assert prediction == ("777", [0, 1, 2]) and found.rows.tolist() == [[0], [1], [2]]


def test_texts_with_too_many_candidates_are_remarked() -> None:
    predictor = Predictor(Digits(), Places(), Decode(threshold=0.0))
    assert predictor.notes == ("as read",)
    found = dict(predictor.predict(["19283746", "111", "5555"]))
    assert found == {"19283746": [1, 3, 5], "111": [0, 1, 2], "5555": [0, 1, 2]}
    assert predictor.capped == 2
    first, cap = predictor.notes
    assert first == "as read"
    assert cap.startswith("2 texts have more than 3 candidates above the thresholds: the most probable ones were taken")
    list(predictor.predict(["9999"]))
    assert predictor.notes[1].startswith("3 texts")


def test_a_stream_of_predictions_is_lazy() -> None:
    taken: list[str] = []

    def texts() -> Iterator[str]:
        for text in ("1", "9", "8"):
            taken.append(text)
            yield text

    assert next(Predictor(Digits(), Places(), Decode()).predict(texts())) == ("1", []) and taken == ["1"]


def test_settings_may_change_between_two_streams() -> None:
    decode = Decode()
    predictor = Predictor(Digits(), Places(), decode)
    assert list(predictor.predict(["47"])) == [("47", [1])]
    decode.threshold = 0.3
    assert list(predictor.predict(["47"])) == [("47", [0, 1])]
