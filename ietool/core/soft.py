"""Soft labels: items of which a model is more or less sure, each with its probability.

A training step draws which of them hold, anew every epoch: on average that is a target between 0 and 1, for every loss
that has one output an item exactly, and it asks nothing of losses that have none such (a CRF's).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from random import Random
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

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

E = TypeVar("E")


def soft_file(extra: Path) -> Path:
    """The file beside a file of records: ``extra.soft.jsonl`` of ``extra.jsonl``."""
    return extra.with_name(extra.stem + SOFT)


def with_chances(
    records: Iterable[E], soft: Path, identity: Callable[[E], str], items: Callable[[E], int]
) -> Iterator[tuple[E, tuple[float, ...]]]:
    """Records with the probabilities of their items; those that were left out as bad are passed over.

    Raises:
        UserError: the file is not that of these records.
    """
    lines = iter(read_lines(soft))
    for record in records:
        text, count = identity(record), items(record)
        for file, number, line in lines:
            said = parse_json(line, file, number)
            if said.get("text") == text:
                break
        else:
            mend = "label the texts anew with ietool distil, or remove the file"
            raise UserError(f"has no line for the text {text[:40]!r}", file=soft, mend=mend)
        chances: Any = said.get("p")
        is_list = isinstance(chances, list) and all(type(p) in (int, float) and 0 <= p <= 1 for p in chances)
        if not is_list or len(chances) != count:
            what = f"is no list of {count} probabilities, one for each item of the record"
            raise UserError(what, file=file, line=number, field="p", mend="label the texts anew with ietool distil")
        yield record, tuple(map(float, chances))


def write_chances(chances: Iterable[float]) -> str:
    """A line of a scratch file."""
    return json.dumps(list(chances)) + "\n"


def drawn(rows: Any, chance: npt.NDArray[np.floating], weight: float, random: Random) -> Any:
    """Those rows of a window that hold this time.

    Args:
        chance: (n,) probability of each row; rows of 1 always hold.
        weight: how far probabilities count: the target is so much of the probability and the rest of a hard label.
    """
    target = weight * chance + (1 - weight) * (chance >= EVEN)
    held = [p >= 1 or random.random() < p for p in target.tolist()]
    return (
        rows[np.array(held, bool)]
        if isinstance(rows, np.ndarray)
        else [r for r, h in zip(rows, held, strict=True) if h]
    )
