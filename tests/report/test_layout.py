"""Tables of wild cells at every width: numbers and names are whole, and no line is longer than it need be."""

from __future__ import annotations

import io
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ietool.report.render import as_tsv, cell_text, render, render_all
from ietool.tables import Difference, Interval, Table, between, interval, share
from tests.report.laid_out import WIDTHS, check, lines_of

WILD = ("\x1b[31m红\x1b[0m", "a\u202eb", "两\n行\t字", "[red]x[/]", "{{ x }}", "全\u3000角", "\ud800", "/a" * 70,
        "\U0001f469\u200d\U0001f467 é")  # fmt: skip
TEXTS = st.one_of(st.text(max_size=12), st.text("ab, .江城大学，《》/-0123456789", max_size=90), st.sampled_from(WILD))
NAMES = ("where", "F1", "95 % interval", "关系", "", "a rather long name")
CELLS = st.one_of(
    st.none(),
    st.integers(),
    st.floats(),
    st.booleans(),
    TEXTS,
    st.floats().map(Difference),
    st.builds(Interval, st.floats(), st.floats(), st.booleans()),
)


@st.composite
def tables(draw: st.DrawFn) -> Table:
    """Up to nine columns, some of them to be copied."""
    names = draw(st.lists(st.sampled_from(NAMES), min_size=1, max_size=9))
    columns = [f"{name}{n}" for n, name in enumerate(names)]
    rows = draw(st.lists(st.tuples(*(CELLS for _ in columns)), max_size=4))
    whole = [name for name in columns if draw(st.booleans())]
    note = draw(st.text("ab 江。", max_size=140))
    return Table(draw(st.text("ab 江,", max_size=130)), columns, rows, note=note, whole=whole)


@pytest.mark.parametrize("width", WIDTHS)
@given(table=tables(), blocks=st.booleans())
@settings(max_examples=60)
def test_numbers_names_and_words_are_whole_at_every_width(table: Table, blocks: bool, width: int | None) -> None:
    check(table, width, blocks=blocks)


@given(tables())
def test_programs_get_every_cell(table: Table) -> None:
    lines = as_tsv(table).split("\n")
    rows = [line.split("\t") for line in lines[bool(table.title) : -1]]
    assert len(rows) == 1 + len(table.rows) and len({len(row) for row in rows}) == 1
    double = {at for row in table.rows for at, cell in enumerate(row) if isinstance(cell, Interval)}
    for row, cells in zip(rows[1:], table.rows, strict=True):
        left = iter(row)
        for at, cell in enumerate(cells):
            told = [next(left), next(left)] if at in double else [next(left)]
            if isinstance(cell, Interval):
                assert told == [repr(cell.low), repr(cell.high)]
            elif isinstance(cell, float):
                assert told[0] == repr(float(cell))
            elif not isinstance(cell, str):
                assert told[0] == ("" if cell is None else str(cell))
            else:
                assert told[0] == cell_text(cell)
    assert [name.endswith(" low") for name in rows[0]].count(True) == len(double)


WIDE = Table(
    "",
    ("where", "score", "95 %", "state", "recipe", "data", "note"),
    [
        (
            f"/folder/of/some/length/run-{n}",
            0.9123,
            ".902 – .951",
            "finished",
            "ner-crf",
            "/data/of/a/competition",
            "x",
        )
        for n in range(2)
    ],
    whole=("where", "95 %", "data"),
)


def test_what_matters_stands_first_and_the_rest_comes_in_further_tables() -> None:
    lines = lines_of(WIDE, 80)
    assert lines[0].split() == ["where", "score", "95", "%", "state", "recipe"]
    assert lines[2].split() == [
        "/folder/of/some/length/run-0", "0.9123", ".902", "–", ".951", "finished", "ner-crf",
    ]  # fmt: skip
    assert lines[4] == "" and lines[5].split() == ["where", "data", "note"]
    assert lines[8].startswith("/folder/of/some/length/run-1  /data/of/a/competition")
    assert len(lines_of(WIDE, 120)) == 5  # of all columns side by side


def test_rows_that_their_first_column_does_not_tell_apart_become_blocks() -> None:
    alike = Table("", WIDE.columns, [WIDE.rows[0], WIDE.rows[0]], whole=WIDE.whole)
    assert [line[:7].rstrip() for line in lines_of(alike, 80)[:8]] == ["", *WIDE.columns]


def test_a_screen_that_is_too_narrow_for_two_columns_gets_blocks() -> None:
    lines = lines_of(WIDE, 30)
    assert "where   /folder/of/some/length/run-1" in lines and "score   0.9123" in lines


def test_sentences_in_a_pipe_end_at_words_or_between_chinese_characters() -> None:
    sentence = "这是一句很长的话，" * 30
    lines = lines_of(Table("", ("text", "n"), [(sentence, 3)], note=sentence), None)
    assert max(len(line) * 2 for line in lines) <= 130
    assert "".join(lines).replace(" ", "").startswith(f"text{sentence}n3")


def test_several_tables_are_divided_by_a_blank_line() -> None:
    class Out:
        is_terminal = False
        file = io.StringIO()

    out: Any = Out()
    render_all([Table("a", ("x",), [(1.5,)]), Table("b", ("y",), [(None,)])], out, tsv=True)
    assert out.file.getvalue() == "# a\nx\n1.5\n\n# b\ny\n\n"
    render(Table("c", (), ()), out)
    assert out.file.getvalue().endswith("c\n")


def test_shares_and_intervals() -> None:
    assert [share(x) for x in (0.9023, 1.0, 0.0, -0.0001, -0.25, 12.5, float("nan"))] == [
        ".902", "1.000", ".000", ".000", "-.250", "12.500", "–",
    ]  # fmt: skip
    assert [share(x, signed=True) for x in (0.5, -0.5, 0.0)] == ["+.500", "-.500", ".000"]
    assert between((0.902, 0.951)) == ".902 – .951" and between(None) == ""
    assert between([-0.004, 0.0211], signed=True) == "-.004 – +.021" == str(interval([-0.004, 0.0211], signed=True))
    assert interval(None) is None and cell_text(Difference(0.25)) == "+0.2500"
