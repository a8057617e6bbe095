"""The entity-linking scorers: the rules trap by trap, slow literal twins, and what is told about errors."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ietool.errors import UserError
from ietool.scoring.intervals import f1_interval
from ietool.scoring.prf import PRFScore
from ietool.scoring.report import Report
from ietool.tables import Table
from ietool.tasks.el.data.example import Mention
from ietool.tasks.el.score.files import read_for_scoring
from ietool.tasks.el.score.scorer import METRICS, score, score_paths
from ietool.tasks.el.writing import format_line

TEXT = "《青砖巷》是林满写的，林满住在云州"
KEY = ("1", TEXT)
Texts = dict[tuple[str, str], list[Mention]]


def m(mention: str, start: int, kb_id: str = "501") -> Mention:
    return Mention(mention, start, kb_id)


BOOK, AUTHOR, CITY = m("青砖巷", 1, "501"), m("林满", 6, "77"), m("云州", 15, "30")


def names(*known: str) -> dict[str, list[str]]:
    """A knowledge base in which each of some names means one entity."""
    return {name: ["501"] for name in known}


def one(gold: Sequence[Mention], predicted: Sequence[Mention], metric: str, **options: Any) -> Report:
    return score({KEY: gold}, {KEY: predicted}, metric=metric, resamples=0, **options)


def counts(report: Report) -> tuple[float, ...]:
    return tuple(report.values[name] for name in ("right", "predicted", "gold"))


def table(report: Report, title: str) -> Table:
    return next(t for t in report.tables if t.title.startswith(title))


def kinds(report: Report, title: str) -> dict[str, int]:
    """kind → count, of those there are."""
    found = [t for t in report.tables if t.title.startswith(title)]
    return {str(row[0]): int(row[1] or 0) for t in found for row in t.rows if row[1]}


@pytest.mark.parametrize("metric", METRICS)
class TestBoth:
    def test_gold_itself_is_right(self, metric: str) -> None:
        report = one([BOOK, AUTHOR, CITY], [CITY, BOOK, AUTHOR], metric)
        assert counts(report) == (3, 3, 3)
        for name in ("precision", "recall", "f1", "mention_f1", "linking_accuracy"):
            assert report.values[name] == 1.0

    @pytest.mark.parametrize(
        "wrong",
        [
            m("青砖巷", 1, "502"),
            m("青砖巷", 2),
            m("青砖", 1),
            m("《青砖巷》", 0),
            m("青砖巷", 1, "0501"),
            m("青砖巷", 1, ""),
        ],
    )
    def test_all_three_must_be_equal(self, wrong: Mention, metric: str) -> None:
        assert counts(one([BOOK], [wrong], metric)) == (0, 1, 1)

    def test_case_and_book_marks_count(self, metric: str) -> None:
        assert counts(one([m("GoLand", 0)], [m("goland", 0)], metric)) == (0, 1, 1)

    def test_the_id_of_the_text_counts(self, metric: str) -> None:
        report = score({("1", TEXT): [BOOK]}, {("2", TEXT): [BOOK]}, metric=metric)
        assert report.values["f1"] == 0.0
        assert any("under another text_id" in note for note in report.notes)

    def test_a_missing_text_is_an_empty_prediction(self, metric: str) -> None:
        report = score({KEY: [BOOK], ("2", "别处"): [m("别处", 0)]}, {KEY: [BOOK]}, metric=metric)
        assert counts(report) == (1, 1, 2)
        assert report.notes == ["1 of 2 gold texts have no prediction and count as empty ones"]

    def test_nothing_at_all(self, metric: str) -> None:
        report = one([], [], metric)
        assert counts(report) == (0, 0, 0)
        assert report.values["f1"] == 0.0

    def test_the_stages(self, metric: str) -> None:
        predicted = [BOOK, m("林满", 6, "78"), m("云", 15, "30")]
        report = one([BOOK, AUTHOR, CITY], predicted, metric)
        assert counts(report) == (1, 3, 3)
        assert report.values["mention_precision"] == report.values["mention_recall"] == pytest.approx(2 / 3)
        assert report.values["linking_accuracy"] == 0.5
        mention, linking, whole = table(report, "Stages").rows
        assert mention[1:4] == [report.values[f"mention_{name}"] for name in ("precision", "recall", "f1")]
        assert linking[4] == 0.5
        assert whole[1:4] == [report.values[name] for name in ("precision", "recall", "f1")]
        assert all(len(str(row[-1])) > 30 for row in (mention, linking, whole))

    def test_nested_mentions_are_told_apart(self, metric: str) -> None:
        nested = [m("云州大学", 0, "1"), m("云州", 0, "2"), m("大学", 2, "3")]
        assert counts(one(nested, nested[::-1], metric)) == (3, 3, 3)

    def test_intervals_hold_the_score(self, metric: str) -> None:
        gold = {(str(n), TEXT): [BOOK, AUTHOR] for n in range(50)}
        predicted = {(str(n), TEXT): [BOOK, m("林满", 6, "77" if n % 3 else "78")] for n in range(50)}
        report = score(gold, predicted, metric=metric)
        assert report.interval is not None
        low, high = report.interval
        assert low < report.values["f1"] < high
        assert report.interval == f1_interval([PRFScore(2 if n % 3 else 1, 2, 2 if n % 3 else 1, 2) for n in range(50)])
        assert table(report, "Stages").rows[0][5:7] == [1.0, 1.0]
        assert table(report, "Stages").rows[2][5:7] == [low, high]


class TestCcks2019:
    def test_gold_nil_is_left_out(self) -> None:
        report = one([BOOK, m("林满", 6, "NIL")], [BOOK], "ccks2019")
        assert counts(report) == (1, 1, 1)
        assert "1 gold mentions have NIL as kb_id and are left out" in report.notes

    def test_a_predicted_nil_is_never_right(self) -> None:
        report = one([BOOK, m("林满", 6, "NIL")], [BOOK, m("林满", 6, "NIL")], "ccks2019")
        assert counts(report) == (1, 2, 1)
        assert any(note.startswith("1 predicted mentions have NIL") for note in report.notes)

    def test_an_entity_for_a_gold_nil_is_wrong_at_both_stages(self) -> None:
        report = one([BOOK, m("林满", 6, "NIL")], [BOOK, AUTHOR], "ccks2019")
        assert counts(report) == (1, 2, 1)
        assert report.values["mention_precision"] == 0.5
        assert kinds(report, "Wrong") == {"NIL in gold": 1}

    def test_repeated_predictions_count_once(self) -> None:
        assert counts(one([BOOK], [BOOK, BOOK], "ccks2019")) == (1, 1, 1)
        assert counts(one([BOOK, BOOK], [BOOK], "ccks2019")) == (1, 1, 1)

    def test_two_ids_for_one_mention_are_two_predictions_and_one_mention(self) -> None:
        report = one([BOOK], [BOOK, m("青砖巷", 1, "502")], "ccks2019")
        assert counts(report) == (1, 2, 1)
        assert report.values["mention_f1"] == report.values["linking_accuracy"] == 1.0

    def test_texts_that_gold_lacks_cost_nothing(self) -> None:
        report = score({KEY: [BOOK]}, {KEY: [BOOK], ("2", "别处"): [m("别处", 0)]}, metric="ccks2019")
        assert counts(report) == (1, 1, 1)
        assert report.notes == ["1 predicted texts are not in gold and cost nothing"]


class TestCcks2020:
    @pytest.mark.parametrize(
        ("gold", "predicted", "right"),
        [
            ("NIL_Person", "NIL_Person", 1),
            ("NIL_Person|NIL_Work", "NIL_Work", 1),
            ("NIL_Person|NIL_Work", "NIL_Person|NIL_Work", 0),
            ("NIL_Person", "NIL", 0),
            ("NIL_Person", "NIL_Pers", 0),
            ("NIL_Person", "nil_person", 0),
            ("NIL_Person", "501", 0),
            ("501", "NIL_Person", 0),
            ("501", "501", 1),
            ("501|502", "501", 0),  # a number must be equal
        ],
    )
    def test_ids(self, gold: str, predicted: str, right: int) -> None:
        report = one([m("青砖巷", 1, gold)], [m("青砖巷", 1, predicted)], "ccks2020")
        assert counts(report) == (right, 1, 1)

    def test_gold_nil_counts_in_recall(self) -> None:
        assert counts(one([BOOK, m("林满", 6, "NIL_Person")], [BOOK], "ccks2020")) == (1, 1, 2)

    def test_a_repeated_prediction_is_a_false_positive(self) -> None:
        report = one([BOOK], [BOOK, BOOK], "ccks2020")
        assert counts(report) == (1, 2, 1)
        assert report.values["mention_precision"] == 0.5
        assert kinds(report, "Wrong") == {"repeated": 1}

    def test_the_first_prediction_uses_a_mention_up(self) -> None:
        assert counts(one([BOOK], [m("青砖巷", 1, "502"), BOOK], "ccks2020")) == (0, 2, 1)

    def test_a_mention_that_stands_twice_in_gold_counts_twice_and_has_the_last_id(self) -> None:
        report = one([m("青砖巷", 1, "500"), BOOK], [BOOK], "ccks2020")
        assert counts(report) == (1, 1, 2)
        assert kinds(report, "Gold") == {"twice in gold": 1}

    def test_texts_that_gold_lacks_are_wrong(self) -> None:
        other = m("别处", 0)
        report = score({KEY: [BOOK]}, {KEY: [BOOK], ("2", "别处"): [other, other]}, metric="ccks2020")
        assert counts(report) == (1, 3, 1)
        assert kinds(report, "Wrong") == {"text not in gold": 2}
        assert report.notes == ["1 predicted texts are not in gold and count as wrong"]


class TestErrors:
    GOLD = (BOOK, AUTHOR, m("林满", 11, "77"), CITY, m("写", 8, "9"), m("Q", 9, "2"))

    def test_kinds(self) -> None:
        predicted = [m("青砖巷", 1, "502"), m("林满写", 6, "77"), m("q", 9, "2"), m("住在", 13, "4")]
        report = one(self.GOLD, predicted, "ccks2019", kb=names("青砖巷", "林满", "写", "q"))
        assert kinds(report, "Gold") == {
            "missed by the dictionary": 1, "not proposed": 1, "wrong boundary": 2, "wrong entity": 1,
            "written otherwise": 1,
        }  # fmt: skip
        assert kinds(report, "Wrong") == {
            "wrong entity": 1, "wrong boundary": 1, "not annotated": 1, "written otherwise": 1,
        }  # fmt: skip

    def test_the_dictionary_is_blamed_only_where_there_is_one(self) -> None:
        report = one(self.GOLD, [], "ccks2019")
        assert kinds(report, "Gold") == {"not proposed": 6}
        assert "missed by the dictionary" not in [row[0] for row in table(report, "Gold").rows]

    def test_names_are_looked_up_normalised(self) -> None:
        gold = [m("《Q》", 0)]
        assert kinds(one(gold, [], "ccks2019", kb=names("q")), "Gold") == {"not proposed": 1}
        assert kinds(one(gold, [], "ccks2019", kb=names("Q")), "Gold") == {"missed by the dictionary": 1}

    def test_a_mention_that_was_found_is_not_blamed_for_its_neighbour(self) -> None:
        nested = [m("云州大学", 0, "1"), m("云州", 0, "2")]
        assert kinds(one(nested, nested[:1], "ccks2019"), "Gold") == {"not proposed": 1}
        assert kinds(one(nested[:1], nested, "ccks2019"), "Wrong") == {"not annotated": 1}

    def test_examples_show_the_place_and_both_sides(self) -> None:
        report = one([AUTHOR], [m("林满", 6, "78")], "ccks2019")
        (row,) = [row for row in table(report, "Wrong").rows if row[0] == "wrong entity"]
        assert row[2] == 1.0
        assert row[-1] == "《青砖巷》是[林满]写的，林满住在云… (78, gold 77)"

    def test_no_tables_of_errors_where_there_are_none(self) -> None:
        assert [t.title for t in one([BOOK], [BOOK], "ccks2019", kb={}).tables] == ["Stages"]

    def test_the_worst_names_come_first(self) -> None:
        report = one(self.GOLD, [AUTHOR], "ccks2019")
        rows = [tuple(row) for row in table(report, "Names").rows]
        assert ("林满", 1, 0, 1) in rows
        assert rows[0] == ("q", 1, 0, 0)  # among equals by name

    def test_unknown_variant(self) -> None:
        with pytest.raises(UserError, match="use ccks2019 or ccks2020"):
            one([], [], "ccks2021")


class TestAmbiguous:
    KB = MappingProxyType({"青砖巷": ["500", "501"], "林满": ["77"], "云州": ["31", "30", "32"]})

    def values(self, predicted: Sequence[Mention], metric: str = "ccks2019", **options: Any) -> dict[str, float]:
        found = one([BOOK, AUTHOR, CITY], predicted, metric, kb=self.KB, **options).values
        return {name.removeprefix("ambiguous_"): value for name, value in found.items() if "ambiguous" in name}

    @pytest.mark.parametrize("metric", METRICS)
    def test_only_what_was_found_and_has_several_candidates_counts(self, metric: str) -> None:
        wrong = m("云州", 15, "31")
        assert self.values([BOOK, AUTHOR, CITY], metric) == {"accuracy": 1.0, "mentions": 2}
        assert self.values([BOOK, AUTHOR, wrong], metric) == {"accuracy": 0.5, "mentions": 2}
        # Neither a wrong boundary, nor a miss, nor what has one candidate.
        assert self.values([m("青砖", 1, "501"), AUTHOR, wrong], metric) == {"accuracy": 0.0, "mentions": 1}
        assert self.values([AUTHOR], metric) == {"accuracy": 0.0, "mentions": 0}

    @pytest.mark.parametrize("metric", METRICS)
    def test_the_prior_is_what_train_links_most_often_or_the_first(self, metric: str) -> None:
        found = [m("青砖巷", 1, "500"), CITY]
        assert self.values(found, metric, links={})["prior"] == 0.0
        assert self.values(found, metric, links={"云州": {"30": 1}})["prior"] == 0.5
        assert self.values(found, metric, links={"云州": {"30": 1, "31": 1}})["prior"] == 0.0
        # What train links the name to, though the knowledge base does not know it as one of that name, is no choice.
        assert self.values(found, metric, links={"云州": {"30": 1, "99": 9}, "青砖巷": {"501": 2}})["prior"] == 1.0
        assert self.values(found[:1], metric, links={"青砖巷": {"501": 2}}) == {
            "accuracy": 0.0, "prior": 1.0, "mentions": 1,
        }  # fmt: skip

    def test_names_are_looked_up_normalised(self) -> None:
        report = one(
            [m("《Q》", 0, "1")], [m("《Q》", 0, "1")], "ccks2019", kb={"q": ["1", "2"]}, links={"q": {"2": 1}}
        )
        assert (report.values["ambiguous_accuracy"], report.values["ambiguous_prior"]) == (1.0, 0.0)

    def test_nil_has_no_candidates(self) -> None:
        nil = m("云州", 15, "NIL_Place")
        assert one([nil], [nil], "ccks2020", kb=self.KB).values["ambiguous_mentions"] == 0
        # A prediction of NIL where gold has an id is a wrong choice, though.
        value = one([CITY], [nil], "ccks2020", kb=self.KB).values
        assert (value["ambiguous_accuracy"], value["ambiguous_mentions"]) == (0.0, 1)

    def test_a_gold_id_that_is_no_candidate_is_told(self) -> None:
        report = one([m("云州", 15, "99")], [CITY], "ccks2019", kb=self.KB)
        assert report.values["ambiguous_mentions"] == 1
        assert [note for note in report.notes if note.startswith("1 of the ambiguous mentions have a gold id that")]

    def test_the_table_says_how_it_was_counted(self) -> None:
        rows = {row[0]: row for row in table(one([CITY], [CITY], "ccks2019", kb=self.KB, links={}), "Stages").rows}
        assert list(rows) == ["mention", "linking", "linking, ambiguous", "… by the prior", "end to end"]
        assert rows["linking, ambiguous"][4] == 1.0 and rows["… by the prior"][4] == 0.0
        assert "two or more entities" in str(rows["linking, ambiguous"][-1])
        without = {row[0]: row for row in table(one([CITY], [], "ccks2019", kb=self.KB), "Stages").rows}
        assert "… by the prior" not in without
        assert without["linking, ambiguous"][4:9] == [None, None, None, 0, 0]

    def test_the_interval_holds_the_accuracy(self) -> None:
        gold = {(str(n), TEXT): [CITY] for n in range(40)}
        given = {(str(n), TEXT): [CITY if n % 4 else m("云州", 15, "31")] for n in range(40)}
        report = score(gold, given, metric="ccks2019", kb=self.KB)
        (row,) = [row for row in table(report, "Stages").rows if row[0] == "linking, ambiguous"]
        _, accuracy, low, high = row[3:7]
        assert accuracy == 0.75
        assert 0.55 < low < 0.75 < high < 0.95  # type: ignore[operator]


class TestExplain:
    def test_verdicts(self) -> None:
        gold = [BOOK, m("林满", 6, "NIL_Person|NIL_Other"), CITY]
        predicted = [m("林满", 6, "NIL_Other"), BOOK, m("云", 15, "30")]
        verdicts = one(gold, predicted, "ccks2020", explain=True).outcomes
        assert [(v.verdict, v.item["mention"], v.kind) for v in verdicts] == [
            ("right", "林满", "its type is one of gold's NIL_Person|NIL_Other"),
            ("right", "青砖巷", "exact"),
            ("spurious", "云", "wrong boundary: no mention of gold, but overlaps one that was not found; "
                               "gold has 云州 at 15 (30)"),
            ("missed", "云州", "wrong boundary: not found, but a prediction that is no mention of gold overlaps it; "
                               "the prediction has 云 at 15 (30)"),
        ]  # fmt: skip
        assert verdicts[0].text == TEXT
        assert verdicts[0].item == {"text_id": "1", "mention": "林满", "offset": "6", "kb_id": "NIL_Other"}

    def test_a_text_without_prediction(self) -> None:
        (verdict,) = score({KEY: [BOOK]}, {}, metric="ccks2019", explain=True).outcomes
        assert (verdict.verdict, verdict.kind) == ("missed", "not proposed: the text has no prediction")


def twin_2019(gold: Texts, predicted: Texts) -> tuple[int, int, int]:
    """(right, predicted, gold) as the rule reads, text by text, list by list."""
    right = total = wanted = 0
    for key, mentions in gold.items():
        true = []
        for mention in mentions:
            item = (mention.mention, mention.start, mention.kb_id)
            if not mention.kb_id.startswith("NIL") and item not in true:
                true.append(item)
        given = []
        for mention in predicted.get(key, []):
            item = (mention.mention, mention.start, mention.kb_id)
            if item not in given:
                given.append(item)
        right += len([item for item in given if item in true])
        total += len(given)
        wanted += len(true)
    return right, total, wanted


def twin_2020(gold: Texts, predicted: Texts) -> tuple[int, int, int]:
    """(right, predicted, gold) with one dictionary over the whole corpus and a mark on what was asked for."""
    answers: dict[tuple[str, str, str, str], str] = {}
    wanted = 0
    for (text_id, text), mentions in gold.items():
        for mention in mentions:
            answers[text_id, text, mention.mention, str(mention.start)] = mention.kb_id
            wanted += 1
    asked: dict[tuple[str, str, str, str], bool] = defaultdict(bool)
    tally: Counter[str] = Counter()
    for (text_id, text), mentions in predicted.items():
        for mention in mentions:
            key = (text_id, text, mention.mention, str(mention.start))
            if key not in answers or asked[key]:
                good = False
            elif mention.kb_id.isdigit():
                good = mention.kb_id == answers[key]
            else:
                good = mention.kb_id in answers[key].split("|")
            tally["tp" if good else "fp"] += 1
            asked[key] = True
    return tally["tp"], tally["tp"] + tally["fp"], wanted


IDS = st.sampled_from(["1", "2", "NIL", "NIL_A", "NIL_B", "NIL_A|NIL_B", ""])
MENTIONS = st.lists(
    st.builds(Mention, st.sampled_from(["甲", "乙", "甲乙", "A", "a"]), st.integers(0, 2), IDS), max_size=5
)
TEXTS = st.dictionaries(st.tuples(st.sampled_from("12"), st.sampled_from(["甲乙", "Aa甲"])), MENTIONS, max_size=4)


@given(TEXTS, TEXTS, st.sampled_from(METRICS))
def test_agrees_with_the_literal_twins(gold: Texts, predicted: Texts, metric: str) -> None:
    report = score(gold, predicted, metric=metric, kb=names("甲"), explain=True, resamples=0)
    assert counts(report) == (twin_2019 if metric == "ccks2019" else twin_2020)(gold, predicted)

    # Mention and offset alone: the same rules, with one and the same id for all.
    def bare(texts: Texts, keep_nil: bool) -> Texts:
        return {
            key: [Mention(x.mention, x.start, "1") for x in found if keep_nil or not x.is_nil]
            for key, found in texts.items()
        }

    right, total, wanted = (twin_2019 if metric == "ccks2019" else twin_2020)(
        bare(gold, metric == "ccks2020"), bare(predicted, True)
    )
    assert report.values["mention_precision"] == (right / total if total else 0.0)
    assert report.values["mention_recall"] == (right / wanted if wanted else 0.0)
    # Verdicts and kinds of errors add up to the counts.
    verdicts = Counter(v.verdict for v in report.outcomes)
    assert verdicts["right"] + verdicts["spurious"] == report.values["predicted"]
    assert verdicts["right"] + verdicts["missed"] == report.values["gold"]
    assert sum(kinds(report, "Wrong").values()) == verdicts["spurious"]
    assert sum(kinds(report, "Gold").values()) == verdicts["missed"]


@given(TEXTS, TEXTS, st.sampled_from(METRICS))
def test_values_and_interval_follow_from_the_counts_of_texts(gold: Texts, predicted: Texts, metric: str) -> None:
    report = score(gold, predicted, metric=metric, resamples=50, explain=True)
    extra = [key for key in predicted if key not in gold] if metric == "ccks2020" else []
    assert report.keys == [*gold, *extra]
    assert report.counts is not None and report.measures is not None
    assert report.counts.shape == (len(report.keys), 4)
    for name, value in report.measures(report.counts.sum(0)).items():
        assert float(value) == pytest.approx(report.values[name])
    scores = [PRFScore(*map(int, row)) for row in report.counts.tolist()]
    assert report.interval == f1_interval(scores, resamples=50)
    for outcome in report.outcomes:
        assert outcome.key in report.keys and outcome.text == outcome.key[1]  # type: ignore[index]
        for _, start, end in outcome.spans:
            assert 0 <= start < end <= len(outcome.text)
    assert not score(gold, predicted, metric=metric, resamples=0).outcomes


@given(TEXTS, TEXTS, st.sampled_from(METRICS))
def test_the_order_of_texts_does_not_matter(gold: Texts, predicted: Texts, metric: str) -> None:
    forward = score(gold, predicted, metric=metric, resamples=0).values
    turned = score(dict(reversed(gold.items())), dict(reversed(predicted.items())), metric=metric, resamples=0).values
    assert forward == turned


def twin_ambiguous(
    gold: Texts, predicted: Texts, metric: str, kb: dict[str, list[str]], links: dict[str, dict[str, int]]
) -> tuple[int, int, int]:
    """(right, right by the prior, mentions), place by place as the sentence reads."""
    right = by_prior = every = 0
    for key, mentions in gold.items():
        given = predicted.get(key, [])
        places = {(x.mention, x.start) for x in mentions}
        for name, start in places:
            ids = [x.kb_id for x in mentions if (x.mention, x.start) == (name, start)]
            answers = [x.kb_id for x in given if (x.mention, x.start) == (name, start)]
            if metric == "ccks2020":  # the last of gold, the first of the predictions
                ids, answers = ids[-1:], answers[:1]
            ids = [kb_id for kb_id in ids if not kb_id.startswith("NIL")]
            candidates = kb.get(name.lower(), [])
            if not ids or not answers or len(candidates) < 2:
                continue
            best = candidates[0]
            for kb_id in candidates:
                if links.get(name.lower(), {}).get(kb_id, 0) > links.get(name.lower(), {}).get(best, 0):
                    best = kb_id
            every += 1
            by_prior += best in ids
            right += any(answer in ids for answer in answers)
    return right, by_prior, every


KBS = st.dictionaries(st.sampled_from(["甲", "乙", "a"]), st.lists(st.sampled_from("123"), min_size=1, unique=True))
LINKS = st.dictionaries(st.sampled_from(["甲", "a"]), st.dictionaries(st.sampled_from("1234"), st.integers(1, 3)))


@given(TEXTS, TEXTS, st.sampled_from(METRICS), KBS, LINKS)
def test_ambiguous_mentions_agree_with_a_literal_twin(
    gold: Texts, predicted: Texts, metric: str, kb: dict[str, list[str]], links: dict[str, dict[str, int]]
) -> None:
    value = score(gold, predicted, metric=metric, kb=kb, links=links, resamples=0).values
    right, by_prior, every = twin_ambiguous(gold, predicted, metric, kb, links)
    assert value["ambiguous_mentions"] == every
    assert value["ambiguous_accuracy"] == (right / every if every else 0.0)
    assert value["ambiguous_prior"] == (by_prior / every if every else 0.0)


def put(path: Path, texts: Texts) -> Path:
    path.write_text("".join(format_line(*key, found) + "\n" for key, found in texts.items()), encoding="utf-8")
    return path


class TestFiles:
    @pytest.mark.parametrize(
        ("kb_ids", "metric"),
        [(["1", "NIL"], "ccks2019"), (["1"], "ccks2019"), ([], "ccks2019"), (["1", "NIL", "NIL_Person"], "ccks2020")],
    )
    def test_gold_tells_the_variant(self, tmp_path: Path, kb_ids: list[str], metric: str) -> None:
        path = put(tmp_path / "gold", {KEY: [m("青砖巷", n, kb_id) for n, kb_id in enumerate(kb_ids)]})
        assert score_paths(path, path).metric == metric

    def test_repeated_lines_are_added_up(self, tmp_path: Path) -> None:
        gold = put(tmp_path / "gold", {KEY: [BOOK, AUTHOR]})
        twice = tmp_path / "twice"
        twice.write_text(format_line(*KEY, [BOOK]) + "\n" + format_line(*KEY, [BOOK, AUTHOR]) + "\n", encoding="utf-8")
        assert read_for_scoring(twice).mentions[KEY] == [BOOK, BOOK, AUTHOR]
        report = score_paths(gold, twice, metric="ccks2019")
        assert counts(report) == (2, 2, 2)
        assert counts(score_paths(gold, twice, metric="ccks2020")) == (2, 3, 2)
        assert any("predictions: 1 lines have a text_id and text that stood before" in note for note in report.notes)

    def test_reading_is_looser_than_for_training(self, tmp_path: Path) -> None:
        path = put(tmp_path / "p", {("1", ""): [m("别处", 4, "")]})
        assert read_for_scoring(path).mentions == {("1", ""): [m("别处", 4, "")]}

    def test_ids_of_texts_that_are_no_numbers(self, tmp_path: Path) -> None:
        path = put(tmp_path / "p", {("a1", TEXT): [m("林满", 6, "NIL_Person")]})
        assert any("'a1'" in note for note in score_paths(path, path).notes)

    def test_no_prediction_at_all(self, tmp_path: Path) -> None:
        (tmp_path / "p").write_text("\n")
        report = score_paths(put(tmp_path / "gold", {KEY: [BOOK]}), tmp_path / "p")
        assert report.values["f1"] == 0.0
        assert any("holds no record: every prediction is empty" in note for note in report.notes)
        with pytest.raises(UserError, match="holds no record"):
            score_paths(tmp_path / "p", tmp_path / "p")

    @pytest.mark.parametrize(
        ("entry", "told"),
        [
            (
                {"offset": 1},
                'mention_data[0].offset: is a number, a string is needed → write it as a string: "offset": "1"',
            ),
            ({"kb_id": 501}, 'kb_id: is a number, a string is needed → write it as a string: "kb_id": "501"'),
            ({"kb_id": None}, "mention_data[0].kb_id: is null, a string is needed"),
            ({"mention": ["甲"]}, "mention_data[0].mention: is a list, a string is needed"),
            ({"offset": "x"}, "mention_data[0].offset: is no number of characters: 'x'"),
            ({"offset": ""}, "mention_data[0].offset: is no number of characters: ''"),
            ({"offset": "-1"}, "is no number of characters: '-1' → count characters from 0, in digits"),
            ({"offset": "01"}, "has leading zeros: '01' → leave them out: offsets are compared as strings"),
            ({"offset": "00"}, 'has leading zeros: \'00\' → write "offset": "0"'),
            ({"offset": "1" * 5000}, "is longer than any text: 11111111111111111111 → count characters from 0"),
        ],
    )
    @pytest.mark.parametrize("metric", METRICS)
    def test_format_errors(self, tmp_path: Path, entry: dict[str, Any], told: str, metric: str) -> None:
        gold = put(tmp_path / "gold", {KEY: [BOOK]})
        bad = {"text_id": "1", "text": TEXT, "mention_data": [{"kb_id": "1", "mention": "甲", "offset": "1", **entry}]}
        (tmp_path / "p").write_text(format_line(*KEY, []) + "\n" + json.dumps(bad) + "\n", encoding="utf-8")
        with pytest.raises(UserError) as error:
            score_paths(gold, tmp_path / "p", metric=metric)
        assert f"{tmp_path / 'p'}:2: mention_data[0]." in str(error.value)
        assert told in str(error.value)

    @pytest.mark.parametrize(
        ("bad", "told"),
        [
            ({"text": "甲", "mention_data": []}, "1: text_id: is missing → write {"),
            ({"text_id": 1, "text": "甲", "mention_data": []}, '→ write it as a string: "text_id": "1"'),
            ({"text_id": "1", "mention_data": []}, "1: text: is missing"),
            ({"text_id": "1", "text": "甲"}, "1: mention_data: is missing → is this the gold file?"),
            ({"text_id": "1", "text": "甲", "mention_data": {}}, "mention_data: is an object, a list is needed"),
            (
                {"text_id": "1", "text": "甲", "mention_data": ["甲"]},
                "mention_data[0]: is a string, an object is needed",
            ),
            (
                {"text_id": "1", "text": "甲", "mention_data": [{"kb_id": "1", "offset": "0"}]},
                "[0].mention: is missing",
            ),
        ],
    )
    def test_records_that_are_none(self, tmp_path: Path, bad: dict[str, Any], told: str) -> None:
        (tmp_path / "gold").write_text(json.dumps(bad, ensure_ascii=False), encoding="utf-8")
        with pytest.raises(UserError) as error:
            read_for_scoring(tmp_path / "gold")
        assert told in str(error.value)
