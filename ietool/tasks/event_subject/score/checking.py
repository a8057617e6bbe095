"""Checking a submission of subjects: every record answered once, by a name that stands in its text, or by none."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from pathlib import Path

from ietool.core.answers import Answers
from ietool.core.checking import Check, Place, control_in
from ietool.errors import UserError
from ietool.files.csv_rows import read_rows
from ietool.files.lines import read_lines
from ietool.tasks.event_subject.data.example import NONE
from ietool.tasks.event_subject.data.reading import is_json, read_inputs
from ietool.tasks.event_subject.score.files import FORMAT

COMPETITION = "ccks2019-subject"


def competition_of(source: Path) -> str:
    """There is one; raises UserError if the input holds nothing."""
    if next(read_lines(source), None) is None:
        raise UserError("holds no text", file=source, mend="name the input that is answered")
    return COMPETITION


def check(check: Check) -> None:
    """Check a submission.

    Raises:
        UserError: the input cannot be read, or the submission is no text file.
    """
    answers = Answers(check)
    try:
        for example in read_inputs(read_lines(check.source)):
            answers.ask({"id": example.id}, Place(example.file, example.line), example.text)
        check.counts["texts"] = answers.asked
        for place, identity, subject in _rows(check, answers):
            text = answers.answer({"id": identity}, place)
            check.counts["texts without a subject" if subject == NONE else "subjects"] += 1
            if fault := _fault(subject, text, place):
                check.tell(fault)
        answers.finish()
    finally:
        answers.close()
    check.rules.append(f"each of {answers.asked:,} records answered once")
    check.rules.append(f"subjects stand in their texts, or are {NONE}")


def _rows(check: Check, answers: Answers) -> Iterator[tuple[Place, str, str]]:
    """(place, id, subject) of each row, as it stands: what scoring forgives an organiser may not.

    Raises:
        UserError: it is no CSV.
    """
    lines = read_lines(check.result, answers.reject)
    first = next(lines, None)
    if first is not None and is_json(first[2]):
        raise Place(*first[:2]).error("", "is JSON, but subjects are handed in as CSV", FORMAT)
    for file, line, raw, cells in read_rows(chain([] if first is None else [first], lines), answers.reject):
        place = Place(file, line)
        if len(cells) == 2:
            yield place, cells[0], cells[1]
        else:
            answers.reject(place.error("", f"has {len(cells)} cells, 2 are needed", FORMAT), raw)


def _fault(subject: str, text: str | None, place: Place) -> UserError | None:
    """The first thing that is wrong with a subject; ``text`` is None where its id is none that is asked."""
    if subject == NONE:
        return None
    if not subject.strip():
        return place.error("subject", "is empty", f"write {NONE} where there is none")
    if (code := control_in(subject)) is not None:
        return place.error("subject", f"has a control character ({code})", FORMAT)
    if text is not None and subject not in text:
        what = f"{subject[:40]!r} does not stand in the text"
        return place.error("subject", what, f"write it as the text has it, or {NONE}")
    return None
