"""DuReader 2.0: one question, documents of many paragraphs, several long answers; raw and preprocessed.

``{"question_id", "question", "question_type", "documents": [{"title", "paragraphs", "is_selected"}], "answers",
"yesno_answers", "entity_answers"}`` a line. The preprocessed form adds words (``segmented_*``) and the span that is
most like an answer: ``fake_answers``, ``answer_spans`` (first and last word), ``answer_docs`` and each document's
``most_related_para``. Of some releases only the words are left: then a paragraph is its words joined.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from ietool.files.documents import Place
from ietool.files.lines import SKIP
from ietool.files.plain_json import json_kind
from ietool.tasks.qa.data.forms.fields import identifier, items, objects, string, strings, without_gold
from ietool.tasks.qa.data.forms.wanted import Wanted
from ietool.tasks.qa.data.question import Passage, Question


def questions(place: Place, record: dict[str, Any], number: int, wanted: Wanted) -> Iterator[Question]:
    """The one question of a record. Files of references may lack the text of the question.

    Raises:
        UserError: naming the field that is not of the form.
    """
    question_id = identifier(place, record, ("question_id", "id"), "")
    if "question" in record or wanted.passages:
        text = string(place, record, "question") if "question" in record else _joined_question(place, record)
    else:
        text = ""
    if wanted.answers and record.get("answers") is None:
        raise without_gold(place, record, "answers")
    documents = objects(place, record, "documents")
    passages: list[Passage] = []
    position: dict[tuple[int, int], int] = {}
    segmented = False
    for index, document in enumerate(documents):
        texts, joined = _paragraphs(place, document, f"documents[{index}].")
        segmented = segmented or joined
        title = document.get("title")
        for paragraph, content in enumerate(texts):
            if content.strip():
                position[index, paragraph] = len(passages)
                name = title if isinstance(title, str) else ""
                passages.append(Passage(content, document=index, paragraph=paragraph, title=name))
    if not passages and wanted.passages:
        raise place.error("documents", "is missing or empty: the question has no passage", SKIP)
    for _, where, words, before in located(place, record, documents):
        if where in position:
            old = passages[position[where]]
            answer, start = in_text(old.text, words, before)
            if answer not in old.answers:
                new = replace(old, answers=(*old.answers, answer), starts=(*old.starts, start))
                passages[position[where]] = new
    kind = record.get("question_type", "")
    if not isinstance(kind, str):
        raise place.error("question_type", f"is {json_kind(kind)}, a string is needed", SKIP)
    yield Question(
        question_id,
        text,
        tuple(passages),
        strings(place, record, "answers"),
        kind=kind,
        labels=strings(place, record, "yesno_answers"),
        entities=_entities(place, record),
        form="dureader2",
        file=place.file,
        line=place.line or 0,
        segmented=segmented,
    )


def _joined_question(place: Place, record: dict[str, Any]) -> str:
    words = strings(place, record, "segmented_question")
    if not words:
        raise place.error("question", "is missing", SKIP)
    return "".join(words)


def _paragraphs(place: Place, document: dict[str, Any], at: str) -> tuple[tuple[str, ...], bool]:
    """(paragraphs of a document, whether they are words joined)."""
    if document.get("paragraphs") is not None:
        return strings(place, document, "paragraphs", at=at), False
    found = items(place, document, "segmented_paragraphs", at=at)
    return tuple("".join(words_of(place, document, number, at)) for number in range(len(found))), bool(found)


def words_of(place: Place, document: dict[str, Any], number: int, at: str = "") -> tuple[str, ...]:
    """The words of a paragraph; none where the document has none."""
    found = items(place, document, "segmented_paragraphs", at=at)
    if not 0 <= number < len(found):
        return ()
    field = f"segmented_paragraphs[{number}]"
    return strings(place, {field: found[number]}, field, at=at)


def located(
    place: Place, record: dict[str, Any], documents: list[dict[str, Any]]
) -> Iterator[tuple[int, tuple[int, int], str, int]]:
    """(index, (document, paragraph), answer, blank-free characters before it or −1) of the spans that the preprocessing
    found.

    What does not fit together (a span outside of its paragraph, fewer documents than spans) is left out: it is no
    annotation, and the references stand for themselves.
    """
    fakes = strings(place, record, "fake_answers")
    spans = items(place, record, "answer_spans")
    for index, number in enumerate(items(place, record, "answer_docs")):
        if not isinstance(number, int) or not 0 <= number < len(documents):
            continue
        paragraph = documents[number].get("most_related_para")
        if not isinstance(paragraph, int):
            continue
        words = words_of(place, documents[number], paragraph, f"documents[{number}].")
        answer, start = fakes[index] if index < len(fakes) else "", -1
        span = spans[index] if index < len(spans) else None
        if isinstance(span, list) and len(span) == 2 and all(isinstance(end, int) for end in span):
            first, last = span
            if 0 <= first <= last < len(words):
                answer = answer or "".join(words[first : last + 1])
                start = sum(map(characters_of, words[:first]))
        if answer.strip():
            yield index, (number, paragraph), answer, start


def characters_of(text: str) -> int:
    """Characters that are no blanks."""
    return len("".join(text.split()))


def in_text(text: str, answer: str, before: int) -> tuple[str, int]:
    """(the answer as it stands in the text, where it begins); (the answer, −1) if it does not stand there.

    Words have lost the blanks of their paragraph, so that both are compared without them.

    Args:
        before: characters before it, blanks not counted; −1 where unknown.
    """
    bare, wanted = "".join(text.split()), "".join(answer.split())
    at = before if before >= 0 and bare.startswith(wanted, before) else bare.find(wanted)
    if at < 0:
        return answer, -1
    places = [index for index, char in enumerate(text) if not char.isspace()]
    start, end = places[at], places[at + len(wanted) - 1] + 1
    return text[start:end], start


def _entities(place: Place, record: dict[str, Any]) -> tuple[tuple[str, ...], ...]:
    """``entity_answers``: a list of entities beside each answer."""
    found = items(place, record, "entity_answers")
    names = [f"entity_answers[{number}]" for number in range(len(found))]
    return tuple(strings(place, {name: entry}, name) for name, entry in zip(names, found, strict=True))
