"""Records a line or in one list: the same records, with the lines on which they begin."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ietool.errors import UserError
from ietool.files.record_lines import record_lines

VALUES = st.dictionaries(
    st.text("ab", max_size=2), st.integers() | st.text('甲\n"[]{}, ', max_size=5) | st.none(), max_size=3
)


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(VALUES, min_size=1, max_size=5), st.sampled_from([None, 0, 3]))
def test_a_list_is_read_as_its_records(tmp_path: Path, records: list[dict[str, Any]], indent: int | None) -> None:
    path = tmp_path / "x.json"
    text = json.dumps(records, ensure_ascii=False, indent=indent)
    path.write_text("\n\n" + text, encoding="utf-8")
    found = list(record_lines(path))
    assert [json.loads(line) for _, _, line in found] == records
    whole = path.read_text(encoding="utf-8").split("\n")
    for (_, number, _), record in zip(found, records, strict=True):
        assert "{" in whole[number - 1]
        assert len(records) > 1 or number == whole.index(next(line for line in whole if "{" in line)) + 1
        assert isinstance(record, dict)


def test_a_list_on_one_line_takes_time_by_its_length(tmp_path: Path) -> None:
    def seconds(count: int) -> float:
        path = tmp_path / f"{count}.json"
        path.write_text(json.dumps([{"text": "甲" * 60, "n": n} for n in range(count)]), encoding="utf-8")
        begin = time.process_time()
        assert [number for _, number, _ in record_lines(path)] == [1] * count
        return time.process_time() - begin

    seconds(100)
    assert seconds(16_000) < 12 * seconds(4_000)  # four times; sixteen times where all is counted for each record


def test_lines_come_as_they_are(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    path.write_text('{"a": 1}\n\nno JSON\n', encoding="utf-8")
    assert list(record_lines(path)) == [(str(path), 1, '{"a": 1}'), (str(path), 3, "no JSON")]


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ('[\n{"a": 1},\n{"b": 2', 3, "is a list that is cut off"),
        ('[\n{"a": 1}\n{"b": 2}]', 3, "is a list that is not JSON"),
        ('[{"a": 1},\n]', 2, "is a list that has a comma before an end"),
        ("[1]\n[2]", 2, "is a list that is not JSON"),
    ],
)
def test_damage_is_told_with_its_line(tmp_path: Path, text: str, line: int, message: str) -> None:
    path = tmp_path / "x.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(UserError, match=message) as caught:
        list(record_lines(path))
    assert caught.value.line == line
