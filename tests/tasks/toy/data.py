"""Reading ``{"text": …, "digits": [places]}``."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from ietool.files.lines import Line, parse_json, read_lines


@dataclass(frozen=True)
class Example:
    text: str
    digits: list[int]


def read_examples(lines: Iterable[Line]) -> Iterator[Example]:
    for file, number, line in lines:
        record = parse_json(line, file, number)
        yield Example(record["text"], record.get("digits", []))


def read_gold(path: Path, limit: int | None = None) -> list[Example]:
    """Each text once."""
    return list(islice({e.text: e for e in read_examples(read_lines(path))}.values(), limit))
