"""Classes of errors of triples: what each of them is called, case by case."""

from __future__ import annotations

import pytest

from ietool.scoring.classes import UNANSWERED
from ietool.tasks.ske.data.example import VALUE, Triple
from ietool.tasks.ske.data.schema import Schema
from ietool.tasks.ske.score import classes as c
from ietool.tasks.ske.score.scorer import score

TEXT = "《远行》是王小明作词的歌，王小明在远行中演唱，李雷作曲，发行于北海"


def triple(subject: str, predicate: str, value: str, **slots: str) -> Triple:
    return Triple(subject, predicate, ((VALUE, value), *sorted(slots.items())))


def classes_of(gold: list[Triple], found: list[Triple] | None, schema: Schema | None = None) -> list[tuple[str, str]]:
    """(verdict, class) of all that is wrong."""
    given = {} if found is None else {TEXT: found}
    outcomes = score({TEXT: gold}, given, metric="duie2", explain=True, resamples=0).outcomes
    names = c.TripleClasses(schema).of(outcomes)
    return [(one.verdict, name) for one, name in zip(outcomes, names, strict=True) if one.verdict != "right"]


GOLD = triple("远行", "作词", "王小明")
CASES = {
    "boundary of the object": (triple("远行", "作词", "王小"), c.OBJECT),
    "boundary of the subject": (triple("远", "作词", "王小明"), c.SUBJECT),
    "boundary of both": (triple("远", "作词", "小明"), c.BOTH),
    "relation": (triple("远行", "歌手", "王小明"), c.RELATION),
    "slot": (triple("远行", "作词", "王小明", inWork="歌"), c.SLOT),
    "swapped": (triple("王小明", "作词", "远行"), c.SWAPPED),
    "another object": (triple("远行", "作词", "李雷"), c.OTHER_OBJECT),
    "another subject": (triple("北海", "作词", "王小明"), c.OTHER_SUBJECT),
    "elsewhere": (triple("王小明", "歌手", "李雷"), c.ELSEWHERE),
    "nothing": (triple("李雷", "出生地", "北海"), c.NOTHING),
}


@pytest.mark.parametrize(("found", "name"), CASES.values(), ids=CASES)
def test_both_sides_of_an_error_have_its_class(found: Triple, name: str) -> None:
    assert classes_of([GOLD], [found])[0] == ("spurious", name)
    missed = classes_of([GOLD], [found])[1]
    # 远行 stands twice in the text, and the prediction has 王小明 with another name.
    assert missed == ("missed", name)


def test_names_are_compared_as_the_scorer_compares_them() -> None:
    assert classes_of([GOLD], [triple("《远行》", "歌手", "王小明")])[0] == ("spurious", c.RELATION)


def test_a_pair_whose_names_gold_has_apart_is_a_right_pair_without_relation() -> None:
    gold = [GOLD, triple("李雷", "出生地", "北海")]
    assert classes_of(gold, [*gold, triple("李雷", "朋友", "王小明")]) == [("spurious", c.PAIR)]


def test_the_nearest_of_several_decides() -> None:
    gold = [triple("远行", "作词", "李雷"), GOLD]
    assert classes_of(gold, [triple("远行", "作词", "王小")])[0] == ("spurious", c.OBJECT)


def test_what_the_schema_lacks_comes_first_and_only_of_predictions() -> None:
    schema = Schema("duie2", {"作词": (VALUE,)})
    assert classes_of([GOLD], [triple("远行", "歌手", "王小明")], schema) == [
        ("spurious", c.UNKNOWN),
        ("missed", c.RELATION),
    ]
    assert classes_of([GOLD], [triple("远行", "作词", "王小明", inWork="歌")], schema)[0] == ("spurious", c.UNKNOWN)


def test_a_text_without_any_prediction_is_told_from_one_with_an_empty_one() -> None:
    assert classes_of([GOLD], None) == [("missed", UNANSWERED)]
    assert classes_of([GOLD], []) == [("missed", c.NOTHING)]


def test_all_classes_have_a_meaning_and_names_stand_once_in_a_text() -> None:
    told = c.TripleClasses()
    assert {name for _, name in CASES.values()} | {c.PAIR, c.UNKNOWN} == set(told.meanings)
    gold = [GOLD, triple("远行", "歌手", "王小明")]
    outcomes = score({TEXT: gold}, {TEXT: gold[:1]}, metric="duie2", explain=True, resamples=0).outcomes
    assert told.gold_spans(outcomes, TEXT) == [(("subj", 1, 3), "right"), (("obj", 5, 8), "right")]
    assert [told.words(one) for one in outcomes] == ["远行 — 作词 → 王小明", "远行 — 歌手 → 王小明"]
    assert told.item(outcomes[0]) == ("远行", "作词", ((VALUE, "王小明"),))
