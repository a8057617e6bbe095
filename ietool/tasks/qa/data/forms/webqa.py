"""WebQA and SogouQA lists: one question, several passages, each with what it answers or nothing.

``[{"id", "question", "passages": [{"passage", "answer"}], "golden_answers"?, "answer"?}]``, as one list or a line each.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ietool.files.documents import Place
from ietool.files.lines import SKIP
from ietool.files.plain_json import json_kind
from ietool.tasks.qa.data.forms.fields import identifier, items, string, strings, without_gold
from ietool.tasks.qa.data.forms.wanted import Wanted
from ietool.tasks.qa.data.question import Passage, Question

NO_ANSWER = ("no_answer", "no_result")
"""What WebQA writes where a passage holds no answer."""


def questions(place: Place, record: dict[str, Any], number: int, wanted: Wanted) -> Iterator[Question]:
    """The one question of a record. References are its ``golden_answers``, else its ``answer``, else what its passages
    answer. Answers have no place in this form.

    Raises:
        UserError: naming the field that is not of the form.
    """
    question_id = identifier(place, record, ("id", "question_id"), str(number))
    text = string(place, record, "question")
    passages, marked = _passages(place, record)
    if not passages and wanted.passages:
        raise place.error("passages", "is missing or empty: the question has no passage", SKIP)
    references: tuple[str, ...] = ()
    given = [key for key in ("golden_answers", "answers", "answer") if record.get(key) is not None]
    if given:
        references = strings(place, record, given[0])
        references = tuple(answer for answer in references if answer.strip() and answer not in NO_ANSWER)
    elif marked:
        references = tuple(dict.fromkeys(answer for passage in passages for answer in passage.answers))
    elif wanted.answers:
        raise without_gold(place, record, "golden_answers", "answers", "answer")
    yield Question(
        question_id,
        text,
        passages,
        references,
        form="webqa",
        file=place.file,
        line=place.line or 0,
    )


def _passages(place: Place, record: dict[str, Any]) -> tuple[tuple[Passage, ...], bool]:
    """(passages that hold any text, whether one of them has a field ``answer``)."""
    passages = []
    marked = False
    for number, entry in enumerate(items(place, record, "passages")):
        at = f"passages[{number}]"
        if isinstance(entry, str):  # a test file may have texts only
            entry = {"passage": entry}
        if not isinstance(entry, dict):
            raise place.error(at, f"is {json_kind(entry)}, an object is needed", SKIP)
        text = string(place, entry, "passage", at=f"{at}.", empty=True)
        marked = marked or entry.get("answer") is not None
        answers = tuple(
            answer
            for answer in strings(place, entry, "answer", at=f"{at}.")
            if answer.strip() and answer not in NO_ANSWER
        )
        if text.strip():
            passages.append(Passage(text, answers, (-1,) * len(answers), document=number))
    return tuple(passages), marked
