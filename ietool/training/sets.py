"""What the Trainer iterates over."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    import torch


class TrainingSet(Protocol):
    """What the Trainer iterates over: a map-style dataset whose items the collator makes into one batch.

    ``lengths`` (one per item, in characters) lets batches hold items of like length. ``set_epoch`` comes before each
    epoch; all randomness of an item must follow from (seed, epoch, index), so that a resumed run repeats it.
    """

    lengths: Sequence[int]

    def __len__(self) -> int: ...
    def __getitem__(self, index: int) -> Any: ...
    def set_epoch(self, epoch: int) -> None: ...
    def collate(self, items: list[Any]) -> dict[str, torch.Tensor]: ...
