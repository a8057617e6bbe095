"""A model that says yes to everything: bounded time, bounded memory, and a word on it."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from ietool.core.candidates import Floor
from ietool.core.predicting import Predictor
from ietool.tasks.qa import QaTask
from ietool.tasks.qa.data.question import Passage, Question
from ietool.tasks.qa.heads.decoder import SPANS
from tests.tasks.qa.heads.conftest import HEADS, MakeReader
from tests.tasks.qa.made import fact

heads = pytest.mark.parametrize("head", HEADS)


@pytest.fixture
def sure(make_reader: MakeReader) -> Any:
    """A reader to whose model everything is as good as certain, and its recipe."""
    changed: list[tuple[torch.Tensor, torch.Tensor]] = []

    def make(head: str, *overrides: str) -> tuple[Any, Any]:
        more = ["model.head.loss=focal", "data.min_char_count=1"] if head == "reader" else []
        recipe, reader = make_reader(head, "decode.longest=512", "data.window=64", *more, *overrides)
        with torch.no_grad():
            for name, weights in reader.model.named_parameters():
                if name.startswith(("span.", "has_answer.")):
                    changed.append((weights, weights.clone()))
                    weights.fill_(10.0 if name.endswith("bias") else 0.0)
                elif "predictions" in name:
                    changed.append((weights, weights.clone()))
                    weights.fill_(0.0)
                    if name.endswith("predictions.bias"):
                        weights[reader.tokens.stop] = -10.0  # and no answer ever ends
            if head == "reader":
                readers.append(reader)
                reader.model.config.loss = "focal"
        return recipe, reader

    readers: list[Any] = []
    yield make
    for reader in readers:
        reader.model.config.loss = "softmax"
    with torch.no_grad():
        for weights, before in changed:
            weights.copy_(before)


def questions() -> list[Question]:
    text = "".join(fact(n)[1] for n in range(16))
    return [Question(str(n), fact(n)[0], (Passage(text),) * 6, ("何舟",), form="squad") for n in range(4)]


@heads
def test_everything_is_read_and_judged_in_time(head: str, sure: Any) -> None:
    recipe, reader = sure(head, *(() if head == "mlm" else ("decode.start=0", "decode.end=0")))
    assert len(questions()[0].passages[0].text) > 300
    begin = time.process_time()
    predictor: Predictor[Any, Any] = Predictor(reader, QaTask().decoder(recipe, Path()), recipe.decode)
    found = list(predictor.predict(questions()))
    report = QaTask().evaluate(recipe, questions(), found, resamples=100, outcomes=True)
    assert time.process_time() - begin < 60
    assert all(0 < len(one.candidates) <= SPANS for one in found)
    assert len(report.outcomes) == 4
    windows = len(list(reader.windows(questions()[0])))
    ((_, proposed),) = reader.propose(questions()[:1], floor=Floor())
    assert len(proposed) <= windows * (1 if head == "mlm" else SPANS)


@heads
def test_of_more_candidates_than_may_be_the_most_probable_are_kept(head: str, make_reader: MakeReader) -> None:
    recipe, reader = make_reader(head)
    every = [found for _, found in reader.propose(questions(), floor=Floor())]
    most = min(map(len, every)) - 3
    assert most > 3
    reader.most = most
    for (_, one), other in zip(reader.propose(questions(), floor=Floor()), every, strict=True):
        assert len(one) == most and one.capped == len(other) - most
        kept, value = reader.layout.probability(one.parts), reader.layout.probability(other.parts)
        np.testing.assert_allclose(np.sort(kept), np.sort(value)[-most:])
    predictor: Predictor[Any, Any] = Predictor(reader, QaTask().decoder(recipe, Path()), recipe.decode)
    list(predictor.predict(questions()))
    assert any("4 texts have more than" in note for note in predictor.notes)


def test_a_question_with_very_many_passages_is_read_window_by_window(make_reader: MakeReader) -> None:
    _, reader = make_reader("reader")
    waiting = most = 0
    windows, found = reader.windows, reader.found

    def watched(question: Question) -> Any:
        nonlocal waiting, most
        for window in windows(question):
            waiting += 1
            most = max(most, waiting)
            yield window

    def done(some: Any, floor: Floor) -> Any:
        nonlocal waiting
        waiting -= len(some)
        return found(some, floor)

    reader.windows, reader.found = watched, done
    one = Question("many", fact(0)[0], tuple(Passage(fact(n)[1]) for n in range(600)))
    ((_, proposed),) = reader.propose([one], floor=Floor())
    assert len(np.unique(proposed.rows[:, 0])) == 600
    assert most <= reader.batch_size * reader.pool + 1
