"""Features on disk: Arrow tables through ``datasets``, written as a stream and opened by memory map."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from datasets import Dataset, Features


def write_table(rows: Callable[[], Iterator[dict[str, Any]]], features: Features, folder: Path, scratch: Path) -> int:
    """Stream rows into ``folder`` (opened again by ``datasets.load_from_disk``); returns their number.

    Args:
        rows: makes the iterator.
        features: the columns.
        scratch: a folder for the writer's temporary files, on the same disk.
    """
    from datasets import Dataset
    from datasets.arrow_writer import ArrowWriter

    file = scratch / f"{folder.name}.arrow"
    # The writer that Dataset.from_generator uses, without its cache: a batch of rows is all that is ever in memory.
    with ArrowWriter(features=features, path=str(file), writer_batch_size=500) as writer:
        for row in rows():
            writer.write(row)
        count, _ = writer.finalize()
    Dataset.from_file(str(file)).save_to_disk(str(folder))
    os.unlink(file)
    return int(count)


class ListColumn:
    """One list column of a memory-mapped table, row by row as numpy views: nothing is copied or converted.

    ``datasets``' own numpy formatting of one row takes longer than making the rest of a training example.
    """

    def __init__(self, data: Dataset, name: str) -> None:
        column = data.data.column(name)
        self._chunks = [(c.offsets.to_numpy(), c.values.to_numpy()) for c in column.chunks]
        self._first = np.cumsum([0, *(len(c) for c in column.chunks)])

    def __getitem__(self, row: int) -> np.ndarray:
        at = int(np.searchsorted(self._first, row, side="right")) - 1
        offsets, values = self._chunks[at]
        inside = row - int(self._first[at])
        return values[offsets[inside] : offsets[inside + 1]]
