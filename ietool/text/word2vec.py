"""word2vec's own forms, text and binary, read as a stream: what memory is taken follows from what was read."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import numpy as np
import numpy.typing as npt

from ietool.errors import UserError

FORMS = "is it word2vec text or binary, gensim KeyedVectors, or a folder with vectors*.npy and words.txt?"
"""The mend where a file is of no known form."""

LARGEST_SIZE = 1 << 16
"""Numbers of a vector, at most."""

_LONGEST_WORD = 4096
"""Bytes of a word in a binary file before it counts as damaged."""

_LONGEST_LINE = 1 << 21
"""Bytes of the first two lines that are looked at."""

_BLOCK = 1 << 22
"""Numbers of a block in which rows are collected, at most."""

_SAMPLE = 1000
"""Lines after which words that are not UTF-8 are told as another encoding."""

_BOM = b"\xef\xbb\xbf"
_CONTROL = re.compile(rb"[\x00-\x08\x0e-\x1f]")
_HEADER = re.compile(rb"[+-]?[0-9]+")
_SPARSE = re.compile(rb"[0-9]+:[-+0-9.eE]+")
_COMMAS = re.compile(rb"(?:[,;][-+0-9.eE]+|^[-+0-9.eE]+[,;]|[,;][-+0-9.eE]+[,;])$")

Numbers = npt.NDArray[np.float16]


@np.errstate(over="ignore", invalid="ignore")  # what is too large is told of the whole, as not finite
def read_word2vec(stream: BinaryIO, path: Path, length: int | None) -> tuple[list[str], Numbers]:
    """Words, each once, and their vectors, (words, size). What follows the first line tells text from binary.

    A byte order mark is skipped. Words that no text can hold, blank ones and those that are not UTF-8, are left out.

    Args:
        length: bytes of the stream; None where they are not known, as in an archive.

    Raises:
        UserError: the file is damaged or of another form; naming the line where it has lines.
    """
    head = stream.readline(_LONGEST_LINE).removeprefix(_BOM)
    if head[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raise UserError("is UTF-16", file=path, mend="convert it: iconv -f UTF-16 -t UTF-8 OLD > NEW")
    if not head.strip():
        raise UserError("is empty" if not head else "starts with an empty line", file=path, mend=FORMS)
    counts = head.split()
    if len(counts) == 2 and all(map(_HEADER.fullmatch, counts)):
        words, size = _announced(counts, path)
        body = stream.readline(_LONGEST_LINE)
        if _is_text(body):
            return _read_text(stream, path, [(2, body)], size, words, length)
        return _read_binary(stream, path, body, words, size)
    size = _trailing_numbers(head)
    if not size:
        raise _other_form(head, path, 1) or UserError("is of no known form", file=path, mend=FORMS)
    return _read_text(stream, path, [(1, head)], size, None, length)


def _announced(counts: list[bytes], path: Path) -> tuple[int, int]:
    """Words and size of a header."""
    if max(map(len, counts)) > 15:
        raise UserError("announces numbers of too many digits", file=path, line=1, mend=FORMS)
    words, size = int(counts[0]), int(counts[1])
    if words <= 0 or size <= 0:
        raise UserError("announces no vectors", file=path, line=1, mend=FORMS)
    if size > LARGEST_SIZE:
        message = f"announces vectors of {size:,} numbers, {LARGEST_SIZE:,} at most can be read"
        raise UserError(message, file=path, line=1, mend=FORMS)
    return words, size


def _is_text(line: bytes) -> bool:
    """Whether the line behind a header is of the text form, if not a sound one: the bytes of floats hold control
    characters, and look like no number."""
    last = line.split()[-1:]
    return bool(last) and not _CONTROL.search(line) and bool(_is_number(last[0]) or _separated(last[0]))


def _is_number(part: bytes) -> bool:
    try:
        float(part)
    except ValueError:
        return False
    return True


def _separated(part: bytes) -> bool:
    return bool(_SPARSE.fullmatch(part) or _COMMAS.search(part))


def _trailing_numbers(line: bytes) -> int:
    """How many fields after the first are numbers, counted from the end."""
    count = 0
    for part in reversed(line.split()[1:]):
        if not _is_number(part):
            break
        count += 1
    return count


def _other_form(line: bytes, path: Path, number: int) -> UserError | None:
    """What is told of a line of another form of word vectors; None where it is of none that is known."""
    last = line.split()[-1:]
    if last and _SPARSE.fullmatch(last[0]):
        message = "is of the sparse form (index:number), which counts neighbours and holds no vectors"
        return UserError(message, file=path, line=number, mend="take the dense vectors of the same source (SGNS)")
    if last and _COMMAS.search(last[0]):
        message = "has commas or semicolons between its numbers"
        return UserError(message, file=path, line=number, mend="put blanks in place of them: tr ',;' '  ' < OLD > NEW")
    return None


class _Collector:
    """Rows as they come, in half precision: blocks, so that memory holds the numbers once."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.words: dict[str, None] = {}
        self._blocks: list[Numbers] = []
        self._used = 0

    def add(self, word: str, vector: npt.NDArray[np.float32]) -> None:
        """Keep a vector, unless the word has one or can never occur."""
        if word in self.words or not can_occur(word):
            return
        if not self._blocks or self._used == len(self._blocks[-1]):
            self._blocks.append(np.empty((max(1, min(8192, _BLOCK // self.size)), self.size), np.float16))
            self._used = 0
        self.words[word] = None
        self._blocks[-1][self._used] = vector
        self._used += 1

    def result(self, path: Path) -> tuple[list[str], Numbers]:
        if not self.words:
            raise UserError("has no word that a text could hold", file=path, mend=FORMS)
        matrix = np.empty((len(self.words), self.size), np.float16)
        at = 0
        self._blocks.reverse()
        while self._blocks:
            block = self._blocks.pop()[: len(matrix) - at]
            matrix[at : at + len(block)] = block
            at += len(block)
        check_finite(matrix, path)
        return list(self.words), matrix


def can_occur(word: str) -> bool:
    """Whether a word may stand in a text, and in a file of one word a line."""
    if word.isprintable():  # nearly all words: no line end, no half of a surrogate pair, which cannot be written
        return bool(word.strip())
    try:
        word.encode()
    except UnicodeEncodeError:
        return False
    return bool(word.strip()) and "\n" not in word and "\r" not in word


def check_finite(matrix: npt.NDArray[np.floating], path: Path) -> None:
    """Raise UserError where a number is not finite, or too large for half precision. Reads a part at a time."""
    step = max(1, _BLOCK // max(1, matrix.shape[1]))
    for low in range(0, len(matrix), step):
        if not np.isfinite(matrix[low : low + step]).all():
            raise UserError("has numbers that are not finite", file=path, mend="look for nan, inf and huge ones")


def _read_text(
    stream: BinaryIO,
    path: Path,
    first: list[tuple[int, bytes]],
    size: int,
    announced: int | None,
    length: int | None,
) -> tuple[list[str], Numbers]:
    def lines() -> Iterator[tuple[int, bytes]]:
        yield from first
        yield from enumerate(stream, first[-1][0] + 1)

    if announced is not None and length is not None and length < announced * 2 * size:
        raise _cut_off(announced, f"{length:,} bytes, too few for them", path)
    collector = _Collector(size)
    read = undecoded = wide = 0
    for number, raw in lines():
        if not raw.strip():
            continue
        # From the right: a word may hold blanks.
        parts = raw.rstrip().rsplit(None, size)
        if len(parts) == size and raw[:1].isspace():
            parts.insert(0, b"")  # the word is a blank
        try:
            if len(parts) != size + 1:
                raise ValueError
            vector = np.array(parts[1:], np.float32)
        except ValueError:
            message = f"has no word with {size} numbers (it is perhaps cut off)"
            told = UserError(message, file=path, line=number, mend="mend or delete the line")
            raise _other_form(raw, path, number) or told from None
        read += 1
        wide += b" " in parts[0] and _is_number(parts[0].rpartition(b" ")[2])
        try:
            word = parts[0].decode("utf-8")
        except UnicodeDecodeError:
            # Words cut by bytes stand in most published files; they can never occur in a text.
            undecoded += 1
            word = ""
        if read == _SAMPLE:
            _check_lines(undecoded, wide, read, size, path)
        collector.add(word.strip(" \t"), vector)
    _check_lines(undecoded, wide, read, size, path)
    if announced is not None and read < announced:
        raise _cut_off(announced, f"{read:,}", path)
    if announced is not None and read > announced:
        message = f"announces {announced:,} words but has {read:,}"
        raise UserError(message, file=path, line=1, mend=f"write {read} as the first number of the file")
    return collector.result(path)


def _cut_off(announced: int, has: str, path: Path) -> UserError:
    message = f"announces {announced:,} words but has {has}"
    return UserError(message, file=path, line=1, mend="it is perhaps cut off: download it again")


def _check_lines(undecoded: int, wide: int, read: int, size: int, path: Path) -> None:
    """Raise UserError where most of the words are not UTF-8, or end with numbers that are none of their vectors'."""
    if 2 * wide > read:
        message = f"has more than {size} numbers a line, which is what its first line tells"
        raise UserError(message, file=path, line=1, mend="write the right size there, or delete that line")
    if 2 * undecoded > read:
        message = f"is not UTF-8 ({undecoded:,} of the first {read:,} words)"
        raise UserError(message, file=path, mend="convert it, for example: iconv -f GB18030 -t UTF-8 OLD > NEW")


def _read_binary(stream: BinaryIO, path: Path, begin: bytes, count: int, size: int) -> tuple[list[str], Numbers]:
    collector = _Collector(size)
    buffer, width = bytearray(begin), 4 * size
    for index in range(count):
        end = _end_of_word(buffer)
        while end < 0 or len(buffer) < end + 1 + width:
            block = stream.read(1 << 20)
            if not block or (end < 0 and len(buffer) > _LONGEST_WORD):
                message = f"ends or is damaged at word {index + 1:,} of the {count:,} that it announces"
                raise UserError(message, file=path, mend="download it again; " + FORMS)
            buffer += block
            end = _end_of_word(buffer)
        # word2vec.c ends each vector with a line end, other writers do not.
        word = bytes(buffer[:end]).lstrip(b"\n")
        vector = np.frombuffer(bytes(buffer[end + 1 : end + 1 + width]), "<f4")
        del buffer[: end + 1 + width]
        try:
            collector.add(word.decode("utf-8"), vector)
        except UnicodeDecodeError:
            continue
    if buffer.strip() or stream.read(1 << 16).strip():
        message = f"goes on behind the {count:,} words that it announces, or is damaged"
        raise UserError(message, file=path, mend="download it again; " + FORMS)
    return collector.result(path)


def _end_of_word(buffer: bytearray) -> int:
    """Where the blank behind the first word stands; −1 where it is not there yet. A word that is itself a blank has
    another one behind it."""
    end = buffer.find(b" ")
    if end >= 0 and not buffer[:end].strip(b"\n"):
        second = end + 1
        return second if buffer[second : second + 1] == b" " else end
    return end
