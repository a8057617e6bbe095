"""Pretrained word vectors from the forms they come in, told apart by their content."""

from __future__ import annotations

import gzip
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ietool.errors import UserError, cause
from ietool.files.archives import check_packer
from ietool.text.encoder_folder import LFS
from ietool.text.matrices import open_matrix
from ietool.text.word2vec import FORMS, can_occur, check_finite, read_word2vec

_BLOCK = 1 << 22
"""Numbers that are turned into half precision at once."""

_GZIP = b"\x1f\x8b"

_OTHERS: dict[bytes, tuple[str, str]] = {
    b"\x93NUMPY": ("is an array without its words", "name the folder that holds it as vectors.npy beside words.txt"),
    b"PK\x03\x04": (
        "is a zip archive (or npz)",
        "unpack it, and name a file in it or a folder with vectors.npy and words.txt",
    ),
    b"\xba\x16\x4f\x2f": ("is a model of fastText", "name the .vec file that comes with it"),
    b"\x89HDF": ("is an HDF5 file", "save the vectors as word2vec text"),
    LFS: ("is a Git LFS pointer, not the file itself", "fetch it: git lfs pull"),
}
"""Beginning of a file that is no word vectors → what it is, and the mend."""


@dataclass(frozen=True)
class WordVectors:
    """Words, each once, and their vectors: ``matrix`` is (words, size), finite, perhaps memory-mapped."""

    words: list[str]
    matrix: npt.NDArray[np.float16]


def load_word_vectors(path: Path) -> WordVectors:
    """Read word vectors; of a word that stands twice, the first vector counts.

    Forms: a folder with ``vectors*.npy`` and ``words.txt``; word2vec text, with or without its header line, and
    word2vec binary, both plain or gzip; gensim's ``KeyedVectors.save`` with the ``.npy`` beside it. Nothing in them is
    run.

    Raises:
        UserError: the file is missing, damaged, of another form, or holds numbers that are not finite in half
            precision; naming the line where it has lines.
    """
    if path.is_dir():
        return _folder(path)
    try:
        with path.open("rb") as raw:
            magic = raw.read(24)
        # Protocols 2 and later begin so; no gensim that has KeyedVectors writes an older one.
        if magic[:1] == b"\x80" and magic[1:2] in (b"\x02", b"\x03", b"\x04", b"\x05"):
            from ietool.text.keyed_vectors import read_keyed_vectors

            words, matrix = read_keyed_vectors(path)
            return _checked(words, matrix, path)
        check_packer(str(path), magic)
        for begin, (what, mend) in _OTHERS.items():
            if magic.startswith(begin):
                raise UserError(what, file=path, mend=mend)
        packed = magic[:2] == _GZIP
        with gzip.open(path, "rb") if packed else path.open("rb") as stream:
            return WordVectors(*read_word2vec(stream, path, None if packed else path.stat().st_size))  # type: ignore[arg-type]
    except FileNotFoundError:
        raise UserError("no such file", file=path, mend="check data.word_vectors") from None
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise UserError(f"is a damaged archive ({error})", file=path, mend="download or pack it again") from None
    except OSError as error:
        raise UserError(f"cannot be read ({cause(error)})", file=path, mend="check data.word_vectors") from None


def _folder(path: Path) -> WordVectors:
    found = sorted(path.glob("vectors*.npy"))
    words_file = path / "words.txt"
    if not found or not words_file.is_file():
        raise UserError("has no vectors*.npy with words.txt", file=path, mend="name a folder that holds both")
    matrix = open_matrix(found[0], "save it with numpy.save")
    try:
        words = words_file.read_bytes().decode("utf-8-sig").replace("\r\n", "\n").split("\n")
    except UnicodeDecodeError:
        raise UserError("is not UTF-8", file=words_file, mend="convert it") from None
    if words and not words[-1]:
        words.pop()
    return _checked(words, matrix, path)


def _checked(words: list[str], matrix: npt.NDArray[np.floating], path: Path) -> WordVectors:
    """Refuse what does not fit together or is not finite, and keep the first of words that stand twice."""
    if matrix.ndim != 2 or len(words) != len(matrix) or not np.issubdtype(matrix.dtype, np.floating):
        message = f"{len(words):,} words but vectors of shape {matrix.shape} and type {matrix.dtype}"
        raise UserError(message, file=path, mend="take words and vectors from one source")
    first: dict[str, int] = {}
    for row, word in enumerate(words):
        if can_occur(word):
            first.setdefault(word, row)
    if not first or not matrix.shape[1]:
        raise UserError("holds no words with vectors", file=path, mend=FORMS)
    half = _in_half_precision(matrix)
    check_finite(half, path)
    if len(first) == len(words):
        return WordVectors(words, half)
    return WordVectors(list(first), half[np.fromiter(first.values(), np.int64, len(first))])


def _in_half_precision(matrix: npt.NDArray[np.floating]) -> npt.NDArray[np.float16]:
    """The same as it is kept; what is too large becomes infinite."""
    if matrix.dtype == np.float16:
        return matrix
    half = np.empty(matrix.shape, np.float16)
    step = max(1, _BLOCK // matrix.shape[1])
    with np.errstate(over="ignore", invalid="ignore"):
        for low in range(0, len(half), step):
            half[low : low + step] = matrix[low : low + step]
    return half
