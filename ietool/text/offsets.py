"""Which characters tokens stand for: never the blanks around a word, whatever a tokenizer says."""

from __future__ import annotations

import re

import numpy as np
import numpy.typing as npt

_BLANK = re.compile(r"\s")
_LAST = 0x3001
_IS_BLANK = np.array([chr(code).isspace() for code in range(_LAST + 1)])
"""By code point; those behind U+3000, the last blank, count as that behind it."""

Places = npt.NDArray[np.int32]


def without_blanks(text: str, starts: Places, ends: Places) -> tuple[Places, Places]:
    """The offsets of tokens, (T,) each, without the blanks at either end.

    Tokenizers of bytes and of sentence pieces take the blank before a word for a part of it; but a name begins where
    its letters begin. A token of blanks alone stands for no characters, as special ones do: no name begins or ends
    there. It counts as standing behind what comes before it.
    """
    if not _BLANK.search(text):
        return starts, ends
    codes = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32)
    blank = _IS_BLANK[np.minimum(codes, _LAST)]
    length, at = len(text), np.arange(len(text), dtype=np.int32)
    following, before = np.full(length + 1, length, np.int32), np.zeros(length + 1, np.int32)
    following[:-1][~blank] = at[~blank]
    before[1:][~blank] = at[~blank] + 1
    following, before = np.minimum.accumulate(following[::-1])[::-1], np.maximum.accumulate(before)
    ends = before[ends]
    return np.minimum(following[starts], ends), ends
