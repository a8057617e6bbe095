"""Checking a submission of answers: every question answered, in the form of its competition."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ietool.core.answers import Answers
from ietool.core.checking import Check, Place, control_in
from ietool.errors import UserError
from ietool.files.json_stream import Damage, JsonStream
from ietool.files.lines import parse_json, read_lines
from ietool.files.plain_json import json_kind
from ietool.files.records import not_a
from ietool.tasks.qa.data.question import Question
from ietool.tasks.qa.data.reading import load_questions
from ietool.tasks.qa.score.files import pieces
from ietool.tasks.qa.score.scorer import metric_of

LABELS = ("Yes", "No", "Depends")
"""What a YES_NO question of DuReader 2.0 may be answered by, besides its text."""

_FORMS = {
    "sogouqa": "id<TAB>answer a line",
    "cmrc2018": "one JSON object of answers by id",
    "dureader_robust": "one JSON object of answers by id",
    "dureader2": '{"question_id": …, "question_type": …, "answers": […]} a line',
}
_COLUMNS = f"write {_FORMS['sogouqa']}, as predict --output result.tsv does"


def competition_of(source: Path) -> str:
    """The competition, told from the first question of the input. Raises UserError where it cannot be read."""
    return metric_of(next(_questions(source)))


def _questions(source: Path) -> Iterator[Question]:
    return load_questions(source, needs_answers=False, needs_passages=False)


def check(check: Check) -> None:
    """Check a submission of SogouQA, CMRC 2018, DuReader-robust or DuReader 2.0.

    Raises:
        UserError: the input cannot be read, or the submission is no text file.
    """
    answers = Answers(check)
    try:
        for question in _questions(check.source):
            place = Place(question.file or str(check.source), question.line or None)
            answers.ask({"question_id": question.question_id}, place, question.kind)
        check.counts["questions"] = answers.asked
        reader = {"sogouqa": _columns, "dureader2": _records}.get(check.competition, _object)
        reader(check, answers)
        answers.finish()
    finally:
        answers.close()
    check.rules += [f"each of {answers.asked:,} questions answered once", _FORMS[check.competition]]
    if empty := check.counts["empty answers"]:
        check.notes.append(f"{empty:,} of {answers.asked:,} answers are empty")


def _answer_fault(check: Check, place: Place, field: str, answer: str) -> None:
    check.counts["empty answers"] += not answer.strip()
    if code := control_in(answer):
        check.tell(place.error(field, f"has a control character ({code})", "take it out"))


def _columns(check: Check, answers: Answers) -> None:
    for file, number, line in read_lines(check.result, answers.reject):
        place = Place(file, number)
        if line.lstrip()[:1] in ("{", "[") and "\t" not in line:
            raise place.error("", "is JSON, but SogouQA takes id and answer with a tab between", _COLUMNS)
        columns = line.split("\t")
        if len(columns) != 2:
            what = "has no tab between id and answer" if len(columns) < 2 else f"has {len(columns)} columns"
            answers.reject(place.error("", what, _COLUMNS), line)
            continue
        if not columns[0].strip() or columns[0] != columns[0].strip():
            answers.reject(place.error("", "has no id, or blanks around it", _COLUMNS), line)
            continue
        answers.answer({"question_id": columns[0]}, place)
        _answer_fault(check, place, "", columns[1])


def _object(check: Check, answers: Answers) -> None:
    mend = f"write {_FORMS[check.competition]}, as predict --output result.json does"
    document = JsonStream(pieces(read_lines(check.result)), repair=False)
    try:
        if document.peek() != "{":
            return answers.broken(Place(str(check.result)).error("", "is no JSON object", mend))
        for key in document.members():
            value, place = document.value(), Place(str(check.result))
            answers.answer({"question_id": key}, place)
            if isinstance(value, str):
                _answer_fault(check, place, key, value)
            else:
                check.tell(place.error(key, f"is {json_kind(value)}, a string is needed", mend))
        document.end()
    except Damage as damage:
        answers.broken(UserError(damage.what, file=check.result, line=damage.line, mend=mend))


def _records(check: Check, answers: Answers) -> None:
    mend = f"write {_FORMS['dureader2']}, as predict does"
    for file, number, line in read_lines(check.result, answers.reject):
        place = Place(file, number)
        try:
            record = parse_json(line, file, number, once=True)
            identity = record.get("question_id")
            if isinstance(identity, bool) or not isinstance(identity, str | int):
                raise place.error("question_id", not_a(record, "question_id", "an id"), mend)
        except UserError as error:
            answers.reject(error, line)
            continue
        kind = answers.answer({"question_id": str(identity)}, place)
        if fault := _record_fault(check, record, kind, place, mend):
            check.tell(fault)


def _record_fault(check: Check, record: dict[str, Any], kind: str | None, place: Place, mend: str) -> UserError | None:
    """The first thing that is wrong with a record of DuReader 2.0. ``kind`` is the question's in the input."""
    given = record.get("question_type")
    if not isinstance(given, str):
        return place.error("question_type", not_a(record, "question_type", "a string"), mend)
    if kind and given != kind:
        return place.error("question_type", f"is {given!r}, but {kind!r} in {check.source}", "copy it from the input")
    for key in ("answers", "yesno_answers", "entity_answers"):
        if not isinstance(record.get(key), list):
            return place.error(key, not_a(record, key, "a list"), mend)
    for key in ("answers", "yesno_answers"):
        for index, entry in enumerate(record[key]):
            if not isinstance(entry, str):
                return place.error(f"{key}[{index}]", f"is {json_kind(entry)}, a string is needed", mend)
    for index, entry in enumerate(record["entity_answers"]):
        if not isinstance(entry, list) or not all(isinstance(name, str) for name in entry):
            return place.error(f"entity_answers[{index}]", "is no list of strings", mend)
    check.counts["empty answers"] += not any(answer.strip() for answer in record["answers"])
    written = [(f"answers[{index}]", answer) for index, answer in enumerate(record["answers"])]
    for index, names in enumerate(record["entity_answers"]):
        written += [(f"entity_answers[{index}][{number}]", name) for number, name in enumerate(names)]
    for field, answer in written:
        if code := control_in(answer):
            return place.error(field, f"has a control character ({code})", "take it out")
    labels = record["yesno_answers"]
    if labels and given != "YES_NO":
        return place.error("yesno_answers", f"has a label, but the question is {given}", "leave the list empty")
    unknown = next((label for label in labels if label not in LABELS), None)
    if unknown is not None:
        return place.error("yesno_answers", f"has {unknown!r}", f"use {', '.join(LABELS)}")
    if labels and len(labels) != len(record["answers"]):
        what = f"has {len(labels)} labels for {len(record['answers'])} answers"
        return place.error("yesno_answers", what, "give each answer its label")
    return None
