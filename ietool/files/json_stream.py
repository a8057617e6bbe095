"""JSON over the whole of a file, taken apart as it is read: a value at a time is in memory, however long the file is.

Values are decoded by the standard library; what is here finds where they stand.
"""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Iterable, Iterator
from typing import Any, BinaryIO

from ietool.errors import cut
from ietool.files.lines import LONGEST_LINE, is_too_deep
from ietool.files.plain_json import DECODER, UnknownNumber

_BLANKS = re.compile(r"[ \t\n\r]*")
_NUMBER = re.compile(r"[-+.eE\d]*")
_STRUCTURE = re.compile(r'[\[\]{},:"]')
_BLOCK = 1 << 16
_TAIL = 16
"""Characters at the end of what was read so far in which a literal or an escape may be cut."""


class Damage(Exception):
    """What is wrong with a document.

    Attributes:
        what: for messages, as ``is cut off``; the place is to be told behind it.
        mend: what can be done about it.
        line: where it is.
    """

    def __init__(self, what: str, mend: str, line: int) -> None:
        super().__init__(what)
        self.what, self.mend, self.line = what, mend, line


def read_text(stream: BinaryIO) -> Iterator[str]:
    """The text of a UTF-8 stream in pieces; what stands before a bad byte is given before it raises."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    while block := stream.read(_BLOCK):
        try:
            yield decoder.decode(block)
        except UnicodeDecodeError as error:
            yield error.object[: error.start].decode()
            raise
    decoder.decode(b"", final=True)


class JsonStream:
    """The values of a document, in order: lists and objects are walked through, or taken whole.

    Args:
        pieces: the text, in pieces of any length.
        repair: put question marks for halves of surrogate pairs, which could not be written again; else they raise.

    All methods raise :class:`Damage`.
    """

    def __init__(self, pieces: Iterable[str], *, repair: bool = True) -> None:
        self._pieces, self._repair = iter(pieces), repair
        self._text, self._at, self._ended = "", 0, False
        self._lines = 1  # the number of the line in which the text begins
        self._counted = (0, 1)  # a place of the text, and the number of the line in which it is
        self._bad: UnicodeDecodeError | None = None
        self._decode = DECODER.raw_decode

    def peek(self) -> str:
        """The next character that is no blank; empty at the end."""
        while True:
            self._at = _BLANKS.match(self._text, self._at).end()  # type: ignore[union-attr]
            if self._at < len(self._text):
                return self._text[self._at]
            if not self._more():
                return ""

    @property
    def line(self) -> int:
        """The number of the line at which it is: behind :meth:`peek` that on which the next value begins."""
        place, number = self._counted
        if place > self._at:
            place, number = 0, self._lines
        # From where it was last counted: a document may have one line, and its number be asked for each value.
        self._counted = self._at, number + self._text.count("\n", place, self._at)
        return self._counted[1]

    def value(self) -> Any:
        """The next value, whole."""
        self.peek()
        while True:
            try:
                value, end = self._decode(self._text, self._at)
            except json.JSONDecodeError as error:
                # Damage far from the end of what was read is no matter of what follows.
                certain = error.pos < len(self._text) - _TAIL and not error.msg.startswith("Unterminated string")
                if certain or not self._more():
                    raise self._damaged(error.msg, error.pos) from None
                continue
            except RecursionError:
                raise self._damage("is nested too deeply", "mend the file") from None
            except UnknownNumber as error:
                what = f"has the number {cut(str(error), 20)}, which JSON does not know"
                raise self._damage(what, "write null, or leave the field out") from None
            except ValueError:  # what json raises on an integer of thousands of digits
                raise self._damage("has a number too long to read", "mend the file") from None
            # More of a number may follow where all that was read of it so far reaches to the end.
            if not (isinstance(value, int | float) and _NUMBER.fullmatch(self._text, end) and self._more()):
                break
        if is_too_deep(value, self._text, self._at, end):
            raise self._damage("is nested too deeply", "mend the file")
        if self._text.find("\\ud", self._at, end) >= 0 or self._text.find("\\uD", self._at, end) >= 0:
            try:
                plain = json.dumps(value, ensure_ascii=False).encode("utf-8", "replace" if self._repair else "strict")
            except UnicodeEncodeError:
                raise self._damage("has half of a surrogate pair", "mend the file") from None
            value = json.loads(plain)
        self._at = end
        return value

    def items(self) -> Iterator[None]:
        """Walk through a list: stops before each of its values, which must be taken or walked through then."""
        self._take("[")
        if self.peek() == "]":
            return self._take("]")
        while True:
            yield
            if self.peek() == "]":
                return self._take("]")
            self._take(",")

    def members(self) -> Iterator[str]:
        """Walk through an object: its keys, each before its value, which must be taken or walked through then."""
        self._take("{")
        if self.peek() == "}":
            return self._take("}")
        while True:
            if self.peek() != '"':
                raise self._damaged("Expecting property name enclosed in double quotes", self._at)
            key = self.value()
            self._take(":")
            yield key
            if self.peek() == "}":
                return self._take("}")
            self._take(",")

    def end(self) -> None:
        """Nothing but blanks may follow."""
        if self.peek():
            raise self._damaged("trailing garbage", self._at)

    def _take(self, character: str) -> None:
        if self.peek() != character:
            raise self._damaged(f"Expecting {character!r}", self._at)
        self._at += 1

    def _more(self) -> bool:
        """Read about as much again as waits to be decoded; False at the end."""
        if self._bad is not None:
            mend = "convert the file, for example: iconv -f GB18030 -t UTF-8 OLD > NEW"
            raise self._damage("is not UTF-8", mend, len(self._text)) from None
        waiting = len(self._text) - self._at
        if waiting > LONGEST_LINE:
            raise self._damage(f"has a value of more than {LONGEST_LINE >> 20} MB", "mend the file, or divide it")
        pieces, got = [self._text[self._at :]], 0
        try:
            while got <= waiting and not self._ended:
                piece = next(self._pieces, None)
                self._ended = piece is None
                pieces.append(piece or "")
                got += len(piece or "")
        except UnicodeDecodeError as error:
            self._bad = error
        if got:
            self._lines = self.line
            self._text, self._at, self._counted = "".join(pieces), 0, (0, self._lines)
        return got > 0 or (self._bad is not None and self._more())

    def _damaged(self, reason: str, position: int) -> Damage:
        # What is cut ends in the middle of a string, a number or a word.
        cut = reason.startswith("Unterminated string") or not _STRUCTURE.search(self._text, position)
        if self._ended and cut:
            return self._damage("is cut off", "download or copy it again", len(self._text))
        if self._text[position : position + 1] in ("}", "]") and self._text[:position].rstrip().endswith(","):
            return self._damage("has a comma before an end", "take the comma away", position)
        what = f"is not JSON ({reason[:1].lower()}{reason[1:]})"
        return self._damage(what, "mend the file", position)

    def _damage(self, what: str, mend: str, position: int | None = None) -> Damage:
        return Damage(what, mend, self._lines + self._text.count("\n", 0, self._at if position is None else position))
