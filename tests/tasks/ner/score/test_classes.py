"""Classes of errors of entities, held to a literal reading of what each of them means."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ietool.scoring.classes import UNANSWERED
from ietool.tasks.ner.data.example import Entity
from ietool.tasks.ner.score.classes import BOTH, BOUNDARY, TYPE, EntityClasses
from ietool.tasks.ner.score.scorer import score

ENTITIES = st.sets(
    st.builds(lambda start, size, kind: Entity(start, start + size, kind), st.integers(0, 5), st.integers(1, 3),
              st.sampled_from("ab")), max_size=5,
)  # fmt: skip
TEXT = "甲乙丙丁戊己庚辛"


def literal(one: Entity, others: set[Entity], verdict: str) -> str:
    """What the meanings say, word by word."""
    here = {o for o in others if set(range(o.start, o.end)) & set(range(one.start, one.end))}
    if not here:
        return verdict
    if any((o.start, o.end) == (one.start, one.end) and o.type != one.type for o in here):
        return TYPE
    return BOUNDARY if any(o.type == one.type for o in here) else BOTH


@given(ENTITIES, ENTITIES)
def test_classes_are_what_their_meanings_say(gold: set[Entity], found: set[Entity]) -> None:
    report = score([(TEXT, sorted(gold))], [sorted(found)], metric="span", explain=True, resamples=0)
    names = EntityClasses().of(report.outcomes)
    assert len(names) == len(report.outcomes)
    for outcome, name in zip(report.outcomes, names, strict=True):
        one = Entity(outcome.item["start"], outcome.item["end"], outcome.item["type"])
        if outcome.verdict == "right":
            assert name == ""
        else:
            assert name == literal(one, gold if outcome.verdict == "spurious" else found, outcome.verdict)
            assert name in EntityClasses.meanings


def test_a_text_without_any_prediction_is_told() -> None:
    gold = [(TEXT, [Entity(0, 2, "a")])]
    report = score(gold, [[]], metric="span", explain=True, resamples=0, unanswered=[True])
    assert EntityClasses().of(report.outcomes) == [UNANSWERED]
