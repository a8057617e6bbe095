"""Rows of CSV as a stream: against the library on the whole text, with line numbers, and bad ones by themselves."""

from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ietool.errors import UserError
from ietool.files.csv_rows import format_row, read_rows

CELLS = st.text(alphabet="ab甲 \n\t,\"'", max_size=6)


def lines(text: str, file: str = "f") -> list[tuple[str, int, str]]:
    """As ``read_lines`` gives them: blank ones left out."""
    return [(file, n, line) for n, line in enumerate(text.split("\n"), 1) if line.strip()]


@settings(max_examples=50)
@given(st.lists(st.lists(CELLS, min_size=1, max_size=4), max_size=6))
def test_rows_are_those_of_the_library(rows: list[list[str]]) -> None:
    """Cells with line ends, quotes and commas among them; lines of blanks within a cell come without their blanks."""
    text = "".join(format_row(row) + "\n" for row in rows)
    kept = "\n".join("" if not line.strip() else line for line in text.split("\n"))
    found = list(read_rows(lines(text)))
    assert [cells for *_, cells in found] == list(csv.reader(io.StringIO(kept, newline=""), strict=True))
    # A row begins on the line that many line ends of earlier rows lie before.
    at = 1
    for (_, number, raw, _), row in zip(found, rows, strict=True):
        assert number == at
        assert next(csv.reader([raw], strict=True)) if "\n" not in raw else raw
        at += format_row(row).count("\n") + 1


def test_bad_rows_are_told_with_their_line_and_the_rest_is_read() -> None:
    told: list[tuple[str, str]] = []
    text = 'a,b\n\n"c"d,e\n"f\n\ng",h\n"i,j\n"k",l\nm,n\n'
    found = list(read_rows(lines(text), lambda error, raw: told.append((str(error), raw))))
    assert [(number, cells) for _, number, _, cells in found] == [
        (1, ["a", "b"]),
        (4, ["f\n\ng", "h"]),
        (8, ["k", "l"]),
        (9, ["m", "n"]),
    ]
    assert [raw for _, raw in told] == ['"c"d,e', '"i,j']
    assert told[0][0].startswith("f:3: has more behind a closing quote than a comma → close the quote")
    assert told[1][0].startswith("f:7: has more behind a closing quote than a comma")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('x,y\n"z\n', "f:2: opens a quote that is not closed"),
        ('"' + "甲" * 140_000 + "\n", "f:1: opens a quote that is"),
    ],
)
def test_a_quote_that_is_never_closed(text: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        list(read_rows(lines(text)))


def test_a_quote_that_is_never_closed_takes_no_other_row_along() -> None:
    told: list[str] = []
    text = 'a,b\n\n1,"x\n\n' + "".join(f"{n},y\n" for n in range(300))
    found = [(number, cells) for _, number, _, cells in read_rows(lines(text), lambda error, raw: told.append(raw))]
    assert found == [(1, ["a", "b"]), *((n + 5, [str(n), "y"]) for n in range(300))] and told == ['1,"x']


def test_an_open_quote_ends_with_its_member() -> None:
    told: list[UserError] = []
    some = [("a.zip!1", 1, '"x,y'), ("a.zip!2", 1, '"z",w')]
    found = list(read_rows(some, lambda error, raw: told.append(error)))
    assert [(file, cells) for file, _, _, cells in found] == [("a.zip!2", ["z", "w"])]
    assert [(error.file, error.line) for error in told] == [("a.zip!1", 1)]
