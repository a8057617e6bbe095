"""What two answers have in common: a run of tokens, a subsequence of characters, n-grams."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from operator import add

from rapidfuzz.distance import LCSseq

ORDER = 4
"""The longest n-grams of BLEU."""


def longest_run(first: Sequence[str], second: Sequence[str]) -> tuple[int, int]:
    """(where it begins in ``first``, its length) of the longest run of tokens that both have, the first such one."""
    codes: dict[str, str] = {}
    # A character a token: slices of strings are made and looked up by C.
    one, two = ("".join([codes.setdefault(token, chr(len(codes))) for token in tokens]) for tokens in (first, second))
    low, high = 0, min(len(one), len(two))
    if not high:
        return 0, 0
    if one in two:
        return 0, len(one)
    # A common run of n tokens has common runs of all lengths below: the longest is found by halving.
    while low < high:
        size = (low + high + 1) // 2
        if _shared(one, two, size) >= 0:
            low = size
        else:
            high = size - 1
    return (_shared(one, two, low), low) if low else (0, 0)


def _shared(one: str, two: str, size: int) -> int:
    """Where the first run of that size in ``one`` begins that ``two`` has as well, −1 if none does."""
    runs = {two[i : i + size] for i in range(len(two) - size + 1)}
    return next((i for i in range(len(one) - size + 1) if one[i : i + size] in runs), -1)


def run_f1(prediction: Sequence[str], reference: Sequence[str]) -> float:
    """F1 of the longest common run of tokens, 0 if there is none."""
    _, size = longest_run(prediction, reference)
    if not size:
        return 0.0
    precision, recall = size / len(prediction), size / len(reference)
    return 2 * precision * recall / (precision + recall)


def bag_f1(prediction: str, reference: str) -> float:
    """F1 of the characters that both have, in any order."""
    shared = (Counter(prediction) & Counter(reference)).total()
    if not shared:
        return 0.0
    precision, recall = shared / len(prediction), shared / len(reference)
    return 2 * precision * recall / (precision + recall)


def subsequence(one: str, other: str) -> int:
    """Characters of the longest common subsequence."""
    return LCSseq.similarity(one, other)


def common_subsequence(one: str, other: str) -> str:
    """A longest common subsequence, for people to look at."""
    kept = [one[part.src_start : part.src_end] for part in LCSseq.opcodes(one, other) if part.tag == "equal"]
    return "…".join(kept)


def clipped_matches(prediction: str, references: Sequence[str]) -> list[int]:
    """N-grams of the prediction that the references have, of 1 to :data:`ORDER` characters.

    Each counts as often as in the reference that has it most often.
    """
    matches = [0] * ORDER
    grams, several = list(prediction), [list(reference) for reference in references]
    for size in range(ORDER):
        if size:
            # Each n-gram is one character longer than the one at the same place before; pairs end with the shorter.
            grams = list(map(add, grams, prediction[size:]))
            several = [list(map(add, old, text[size:])) for old, text in zip(several, references, strict=True)]
        left = Counter(several[0]) if several else Counter[str]()
        for wanted in map(Counter, several[1:]):
            left |= wanted
        count = 0
        for gram in grams:
            if left.get(gram):
                left[gram] -= 1
                count += 1
        matches[size] = count
        if not count:
            break  # longer ones are not shared either
    return matches
