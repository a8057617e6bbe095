"""Checking a submission of subjects: every record answered once, by a name that stands in its text, or by none."""

from __future__ import annotations

from pathlib import Path

from ietool.core.answers import Answers
from ietool.core.checking import Check, Place, control_in
from ietool.errors import UserError
from ietool.files.lines import read_lines
from ietool.tasks.event_subject.data.example import NONE
from ietool.tasks.event_subject.data.reading import read_inputs
from ietool.tasks.event_subject.score.files import FORMAT, read_predictions

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
        for one in read_predictions(check.result, answers.reject):
            place = Place(one.file, one.line)
            text = answers.answer({"id": one.id}, place)
            check.counts["subjects" if one.subject else "texts without a subject"] += 1
            if (code := control_in(one.subject)) is not None:
                check.tell(place.error("subject", f"has a control character ({code})", FORMAT))
            elif text is not None and one.subject not in text:
                what = f"{one.subject[:40]!r} does not stand in the text"
                check.tell(place.error("subject", what, f"write it as the text has it, or {NONE}"))
        answers.finish()
    finally:
        answers.close()
    check.rules.append(f"each of {answers.asked:,} records answered once")
    check.rules.append(f"subjects stand in their texts, or are {NONE}")
