"""The beginning of a file of a competition, as a file of its own: enough to prepare and to measure by."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ietool.core.forms import beginning
from ietool.files.documents import Document, open_documents, read_documents
from ietool.files.lines import read_lines
from ietool.files.plain_json import dump_json

RECORDS = 1_000
"""Records, or lines of a record each, at most; of files of tokens sentences."""

CHARACTERS = 1_500_000
"""Characters at most, but for the end of the last record."""


def first_lines(source: Path, document: Document | None = None) -> Iterator[str]:
    """The first records of a file, each a line with its end; of a list or a document of JSON they are taken apart.

    Lines that divide sentences are kept, and a sentence is never cut.

    Args:
        document: what a file of the task may be besides lines and lists.

    Raises:
        UserError: the file cannot be read.
    """
    lines = _values(source, document) if _is_json_value(source, document) else _lines(source)
    records = characters = 0
    for line, is_last in lines:
        yield line
        records += is_last
        characters += len(line)
        if is_last and (records >= RECORDS or characters >= CHARACTERS):
            return


def _is_json_value(source: Path, document: Document | None) -> bool:
    layout = next((layout for _, layout, _ in open_documents(source, document) if layout), "lines")
    return layout != "lines"


def _values(source: Path, document: Document | None) -> Iterator[tuple[str, bool]]:
    for _, record in read_documents(source, lambda error, line: None, document):
        yield dump_json(record) + "\n", True


def _lines(source: Path) -> Iterator[tuple[str, bool]]:
    """Lines, each with whether a record ends with it: every one does, unless blank lines stand between records."""
    divided = _has_blank_lines(source)
    before = 0
    for _, number, line in read_lines(source, lambda error, line: None):
        if divided and before and number > before + 1:
            yield "\n", True
        before = number
        yield line + "\n", not divided


def _has_blank_lines(source: Path) -> bool:
    """Whether a file of lines of tokens has its records divided by blank ones."""
    if isinstance(beginning(source), dict):
        return False
    before = 0
    for _, number, _ in read_lines(source, lambda error, line: None):
        if before and number > before + 1:
            return True
        before = number
        if number > RECORDS:
            return False
    return False
