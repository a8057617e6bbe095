"""The tags that the model knows: numbers for the letters of every type, and which may follow which.

The model's own scheme, BIO or BIOES, has nothing to do with that of the files.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt

LETTERS = {"bio": "BI", "bioes": "BIES"}

Places = npt.NDArray[np.int64]

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

    def spans(self, paths: npt.NDArray[np.integer]) -> tuple[Places, Places]:
        """The entities that paths (B, L) state, such as :meth:`allowed` lets through, with O behind a text's end: the
        number of the text (n,), and rows (n, 3) of first unit, the one behind the last, type; by place."""
        tags = np.zeros((len(paths), paths.shape[1] + 1), np.int64)  # with an O behind each, where all is ended
        tags[:, :-1] = paths
        tags, width = tags.reshape(-1), paths.shape[1] + 1
        letter = (tags - 1) % self.width
        begins = (tags > 0) & ((letter == 0) if self.scheme == "bio" else (letter == 0) | (letter == 3))
        borders, first = np.flatnonzero(begins | (tags == 0)), np.flatnonzero(begins)
        end = borders[np.searchsorted(borders, first, side="right")]
        text = first // width
        return text, np.stack([first - text * width, end - text * width, (tags[first] - 1) // self.width], 1)

    def decode(self, tags: Sequence[int]) -> list[Row]:
        """:meth:`spans` of one path."""
        return [(first, end, kind) for first, end, kind in self.spans(np.array([tags], np.int64))[1].tolist()]

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
