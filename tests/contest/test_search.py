"""The search over kept candidates, against trying everything."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ietool.contest.judging import Judge
from ietool.contest.nested import parts_of
from ietool.contest.search import GRID, Search, by_label, slope, tuned_keys
from ietool.contest.sources import Source, open_source
from ietool.core.candidates import Candidates, Floor
from ietool.recipe import Section
from ietool.scoring.choosing import middle_of_best
from ietool.scoring.intervals import prf_measures
from ietool.tasks.ner import NerTask
from ietool.tasks.ner.data.example import Entity, Example
from ietool.tasks.ner.features.featurizer import Labels
from tests.contest.conftest import Runs
from tests.tasks.ner.made import small_recipe
from tests.tasks.qa.test_tuning import GOLD as QUESTIONS

TYPES = ("地点", "人物", "罕见")


def f1(sums: np.ndarray) -> np.ndarray:
    return prf_measures(sums)["f1"]


def search_of(source: Source, parts: int = 3) -> Search:
    judge = Judge(source.task, source.recipe, source.assets, source.gold, source.stored, source.recipe.decode)
    of_text = parts_of(np.arange(len(judge.texts)), parts)
    return Search(judge, of_text, source.stored.floor, source.recipe.decode)


def test_the_keys_that_a_section_offers() -> None:
    decode = small_recipe("ner-globalpointer").decode
    assert list(tuned_keys(decode)) == ["threshold", "by_label"]
    assert tuned_keys(decode)["by_label"].by_label == "threshold" and tuned_keys(decode)["threshold"].main


# -- invented candidates of spans: the probabilities of what is right and of what is wrong by type


class Invented:
    """Texts of which every entity is proposed with a probability of its own, and as many wrong ones."""

    def __init__(self, seed: int, texts: int, shares: dict[str, tuple[float, float, float]]) -> None:
        """``shares``: type → how often it stands in a text, mean probability of right and of wrong candidates."""
        dice = np.random.default_rng(seed)
        self.gold, self.stored = [], []
        for n in range(texts):
            rows, parts, entities = [], [], []
            for kind, (often, right, wrong) in shares.items():
                for at in range(0, 12, 3):
                    if dice.random() < often:
                        is_right = dice.random() < 0.5
                        start = at + 12 * TYPES.index(kind)
                        rows.append((start, start + 2, TYPES.index(kind)))
                        parts.append([np.clip(dice.normal(right if is_right else wrong, 0.08), 0.01, 0.99)])
                        if is_right:
                            entities.append(Entity(start, start + 2, kind))
            self.gold.append(Example(f"{n:04}" + "字" * 32, tuple(sorted(entities))))
            shape = np.array(rows, np.int32).reshape(-1, 3), np.array(parts, np.float32).reshape(-1, 1)
            self.stored.append(Candidates(*shape, np.zeros(0, np.float32)))

    def search(self, folder: object, decode: Section, floor: float = 0.01, parts: int = 3) -> Search:
        recipe = small_recipe("ner-globalpointer", "score.metric=span")
        judge = Judge(NerTask(), recipe, folder, self.gold, self.stored, decode)  # type: ignore[arg-type]
        return Search(judge, parts_of(np.arange(len(self.gold)), parts), Floor(floor), decode)


@pytest.fixture(scope="module")
def assets(tmp_path_factory: pytest.TempPathFactory) -> object:
    folder = tmp_path_factory.mktemp("assets")
    Labels(TYPES, "cluener").save(folder)
    return folder


DECODE = small_recipe("ner-globalpointer").decode


def test_one_threshold_is_the_best_of_all_that_are_tried(assets: object) -> None:
    made = Invented(1, 60, {"地点": (0.6, 0.5, 0.3)})
    search = made.search(assets, DECODE)
    search.label_key = None
    found = search.choose([0, 1, 2])
    every = {value: search.value(DECODE.model_copy(update={"threshold": value}), [0, 1, 2]) for value in GRID}
    assert every[found.threshold] == max(every.values()) > search.value(DECODE, [0, 1, 2])  # type: ignore[attr-defined]
    assert found.threshold == middle_of_best(list(every), list(every.values()))  # type: ignore[attr-defined]
    # A search from there finds nothing better, and so nothing else.
    again = made.search(assets, found)
    again.label_key = None
    assert again.choose([0, 1, 2]) == found


def test_nothing_below_the_floor_is_tried(assets: object) -> None:
    made = Invented(2, 40, {"地点": (0.6, 0.2, 0.05), "人物": (0.6, 0.25, 0.05)})
    low, high = (made.search(assets, DECODE, floor).choose([0, 1, 2]) for floor in (0.01, 0.3))
    assert low.threshold < 0.2 and high.threshold >= 0.3  # type: ignore[attr-defined]
    assert all(value >= 0.3 for value in high.by_label.values())  # type: ignore[attr-defined]


def test_types_that_are_told_apart_elsewhere_get_thresholds_of_their_own(assets: object) -> None:
    made = Invented(3, 300, {"地点": (0.6, 0.85, 0.6), "人物": (0.6, 0.35, 0.12), "罕见": (0.01, 0.35, 0.12)})
    search = made.search(assets, DECODE)
    found = search.choose([0, 1, 2])
    own = {kind: found.by_label.get(kind, found.threshold) for kind in TYPES}  # type: ignore[attr-defined]
    assert 0.12 < own["人物"] <= 0.4 < 0.6 < own["地点"] < 0.85
    # The rare one stays with the others, though it is like one of them.
    assert "罕见" not in found.by_label  # type: ignore[attr-defined]
    # As good as the best of all pairs.
    grid = (0.1, 0.2, 0.3, 0.5, 0.7, 0.8)
    best = max(
        search.value(DECODE.model_copy(update={"threshold": 0.3, "by_label": {"地点": a, "人物": b}}), [0, 1, 2])
        for a, b in itertools.product(grid, grid)
    )
    assert search.value(found, [0, 1, 2]) >= best - 0.003
    assert made.search(assets, found).choose([0, 1, 2]) == found


def test_only_the_parts_that_may_be_looked_at_count(assets: object) -> None:
    made = Invented(4, 60, {"地点": (0.6, 0.5, 0.3)})
    other = Invented(4, 60, {"地点": (0.6, 0.5, 0.3)})
    parts = parts_of(np.arange(60), 3)
    for n in np.flatnonzero(parts == 2).tolist():  # gold of the third part is changed
        other.gold[n] = Example(other.gold[n].text, ())
    one, two = made.search(assets, DECODE), other.search(assets, DECODE)
    assert one.choose([0, 1]) == two.choose([0, 1])
    assert one.value(DECODE, [0, 1]) == two.value(DECODE, [0, 1])
    assert one.value(DECODE, [0, 1, 2]) > two.value(DECODE, [0, 1, 2])


# -- thresholds by label, from changes of counts alone


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_without_a_prior_each_label_takes_what_is_worth_most(data: st.DataObject) -> None:
    values = (0.2, 0.4, 0.6)
    whole = st.integers(-5, 5).map(float)
    changes = np.array(data.draw(st.lists(st.lists(st.tuples(whole, whole), min_size=3, max_size=3),
                                          min_size=1, max_size=4)))  # fmt: skip
    changes[:, 1] = 0.0  # against the overall threshold, which is the second
    slopes = np.array([2.0, -0.7])
    found = by_label(values, changes, np.full(len(changes), 9.0), slopes, overall=0.4, prior=0.0)
    for n, of_label in enumerate((changes @ slopes).tolist()):
        top = max(of_label)
        if top <= 1e-9:
            assert n not in found
        else:
            assert of_label[values.index(found[n])] == top


def test_a_rare_label_is_drawn_to_the_others() -> None:
    values, slopes = (0.2, 0.4, 0.6), np.array([1.0])
    # Label 0, of 1000 texts, loses a lot away from 0.4; label 1 would gain a little by 0.2.
    changes = np.array([[[-200.0], [0.0], [-150.0]], [[3.0], [0.0], [-2.0]]])
    assert by_label(values, changes, np.array([1000.0, 10.0]), slopes, 0.4) == {}
    assert by_label(values, changes, np.array([1000.0, 10.0]), slopes, 0.4, prior=1.0) == {1: 0.2}
    # With many texts and as much to gain in each it goes its own way.
    changes[1] *= 100
    assert by_label(values, changes, np.array([1000.0, 1000.0]), slopes, 0.4) == {1: 0.2}


@given(st.lists(st.integers(1, 50), min_size=3, max_size=3))
def test_the_slope_of_f1(numbers: list[int]) -> None:
    right, wrong, missed = map(float, numbers)
    sums = np.array([right, right + wrong, right, right + missed])
    value, total = float(f1(sums)), sums[1] + sums[3]
    # Of 2 · right / (predicted + gold), right counted on both sides.
    found = slope(f1, sums)
    assert found[0] + found[2] == pytest.approx(2 / total, rel=1e-3)
    assert found[1] == pytest.approx(-value / total, rel=1e-3)
    assert found[3] == pytest.approx(-value / total, rel=1e-3)


def test_questions_without_an_answer_need_words_for_it(trained: Runs) -> None:
    source = open_source(trained("qa"))
    assert any(question.is_impossible for question in source.gold)
    recipe = source.recipe.model_copy(deep=True)
    recipe.decode.none = ""  # type: ignore[attr-defined]
    assert source.task.tuning_start(recipe, source.gold).none == "no answer"  # type: ignore[attr-defined]
    assert source.task.tuning_start(recipe, QUESTIONS[::2]) == recipe.decode
