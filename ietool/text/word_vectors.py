"""Pretrained word vectors from the forms they come in."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ietool.errors import UserError


@dataclass(frozen=True)
class WordVectors:
    """Words and their vectors: ``matrix`` is (words, size), perhaps memory-mapped."""

    words: list[str]
    matrix: npt.NDArray[np.floating]


def load_word_vectors(path: Path) -> WordVectors:
    """Read a folder with ``vectors*.npy`` and ``words.txt``.

    Raises:
        UserError: the files are missing or disagree.
    """
    found = sorted(path.glob("vectors*.npy"))
    words_file = path / "words.txt"
    if not found or not words_file.is_file():
        raise UserError("has no vectors*.npy with words.txt", file=path, mend="name a folder that holds both")
    matrix = np.load(found[0], mmap_mode="r", allow_pickle=False)
    words = words_file.read_text(encoding="utf-8").split("\n")
    if words and not words[-1]:
        words.pop()
    if matrix.ndim != 2 or len(words) != len(matrix):
        raise UserError(f"{len(words)} words but vectors of shape {matrix.shape}", file=path, mend="take both from one source")
    return WordVectors(words, matrix)
