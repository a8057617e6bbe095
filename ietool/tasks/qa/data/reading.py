"""Questions of every form that was published: reading and validating them.

The doors of the room. What an example is stands in ``question.py``, how a file is taken apart in ``forms``, under which
names the organisers publish in ``sources.py``, and the reading of predictions in ``submission.py``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ietool.errors import UserError
from ietool.files.documents import Place
from ietool.files.lines import OnBad
from ietool.tasks.qa.data.forms.reading import first_form, read_questions, record_questions
from ietool.tasks.qa.data.forms.wanted import Wanted
from ietool.tasks.qa.data.question import Passage, Question

_MARKUP = re.compile(r"</?[a-zA-Z][^<>]*>|&(?:[a-zA-Z]{2,8}|#\d{1,6}|#x[0-9a-fA-F]{1,5});")


def load_questions(
    path: str | Path,
    on_bad: OnBad | None = None,
    *,
    form: str | None = None,
    needs_answers: bool = True,
    needs_passages: bool = True,
) -> Iterator[Question]:
    """Stream the validated questions of a file, plain, gzip or zip (every member); ``-`` is standard input.

    Memory holds one record at a time (a paragraph with its questions, a question with its passages), however long the
    file is, whether it is a JSON document or has a record a line.

    Args:
        path: the file.
        on_bad: told of bad questions, which are then skipped, later ones of an id that came before included; without
            it the first one raises.
        form: one of ``FORMS``; default: recognised.
        needs_answers: whether a question without gold is bad.
        needs_passages: whether a question without passages is bad (files of references for a scorer have none).

    Raises:
        UserError: naming file, line or field; also when the file is empty, is of no known form or has no usable
            question.
    """
    return read_questions(path, on_bad, Wanted(form, answers=needs_answers, passages=needs_passages))


def detect_form(path: str | Path) -> str:
    """The form of a file, told from its first record that has one: one of ``FORMS``.

    Raises:
        UserError: the file cannot be read, is empty, or is of no known form.
    """
    return first_form(path)


def read_inputs_file(source: str, on_bad: OnBad | None = None, *, form: str | None = None) -> Iterator[Question]:
    """Stream the questions of a test file, or of one with gold, which is read where it is there; with ``on_bad`` bad
    ones go there and are left out.

    Raises:
        UserError: as :func:`load_questions`.
    """
    return load_questions(source, on_bad, form=form, needs_answers=False)


def input_of(text: str) -> Question:
    """The question in ``question<TAB>passage<TAB>passage…``.

    Raises:
        UserError: there is no question or no passage.
    """
    question, *passages = (part.strip() for part in text.split("\t"))
    texts = [passage for passage in passages if passage]
    if not question or not texts:
        what = "has no question" if not question else "has a question, but no passage"
        raise UserError(what, file="--text", mend="write the question and its passages with tabs between them")
    return Question("1", question, tuple(Passage(text, document=n) for n, text in enumerate(texts)))


def questions_of(record: Mapping[str, Any], place: str) -> Iterator[Question]:
    """The questions of one record of any form that was published, as plain data.

    Args:
        place: stands for the file in messages.

    Raises:
        UserError: naming the field that is wrong.
    """
    return record_questions(dict(record), Place(place), Wanted(answers=False))


def has_markup(text: str) -> bool:
    """Whether there is HTML in a passage, a tag or an entity such as ``&nbsp;``."""
    return _MARKUP.search(text) is not None
