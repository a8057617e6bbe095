"""Pretrained word vectors from the forms they come in, told apart by their content."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
import numpy.typing as npt

from ietool.errors import UserError

_MEND = "is it word2vec text or binary, gensim KeyedVectors, or a folder with vectors*.npy and words.txt?"
_LONGEST_WORD = 4096
"""Bytes of a word in a binary file before it counts as damaged."""


@dataclass(frozen=True)
class WordVectors:
    """Words, each once, and their vectors: ``matrix`` is (words, size), perhaps memory-mapped."""

    words: list[str]
    matrix: npt.NDArray[np.floating]


def load_word_vectors(path: Path) -> WordVectors:
    """Read word vectors; of a word that stands twice, the first vector counts.

    Forms: a folder with ``vectors*.npy`` and ``words.txt``; word2vec text, with or without its header line, and
    word2vec binary, both plain or gzip; gensim's ``KeyedVectors.save`` with the ``.npy`` beside it. Nothing in them is
    run.

    Raises:
        UserError: the file is missing, damaged or of another form; naming the line where it has lines.
    """
    if path.is_dir():
        return _folder(path)
    try:
        with path.open("rb") as raw:
            magic = raw.read(2)
        # Protocols 2 and later begin so; no gensim that has KeyedVectors writes an older one.
        if magic[:1] == b"\x80" and magic[1:] in (b"\x02", b"\x03", b"\x04", b"\x05"):
            from ietool.text.keyed_vectors import read_keyed_vectors

            words, matrix = read_keyed_vectors(path)
            return _checked(words, matrix, path)
        with gzip.open(path, "rb") if magic == b"\x1f\x8b" else path.open("rb") as stream:
            return _word2vec(stream, path)  # type: ignore[arg-type]
    except FileNotFoundError:
        raise UserError("no such file", file=path, mend="check data.word_vectors") from None
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise UserError(f"is a damaged archive ({error})", file=path, mend="download or pack it again") from None


def _folder(path: Path) -> WordVectors:
    found = sorted(path.glob("vectors*.npy"))
    words_file = path / "words.txt"
    if not found or not words_file.is_file():
        raise UserError("has no vectors*.npy with words.txt", file=path, mend="name a folder that holds both")
    try:
        matrix = np.load(found[0], mmap_mode="r", allow_pickle=False)
    except (ValueError, EOFError) as error:
        raise UserError(f"is no array of numbers ({error})", file=found[0], mend="save it with numpy.save") from None
    try:
        words = words_file.read_bytes().decode("utf-8-sig").replace("\r\n", "\n").split("\n")
    except UnicodeDecodeError:
        raise UserError("is not UTF-8", file=words_file, mend="convert it") from None
    if words and not words[-1]:
        words.pop()
    return _checked(words, matrix, path)


def _checked(words: list[str], matrix: npt.NDArray[np.floating], path: Path) -> WordVectors:
    """Refuse what does not fit together, and keep the first of words that stand twice."""
    if matrix.ndim != 2 or len(words) != len(matrix) or not np.issubdtype(matrix.dtype, np.floating):
        message = f"{len(words):,} words but vectors of shape {matrix.shape} and type {matrix.dtype}"
        raise UserError(message, file=path, mend="take words and vectors from one source")
    first: dict[str, int] = {}
    for row, word in enumerate(words):
        # words.txt of a preparation has one word a line; a word with a line end in it could never occur in a text.
        if word and "\n" not in word:
            first.setdefault(word, row)
    if len(first) == len(words):
        return WordVectors(words, matrix)
    return WordVectors(list(first), matrix[np.fromiter(first.values(), np.int64, len(first))])


def _word2vec(stream: BinaryIO, path: Path) -> WordVectors:
    """Text or binary: what follows the first line decides."""
    head = stream.readline(1 << 16)
    if not head.strip():
        raise UserError("is empty" if not head else "starts with an empty line", file=path, mend=_MEND)
    counts = head.split()
    if len(counts) == 2 and all(part.isdigit() for part in counts):
        words, size = int(counts[0]), int(counts[1])
        if not words or not size:
            raise UserError("announces no vectors", file=path, line=1, mend=_MEND)
        body = stream.readline(1 << 16)
        # A line of the text form is a word and numbers; bytes of floats are neither UTF-8 nor of that count.
        if _is_text(body, size):
            return _text(stream, path, [(2, body)], size, words)
        return _binary(stream, path, body, words, size)
    size = _trailing_numbers(head)
    if not size:
        raise UserError("is of no known form", file=path, mend=_MEND)
    return _text(stream, path, [(1, head)], size, None)


def _is_text(line: bytes, size: int) -> bool:
    try:
        return len(line.decode("utf-8").split()) > size and _trailing_numbers(line) >= size
    except UnicodeDecodeError:
        return False


def _trailing_numbers(line: bytes) -> int:
    """How many fields after the first are numbers, counted from the end."""
    count = 0
    for part in reversed(line.removeprefix(b"\xef\xbb\xbf").split()[1:]):
        try:
            float(part)
        except ValueError:
            break
        count += 1
    return count


class _Collector:
    """Rows as they come, in half precision: blocks, so that memory holds the numbers once."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.words: dict[str, None] = {}
        self._blocks: list[npt.NDArray[np.float16]] = []
        self._used = 0

    def add(self, word: str, vector: npt.NDArray[np.float32]) -> None:
        """Keep a vector, unless the word has one."""
        if not word or "\n" in word or word in self.words:
            return
        if not self._blocks or self._used == len(self._blocks[-1]):
            self._blocks.append(np.empty((8192, self.size), np.float16))
            self._used = 0
        self.words[word] = None
        with np.errstate(over="ignore"):
            self._blocks[-1][self._used] = vector
        self._used += 1

    def result(self, path: Path) -> WordVectors:
        matrix = np.empty((len(self.words), self.size), np.float16)
        at = 0
        self._blocks.reverse()
        while self._blocks:
            block = self._blocks.pop()[: len(matrix) - at]
            matrix[at : at + len(block)] = block
            at += len(block)
        if not np.isfinite(matrix).all():
            raise UserError("has numbers that are not finite", file=path, mend="look for nan, inf and huge ones")
        return WordVectors(list(self.words), matrix)


def _text(
    stream: BinaryIO, path: Path, first: list[tuple[int, bytes]], size: int, announced: int | None
) -> WordVectors:
    def lines() -> Iterator[tuple[int, bytes]]:
        yield from first
        yield from enumerate(stream, first[-1][0] + 1)

    collector = _Collector(size)
    read = 0
    for number, raw in lines():
        if not raw.strip():
            continue
        # From the right: a word may hold blanks.
        parts = raw.rstrip().rsplit(None, size)
        try:
            if len(parts) != size + 1:
                raise ValueError
            vector = np.array(parts[1:], np.float32)
        except ValueError:
            message = f"has no word with {size} numbers (it is perhaps cut off)"
            raise UserError(message, file=path, line=number, mend="mend or delete the line") from None
        try:
            word = parts[0].decode("utf-8-sig" if number == 1 else "utf-8")
        except UnicodeDecodeError:
            # Words cut by bytes stand in most published files; they can never occur in a text.
            word = ""
        collector.add(word.strip(" \t"), vector)
        read += 1
    if announced is not None and read != announced:
        message = f"announces {announced:,} words but has {read:,}"
        raise UserError(message, file=path, line=1, mend="it is perhaps cut off: download it again")
    return collector.result(path)


def _binary(stream: BinaryIO, path: Path, begin: bytes, count: int, size: int) -> WordVectors:
    collector = _Collector(size)
    buffer, width = bytearray(begin), 4 * size
    for index in range(count):
        end = buffer.find(b" ")
        while end < 0 or len(buffer) < end + 1 + width:
            block = stream.read(1 << 20)
            if not block or (end < 0 and len(buffer) > _LONGEST_WORD):
                message = f"ends or is damaged at word {index + 1:,} of the {count:,} that it announces"
                raise UserError(message, file=path, mend="download it again; " + _MEND)
            buffer += block
            end = buffer.find(b" ")
        # word2vec.c ends each vector with a line end, other writers do not.
        word = bytes(buffer[:end]).lstrip(b"\n")
        vector = np.frombuffer(bytes(buffer[end + 1 : end + 1 + width]), "<f4")
        del buffer[: end + 1 + width]
        try:
            collector.add(word.decode("utf-8"), vector)
        except UnicodeDecodeError:
            continue
    return collector.result(path)
