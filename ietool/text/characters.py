"""Characters as the models see them, and their vocabulary."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ietool.errors import WHOLE, UserError, cause

PAD, UNK = 0, 1
SPECIAL = ("[PAD]", "[UNK]")


def fold(text: str) -> str:
    """Lower-case without moving an offset: a character whose lower form is longer (İ) stays as it is."""
    lowered = text.lower()
    if len(lowered) == len(text):
        return lowered
    return "".join(low if len(low := c.lower()) == 1 else c for c in text)


def whole(text: str) -> str:
    """The text with halves of surrogate pairs replaced: no file can hold them, and libraries written in Rust do not
    take them. No offset moves."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return "".join("\ufffd" if "\ud800" <= c <= "\udfff" else c for c in text)
    return text


class CharVocabulary:
    """Characters ↔ ids; 0 is padding, 1 any unknown character. Frequent characters come first."""

    def __init__(self, characters: Iterable[str]) -> None:
        self.characters = list(characters)
        codes = np.array([ord(c) for c in self.characters], np.int64)
        # Code point → id; the last entry stands for every code point beyond the highest known one.
        self._ids = np.full(int(codes.max(initial=0)) + 2, UNK, np.int32)
        self._ids[codes] = np.arange(len(SPECIAL), len(self), dtype=np.int32)

    @classmethod
    def from_counts(cls, counts: Counter[str], min_count: int) -> CharVocabulary:
        kept = [c for c, n in counts.items() if n >= min_count]
        return cls(sorted(kept, key=lambda c: (-counts[c], c)))

    def __len__(self) -> int:
        return len(self.characters) + len(SPECIAL)

    def encode(self, text: str) -> npt.NDArray[np.int32]:
        """Ids of the folded text, one per character."""
        codes = np.frombuffer(fold(text).encode("utf-32-le", "surrogatepass"), "<u4")
        return self._ids[np.minimum(codes, len(self._ids) - 1)]

    def save(self, path: Path) -> None:
        """One character a line, as its code point in hexadecimal: line ends and blanks survive every editor."""
        path.write_text("".join(f"{ord(c):x}\n" for c in self.characters), encoding="ascii")

    @classmethod
    def load(cls, path: Path) -> CharVocabulary:
        """Read what :meth:`save` wrote. Raises UserError naming the file when it is something else."""
        try:
            return cls(chr(int(line, 16)) for line in path.read_text(encoding="ascii").split())
        except FileNotFoundError:
            raise UserError("is missing", file=path, mend=WHOLE) from None
        except (OSError, ValueError) as error:
            raise UserError(f"is no character vocabulary ({cause(error)})", file=path, mend=WHOLE) from None
