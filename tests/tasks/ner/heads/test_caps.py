"""A model that says yes to everything: bounded time and memory, and a remark."""

from __future__ import annotations

import time
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import torch

from ietool.core.candidates import Candidates, Floor
from ietool.core.span_reader import MOST
from ietool.tasks.ner.data.example import Entity, Example
from ietool.tasks.ner.heads.base import NerModel
from ietool.tasks.ner.heads.crf.model import CRFModel
from ietool.tasks.ner.heads.globalpointer.model import PointerModel
from ietool.tasks.ner.heads.reader import NerReader
from tests.tasks.ner.made import TASK, Made, examples

TEXT = ("".join(e.text for e in examples(20, seed=5)) * 2)[:700]
HEADS = ("ner-crf", "ner-globalpointer")


def says_yes(model: NerModel) -> NerModel:
    """Every span, by logits of ten; of a CRF every tag but O alike, whatever stands beside it."""
    with torch.no_grad():
        for p in model.out.parameters():
            p.zero_()
        if isinstance(model, PointerModel):
            model.out.bias.bias.fill_(5.0)
        else:
            assert isinstance(model, CRFModel)
            model.out.bias.fill_(10.0)
            model.out.bias[0] = 0.0
            for p in model.crf.parameters():
                p.zero_()
    return model


@pytest.mark.parametrize("name", HEADS)
@pytest.mark.parametrize("threshold", [0.0, 0.5])
def test_predicting_and_judging_are_bounded(tmp_path: Path, name: str, threshold: float) -> None:
    made = Made(tmp_path, name, "data.window=512", "data.overlap=64", f"decode.threshold={threshold}")
    says_yes(made.model)
    predictor = made.predictor
    gold = [Example(text, (Entity(0, 1, "人物"),)) for text in (TEXT, "雨", TEXT[:300])]
    tracemalloc.start()
    begin = time.monotonic()
    predictions = list(predictor.predict(gold))
    report = TASK.evaluate(made.recipe, gold, predictions, resamples=1000, outcomes=True)
    every = [found for _, found in predictor.reader.propose(gold, floor=Floor(0.0))]
    seconds, (_, peak) = time.monotonic() - begin, tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert seconds < 30 and peak < 200 << 20
    assert len(report.outcomes) >= sum(len(p.entities) for p in predictions)
    for example, found in zip(gold, every, strict=True):
        assert len(found) <= MOST
        spans = len(example.text) * (len(example.text) + 1) // 2 * made.model.config.types
        assert len(found) + found.capped >= min(spans, 40 * MOST)  # of a CRF long ones are all but impossible
        if name == "ner-globalpointer" and len(example.text) <= 512:
            assert len(found) + found.capped == spans
    if name == "ner-globalpointer":
        assert [len(p.entities) for p in predictions] == [MOST, made.model.config.types, MOST]
        assert predictor.notes == (
            "2 texts have more than 1,024 candidates above the thresholds: the most probable ones were taken (a model "
            "that finds everything has learnt nothing, or the thresholds are too low)",
        )
    else:  # the best path alone decides, and it has one entity a character at most
        assert all(len(p.entities) <= len(p.example.text) for p in predictions) and predictor.notes == ()


@pytest.mark.parametrize("name", HEADS)
def test_a_long_text_may_have_one_a_character(tmp_path: Path, name: str) -> None:
    """A book has more entities than a sentence: the cap is against nonsense."""
    made = Made(tmp_path, name)
    reader = made.predictor.reader
    assert isinstance(reader, NerReader)
    reader.most = 20
    text = "".join(e.text for e in examples(20, seed=5))
    ((_, found),) = reader.propose([Example(text)], floor=Floor(0.0))
    assert 20 < len(found) <= len(text) and found.capped > 0


@pytest.mark.parametrize("loud", [True, False])
@pytest.mark.parametrize("name", HEADS)
def test_the_most_probable_ones_stay(tmp_path: Path, name: str, loud: bool) -> None:
    """Of equally probable ones the first, the best path before all others; the rest is counted."""
    made = Made(tmp_path, name)
    if not loud:
        says_yes(made.model)
    reader = made.predictor.reader
    assert isinstance(reader, NerReader)
    some = [Example(e.text) for e in examples(5, seed=5)]
    every, few = [], []
    for kept, most in ((every, 1 << 20), (few, 30)):
        reader.most = most
        kept += [found for _, found in reader.propose(some, floor=Floor(0.0))]
    for all_, found in zip(every, few, strict=True):
        assert len(found) == 30 and found.capped == len(all_) - 30 and all_.capped == 0
        worth = sorted(reader.worth(all_.parts).tolist(), reverse=True)[:30]
        assert sorted(reader.worth(found.parts).tolist(), reverse=True) == worth
        assert set(_rows(found)) <= set(_rows(all_))
    # The same ones whatever the floor, so that what is decoded does not depend on it.
    floor = float(np.median([reader.worth(found.parts).min() for found in few]) * 0.99)
    again = [found for _, found in reader.propose(some, floor=Floor(floor))]
    for found, other in zip(few, again, strict=True):
        assert [row for row in _rows(found) if row[3] > np.float32(floor)] == [
            row for row in _rows(other) if row[3] > np.float32(floor)
        ]


def _rows(found: Candidates) -> list[tuple[float, ...]]:
    return [(*row, *parts) for row, parts in zip(found.rows.tolist(), found.parts.tolist(), strict=True)]
