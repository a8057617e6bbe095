"""What models say before thresholds: candidates of a low floor decode to what thresholds find, given rows are scored,
and a model that says yes to everything is kept within bounds."""

from __future__ import annotations

import time
from collections.abc import Iterator
from copy import copy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from ietool import paths
from ietool.core.candidate_files import read_candidates, write_candidates
from ietool.core.candidates import Candidates, Floor, merged, union
from ietool.tasks.ske import SkeTask
from ietool.tasks.ske.data.example import Example
from ietool.tasks.ske.heads.reader import MOST
from ietool.text.spans import nearest_spans, rising_spans
from tests.apart import check_apart
from tests.tasks.ske.heads.test_decode import same
from tests.tasks.ske.made import (
    Opened,
    asked,
    encoder_of_corpus,
    head_of_corpus,
    loud_model,
    open_predictor,
    prepare_small,
    read_otherwise,
    small_recipe,
    texts_of,
    uncapped,
)

HEADS = ("graph", "cascade", "gplinker")

LOW = Floor(0.1)

share = st.sampled_from([0.0, 0.1, 0.2, 0.3, 0.5, 0.7, 0.9, 1.0])
probabilities = st.lists(st.lists(share, min_size=6, max_size=6), min_size=2, max_size=2)


# -- spans at every threshold


@settings(max_examples=300, deadline=None)
@given(st.lists(probabilities, min_size=1, max_size=3), share, share)
def test_spans_at_a_low_floor_are_those_of_every_threshold(
    p: list[list[list[float]]], floor: float, threshold: float
) -> None:
    values = np.array(p, np.float32)  # (groups, 2, places)
    groups_s, starts = np.nonzero(values[:, 0] > floor)
    groups_e, ends = np.nonzero(values[:, 1] > floor)
    of_end = values[groups_e, 1, ends]
    first, last, nearer = rising_spans(starts, ends, groups_s, groups_e, of_end, 6)
    found = list(zip(groups_s[first], starts[first], ends[last], nearer.tolist(), strict=True))
    wanted = []
    for group, start in zip(groups_s, starts, strict=True):
        highest = 0.0
        for end in range(start, 6):
            if values[group, 1, end] > max(floor, highest):
                wanted.append((group, start, end, highest))
                highest = float(values[group, 1, end])
    assert found == wanted
    # Above any threshold that is no lower, those that remain are the nearest ends.
    at = max(floor, threshold)
    left = [(g, s, e) for g, s, e, n in found if values[g, 1, e] > np.float32(at) and n <= np.float32(at)]
    able = np.flatnonzero(of_end > np.float32(at))
    kept, end_of, groups = nearest_spans(starts, ends[able], groups_s, groups_e[able], 6)
    assert left == list(zip(groups.tolist(), starts[kept].tolist(), ends[able][end_of].tolist(), strict=True))
    alone = rising_spans(starts, ends, groups_s, groups_e, of_end, 6, floor)
    nearest = nearest_spans(starts, ends, groups_s, groups_e, 6)
    assert [x.tolist() for x in alone[:2]] == [x.tolist() for x in nearest[:2]]


# -- candidates


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return encoder_of_corpus(tmp_path_factory.mktemp("encoder"))


@pytest.fixture(scope="module", params=[f"{head}-{kind}" for head in HEADS for kind in ("characters", "tokens")])
def predictor(request: pytest.FixtureRequest, encoder: Path, tmp_path_factory: pytest.TempPathFactory) -> Opened:
    head, _, kind = request.param.partition("-")
    folder = tmp_path_factory.mktemp("candidates")
    name = "ske" if head == "graph" else f"ske-{head}"
    recipe = small_recipe(f"model.encoder={encoder if kind == 'tokens' else 'characters'}", name=name)
    prepared = prepare_small(recipe, head_of_corpus(folder), folder)
    # In double precision, in which the number of texts or subjects beside one does not move a probability.
    return uncapped(open_predictor(recipe, loud_model(recipe, prepared, seed=4).double(), prepared))


@pytest.fixture(scope="module")
def inputs() -> list[Example]:
    texts = texts_of(paths.shipped_data("ske") / "train.jsonl")
    return [Example(text) for text in [*texts[:3], "", "".join(texts[10:12]), "山", texts[13].upper()]]


def numbers_of(predictor: Opened) -> list[str]:
    """The thresholds that there are."""
    fields = type(predictor.settings).model_fields
    return [name for name in fields if name not in ("by_label", "rules", "apply_rules", "batch_size")]


def thresholds(predictor: Opened) -> Iterator[dict[str, float]]:
    """The recipe's, lower and higher ones, and some that cut triples of their own."""
    names = numbers_of(predictor)
    for value, triple in ((None, 0.1), (0.4, 0.0), (0.1, 0.2), (0.7, 0.0)):
        yield {} if value is None else dict.fromkeys(names, value) | {"triple": triple}


def test_candidates_of_a_low_floor_decode_to_what_thresholds_find(predictor: Opened, inputs: list[Example]) -> None:
    """For all thresholds above the floor."""
    low = [found for _, found in predictor.reader.propose(inputs, floor=Floor(0.01))]
    count = 0
    for settings_ in thresholds(predictor):
        other = asked(predictor, **settings_)
        wanted = list(other.predict(inputs))
        found = [other.decoder.decode(x, f, other.settings) for x, f in zip(inputs, low, strict=True)]
        count += same(found, wanted)
    assert count > 50  # else it says nothing


def test_what_thresholds_propose_is_all_chosen(predictor: Opened, inputs: list[Example]) -> None:
    decoder: Any = predictor.decoder
    for found, _ in predictor.decided(inputs):
        kept, probability = decoder.chosen(found, predictor.settings)
        assert kept.shape == (len(found),) and kept.all()
        assert decoder.layout.probability(found.parts) == pytest.approx(probability, abs=1e-6)


def test_rows_and_parts_are_what_the_layout_says(predictor: Opened, inputs: list[Example]) -> None:
    layout = predictor.reader.layout
    assert layout == predictor.decoder.layout
    for example, found in predictor.reader.propose(inputs, floor=LOW):
        assert found.rows.dtype == np.int32 and found.rows.shape == (len(found), len(layout.rows))
        assert found.parts.dtype == np.float32 and found.parts.shape == (len(found), len(layout.parts))
        a, b, label, c, d, cut = found.rows.T
        assert (a < b).all() and (c < d).all() and (np.minimum(a, c) >= 0).all()
        assert (np.maximum(b, d) <= len(example.text)).all()
        assert set(label.tolist()) <= set(range(predictor.reader.labels))  # type: ignore[attr-defined]
        assert set(cut.tolist()) <= ({0} if len(example.text) <= 48 else {0, 1, 2, 3})


@pytest.mark.parametrize("room", [4096, 2])
def test_a_device_of_its_own_says_the_same(
    predictor: Opened, inputs: list[Example], room: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    inputs = [Example(x.text[:72]) for x in inputs]
    assert check_apart(lambda: copy(predictor.reader), inputs, Floor(0.2), monkeypatch, room) > 20


def test_given_rows_are_scored(predictor: Opened, inputs: list[Example]) -> None:
    """A model says of its own rows what it said when it proposed them; of others, what its probabilities are."""
    reader = predictor.reader
    inputs = [Example(x.text[:48]) for x in inputs]  # of several windows the surest one has the say
    low = [found for _, found in reader.propose(inputs, floor=LOW)]
    nearer = [n for n, name in enumerate(reader.layout.parts) if name.endswith("nearer")]
    scored = list(reader.score(zip(inputs, low, strict=True)))
    assert [x for x, _ in scored] == inputs
    count = 0
    for (_, again), found in zip(scored, low, strict=True):
        assert (again.rows == found.rows).all() and again.models == 1
        ours, theirs = again.parts.copy(), found.parts
        # What lies below the floor is not told apart from nothing when rows are proposed.
        ours[:, nearer] *= ours[:, nearer] > LOW.default
        np.testing.assert_allclose(ours, theirs, atol=1e-5)
        count += len(found)
    assert count > 100


def test_rows_that_cannot_be_expressed_have_no_probability(predictor: Opened) -> None:
    text = "《山水》是一首Hello歌曲，" * 12
    rows = np.array([(1, 3, 0, 5, 7, 0), (1, 3, 0, 100, 102, 0), (7, 9, 1, 1, 3, 0)], np.int32)
    given_ = Candidates(rows, np.zeros((3, len(predictor.reader.layout.parts)), np.float32), np.zeros(0, np.float32))
    ((_, said),) = predictor.reader.score([(Example(text), given_)])
    assert (said.rows == rows).all()
    assert (said.parts[1] == 0).all()  # in no one window
    assert (said.parts[0] > 0).any()
    none = Candidates.none(predictor.reader.layout)
    found = [f for _, f in predictor.reader.score([(Example(""), none), (Example("山水"), none)])]
    assert [len(f) for f in found] == [0, 0]


def test_the_mean_of_a_model_with_itself_is_the_model(predictor: Opened, inputs: list[Example], tmp_path: Path) -> None:
    """Through a folder, as ensembles go: propose, write, read, score the union, average, decode."""
    reader, layout = predictor.reader, predictor.reader.layout
    inputs = [Example(x.text[:48]) for x in inputs]  # of several windows the surest one would have the say
    proposed = (found for _, found in reader.propose(inputs, floor=LOW))
    assert write_candidates(tmp_path, layout, LOW, proposed) == len(inputs)
    kept = read_candidates(tmp_path)
    wanted = list(predictor.predict(inputs))
    both = 0
    for example, found, extraction in zip(inputs, kept, wanted, strict=True):
        rows = union([found, found])
        asked_for = Candidates(rows, np.zeros((len(rows), len(layout.parts)), np.float32), found.whole)
        said = [f for _ in range(2) for _, f in reader.score([(example, asked_for)])]
        again = predictor.decoder.decode(example, merged(said), predictor.settings)
        ours, theirs = ({t.triple: t.probability for t in x.triples} for x in (again, extraction))
        shared = ours.keys() & theirs.keys()
        assert len(shared) >= 0.99 * max(len(ours), len(theirs))  # at a threshold rounding decides
        assert [ours[t] for t in shared] == pytest.approx([theirs[t] for t in shared], abs=1e-3)
        both += len(shared)
    assert both > 2


# -- what says yes to everything


def says_yes(model: nn.Module, height: float) -> nn.Module:
    """All scores of a model set to one height, whatever the text."""
    with torch.no_grad():
        for name, p in model.named_parameters():
            if name.startswith("encoder."):
                continue
            p.zero_()
            if name.endswith(("_out.bias", "outer.bias", "any_object.bias")):
                p.fill_(height)
            elif name in ("entity.bias.bias", "heads.bias.bias", "tails.bias.bias"):
                p.fill_(height / 2)
    return model


@pytest.fixture(scope="module", params=HEADS)
def yes(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Opened:
    head, folder = request.param, tmp_path_factory.mktemp("yes")
    recipe = small_recipe(
        "model.encoder=characters", "data.window=320", "data.overlap=96", "model.positions=320",
        name="ske" if head == "graph" else f"ske-{head}",
    )  # fmt: skip
    prepared = prepare_small(recipe, head_of_corpus(folder), folder)
    model = says_yes(SkeTask().build_model(recipe, prepared), 10.0)
    return open_predictor(recipe, model.eval(), prepared)  # type: ignore[arg-type]


@pytest.mark.parametrize("lowest", [False, True], ids=["the recipe's thresholds", "thresholds 0"])
def test_a_model_that_says_yes_to_everything(yes: Opened, lowest: bool) -> None:
    texts = texts_of(paths.shipped_data("ske") / "train.jsonl")
    text = "".join(texts[:20])[:342]
    other = asked(read_otherwise(yes), **(dict.fromkeys(numbers_of(yes), 0.0) if lowest else {}))
    inputs = [Example(text), Example("山"), Example(""), Example(text[:200])]
    began = time.process_time()
    found = list(other.decided(inputs))
    predictions = [extraction for _, extraction in found]
    report = SkeTask().evaluate(small_recipe(), inputs, predictions, outcomes=True)
    assert time.process_time() - began < 60  # eight times what it takes on a quiet core
    assert [len(candidates) <= MOST for candidates, _ in found] == [True] * 4
    assert len(found[0][0]) == MOST and found[0][0].capped > 1000
    assert len(report.outcomes) <= 4 * MOST
    (note,) = other.notes
    assert "2 texts have more than 512 candidates above the thresholds" in note


def test_the_most_probable_rows_stay(predictor: Opened, inputs: list[Example]) -> None:
    few = read_otherwise(predictor, most=20)
    single = [Example(x.text[:48]) for x in inputs]
    pairs = zip(predictor.reader.propose(single, floor=LOW), few.reader.propose(single, floor=LOW), strict=True)
    cut = 0
    for (_, every), (_, some) in pairs:
        probability = predictor.reader.layout.probability(every.parts)
        assert len(some) == min(20, len(every)) and some.capped == every.capped + len(every) - len(some)
        rest = np.sort(probability)[::-1][: len(some)]
        assert np.sort(predictor.reader.layout.probability(some.parts))[::-1] == pytest.approx(rest)
        rows = {(*row, *part) for row, part in zip(every.rows.tolist(), every.parts.tolist(), strict=True)}
        assert {(*row, *part) for row, part in zip(some.rows.tolist(), some.parts.tolist(), strict=True)} <= rows
        cut += some.capped > 0
    assert cut


def test_a_long_text_may_have_more(yes: Opened) -> None:
    """A row for each of its characters, so that a book is not cut to what a sentence may have."""
    text = "".join(texts_of(paths.shipped_data("ske") / "train.jsonl")[:60])[:1000]
    ((_, found),) = yes.reader.propose([Example(text)], floor=yes.decoder.floor(yes.settings))
    assert len(found) == len(text) == 1000 > MOST
