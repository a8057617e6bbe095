"""Checking submissions of events: each fault in one line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ietool.core.checking import Check
from ietool.errors import UserError
from ietool.paths import shipped_data
from ietool.tasks.events.score.checking import check, competition_of
from tests.tasks.events.made import examples, row, write_json

SOME = examples(6, "dev")


def answer(n: int, *, key: str = "id") -> dict[str, Any]:
    """A record of a perfect submission."""
    whole = row(SOME[n])
    events = [
        {
            "event_type": e["event_type"],
            "arguments": [{"role": a["role"], "argument": a["argument"]} for a in e["arguments"]],
        }
        for e in whole["event_list"]
    ]
    return {key: whole[key], "event_list": events}


def faults(folder: Path, rows: list[Any], *, schema: bool = True) -> tuple[list[str], Check]:
    folder.mkdir(parents=True, exist_ok=True)
    source, result, scratch = write_json(folder / "test.json", SOME), folder / "result.json", folder / "scratch"
    scratch.mkdir()
    lines = (r if isinstance(r, str) else json.dumps(r, ensure_ascii=False) for r in rows)
    result.write_text("".join(line + "\n" for line in lines), encoding="utf-8")
    told: list[str] = []
    options = {"schema": shipped_data("events") / "schema.jsonl"} if schema else {}
    made = Check(competition_of(source), source, result, lambda e: told.append(f"{e.line}: {e.field}: {e.message}"),
                 scratch, options=options)  # fmt: skip
    check(made)
    return told, made


def test_a_perfect_submission_has_no_fault(tmp_path: Path) -> None:
    told, made = faults(tmp_path, [answer(n) for n in range(6)])
    assert told == [] and made.competition == "duee1"
    gold = sum(len({(e.type, a.role, x.text[a.start : a.end]) for e in x.events for a in e.arguments}) for x in SOME)
    assert made.counts["texts"] == 6 and made.counts["arguments"] == gold
    assert any("types and roles of" in rule for rule in made.rules)
    _, made = faults(tmp_path / "b", [answer(n) for n in range(6)], schema=False)
    assert any("types and roles are not checked" in note for note in made.notes)


def argument(event_type: str, role: str, name: Any) -> list[dict[str, Any]]:
    return [{"event_type": event_type, "arguments": [{"role": role, "argument": name}]}]


@pytest.mark.parametrize(
    ("events", "fault"),
    [
        (argument("收够", "收购方", "甲"), "is no type of"),
        ([{"event_type": "收够", "arguments": []}], "收够: '收够' is no type of"),
        ([{"event_type": "收购", "trigger": "龘龘", "arguments": []}], "收购.trigger: '龘龘' does not stand"),
        ([{"event_type": "收够", "trigger": SOME[1].text[:1], "arguments": []}], "收够: '收够' is no type of"),
        (argument("收购", "收购人", "甲"), "'收购人' is no role of '收购'"),
        (argument("收购", "收购方", "龘龘龘"), "收购.收购方: '龘龘龘' does not stand in the text"),
        (argument("收购", "收购方", " "), "收购.收购方: is an empty argument"),
        (argument("收购", "收购方", "甲\u0007"), "has a control character (\\u0007)"),
        (argument("收购", "收购方", 3), "event_list[0].arguments[0].argument: is a number, a string is needed"),
        ([{"event_type": "收购"}], "event_list[0].arguments: is missing"),
        ("x", "event_list: is a string, a list is needed"),
    ],
)
def test_faults(tmp_path: Path, events: Any, fault: str) -> None:
    told, _ = faults(tmp_path, [answer(0), {"id": SOME[1].id, "event_list": events}, *map(answer, (2, 3, 4, 5))])
    assert len(told) == 1 and told[0].startswith("2: ") and fault in told[0], told


def test_texts_that_are_missing_twice_or_strange(tmp_path: Path) -> None:
    told, _ = faults(tmp_path / "a", [answer(n) for n in (0, 1, 3, 4, 5)])
    assert len(told) == 1 and "is not answered" in told[0]
    told, _ = faults(tmp_path / "b", [answer(n) for n in (0, 1, 1, 2, 3, 4, 5)])
    assert len(told) == 1 and "is answered again" in told[0]
    told, _ = faults(tmp_path / "c", [*(answer(n) for n in range(6)), {"id": "other", "event_list": []}])
    assert len(told) == 1 and "is not in" in told[0]
    told, _ = faults(tmp_path / "d", [answer(n) for n in (1, 0, 2, 3, 4, 5)])
    assert len(told) == 1 and "stands behind" in told[0]
    told, _ = faults(tmp_path / "e", [*(answer(n) for n in range(5)), "{"])
    assert len(told) == 1 and "beginning of something" in told[0]


def test_inputs_without_ids_are_answered_by_text(tmp_path: Path) -> None:
    plain = [{"text": e.text} for e in SOME]
    source, scratch = tmp_path / "in.json", tmp_path / "scratch"
    source.write_text("".join(json.dumps(r, ensure_ascii=False) + "\n" for r in plain), encoding="utf-8")
    scratch.mkdir()
    result = tmp_path / "out.json"
    rows = (json.dumps(answer(n, key="text"), ensure_ascii=False) + "\n" for n in range(6))
    result.write_text("".join(rows), encoding="utf-8")
    told: list[UserError] = []
    check(Check("duee1", source, result, told.append, scratch))
    assert told == []


def test_the_competition_is_told_from_the_input(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text('{"id": 1, "content": "甲"}\n', encoding="utf-8")
    assert competition_of(tmp_path / "a.json") == "fewfc"
    (tmp_path / "b.json").write_text("", encoding="utf-8")
    with pytest.raises(UserError, match="holds no text"):
        competition_of(tmp_path / "b.json")
