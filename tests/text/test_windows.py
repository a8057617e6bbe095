"""Windows cover a text, overlap as promised and are never too long."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ietool.text.windows import BREAKS, window_batches, windows

texts = st.text(st.sampled_from("京沪水山。！\n; a"), max_size=300)
sizes = st.integers(2, 60).flatmap(lambda size: st.tuples(st.just(size), st.integers(0, size - 1)))


@given(texts, sizes)
def test_cover_and_size(text: str, limits: tuple[int, int]) -> None:
    size, overlap = limits
    found = windows(text, size, overlap)
    assert found[0][0] == 0 and found[-1][1] == len(text)
    assert all(0 < end - start <= size for start, end in found) or text == ""
    for (start, end), (following, later) in pairwise(found):
        assert start < following <= end and end < later
        # Every span of at most ``overlap`` characters lies whole in some window.
        assert end - following >= overlap or following == start + 1


@given(texts, sizes, st.data())
def test_short_span_lies_in_a_window(text: str, limits: tuple[int, int], data: st.DataObject) -> None:
    size, overlap = limits
    length = data.draw(st.integers(0, min(overlap, len(text))))
    start = data.draw(st.integers(0, len(text) - length))
    assert any(a <= start and start + length <= b for a, b in windows(text, size, overlap))


@given(texts)
def test_text_that_fits_is_one_window(text: str) -> None:
    assert windows(text, max(len(text), 1), 0) == [(0, len(text))]


def test_begins_after_a_sentence() -> None:
    text = "山" * 14 + "。" + "水" * 20
    assert windows(text, 20, 8)[1][0] == 12 or text[windows(text, 20, 8)[1][0] - 1] in BREAKS


@pytest.mark.parametrize(("size", "overlap"), [(5, 5), (5, -1), (3, 9)])
def test_impossible_overlap(size: int, overlap: int) -> None:
    with pytest.raises(ValueError, match="overlap"):
        windows("山水", size, overlap)


@given(st.lists(texts, max_size=8), sizes, st.integers(1, 5))
def test_batches_hold_every_window_once_by_length(several: list[str], limits: tuple[int, int], batch_size: int) -> None:
    batches = list(window_batches(several, *limits, batch_size))
    assert all(len(batch) == batch_size for batch in batches[:-1]) and all(batches)
    found = [piece for batch in batches for piece in batch]
    assert sorted(found) == [(i, a, b) for i, text in enumerate(several) if text for a, b in windows(text, *limits)]
    lengths = [b - a for _, a, b in found]
    assert lengths == sorted(lengths)
