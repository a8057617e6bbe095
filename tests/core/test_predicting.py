"""Predicting from candidates."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import pytest

from ietool.core.candidates import Candidates, Floor, Layout, capped
from ietool.core.predicting import Predictor
from ietool.recipe import Section, Share


class Decode(Section):
    threshold: Share = 0.5


class Digits:
    """Reads digits as probabilities: ``7`` is 0.7. At most three a text."""

    layout = Layout(("at",), ("probability",), ("probability",))

    def __init__(self) -> None:
        self.most, self.highest_probability = 3, 0.0
        self.notes: Sequence[str] = ("as read",)
        self.floors: list[Floor] = []

    def propose(self, inputs: Iterable[str], *, floor: Floor) -> Iterator[tuple[str, Candidates]]:
        self.floors.append(floor)
        for text in inputs:
            said = np.array([int(c) / 10 for c in text], np.float32)
            self.highest_probability = max(self.highest_probability, float(said.max(initial=0)))
            at = np.flatnonzero(said > floor.of("probability"))
            found = Candidates(at[:, None].astype(np.int32), said[at, None], np.zeros(0, np.float32))
            yield text, capped(self.layout, found, self.most)

    def score(self, inputs: Any) -> Any:
        raise AssertionError("nobody asked")


class Places:
    layout = Digits.layout

    def floor(self, decode: Decode) -> Floor:
        return Floor(parts={"probability": decode.threshold})

    def decode(self, item: str, found: Candidates, decode: Decode) -> tuple[str, list[int]]:
        return item, found.rows[found.parts[:, 0] > decode.threshold, 0].tolist()


def test_a_predictor_proposes_at_the_thresholds_and_decodes() -> None:
    reader = Digits()
    predictor = Predictor(reader, Places(), Decode(threshold=0.45))
    assert list(predictor.predict(["159", "", "000"])) == [("159", [1, 2]), ("", []), ("000", [])]
    assert reader.floors == [Floor(parts={"probability": 0.45})]
    assert predictor.highest_probability == pytest.approx(0.9) and predictor.notes == ("as read",)
    ((found, prediction),) = predictor.decided(["777"])
    assert prediction == ("777", [0, 1, 2]) and found.rows.tolist() == [[0], [1], [2]]


def test_texts_with_too_many_candidates_are_remarked() -> None:
    predictor = Predictor(Digits(), Places(), Decode(threshold=0.0))
    assert predictor.notes == ("as read",)
    found = dict(predictor.predict(["19283746", "111", "5555"]))
    assert found == {"19283746": [1, 3, 5], "111": [0, 1, 2], "5555": [0, 1, 2]}
    assert predictor.capped == 2
    first, cap = predictor.notes
    assert first == "as read"
    assert cap.startswith("2 texts have more than 3 candidates above the thresholds: the most probable ones were taken")
    list(predictor.predict(["9999"]))
    assert predictor.notes[1].startswith("3 texts")


def test_a_stream_of_predictions_is_lazy() -> None:
    taken: list[str] = []

    def texts() -> Iterator[str]:
        for text in ("1", "9", "8"):
            taken.append(text)
            yield text

    assert next(Predictor(Digits(), Places(), Decode()).predict(texts())) == ("1", []) and taken == ["1"]


def test_settings_may_change_between_two_streams() -> None:
    decode = Decode()
    predictor = Predictor(Digits(), Places(), decode)
    assert list(predictor.predict(["47"])) == [("47", [1])]
    decode.threshold = 0.3
    assert list(predictor.predict(["47"])) == [("47", [0, 1])]
