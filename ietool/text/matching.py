"""Finding many names in a text at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from typing import Any, TypeVar

import daachorse
import numpy as np
import numpy.typing as npt

from ietool.text.characters import whole

Match = tuple[int, int, int]
"""(index of the name, start, end), end exclusive, in characters."""

Span = TypeVar("Span", bound=tuple[Any, ...])

Words = npt.NDArray[np.uint64]


class NameMatcher:
    """All occurrences of a fixed list of names, overlapping ones included, in time linear in the text."""

    def __init__(self, names: Iterable[str]) -> None:
        # Standard: all occurrences. The charwise double array: 130 bytes a name, and offsets are those of characters.
        self._automaton = daachorse.CharwiseDoubleArrayAhoCorasick(
            list(names), match_kind=daachorse.MATCH_KIND_STANDARD
        )

    def find(self, text: str) -> list[Match]:
        """Matches ordered by their end."""
        return [(name, start, end) for start, end, name in self._automaton.find_overlapping(whole(text))]

    def find_all(self, texts: Sequence[str]) -> list[list[Match]]:
        """The matches of each text."""
        return [self.find(text) for text in texts]


class NameTable:
    """The same matches as :class:`NameMatcher` in 14 bytes a name; an automaton takes 130, and 800 while it is built.

    Rolling hashes: those of all stretches of a text with a length that names have are looked up at once, first in a bit
    map that most fail. Names longer than ``HEAD`` are looked for only where the ``HEAD`` characters fit some name.

    Args:
        names: gives the names anew at each call, in the order of their indices, each once and none empty.
        is_name: whether a string is the name of an index: asked for every match, so that a hash never decides.
    """

    HEAD = 8
    _BLOCK = 1 << 12

    def __init__(self, names: Callable[[], Iterable[str]], is_name: Callable[[int, str], bool]) -> None:
        self._is_name = is_name
        for seed in range(8):
            self._base = np.uint64(0x9E3779B97F4A7C15 + 2 * seed)  # odd, so that it has an inverse modulo 2^64
            self._powers = np.ones(1, np.uint64)
            self._inverses = np.ones(1, np.uint64)
            if self._build(names()):
                return
        raise ValueError("the names hold one twice")

    def _build(self, names: Iterable[str]) -> bool:
        """Whether all names have hashes of their own."""
        stream, hashes, heads = iter(names), [], []
        lengths: set[int] = set()
        while block := list(islice(stream, self._BLOCK)):
            sizes = np.fromiter(map(len, block), np.int64, len(block))
            ends = np.cumsum(sizes)
            sums = self._sums("".join(block))
            hashes.append(self._hashes(sums, ends - sizes, ends))
            long = np.flatnonzero(sizes > self.HEAD)
            starts = (ends - sizes)[long]
            heads.append(np.unique(self._hashes(sums, starts, starts + self.HEAD)))
            lengths.update(np.unique(sizes).tolist())
        keys = np.concatenate(hashes) if hashes else np.zeros(0, np.uint64)
        self._ids = np.argsort(keys, kind="stable").astype(np.int32)
        self._keys = keys[self._ids]
        self._heads = np.unique(np.concatenate(heads)) if heads else keys
        self._short = np.array(sorted(n for n in lengths if n <= self.HEAD), np.int64)
        self._long = np.array(sorted(n for n in lengths if n > self.HEAD), np.int64)
        # 16 to 32 bits a name: one stretch in some twenty passes by chance.
        bits = max(6, int(len(keys) * 16).bit_length())
        self._shift = np.uint64(64 - bits)
        self._bitmap = np.zeros(1 << (bits - 3), np.uint8)
        slots = keys >> self._shift
        np.bitwise_or.at(self._bitmap, slots >> np.uint64(3), np.uint8(1) << (slots & np.uint64(7)).astype(np.uint8))
        return bool((self._keys[1:] != self._keys[:-1]).all())

    def _sums(self, text: str) -> Words:
        """(L + 1,) sums of character × base^position: differences of them are hashes of stretches."""
        codes = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), "<u4").astype(np.uint64)
        codes = (codes + np.uint64(1)) * np.uint64(0xD6E8FEB86659FD93)
        codes ^= codes >> np.uint64(32)
        if len(codes) >= len(self._powers):
            size = 2 * len(codes) + 1
            base = int(self._base)
            for name, factor in (("_powers", base), ("_inverses", pow(base, -1, 1 << 64))):
                table = np.full(size, np.uint64(factor), np.uint64)
                table[0] = 1
                setattr(self, name, np.multiply.accumulate(table))
        sums = np.zeros(len(codes) + 1, np.uint64)
        np.cumsum(codes * self._powers[: len(codes)], out=sums[1:])
        return sums

    def _hashes(self, sums: Words, starts: Any, ends: Any) -> Words:
        """Of the stretches between two index arrays or slices of one length."""
        hashes: Words = (sums[ends] - sums[starts]) * self._inverses[: len(sums)][starts]
        # The high bits choose the bit of the map, and those of a product depend on all others.
        hashes ^= hashes >> np.uint64(29)
        hashes *= np.uint64(0xBF58476D1CE4E5B9)
        return hashes

    def _known(self, hashes: Words) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int32]]:
        """Positions of the hashes that names have, and the indices of those names."""
        slots = hashes >> self._shift
        bits = self._bitmap[slots >> np.uint64(3)] >> (slots & np.uint64(7)).astype(np.uint8)
        passed = np.flatnonzero(bits & np.uint8(1))
        hashes = hashes[passed]
        at = np.searchsorted(self._keys, hashes)
        at[at == len(self._keys)] = 0
        equal = self._keys[at] == hashes
        return passed[equal], self._ids[at[equal]]

    def find(self, text: str) -> list[Match]:
        """Matches, in no order to rely on."""
        return self.find_all([text])[0]

    def find_all(self, texts: Sequence[str]) -> list[list[Match]]:
        """The matches of each text; ten times faster a text for some fifty of them than for one."""
        found: list[list[Match]] = [[] for _ in texts]
        joined = "".join(texts)
        limit = len(joined)
        if not len(self._keys) or not limit:
            return found
        sums = self._sums(joined)
        hits: list[tuple[npt.NDArray[np.int64], int, npt.NDArray[np.int32]]] = []
        for length in self._short[self._short <= limit].tolist():
            at, ids = self._known(self._hashes(sums, slice(0, limit + 1 - length), slice(length, limit + 1)))
            hits.append((at, length, ids))
        if len(self._heads) and limit > self.HEAD:
            heads = self._hashes(sums, slice(0, limit + 1 - self.HEAD), slice(self.HEAD, limit + 1))
            at = np.searchsorted(self._heads, heads)
            at[at == len(self._heads)] = 0
            places = np.flatnonzero(self._heads[at] == heads)
            for length in self._long.tolist():
                places = places[places <= limit - length]
                at, ids = self._known(self._hashes(sums, places, places + length))
                hits.append((places[at], length, ids))
        ends = np.cumsum([len(text) for text in texts])
        for at, length, ids in hits:
            owners = np.searchsorted(ends, at, side="right")
            for owner, name, place in zip(owners.tolist(), ids.tolist(), at.tolist(), strict=True):
                text = texts[owner]
                start = place - (int(ends[owner]) - len(text))
                # A stretch of the joined texts that crosses from one to the next comes out shorter here, and differs.
                if self._is_name(name, text[start : start + length]):
                    found[owner].append((name, start, start + length))
        return found


def leftmost_longest(matches: Iterable[Span]) -> list[Span]:
    """Maximum matching: from the left, the longest match where one begins, then the next behind its end.

    Args:
        matches: tuples of start, end and whatever else, in any order, no two with the same start and end.
    """
    found: list[Span] = []
    free = 0
    for match in sorted(matches, key=lambda m: (m[0], -m[1])):
        if match[0] >= free:
            found.append(match)
            free = match[1]
    return found


def occurrences(name: str, text: str) -> list[int]:
    """Start of every occurrence of ``name``, overlapping ones included; none of an empty name."""
    starts: list[int] = []
    if not name:
        return starts
    at = text.find(name)
    while at >= 0:
        starts.append(at)
        at = text.find(name, at + 1)
    return starts
