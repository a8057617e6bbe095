"""A text as ids: its characters, the words around them and their parts of speech, as the mixed embedding reads them."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ietool.text.characters import UNK, CharVocabulary
from ietool.text.segmentation import TAGS
from ietool.text.segmentation import words as segment
from ietool.text.units import Units, character_units
from ietool.text.word_vectors import load_word_vectors

CHARACTERS, WORDS, VECTORS = "characters.txt", "words.txt", "word_vectors.npy"
"""Files of a prepared folder. A run folder has the first two; its vectors are among the weights."""

Ids = tuple[npt.NDArray[np.int32], npt.NDArray[np.int32], npt.NDArray[np.uint8]]
"""Characters, rows of word vectors (0: none) and classes of parts of speech, each (L,)."""


class TextEncoder:
    """Turns texts into ids.

    Args:
        vocabulary: the characters.
        word_rows: word → row of its vector, 1 and more; None: no word vectors.
    """

    def __init__(self, vocabulary: CharVocabulary, word_rows: dict[str, int] | None) -> None:
        self.vocabulary = vocabulary
        self.cut = 0  # no text is too long
        self._word_rows = word_rows

    @classmethod
    def open(cls, folder: Path) -> TextEncoder:
        """From a prepared folder or a run folder. Raises UserError if its vocabulary is missing or damaged."""
        rows = None
        if (folder / WORDS).is_file():
            rows = {w: i for i, w in enumerate((folder / WORDS).read_text(encoding="utf-8").split("\n"), 1) if w}
        return cls(CharVocabulary.load(folder / CHARACTERS), rows)

    @property
    def word_rows(self) -> int:
        """Rows of word vectors that :meth:`ids` may name, the zero row included; 0 without word vectors."""
        return 0 if self._word_rows is None else max(self._word_rows.values(), default=0) + 1

    def word_row(self, word: str) -> int:
        """Row of a word's vector, 0 where it has none. Vectors usually come with the most frequent words first."""
        rows = self._word_rows or {}
        return rows.get(word) or rows.get(word.lower(), 0)

    @property
    def size(self) -> int:
        """How many different characters there are."""
        return len(self.vocabulary)

    @property
    def unknown(self) -> int:
        """The id of all unknown characters."""
        return UNK

    def units(self, text: str) -> Units:
        """A text as units of one character each."""
        return character_units(*self.ids(text))

    def units_all(self, texts: Sequence[str]) -> list[Units]:
        return [self.units(text) for text in texts]

    def ids(self, text: str) -> Ids:
        """What stands at each of the L characters of a text."""
        words = segment(text)
        sizes = np.fromiter((len(word) for word, _ in words), np.int64, len(words))
        tags = np.fromiter((tag for _, tag in words), np.uint8, len(words)).repeat(sizes)
        if self._word_rows is None:
            return self.vocabulary.encode(text), np.zeros(len(text), np.int32), tags
        found = (self.word_row(word) for word, _ in words)
        return self.vocabulary.encode(text), np.fromiter(found, np.int32, len(words)).repeat(sizes), tags


def write_vocabulary(folder: Path, characters: Counter[str], min_count: int, word_vectors: Path | None) -> None:
    """Write what :meth:`TextEncoder.open` and :func:`open_vectors` read.

    Args:
        folder: a prepared folder.
        characters: how often the training texts hold each, folded.
        min_count: rarer ones are left out.
        word_vectors: in a form that :func:`load_word_vectors` reads, or None.

    Raises:
        UserError: the word vectors cannot be read.
    """
    CharVocabulary.from_counts(characters, min_count).save(folder / CHARACTERS)
    if word_vectors is not None:
        vectors = load_word_vectors(word_vectors)
        (folder / WORDS).write_text("\n".join(vectors.words) + "\n", encoding="utf-8", newline="\n")
        np.save(folder / VECTORS, np.asarray(vectors.matrix, np.float16), allow_pickle=False)


def copy_vocabulary(source: Path, target: Path) -> None:
    """Copy what :meth:`TextEncoder.open` reads into a run folder."""
    for name in (CHARACTERS, WORDS):
        if (source / name).is_file():
            shutil.copyfile(source / name, target / name)


def open_vectors(prepared: Path) -> npt.NDArray[np.float16] | None:
    """The word vectors of a prepared folder, (words, size), memory-mapped; None where it has none."""
    path = prepared / VECTORS
    return np.load(path, mmap_mode="r", allow_pickle=False) if path.is_file() else None


def character_sizes(
    characters: int, vectors: npt.NDArray[np.float16] | None, *, part_of_speech: bool
) -> dict[str, int]:
    """The rows and columns of the mixed embedding's tables, as configurations of models name them.

    Args:
        characters: rows of the vocabulary, as :attr:`TextEncoder.size` has them.
        vectors: (words, size), as :func:`open_vectors` gives them.
    """
    words, size = (0, 0) if vectors is None else (len(vectors) + 1, vectors.shape[1])
    return {"characters": characters, "words": words, "word_size": size, "tags": len(TAGS) if part_of_speech else 0}
