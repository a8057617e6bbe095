"""Features on disk: Arrow tables through ``datasets``, written as a stream and opened by memory map."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import pyarrow as pa  # type: ignore[import-untyped]
    from datasets import Dataset, Features

_BATCH = 500
"""Rows of a batch: all that is ever in memory."""


def columns(single: Mapping[str, str], lists: Mapping[str, str]) -> Features:
    """The columns of a table, by name: of one value a row, and of a list of them; the kinds are those of Arrow."""
    from datasets import Features, Sequence, Value

    of_one = {name: Value(kind) for name, kind in single.items()}
    return Features({**of_one, **{name: Sequence(Value(kind)) for name, kind in lists.items()}})


def write_table(rows: Callable[[], Iterator[dict[str, Any]]], features: Features, folder: Path, scratch: Path) -> int:
    """Stream rows into ``folder`` (opened again by ``datasets.load_from_disk``); returns their number.

    Args:
        rows: makes the iterator; list columns hold numpy arrays of one dimension.
        features: the columns.
        scratch: a folder for the file while it is written, on the same disk.
    """
    import pyarrow as pa  # type: ignore[import-untyped]
    from datasets import Dataset

    file, count = scratch / f"{folder.name}.arrow", 0
    schema = features.arrow_schema
    # datasets' own writer looks at every value of every row, and takes several times as long.
    with pa.OSFile(str(file), "wb") as sink, pa.ipc.new_stream(sink, schema) as writer:
        stream = rows()
        while batch := list(islice(stream, _BATCH)):
            writer.write_batch(pa.RecordBatch.from_arrays([_column(batch, f) for f in schema], schema=schema))
            count += len(batch)
    # The layout of the folder stays datasets' own affair: it writes an empty table, and ours takes that one's place.
    # (Saving ours through it would copy the file, by way of a memory map that counts as memory.)
    with _silent():
        Dataset.from_dict({name: [] for name in features}, features=features).save_to_disk(str(folder), num_shards=1)
    state_file = folder / "state.json"
    state = json.loads(state_file.read_text(encoding="utf-8"))
    (data,) = state["_data_files"]
    os.replace(file, folder / data["filename"])
    # Tables of other content must not share what datasets caches by fingerprint.
    state["_fingerprint"] = secrets.token_hex(8)
    state_file.write_text(json.dumps(state, indent=2, sort_keys=True), encoding="utf-8")
    return count


def _column(batch: list[dict[str, Any]], field: pa.Field) -> pa.Array:
    import pyarrow as pa  # type: ignore[import-untyped]

    cells = [row[field.name] for row in batch]
    if not pa.types.is_list(field.type):
        return pa.array(cells, field.type)
    offsets = np.zeros(len(cells) + 1, np.int32)
    np.cumsum([len(cell) for cell in cells], out=offsets[1:])
    values = np.concatenate(cells).astype(field.type.value_type.to_pandas_dtype(), copy=False)
    return pa.ListArray.from_arrays(pa.array(offsets), pa.array(values, field.type.value_type), type=field.type)


@contextlib.contextmanager
def _silent() -> Iterator[None]:
    """Without the progress bars of ``datasets``, which would write over those of the command."""
    import datasets

    hidden = datasets.are_progress_bars_disabled()
    datasets.disable_progress_bars()
    try:
        yield
    finally:
        if not hidden:
            datasets.enable_progress_bars()


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
