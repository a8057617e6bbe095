"""What each character of a passage shares with the question.

The article's 8 co-occurrence features (kexue.fm 5409: worth over two points) are not spelt out there; these are ours:
the character, its word and its pairs, and how densely such matches lie around it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

COOCCURRENCE = 8
"""Columns of :func:`cooccurrence`."""

NEAR, FAR = 5, 20
"""Characters to either side over which matches are averaged."""

SCALE = 255
"""Shares are kept as bytes: this stands for 1."""

# In so many questions that sharing them says nothing.
_EMPTY = frozenset("的了是在有哪什么谁几多少吗呢和与及，。？?、！!：:；;《》“”\"' 　")


def cooccurrence(question: str, passage: str, words: Sequence[tuple[int, int]]) -> npt.NDArray[np.uint8]:
    """Features of the L characters of a passage.

    Args:
        question, passage: folded.
        words: half-open spans of the passage's words.

    Returns:
        (L, COOCCURRENCE), 0 to ``SCALE``: whether the question has the character; whether it does and the character
        tells something; its word, of two characters and more; the pair with the one before; the pair with the one
        behind; the mean of the second over ``NEAR`` characters to either side, over ``FAR``; the mean of the pairs
        over ``FAR``.
    """
    length = len(passage)
    out = np.zeros((length, COOCCURRENCE), np.float32)
    if not length:
        return out.astype(np.uint8)
    letters = frozenset(question)
    telling = letters - _EMPTY
    pairs = frozenset(question[i : i + 2] for i in range(len(question) - 1))
    out[:, 0] = [c in letters for c in passage]
    out[:, 1] = [c in telling for c in passage]
    for start, end in words:
        if end - start > 1 and passage[start:end] in question:
            out[start:end, 2] = 1
    pair = np.fromiter((passage[i : i + 2] in pairs for i in range(length)), np.float32, length)
    pair[-1] = 0
    out[1:, 3] = pair[:-1]
    out[:, 4] = pair
    out[:, 5], out[:, 6], out[:, 7] = _around(out[:, 1], NEAR), _around(out[:, 1], FAR), _around(pair, FAR)
    return (out * SCALE).round().astype(np.uint8)


def _around(values: npt.NDArray[np.float32], reach: int) -> npt.NDArray[np.float32]:
    """Means over up to ``reach`` positions to either side, fewer at the borders."""
    sums = np.concatenate([[0.0], np.cumsum(values)])
    at = np.arange(len(values))
    low, high = np.maximum(at - reach, 0), np.minimum(at + reach + 1, len(values))
    return ((sums[high] - sums[low]) / (high - low)).astype(np.float32)


def telling_pairs(text: str) -> set[str]:
    """The pairs of neighbouring characters of a folded text that say something."""
    return {text[i : i + 2] for i in range(len(text) - 1) if not set(text[i : i + 2]) & _EMPTY}


def shared(question: str, passage: str) -> float:
    """How much of a question a passage repeats: the share of the question's telling pairs of characters, and, where it
    has none, of its characters; 0 to 1."""
    wanted = telling_pairs(question) or (set(question) - _EMPTY) or set(question)
    return sum(part in passage for part in wanted) / max(len(wanted), 1)
