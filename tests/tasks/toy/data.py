"""Reading ``{"text": …, "digits": [places]}``."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path

from ietool.core.intake import Kept
from ietool.files.lines import Line, parse_json, read_lines


@dataclass(frozen=True)
class Example:
    text: str
    digits: list[int]


def read_examples(lines: Iterable[Line]) -> Iterator[Example]:
    for file, number, line in lines:
        record = parse_json(line, file, number)
        yield Example(record["text"], record.get("digits", []))


KEPT = Kept(
    dump=lambda e: json.dumps(asdict(e)),
    load=lambda line: Example(**json.loads(line)),
    identity=lambda e: e.text,
    gold=lambda e: repr(e.digits),
    group=lambda e: [e.text],
)
"""How the prepared folder keeps them."""


def read_gold(path: Path, limit: int | None = None) -> list[Example]:
    """Each text once."""
    return list(islice({e.text: e for e in read_examples(read_lines(path))}.values(), limit))
