"""Telling the form of a record from its keys."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

FORMS = ("webqa", "squad", "dureader2")
"""WebQA and SogouQA lists; CMRC 2018, DRCD, DuReader-robust and checklist; DuReader 2.0, raw and preprocessed."""

KNOWN = 'a list of {"question", "passages"}, {"data": [{"paragraphs": …}]} or {"question_id", "documents"} a line'
"""The forms, for messages."""


def form_of(record: Mapping[str, Any]) -> str:
    """One of ``FORMS``, or empty."""
    if "documents" in record:
        return "dureader2"
    if "paragraphs" in record or "qas" in record:
        return "squad"
    if "passages" in record:
        return "webqa"
    if "question_id" in record and ("question_type" in record or "answers" in record):
        return "dureader2"  # its files of references and its test files without documents
    if "question" in record and ("golden_answers" in record or "answer" in record):
        return "webqa"  # a question whose passages are missing: said as such
    return ""


def begins_questions(begin: Mapping[str, Any] | list[str]) -> bool:
    """Whether a file that begins so holds questions with their passages."""
    if not isinstance(begin, Mapping):
        return False
    if any(isinstance(begin.get(key, ""), list | None) for key in ("documents", "passages", "paragraphs", "qas")):
        return True
    return isinstance(begin.get("data"), list) and "subject_id" not in begin
