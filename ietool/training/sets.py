"""What the Trainer iterates over."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, Self

import numpy as np

if TYPE_CHECKING:
    import torch

    from ietool.training.tables import ListColumn

CHANCE = "chance"
"""The column that holds the probabilities of the rows of a window, where some are soft labels."""


class TrainingSet(Protocol):
    """What the Trainer iterates over: a map-style dataset whose items the collator makes into one batch.

    ``lengths`` (one per item, in characters) lets batches hold items of like length. ``set_epoch`` comes before each
    epoch; all randomness of an item must follow from (seed, epoch, index), so that a resumed run repeats it, and any
    process can make a batch. A set can be pickled for such processes.
    """

    lengths: Sequence[int]

    def __len__(self) -> int: ...
    def __getitem__(self, index: int) -> Any: ...
    def set_epoch(self, epoch: int) -> None: ...
    def collate(self, items: list[Any]) -> dict[str, torch.Tensor]: ...


class Repeated:
    """A training set several times over, as one epoch: every epoch ends with a score and a checkpoint, and where a
    handful of records is learnt by heart these took longer than the learning."""

    def __init__(self, data: TrainingSet, times: int) -> None:
        self.data, self.times = data, times
        self.lengths: Sequence[int] = np.tile(np.asarray(data.lengths), times)  # type: ignore[assignment]

    def __len__(self) -> int:
        return len(self.data) * self.times

    def __getitem__(self, index: int) -> Any:
        return self.data[index % len(self.data)]

    def set_epoch(self, epoch: int) -> None:
        """Told before each epoch; the repetitions of an epoch draw alike."""
        self.data.set_epoch(epoch)

    def collate(self, items: list[Any]) -> dict[str, torch.Tensor]:
        """One batch, as the set itself makes it."""
        return self.data.collate(items)


class WindowTable:
    """Base of training sets over ``train`` of a prepared folder: a memory-mapped table with a row a window.

    What is pickled of one is what it was made of: another process opens the files of the folder itself.

    Args:
        lists: the list columns that :meth:`row` gives.
        rows: numbers of the records whose windows are wanted; None: all.
        bucket: batches are padded up to a multiple of so many positions; 0: to their longest row.
    """

    _made_of: tuple[tuple[Any, ...], dict[str, Any]]

    def __new__(cls, *arguments: Any, **settings: Any) -> Self:
        made = super().__new__(cls)
        made._made_of = (arguments, settings)
        return made

    def __reduce__(self) -> tuple[Any, ...]:
        return _made_again, (type(self), *self._made_of, self.epoch)

    def __init__(
        self, prepared: Path, lists: Sequence[str], rows: Sequence[int] | None = None, *, bucket: int = 0
    ) -> None:
        from datasets import Dataset, load_from_disk

        from ietool.text.tokens import token_limit
        from ietool.text.windows import RECORD
        from ietool.training.batches import Width
        from ietool.training.tables import ListColumn

        self.width = Width(bucket, token_limit(prepared) or 0)

        data = load_from_disk(str(prepared / "train"))
        assert isinstance(data, Dataset)
        self.data, self.table, self.epoch = data, data.data, 0
        self._at: np.ndarray | None = None
        lengths = self.table.column("length").to_numpy()
        if rows is not None:
            self._at = np.flatnonzero(np.isin(self.table.column(RECORD).to_numpy(), np.asarray(rows)))
            lengths = lengths[self._at]
        self.lengths: Sequence[int] = lengths
        self._columns = {name: ListColumn(data, name) for name in lists}

    def soft(self) -> ListColumn | None:
        """The probabilities of the rows of each window, where the table has soft labels: none for hard ones."""
        from ietool.training.tables import ListColumn

        return ListColumn(self.data, CHANCE) if CHANCE in self.data.column_names else None

    def __len__(self) -> int:
        return len(self.lengths)

    def set_epoch(self, epoch: int) -> None:
        """Told before each epoch, for sets that draw."""
        self.epoch = epoch

    def place(self, index: int) -> int:
        """The row of the table that an item stands in."""
        return index if self._at is None else int(self._at[index])

    def row(self, index: int) -> dict[str, Any]:
        """The list columns of an item, as views of the mapped file."""
        at = self.place(index)
        return {name: column[at] for name, column in self._columns.items()}


def _made_again(kind: type[WindowTable], arguments: tuple[Any, ...], settings: dict[str, Any], epoch: int) -> Any:
    """A pickled training set in another process."""
    made = kind(*arguments, **settings)
    made.set_epoch(epoch)
    return made
