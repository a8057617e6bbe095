"""Tables on terminals, elsewhere, and as JSON."""

from __future__ import annotations

import io
import json
from dataclasses import dataclass
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console

from ietool.recipe_io import load_recipe
from ietool.report.render import cell_text, plain, render, to_json
from ietool.tables import Table

TABLE = Table("关系", ("name", "f1", "n"), [("作者", 0.51234, 12), ("[red]x[/]", None, 3)], note="worst first")


def terminal(width: int = 80) -> Console:
    return Console(file=io.StringIO(), force_terminal=True, width=width, color_system="truecolor")


def test_plain_columns_line_up_also_in_chinese() -> None:
    lines = plain(TABLE).splitlines()
    assert lines[0] == "关系"
    assert lines[-1] == "worst first"
    assert [cell_len(line) for line in lines[1:-1]] == [cell_len(lines[1])] * 4
    assert "0.5123" in lines[3]
    assert "–" in lines[4]


def test_plain_never_cuts() -> None:
    long, path = "很长的文本" * 200, "/long" * 60
    shown = plain(Table("", ("text", "path"), [(long, path)]))
    assert long in "".join(line.removeprefix("text").strip() for line in shown.splitlines())
    assert any(line.endswith(path) for line in shown.splitlines())


def test_brackets_are_no_markup() -> None:
    out = terminal()
    render(TABLE, out)
    assert isinstance(out.file, io.StringIO)
    assert "[red]x[/]" in out.file.getvalue()


def shown(table: Table, width: int = 80) -> list[str]:
    """The lines of a table on a terminal without colours."""
    file = io.StringIO()
    render(table, Console(file=file, force_terminal=True, width=width, color_system=None))
    return [line.rstrip() for line in file.getvalue().splitlines()]


COPIED = ("ner-globalpointer", "/a/folder/with/a/long/name/20261128-190000", "0.9507", "江城大学附属中学第三分校")
PROSE = "an encoder of twelve layers and a head that scores every span for every type"


def test_what_is_copied_is_never_broken_and_sentences_break_at_words() -> None:
    table = Table(
        "", ("name", "model", "f1"), [("ner-globalpointer", PROSE, 0.9507), ("江城大学附属中学", PROSE, None)]
    )
    lines = shown(table, 60)
    assert max(map(cell_len, lines)) <= 60
    text = "\n".join(lines)
    assert "ner-globalpointer" in text and "0.9507" in text and "江城大学附属中学" in text
    assert all(word in text for word in PROSE.split())


def test_rows_become_blocks_where_columns_do_not_fit() -> None:
    table = Table("", ("name", "where", "f1", "title"), [COPIED, COPIED])
    lines = shown(table, 60)
    for cell in COPIED:
        assert sum(line.endswith(cell) for line in lines) == 2, lines
    assert [line.split()[0] for line in lines if line][:4] == ["name", "where", "f1", "title"]


@given(
    cells=st.lists(
        st.lists(st.text("ab/. 江", min_size=1, max_size=30), min_size=3, max_size=3), min_size=1, max_size=4
    ),
    width=st.integers(20, 120),
)
def test_no_word_is_lost_or_broken_at_any_width(cells: list[list[str]], width: int) -> None:
    text = "\n".join(shown(Table("", ("one", "two", "three"), cells), width))
    for word in (word for row in cells for cell in row for word in cell.split()):
        assert word in text


def test_a_note_is_wrapped_at_words_and_a_path_in_it_is_whole() -> None:
    path = "/a/" + "long/" * 20
    lines = shown(Table("t", (), (), note=f"{PROSE} {path} {PROSE}"), 40)
    assert path in lines
    assert all(len(line) <= 40 for line in lines if line != path)


def test_control_characters_are_shown_not_obeyed() -> None:
    assert cell_text("a\x1b[31mb") == "a\\x1b[31mb"
    assert cell_text("a\u202eb") == "a\\u202eb"
    assert cell_text("两\n行\t字") == "两 行 字"
    assert cell_text("全\u3000角") == "全\u3000角"


def test_json_takes_what_we_have() -> None:
    @dataclass
    class Thing:
        path: Path
        names: frozenset[str]

    value = {"thing": Thing(Path("a/b"), frozenset({"乙", "甲"})), "recipe": load_recipe("ske"), "table": TABLE}
    text = to_json(value)
    assert "甲" in text
    back = json.loads(text)
    assert back["thing"] == {"path": "a/b", "names": ["乙", "甲"]}
    assert back["recipe"]["name"] == "ske"
    assert back["table"]["rows"][0] == ["作者", 0.51234, 12]


def test_json_survives_lone_surrogates() -> None:
    assert json.loads(to_json(["\ud800"]).encode("utf-8")) == ["\ud800"]
