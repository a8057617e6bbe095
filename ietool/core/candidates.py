"""What a model says before any threshold: rows that it proposes, each with the probabilities that a decoder multiplies.

Rows and parts have names of columns, which every head states in its :class:`Layout`; a folder of candidates repeats
them, with the floor above which it holds everything.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from pydantic import TypeAdapter

from ietool.errors import WHOLE, UserError, cause
from ietool.files.plain_json import load_json

Rows = npt.NDArray[np.int32]
Parts = npt.NDArray[np.float32]

PRODUCT = "product"
"""The name of a floor under the product of the parts that :attr:`Layout.product` names."""

TABLE, ABOUT = "candidates.arrow", "candidates.json"
_BATCH = 256
"""Texts of a record batch: all that is in memory while a folder is written."""


@dataclass(frozen=True)
class Layout:
    """The columns of a head's candidates.

    Attributes:
        rows: names of the integers of a row, places in characters of the text, half-open (``start``, ``end``).
        parts: names of its probabilities.
        product: those of them whose product is the probability of the row.
        whole: names of the numbers that are said of the text as a whole.
    """

    rows: tuple[str, ...]
    parts: tuple[str, ...]
    product: tuple[str, ...]
    whole: tuple[str, ...] = ()

    def probability(self, parts: Parts) -> npt.NDArray[np.float32]:
        """(n,): the probability of each row."""
        return parts[:, [self.parts.index(name) for name in self.product]].prod(1)


@dataclass(frozen=True)
class Candidates:
    """What a model says of one text.

    Attributes:
        rows: (n, k) int32, see :attr:`Layout.rows`.
        parts: (n, m) float32, see :attr:`Layout.parts`.
        whole: (w,) float32, see :attr:`Layout.whole`.
        capped: how many rows above the floor were left out, because a text has at most so many.
        models: of how many models this is the mean.
    """

    rows: Rows
    parts: Parts
    whole: Parts
    capped: int = 0
    models: int = 1

    def __len__(self) -> int:
        return len(self.rows)

    @classmethod
    def none(cls, layout: Layout) -> Candidates:
        """Of a text that nothing is said of."""
        return cls(
            np.zeros((0, len(layout.rows)), np.int32),
            np.zeros((0, len(layout.parts)), np.float32),
            np.zeros(len(layout.whole), np.float32),
        )


@dataclass(frozen=True)
class Floor:
    """What a row needs to be proposed: a part must exceed its least value, the product must reach its own.

    Attributes:
        default: of every part that has no least value of its own.
        parts: name of a part, or :data:`PRODUCT` → least value.
        ceilings: name of a part → what it must not exceed, where a high value speaks against a row.
    """

    default: float = 0.0
    parts: Mapping[str, float] | None = None
    ceilings: Mapping[str, float] | None = None

    def of(self, name: str) -> float:
        """The least value of a part; of :data:`PRODUCT` 0 unless it is given."""
        return (self.parts or {}).get(name, 0.0 if name == PRODUCT else self.default)

    def ceiling(self, name: str) -> float:
        """What a part must not exceed; infinite unless it is given."""
        return (self.ceilings or {}).get(name, math.inf)


def strongest(probability: npt.NDArray[np.floating], most: int) -> npt.NDArray[np.int64]:
    """Which rows stay where a text has at most ``most``: the most probable ones, in the order in which they stand.

    Args:
        probability: (n,).
    """
    if len(probability) <= most:
        return np.arange(len(probability))
    # Of equally probable ones those that come first, so that the choice does not depend on the sorting.
    last = np.partition(probability, -most)[-most]
    stays = probability > last
    stays[np.flatnonzero(probability == last)[: most - np.count_nonzero(stays)]] = True
    return np.flatnonzero(stays)


def capped(layout: Layout, found: Candidates, most: int, worth: npt.NDArray[np.floating] | None = None) -> Candidates:
    """The candidates without those beyond ``most`` that are worth least: by default the least probable.

    Args:
        worth: (n,) of each row.
    """
    if len(found) <= most:
        return found
    kept = strongest(layout.probability(found.parts) if worth is None else worth, most)
    return Candidates(
        found.rows[kept], found.parts[kept], found.whole, found.capped + len(found) - len(kept), found.models
    )


def union(found: Sequence[Candidates]) -> Rows:
    """The distinct rows of what several models propose for one text, sorted: what each of them is asked to score."""
    rows: Rows = np.unique(np.concatenate([one.rows for one in found]), axis=0)
    return rows


def merged(by_model: Sequence[Candidates], weights: Sequence[float] | None = None) -> Candidates:
    """The mean of what several models say of the same rows of one text.

    Args:
        by_model: with equal rows, as each model's ``score`` gives them for :func:`union`.
        weights: of the models; default: all the same.

    Raises:
        ValueError: the rows differ.
    """
    first = by_model[0]
    if any(one.rows.shape != first.rows.shape or (one.rows != first.rows).any() for one in by_model[1:]):
        raise ValueError("the candidates of several models can be averaged only where their rows are the same")
    share = np.full(len(by_model), 1.0) if weights is None else np.asarray(weights, np.float64)
    share = share / share.sum()
    parts = np.einsum("m,mnk->nk", share, np.stack([one.parts for one in by_model]))
    whole = np.einsum("m,mw->w", share, np.stack([one.whole for one in by_model]))
    most = max(one.capped for one in by_model)
    models = sum(one.models for one in by_model)
    return Candidates(first.rows, parts.astype(np.float32), whole.astype(np.float32), most, models)


# -- on disk


def write_candidates(
    folder: Path, layout: Layout, floor: Floor, found: Iterable[Candidates], about: Mapping[str, Any] | None = None
) -> int:
    """Stream the candidates of texts into a folder; gives the number of texts.

    Args:
        folder: made if it is not there.
        floor: above which they were proposed.
        about: what they are of: run, recipe, input; kept as it is.
    """
    import pyarrow as pa  # type: ignore[import-untyped]

    folder.mkdir(parents=True, exist_ok=True)
    schema = pa.schema(
        [
            ("rows", pa.list_(pa.int32())),
            ("parts", pa.list_(pa.float32())),
            ("whole", pa.list_(pa.float32())),
            ("capped", pa.int32()),
            ("models", pa.int32()),
        ]
    )
    count = 0
    with pa.OSFile(str(folder / TABLE), "wb") as sink, pa.ipc.new_file(sink, schema) as writer:
        batch: list[Candidates] = []

        def flush() -> None:
            columns = [
                _lists([one.rows for one in batch], pa.int32()),
                _lists([one.parts for one in batch], pa.float32()),
                _lists([one.whole for one in batch], pa.float32()),
                pa.array([one.capped for one in batch], pa.int32()),
                pa.array([one.models for one in batch], pa.int32()),
            ]
            writer.write_batch(pa.RecordBatch.from_arrays(columns, schema=schema))
            batch.clear()

        for one in found:
            batch.append(one)
            count += 1
            if len(batch) == _BATCH:
                flush()
        if batch:
            flush()
    data = {"layout": asdict(layout), "floor": asdict(floor), "texts": count, "about": dict(about or {})}
    (folder / ABOUT).write_text(json.dumps(data, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    return count


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
            self.layout = TypeAdapter(Layout).validate_python(asdict(Layout(**data["layout"])))
            self.floor = TypeAdapter(Floor).validate_python(asdict(Floor(**data["floor"])))
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
