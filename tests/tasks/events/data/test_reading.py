"""Files of events in either form: what is read, and what is told of bad ones."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ietool.errors import UserError
from ietool.tasks.events.data.example import NOWHERE, Argument, Event, Example
from ietool.tasks.events.data.reading import load_examples, read_inputs
from ietool.tasks.events.data.schema import read_schema
from ietool.tasks.events.writing import format_line
from tests.tasks.events.made import examples, write_json

TEXT = "甲公司昨天收购乙公司"
GOLD: dict[str, Any] = {
    "text": TEXT,
    "id": "1",
    "event_list": [
        {
            "event_type": "收购",
            "trigger": "收购",
            "trigger_start_index": 5,
            "arguments": [
                {"argument_start_index": 7, "role": "被收购方", "argument": "乙公司", "alias": []},
                {"argument_start_index": 0, "role": "收购方", "argument": "甲公司", "alias": ["甲"]},
            ],
            "class": "财经",
        }
    ],
}
FEWFC: dict[str, Any] = {
    "id": "1",
    "content": TEXT,
    "events": [
        {
            "type": "收购",
            "mentions": [
                {"word": "甲公司", "span": [0, 3], "role": "sub"},
                {"word": "收购", "span": [5, 7], "role": "trigger"},
            ],
        }
    ],
}


def write(path: Path, *rows: Any) -> Path:
    lines = (row if isinstance(row, str) else json.dumps(row, ensure_ascii=False) for row in rows)
    path.write_text("".join(line + "\n" for line in lines), encoding="utf-8")
    return path


def changed(record: dict[str, Any], at: str, value: Any) -> dict[str, Any]:
    """A copy with one field changed; ``at`` is its path, ``del`` takes it out."""
    copy = json.loads(json.dumps(record))
    *path, last = [int(p) if p.isdigit() else p for p in at.split(".")]
    inner = copy
    for part in path:
        inner = inner[part]
    if value == "del":
        del inner[last]
    else:
        inner[last] = value
    return copy  # type: ignore[no-any-return]


def test_both_forms(tmp_path: Path) -> None:
    (one,) = load_examples(write(tmp_path / "a.json", GOLD))
    arguments = (Argument(0, 3, "收购方", ("甲",)), Argument(7, 10, "被收购方"))
    assert one.events == (Event("收购", 5, 7, arguments),) and (one.form, one.id, one.line) == ("duee", "1", 1)
    (other,) = load_examples(write(tmp_path / "b.json", FEWFC))
    assert other.events == (Event("收购", 5, 7, (Argument(0, 3, "sub"),)),) and other.form == "fewfc"


def test_an_event_without_trigger_and_one_that_stands_twice(tmp_path: Path) -> None:
    none = changed(changed(GOLD, "event_list.0.trigger", "del"), "event_list.0.trigger_start_index", "del")
    none["event_list"] *= 2
    (example,) = load_examples(write(tmp_path / "a.json", none))
    assert len(example.events) == 1 and example.events[0].start == NOWHERE


EVENT, FIRST, SECOND = "event_list[0]", "event_list[0].arguments[0]", "event_list[0].arguments[1]"


@pytest.mark.parametrize(
    ("at", "value", "field", "message"),
    [
        ("text", "del", "text", "is missing"),
        ("text", " ", "text", "is empty"),
        ("text", None, "text", "is null, a string is needed"),
        ("id", [], "id", "is a list, a number or a string is needed"),
        ("event_list", "del", "event_list", "is missing"),
        ("event_list", {}, "event_list", "is an object, a list is needed"),
        ("event_list.0", "x", "event_list[0]", "is a string, an object is needed"),
        ("event_list.0.event_type", "", "event_list[0].event_type", "is empty"),
        ("event_list.0.trigger", 3, f"{EVENT}.trigger", "is a number, a string is needed"),
        ("event_list.0.trigger_start_index", "del", f"{EVENT}.trigger_start_index", "is missing"),
        ("event_list.0.trigger_start_index", True, f"{EVENT}.trigger_start_index", "is true or false"),
        ("event_list.0.trigger_start_index", 1.5, f"{EVENT}.trigger_start_index", "is a number, a whole number"),
        ("event_list.0.trigger_start_index", -1, f"{EVENT}.trigger_start_index", "is -1, which is before the text"),
        ("event_list.0.trigger_start_index", 4, f"{EVENT}.trigger", "from 4 to 6 are '天收', not '收购'"),
        ("event_list.0.arguments", "del", "event_list[0].arguments", "is missing"),
        ("event_list.0.arguments.1.role", "del", f"{SECOND}.role", "is missing"),
        ("event_list.0.arguments.0.argument_start_index", 10**8, f"{FIRST}.argument", "lies outside"),
        ("event_list.0.arguments.0.argument_start_index", int("9" * 4300), f"{FIRST}.argument_start_index", "no place"),
        ("event_list.0.arguments.0.argument", "丁公司", f"{FIRST}.argument", "not '丁公司'"),
        ("event_list.0.arguments.1.alias", "甲", f"{SECOND}.alias", "is a string, a list is needed"),
        ("event_list.0.arguments.1.alias", [1], f"{SECOND}.alias[0]", "is a number, a string is"),
    ],
)  # fmt: skip
def test_what_is_told_of_bad_records(tmp_path: Path, at: str, value: Any, field: str, message: str) -> None:
    path = write(tmp_path / "a.json", GOLD, changed(GOLD, at, value))
    with pytest.raises(UserError) as caught:
        list(load_examples(path))
    error = caught.value
    assert (error.file, error.line, error.field) == (str(path), 2, field) and message in error.message and error.mend
    told: list[UserError] = []
    assert len(list(load_examples(path, on_bad=lambda e, line: told.append(e)))) == 1 and len(told) == 1


@pytest.mark.parametrize(
    ("at", "value", "field", "message"),
    [
        ("content", "del", "content", "is missing"),
        ("events.0.mentions.0.span", [0, 2], "events[0].mentions[0].word", "are '甲公', not '甲公司'"),
        ("events.0.mentions.0.span", [3, 3], "events[0].mentions[0].span", "[3, 3] is no [start, end]"),
        ("events.0.mentions.0.span", "del", "events[0].mentions[0].span", "is missing"),
        ("events.0.mentions.0.role", "trigger", "events[0].mentions[1].role", "the event has one already"),
        ("events", "del", "events", "is missing"),
    ],
)
def test_what_is_told_of_bad_records_of_fewfc(tmp_path: Path, at: str, value: Any, field: str, message: str) -> None:
    with pytest.raises(UserError) as caught:
        list(load_examples(write(tmp_path / "a.json", changed(FEWFC, at, value))))
    assert caught.value.field == field and message in caught.value.message


@pytest.mark.parametrize("line", ["[]", "{", "NaN", '{"text": NaN}', "null", '{"text": "\\ud800"}'])
def test_lines_that_are_no_record(tmp_path: Path, line: str) -> None:
    with pytest.raises(UserError) as caught:
        list(load_examples(write(tmp_path / "a.json", GOLD, line)))
    assert caught.value.line == 2


def test_an_empty_file_a_byte_order_mark_and_crlf(tmp_path: Path) -> None:
    empty = write(tmp_path / "empty.json")
    with pytest.raises(UserError, match="holds no record"):
        list(load_examples(empty))
    marked = tmp_path / "b.json"
    marked.write_bytes(b"\xef\xbb\xbf" + json.dumps(GOLD, ensure_ascii=False).encode() + b"\r\n\r\n")
    assert len(list(load_examples(marked))) == 1


def test_inputs_need_a_text_alone() -> None:
    lines = [("f", 1, '{"text": "甲", "id": 7}'), ("f", 2, '{"content": "", "id": "x", "events": 3}')]
    assert list(read_inputs(lines)) == [Example("甲", (), "duee", 7, "f", 1), Example("", (), "fewfc", "x", "f", 2)]
    with pytest.raises(UserError, match="text: is missing"):
        list(read_inputs([("f", 1, "{}")]))


def test_a_schema_binds(tmp_path: Path) -> None:
    path = write(tmp_path / "schema.json", {"event_type": "收购", "role_list": [{"role": "收购方"}, {"role": "时间"}]})
    schema = read_schema(path)
    assert schema.roles == {"收购": ("收购方", "时间")}
    data = write(tmp_path / "a.json", GOLD)
    with pytest.raises(UserError, match=r"'被收购方' is no role of '收购' in .*which has 收购方, 时间"):
        list(load_examples(data, schema))
    wrong = write(tmp_path / "b.json", changed(GOLD, "event_list.0.event_type", "收购案"))
    with pytest.raises(UserError, match=r"'收购案' is no type of .*the nearest it has is '收购'"):
        list(load_examples(wrong, schema))


@pytest.mark.parametrize(
    ("row", "field"),
    [
        ({}, "event_type"),
        ({"event_type": "收购"}, "role_list"),
        ({"event_type": "收购", "role_list": [{}]}, "role_list[0].role"),
    ],
)
def test_what_is_told_of_a_bad_schema(tmp_path: Path, row: Any, field: str) -> None:
    with pytest.raises(UserError) as caught:
        read_schema(write(tmp_path / "schema.json", row))
    assert caught.value.field == field and caught.value.mend == "copy the line from the published schema"
    with pytest.raises(UserError, match="holds no type of event"):
        read_schema(write(tmp_path / "empty.json"))


def test_submissions_have_the_form_of_the_input() -> None:
    events = [
        Event(
            "收购", 5, 7, (Argument(0, 3, "收购方"), Argument(7, 10, "被收购方"), Argument(7, 10, "被收购方", ("乙",)))
        )
    ]
    arguments = [{"role": "收购方", "argument": "甲公司"}, {"role": "被收购方", "argument": "乙公司"}]
    wanted = [{"event_type": "收购", "trigger": "收购", "arguments": arguments}]
    assert json.loads(format_line(Example(TEXT, form="duee", id="7"), events)) == {"id": "7", "event_list": wanted}
    assert json.loads(format_line(Example(TEXT), events)) == {"text": TEXT, "event_list": wanted}
    own = json.loads(format_line(Example(TEXT, form="fewfc", id="7"), events))
    assert own["content"] == TEXT and own["events"][0]["mentions"][0] == {
        "word": "收购",
        "span": [5, 7],
        "role": "trigger",
    }


def test_what_ships_reads_back(tmp_path: Path) -> None:
    some = examples(40)
    assert [e.events for e in load_examples(write_json(tmp_path / "a.json", some))] == [e.events for e in some]
