"""Thresholds by relation, against the rule as it reads."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ietool.core.candidates import PRODUCT, Candidates
from ietool.errors import UserError
from ietool.tasks.ske import SkeTask
from ietool.tasks.ske.data.example import Example
from ietool.tasks.ske.data.schema import Schema
from ietool.tasks.ske.features.featurizer import SCHEMA
from tests.tasks.ske.made import head_of_corpus, small_recipe

TASK = SkeTask()
TEXT = "林满写了青砖巷，何舟演过云州旧事，苏木唱了雨水经。"


@pytest.fixture(scope="module")
def assets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("assets")
    from ietool.tasks.ske.data.schema import read_schema

    (folder / SCHEMA).write_text(read_schema(head_of_corpus(folder) / "schema.jsonl").to_json(), encoding="utf-8")
    return folder


def candidates(dice: np.random.Generator, labels: int, parts: int) -> Candidates:
    """Rows of short spans, each place once."""
    count = int(dice.integers(0, 12))
    starts = dice.integers(0, len(TEXT) - 4, (count, 2))
    sizes = dice.integers(1, 4, (count, 2))
    rows = [(a, a + m, label, c, c + n, 0) for (a, c), (m, n), label in
            zip(starts, sizes, dice.integers(0, labels, count), strict=True)]  # fmt: skip
    numbers = dice.uniform(0.5, 1.0, (count, parts))
    return Candidates(np.array(rows, np.int32).reshape(-1, 6), numbers.astype(np.float32), np.zeros(0, np.float32))


def literally(found: Candidates, decode: Any, names: list[str]) -> list[bool]:
    """Which rows are chosen, one by one: those that are able, by the threshold of their relation."""
    kept = []
    for row, parts in zip(found.rows.tolist(), found.parts.astype(float).tolist(), strict=True):
        least = decode.by_label.get(names[row[2]], decode.triple)
        if len(parts) == 4:
            able = min(parts[:2]) > np.float32(decode.entity) and min(parts[2:]) > np.float32(decode.link)
            product = parts[0] * parts[1] * parts[2] * parts[3]
        else:
            s0, s1, s2, o0, o1, o2 = parts
            able = s0 > np.float32(decode.subject_start) and o0 > np.float32(decode.object_start)
            able = able and s1 > np.float32(decode.subject_end) >= s2 and o1 > np.float32(decode.object_end) >= o2
            product = float(np.float32(s0) * np.float32(s1)) * float(np.float32(o0) * np.float32(o1))
        kept.append(bool(able and product >= least))
    return kept


@pytest.mark.parametrize("name", ["ske", "ske-gplinker"])
def test_each_relation_by_its_own(assets: Path, name: str) -> None:
    recipe: Any = small_recipe(name=name)
    decoder: Any = TASK.decoder(recipe, assets)
    labels = Schema.load(assets / SCHEMA).labels
    names = [predicate for predicate, _ in labels]
    assert list(decoder.label_names) == list(dict.fromkeys(names)) and len(labels) > len(set(names)) > 5
    parts = len(decoder.layout.parts)

    @settings(max_examples=60, deadline=None)
    @given(st.integers(0, 1 << 30), st.dictionaries(st.sampled_from(names), st.sampled_from([0.0, 0.1, 0.3, 0.6, 1.0])))
    def check(seed: int, by_label: dict[str, float]) -> None:
        found = candidates(np.random.default_rng(seed), len(labels), parts)
        if parts == 6:  # no nearer end is above the threshold
            found.parts[:, [2, 5]] *= 0.5
        decode = recipe.decode.model_copy(update={"triple": 0.25, "by_label": by_label})
        assert decoder.chosen(found, decode)[0].tolist() == literally(found, decode, names)
        assert (decoder.labels_of(found.rows) == [decoder.label_names.index(names[n]) for n in found.rows[:, 2]]).all()
        # Nothing that is chosen lies below what is proposed, and other settings say nothing else.
        floor = decoder.floor(decode)
        assert floor.of(PRODUCT) == min([0.25, *by_label.values()])
        plain = decoder.decode(Example(TEXT), found, decode.model_copy(update={"by_label": {}}))
        same = decode.model_copy(update={"by_label": dict.fromkeys(names, 0.25)})
        assert decoder.decode(Example(TEXT), found, same) == plain

    check()
    sure = candidates(np.random.default_rng(1), len(labels), parts)
    sure.parts[:] = 0.9
    if parts == 6:
        sure.parts[:, [2, 5]] = 0.0
    none, all_ = (recipe.decode.model_copy(update={"by_label": dict.fromkeys(names, p)}) for p in (1.0, 0.0))
    chosen = [decoder.chosen(sure, decode)[0].tolist() for decode in (none, all_)]
    assert len(sure) and not any(chosen[0]) and all(chosen[1])


@pytest.mark.parametrize("name", ["ske", "ske-gplinker"])
@pytest.mark.parametrize("character", [" ", "\x01"])
def test_a_name_that_no_submission_takes_is_none(assets: Path, name: str, character: str) -> None:
    recipe: Any = small_recipe(name=name)
    decoder: Any = TASK.decoder(recipe, assets)
    parts = np.full((3, len(decoder.layout.parts)), 0.9, np.float32)
    if parts.shape[1] == 6:
        parts[:, [2, 5]] = 0.0
    rows = np.array([(0, 1, 0, 4, 6, 0), (1, 3, 0, 0, 1, 0), (1, 3, 0, 4, 6, 0)], np.int32)
    text = character + TEXT
    found = decoder.decode(Example(text), Candidates(rows, parts, np.zeros(0, np.float32)), recipe.decode)
    assert [(t.subject.start, t.slots[0][1].start) for t in found.triples if t.subject] == [(1, 4)]


def test_a_relation_that_there_is_not(assets: Path) -> None:
    recipe: Any = small_recipe("decode.by_label={出身地: 0.3}")
    with pytest.raises(UserError) as caught:
        TASK.decoder(recipe, assets)
    assert str(caught.value).startswith("decode.by_label: no relation is called '出身地' → ")
