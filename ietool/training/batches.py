"""Making tensors of a batch from the lists and arrays of its items."""

from __future__ import annotations

from collections.abc import Sequence, Sized
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from ietool.text.units import Units


@dataclass(frozen=True)
class Width:
    """How many positions the rows of a batch have: as many as the longest, or some more, so that an epoch has few
    distinct shapes.

    Attributes:
        multiple: the number is rounded up to a multiple of it; 0: it is not.
        most: positions that an encoder has, which rounding does not pass; 0: any number.
    """

    multiple: int = 0
    most: int = 0

    def of(self, rows: Sequence[Sized]) -> int:
        """Of a batch with these rows; 0 where there are none."""
        longest = max(map(len, rows), default=0)
        if not self.multiple:
            return longest
        rounded = -(-longest // self.multiple) * self.multiple
        return max(longest, min(rounded, self.most)) if self.most else rounded


LONGEST = Width()
"""As wide as the longest row."""


def columns(rows: Sequence[Sequence[int]], width: int) -> torch.Tensor:
    """Rows of indices as a (width, n) tensor, ready to unpack as index tensors."""
    return torch.from_numpy(np.array(rows, np.int64).reshape(-1, width).T.copy())


def known_targets(name: str, classes: Sequence[int]) -> dict[str, torch.Tensor]:
    """Classes of a batch's items, −1 being none, under a name; nothing where none has one, so that a model need not
    look for one, for which a GPU would be waited for."""
    return {name: torch.tensor(classes, dtype=torch.int64)} if any(each >= 0 for each in classes) else {}


def pad(arrays: Sequence[np.ndarray], length: int) -> torch.Tensor:
    """1-d arrays as (B, length), zero behind their end."""
    out = np.zeros((len(arrays), length), np.int64)
    for row, array in zip(out, arrays, strict=True):
        row[: len(array)] = array
    return torch.from_numpy(out)


def inputs_of(items: Sequence[dict[str, Any]], width: Width = LONGEST) -> dict[str, torch.Tensor]:
    """What the model reads of some texts: each has ``ids``, ``words``, ``tags`` and ``inside``, (T,)."""
    longest = width.of([item["ids"] for item in items])
    return {
        "ids": pad([item["ids"] for item in items], longest),
        "lengths": torch.tensor([len(item["ids"]) for item in items]),
        "inside": pad([item["inside"] for item in items], longest).bool(),
        "words": pad([item["words"] for item in items], longest),
        "tags": pad([item["tags"] for item in items], longest),
    }


def item_of(units: Units) -> dict[str, Any]:
    """Units as :func:`inputs_of` takes them."""
    return {"ids": units.ids, "words": units.words, "tags": units.tags, "inside": units.inside}
