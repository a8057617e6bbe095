"""Questions of a file, whatever its form: records are found, recognised, taken apart, checked; repeats are told."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from ietool.errors import UserError
from ietool.files.documents import Place
from ietool.files.lines import SKIP, OnBad
from ietool.files.plain_json import json_kind
from ietool.files.records import SeenTexts, digest, none_usable
from ietool.tasks.qa.data.forms import dureader2, squad, webqa
from ietool.tasks.qa.data.forms.documents import read_documents
from ietool.tasks.qa.data.forms.recognise import FORMS, KNOWN, form_of
from ietool.tasks.qa.data.forms.wanted import Wanted
from ietool.tasks.qa.data.question import Question

READERS: dict[str, Callable[[Place, dict[str, Any], int, Wanted], Iterator[Question]]] = {
    "webqa": webqa.questions,
    "squad": squad.questions,
    "dureader2": dureader2.questions,
}
"""Form → (place, record, its number, what is wanted) → its questions; of a SQuAD record each of its parts is one."""
_MEND = f"bring {KNOWN}"


def first_form(path: str | Path) -> str:
    """The form of the first record that has one. Raises UserError where there is none."""
    something = False
    for _, record in read_documents(path, _ignore):
        something = True
        if isinstance(record, dict) and (form := form_of(record)):
            return form
    raise UserError("is of no known form" if something else "holds no question", file=path, mend=_MEND)


def _ignore(error: UserError, line: str) -> None:
    """For those who want to know only what can be read."""


def read_questions(path: str | Path, on_bad: OnBad | None, wanted: Wanted) -> Iterator[Question]:
    """Stream the questions of a file. See :func:`ietool.tasks.qa.data.reading.load_questions`."""
    if wanted.form is not None and wanted.form not in FORMS:
        raise UserError(f"no such form: {wanted.form}", field="form", mend=f"choose one of {', '.join(FORMS)}")
    bad, good, number = 0, 0, 0
    first: UserError | None = None

    def reject(error: UserError, raw: str) -> None:
        nonlocal bad, first
        if on_bad is None:
            raise error
        bad, first = bad + 1, first or error
        on_bad(error, raw)

    # Ids are kept on disk: memory does not grow with their number.
    with tempfile.TemporaryDirectory(prefix="ietool-") as scratch:
        seen = SeenTexts(Path(scratch))
        try:
            for place, record, form in _records(path, wanted.form, on_bad and reject, reject):
                number += 1
                try:
                    for question in READERS[form](place, record, number, wanted):
                        if not seen.first_time(digest(question.question_id), b""):
                            raise place.error("", f"repeats the id {question.question_id}", _REPEATED)
                        good += 1
                        yield question
                except UserError as error:
                    reject(error, json.dumps(record, ensure_ascii=False))
        finally:
            seen.close()
    if first is not None and not good:
        raise none_usable(first, bad)
    if not good:
        raise UserError("holds no question", file=path, mend=_MEND)


def record_questions(record: dict[str, Any], place: Place, wanted: Wanted) -> Iterator[Question]:
    """The questions of one record, whose form its keys tell.

    Raises:
        UserError: it is of no known form, or naming the field that is wrong.
    """
    form = form_of(record)
    if not form:
        raise place.error("", "is of no known form", 'write {"question": …, "passages": […]}')
    parts = squad.parts(place, record) if form == "squad" else ((place, record),)
    for number, (inner, part) in enumerate(parts, 1):
        yield from READERS[form](inner, part, number, wanted)


_REPEATED = "give each question an id of its own, or keep only the first with --skip-bad"


def _records(
    path: str | Path, form: str | None, on_bad: OnBad | None, reject: OnBad
) -> Iterator[tuple[Place, dict[str, Any], str]]:
    """(place, record of one question, form). All records of a file have the form of the first that can be told."""
    for place, record in read_documents(path, on_bad):
        try:
            if not isinstance(record, dict):
                raise place.error("", f"is {json_kind(record)}, an object is needed", SKIP)
            form = form or form_of(record)
            if not form:
                raise place.error("", "is of no known form", _MEND)
            if form == "squad":
                for inner, part in squad.parts(place, record, reject):
                    yield inner, part, form
            else:
                yield place, record, form
        except UserError as error:
            reject(error, json.dumps(record, ensure_ascii=False))
