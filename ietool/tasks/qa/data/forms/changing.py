"""Records with some of their answers changed, each in its own form; all other fields stay as they are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ietool.core.labelled import Edits, changed
from ietool.errors import UserError
from ietool.files.documents import Place
from ietool.tasks.qa.data.answers import UNKNOWN, WHOLE, Answer, answers_of, mark_of, marked, places_of
from ietool.tasks.qa.data.forms.dureader2 import characters_of, in_text, located, words_of
from ietool.tasks.qa.data.forms.reading import READERS
from ietool.tasks.qa.data.forms.recognise import form_of
from ietool.tasks.qa.data.forms.squad import entries_of
from ietool.tasks.qa.data.forms.wanted import Wanted
from ietool.tasks.qa.data.forms.webqa import NO_ANSWER
from ietool.tasks.qa.data.question import Question
from ietool.text.characters import fold

Record = dict[str, Any]

_PLACE = Place("")
_BESIDE = ("answer_spans", "answer_docs", "match_scores")
"""Lists of DuReader 2.0 beside its ``fake_answers``."""


class AnswerChange:
    """A change of records for :func:`ietool.tasks.qa.data.forms.rewriting.rewritten`.

    Args:
        edits: :func:`mark_of` a question → what becomes of its answers; questions that are met are counted.
        form: of the file; empty: that of its first record that has one.
    """

    def __init__(self, edits: Mapping[str, Edits[Answer]], form: str = "") -> None:
        self.edits, self.form, self.number = edits, form, 0

    def __call__(self, record: Any) -> Any:
        self.form = self.form or (form_of(record) if isinstance(record, dict) else "")
        if not isinstance(record, dict) or not self.form:
            return record
        if self.form == "squad":
            return self._paragraphs(record)
        return self._question(record, record)

    def _paragraphs(self, record: Record) -> Record:
        """A paragraph, or an article of some."""
        for key, change in (("paragraphs", self._paragraph_of), ("qas", self._entry_of)):
            if key in record:
                if not isinstance(record[key], list):
                    return record
                after = [change(record, entry) for entry in record[key]]
                same = all(new is old for new, old in zip(after, record[key], strict=True))
                return record if same else {**record, key: after}
        return record

    def _paragraph_of(self, article: Record, entry: Any) -> Any:
        return self._paragraphs(entry) if isinstance(entry, dict) else entry

    def _entry_of(self, paragraph: Record, entry: Any) -> Any:
        if not isinstance(entry, dict):
            return entry
        context: Record = {key: paragraph[key] for key in ("context", "context_text") if key in paragraph}
        return self._question(entry, {**entry, **context})

    def _question(self, record: Record, whole: Record) -> Record:
        """A record after its edits.

        Args:
            whole: the same with all that a reader needs.
        """
        self.number += 1
        try:
            (question,) = READERS[self.form](_PLACE, whole, self.number, Wanted())
        except UserError:  # which preparing told of or left out
            return record
        edit = self.edits.get(mark_of(question))
        if edit is None:
            return record
        edit.seen += 1
        before = answers_of(question)
        after = changed(before, edit, lambda answer: answer.key)
        return {"webqa": _webqa, "squad": _squad, "dureader2": _dureader2}[self.form](record, question, before, after)


# -- lists of questions with passages


def _webqa(record: Record, question: Question, before: Sequence[Answer], after: Sequence[Answer]) -> Record:
    """What each passage answers, and the references: one that no passage answers any more goes, a new one comes."""
    passages = list(record["passages"])
    for index, passage in enumerate(question.passages):
        old, new = ([a for a in some if a.passage == index] for some in (before, after))
        if [a.key for a in old] != [a.key for a in new]:
            entry = passages[passage.document]
            entry = {"passage": entry} if isinstance(entry, str) else entry
            passages[passage.document] = {**entry, "answer": _like(entry.get("answer"), [a.text for a in new])}
    record = {**record, "passages": passages}
    key = next((key for key in ("golden_answers", "answers", "answer") if record.get(key) is not None), "")
    if key or any(answer.passage == WHOLE for answer in after):
        key = key or "golden_answers"
        record[key] = _like(record.get(key, []), _references(record.get(key, []), before, after))
    return record


def _references(given: Any, before: Sequence[Answer], after: Sequence[Answer]) -> list[str]:
    old, new = ({answer.key[2]: answer.text for answer in some} for some in (before, after))
    references = [given] if isinstance(given, str) else list(given)
    kept = [
        text
        for text in references
        if text.strip() and text not in NO_ANSWER and (_bare(text) in new or _bare(text) not in old)
    ]
    there = {_bare(text) for text in kept}
    # What a passage answered before without being a reference is none now.
    return kept + [text for bare, text in new.items() if bare not in there and bare not in old]


def _bare(text: str) -> str:
    return fold(text).strip()


def _like(given: Any, texts: list[str]) -> Any:
    """Some answers as the field had them: one string, or a list."""
    if isinstance(given, list) or len(texts) > 1:
        return texts
    return texts[0] if texts else NO_ANSWER[0]


# -- SQuAD


def _squad(record: Record, question: Question, before: Sequence[Answer], after: Sequence[Answer]) -> Record:
    """Entries that stay are the same; new ones have the place at which they stand. A question that has no answer left
    is impossible, one that has one is not."""
    given = record.get("answers")
    stays, there = {answer.key for answer in after}, {answer.key for answer in before}
    kept = []
    if not question.is_impossible:
        kept = [entry for entry in _entries(given) if _squad_answer(question, entry).key in stays]
    texts = isinstance(given, list) and bool(given) and all(isinstance(entry, str) for entry in given)
    for answer in after:
        if answer.key not in there:
            start = answer.start
            if start == UNKNOWN:
                start = next((at for _, at, _ in places_of(question, answer)), UNKNOWN)
            kept.append(answer.text if texts else {"text": answer.text, "answer_start": start})
    record = {**record, "answers": kept}
    if isinstance(given, dict):
        columns = {"text": [entry["text"] for entry in kept], "answer_start": [_start_of(entry) for entry in kept]}
        record["answers"] = {**given, **columns}
    if not kept or "is_impossible" in record:
        record["is_impossible"] = not kept
    return record


def _entries(given: Any) -> list[Any]:
    if isinstance(given, dict):  # as the hub's data sets write it
        return entries_of(given)
    return list(given or ())


def _start_of(entry: Any) -> int:
    start = entry.get("answer_start", UNKNOWN) if isinstance(entry, dict) else UNKNOWN
    return start if type(start) is int and start >= 0 else UNKNOWN


def _squad_answer(question: Question, entry: Any) -> Answer:
    text = entry if isinstance(entry, str) else entry["text"]
    # Of equal answers the place of the first counts, as when they are read.
    passage = question.passages[0]
    first = dict(zip(passage.answers, passage.starts, strict=True)).get(text, _start_of(entry))
    return marked(question, 0, text, first)


# -- DuReader 2.0


def _dureader2(record: Record, question: Question, before: Sequence[Answer], after: Sequence[Answer]) -> Record:
    """The spans that the preprocessing found, where there are some; else the references."""
    is_whole = any(answer.passage == WHOLE for answer in (*before, *after))
    if not is_whole and (before or record.get("fake_answers") is not None):
        return _dureader2_spans(record, question, before, after)
    return _dureader2_references(record, question, before, after)


def _dureader2_spans(record: Record, question: Question, before: Sequence[Answer], after: Sequence[Answer]) -> Record:
    documents = list(record["documents"])
    index_of = {(p.document, p.paragraph): n for n, p in enumerate(question.passages)}
    stays, there = {answer.key for answer in after}, {answer.key for answer in before}
    gone = set()
    for index, where, words, count in located(_PLACE, record, documents):
        if where in index_of:
            passage = index_of[where]
            text, start = in_text(question.passages[passage].text, words, count)
            if marked(question, passage, text, start).key not in stays:
                gone.add(index)
    record = {**record}
    size = len(record.get("answer_docs") or ())
    lists = {key: list(record.get(key) or ()) for key in ("fake_answers", *_BESIDE)}
    lists = {key: [v for n, v in enumerate(some) if n not in gone] for key, some in lists.items()}
    size -= len(gone)
    for answer in after:
        if answer.key in there:
            continue
        number, paragraph = question.passages[answer.passage].document, question.passages[answer.passage].paragraph
        if number in lists["answer_docs"] and documents[number].get("most_related_para") != paragraph:
            what = f"has an answer in paragraph {documents[number].get('most_related_para')} already, and can have none"
            message = f"question {question.question_id!r}: document {number} {what} in paragraph {paragraph}"
            raise UserError(message, mend="tick the row that drops the other answer too, or leave this one")
        documents[number] = {**documents[number], "most_related_para": paragraph}
        lists["fake_answers"] += [""] * (size - len(lists["fake_answers"])) + [answer.text]
        lists["answer_spans"] += [[0, 0]] * (size - len(lists["answer_spans"])) + [_words(documents, question, answer)]
        lists["answer_docs"].append(number)
        if record.get("match_scores") is not None:
            lists["match_scores"].append(1.0)
        size += 1
    for key, some in lists.items():
        if some or key in record:
            record[key] = some
    return {**record, "documents": documents}


def _words(documents: Sequence[Record], question: Question, answer: Answer) -> list[int]:
    """[first, last] of the words in which an answer stands; those of nothing where the file has no words."""
    passage = question.passages[answer.passage]
    first = last = 0
    start = next((at for _, at, _ in places_of(question, answer)), 0)
    begin = characters_of(passage.text[:start])
    end = begin + characters_of(answer.text)
    at = 0
    for number, word in enumerate(words_of(_PLACE, documents[passage.document], passage.paragraph)):
        if at <= begin:
            first = number
        if at < end:
            last = number
        at += characters_of(word)
    return [first, last]


def _dureader2_references(
    record: Record, question: Question, before: Sequence[Answer], after: Sequence[Answer]
) -> Record:
    """One that comes takes the place of one that goes, with what stands beside it."""
    given = record.get("answers")
    references = [given] if isinstance(given, str) else list(given or ())
    stays = {answer.key[2] for answer in after}
    known = {answer.key[2] for answer in before}
    new = [answer.text for answer in after if answer.key[2] not in known]
    beside = {
        key: list(record[key])
        for key in ("yesno_answers", "entity_answers")
        if isinstance(record.get(key), list) and len(record[key]) == len(references)
    }
    kept: list[str] = []
    rows: list[int] = []
    for index, text in enumerate(references):
        if text.strip() and _bare(text) not in stays:
            if not new:
                continue
            text = new.pop(0)
            if "entity_answers" in beside:
                beside["entity_answers"][index] = [text] if record.get("question_type") == "ENTITY" else []
        kept.append(text)
        rows.append(index)
    record = {**record, "answers": kept + new}
    return record | {key: [some[index] for index in rows] for key, some in beside.items()}
