"""Making tensors of a batch from the lists and arrays of its items."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch


def columns(rows: Sequence[Sequence[int]], width: int) -> torch.Tensor:
    """Rows of indices as a (width, n) tensor, ready to unpack as index tensors."""
    return torch.from_numpy(np.array(rows, np.int64).reshape(-1, width).T.copy())


def pad(arrays: Sequence[np.ndarray], length: int) -> torch.Tensor:
    """1-d arrays as (B, length), zero behind their end."""
    out = np.zeros((len(arrays), length), np.int64)
    for row, array in zip(out, arrays, strict=True):
        row[: len(array)] = array
    return torch.from_numpy(out)
