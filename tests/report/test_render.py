"""Tables on terminals, elsewhere, and as JSON."""

from __future__ import annotations

import io
import json
from dataclasses import dataclass
from pathlib import Path

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
    long = "很长的文本" * 200
    assert long in plain(Table("", ("text",), [(long,)]))


def test_brackets_are_no_markup() -> None:
    out = terminal()
    render(TABLE, out)
    assert isinstance(out.file, io.StringIO)
    assert "[red]x[/]" in out.file.getvalue()


def test_terminal_folds_and_keeps_all() -> None:
    out = terminal(30)
    render(Table("", ("text",), [("0123456789" * 10,)]), out)
    assert isinstance(out.file, io.StringIO)
    assert out.file.getvalue().count("9") == 10


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
