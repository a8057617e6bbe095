"""Both ways of finding names, and characters, against brute force."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ietool.errors import UserError
from ietool.text.characters import SPECIAL, UNK, CharVocabulary, fold
from ietool.text.matching import NameMatcher, NameTable, occurrences
from ietool.text.segmentation import TAGS, words
from ietool.text.spans import nearest_spans

alphabet = st.sampled_from("山水𠀀a。")
names_lists = st.lists(st.text(alphabet, min_size=1, max_size=14), unique=True, max_size=25)
texts_lists = st.lists(st.text(alphabet, max_size=50), max_size=6)


def brute(names: list[str], text: str) -> list[tuple[int, int, int]]:
    return sorted(
        (i, at, at + len(name))
        for i, name in enumerate(names)
        for at in range(len(text) - len(name) + 1)
        if text.startswith(name, at)
    )


def table(names: list[str]) -> NameTable:
    return NameTable(lambda: names, lambda index, name: names[index] == name)


@given(names_lists, texts_lists)
def test_both_find_what_brute_force_finds(names: list[str], texts: list[str]) -> None:
    expected = [brute(names, text) for text in texts]
    assert [sorted(found) for found in table(names).find_all(texts)] == expected
    if names:
        assert [sorted(found) for found in NameMatcher(names).find_all(texts)] == expected


@given(st.text(alphabet, max_size=60), st.data())
def test_stretches_of_the_text_itself(text: str, data: st.DataObject) -> None:
    cuts = data.draw(st.lists(st.tuples(st.integers(0, len(text)), st.integers(0, len(text))), max_size=12))
    names = sorted({text[min(c) : max(c)] for c in cuts} - {""})
    assert sorted(table(names).find(text)) == brute(names, text)


def test_table_larger_than_a_block() -> None:
    names = [f"{i:x}名{i % 97}" for i in range(40_000)]
    text = f"看{names[123]}和{names[39_999]}"
    assert sorted(table(names).find(text)) == brute(names, text)


def test_name_twice_is_refused() -> None:
    with pytest.raises(ValueError, match="twice"):
        table(["山", "山"])


@given(st.text(alphabet, max_size=4), st.text(alphabet, max_size=20))
def test_occurrences(name: str, text: str) -> None:
    assert (
        occurrences(name, text) == [at for _, at, _ in brute([name], text)] if name else occurrences(name, text) == []
    )


@given(st.text(max_size=40), st.text(max_size=40), st.integers(1, 3))
def test_vocabulary(seen: str, text: str, minimum: int) -> None:
    counts = Counter(fold(seen))
    vocabulary = CharVocabulary.from_counts(counts, minimum)
    ids = vocabulary.encode(text)
    known = {c: i for i, c in enumerate(vocabulary.characters, len(SPECIAL))}
    assert ids.tolist() == [known.get(c, UNK) for c in fold(text)]
    assert set(known) == {c for c, n in counts.items() if n >= minimum}
    assert len(vocabulary) == len(known) + len(SPECIAL)


@given(st.text(max_size=60))
def test_fold_moves_nothing(text: str) -> None:
    assert len(fold(text)) == len(text)
    assert fold(fold(text)) == fold(text) or not text.isascii()


def test_vocabulary_file(tmp_path: Path) -> None:
    path = tmp_path / "characters.txt"
    CharVocabulary("\n \u2028山a𠀀").save(path)
    assert CharVocabulary.load(path).characters == list("\n \u2028山a𠀀")
    path.write_text("山\n", encoding="utf-8")
    with pytest.raises(UserError, match="no character vocabulary"):
        CharVocabulary.load(path)


@given(st.text(st.sampled_from("北京在中国 的Ab\n\r\t，𠀀1."), max_size=40))
def test_words_give_the_text_back(text: str) -> None:
    found = words(text)
    assert "".join(word for word, _ in found) == text
    assert all(0 <= tag < len(TAGS) for _, tag in found)


@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 9)), max_size=15, unique=True),
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 9)), max_size=15, unique=True),
)
def test_nearest_spans(starts: list[tuple[int, int]], ends: list[tuple[int, int]]) -> None:
    starts.sort()
    ends.sort()
    expected = [
        (group, start, min(e for g, e in ends if g == group and e >= start))
        for group, start in starts
        if any(g == group and e >= start for g, e in ends)
    ]
    s, e = np.array(starts, np.int64).reshape(-1, 2), np.array(ends, np.int64).reshape(-1, 2)
    kept_s, kept_e, groups = nearest_spans(s[:, 1], e[:, 1], s[:, 0], e[:, 0], 10)
    assert list(zip(groups.tolist(), s[kept_s, 1].tolist(), e[kept_e, 1].tolist(), strict=True)) == expected


def test_half_a_surrogate_pair_in_a_text() -> None:
    assert NameMatcher(["山水"]).find("山水\ud83d") == [(0, 0, 2)]
