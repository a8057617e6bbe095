"""SKE 2019 and DuIE 2.0 files: what an example is, and reading them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from ietool.files import parse_json
from ietool.tasks.base import Line

VALUE = "@value"
"""The main slot of an object. SKE 2019 objects are plain strings; inside, they are objects with this slot alone."""


@dataclass(frozen=True, slots=True)
class Triple:
    """(subject, predicate, object) as strings. ``object`` is (slot, value) pairs, ``@value`` first, the rest by name."""

    subject: str
    predicate: str
    object: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Example:
    """One text with its gold triples (empty where the file has none)."""

    text: str
    triples: tuple[Triple, ...] = ()
    file: str = ""
    line: int = 0


def read_examples(lines: Iterable[Line]) -> Iterator[Example]:
    for file, number, line in lines:
        record = parse_json(line, file, number)
        triples = []
        for spo in record.get("spo_list", []):
            obj = spo["object"]
            slots = {VALUE: obj} if isinstance(obj, str) else obj
            pairs = tuple(sorted(((s, v) for s, v in slots.items() if v), key=lambda p: (p[0] != VALUE, p[0])))
            triples.append(Triple(spo["subject"], spo["predicate"], pairs))
        yield Example(record["text"], tuple(dict.fromkeys(triples)), file, number)
