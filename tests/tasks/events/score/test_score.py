"""The official score of DuEE 1.0 held to a slow, literal reading of its published rule; and the exact one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ietool.errors import UserError
from ietool.scoring.report import Report
from ietool.tasks.events.data.example import Argument, Event
from ietool.tasks.events.score.judge import Told, character_f1, told_of
from ietool.tasks.events.score.scorer import score, score_paths
from tests.tasks.events.made import event, examples, row, write_json

LETTERS = "甲乙aB"
names = st.text(LETTERS, min_size=1, max_size=4)
slots = st.tuples(st.sampled_from(["收购", "裁员"]), st.sampled_from(["时间", "收购方"]))
gold_side = st.dictionaries(
    slots, st.dictionaries(names, st.lists(names, max_size=2).map(tuple), min_size=1, max_size=3)
)
found_side = st.dictionaries(slots, st.dictionaries(names, st.just(()), min_size=1, max_size=3))
triggers = st.frozensets(st.tuples(st.sampled_from(["收购", "裁员"]), names), max_size=2)
sides = st.tuples(
    st.builds(Told, st.just("甲"), gold_side, triggers), st.builds(Told, st.just("甲"), found_side, triggers)
)


def shared_characters(one: str, other: str) -> int:
    """Characters that both have: each is struck off once it is found."""
    left, count = list(other), 0
    for character in one:
        if character in left:
            left.remove(character)
            count += 1
    return count


def literal(pairs: list[tuple[Told, Told]], metric: str) -> tuple[float, float, float]:
    """P, R and F1 as the rule reads: over every predicted argument type right · role right · best F1 by characters."""
    total, predicted, annotated = 0.0, 0, 0
    for gold, found in pairs:
        annotated += sum(len(own) for own in gold.arguments.values())
        for (kind, role), own in found.arguments.items():
            for name in own:
                predicted += 1
                best = 0.0
                for (other_kind, other_role), wanted in gold.arguments.items():
                    for other, aliases in wanted.items():
                        for form in (other, *aliases):
                            if metric == "exact":
                                likeness = float(form == name and form == other)
                            else:
                                both = shared_characters(name.lower(), form.lower())
                                p, r = both / len(name), both / len(form)
                                likeness = 2 * p * r / (p + r) if both else 0.0
                            best = max(best, (kind == other_kind) * (role == other_role) * likeness)
                total += best
    p = total / predicted if predicted else 0.0
    r = min(1.0, total / annotated) if annotated else 0.0
    return p, r, 2 * p * r / (p + r) if p + r else 0.0


@given(st.lists(sides, max_size=4), st.sampled_from(["duee1", "exact"]))
@settings(max_examples=60, deadline=None)
def test_scores_are_those_of_the_rule(pairs: list[tuple[Told, Told]], metric: str) -> None:
    report = score([g for g, _ in pairs], [f for _, f in pairs], metric=metric, resamples=0, explain=True)
    found = tuple(report.values[key] for key in ("precision", "recall", "f1"))
    assert found == pytest.approx(literal(pairs, metric))
    right = sum(len(g.triggers & f.triggers) for g, f in pairs)
    both = sum(len(g.triggers) + len(f.triggers) for g, f in pairs)
    assert report.values["trigger_f1"] == pytest.approx(2 * right / both if both else 0.0)
    # Verdicts add up to the score, and tables to the whole.
    assert sum(o.item["score"] for o in report.outcomes) == pytest.approx(report.values["right"])
    predicted = [o for o in report.outcomes if o.verdict in ("right", "spurious")]
    assert len(predicted) == report.values["predicted"]
    for table in report.tables[1:]:
        assert sum(cells[4] for cells in table.rows) == report.values["gold"]  # type: ignore[misc]
    assert report.counts is not None and report.measures is not None
    assert float(report.measures(report.counts.sum(0))["f1"]) == pytest.approx(report.values["f1"])


@pytest.mark.parametrize(
    ("one", "other", "f1"),
    [
        ("甲乙", "甲乙", 1.0),
        ("ab", "AB", 1.0),
        ("甲甲乙", "甲乙", 0.8),
        ("乙甲", "甲乙", 1.0),
        ("甲", "乙", 0.0),
        ("", "甲", 0.0),
    ],
)
def test_characters_count_as_often_as_both_have_them(one: str, other: str, f1: float) -> None:
    assert character_f1(one, other) == pytest.approx(f1)


def test_an_alias_counts_and_the_same_argument_twice_counts_once() -> None:
    text = "甲乙集团收购丙公司，甲乙集团又收购丁公司"
    gold = Event("收购", 4, 6, (Argument(0, 4, "收购方", ("甲乙",)), Argument(6, 9, "被收购方")))
    again = Event("收购", 15, 17, (Argument(10, 14, "收购方"), Argument(17, 20, "被收购方")))
    told = told_of(text, [gold, again])
    assert {slot: dict(own) for slot, own in told.arguments.items()} == {
        ("收购", "收购方"): {"甲乙集团": ("甲乙",)},
        ("收购", "被收购方"): {"丙公司": (), "丁公司": ()},
    }
    found = Told(text, {("收购", "收购方"): {"甲乙": ()}})
    assert score([told], [found], metric="duee1", resamples=0).values["precision"] == 1.0
    assert score([told], [found], metric="exact", resamples=0).values["precision"] == 0.0


def test_why_in_words() -> None:
    text = "甲公司收购乙公司，丙公司裁员百人"
    gold = told_of(
        text,
        [event(text, "收购", "收购", 收购方="甲公司", 被收购方="乙公司"), event(text, "裁员", "裁员", 人数="百人")],
    )
    found = Told(
        text,
        {("收购", "收购方"): {"甲": (), "丁": ()}, ("收购", "时间"): {"乙公司": ()}, ("上市", "公司"): {"丙公司": ()}},
    )
    outcomes = score([gold], [found], metric="duee1", resamples=0, explain=True).outcomes
    assert [(o.verdict, o.kind, o.item["argument"]) for o in outcomes] == [
        ("right", "in part: gold has 甲公司", "甲"),
        ("spurious", "not in gold: gold has 甲公司", "丁"),
        ("spurious", "not in gold: role differs: gold has 被收购方", "乙公司"),
        ("spurious", "not in gold: gold has no event of that type", "丙公司"),
        ("missed", "missed: the prediction has it as 时间", "乙公司"),
        ("missed", "missed: no event of that type is predicted", "百人"),
    ]
    assert outcomes[0].spans == [("收购方", 0, 1)]


def test_gold_scores_one_against_itself(tmp_path: Path) -> None:
    gold = write_json(tmp_path / "gold.json", examples(30, "dev"))
    report = score_paths(gold, gold)
    assert report.metric == "duee1" and report.interval == (1.0, 1.0)
    assert {report.values[k] for k in ("precision", "recall", "f1", "trigger_f1")} == {1.0}


def test_submissions_are_found_by_id_or_by_text(tmp_path: Path) -> None:
    some = examples(6, "dev")
    gold = write_json(tmp_path / "gold.json", some)

    def answer(n: int, *keys: str) -> dict[str, Any]:
        whole = row(some[n])
        return {key: whole[key] for key in (*keys, "event_list")}

    def given(*rows: dict[str, Any]) -> Path:
        path = tmp_path / "out.json"
        path.write_text("".join(json.dumps(r, ensure_ascii=False) + "\n" for r in rows), encoding="utf-8")
        return path

    shuffled = [answer(n, "id") for n in (5, 3, 1, 0, 2, 4)]
    assert score_paths(gold, given(*shuffled)).values["f1"] == 1.0
    assert score_paths(gold, given(*(answer(n, "text") for n in range(6)))).values["f1"] == 1.0
    few = score_paths(gold, given(answer(0, "id")))
    assert any("5 of 6 gold texts have no prediction" in note for note in few.notes)
    with pytest.raises(UserError, match="none is in both"):
        score_paths(gold, given({"id": "other", "event_list": []}))
    with pytest.raises(UserError, match="event_list: is missing"):
        score_paths(gold, given({"id": "other"}))
    with pytest.raises(UserError, match=r"arguments\[0\].role: is missing"):
        score_paths(gold, given({"id": "x", "event_list": [{"event_type": "收购", "arguments": [{"argument": "甲"}]}]}))


def test_an_id_that_stands_several_times(tmp_path: Path) -> None:
    """The first of gold goes with the first of the predictions; where these have it more often the last ones count."""
    rows = [row(one) | {"id": "7"} for one in examples(6, "dev")]

    def scored(gold: list[dict[str, Any]], given: list[dict[str, Any]]) -> Report:
        for name, some in (("gold", gold), ("out", given)):
            lines = "".join(json.dumps(one, ensure_ascii=False) + "\n" for one in some)
            (tmp_path / f"{name}.json").write_text(lines, encoding="utf-8")
        return score_paths(tmp_path / "gold.json", tmp_path / "out.json")

    whole = scored(rows, rows)
    assert whole.values["f1"] == 1.0 and not whole.notes
    few = scored(rows, rows[:4])
    assert few.values["precision"] == 1.0 and "2 of 6 gold texts have no prediction" in " ".join(few.notes)
    again = scored(rows[5:], rows)
    assert again.values["f1"] == 1.0 and "5 lines have an id that stands again" in " ".join(again.notes)


def test_an_empty_submission_scores_zero(tmp_path: Path) -> None:
    gold, empty = write_json(tmp_path / "gold.json", examples(5, "dev")), tmp_path / "empty.json"
    empty.write_text("", encoding="utf-8")
    report = score_paths(gold, empty)
    assert report.values["f1"] == 0 and "holds no record" in report.notes[0]
    with pytest.raises(UserError, match="holds no record"):
        score_paths(empty, gold)


def test_an_unknown_variant() -> None:
    with pytest.raises(UserError, match="no scoring variant is called 'duee'"):
        score([], [], metric="duee")
