"""Scorers: seqeval against the library itself, the others against literal loops; how files are paired."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
import seqeval.metrics
import seqeval.scheme
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ietool.errors import UserError
from ietool.scoring.intervals import bootstrap
from ietool.scoring.report import Report
from ietool.tasks.ner.data.example import Entity, flatten
from ietool.tasks.ner.data.schemes import SCHEMES
from ietool.tasks.ner.score.scorer import METRICS, score, score_paths

TEXT = "云州大学在云州，林满在云州大学"


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def sentences(path: Path, tags: list[list[str]]) -> Path:
    return write(path, "".join("".join(f"字 {tag}\n" for tag in row) + "\n" for row in tags))


def values(report: Report) -> tuple[float, float, float]:
    return report.values["precision"], report.values["recall"], report.values["f1"]


@settings(max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(sorted(SCHEMES)), st.data())
def test_seqeval_is_seqeval(tmp_path: Path, name: str, data: st.DataObject) -> None:
    """On any tags, those that break the scheme included, on either side."""
    scheme = SCHEMES[name]
    tag = st.just("O") | st.tuples(st.sampled_from(scheme.letters), st.sampled_from("甲乙")).map("-".join)
    lengths = data.draw(st.lists(st.integers(1, 8), min_size=1, max_size=5))
    gold, found = ([data.draw(st.lists(tag, min_size=n, max_size=n)) for n in lengths] for _ in range(2))
    # A sentence that leaves no doubt about the scheme of the file.
    sure = {"bio": "B-丙 B-丙 O B-丙 I-丙", "iob1": "I-丙 B-丙 I-丙"}.get(name)
    letters = scheme.letters
    gold.append(sure.split() if sure else [f"{letters[n]}-丙" for n in range(4)])
    found.append(gold[-1])
    if name == "iob1":  # a B behind O would make it BIO
        gold[:-1] = [["I" + t[1:] if t[0] == "B" else t for t in row] for row in gold[:-1]]
    report = score_paths(sentences(tmp_path / "gold", gold), sentences(tmp_path / "found", found))
    plain = {"M": "I", "L": "E", "U": "S", "W": "S"} if name != "bios" else {"S": "B"}
    ours, theirs = ([[plain.get(t[0], t[0]) + t[1:] for t in row] for row in side] for side in (gold, found))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        p, r, f, _ = seqeval.metrics.v1.precision_recall_fscore_support(
            ours, theirs, average="micro", scheme=getattr(seqeval.scheme, scheme.structure)
        )
    assert report.metric == "seqeval" and name.upper() in report.definition
    assert values(report) == pytest.approx((p, r, f))


entity = st.tuples(st.integers(0, 11), st.integers(1, 4), st.sampled_from(["机构", "地点", "人物"])).map(
    lambda e: Entity(e[0], e[0] + e[1], e[2])
)
sides = st.lists(st.tuples(st.lists(entity, max_size=6), st.lists(entity, max_size=6)), min_size=1, max_size=4)


@settings(max_examples=100)
@given(sides)
def test_span_and_cluener_are_the_loops(pairs: list[tuple[list[Entity], list[Entity]]]) -> None:
    gold, found = [(TEXT, a) for a, _ in pairs], [b for _, b in pairs]
    right = predicted = wanted = 0
    for a, b in pairs:
        for one in set(b):
            right += one in a
        predicted += len(set(b))
        wanted += len(set(a))
    p, r = right / max(predicted, 1), right / max(wanted, 1)
    report = score(gold, found, metric="span", resamples=0)
    assert values(report) == pytest.approx((p, r, 2 * p * r / (p + r) if right else 0.0))
    assert (report.values["right"], report.values["predicted"], report.values["gold"]) == (right, predicted, wanted)

    # As CLUENER's score.py goes: type by type over {type: {name}} of each text, then the means over gold's types.
    rows = []
    for kind in sorted({e.type for a, _ in pairs for e in a}):
        hits = given_names = gold_names = 0
        for a, b in pairs:
            own = {TEXT[e.start : e.end] for e in a if e.type == kind}
            theirs = {TEXT[e.start : e.end] for e in b if e.type == kind}
            hits += len(own & theirs)
            given_names += len(theirs)
            gold_names += len(own)
        p, r = hits / max(given_names, 1), hits / max(gold_names, 1)
        rows.append((p, r, 2 * p * r / (p + r) if hits else 0.0))
    means = [sum(column) / len(rows) for column in zip(*rows, strict=True)] if rows else [0.0, 0.0, 0.0]
    assert values(score(gold, found, metric="cluener", resamples=0)) == pytest.approx(tuple(means))


@settings(max_examples=50)
@given(sides, st.sampled_from(METRICS))
def test_verdicts_add_up(pairs: list[tuple[list[Entity], list[Entity]]], metric: str) -> None:
    gold, found = [(TEXT, a) for a, _ in pairs], [b for _, b in pairs]
    report = score(gold, found, metric=metric, explain=True, resamples=20)
    kinds = [outcome.verdict for outcome in report.outcomes]
    if metric != "cluener":
        assert kinds.count("right") == report.values["right"]
        assert kinds.count("right") + kinds.count("spurious") == report.values["predicted"]
        assert kinds.count("right") + kinds.count("missed") == report.values["gold"]
    perfect = score(gold, [a for a, _ in pairs], metric=metric, explain=True, resamples=0)
    assert {o.verdict for o in perfect.outcomes} <= {"right"}
    assert perfect.values["f1"] == (1.0 if any(a for a, _ in pairs) else 0.0)


@settings(max_examples=50)
@given(sides, st.sampled_from(METRICS))
def test_counts_of_texts_add_up(pairs: list[tuple[list[Entity], list[Entity]]], metric: str) -> None:
    """Values and interval follow from them alone, so that runs can be compared text by text."""
    gold, found = [(TEXT, a) for a, _ in pairs], [b for _, b in pairs]
    report = score(gold, found, metric=metric, resamples=200)
    assert report.counts is not None and report.measures is not None
    assert len(report.counts) == len(report.keys) == len(pairs) == len(set(report.keys))
    assert report.counts.dtype == np.float64
    measured = report.measures(report.counts.sum(0))
    for name in ("precision", "recall", "f1"):
        assert measured[name] == pytest.approx(report.values[name], abs=1e-12)
    assert report.interval == bootstrap(report.counts, report.measures, resamples=200)["f1"]
    # Of a text alone too.
    first = score(gold[:1], found[:1], metric=metric, resamples=0)
    if metric != "cluener":  # of which the columns are the types of all gold
        assert report.counts[0].tolist() == first.counts.tolist()[0]  # type: ignore[union-attr]


def test_nothing_to_score() -> None:
    for metric in METRICS:
        report = score([], [], metric=metric, resamples=10)
        assert values(report) == (0.0, 0.0, 0.0) and report.interval is None and not len(report.keys)


def test_outcomes_are_records() -> None:
    gold = [(TEXT, [Entity(0, 4, "机构"), Entity(8, 10, "人物")])]
    report = score(gold, [[Entity(0, 4, "机构"), Entity(8, 9, "人物")]], metric="span", explain=True, resamples=0)
    assert [o.key for o in report.outcomes] == [report.keys[0]] * 3
    assert report.outcomes[0].record() == {
        "text": TEXT, "verdict": "right", "rule": "exact", "entity": "云州大学", "type": "机构", "start": 0, "end": 4,
        "spans": [["机构", 0, 4]],
    }  # fmt: skip
    assert [o.record()["rule"] for o in report.outcomes[1:]] == [
        "not in gold: boundary differs: gold has 林满 (人物)",
        "missed: boundary differs: the prediction has 林 (人物)",
    ]
    assert not score(gold, [[]], metric="span", resamples=0).outcomes


def test_verdicts_say_what_differs() -> None:
    gold = [(TEXT, [Entity(0, 4, "机构"), Entity(5, 7, "地点"), Entity(8, 10, "人物")])]
    found = [[Entity(0, 4, "地点"), Entity(5, 6, "地点"), Entity(9, 12, "机构"), Entity(13, 15, "机构")]]
    report = score(gold, found, metric="span", explain=True, resamples=0)
    assert [o.kind for o in report.outcomes if o.verdict == "spurious"] == [
        "not in gold: type differs: gold has 机构",
        "not in gold: boundary differs: gold has 云州 (地点)",
        "not in gold: boundary and type differ: gold has 林满 (人物)",
        "not in gold: nothing there in gold",
    ]


def test_under_seqeval_what_tags_cannot_state_is_left_out_and_told() -> None:
    nested = [Entity(0, 4, "机构"), Entity(0, 2, "地点")]
    report = score([(TEXT, nested)], [nested], metric="seqeval", resamples=0)
    assert (report.values["gold"], report.values["predicted"], report.values["f1"]) == (1, 1, 1.0)
    assert [note.split(":")[0] for note in report.notes] == ["gold", "predictions"]
    assert all("1 entities overlap a longer one" in note for note in report.notes)
    assert score([(TEXT, nested)], [nested], metric="span", resamples=0).values["gold"] == 2


def test_an_unknown_variant_is_told() -> None:
    with pytest.raises(UserError, match="no scoring variant is called 'f1' → use seqeval or span or cluener"):
        score([], [], metric="f1")


# -- files


def records(path: Path, *rows: dict[str, object]) -> Path:
    return write(path, "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))


LIN = {"人物": {"林满": [[0, 1]]}}


def test_json_goes_by_id_by_text_or_line_by_line(tmp_path: Path) -> None:
    texts = ("林满在", "林满在", "雨停")
    labels: list[dict[str, object]] = [LIN, {}, {}]
    by_id = [{"id": n, "text": text, "label": label} for n, (text, label) in enumerate(zip(texts, labels, strict=True))]
    by_text = [{"text": row["text"], "label": row["label"]} for row in by_id]
    ids_alone = [{"id": row["id"], "label": row["label"]} for row in by_id]
    gold = records(tmp_path / "gold", *by_id)
    for rows in ([by_id[2], by_id[0], by_id[1]], by_text, [ids_alone[1], ids_alone[0]]):
        assert values(score_paths(gold, records(tmp_path / "found", *rows))) == (1.0, 1.0, 1.0)
    # The same text twice, with other entities: the first with the first.
    swapped = score_paths(gold, records(tmp_path / "found", by_text[1], by_text[0]))
    assert swapped.values["right"] == 0 and any("1 of 3 gold texts have no prediction" in n for n in swapped.notes)
    plain = records(tmp_path / "plain", *by_text)
    assert values(score_paths(plain, records(tmp_path / "found", *ids_alone))) == (1.0, 1.0, 1.0)
    with pytest.raises(UserError, match="has 2 lines without a text, and gold 3 lines without an id"):
        score_paths(plain, records(tmp_path / "found", *ids_alone[:2]))
    more = score_paths(gold, records(tmp_path / "found", *by_id, {"id": 9, "label": LIN}, by_id[0]))
    assert any("1 predicted texts are not in gold" in n for n in more.notes)
    assert any("1 lines have an id that stands again" in n for n in more.notes)


def test_records_that_share_an_id_each_have_their_own_prediction(tmp_path: Path) -> None:
    """As where a zip of several files counts from 0 in each."""
    rows = [{"id": n % 2, "label": label} for n, label in enumerate((LIN, {}, {}, LIN))]
    gold = records(tmp_path / "gold", *rows)
    same = score_paths(gold, records(tmp_path / "found", *rows))
    assert values(same) == (1.0, 1.0, 1.0) and (same.values["gold"], same.notes) == (2, [])
    other = score_paths(gold, records(tmp_path / "found", *rows[:1], *rows[:3]))  # the last of what is too much
    assert (other.values["right"], other.values["predicted"]) == (1, 1)
    assert any("1 lines have an id that stands again" in note for note in other.notes)


def test_a_span_outside_the_text_is_merely_wrong(tmp_path: Path) -> None:
    gold = records(tmp_path / "gold", {"text": "林满在", "label": LIN})
    found = records(tmp_path / "found", {"text": "林满在", "label": {"人物": {"林满": [[0, 1], [7, 8]]}}})
    assert values(score_paths(gold, found)) == pytest.approx((0.5, 1.0, 2 / 3))
    assert values(score_paths(gold, found, metric="cluener")) == (1.0, 1.0, 1.0)


def test_names_on_one_place_are_two_names(tmp_path: Path) -> None:
    """By CLUENER's rule a name counts wherever it is said to stand."""
    gold = records(tmp_path / "gold", {"text": "张三和李四", "label": {"人": {"张三": [[0, 1]], "李四": [[3, 4]]}}})
    for label in ({"张三": [[0, 1]], "李四": [[0, 1]]}, {"张三": [[2, 3]], "李四": [[1, 2]]}):
        found = records(tmp_path / "found", {"text": "张三和李四", "label": {"人": label}})
        report = score_paths(gold, found, metric="cluener", explain=True)
        assert values(report) == (1.0, 1.0, 1.0)
        assert [(o.verdict, o.item["entity"]) for o in report.outcomes] in (
            [("right", "张三"), ("right", "李四")], [("right", "李四"), ("right", "张三")],
        )  # fmt: skip


def test_the_interval_of_a_perfect_score_is_the_score() -> None:
    """Draws of texts lack rare types, which are none of theirs then."""
    gold = [("林满", [Entity(0, 2, f"类{max(0, n - 15)}")]) for n in range(20)]
    report = score(gold, [entities for _, entities in gold], metric="cluener")
    assert values(report) == (1.0, 1.0, 1.0) and report.interval == (1.0, 1.0)


def test_a_span_of_any_length_costs_nothing(tmp_path: Path) -> None:
    gold = records(tmp_path / "gold", {"text": "林满在", "label": LIN})
    far = {"人物": {"林满": [[0, 10**11]], "满": [[1, 1]]}}
    found = records(tmp_path / "found", {"text": "林满在", "label": far})
    assert values(score_paths(gold, found, metric="seqeval")) == (0.0, 0.0, 0.0)


@settings(max_examples=60)
@given(st.lists(entity, max_size=8))
def test_flat_entities_are_those_of_the_loop(some: list[Entity]) -> None:
    kept: list[Entity] = []
    for one in sorted(some, key=lambda e: (e.start - e.end, e)):
        if all(one.end <= other.start or other.end <= one.start for other in kept):
            kept.append(one)
    assert flatten(some) == sorted(kept)


def test_an_empty_submission_scores_nothing(tmp_path: Path) -> None:
    empty = write(tmp_path / "empty", "")
    for gold in (
        records(tmp_path / "a", {"text": "林满在", "label": LIN}),
        sentences(tmp_path / "b", [["B-甲", "I-甲"]]),
    ):
        report = score_paths(gold, empty, explain=True)
        assert report.values["recall"] == 0.0 and "holds no record" in report.notes[0]
        assert [o.kind for o in report.outcomes] == ["missed: the text has no prediction"]
        with pytest.raises(UserError, match="holds no record → bring the gold file"):
            score_paths(empty, gold)


def test_broken_tags_are_counted(tmp_path: Path) -> None:
    gold = sentences(tmp_path / "gold", [["B-甲", "I-甲", "O", "I-乙", "B-乙"]])
    report = score_paths(gold, sentences(tmp_path / "found", [["B-甲", "I-甲", "O", "B-乙", "I-甲"]]))
    assert report.values["right"] == 1 and report.values["gold"] == 2 and report.values["predicted"] == 2
    assert "gold: 1 tags break the scheme BIO and belong to no entity" in report.notes
    assert "predictions: 1 tags break the scheme BIO and belong to no entity" in report.notes


def test_a_prediction_in_bio_against_gold_in_bmes_is_remarked(tmp_path: Path) -> None:
    gold = sentences(tmp_path / "gold", [["B-甲", "M-甲", "E-甲", "S-甲"]])
    report = score_paths(gold, sentences(tmp_path / "found", [["B-甲", "I-甲", "I-甲", "B-甲"]]))
    assert report.values["predicted"] == 0
    assert any("are they BIO?" in note for note in report.notes)
    # I and M are two letters for the same.
    assert score_paths(gold, sentences(tmp_path / "same", [["B-甲", "I-甲", "E-甲", "S-甲"]])).values["f1"] == 1.0


@pytest.mark.parametrize(
    ("gold", "found", "message"),
    [
        (
            "字 B-甲\n",
            '{"text": "字", "label": {}}\n',
            "found: holds JSON lines, but gold tokens and tags → predict on",
        ),
        ('{"text": "字", "label": {}}\n', "字 B-甲\n", "found: holds tokens and tags, but gold JSON lines"),
        ("字 O\n\n字 O\n", "字 O\n", "found: has 1 sentences, but gold 2 → predict on the gold file itself, and keep"),
        ("字 O\n\n字 O\n山 O\n", "字 O\n\n字 O\n水 O\n", "found:4: the tokens differ from those of gold's line 4"),
        ("字 O\n山 O\n", "字 O\n", "found:1: the tokens differ from those of gold's line 1"),
        (
            "字 B-甲\n",
            "字 S-甲\n",
            "found:1: the tag 'S-甲' is not of gold's scheme BIO → write predictions in the scheme",
        ),
        ("字 B-甲\n", "字 甲\n", "found:1: '甲' is no tag"),
        ("字 B-甲\n", "字\n", "found:1: has a token and no tag"),
        ("字 O\n", "字 B-甲\n字 M-甲\n字 L-甲\n", "found: has tags of several schemes"),
        ('{"text": "字", "label": {}}\n', '{"label": {}}\n', "found:1: has neither text nor id → write"),
        ('{"text": "字", "label": {}}\n', '{"text": "字"}\n', "found:1: label: is missing → write"),
        ('{"text": "字", "label": {}}\n', '{"text": 1, "label": {}}\n', "found:1: text: is a number"),
        ('{"text": "字", "label": {}}\n', '{"text": "字", "label": [', "found:1: is not JSON"),
        (
            '{"text": "字", "label": {}}\n',
            '{"text": "字", "label": {"甲": {"字": [[0]]}}}',
            r"found:1: label.甲.字: \[0\]",
        ),
    ],
)
def test_bad_submissions_are_told_in_one_line(tmp_path: Path, gold: str, found: str, message: str) -> None:
    with pytest.raises(UserError, match=message) as told:
        score_paths(write(tmp_path / "gold", gold), write(tmp_path / "found", found))
    assert re.match(re.escape(str(tmp_path)), str(told.value)) and "\n" not in str(told.value)


def test_scoring_needs_no_torch() -> None:
    code = (
        "import sys, ietool.tasks.ner.score.scorer; sys.exit(any(m in sys.modules for m in ('torch', 'transformers')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
