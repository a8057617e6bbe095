"""Dates as questions and cells write them: 2019年11月3日, 19年11月, 二零一九年, 2019-11-03 08:00:00, 11月3号."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from ietool.tasks.nl2sql.values.numbers import DIGITS, narrow, number_of, spoken_digits

_D = f"[{DIGITS}〇○]"
_YEAR = rf"(?P<year>\d{{4}}|\d{{2}}|{_D}{{4}}|{_D}{{2}})\s*年"
_MONTH = r"(?P<month>1[0-2]|0?[1-9]|十[一二]?|[一二三四五六七八九])\s*月(?:份)?"
_DAY = r"(?P<day>3[01]|[12]\d|0?[1-9]|三十一?|二?十[一二三四五六七八九]?|[一二三四五六七八九])\s*[日号]"
_OF_YEAR = re.compile(rf"(?<!\d){_YEAR}(?:度)?\s*(?:{_MONTH}\s*(?:{_DAY})?)?")
_OF_MONTH = re.compile(rf"(?<!\d)(?P<year>){_MONTH}\s*(?:{_DAY})?")
_SIGNS = re.compile(
    r"(?<![\d.])(?P<year>[12]\d{3})(?P<sign>[-/.])(?P<month>1[0-2]|0?[1-9])"
    r"(?:(?P=sign)(?P<day>3[01]|[12]\d|0?[1-9]))?(?![\d.])(?:[ T]\d{1,2}:\d{2}(?::\d{2})?)?"
)


@dataclass(frozen=True, slots=True)
class Date:
    """A date in a text, as exact as it is said.

    Attributes:
        start, end: its stretch, half-open.
        year, month, day: None where it does not say.
    """

    start: int
    end: int
    year: int | None
    month: int | None
    day: int | None

    @property
    def key(self) -> tuple[int | None, int | None, int | None]:
        """What it says."""
        return self.year, self.month, self.day


@lru_cache(1 << 14)
def find_dates(text: str) -> tuple[Date, ...]:
    """The dates of a text, from left to right."""
    text = narrow(text)
    if "年" not in text and "月" not in text and not _SIGNS.search(text):  # nearly all cells
        return ()
    matches = [*_OF_YEAR.finditer(text), *_SIGNS.finditer(text)]
    taken = {at for match in matches for at in range(*match.span())}
    matches += (match for match in _OF_MONTH.finditer(text) if match.start() not in taken)
    return tuple(
        Date(*match.span(), _year(match["year"]), _small(match["month"]), _small(match["day"]))
        for match in sorted(matches, key=lambda match: match.start())
    )


def whole_date(text: str) -> Date | None:
    """The date that a text as a whole is; None where it is none."""
    text = text.strip()
    found = find_dates(text)
    return found[0] if len(found) == 1 and found[0].start == 0 and found[0].end == len(text) else None


def agree(asked: Date, cell: Date) -> float:
    """How well a date of a question fits one of a cell: 1 where they say the same, less where one says more than the
    other, 0 where they contradict each other or have nothing in common."""
    common = 0
    lacking = 0
    for one, other in zip(asked.key, cell.key, strict=True):
        if one is not None and other is not None:
            if one != other:
                return 0.0
            common += 1
        elif one is not None or other is not None:
            lacking += 1
    # A day alone of a month, or a month of a year, is named without the year, which all cells share.
    return 0.0 if not common else 1.0 - 0.2 * lacking


def _year(written: str | None) -> int | None:
    if not written:
        return None
    digits = written if written.isascii() else spoken_digits(written) or ""
    if len(digits) == 2:
        return int(digits) + (2000 if int(digits) < 50 else 1900)
    return int(digits) if digits else None


def _small(written: str | None) -> int | None:
    if written is None:
        return None
    said = int(written) if written.isascii() else number_of(written)
    return None if said is None else int(said)
