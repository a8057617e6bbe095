"""What a passage shares with its question, against a loop over characters."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ietool.tasks.qa.features.cooccurrence import COOCCURRENCE, FAR, NEAR, SCALE, cooccurrence, shared

EMPTY = "的了是在有哪什么谁几多少吗呢和与及，。？?、！!：:；;《》“”\"' 　"
"""Characters that so many questions have that sharing them says nothing."""

TEXTS = st.text(st.sampled_from("青砖巷的林满写了？。 ab1"), max_size=70)


@st.composite
def cut(draw: st.DrawFn) -> tuple[str, list[tuple[int, int]]]:
    """A passage and its words."""
    passage = draw(TEXTS)
    borders = sorted(draw(st.sets(st.integers(1, max(len(passage) - 1, 1)), max_size=len(passage))) | {0, len(passage)})
    spans = [(a, b) for a, b in pairwise(borders) if b <= len(passage)]
    return passage, spans


def naive(question: str, passage: str, words: list[tuple[int, int]]) -> list[list[float]]:
    """The features of each character, 0 to 1."""
    asked = {question[i : i + 2] for i in range(len(question) - 1)}

    def telling(i: int) -> bool:
        return passage[i] in question and passage[i] not in EMPTY

    def pair(i: int) -> bool:
        return 0 <= i < len(passage) - 1 and passage[i] + passage[i + 1] in asked

    def mean(of: list[bool]) -> float:
        return sum(of) / len(of)

    def around(i: int, reach: int) -> range:
        return range(max(i - reach, 0), min(i + reach + 1, len(passage)))

    rows = []
    for i, character in enumerate(passage):
        word = next(passage[a:b] for a, b in words if a <= i < b)
        rows.append([
            float(character in question), float(telling(i)), float(len(word) > 1 and word in question),
            float(pair(i - 1)), float(pair(i)), mean([telling(j) for j in around(i, NEAR)]),
            mean([telling(j) for j in around(i, FAR)]), mean([pair(j) for j in around(i, FAR)]),
        ])  # fmt: skip
    return rows


@given(TEXTS, cut())
def test_features_are_those_of_a_loop(question: str, passage: tuple[str, list[tuple[int, int]]]) -> None:
    found = cooccurrence(question, *passage)
    assert found.shape == (len(passage[0]), COOCCURRENCE) and found.dtype == np.uint8
    if passage[0]:
        # A mean may lie between two bytes, where the last bit of a float decides.
        np.testing.assert_allclose(found, np.array(naive(question, *passage)) * SCALE, rtol=0, atol=0.51)


def test_an_example_in_full() -> None:
    found = cooccurrence("青砖巷谁写的", "林满写青砖巷的书", [(0, 2), (2, 3), (3, 6), (6, 7), (7, 8)]) / SCALE
    assert found[:, 0].tolist() == [0, 0, 1, 1, 1, 1, 1, 0]
    assert found[:, 1].tolist() == [0, 0, 1, 1, 1, 1, 0, 0]
    assert found[:, 2].tolist() == [0, 0, 0, 1, 1, 1, 0, 0]
    assert found[:, 3].tolist() == [0, 0, 0, 0, 1, 1, 0, 0]
    assert found[:, 4].tolist() == [0, 0, 0, 1, 1, 0, 0, 0]
    assert found[0, 5] == pytest.approx(4 / 6, abs=0.002) and found[7, 5] == pytest.approx(4 / 6, abs=0.002)


@given(TEXTS, TEXTS)
def test_shared_is_the_part_of_the_question_that_is_repeated(question: str, passage: str) -> None:
    pairs = {a + b for a, b in pairwise(question) if a not in EMPTY and b not in EMPTY}
    letters = {c for c in question if c not in EMPTY} or set(question)
    parts = pairs or letters
    expected = sum(part in passage for part in parts) / len(parts) if parts else 0
    assert shared(question, passage) == pytest.approx(expected)
    assert shared(question, question) == (1 if question else 0)
