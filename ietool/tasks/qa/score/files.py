"""Reading predictions, in every form in which answers are handed in.

* ``{id: answer}``, one JSON object: CMRC 2018, DuReader-robust, checklist;
* ``{"question_id", "question_type", "answers", "yesno_answers", "entity_answers"}`` a line: DuReader 2.0;
* ``id<TAB>answer`` a line: SogouQA;
* ``{"id", "answer"}`` a line or in one list.
"""

from __future__ import annotations

import codecs
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import Any

from ietool.errors import UserError
from ietool.files.json_stream import Damage, JsonStream
from ietool.files.lines import Line, parse_json, read_lines
from ietool.files.plain_json import json_kind

_KEYS = 64
"""Members of an object by which a record is told from answers by id."""
_WRITE = 'write {"id": "answer"}, id<TAB>answer a line, or {"question_id": …, "answers": […]} a line'


@dataclass(frozen=True, slots=True)
class Predicted:
    """What is handed in for a question: answers, of which scorers may read the first only.

    Attributes:
        labels: beside ``answers`` for YES_NO questions: ``Yes``, ``No``, ``Depends``.
        entities: beside ``answers``: the entities in each.
    """

    answers: tuple[str, ...]
    labels: tuple[str, ...] = ()
    entities: tuple[tuple[str, ...], ...] = ()


@dataclass(frozen=True, slots=True)
class _Place:
    file: str
    line: int | None
    at: str = ""

    def error(self, field: str, message: str, mend: str = _WRITE) -> UserError:
        return UserError(
            message, file=self.file, line=self.line, field=(self.at + field).rstrip(".") or None, mend=mend
        )


def read_predictions(path: str | Path) -> dict[str, Predicted]:
    """Question id → what was predicted, in the order of the file (plain, gzip or zip), whose form its content tells.

    Raises:
        UserError: naming file, line and field: the file is empty, of no known form, or answers a question twice.
    """
    found: dict[str, Predicted] = {}
    for place, question_id, predicted in _entries(path):
        if question_id in found:
            raise place.error("", f"answers the question {question_id} again", "keep one answer a question")
        found[question_id] = predicted
    if not found:
        raise UserError("holds no prediction", file=path, mend=_WRITE)
    return found


def _entries(path: str | Path) -> Iterator[tuple[_Place, str, Predicted]]:
    lines = read_lines(path)
    line = next(lines, None)
    if line is None:
        return
    file, _, first = line
    everything = chain([line], lines)
    begins = first.lstrip()[:1]
    if begins not in ("{", "["):
        for file, number, text in everything:
            yield _from_columns(_Place(file, number), text)
    elif begins == "{" and _is_record(first):
        for file, number, text in everything:
            yield _from_record(_Place(file, number), parse_json(text, file, number))
    else:
        try:
            yield from _from_document(file, JsonStream(pieces(everything), repair=False))
        except Damage as damage:
            broken = damage.what.startswith(("is not JSON", "is cut off"))
            what, mend = ("is not JSON, perhaps cut off", _WRITE) if broken else (damage.what, damage.mend)
            raise UserError(what, file=file, line=damage.line, mend=mend) from None


def pieces(lines: Iterable[Line]) -> Iterator[str]:
    """The lines as one text, with as many line ends as the file has."""
    before = 0
    for _, number, text in lines:
        yield "\n" * (number - before - 1 if number > before else 0) + text + "\n"
        before = number


def _from_document(file: str, document: JsonStream) -> Iterator[tuple[_Place, str, Predicted]]:
    """The entries of one JSON value over the whole file."""
    if document.peek() == "[":
        for index, _ in enumerate(document.items()):
            entry, place = document.value(), _Place(file, None, f"[{index}].")
            if not isinstance(entry, dict):
                raise place.error("", f"is {json_kind(entry)}, an object is needed")
            yield _from_record(place, entry)
        return document.end()
    place = _Place(file, None)
    members = ((key, document.value()) for key in document.members())
    head = list(islice(members, _KEYS))
    if any(key in ("question_id", "id") for key, _ in head):  # one record over several lines
        yield _from_record(place, dict(chain(head, members)))
    else:
        for key, answer in chain(head, members):
            yield place, key, _of_value(place, key, answer)
    document.end()


def _is_record(line: str) -> bool:
    """Whether a line is a JSON object with an id in a field of its own."""
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):
        return False
    return isinstance(record, dict) and ("question_id" in record or ("id" in record and _answer_key(record) != ""))


def _answer_key(record: dict[str, Any]) -> str:
    return next((key for key in ("answers", "answer", "prediction_text", "text") if key in record), "")


def _from_columns(place: _Place, line: str) -> tuple[_Place, str, Predicted]:
    question_id, tab, answer = line.removeprefix(codecs.BOM_UTF8.decode()).partition("\t")
    if not tab:
        raise place.error("", "has no tab between id and answer")
    if not question_id.strip():
        raise place.error("", "has no id before the tab")
    return place, question_id.strip(), Predicted((answer.strip(),))


def _from_record(place: _Place, record: dict[str, Any]) -> tuple[_Place, str, Predicted]:
    key = "question_id" if "question_id" in record else "id"
    if key not in record:
        raise place.error("question_id", "is missing")
    value = record[key]
    if isinstance(value, bool) or not isinstance(value, (str, int)) or not str(value).strip():
        raise place.error(key, f"is {json_kind(value)}, an id is needed")
    field = _answer_key(record)
    if not field:
        raise place.error("answers", "is missing")
    answers = _of_value(place, field, record[field]).answers
    labels = _strings(place, "yesno_answers", record.get("yesno_answers") or [])
    entities = record.get("entity_answers") or []
    if not isinstance(entities, list):
        raise place.error("entity_answers", f"is {json_kind(entities)}, a list is needed")
    names = tuple(_strings(place, f"entity_answers[{index}]", entry) for index, entry in enumerate(entities))
    return place, str(value).strip(), Predicted(answers, labels, names)


def _of_value(place: _Place, field: str, value: Any) -> Predicted:
    """An answer, or several, none where it is null."""
    if value is None:
        return Predicted(())
    if isinstance(value, str):
        return Predicted((value,))
    if not isinstance(value, list):
        raise place.error(field, f"is {json_kind(value)}, a string is needed")
    return Predicted(_strings(place, field, value))


def _strings(place: _Place, field: str, value: Any) -> tuple[str, ...]:
    if isinstance(value, str):
        return (value,)
    if not isinstance(value, list):
        raise place.error(field, f"is {json_kind(value)}, a list is needed")
    for index, entry in enumerate(value):
        if not isinstance(entry, str):
            raise place.error(f"{field}[{index}]", f"is {json_kind(entry)}, a string is needed")
    return tuple(value)
