"""Texts as ids of characters, words and parts of speech."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np

from ietool.text.characters import UNK
from ietool.text.encoding import TextEncoder, copy_vocabulary, open_vectors, write_vocabulary
from ietool.text.segmentation import words


def test_without_vectors(tmp_path: Path) -> None:
    write_vocabulary(tmp_path, Counter("北京北"), 2, None)
    encoder = TextEncoder.open(tmp_path)
    characters, rows, tags = encoder.ids("北京")
    assert characters.tolist() == [2, UNK] and rows.tolist() == [0, 0] and len(tags) == 2
    assert encoder.word_rows == 0 and open_vectors(tmp_path) is None


def test_words_are_spread_over_their_characters_and_travel_with_a_run(tmp_path: Path) -> None:
    (tmp_path / "vectors.txt").write_text("3 2\n北京 1 2\nabc 3 4\n大学 5 6\n", encoding="utf-8")
    prepared, run = tmp_path / "prepared", tmp_path / "run"
    prepared.mkdir()
    run.mkdir()
    write_vocabulary(prepared, Counter("北京大学"), 1, tmp_path / "vectors.txt")
    copy_vocabulary(prepared, run)
    vectors = open_vectors(prepared)
    assert vectors is not None and vectors.dtype == np.float16 and vectors.tolist() == [[1, 2], [3, 4], [5, 6]]
    text = "北京ABC"
    assert [word for word, _ in words(text)] == ["北京", "ABC"]
    for folder in (prepared, run):
        encoder = TextEncoder.open(folder)
        assert encoder.word_rows == 4
        # A word that the vectors have in lower case only is found too.
        assert encoder.ids(text)[1].tolist() == [1, 1, 2, 2, 2]
    assert [ids.shape for ids in encoder.ids("")] == [(0,)] * 3
    assert open_vectors(run) is None


def test_half_of_a_surrogate_pair_is_an_unknown_character(tmp_path: Path) -> None:
    write_vocabulary(tmp_path, Counter("北京北京"), 2, None)
    characters, _, tags = TextEncoder.open(tmp_path).ids("北\ud83d京")
    assert characters.tolist() == [3, UNK, 2] and len(tags) == 3
