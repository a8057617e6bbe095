"""Reading what is scored: gold and submission files, and the dictionaries of other names.

Apart from ``data/`` because the organisers' scripts read more loosely than training may: a text may be empty, a
predicate unknown, an object's slot an empty string that still counts as a slot.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ietool.errors import UserError
from ietool.files.lines import parse_json, read_lines
from ietool.files.plain_json import json_kind
from ietool.files.records import not_a
from ietool.tasks.ske.data.example import VALUE, Triple, order_slots
from ietool.tasks.ske.data.schema import FORMS, WEBNLG
from ietool.tasks.ske.data.webnlg import LIST, open_records, spo_list_of

_FORMAT = 'write {"text": …, "spo_list": […]} a line, each triple with subject, predicate and object'


@dataclass(frozen=True)
class ScoringFile:
    """A file to be scored.

    Attributes:
        triples: exact text → its triples in file order; of a text that stands twice, those of the last line.
        records: lines read.
    """

    triples: Mapping[str, tuple[Triple, ...]]
    records: int

    @property
    def repeated(self) -> int:
        """Lines that a later line with the same text replaced."""
        return self.records - len(self.triples)


def read_for_scoring(path: str | Path, metric: str) -> ScoringFile:
    """Read gold or predictions, plain, gzip or zip (every member), in the form that ``metric`` scores.

    Raises:
        UserError: naming file, line and field of what is not of that form; a string object under ``duie2`` and an
            object with slots under ``ske2019`` are format errors.
    """
    triples: dict[str, tuple[Triple, ...]] = {}
    records = 0
    strings = metric != "duie2"
    for file, number, line in open_records(path):
        record = parse_json(line, file, number)
        if metric == WEBNLG and LIST in record:
            record["spo_list"] = spo_list_of(record[LIST], file, number)
        text, spo_list = text_and_triples(record, file, number)
        found = []
        for index, spo in enumerate(spo_list):
            triple = triple_of(spo, strings)
            if triple is None:
                raise complain(spo, metric, f"spo_list[{index}]", file, number)
            found.append(triple)
        # The last line wins: taken out first, so that the order of texts is that of the lines that count.
        triples.pop(text, None)
        triples[text] = tuple(found)
        records += 1
    return ScoringFile(triples, records)


def text_and_triples(record: Mapping[str, Any], file: str, line: int) -> tuple[str, list[Any]]:
    """The text of a record and its ``spo_list``, not looked into. Raises UserError where one of them is none."""
    text, spo_list = record.get("text"), record.get("spo_list")
    if not isinstance(text, str):
        raise UserError(not_a(record, "text", "a string"), file=file, line=line, field="text", mend=_FORMAT)
    if not isinstance(spo_list, list):
        raise UserError(not_a(record, "spo_list", "a list"), file=file, line=line, field="spo_list", mend=_FORMAT)
    return text, spo_list


def triple_of(spo: Any, strings: bool) -> Triple | None:
    """A triple of a record, with an object that is a string or, unless ``strings``, has slots; None where it is not of
    that form, see :func:`complain`."""
    try:
        subject, predicate, value = spo["subject"], spo["predicate"], spo["object"]
        if strings:
            valid = type(value) is str
            pairs: tuple[tuple[str, str], ...] = ((VALUE, value),)
        else:
            valid = VALUE in value and all(type(filler) is str for filler in value.values())
            pairs = tuple(value.items()) if len(value) == 1 else order_slots(value.items())
    except (KeyError, TypeError, AttributeError):
        return None
    if not valid or type(subject) is not str or type(predicate) is not str:
        return None
    return Triple(subject, predicate, pairs)


def complain(spo: Any, metric: str, at: str, file: str, line: int) -> UserError:
    """What is wrong with a triple that is not of the metric's form."""

    def error(field: str, message: str, mend: str = _FORMAT) -> UserError:
        return UserError(message, file=file, line=line, field=field, mend=mend)

    if not isinstance(spo, dict):
        return error(at, f"is {json_kind(spo)}, an object is needed")
    for key in ("subject", "predicate", "object"):
        if key not in spo:
            return error(f"{at}.{key}", "is missing")
    for key in ("subject", "predicate"):
        if not isinstance(spo[key], str):
            return error(f"{at}.{key}", f"is {json_kind(spo[key])}, a string is needed")
    value = spo["object"]
    if metric != "duie2":
        what = "an object with slots" if isinstance(value, dict) else json_kind(value)
        mend = "if both files are DuIE 2.0 use --metric duie2" if isinstance(value, dict) else _FORMAT
        return error(f"{at}.object", f"is {what}; {metric} scores objects that are strings", mend)
    if isinstance(value, str):
        return error(
            f"{at}.object",
            f'is a string; duie2 scores objects with slots: {{"{VALUE}": …}}',
            "if both files are SKE 2019 use --metric ske2019",
        )
    if not isinstance(value, dict):
        return error(f"{at}.object", f"is {json_kind(value)}, an object is needed")
    if VALUE not in value:
        return error(f"{at}.object.{VALUE}", "is missing")
    slot = next(slot for slot, filler in value.items() if not isinstance(filler, str))
    return error(f"{at}.object.{slot}", f"is {json_kind(value[slot])}, a string is needed")


def detect_metric(path: str | Path) -> str:
    """The variant that scores a gold file, told from the form of its first triple.

    Raises:
        UserError: no triple is in the file.
    """
    for file, number, line in open_records(path):
        record = parse_json(line, file, number)
        if record.get(LIST) and "spo_list" not in record:
            return WEBNLG
        spo_list = record.get("spo_list")
        for spo in spo_list if isinstance(spo_list, list) else ():
            value = spo.get("object") if isinstance(spo, dict) else None
            if isinstance(value, str):
                return "ske2019"
            if isinstance(value, dict):
                return "duie2"
    raise UserError(
        "has no triple, so its competition cannot be told",
        file=path,
        mend=f"is this the gold file? if so say --metric {' or --metric '.join(FORMS)}",
    )


def read_names(path: str | Path) -> dict[str, Collection[str]]:
    """A dictionary of other names: a line ``name<TAB>alias<TAB>alias…``, lower-cased; of a name that stands twice the
    last line wins, as in the organisers' scripts.

    Raises:
        UserError: naming file and line, when a line has no tab (a name without aliases).
    """
    names: dict[str, Collection[str]] = {}
    for file, number, line in read_lines(path):
        name, *aliases = line.strip().lower().split("\t")
        if not aliases:
            raise UserError(
                "has no tab between a name and its aliases", file=file, line=number, mend="write name<TAB>alias<TAB>…"
            )
        names[name] = frozenset(aliases)
    return names
