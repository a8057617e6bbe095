"""Candidates on disk: a folder of an Arrow table, a row a text, with the names of its columns and the floor above which
it holds everything."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from pydantic import TypeAdapter

from ietool.core.candidates import Candidates, Floor, Layout
from ietool.errors import WHOLE, UserError, cause
from ietool.files.plain_json import dump_json, load_json

TABLE, ABOUT = "candidates.arrow", "candidates.json"
_BATCH = 256
"""Texts of a record batch: all that is in memory while a folder is written."""

_LAYOUT, _FLOOR = TypeAdapter(Layout), TypeAdapter(Floor)


class CandidateWriter:
    """Streams the candidates of texts into a folder, as a context; only one that is left without an error is whole.

    Args:
        folder: made if it is not there.
        floor: above which they were proposed.
        about: what they are of: run, recipe, input; kept as it is.
    """

    def __init__(self, folder: Path, layout: Layout, floor: Floor, about: Mapping[str, Any] | None = None) -> None:
        self.folder, self.layout, self.floor, self.about = folder, layout, floor, dict(about or {})
        self.texts = 0
        self._batch: list[Candidates] = []
        self._opened = ExitStack()

    def __enter__(self) -> CandidateWriter:
        import pyarrow as pa  # type: ignore[import-untyped]

        self.folder.mkdir(parents=True, exist_ok=True)
        self._schema = pa.schema(
            [
                ("rows", pa.list_(pa.int32())),
                ("parts", pa.list_(pa.float32())),
                ("whole", pa.list_(pa.float32())),
                ("capped", pa.int32()),
                ("models", pa.int32()),
            ]
        )
        sink = self._opened.enter_context(pa.OSFile(str(self.folder / TABLE), "wb"))
        self._writer = self._opened.enter_context(pa.ipc.new_file(sink, self._schema))
        return self

    def add(self, one: Candidates) -> None:
        """The candidates of the next text."""
        self._batch.append(one)
        self.texts += 1
        if len(self._batch) == _BATCH:
            self._flush()

    def _flush(self) -> None:
        import pyarrow as pa  # type: ignore[import-untyped]

        batch = self._batch
        columns = [
            _lists([one.rows for one in batch], pa.int32()),
            _lists([one.parts for one in batch], pa.float32()),
            _lists([one.whole for one in batch], pa.float32()),
            pa.array([one.capped for one in batch], pa.int32()),
            pa.array([one.models for one in batch], pa.int32()),
        ]
        self._writer.write_batch(pa.RecordBatch.from_arrays(columns, schema=self._schema))
        batch.clear()

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        with self._opened:
            if kind is None and self._batch:
                self._flush()
        if kind is None:
            data = {"layout": asdict(self.layout), "floor": asdict(self.floor), "texts": self.texts}
            text = dump_json({**data, "about": self.about}, indent=1)
            (self.folder / ABOUT).write_text(text + "\n", encoding="utf-8")


def write_candidates(
    folder: Path, layout: Layout, floor: Floor, found: Iterable[Candidates], about: Mapping[str, Any] | None = None
) -> int:
    """Stream the candidates of texts into a folder, as :class:`CandidateWriter` does; gives the number of texts."""
    with CandidateWriter(folder, layout, floor, about) as writer:
        for one in found:
            writer.add(one)
    return writer.texts


def _lists(arrays: Sequence[npt.NDArray[Any]], kind: Any) -> Any:
    import pyarrow as pa  # type: ignore[import-untyped]

    offsets = np.zeros(len(arrays) + 1, np.int32)
    np.cumsum([array.size for array in arrays], out=offsets[1:])
    values = np.concatenate([array.reshape(-1) for array in arrays])
    return pa.ListArray.from_arrays(pa.array(offsets), pa.array(values, kind))


class StoredCandidates(Sequence[Candidates]):
    """The candidates of a folder, memory-mapped: one text at a time is read from disk.

    Attributes:
        layout, floor, about: as they were given to :func:`write_candidates`.
    """

    def __init__(self, folder: Path) -> None:
        """Raises UserError if the folder holds none, or damaged ones."""
        import pyarrow as pa  # type: ignore[import-untyped]

        try:
            data = load_json((folder / ABOUT).read_text(encoding="utf-8"))
            # Unknown names are refused by the classes, values of wrong kinds by the library.
            self.layout = _LAYOUT.validate_python(asdict(Layout(**data["layout"])))
            self.floor = _FLOOR.validate_python(asdict(Floor(**data["floor"])))
            self.about: Mapping[str, Any] = dict(data["about"])
            if not self.layout.rows:
                raise ValueError("rows without columns")
            table = pa.ipc.open_file(pa.memory_map(str(folder / TABLE))).read_all()
            table.validate()
            self._columns = {
                name: [(c.offsets.to_numpy(), c.values.to_numpy()) for c in table.column(name).chunks]
                for name in ("rows", "parts", "whole")
            }
            self._capped, self._models = (table.column(name).to_numpy() for name in ("capped", "models"))
            self._check()
        except FileNotFoundError:
            missing = next(name for name in (ABOUT, TABLE) if not (folder / name).is_file())
            raise UserError("holds no candidates", file=folder, mend=f"{missing} is missing") from None
        # pyarrow's errors are ValueErrors, LookupErrors and the like.
        except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
            raise UserError(f"holds damaged candidates ({cause(error)})", file=folder, mend=WHOLE) from None
        self._first = np.cumsum([0, *(len(chunk) for chunk in table.column("capped").chunks)])

    def _check(self) -> None:
        """Raise ValueError where the table does not hold what the layout says."""
        layout, columns = self.layout, self._columns
        for (rows, numbers), (parts, values), (whole, further) in zip(*columns.values(), strict=True):
            if not (numbers.dtype == np.int32 and values.dtype == further.dtype == np.float32):
                raise ValueError("numbers of another kind")
            count, left = np.divmod(np.diff(rows), len(layout.rows))
            fits = not left.any() and (np.diff(parts) == count * len(layout.parts)).all()
            if not fits or (np.diff(whole) != len(layout.whole)).any():
                raise ValueError("rows or parts of another length than the layout says")

    def __len__(self) -> int:
        return len(self._capped)

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        at = range(len(self))[index]
        chunk = int(np.searchsorted(self._first, at, side="right")) - 1
        inside = at - int(self._first[chunk])

        def cell(name: str) -> npt.NDArray[Any]:
            offsets, values = self._columns[name][chunk]
            part: npt.NDArray[Any] = values[offsets[inside] : offsets[inside + 1]]
            return part

        return Candidates(
            cell("rows").reshape(-1, len(self.layout.rows)),
            cell("parts").reshape(-1, len(self.layout.parts)),
            cell("whole"),
            int(self._capped[at]),
            int(self._models[at]),
        )

    def __iter__(self) -> Iterator[Candidates]:
        return (self[i] for i in range(len(self)))


def read_candidates(folder: Path) -> StoredCandidates:
    """The candidates of a folder, one a text and in the order of the texts. Raises UserError if there are none."""
    return StoredCandidates(folder)
