"""Units that a header names, and the numbers that a column of it may mean by what a question says."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from decimal import Decimal
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from ietool.tasks.nl2sql.values.numbers import PERCENT, SCALES, YEAR, Number, plain

_BRACKETS = re.compile(r"[(（\[【]([^)）\]】]*)[)）\]】]")
_SCALE = re.compile(r"(万亿|[十百千]?[万亿]|千(?=元|人|吨|美))")
_PER_CENT = re.compile(r"%|％|百分[点比率]|占比")
_HUNDRED = Decimal(100)
_USUAL = (10**4, 10**8, 10**6, 10**3)
"""What columns count in without saying so."""

Cells = npt.NDArray[np.float64]


@lru_cache(1 << 14)
def unit_of(header: str) -> tuple[int, bool]:
    """(scale that the header's numbers are counted in, whether they are percentages): 10^4 of 票房（万元）.

    A unit stands in brackets, behind ``/`` or behind 单位; 1 where there is none.
    """
    parts = _BRACKETS.findall(header)
    bare = _BRACKETS.sub("", header)
    for sign in ("/", "／", "单位", ":", "："):
        if sign in bare:
            parts.append(bare.rpartition(sign)[2])
    percent = _PER_CENT.search(header) is not None
    for part in (*parts, bare[-3:] if bare.endswith(("万", "亿", "万元", "亿元", "万人", "亿人")) else ""):
        if found := _SCALE.search(part):
            scale = 1
            for character in found[1]:
                scale *= SCALES[character]
            return scale, percent
    return 1, percent


def meant(number: Number, header: str, cells: Cells) -> list[tuple[str, float]]:
    """The numbers that a column may mean by one of a question, as a query has them, the likeliest first, with their
    likeness: 1 is what is written, in the unit of the header, and within what the column holds.

    Args:
        number: of the question.
        header: of the column.
        cells: (n,) its numbers, sorted.
    """
    found: dict[str, float] = {}
    for value, prior in _readings(number, *unit_of(header)):
        likeness = prior * _fit(float(value), cells)
        written = plain(value)
        found[written] = max(found.get(written, 0.0), likeness)
    return sorted(found.items(), key=lambda one: -one[1])


def _readings(number: Number, unit: int, percent: bool) -> Iterator[tuple[Decimal, float]]:
    """What a number may be in a unit, with how usual that is."""
    value = number.value
    if number.kind == PERCENT:
        yield value, 1.0 if percent else 0.9
        yield value / _HUNDRED, 0.6 if percent else 0.85
        return
    if number.kind == YEAR:
        yield value, 1.0
        yield value % _HUNDRED, 0.5
        return
    if unit > 1:
        # 一百二十万 in 万元 is 120, and so is 120 itself; 3.5亿 may be written as 3.5 where 亿 is what is counted in.
        scaled = abs(value) >= unit or number.scale > 1
        yield value / unit, 1.0 if scaled else 0.4
        yield value, 0.7 if scaled else 1.0
    else:
        yield value, 1.0
    for usual in _USUAL:
        if usual != unit and abs(value) >= usual:
            prior = 0.85 if number.scale >= usual else 0.5
            yield value / usual, prior if unit == 1 else prior / 5  # the header says what it counts in
    if number.head is not None:
        yield number.head, 0.8
    if percent and abs(value) <= 1 and value:
        yield value * _HUNDRED, 0.6


def _fit(value: float, cells: Cells) -> float:
    """How well a number fits what a column holds: 1 where it is a cell, 0.9 between the least and the largest, and less
    the further it lies beside them, by powers of ten."""
    if not len(cells):
        return 0.9
    at = int(np.searchsorted(cells, value))
    if at < len(cells) and cells[at] == value:
        return 1.0
    low, high = float(cells[0]), float(cells[-1])
    if low <= value <= high:
        return 0.9
    size = max(abs(value), 1e-9)
    near = max(abs(low if value < low else high), 1e-9)
    return 0.9 / (1.1 + 1.5 * abs(float(np.log10(size / near))))


def numbers_of(cells: Sequence[object]) -> Cells:
    """(n,) the numbers among some cells, those that are written as texts included, sorted."""
    found = []
    for cell in cells:
        if isinstance(cell, int | float):
            found.append(float(cell))
        elif isinstance(cell, str):
            try:
                found.append(float(cell.replace(",", "")))
            except ValueError:
                continue
    kept = np.array(found, np.float64)
    return np.sort(kept[np.isfinite(kept)])
