"""The scorers of question answering: their rules on invented answers, and literal twins of what is done fast."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ietool.errors import UserError
from ietool.scoring.intervals import bootstrap
from ietool.scoring.overlap import bag_f1, clipped_matches, longest_run, run_f1
from ietool.scoring.report import Report
from ietool.tasks.qa.data.question import Passage, Question
from ietool.tasks.qa.score.dureader2 import closest_entities
from ietool.tasks.qa.score.english import word_tokenize
from ietool.tasks.qa.score.files import Predicted
from ietool.tasks.qa.score.metrics import SCORERS
from ietool.tasks.qa.score.scorer import metric_of, score
from ietool.tasks.qa.score.sogouqa import form
from ietool.tasks.qa.score.squad import cmrc_tokens, robust_normalise, robust_tokens
from ietool.tasks.qa.score.webqa import vote


def asked(number: int, *answers: str, **fields: object) -> Question:
    return Question(str(number), "湖在哪里？", (Passage("云州湖在青砖巷。"),), answers, **fields)  # type: ignore[arg-type]


def scored(metric: str, gold: Sequence[Question], *given: str | Predicted | None, explain: bool = False) -> Report:
    """The report of one prediction a question, in order; None: the question has none."""
    predictions = {
        question.question_id: answer if isinstance(answer, Predicted) else Predicted((answer,))
        for question, answer in zip(gold, given, strict=True)
        if answer is not None
    }
    return score(gold, predictions, metric=metric, explain=explain, resamples=0)


def one(metric: str, answers: Sequence[str], prediction: str, **fields: object) -> dict[str, float]:
    return dict(scored(metric, [asked(1, *answers, **fields)], prediction).values)


# -- CMRC 2018, DuReader-robust


def test_the_longest_run_counts_not_the_characters_in_common() -> None:
    values = one("cmrc2018", ["云州湖边的林满"], "云州湖的林满")  # 云州湖 is the longest run, 3 of 6 and of 7
    assert values["f1"] == pytest.approx(2 * 3 / 13)
    assert values["em"] == 0
    assert values["average"] == pytest.approx(3 / 13)


def test_the_best_reference_counts_and_em_takes_any() -> None:
    values = one("cmrc2018", ["何舟", "林满先生"], "林满先生。")
    assert (values["f1"], values["em"]) == (1.0, 1.0)


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("在3.5公里", ["在", "3.5", "公", "里"]),
        ("A-B 团", ["ab", "团"]),  # a dropped character does not end a run
        ("(甲)", ["(", "甲", ")"]),  # brackets of half width stay for cmrc2018
        ("don't go乙", ["do", "n't", "go", "乙"]),
        ("甲……乙", ["甲", "……", "乙"]),
    ],
)
def test_tokens_of_cmrc2018(text: str, tokens: list[str]) -> None:
    assert cmrc_tokens(text) == tokens


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("在3.5公里", ["在", "3.5", "公", "里"]),
        ("(a, b)甲=乙", ["a b", "甲", "=", "乙"]),
        ("甲…乙", ["甲", "…", "乙"]),
        ("\U00020000㐀x", ["\U00020000", "㐀", "x"]),
    ],
)
def test_tokens_of_dureader_robust(text: str, tokens: list[str]) -> None:
    assert robust_tokens(text) == tokens


def test_dureader_robust_does_not_strip() -> None:
    assert robust_normalise(" 甲|乙 ") == " 甲乙 "
    assert one("dureader_robust", ["甲乙"], "甲乙 ")["em"] == 0
    assert one("cmrc2018", ["甲乙"], "甲乙 ")["em"] == 1


def test_two_answers_of_punctuation_are_equal_and_share_nothing() -> None:
    values = one("cmrc2018", ["。"], "，")
    assert (values["em"], values["f1"]) == (1.0, 0.0)


def test_an_unanswerable_question_wants_exactly_no_answer() -> None:
    gold = [asked(n, is_impossible=True) for n in range(4)] + [asked(4, "甲乙", is_impossible=False)]
    report = scored("dureader_robust", gold, "no answer", "No answer", "", None, "no answer")
    assert report.values["f1"] == report.values["em"] == pytest.approx(1 / 5)
    table = next(table for table in report.tables if table.title.startswith("By whether"))
    assert [row[:3] for row in table.rows] == [("unanswerable", 4, 0.25), ("answerable", 1, 0.0)]


def test_a_missing_prediction_scores_nothing_and_is_told() -> None:
    report = scored("cmrc2018", [asked(1, "甲"), asked(2, "乙")], "甲", None)
    assert report.values["f1"] == 0.5
    assert (report.values["questions"], report.values["answered"], report.values["right"]) == (2, 1, 1)
    assert any("1 of 2 questions have no prediction" in note for note in report.notes)


@given(st.lists(st.sampled_from("甲乙丙"), max_size=12), st.lists(st.sampled_from("甲乙丙"), max_size=12))
def test_longest_run_is_the_dynamic_programme(first: list[str], second: list[str]) -> None:
    table = [[0] * (len(second) + 1) for _ in range(len(first) + 1)]
    best, end = 0, 0
    for i, left in enumerate(first):
        for j, right in enumerate(second):
            if left == right:
                table[i + 1][j + 1] = table[i][j] + 1
                if table[i + 1][j + 1] > best:
                    best, end = table[i + 1][j + 1], i + 1
    assert longest_run(first, second) == (end - best, best)
    expected = 2 * best / (len(first) + len(second)) if best else 0.0
    assert run_f1(first, second) == pytest.approx(expected)


PLAIN = st.one_of(
    st.text(alphabet="abcdegimnotwy019", min_size=1, max_size=12),
    st.sampled_from(["cannot", "gonna", "wanna", "lemme", "gimme", "gotta"]),
    st.from_regex(r"[0-9]{1,4}(\.[0-9]{1,3}){0,2}", fullmatch=True),
)


@given(PLAIN)
def test_plain_words_are_those_of_nltk(text: str) -> None:
    from nltk.tokenize.destructive import NLTKWordTokenizer

    if text.isascii():  # digits of other scripts match the pattern too
        assert list(word_tokenize(text)) == NLTKWordTokenizer().tokenize(text)


def test_abbreviations_do_not_end_a_sentence() -> None:
    assert word_tokenize("the u.s. team") == ("the", "u.s.", "team")
    assert word_tokenize("a dog. the cat.") == ("a", "dog", ".", "the", "cat", ".")
    assert word_tokenize("cannot") == ("can", "not")


# -- SogouQA, WebQA


@pytest.mark.parametrize("prediction", ["青砖巷", "《青砖巷》", " 青 砖 巷 ", "青砖-巷", "青砖.巷"])
def test_sogouqa_takes_no_notice_of_punctuation_and_blanks(prediction: str) -> None:
    values = one("sogouqa", ["云州湖", "青砖巷"], prediction)
    assert (values["accuracy"], values["f1"], values["score"]) == (1.0, 1.0, 1.0)


def test_sogouqa_width_case_and_numbers() -> None:
    assert form("Ａｂ　Ｃ，１．５") == "abc15"
    assert one("sogouqa", ["15"], "1.5")["accuracy"] == 1  # the dot vanishes, as it does in the organisers' script
    assert one("sogouqa", ["甲"], "  ")["score"] == 0
    assert form("甲♪") == "甲♪"


def test_sogouqa_parts_in_any_order_and_characters_as_a_bag() -> None:
    assert one("sogouqa", ["林满 何舟"], "何舟、林满")["accuracy"] == 1
    values = one("sogouqa", ["云州湖"], "湖州人")
    assert (values["accuracy"], values["f1"]) == (0, pytest.approx(2 / 3))
    assert values["score"] == pytest.approx(1 / 3)


@given(st.text(alphabet="甲乙丙丁", max_size=9), st.text(alphabet="甲乙丙丁", max_size=9))
def test_bag_f1_takes_characters_away_one_by_one(prediction: str, reference: str) -> None:
    left, right = list(reference), 0
    for char in prediction:
        if char in left:
            left.remove(char)
            right += 1
    expected = 2 * right / (len(prediction) + len(reference)) if right else 0.0
    assert bag_f1(prediction, reference) == pytest.approx(expected)


def test_webqa_precision_is_among_the_answers_given() -> None:
    gold = [asked(1, "林满"), asked(2, "Blue 湖"), asked(3, "甲"), asked(4, "乙")]
    values = scored("webqa", gold, "林满", "blue湖", "错", "no_result").values
    assert values["precision"] == pytest.approx(2 / 3)
    assert values["recall"] == pytest.approx(2 / 4)
    assert values["f1"] == pytest.approx(4 / 7)


def test_webqa_votes_of_blank_passages_are_passed_over() -> None:
    passages = (Passage("林满", ("林满",), (-1,), document=1), Passage("林满。", ("林满",), (-1,), document=2))
    gold = [Question("1", "谁？", passages, ("林满",), form="webqa")]
    values = scored("webqa", gold, Predicted(("no_answer", "林满", "林满"))).values
    assert values["f1"] == values["passage_f1"] == 1.0


def test_webqa_votes_and_scores_passages() -> None:
    passages = (Passage("一", ("林满",)), Passage("二"), Passage("三", ("林满",)))
    gold = [Question("1", "谁？", passages, ("林满",), form="webqa")]
    values = scored("webqa", gold, Predicted(("林满", "何舟", "林 满"))).values
    assert values["f1"] == 1
    assert (values["passage_precision"], values["passage_recall"]) == (pytest.approx(2 / 3), 1)
    assert vote(["no_answer", "甲", "乙"]) == "甲"  # once each: the first that answered
    assert vote(["甲", "乙", "乙"]) == "乙"
    assert vote(["", "no_answer"]) == ""


def test_webqa_passages_that_nobody_answered_are_not_found() -> None:
    two = (Passage("一", ("林满",)), Passage("二", ("林满",)))
    gold = [Question(str(n), "谁？", two, ("林满",), form="webqa") for n in range(2)]
    values = scored("webqa", gold, Predicted(("林满", "林满")), None).values
    assert (values["recall"], values["passage_recall"], values["passage_precision"]) == (0.5, 0.5, 1)
    gold.append(Question("2", "谁？", two[:1], ("林满",), form="webqa"))
    values = scored("webqa", gold, Predicted(("林满", "林满")), Predicted(("林满", "林满")), "何舟").values
    assert (values["passage_precision"], values["passage_recall"]) == (0.8, 0.8)
    assert "passage_f1" not in scored("webqa", gold, "林满", "林满", "林满").values  # an answer a question


# -- DuReader 2.0, LIC 2019


def test_best_precision_and_best_recall_come_from_different_references() -> None:
    values = one("dureader2", ["甲乙丙丁戊己", "甲"], "甲乙", kind="DESCRIPTION")
    precision, recall = 1.0, 1.0  # all of 甲乙 is in the first, all of the second is in 甲乙
    assert values["rouge_l"] == pytest.approx((1 + 1.44) * precision * recall / (recall + 1.44 * precision))


def test_dureader2_leaves_out_blanks_and_keeps_the_case() -> None:
    assert one("dureader2", ["甲 乙\u3000丙丁"], "甲乙丙 丁")["rouge_l"] == 1
    assert one("dureader2", ["ABCD"], "abcd")["rouge_l"] == 0


def test_dureader2_drops_questions_without_references() -> None:
    report = scored("dureader2", [asked(1, "甲乙丙丁"), asked(2), asked(3, "")], "甲乙丙丁", "乙", "丙")
    assert report.values["questions"] == 1
    assert any("2 questions do not count" in note for note in report.notes)


def test_yesno_scores_each_label_apart() -> None:
    gold = [asked(1, "可以去湖边", "不可以去湖边", "也可以去", kind="YES_NO", labels=("Yes", "No", "Yes"))]
    given = Predicted(("可以去湖边", "甲"), ("Yes", "Depends"))
    report = scored("dureader2-yesno", gold, given)
    assert (report.values["questions"], report.values["answers"], report.values["answered"]) == (1, 2, 1)
    assert report.values["rouge_l"] == 0.5  # Yes is right, No has no answer, Depends no reference
    table = next(table for table in report.tables if table.title == "By label")
    assert [row[:3] for row in table.rows] == [("No", 1, 0.0), ("Yes", 1, 1.0)]
    other = asked(2, "甲乙丙丁", kind="DESCRIPTION")
    assert scored("dureader2-all", [*gold, other], given, "甲乙丙丁").values["rouge_l"] == pytest.approx(2 / 3)
    with pytest.raises(UserError, match="none of the 1 questions of gold counts under dureader2-yesno"):
        scored("dureader2-yesno", [other], "甲")


def test_entities_against_the_list_that_fits_best() -> None:
    assert closest_entities(("甲", "乙"), [("甲",), ("甲", "乙", "丙")]) == ("甲", "乙", "丙")
    assert closest_entities(("丁",), [("甲", "乙"), ("丙",)]) == ("丙",)
    gold = [asked(1, "甲和乙", kind="ENTITY", entities=(("甲", "乙"),)), asked(2, "说明", kind="DESCRIPTION")]
    values = scored("dureader2-entity", gold, Predicted(("甲和乙",), (), (("甲", "丁"),)), "说明").values
    assert (values["precision"], values["recall"], values["f1"]) == (0.5, 0.5, 0.5)
    assert values["rouge_l"] == 1  # of the ENTITY question alone


def test_lic2019_adds_what_a_right_label_and_entities_are_worth() -> None:
    yes = asked(1, "可以去的", kind="YES_NO", labels=("Yes",))
    plain = scored("lic2019_mrc", [yes], Predicted(("可以",))).values["rouge_l"]
    right = scored("lic2019_mrc", [yes], Predicted(("可以",), ("Yes",))).values["rouge_l"]
    wrong = scored("lic2019_mrc", [yes], Predicted(("可以",), ("No",))).values["rouge_l"]
    assert plain == wrong == pytest.approx(2.44 * 0.5 / (0.5 + 1.44))
    recall = (2 + 2) / (4 + 2)
    assert right == pytest.approx(2.44 * recall / (recall + 1.44))
    entity = asked(2, "林满来了", kind="ENTITY", entities=(("林满", "何舟"),))
    found = scored("lic2019_mrc", [entity], "林满去了").values["rouge_l"]
    share = (3 + 2) / (4 + 2)  # 林满…了, and the entity again
    assert found == pytest.approx(share)


def test_lic2019_is_not_smoothed() -> None:
    assert one("lic2019_mrc", ["甲乙丙丁"], "甲乙丙戊")["bleu_4"] == 0
    assert 0 < one("dureader2", ["甲乙丙丁"], "甲乙丙戊")["bleu_4"] < 0.01


TEXTS = st.text(alphabet="甲乙丙 ", max_size=8)


@settings(max_examples=60)
@given(st.lists(st.tuples(TEXTS, st.lists(TEXTS, min_size=1, max_size=3)), min_size=1, max_size=4))
def test_dureader2_is_its_literal_twin(answers: list[tuple[str, list[str]]]) -> None:
    gold = [asked(number, *references) for number, (_, references) in enumerate(answers)]
    kept = [(prediction, references) for prediction, references in answers if references != [""]]
    if not kept:
        return
    values = scored("dureader2", gold, *(prediction for prediction, _ in answers)).values
    rouge, bleu = twin(kept)
    assert values["rouge_l"] == pytest.approx(rouge)
    assert values["bleu_4"] == pytest.approx(bleu)


def twin(answers: list[tuple[str, list[str]]]) -> tuple[float, float]:
    """(ROUGE-L, BLEU-4) as the organisers' script goes about it: characters joined by spaces, and split again."""
    rouges = []
    matches, guesses, length, wanted = [0] * 4, [0] * 4, 0, 0
    for prediction, references in answers:
        spaced = " ".join(char for char in prediction if char.strip())
        several = [" ".join(char for char in text if char.strip()) for text in references]
        precisions, recalls = [], []
        for text in several:
            one, other = spaced.split(" "), text.split(" ")
            table = [[0] * (len(other) + 1) for _ in range(len(one) + 1)]
            for i in range(len(one)):
                for j in range(len(other)):
                    more = table[i][j] + 1 if one[i] == other[j] else max(table[i][j + 1], table[i + 1][j])
                    table[i + 1][j + 1] = more
            precisions.append(table[-1][-1] / len(one))
            recalls.append(table[-1][-1] / len(other))
        p, r = max(precisions), max(recalls)
        rouges.append((1 + 1.2**2) * p * r / (r + 1.2**2 * p) if p and r else 0.0)
        tokens, lists = spaced.split(), [text.split() for text in several]
        for n in range(1, 5):
            grams = Counter(tuple(tokens[i : i + n]) for i in range(len(tokens) - n + 1))
            others = [Counter(tuple(text[i : i + n]) for i in range(len(text) - n + 1)) for text in lists]
            matches[n - 1] += sum(min(count, max(text[gram] for text in others)) for gram, count in grams.items())
            guesses[n - 1] += max(0, len(tokens) - n + 1)
        length += len(tokens)
        wanted += min((abs(len(text) - len(tokens)), len(text)) for text in lists)[1]
    product = math.prod((m + 1e-15) / (g + 1e-9) for m, g in zip(matches, guesses, strict=True))
    ratio = (length + 1e-15) / (wanted + 1e-9)
    return sum(rouges) / len(rouges), product**0.25 * (math.exp(1 - 1 / ratio) if ratio < 1 else 1.0)


@given(st.text(alphabet="甲乙", max_size=9), st.lists(st.text(alphabet="甲乙", max_size=9), max_size=3))
def test_clipped_matches_are_counted_one_by_one(prediction: str, references: list[str]) -> None:
    for size, found in enumerate(clipped_matches(prediction, references), 1):
        grams = [prediction[i : i + size] for i in range(len(prediction) - size + 1)]
        expected = 0
        for gram in set(grams):
            most = max((sum(text[i : i + size] == gram for i in range(len(text))) for text in references), default=0)
            expected += min(grams.count(gram), most)
        assert found == expected


# -- around the variants


@pytest.mark.parametrize("metric", SCORERS)
def test_every_variant_says_how_it_counts_and_holds_the_right_answers_right(metric: str) -> None:
    gold = [
        asked(1, "可以去云州湖", kind="YES_NO", labels=("Yes",)),
        asked(2, "林满和何舟", kind="ENTITY", entities=(("林满", "何舟"),)),
        asked(3, "因为湖水很深", kind="DESCRIPTION"),
    ]
    given = [
        Predicted(("可以去云州湖",), ("Yes",)),
        Predicted(("林满和何舟",), (), (("林满", "何舟"),)),
        Predicted(("因为湖水很深",)),
    ]
    report = scored(metric, gold, *given, explain=True)
    assert report.metric == metric
    assert report.definition.endswith(".")
    assert next(iter(report.values)) == report.primary
    for name, value in report.values.items():
        if isinstance(value, float):
            assert value == pytest.approx(1.0, abs=1e-6), name
    assert {outcome.verdict for outcome in report.outcomes} == {"right"}
    assert all(outcome.item["credited"] for outcome in report.outcomes)
    nothing = scored(metric, gold, None, None, None)
    assert nothing.values[nothing.primary] == pytest.approx(0.0, abs=1e-6)


@pytest.mark.parametrize("metric", SCORERS)
def test_values_follow_from_the_counts_of_the_questions(metric: str) -> None:
    gold = [
        asked(1, "可以去云州湖", kind="YES_NO", labels=("Yes",)),
        asked(2, "林满和何舟", kind="ENTITY", entities=(("林满", "何舟"),)),
        asked(3, "因为湖水很深", kind="DESCRIPTION"),
    ]
    given = [Predicted(("可以去湖",), ("Yes",)), Predicted(("何舟",), (), (("何舟",),)), None]
    report = scored(metric, gold, *given, explain=True)
    assert report.counts is not None and report.measures is not None
    assert len(report.counts) == len(report.keys) > 0
    assert set(report.keys) <= {(q.question_id, q.text) for q in gold}
    values = report.measures(report.counts.sum(0))
    assert {name: float(value) for name, value in values.items()} == {name: report.values[name] for name in values}
    low, high = bootstrap(report.counts, report.measures, resamples=1000)[report.primary]
    again = score(gold, {}, metric=metric, resamples=1000)
    assert again.interval is not None and 0 <= low <= high <= 1
    for outcome in report.outcomes:
        word, line = outcome.verdict, outcome.record()
        assert outcome.key in report.keys and line["rule"] == outcome.kind and line["text"] == outcome.text
        assert {"right": "right", "partly": "spurious", "wrong": "spurious", "no answer given": "missed"}[
            line["verdict"]
        ] == word
    assert not scored(metric, gold, *given).outcomes


def test_unknown_ids_cost_nothing_and_are_told() -> None:
    gold = [asked(1, "甲")]
    report = score(gold, {"1": Predicted(("甲",)), "9": Predicted(("乙",))}, metric="cmrc2018", resamples=0)
    assert (report.values["f1"], report.values["unknown"]) == (1.0, 1)
    assert any("'9'" in note and "cost nothing" in note for note in report.notes)
    none = score(gold, {"9": Predicted(("乙",))}, metric="cmrc2018", resamples=0)
    assert any("is this its submission?" in note for note in none.notes)


def test_the_order_of_gold_is_all_the_same_and_intervals_are_repeatable() -> None:
    gold = [asked(n, "甲乙丙丁"[: n % 4 + 1]) for n in range(40)]
    predictions = {str(n): Predicted(("乙丙",)) for n in range(40)}
    first = score(gold, predictions, metric="cmrc2018")
    again = score(gold, predictions, metric="cmrc2018")
    turned = score(reversed(gold), predictions, metric="cmrc2018", resamples=0)
    assert first.interval == again.interval
    assert first.values == pytest.approx(turned.values)
    low, high = first.interval or (1.0, 0.0)
    assert low < first.values["f1"] < high


def test_intervals_of_a_mean_are_those_of_statistics() -> None:
    rows = np.stack([np.arange(400) % 2, np.ones(400)], axis=1)
    low, high = bootstrap(rows, lambda sums: {"mean": sums[..., 0] / sums[..., 1]}, resamples=2000)["mean"]
    width = 1.96 * math.sqrt(0.25 / 400)
    assert (low, high) == (pytest.approx(0.5 - width, abs=0.01), pytest.approx(0.5 + width, abs=0.01))
    assert bootstrap(rows[:0], lambda sums: {}, resamples=10) == {}
    many = np.column_stack([np.linspace(0, 1, 6_000), np.ones(6_000)])  # no two alike
    low, high = bootstrap(many, lambda sums: {"mean": sums[..., 0] / sums[..., 1]}, resamples=2000)["mean"]
    spread = 1.96 * np.std(many[:, 0]) / np.sqrt(len(many))
    assert (low, high) == pytest.approx((0.5 - spread, 0.5 + spread), abs=0.1 * spread)


def test_the_variant_is_told_from_the_question() -> None:
    assert metric_of(Question("DEV_0_QUERY_1", "", (), form="squad")) == "cmrc2018"
    assert metric_of(Question("a7", "", (), form="squad")) == "dureader_robust"
    assert metric_of(Question("7", "", (), form="dureader2")) == "dureader2"
    assert metric_of(Question("7", "", (), form="webqa")) == "sogouqa"
    with pytest.raises(UserError, match="no scoring variant is called 'squad'"):
        score([], {}, metric="squad")
    with pytest.raises(UserError, match="gold has no question"):
        score([], {}, metric="cmrc2018")
