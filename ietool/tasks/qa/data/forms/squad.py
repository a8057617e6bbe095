"""The form of SQuAD: one passage, questions on it, answers by the character at which they begin.

``{"data": [{"title"?, "paragraphs": [{"context", "qas": [{"id", "question", "answers": [{"text", "answer_start"}],
"is_impossible"?}]}]}]}`` (CMRC 2018, DRCD, DuReader-robust and checklist), and the first release of CMRC 2018:
``[{"context_id", "context_text", "qas": [{"query_id", "query_text", "answers": [text]}]}]``.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from ietool.errors import UserError
from ietool.files.documents import Place
from ietool.files.lines import SKIP, OnBad
from ietool.files.plain_json import json_kind
from ietool.tasks.qa.data.forms.fields import identifier, items, string, without_gold
from ietool.tasks.qa.data.forms.wanted import Wanted
from ietool.tasks.qa.data.question import Passage, Question


def parts(place: Place, record: dict[str, Any], reject: OnBad | None = None) -> Iterator[tuple[Place, dict[str, Any]]]:
    """The questions of a paragraph, or of an article with paragraphs, each with its context: small records of their
    own, so that a bad one does not take its neighbours along.

    Args:
        reject: told of paragraphs and questions that are none, which are left out; without it the first raises.

    Raises:
        UserError: the record has no list of questions.
    """
    if "paragraphs" in record:
        for inner, paragraph in _objects(place, record, "paragraphs", reject):
            try:
                yield from parts(inner, {"title": record.get("title", ""), **paragraph}, reject)
            except UserError as error:
                if reject is None:
                    raise
                reject(error, json.dumps(paragraph, ensure_ascii=False))
        return
    if "qas" not in record:
        raise place.error("qas", "is missing", SKIP)
    context: dict[str, Any] = {key: record[key] for key in ("context", "context_text", "title") if key in record}
    for inner, entry in _objects(place, record, "qas", reject):
        yield inner, {**entry, **context}


def _objects(
    place: Place, record: dict[str, Any], key: str, reject: OnBad | None
) -> Iterator[tuple[Place, dict[str, Any]]]:
    """The objects of a list, each with its place."""
    for number, entry in enumerate(items(place, record, key)):
        at = f"{place.at}{key}[{number}]"
        if isinstance(entry, dict):
            yield Place(place.file, place.line, f"{at}."), entry
            continue
        error = Place(place.file, place.line, at).error("", f"is {json_kind(entry)}, an object is needed", SKIP)
        if reject is None:
            raise error
        reject(error, json.dumps(entry, ensure_ascii=False))


def questions(place: Place, record: dict[str, Any], number: int, wanted: Wanted) -> Iterator[Question]:
    """The question of a record as :func:`parts` gives them.

    Answers of an impossible question are no gold: they are left out (the checklist writes an empty one).

    Raises:
        UserError: naming the field that is not of the form.
    """
    question_id = identifier(place, record, ("id", "query_id", "question_id"), "")
    text = string(place, record, "question" if "query_text" not in record else "query_text")
    context = string(place, record, "context_text" if "context_text" in record else "context")
    impossible = record.get("is_impossible")
    if impossible is not None and not isinstance(impossible, bool):
        raise place.error("is_impossible", f"is {json_kind(impossible)}, true or false is needed", SKIP)
    if wanted.answers and record.get("answers") is None and not impossible:
        raise without_gold(place, record, "answers")
    answers, starts = _answers(place, record)
    if impossible:
        answers, starts = (), ()
    elif wanted.answers and not answers:
        raise place.error("answers", "is empty", SKIP)
    first = dict(zip(reversed(answers), reversed(starts), strict=True))  # of equal answers the place of the first
    distinct = tuple(dict.fromkeys(answers))
    title = record.get("title")
    yield Question(
        question_id,
        text,
        (
            Passage(
                context,
                distinct,
                tuple(first[answer] for answer in distinct),
                title=title if isinstance(title, str) else "",
            ),
        ),
        answers,
        is_impossible=impossible,
        form="squad",
        file=place.file,
        line=place.line or 0,
    )


def entries_of(columns: dict[str, Any]) -> list[dict[str, Any]]:
    """Answers in columns, as the hub's data sets write them, one by one; a text without a start stays one."""
    texts = columns["text"]
    starts = [*(columns.get("answer_start") or ()), *[-1] * len(texts)]
    return [{"text": text, "answer_start": start} for text, start in zip(texts, starts, strict=False)]


def _answers(place: Place, record: dict[str, Any]) -> tuple[tuple[str, ...], tuple[int, ...]]:
    """Texts and starts as the file has them; −1 for a start that is missing or no number."""
    found = record.get("answers")
    if isinstance(found, dict) and isinstance(found.get("text"), list):  # as the hub's data sets write it
        starts = found.get("answer_start")
        if starts is not None and not isinstance(starts, list):
            raise place.error("answers.answer_start", f"is {json_kind(starts)}, a list is needed", SKIP)
        found = entries_of(found)
    if found is not None and not isinstance(found, list):
        raise place.error("answers", f"is {json_kind(found)}, a list is needed", SKIP)
    texts, places = [], []
    for number, entry in enumerate(found or ()):
        if isinstance(entry, str):
            entry = {"text": entry}
        if not isinstance(entry, dict):
            raise place.error(f"answers[{number}]", f"is {json_kind(entry)}, an object is needed", SKIP)
        texts.append(string(place, entry, "text", at=f"answers[{number}].", empty=True))
        start = entry.get("answer_start", -1)
        places.append(start if isinstance(start, int) and not isinstance(start, bool) and start >= 0 else -1)
    return tuple(texts), tuple(places)
