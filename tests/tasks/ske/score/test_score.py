"""The official scorers: the toy checks of the rules, a slow literal twin, and what must not change a score."""

from __future__ import annotations

import gzip
import itertools
import json
import random
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ietool.errors import UserError
from ietool.scoring.intervals import f1_interval
from ietool.scoring.prf import PRFScore
from ietool.scoring.report import Report
from ietool.tasks.ske.data.example import VALUE, Triple
from ietool.tasks.ske.score.files import detect_metric, read_for_scoring, read_names
from ietool.tasks.ske.score.scorer import METRICS, score, score_paths

Gold = Mapping[str, list[Triple]]


def t(subject: str, predicate: str, value: str, **slots: str) -> Triple:
    return Triple(subject, predicate, ((VALUE, value), *sorted(slots.items())))


def f1(gold: list[Triple], predicted: list[Triple], metric: str = "ske2019", **options: Any) -> float:
    return score({"文": gold}, {"文": predicted}, metric=metric, **options).values["f1"]


def counts(report: Report) -> tuple[float, ...]:
    return tuple(report.values[name] for name in ("right", "predicted", "found", "gold"))


class TestSke2019:
    def test_case_and_book_marks_are_normalised(self) -> None:
        assert f1([t("《ABC》", "作者", "Li")], [t("abc", "作者", "li")]) == 1.0

    def test_half_a_pair_of_book_marks_counts(self) -> None:
        assert f1([t("《ABC》", "作者", "Li")], [t("《abc", "作者", "li")]) == 0.0

    def test_only_one_pair_comes_off(self) -> None:
        assert f1([t("《《甲》》", "作者", "乙")], [t("甲", "作者", "乙")]) == 0.0
        assert f1([t("《《甲》》", "作者", "乙")], [t("《甲》", "作者", "乙")]) == 0.0
        assert f1([t("《《甲》》", "作者", "乙")], [t("《《甲》》", "作者", "乙")]) == 1.0

    @pytest.mark.parametrize(("gold", "predicted"), [("a b", "ab"), ("甲，", "甲"), ("Ａ", "a"), (" 甲", "甲")])
    def test_spaces_punctuation_and_width_count(self, gold: str, predicted: str) -> None:
        assert f1([t(gold, "作者", "乙")], [t(predicted, "作者", "乙")]) == 0.0

    def test_predicates_are_compared_as_they_are(self) -> None:
        assert f1([t("甲", "IP", "乙")], [t("甲", "ip", "乙")]) == 0.0

    def test_aliases_are_looked_up_from_the_prediction_only(self) -> None:
        assert f1([t("a", "p", "x")], [t("al", "p", "x")], alias={"al": {"a"}}) == 1.0
        assert f1([t("a", "p", "x")], [t("al", "p", "x")], alias={"a": {"al"}}) == 0.0
        assert f1([t("a", "p", "x")], [t("al", "p", "xl")], alias={"al": {"a"}, "xl": {"x"}}) == 1.0

    def test_locations_are_looked_up_from_gold(self) -> None:
        gold, predicted = [t("甲", "总部地点", "北京市海淀区")], [t("甲", "总部地点", "北京市")]
        names = {"北京市海淀区": {"北京市", "海淀区"}}
        assert f1(gold, predicted, locations=names) == 1.0
        assert f1(predicted, gold, locations=names) == 0.0
        assert f1(gold, [t("乙", "总部地点", "北京市")], locations=names) == 0.0
        assert f1(gold, [t("乙", "总部地点", "北京市")], locations=names, alias={"乙": {"甲"}}) == 1.0
        # alias and location are not chained on one object
        assert f1(gold, [t("甲", "总部地点", "京")], locations=names, alias={"京": {"北京市"}}) == 0.0

    def test_predictions_that_are_aliases_of_an_earlier_one_count_once(self) -> None:
        gold = {"文": [t("a", "p", "x")]}
        alias = {"al": {"a"}}
        assert counts(score(gold, {"文": [t("a", "p", "x"), t("al", "p", "x")]}, metric="ske2019", alias=alias)) == (
            1, 1, 1, 1,
        )  # fmt: skip
        # "a" has no aliases of its own, so it repeats nothing
        assert counts(score(gold, {"文": [t("al", "p", "x"), t("a", "p", "x")]}, metric="ske2019", alias=alias)) == (
            2, 2, 1, 1,
        )  # fmt: skip

    def test_recall_sees_the_predictions_before_duplicates_go(self) -> None:
        gold = {"文": [t("b", "p", "x")]}
        predicted = {"文": [t("a", "p", "x"), t("al", "p", "x")]}
        report = score(gold, predicted, metric="ske2019", alias={"al": {"a", "b"}})
        assert counts(report) == (0, 1, 1, 1)
        assert (report.values["precision"], report.values["recall"]) == (0.0, 1.0)

    def test_gold_is_a_set(self) -> None:
        assert counts(score({"文": [t("A", "p", "x"), t("a", "p", "x")]}, {}, metric="ske2019"))[-1] == 1


class TestDuie2:
    def test_every_slot_must_match(self) -> None:
        gold = [t("甲", "上映时间", "1999年", inArea="挪威")]
        assert f1(gold, [t("甲", "上映时间", "1999年", inArea="挪威")], "duie2") == 1.0
        assert f1(gold, [t("甲", "上映时间", "1999年", inArea="瑞典")], "duie2") == 0.0
        assert f1(gold, [t("甲", "上映时间", "1999年")], "duie2") == 0.0
        assert f1(gold, [t("甲", "上映时间", "1999年", inWork="挪威")], "duie2") == 0.0

    def test_values_are_normalised(self) -> None:
        assert f1([t("《AB》", "p", "《X》", inWork="《Y》")], [t("ab", "p", "x", inWork="y")], "duie2") == 1.0

    def test_the_order_of_slots_does_not_matter(self) -> None:
        gold = [Triple("甲", "p", (("inArea", "乙"), (VALUE, "丙"), ("onDate", "丁")))]
        assert f1(gold, [t("甲", "p", "丙", onDate="丁", inArea="乙")], "duie2") == 1.0

    @pytest.mark.parametrize("place", ["subject", "value", "slot"])
    def test_aliases_must_hold_both_ways(self, place: str) -> None:
        gold = [t("a", "p", "a", inArea="a")]
        other = {"subject": "a", "value": "a", "slot": "a", place: "al"}
        predicted = [t(other["subject"], "p", other["value"], inArea=other["slot"])]
        assert f1(gold, predicted, "duie2", alias={"al": {"a"}}) == 0.0
        assert f1(gold, predicted, "duie2", alias={"a": {"al"}}) == 0.0
        assert f1(gold, predicted, "duie2", alias={"al": {"a"}, "a": {"al"}}) == 1.0

    def test_gold_is_a_set_under_aliases_too(self) -> None:
        alias = {"al": {"a"}, "a": {"al"}}
        gold = {"文": [t("a", "p", "x"), t("al", "p", "x")]}
        assert counts(score(gold, {"文": [t("a", "p", "x")]}, metric="duie2", alias=alias)) == (1, 1, 1, 1)

    def test_no_location_dictionary(self) -> None:
        with pytest.raises(UserError, match="location"):
            f1([], [], "duie2", locations={"甲": {"乙"}})


@pytest.mark.parametrize("metric", ["ske2019", "duie2"])
class TestBoth:
    def test_the_counts(self, metric: str) -> None:
        gold = {"一": [t("a", "p", "x"), t("b", "p", "y")], "二": [t("c", "q", "z")]}
        predicted = {"一": [t("a", "p", "x"), t("a", "p", "y"), t("A", "p", "X")], "三": [t("c", "q", "z")]}
        report = score(gold, predicted, metric=metric)
        assert counts(report) == (1, 2, 1, 3)
        assert report.values["precision"] == 0.5
        assert report.values["recall"] == 1 / 3
        assert report.values["f1"] == pytest.approx(0.4)
        assert report.metric == metric

    def test_missing_texts_are_empty_and_extra_ones_free(self, metric: str) -> None:
        report = score({"甲": [t("a", "p", "x")]}, {"乙": [t("a", "p", "x")]}, metric=metric)
        assert counts(report) == (0, 0, 0, 1)
        assert any("no prediction" in note for note in report.notes)
        assert any("not in gold" in note for note in report.notes)

    def test_nothing_at_all(self, metric: str) -> None:
        report = score({}, {}, metric=metric)
        assert (report.values["f1"], report.interval) == (0.0, None)

    def test_texts_are_compared_exactly(self, metric: str) -> None:
        assert score({"甲 ": [t("a", "p", "x")]}, {"甲": [t("a", "p", "x")]}, metric=metric).values["f1"] == 0.0

    def test_relations_stand_worst_first(self, metric: str) -> None:
        gold = {"一": [t("a", "好", "x"), t("a", "中", "x"), t("b", "中", "y"), t("a", "差", "x")]}
        predicted = {"一": [t("a", "好", "x"), t("a", "中", "x"), t("a", "多", "x")]}
        (table,) = score(gold, predicted, metric=metric).tables
        assert [row[0] for row in table.rows] == ["差", "多", "中", "好"]
        assert dict(zip(table.columns, table.rows[2], strict=True)) == {
            "relation": "中", "P": 1.0, "R": 0.5, "F1": pytest.approx(2 / 3), "gold": 2, "predicted": 1, "right": 1,
        }  # fmt: skip

    def test_the_definition_mentions_what_is_in_use(self, metric: str) -> None:
        plain = score({}, {}, metric=metric).definition
        assert "《" in plain
        assert "alias" not in plain
        assert "alias" in score({}, {}, metric=metric, alias={"a": {"b"}}).definition

    def test_unknown_metric(self, metric: str) -> None:
        with pytest.raises(UserError, match=metric):
            score({}, {}, metric=metric + "x")


class TestExplanations:
    def rules(self, gold: list[Triple], predicted: list[Triple], metric: str = "ske2019", **options: Any) -> list[Any]:
        report = score({"文": gold}, {"文": predicted}, metric=metric, explain=True, **options)
        return [(outcome.verdict, outcome.kind) for outcome in report.outcomes]

    def test_not_asked_not_made(self) -> None:
        assert not score({"文": [t("a", "p", "x")]}, {}, metric="duie2").outcomes

    def test_right(self) -> None:
        assert self.rules([t("a", "p", "x")], [t("a", "p", "x")]) == [("right", "exact")]
        ((verdict, rule),) = self.rules([t("《A》", "p", "x")], [t("a", "p", "x")])
        assert (verdict, "lower-casing" in rule) == ("right", True)
        ((_, rule),) = self.rules([t("a", "p", "x")], [t("al", "p", "x")], alias={"al": {"a"}})
        assert rule == "alias of subject (al → a)"
        ((_, rule),) = self.rules([t("a", "p", "京城")], [t("a", "p", "京")], locations={"京城": {"京"}})
        assert rule.startswith("location")

    @pytest.mark.parametrize(
        ("gold", "says"),
        [
            (t("a", "q", "x"), "predicate q in gold"),
            (t("a", "p", "xy"), "boundary of the object"),
            (t("ab", "p", "x"), "boundary of the subject"),
            (t("x", "p", "a"), "other way round"),
            (t("a", "p", "z"), "object differs: gold has z"),
            (t("z", "p", "x"), "subject differs: gold has z"),
            (t("y", "p", "z"), "with other names"),
            (t("y", "q", "z"), "no triple with this predicate"),
        ],
    )
    def test_spurious_and_missed(self, gold: Triple, says: str) -> None:
        (spurious, missed) = self.rules([gold], [t("a", "p", "x")])
        assert spurious[0] == "spurious"
        assert says in spurious[1]
        assert missed[0] == "missed"

    def test_slots_that_differ(self) -> None:
        (spurious, _) = self.rules([t("a", "p", "x", inArea="y")], [t("a", "p", "x")], "duie2")
        assert "slots differ: gold has x, inArea=y" in spurious[1]

    def test_text_without_prediction(self) -> None:
        report = score({"文": [t("a", "p", "x")]}, {}, metric="duie2", explain=True)
        assert report.outcomes[0].kind == "missed: the text has no prediction"
        assert report.outcomes[0].item == {"subject": "a", "predicate": "p", "object": {"@value": "x"}}

    def test_what_the_other_side_has_is_given(self) -> None:
        gold, found = [t("a", "p", "xy"), t("b", "p", "z")], [t("a", "p", "x"), t("《B》", "p", "z")]
        report = score({"文": gold}, {"文": found}, metric="duie2", explain=True)
        spurious, right, missed = report.outcomes
        assert (spurious.key, spurious.text) == ("文", "文")
        assert spurious.other == {"subject": "a", "predicate": "p", "object": {"@value": "xy"}} == missed.item
        assert missed.other == spurious.item
        assert right.other == {"subject": "b", "predicate": "p", "object": {"@value": "z"}}
        line = right.record()
        assert list(line) == ["text", "verdict", "rule", "subject", "predicate", "object", "other"]

    def test_a_duplicate_is_named(self) -> None:
        found = self.rules([t("a", "p", "x")], [t("a", "p", "x"), t("al", "p", "x")], alias={"al": {"a"}})
        assert [verdict for verdict, _ in found] == ["right", "duplicate"]


# -- a literal twin, written from the rules and as slow as they read


def twin(
    gold: Gold, predicted: Gold, metric: str, alias: Mapping[str, set[str]], locations: Mapping[str, set[str]]
) -> tuple[int, int, int, int]:
    def norm(name: str) -> str:
        name = name.lower()
        if len(name) > 0 and name[0] == "《" and name[-1] == "》":
            return name[1:-1]
        return name

    def form(triple: Triple) -> tuple[str, str, frozenset[tuple[str, str]]]:
        return norm(triple.subject), triple.predicate, frozenset((s, norm(v)) for s, v in triple.object)

    def names(name: str) -> set[str]:
        return {name} | set(alias.get(name, set()))

    def both(one: str, other: str) -> bool:
        return other in names(one) and one in names(other)

    def same(p: Any, g: Any, use_locations: bool) -> bool:
        if metric == "ske2019":
            (po,), (go,) = dict(p[2]).values(), dict(g[2]).values()
            candidates = {(s, p[1], o) for s, o in itertools.product(names(p[0]), names(po))}
            if (g[0], g[1], go) in candidates:
                return True
            return use_locations and p[1] == g[1] and g[0] in names(p[0]) and po in locations.get(go, set())
        mine, theirs = dict(p[2]), dict(g[2])
        return (
            p[1] == g[1]
            and set(mine) == set(theirs)
            and both(p[0], g[0])
            and all(both(mine[slot], theirs[slot]) for slot in mine)
        )

    def once(triples: Iterable[Any]) -> list[Any]:
        kept: list[Any] = []
        for triple in triples:
            if not any(same(triple, earlier, False) for earlier in kept):
                kept.append(triple)
        return kept

    right = given = found = wanted = 0
    for text, triples in gold.items():
        golds = list(dict.fromkeys(map(form, triples)))
        if metric == "duie2":
            golds = once(golds)
        raw = list(map(form, predicted.get(text, [])))
        kept = once(raw)
        wanted += len(golds)
        given += len(kept)
        right += sum(any(same(p, g, True) for g in golds) for p in kept)
        found += sum(any(same(p, g, True) for p in raw) for g in golds)
    return right, given, found, wanted


NAME = st.sampled_from(["a", "A", "al", "《a》", "《A", "b", "京", "京城", "", "《", "《》"])
NAMES = st.dictionaries(
    st.sampled_from(["a", "al", "b", "京", "京城"]),
    st.sets(st.sampled_from(["a", "al", "b", "京", "京城"])),
    max_size=4,
)


def corpora(slots: bool) -> st.SearchStrategy[dict[str, list[Triple]]]:
    area = st.none() | NAME if slots else st.none()
    triple = st.builds(
        lambda s, p, o, a: t(s, p, o) if a is None else t(s, p, o, inArea=a), NAME, st.sampled_from("pq"), NAME, area
    )
    return st.dictionaries(st.sampled_from(["甲", "乙", "丙"]), st.lists(triple, max_size=5))


@settings(max_examples=150, deadline=None)
@given(data=st.data(), metric=st.sampled_from(["ske2019", "duie2"]), alias=NAMES)
def test_agrees_with_the_literal_twin(data: st.DataObject, metric: str, alias: dict[str, set[str]]) -> None:
    gold, predicted = data.draw(corpora(metric == "duie2")), data.draw(corpora(metric == "duie2"))
    locations = data.draw(NAMES) if metric == "ske2019" else {}
    for a, loc in ((alias, locations), (alias, {}), ({}, {})):
        report = score(gold, predicted, metric=metric, alias=a, locations=loc, explain=True, resamples=20)
        assert counts(report) == twin(gold, predicted, metric, a, loc)
        tally = [sum(v.verdict == name for v in report.outcomes) for name in ("right", "spurious", "missed")]
        right, given_, found, wanted = counts(report)
        assert tally == [right, given_ - right, wanted - found]
        assert [sum(column) for column in zip(*[(r[4], r[5], r[6]) for r in report.tables[0].rows], strict=True)] in (
            [wanted, given_, right],
            [],
        )


@settings(max_examples=60, deadline=None)
@given(gold=corpora(True), predicted=corpora(True), seed=st.integers(0, 99))
def test_what_must_not_change_a_score(gold: Gold, predicted: Gold, seed: int) -> None:
    base = counts(score(gold, predicted, metric="duie2", resamples=0))
    shuffled = list(predicted.items())
    random.Random(seed).shuffle(shuffled)
    again = {text: [*reversed(triples), *triples[:1]] for text, triples in shuffled}
    assert counts(score(gold, again, metric="duie2", resamples=0)) == base
    assert counts(score(gold, {**predicted, "别的": [t("a", "p", "b")]}, metric="duie2", resamples=0)) == base
    # precision and recall change places when gold and predictions do, over the same texts
    texts = {text: predicted.get(text, []) for text in gold}
    right, given_, found, wanted = counts(score(gold, texts, metric="duie2", resamples=0))
    assert counts(score(texts, gold, metric="duie2", resamples=0)) == (found, wanted, right, given_)
    # gold against itself
    perfect = score(gold, gold, metric="duie2", resamples=0).values
    assert perfect["f1"] == (1.0 if perfect["gold"] else 0.0)


class TestInterval:
    def test_holds_the_value_and_repeats(self) -> None:
        texts = [PRFScore(1, 2, 1, 2), PRFScore(2, 2, 2, 3), PRFScore(0, 1, 0, 1)] * 30
        total = sum(texts, PRFScore()).f1
        interval = f1_interval(texts)
        assert interval is not None
        assert interval[0] < total < interval[1]
        assert f1_interval(reversed(texts)) == interval

    def test_more_texts_narrower(self) -> None:
        texts = [PRFScore(1, 2, 1, 2), PRFScore(0, 1, 0, 1)]
        widths = []
        for times in (20, 500):
            interval = f1_interval(texts * times)
            assert interval is not None
            widths.append(interval[1] - interval[0])
        assert widths[1] < widths[0] / 3

    def test_agrees_with_drawing_texts_one_by_one(self) -> None:
        texts = [PRFScore(1, 2, 1, 3), PRFScore(2, 2, 2, 2), PRFScore(0, 3, 0, 1), PRFScore(3, 4, 3, 5)] * 10
        rng = random.Random(1)
        drawn = sorted(sum(rng.choices(texts, k=len(texts)), PRFScore()).f1 for _ in range(3000))
        interval = f1_interval(texts, resamples=5000)
        assert interval is not None
        assert interval[0] == pytest.approx(drawn[75], abs=0.015)
        assert interval[1] == pytest.approx(drawn[-75], abs=0.015)

    def test_sure_cases(self) -> None:
        assert f1_interval([PRFScore(1, 1, 1, 1)] * 5) == (1.0, 1.0)
        assert f1_interval([PRFScore(0, 0, 0, 0)] * 5) == (0.0, 0.0)
        assert f1_interval([]) is None


# -- files


def ske(text: str, *triples: tuple[str, str, Any]) -> str:
    spo_list = [{"subject": s, "predicate": p, "object": o} for s, p, o in triples]
    return json.dumps({"text": text, "spo_list": spo_list}, ensure_ascii=False)


class TestFiles:
    def test_detects_the_variant(self, tmp_path: Path) -> None:
        path = tmp_path / "gold.json"
        path.write_text(ske("空") + "\n" + ske("甲", ("a", "p", "x")), encoding="utf-8")
        assert detect_metric(path) == "ske2019"
        path.write_text(ske("甲", ("a", "p", {"@value": "x"})), encoding="utf-8")
        assert detect_metric(path) == "duie2"
        path.write_text(ske("甲"), encoding="utf-8")
        with pytest.raises(UserError, match="no triple"):
            detect_metric(path)

    def test_the_last_of_repeated_texts_wins(self, tmp_path: Path) -> None:
        path = tmp_path / "f.json"
        path.write_text(
            "\n".join([ske("甲", ("a", "p", "x")), ske("乙"), ske("甲", ("b", "p", "y"))]), encoding="utf-8"
        )
        scored = read_for_scoring(path, "ske2019")
        assert scored.triples["甲"] == (t("b", "p", "y"),)
        assert (scored.records, scored.repeated) == (3, 1)

    def test_every_member_of_a_zip_is_read(self, tmp_path: Path) -> None:
        gold, predicted = tmp_path / "gold.json.gz", tmp_path / "result.zip"
        gold.write_bytes(gzip.compress("\n".join([ske("甲", ("a", "p", "x")), ske("乙", ("b", "p", "y"))]).encode()))
        with zipfile.ZipFile(predicted, "w") as archive:
            archive.writestr("one.json", ske("甲", ("a", "p", "x")))
            archive.writestr("deep/two.json", ske("乙", ("b", "p", "y")))
        assert score_paths(gold, predicted).values["f1"] == 1.0

    @pytest.mark.parametrize(
        ("line", "metric", "field"),
        [
            ('{"spo_list": []}', "duie2", "text"),
            ('{"text": 4, "spo_list": []}', "duie2", "text"),
            ('{"text": "甲"}', "duie2", "spo_list"),
            ('{"text": "甲", "spo_list": 3}', "duie2", "spo_list"),
            ('{"text": "甲", "spo_list": [3]}', "duie2", "spo_list[0]"),
            (ske("甲", ("a", "p", "x")), "duie2", "spo_list[0].object"),
            (ske("甲", ("a", "p", None)), "duie2", "spo_list[0].object"),
            (ske("甲", ("a", "p", {})), "duie2", "spo_list[0].object.@value"),
            (ske("甲", ("a", "p", {"@value": "x", "inArea": 3})), "duie2", "spo_list[0].object.inArea"),
            (ske("甲", ("a", "p", {"@value": "x"})), "ske2019", "spo_list[0].object"),
            ('{"text": "甲", "spo_list": [{"predicate": "p", "object": "x"}]}', "ske2019", "spo_list[0].subject"),
            (
                '{"text": "甲", "spo_list": [{"subject": 1, "predicate": "p", "object": "x"}]}',
                "ske2019",
                "spo_list[0].subject",
            ),
        ],
    )
    def test_format_errors(self, tmp_path: Path, line: str, metric: str, field: str) -> None:
        path = tmp_path / "result.json"
        path.write_text(ske("好") + "\n" + line + "\n", encoding="utf-8")
        with pytest.raises(UserError) as caught:
            read_for_scoring(path, metric)
        assert str(caught.value).startswith(f"{path}:2: {field}: ")
        assert caught.value.mend

    def test_an_empty_slot_is_a_slot(self, tmp_path: Path) -> None:
        gold, predicted = tmp_path / "gold.json", tmp_path / "result.json"
        gold.write_text(ske("甲", ("a", "p", {"@value": "x"})), encoding="utf-8")
        predicted.write_text(ske("甲", ("a", "p", {"@value": "x", "inArea": ""})), encoding="utf-8")
        assert score_paths(gold, predicted).values["f1"] == 0.0

    def test_name_dictionaries(self, tmp_path: Path) -> None:
        path = tmp_path / "alias.txt"
        path.write_text("AL\tA\tB\r\n\r\nC\td\nc\tE\n", encoding="utf-8")
        assert read_names(path) == {"al": {"a", "b"}, "c": {"e"}}
        path.write_text("甲\t乙\n丙 丁\n", encoding="utf-8")
        with pytest.raises(UserError) as caught:
            read_names(path)
        assert caught.value.line == 2


@pytest.mark.parametrize("metric", METRICS)
def test_values_and_interval_follow_from_the_counts_of_texts(metric: str) -> None:
    gold = {f"文{n}": [t("a", "p", f"x{k}") for k in range(n % 4)] for n in range(30)}
    found = {f"文{n}": [t("a", "p", f"x{k}") for k in range(n % 3)] for n in range(27)}
    report = score(gold, found, metric=metric, resamples=500)
    assert report.counts is not None and report.measures is not None
    assert list(report.keys) == list(gold) and report.counts.shape == (30, 4)
    values = report.measures(report.counts.sum(0))
    assert {name: float(value) for name, value in values.items()} == pytest.approx(
        {name: report.values[name] for name in ("precision", "recall", "f1")}
    )
    scores = [PRFScore(*map(int, row)) for row in report.counts]
    assert report.interval == f1_interval(scores, resamples=500)
