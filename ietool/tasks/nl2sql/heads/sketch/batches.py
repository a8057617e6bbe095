"""Questions as batches: what the encoder reads of them, and the values that stretches of them may stand for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from ietool.tasks.nl2sql.features.featurizer import Piece
from ietool.training.batches import LONGEST, Width, pad

Array = npt.NDArray[Any]


def item_of(piece: Piece) -> dict[str, Array]:
    """A piece as :func:`inputs_of` takes it."""
    units = piece.units
    return {
        "ids": units.ids, "words": units.words, "tags": units.tags, "marks": piece.marks, "inside": piece.asked,
        "cuts": piece.cuts, "links": piece.links,
    }  # fmt: skip


def inputs_of(items: Sequence[Mapping[str, Array]], width: Width = LONGEST) -> dict[str, torch.Tensor]:
    """What the model reads of some questions: each has ``ids``, ``words``, ``tags`` and ``marks``, (T,),
    ``cuts``, (C + 2,) where its question, its headers and nothing more begin, and ``links`` as :class:`Piece` has them,
    flat or not."""
    longest = width.of([item["ids"] for item in items])
    symbols = [item["cuts"][:-1] for item in items]
    asked = [np.ones(item["cuts"][1], bool) for item in items]
    links = np.zeros((len(items), max(map(len, symbols)), longest), np.uint8)
    for own, item in zip(links, items, strict=True):
        place, unit, kind = item["links"].reshape(-1, 3).T
        np.bitwise_or.at(own, (1 + place, unit), (1 << kind).astype(np.uint8))
    return {
        "ids": pad([item["ids"] for item in items], longest),
        "lengths": torch.tensor([len(item["ids"]) for item in items]),
        "marks": pad([item["marks"] for item in items], longest),
        "asked": pad(asked, longest).bool(),
        "symbols": pad(symbols, max(map(len, symbols))),
        "columns": torch.tensor([len(each) - 1 for each in symbols]),
        "links": torch.from_numpy(links),
        "words": pad([item["words"] for item in items], longest),
        "tags": pad([item["tags"] for item in items], longest),
    }


def places_of(items: Sequence[Mapping[str, Array]]) -> dict[str, torch.Tensor]:
    """Stretches of a batch, as :meth:`SketchModel.places` takes them: of each item what :func:`stretches_of` gives."""
    counts = [len(item["spans"]) for item in items]
    before = np.cumsum([0, *counts])[:-1]
    text = np.repeat(np.arange(len(items)), counts)
    spans = np.concatenate([item["spans"][:, 2:] for item in items]).astype(np.int64)
    shifts = np.stack([before, np.zeros_like(before)], 1)
    values = [item["values"][:, :2].astype(np.int64) + shift for item, shift in zip(items, shifts, strict=True)]
    features = np.concatenate([item["features"] for item in items]).astype(np.float32) / 255
    return {
        "spans": torch.from_numpy(np.concatenate([text[None], spans.T]).copy()),
        "values": torch.from_numpy(np.concatenate(values).T.copy()),
        "features": torch.from_numpy(features),
    }
