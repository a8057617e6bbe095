"""Soft labels: items of which a model is more or less sure, each with its probability.

A training step draws which of them hold, anew every epoch: on average that is a target between 0 and 1, for every loss
that has one output an item exactly, and it asks nothing of losses that have none such (a CRF's).
"""

from __future__ import annotations

import json
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any, Generic, Protocol, TypeVar

import numpy as np
import numpy.typing as npt

from ietool.core.forms import beginning
from ietool.core.sources import EXTRA
from ietool.errors import UserError
from ietool.files.lines import parse_json, read_lines

SOFT_ROLE = f"{EXTRA}+soft"
SOFT = ".soft.jsonl"
"""How the name of the file beside a file of records ends: a line a record, its text and ``p``, the probabilities of its
items in their order."""
LEAST = 0.05
"""Of an item to be written at all."""
EVEN = 0.5
"""From here on an item counts as one where it must be one or none."""

_CHANCES = "chances.jsonl"


class Chancy(Protocol):
    """A record, a dataclass, whose labels may be soft: ``chances`` are those of its items in their order; empty where
    they are hard."""

    @property
    def text(self) -> str: ...
    @property
    def chances(self) -> tuple[float, ...]: ...


E = TypeVar("E", bound=Chancy)


_PACKED = (".gz", ".zip")
_MARK = "soft"
"""The key that says of a record that its items need their probabilities."""


def soft_file(extra: Path) -> Path:
    """The file beside a file of records: ``extra.soft.jsonl`` of ``extra.jsonl``, also of ``extra.jsonl.gz``."""
    plain = extra.with_suffix("") if extra.suffix.lower() in _PACKED else extra
    return plain.with_name(plain.stem + SOFT)


def find_soft(extra: Path) -> Path | None:
    """That file, plain or packed; None where the labels are hard.

    Raises:
        UserError: it is not there, and the records say that they have soft labels.
    """
    plain = soft_file(extra)
    for path in (plain, *(plain.with_name(plain.name + ending) for ending in _PACKED)):
        if path.is_file():
            return path
    begin = beginning(extra)
    if isinstance(begin, Mapping) and begin.get(_MARK) is True:
        mend = f"bring {plain.name} back beside it, or name it with --file {SOFT_ROLE}=FILE"
        raise UserError("has soft labels, whose probabilities are not beside it", file=extra, mend=mend)
    return None


def mark_soft(line: str) -> str:
    """A record, a JSON object a line, that says that its labels are soft: without their probabilities they would be
    learnt as certain."""
    return json.dumps({_MARK: True, **json.loads(line)}, ensure_ascii=False) + "\n"


class SoftRecords(Generic[E]):
    """The further records of a preparation with the probabilities of their items, which are kept beside them.

    Args:
        file: of the probabilities; None: the labels are hard.
        scratch: a folder of the preparation.
        items: the field of a record that has its items.
    """

    def __init__(self, file: Path | None, scratch: Path, items: str) -> None:
        self.file, self.items = file, items
        self._kept = scratch / _CHANCES

    def read(self, records: Iterable[E]) -> Iterator[E]:
        """Records with their probabilities; those that were left out as bad are passed over.

        Raises:
            UserError: the file is not that of these records.
        """
        if self.file is None:
            yield from records
            return
        lines = iter(read_lines(self.file))
        for record in records:
            for file, number, line in lines:
                said = parse_json(line, file, number)
                if said.get("text") == record.text:
                    break
            else:
                mend = "label the texts anew with ietool distil, or remove the file"
                raise UserError(f"has no line for the text {record.text[:40]!r}", file=self.file, mend=mend)
            chances: Any = said.get("p")
            count = len(getattr(record, self.items))
            is_list = isinstance(chances, list) and all(type(p) in (int, float) and 0 <= p <= 1 for p in chances)
            if not is_list or len(chances) != count:
                what = f"is no list of {count} probabilities, one for each item of the record"
                raise UserError(what, file=file, line=number, field="p", mend="label the texts anew with ietool distil")
            yield _with(record, chances=tuple(map(float, chances)))

    def keep(self, records: Iterable[E]) -> Iterator[E]:
        """The same records; what :meth:`again` needs of them is written down."""
        with self._kept.open("w", encoding="utf-8") as out:
            for record in records:
                out.write(json.dumps(record.chances) + "\n")
                yield record

    def again(self, records: Iterable[E]) -> Iterator[E]:
        """The records that were kept, read without their probabilities, with them; none where nothing was kept."""
        if self._kept.is_file():
            with self._kept.open(encoding="utf-8") as lines:
                for record, line in zip(records, lines, strict=True):
                    yield _with(record, chances=tuple(json.loads(line)))

    def sure(self, record: E, **cleared: Any) -> E:
        """A record with those of its items that are more likely than not; itself where they are not soft.

        Args:
            cleared: fields that stand beside the items, and what they are without them.
        """
        if not record.chances:
            return record
        kept = (one for one, p in zip(getattr(record, self.items), record.chances, strict=True) if p >= EVEN)
        return _with(record, **{self.items: tuple(kept)}, chances=(), **cleared)


def _with(record: E, **changes: Any) -> E:
    changed: E = replace(record, **changes)  # type: ignore[type-var]
    return changed


def drawn(
    rows: Any,
    chance: npt.NDArray[np.floating],
    weight: float,
    random: Random,
    of: Sequence[Hashable] | None = None,
) -> Any:
    """Those rows of a window that hold this time.

    Args:
        chance: (n,) probability of each row; rows of 1 always hold.
        weight: how far probabilities count: the target is so much of the probability and the rest of a hard label.
        of: what each row speaks of: rows of the same share a die. Where several rows have a target in common, as a name
            that stands several times or has several facts, it is then as probable as the likeliest of them; with a die
            each it would be nearly sure. None: each its own.
    """
    target = (weight * chance + (1 - weight) * (chance >= EVEN)).tolist()
    if of is None:
        held = [p >= 1 or random.random() < p for p in target]
    else:
        dice = {one: random.random() for one in dict.fromkeys(of)}
        held = [p >= 1 or dice[one] < p for p, one in zip(target, of, strict=True)]
    return (
        rows[np.array(held, bool)]
        if isinstance(rows, np.ndarray)
        else [r for r, h in zip(rows, held, strict=True) if h]
    )
