"""What every task's reader and preparation share."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from ietool.errors import UserError
from ietool.files.lines import parse_json
from ietool.files.plain_json import json_kind
from ietool.files.records import Rejects, SeenTexts, count_lines, digest, read_records


def parse(line: str, file: str, number: int) -> int:
    record = parse_json(line, file, number)
    if "id" not in record:
        raise UserError("is missing", file=file, line=number, field="id")
    return int(record["id"])


LINES = [("f", 1, '{"id": 1}'), ("f", 2, '{"id": 2'), ("f", 3, "{}"), ("f", 4, '{"id": 4}')]


def test_bad_records_stop_or_are_told_and_skipped() -> None:
    stream = read_records(LINES, parse)
    assert next(stream) == 1
    with pytest.raises(UserError, match="f:2: is not JSON") as caught:
        next(stream)
    assert "--skip-bad" in str(caught.value)
    told: list[tuple[str, str]] = []
    assert list(read_records(LINES, parse, lambda error, line: told.append((str(error), line)))) == [1, 4]
    assert told[1] == ("f:3: id: is missing", "{}") and told[0][1] == '{"id": 2'


def test_no_good_record_is_an_error_that_names_the_first() -> None:
    with pytest.raises(UserError, match=r"f:2: .*none of the 2 records can be used"):
        list(read_records(LINES[1:3], parse, lambda error, line: None))
    assert list(read_records([], parse, lambda error, line: None)) == []


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('{"a": "\\ud800"}', r"half of a surrogate pair \(\\ud800\)"),
        ('{"a": ' + "9" * 5000 + "}", "a number too long to read"),
        ("[" * 100_000, "is nested too deeply"),
        ('{"a": ' + "[" * 300 + "]" * 300 + "}", "is nested too deeply"),
        ("[1]", "is JSON but no object: list"),
    ],
)
def test_what_json_allows_and_we_cannot_handle(line: str, message: str) -> None:
    with pytest.raises(UserError, match=rf"f:7: .*{message}"):
        parse_json(line, "f", 7)
    assert parse_json('{"a": "\\ud83d\\ude00"}', "f", 1) == {"a": "😀"}


@pytest.mark.parametrize(
    ("value", "kind"),
    [(None, "null"), (True, "true or false"), (1, "a number"), (1.5, "a number"), ("", "a string"), ([], "a list"),
     ({}, "an object")],
)  # fmt: skip
def test_kinds(value: Any, kind: str) -> None:
    assert json_kind(value) == kind


def test_rejects_appear_with_the_first(tmp_path: Path) -> None:
    rejects = Rejects(tmp_path / "rejects.jsonl")
    rejects.close()
    assert not (tmp_path / "rejects.jsonl").exists()
    rejects.add(UserError("is missing", file="f", line=3, field="id"), "{}")
    rejects.close()
    assert json.loads((tmp_path / "rejects.jsonl").read_text(encoding="utf-8")) == {
        "file": "f", "line": 3, "field": "id", "reason": "is missing", "raw": "{}",
    }  # fmt: skip


def test_names_that_are_no_utf_8_can_be_written(tmp_path: Path) -> None:
    rejects = Rejects(tmp_path / "rejects.jsonl")
    rejects.add(UserError("is bad", file="\udcca\udcfd.json", line=1), "甲")
    rejects.close()
    found = json.loads((tmp_path / "rejects.jsonl").read_text(encoding="utf-8"))
    assert found["file"] == "\udcca\udcfd.json" and found["raw"] == "甲"


@pytest.mark.parametrize(("content", "lines"), [(b"", 0), (b"a\n", 1), (b"a\nb", 2), (b"\n\n", 2)])
def test_lines_of_plain_files(tmp_path: Path, content: bytes, lines: int) -> None:
    (tmp_path / "file").write_bytes(content)
    assert count_lines(tmp_path / "file") == lines
    (tmp_path / "file").write_bytes(gzip.compress(content))
    assert count_lines(tmp_path / "file") is None and count_lines(tmp_path / "none") is None


def test_seen_texts(tmp_path: Path) -> None:
    seen = SeenTexts(tmp_path)
    text = digest("甲")
    assert seen.gold_of(text) is None
    assert seen.first_time(text, b"g") and not seen.first_time(text, b"h") and seen.first_time(digest("乙"), b"g")
    assert seen.gold_of(text) == b"g"
    seen.close()
