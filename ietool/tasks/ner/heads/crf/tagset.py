"""The tags that the model knows: numbers for the letters of every type, and which may follow which.

The model's own scheme, BIO or BIOES, has nothing to do with that of the files.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt

LETTERS = {"bio": "BI", "bioes": "BIES"}

Row = tuple[int, int, int]
"""(first unit, the one behind the last, number of the type)."""


class TagSet:
    """Tag 0 is O; the letters of type k follow one another: B-k, I-k and, in BIOES, E-k, S-k.

    Args:
        types: how many there are.
        scheme: ``bio`` or ``bioes``.
    """

    def __init__(self, types: int, scheme: str) -> None:
        self.types, self.scheme = types, scheme
        self.width = len(LETTERS[scheme])

    def __len__(self) -> int:
        return 1 + self.width * self.types

    def number(self, letter: str, kind: int) -> int:
        """The tag of a letter and a type."""
        return 1 + self.width * kind + LETTERS[self.scheme].index(letter)

    def encode(self, rows: Iterable[Sequence[int]], length: int) -> npt.NDArray[np.int64]:
        """The tags of ``length`` units that state some entities, which must not overlap."""
        tags = np.zeros(length, np.int64)
        for first, behind, kind in rows:
            tags[first] = self.number("B", kind)
            tags[first + 1 : behind] = self.number("I", kind)
            if self.scheme == "bioes":
                tags[behind - 1] = self.number("S" if behind - first == 1 else "E", kind)
        return tags

    def decode(self, tags: Sequence[int]) -> list[Row]:
        """The entities that some tags state; the tags are such as :meth:`allowed` lets through."""
        found: list[Row] = []
        first = -1
        for at, tag in enumerate([*tags, 0]):
            letter = (tag - 1) % self.width
            begins = tag > 0 and letter in ((0,) if self.scheme == "bio" else (0, 3))
            if first >= 0 and (begins or tag == 0):
                found.append((first, at, (tags[first] - 1) // self.width))
                first = -1
            if begins:
                first = at
        return found

    def allowed(self) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
        """Which tags a text may begin with (T,), which may follow which (T, T), and which it may end with (T,)."""
        count = len(self)
        kind = np.array([-1] + [k for k in range(self.types) for _ in range(self.width)])
        letter = np.array(["O"] + list(LETTERS[self.scheme]) * self.types)
        opens = np.isin(letter, ["O", "B", "S"])
        # In BIOES an entity is open behind B and I, and must go on; in BIO it may, and what stands open may end.
        may_go_on = np.isin(letter, ["B", "I"])
        must_go_on = may_go_on & (self.scheme == "bioes")
        goes_on = np.isin(letter, ["I", "E"])
        follow = np.zeros((count, count), bool)
        follow |= ~must_go_on[:, None] & opens[None, :]
        follow |= may_go_on[:, None] & goes_on[None, :] & (kind[:, None] == kind[None, :])
        return opens, follow, ~must_go_on
