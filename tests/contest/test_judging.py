"""What settings score on kept candidates is what the official scorer gives for what they decode."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ietool.contest.judging import Judge
from ietool.contest.search import tuned_keys
from ietool.contest.sources import Source, open_source
from ietool.core.predicting import Choosing
from ietool.recipe import Section
from tests.contest.conftest import Runs
from tests.contest.made import shaken, triples

ASKED = [("ner-crf",), ("ner-globalpointer", "score.metric=cluener"), ("ske",), ("el",), ("qa",)]
"""The mean over types that is CLUENER's has columns that depend on the gold of all texts."""

asked = pytest.mark.parametrize("asked", ASKED, ids="-".join)


def judge_of(source: Source) -> Judge:
    return Judge(source.task, source.recipe, source.assets, source.gold, source.stored, source.recipe.decode)


def literally(source: Source, judge: Judge, decode: Section) -> Any:
    """Every text decoded, all of them judged."""
    said = [judge.decoder.decode(*pair, decode) for pair in zip(source.gold, source.stored, strict=True)]
    recipe = source.recipe.model_copy(update={"decode": decode})
    return source.task.evaluate(recipe, source.gold, said)


def any_settings(data: st.DataObject, decode: Section, names: list[str]) -> Section:
    """Other values of some of the keys that may be tuned, thresholds by label among them."""
    share = st.sampled_from([0.0, 0.02, 0.1, 0.3, 0.5, 0.7, 0.9])
    changed: dict[str, Any] = {}
    keys = tuned_keys(decode)
    for key in sorted(data.draw(st.sets(st.sampled_from(list(keys)), max_size=3))):
        mark = keys[key]
        if mark.by_label:
            changed[key] = data.draw(st.dictionaries(st.sampled_from(names), share, max_size=3)) if names else {}
        else:
            changed[key] = data.draw(st.sampled_from(mark.values) if mark.values else share)
    return decode.model_copy(update=changed)


@asked
def test_each_text_once_is_all_texts_anew(trained: Runs, asked: tuple[str, ...]) -> None:
    source = open_source(trained(*asked))
    source = dataclasses.replace(source, stored=triples(source) if asked == ("ske",) else shaken(source))
    judge = judge_of(source)
    assert isinstance(judge.decoder, Choosing) and judge.texts == list(range(len(source.gold)))
    names = list(getattr(judge.decoder, "label_names", ()))
    values = set()

    def compare(decode: Section, some: list[int]) -> None:
        report = literally(source, judge, decode)
        counts = judge.counts(decode)
        assert report.counts is not None and (counts == report.counts).all()
        value = float(judge.value(counts.sum(0)))
        assert value == pytest.approx(report.values[report.primary], abs=1e-12)
        assert (judge.counts(decode, judge.some(some)) == counts[some]).all()
        values.add(counts.tobytes())

    @settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
    @given(st.data())
    def check(data: st.DataObject) -> None:
        some = sorted(data.draw(st.sets(st.sampled_from(judge.texts), min_size=1, max_size=5)))
        compare(any_settings(data, source.recipe.decode, names), some)

    thresholds = [name for name, mark in tuned_keys(source.recipe.decode).items() if not (mark.values or mark.by_label)]
    for level in (0.0, 0.3, 0.95):
        compare(source.recipe.decode.model_copy(update=dict.fromkeys(thresholds, level)), judge.texts[::2])
    check()
    assert len(values) > 1  # the settings make a difference


def test_texts_that_a_scorer_takes_for_one_count_once(trained: Runs) -> None:
    source = open_source(trained("ske"))
    source = dataclasses.replace(source, gold=[*source.gold, source.gold[0]], stored=[*source.stored, source.stored[1]])
    judge = judge_of(source)
    report = literally(source, judge, source.recipe.decode)
    assert judge.texts == list(range(1, len(source.gold)))
    assert report.counts is not None and len(report.counts) == len(judge.texts)
    assert (judge.counts(source.recipe.decode).sum(0) == report.counts.sum(0)).all()


def test_what_does_not_count_is_left_out(trained: Runs) -> None:
    """Questions without references, which a scorer judges beside others, but not alone."""
    source = open_source(trained("qa"))
    bare = [n for n, one in enumerate(source.gold) if one.answers][:2]
    gold = [dataclasses.replace(one, answers=()) if n in bare else one for n, one in enumerate(source.gold)]
    source = dataclasses.replace(source, gold=gold, stored=shaken(source))
    judge = judge_of(source)
    assert judge.texts == [n for n in range(len(gold)) if n not in bare]
    for level in (0.0, 0.2, 0.9):
        decode = source.recipe.decode.model_copy(update={"no_answer": level})
        report = literally(source, judge, decode)
        assert report.counts is not None and (judge.counts(decode) == report.counts).all()


def test_the_best_row_of_each_text_that_has_one(trained: Runs) -> None:
    source = open_source(trained("ner-globalpointer", "score.metric=cluener"))
    best = [found.parts[:, 0].max() for found in source.stored if len(found)]
    assert np.allclose(judge_of(source).best_rows(), best) and len(best) > 10
