"""Rows and lines of records: read, and what is wrong with them told in one line."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import pytest

from ietool.errors import UserError
from ietool.files.lines import read_lines
from ietool.tasks.event_subject.data.example import Example, occurrences
from ietool.tasks.event_subject.data.reading import begins_events, load_examples, read_inputs, subject_of
from ietool.tasks.event_subject.data.sources import locate
from tests.tasks.event_subject.made import examples, write_csv

ROW = '"7","林满科技亏损，云州食品减持","减持","云州食品"\n'


def write(path: Path, text: str | bytes) -> Path:
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def plain(some: list[Example]) -> list[tuple[str, str, str, str, int]]:
    return [(e.id, e.text, e.type, e.subject, e.line) for e in some]


def test_rows_and_lines_of_json_say_the_same(tmp_path: Path) -> None:
    some = examples(12)
    lines = [{"id": int(e.id), "text": e.text, "type": e.type, "subject": e.subject or None} for e in some]
    rows = list(load_examples(write_csv(tmp_path / "a.csv", some)))
    found = list(load_examples(write(tmp_path / "a.jsonl", "".join(json.dumps(x) + "\n" for x in lines))))
    wanted = [(e.id, e.text, e.type, e.subject, n) for n, e in enumerate(some, 1)]
    assert plain(rows) == plain(found) == wanted


def test_marks_line_ends_names_of_columns_and_blank_lines(tmp_path: Path) -> None:
    text = (
        "\ufeffid,text,type,subject\r\n\r\n"
        + ROW.replace("\n", "\r\n")
        + '"8","一段\n文字","亏损","NaN"\r\n9,无,亏损,\n'
    )
    found = plain(list(load_examples(write(tmp_path / "a.csv", text))))
    assert found == [
        ("7", "林满科技亏损，云州食品减持", "减持", "云州食品", 3),
        ("8", "一段\n文字", "亏损", "", 4),
        ("9", "无", "亏损", "", 6),
    ]


def test_inputs_need_no_subject_and_keep_none(tmp_path: Path) -> None:
    text = ROW + '"8","雨停","减持"\n'
    found = list(read_inputs(read_lines(write(tmp_path / "a.csv", text))))
    assert [(e.id, e.subject) for e in found] == [("7", ""), ("8", "")]
    found = list(read_inputs(read_lines(write(tmp_path / "a.jsonl", '{"text": "雨", "type": "减持", "subject": 3}\n'))))
    assert [(e.id, e.text, e.subject) for e in found] == [("1", "雨", "")]  # known by its line


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "a: holds no record → bring a file with"),
        ('"1","雨停","减持"\n', "a:1: subject: has no subject → is this a test file?"),
        (ROW + '"1","雨","停","减","持"\n', "a:2: has 5 cells, 4 are needed → put cells that have commas into quotes"),
        ("1\t雨\t减持\t无\n", "a:1: has 1 cell, 4 are needed → put commas between the cells"),
        (ROW + '"1"," ","减持","x"\n', "a:2: text: is empty"),
        (ROW + '"1","雨"," ","x"\n', "a:2: type: is empty"),
        (ROW + '"1","雨,"减持","x"\n', "a:2: has more behind a closing quote than a comma"),
        (ROW.encode() + b'"1","\xd3\xea","x","y"\n', "a:2: is not UTF-8"),
        (ROW.encode("utf-16"), "a: is UTF-16, not UTF-8"),
        ('{"text": "雨", "type": "减持"}\n', "a:1: subject: is missing → is this a test file?"),
        ('{"text": 3, "type": "减持", "subject": "x"}\n', "a:1: text: is a number, a string is needed"),
        ('{"text": "雨", "subject": "x"}\n', "a:1: type: is missing"),
        ('{"id": NaN, "text": "雨", "type": "t", "subject": "x"}\n', "a:1: "),
        ('{"id": [1], "text": "雨", "type": "t", "subject": "x"}\n', "a:1: id: is a list, a string is needed"),
    ],
)
def test_bad_records_are_told(tmp_path: Path, text: str | bytes, message: str) -> None:
    path = write(tmp_path / "a", text)
    with pytest.raises(UserError) as caught:
        list(load_examples(path))
    assert str(caught.value).replace(str(path), "a").startswith(message)
    assert "\n" not in str(caught.value)


def test_bad_records_are_left_out_where_that_is_wanted(tmp_path: Path) -> None:
    told: list[str] = []
    text = ROW + '"1","雨,"减持","x"\n"2","雨","t"\n' + '"9","晴","亏损","NaN"\n'
    path = write(tmp_path / "a", text)
    found = list(load_examples(path, lambda error, raw: told.append(f"{error.line}: {raw}")))
    assert [e.id for e in found] == ["7", "9"]
    assert told == ['2: "1","雨,"减持","x"', '3: "2","雨","t"']
    with pytest.raises(UserError, match="none of the 2 records can be used"):
        list(load_examples(write(tmp_path / "b", '"1","雨,"t"\n"2","雨","t"\n'), lambda error, raw: None))


def test_what_stands_for_none() -> None:
    assert [subject_of(x) for x in ("NaN", "", " NaN ", "nan", "NAN", " 高岳 ")] == ["", "", "", "", "NAN", "高岳"]


def test_occurrences_may_overlap() -> None:
    assert list(occurrences("甲甲甲乙", "甲甲")) == [(0, 2), (1, 3)]
    assert not list(occurrences("甲", ""))


def test_published_names_are_found(tmp_path: Path) -> None:
    for name in ("event_type_entity_extract_train.csv", "event_type_entity_extract_eval.csv"):
        write(tmp_path / name, ROW)
    found = locate(tmp_path).files
    assert {role: path.name for role, path in found.items()} == {
        "train": "event_type_entity_extract_train.csv",
        "test": "event_type_entity_extract_eval.csv",
    }


def test_files_are_told_from_others() -> None:
    """Rows begin with an id; prose with commas, tokens and what is no text do not."""
    assert begins_events(ROW.splitlines() * 2)
    assert begins_events(['1,"雨停，天晴","减持"', "2,"])  # the last line may be cut
    assert begins_events({"text": "雨", "type": "减持", "subject": None})
    for other in (
        ["雨停了, 天晴了, 出门"] * 2, ["\ufffd1,\x00,\x00,a"] * 2, ["雨 O", "停 O"], ['"a"x,y,z', "b"], ["1,2", "3,4"],
        ["雨停|||0    0    dis|||"],
    ):  # fmt: skip
        assert not begins_events(other)
    assert not begins_events({"text": "雨", "label": {}})


def test_what_is_predicted_on_is_told_from_others_too() -> None:
    assert begins_events({"id": 1, "text": "雨", "type": "减持"})
    assert not begins_events({"text": "雨", "type": "减持", "label": {}})
    assert begins_events(["id,text,type", "甲,雨停,减持"])  # whatever ids are, names of columns tell
    assert begins_events(["ab1,雨停,减持", "ab2,天晴,减持", "ab3,天"])
    assert begins_events(['"1","雨停', '天晴","减持"', '"2","天', "晴"])  # a cell goes over lines, the last row is cut
    assert not begins_events(["Hello, world, again", "Well, well, well", "x"])


def test_each_member_of_an_archive_may_name_its_columns(tmp_path: Path) -> None:
    path = tmp_path / "all.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for number in (1, 2):
            archive.writestr(f"{number}.csv", f'id,text,type,subject\n{number},"甲公司减持","减持","甲公司"\n')
    assert [(e.id, e.type, e.subject) for e in load_examples(path)] == [
        ("1", "减持", "甲公司"), ("2", "减持", "甲公司"),
    ]  # fmt: skip
