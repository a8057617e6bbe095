"""Reading predictions, in every form in which answers are handed in.

* ``{id: answer}``, one JSON object: CMRC 2018, DuReader-robust, checklist;
* ``{"question_id", "question_type", "answers", "yesno_answers", "entity_answers"}`` a line: DuReader 2.0;
* ``id<TAB>answer`` a line: SogouQA;
* ``{"id", "answer"}`` a line or in one list.
"""

from __future__ import annotations

import codecs
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ietool.errors import UserError
from ietool.files import parse_json, read_lines
from ietool.records import json_kind

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
    # Answers of all questions fit in memory, as the scorer needs them there.
    lines = list(read_lines(path))
    if not lines:
        return
    file, number, first = lines[0]
    begins = first.lstrip()[:1]
    if begins not in ("{", "["):
        for file, number, line in lines:
            yield _from_columns(_Place(file, number), line)
        return
    # A record a line, or one JSON value over the whole file.
    if begins == "{" and _is_record(first):
        for file, number, line in lines:
            yield _from_record(_Place(file, number), parse_json(line, file, number))
        return
    try:
        whole = json.loads("\n".join(line for _, _, line in lines), object_pairs_hook=_Pairs)
        json.dumps(whole, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise UserError("has half of a surrogate pair", file=file, mend=_WRITE) from None
    except (ValueError, RecursionError) as error:
        where = None
        if isinstance(error, json.JSONDecodeError) and error.lineno <= len(lines):
            where = lines[error.lineno - 1][1]
        before = error.doc[: error.pos].rstrip() if isinstance(error, json.JSONDecodeError) else ""
        what = "has a comma before an end" if _is_closed(error, before) else "is not JSON, perhaps cut off"
        raise UserError(what, file=file, line=where, mend=_WRITE) from None
    if not isinstance(whole, _Pairs):
        for index, entry in enumerate(whole):
            place = _Place(file, None, f"[{index}].")
            if not isinstance(entry, _Pairs):
                raise place.error("", f"is {_kind(entry)}, an object is needed")
            yield _from_record(place, dict(entry))
        return
    place = _Place(file, None)
    if any(key in ("question_id", "id") for key, _ in whole):  # one record over several lines
        yield _from_record(place, dict(whole))
        return
    for key, answer in whole:
        yield place, key, _of_value(place, key, answer)


class _Pairs(list[tuple[str, Any]]):
    """The members of a JSON object, repeated ones too, which a dictionary would lose."""


def _is_closed(error: Exception, before: str) -> bool:
    """Whether a JSON text fails where something ends behind a comma."""
    if not isinstance(error, json.JSONDecodeError):
        return False
    if "trailing comma" in error.msg:  # as newer versions of Python have it
        return True
    return before.endswith(",") and error.doc[error.pos : error.pos + 1] in ("}", "]")


def _kind(value: Any) -> str:
    return "an object" if isinstance(value, _Pairs) else json_kind(value)


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
        raise place.error(key, f"is {_kind(value)}, an id is needed")
    field = _answer_key(record)
    if not field:
        raise place.error("answers", "is missing")
    answers = _of_value(place, field, record[field]).answers
    labels = _strings(place, "yesno_answers", record.get("yesno_answers") or [])
    entities = record.get("entity_answers") or []
    if not isinstance(entities, list):
        raise place.error("entity_answers", f"is {_kind(entities)}, a list is needed")
    names = tuple(_strings(place, f"entity_answers[{index}]", entry) for index, entry in enumerate(entities))
    return place, str(value).strip(), Predicted(answers, labels, names)


def _of_value(place: _Place, field: str, value: Any) -> Predicted:
    """An answer, or several, none where it is null."""
    if value is None:
        return Predicted(())
    if isinstance(value, str):
        return Predicted((value,))
    if isinstance(value, _Pairs) or not isinstance(value, list):
        raise place.error(field, f"is {_kind(value)}, a string is needed")
    return Predicted(_strings(place, field, value))


def _strings(place: _Place, field: str, value: Any) -> tuple[str, ...]:
    if isinstance(value, str):
        return (value,)
    if isinstance(value, _Pairs) or not isinstance(value, list):
        raise place.error(field, f"is {_kind(value)}, a list is needed")
    for index, entry in enumerate(value):
        if not isinstance(entry, str):
            raise place.error(f"{field}[{index}]", f"is {_kind(entry)}, a string is needed")
    return tuple(value)
