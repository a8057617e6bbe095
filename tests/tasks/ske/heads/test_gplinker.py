"""GPLinker against its formula, its decoder against all spans, pairs and labels one by one."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import Tensor

from ietool import paths
from ietool.nn.above import probability_of, score_near
from ietool.nn.global_pointer import EfficientGlobalPointer
from ietool.tasks.ske.data.example import Example
from ietool.tasks.ske.features.featurizer import Features
from ietool.tasks.ske.heads.gplinker.model import OBJECT, SUBJECT, LinkConfig, LinkModel
from ietool.tasks.ske.heads.gplinker.reader import SPANS, LinkReader
from ietool.tasks.ske.heads.gplinker.recipe import LinkDecodeSection
from ietool.tasks.ske.heads.gplinker.sampling import LinkTrainingSet, link_batch
from ietool.tasks.ske.recipe import SkeRecipe
from tests.nn.test_global_pointer import dense_loss, turned, whole
from tests.tasks.ske.heads.test_decode import any_character, check_spans, same
from tests.tasks.ske.made import (
    Opened,
    asked,
    encoder_of_corpus,
    head_of_corpus,
    loud_model,
    open_predictor,
    prepare_small,
    read_otherwise,
    rows_of,
    small_recipe,
    texts_of,
)

R = 3
Row = tuple[int, int, int, int, int]


def small(**changes: object) -> LinkModel:
    torch.manual_seed(3)
    sizes = {
        "characters": 40, "labels": R, "priors": True, "hidden_size": 6, "dilations": [1, 2], "positions": 12,
        "pointer_size": 4,
    }  # fmt: skip
    model = LinkModel(LinkConfig(**(sizes | changes)))  # type: ignore[arg-type]
    with torch.no_grad():
        for p in model.parameters():
            p.copy_(torch.randn_like(p) * 0.5)
    return model.eval()


def score(layer: EfficientGlobalPointer, h: Tensor, kind: int, i: int, j: int, *, rotary: bool) -> float:
    """Of a pair of positions, from the encoder's output (T, H)."""
    size = layer.head_size
    zi, zj = layer.projection(h[i]), layer.projection(h[j])
    q, k = zi[:size].tolist(), zj[size:].tolist()
    if rotary:
        q, k = turned(q, i), turned(k, j)
    first, last = layer.bias(zi)[kind], layer.bias(zj)[layer.types + kind]
    return sum(a * b for a, b in zip(q, k, strict=True)) / math.sqrt(size) + float(first) + float(last)


@torch.no_grad()
def test_a_triple_is_the_sum_of_four_scores() -> None:
    """Spans by rotary positions, links by none and in either direction."""
    model = small()
    ids = torch.randint(1, 40, (2, 9))
    links = model.encode(ids, torch.tensor([9, 6]))
    entity, heads, tails = whole(links.entity), whole(links.heads), whole(links.tails)
    assert entity.shape == (2, 2, 9, 9) and heads.shape == tails.shape == (2, R, 9, 9)
    h = model.encoder(ids[1:, :6], torch.ones(1, 6, dtype=torch.bool))[0]
    for s0, s1, r, o0, o1 in [(0, 2, 0, 4, 5), (4, 4, 2, 0, 1), (3, 5, 1, 3, 5), (0, 0, 2, 0, 0)]:
        expected = score(model.entity, h, SUBJECT, s0, s1, rotary=True)
        expected += score(model.entity, h, OBJECT, o0, o1, rotary=True)
        expected += score(model.heads, h, r, s0, o0, rotary=False) + score(model.tails, h, r, s1, o1, rotary=False)
        found = entity[1, SUBJECT, s0, s1] + entity[1, OBJECT, o0, o1] + heads[1, r, s0, o0] + tails[1, r, s1, o1]
        assert float(found) == pytest.approx(expected, abs=1e-4)
    assert (entity[1][:, 3, :3] < -1000).all() and (entity[1][:, :, 6:] < -1000).all()
    assert (heads[1, :, :6, :6] > -1000).all() and (heads[1, :, 6:] < -1000).all()


def test_loss_is_that_of_all_scores() -> None:
    model = small()
    ids, lengths = torch.randint(1, 40, (3, 8)), torch.tensor([8, 5, 3])
    entities = torch.tensor([[0, 0, 1], [0, 1, 1], [2, 6, 0], [3, 7, 4]])
    heads = torch.tensor([[0, 1, 1], [2, 0, 1], [2, 0, 4], [6, 3, 1]])
    tails = torch.tensor([[0, 1], [2, 0], [3, 1], [7, 4]])
    marks = torch.tensor([[0, 2], [2, 1], [2, 0], [6, 2]])
    model.config.head_dropout = 0.0
    found = model(ids, lengths, entities, heads, tails, head_marks=marks, tail_marks=marks[:, :1])
    links = model.encode(ids, lengths)
    assert model.known is not None
    entity = dense_loss(links.entity, entities, None, None)
    link = dense_loss(links.heads, heads, marks, model.known[0])
    link = link + dense_loss(links.tails, tails, marks[:, :1], model.known[1])
    torch.testing.assert_close(found["entity_loss"], entity, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(found["link_loss"], link, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(found["loss"], entity + link, rtol=1e-5, atol=1e-5)
    ours = torch.autograd.grad(found["loss"], list(model.parameters()), retain_graph=True)
    theirs = torch.autograd.grad(entity + link, list(model.parameters()))
    for a, b in zip(ours, theirs, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-3, atol=1e-5)


def test_divergence_is_of_the_labels_that_a_sentence_has() -> None:
    model = small(head_dropout=0.4, priors=False).train()
    ids, lengths = torch.randint(1, 40, (2, 6)), torch.tensor([6, 4])
    targets = (
        torch.tensor([[0, 1], [0, 1], [2, 0], [3, 1]]),
        torch.tensor([[0], [1], [2], [4]]),
        torch.tensor([[0], [1], [3], [5]]),
    )
    torch.manual_seed(8)
    first, second = model(ids, lengths, *targets), model(ids, lengths, *targets)
    torch.manual_seed(8)
    passes = [model.encode(ids, lengths), model.encode(ids, lengths)]
    expected = 0.0
    for name, kinds in (("entity", [(0, 0), (1, 1)]), ("heads", [(0, 1)]), ("tails", [(0, 1)])):
        a, b = (whole(getattr(links, name)).detach() for links in passes)
        for at, kind in kinds:
            for x, y in zip(a[at, kind].flatten().tolist(), b[at, kind].flatten().tolist(), strict=True):
                p, q = (1 / (1 + math.exp(-v)) if v > -500 else 0.0 for v in (x, y))
                expected += (p - q) * (x - y) / 2
    assert float(model.divergence(first, second).detach()) == pytest.approx(expected / 2, rel=1e-3)
    assert float(model.divergence(first, first).detach()) == 0.0


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_computes_in_half_precision_too(dtype: torch.dtype) -> None:
    model = small()
    batch: dict[str, Any] = {
        "ids": torch.randint(1, 40, (2, 11)), "lengths": torch.tensor([11, 7]),
        "entity_targets": torch.tensor([[0, 1], [0, 1], [2, 0], [3, 1]]),
        "head_targets": torch.tensor([[0], [1], [2], [0]]), "tail_targets": torch.tensor([[0], [1], [3], [1]]),
        "head_marks": torch.tensor([[0], [1], [2], [0]]), "tail_marks": torch.zeros(4, 0, dtype=torch.long),
    }  # fmt: skip
    exact = model(**batch)["loss"]
    with torch.autocast("cpu", dtype):
        loss = model(**batch)["loss"]
    loss.backward()
    assert loss.dtype == torch.float32
    assert all(torch.isfinite(p.grad).all() for p in model.parameters() if p.grad is not None)
    torch.testing.assert_close(loss, exact, rtol=0.05, atol=0.05)


def test_a_batch_without_any_triple() -> None:
    model = small()
    item = {
        "ids": np.array([3, 4], np.int32), "words": np.zeros(2, np.int32), "tags": np.zeros(2, np.uint8), "rows": [],
        "pairs": [], "prior": np.zeros((0, 5), np.int32),
    }  # fmt: skip
    batch = link_batch([item, item], R, priors=True)
    assert batch["entity_targets"].shape == batch["tail_marks"].shape == (4, 0)
    loss = model(**batch)["loss"]
    loss.backward()
    assert bool(torch.isfinite(loss)) and float(loss.detach()) > 0


def test_targets_by_hand() -> None:
    ids = np.arange(6, dtype=np.int32)
    rows = [[0, 2, 1, 3, 5], [0, 2, 2, 3, 5], [3, 5, 0, 0, 1]]
    item = {"ids": ids, "words": ids, "tags": ids, "rows": rows, "prior": np.array([[0, 2, 1, 3, 5], [1, 2, 1, 3, 4]])}
    other = item | {"ids": ids[:3], "rows": [], "prior": np.zeros((0, 5), np.int32)}
    batch = link_batch([other, item], R, priors=True)
    assert batch["lengths"].tolist() == [3, 6] and batch["ids"][0].tolist() == [0, 1, 2, 0, 0, 0]
    entities = {(1, SUBJECT, 0, 1), (1, OBJECT, 3, 4), (1, SUBJECT, 3, 4), (1, OBJECT, 0, 0)}
    assert sorted(map(tuple, batch["entity_targets"].T.tolist())) == sorted(entities)
    assert batch["head_targets"].T.tolist() == [[1, 0, 3, 0], [1, 1, 0, 3], [1, 2, 0, 3]]
    assert batch["tail_targets"].T.tolist() == [[1, 0, 4, 0], [1, 1, 1, 4], [1, 2, 1, 4]]
    assert batch["head_marks"].T.tolist() == [[1, 1, 0, 3], [1, 1, 1, 3]]
    assert batch["tail_marks"].T.tolist() == [[1, 1, 1, 3], [1, 1, 1, 4]]
    assert "head_marks" not in link_batch([item], R, priors=False)


# -- decoding


def link_recipe(encoder: str, *more: str, priors: bool) -> SkeRecipe:
    return small_recipe(
        f"model.encoder={encoder}",
        f"model.priors={str(priors).lower()}",
        "model.pointer_size=8",
        "decode.triple=0.02",
        *more,
        name="ske-gplinker",
    )


@pytest.fixture(scope="module", params=["tokens", "dgcnn", "tokens without priors"])
def predictor(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Opened:
    folder = tmp_path_factory.mktemp("decode")
    encoder = "dgcnn" if request.param == "dgcnn" else str(encoder_of_corpus(folder))
    recipe = link_recipe(encoder, priors="without" not in request.param)
    prepared = prepare_small(recipe, head_of_corpus(folder), folder)
    return open_predictor(recipe, loud_model(recipe, prepared, seed=4).double(), prepared)


@pytest.fixture(scope="module")
def texts() -> list[str]:
    return texts_of(paths.shipped_data("ske") / "train.jsonl")[:30]


def sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x)) if x > -700 else 0.0


@torch.no_grad()
def brute(
    model: LinkModel, decode: LinkDecodeSection, features: Features, labels: int, spans: int
) -> Iterator[tuple[Row, float]]:
    """Every pair of the ``spans`` best subjects and objects under every label."""
    units = features.units
    ids = torch.as_tensor(units.ids, dtype=torch.int64)[None]
    links = model.encode(ids, torch.tensor([len(units)]), torch.as_tensor(units.words)[None].long(),
                         torch.as_tensor(units.tags)[None].long())  # fmt: skip
    entity, heads, tails = (whole(s)[0].tolist() for s in (links.entity, links.heads, links.tails))
    if model.known is not None:
        prior = features.prior.tolist()
        for r, i, j in {(r, a, c) for a, _, r, c, _ in prior}:
            heads[r][i][j] += float(model.known[0, r])
        for r, i, j in {(r, b - 1, d - 1) for _, b, r, _, d in prior}:
            tails[r][i][j] += float(model.known[1, r])
    found = []
    for kind in (SUBJECT, OBJECT):
        mine = [
            (entity[kind][i][j], i, j)
            for i in range(len(units))
            for j in range(i, len(units))
            if units.inside[i] and units.inside[j] and sigmoid(entity[kind][i][j]) > decode.entity
        ]
        found.append(sorted(mine, key=lambda s: (-s[0], s[1:]))[:spans])
    for es, s0, s1 in found[0]:
        for eo, o0, o1 in found[1]:
            for r in range(labels):
                head, tail = sigmoid(heads[r][s0][o0]), sigmoid(tails[r][s1][o1])
                p = sigmoid(es) * sigmoid(eo) * head * tail
                if head > decode.link and tail > decode.link and p >= decode.triple:
                    yield (s0, s1 + 1, r, o0, o1 + 1), p


share = st.sampled_from([0.0, 0.2, 0.5, 0.8, 1.0])


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.integers(0, 29), min_size=1, max_size=3), st.sampled_from([8, 20, 48]), share, share,
    st.sampled_from([0.0, 0.1, 0.5]), st.sampled_from([1, 3, 9]),
)  # fmt: skip
def test_decoder_is_brute_force(
    predictor: Opened, texts: list[str], numbers: list[int], length: int, entity: float, link: float,
    triple: float, spans: int,
) -> None:  # fmt: skip
    few = read_otherwise(
        asked(predictor, entity=entity, link=link, triple=triple), spans=spans, most=10**9, highest_probability=0.0
    )
    reader, decode = few.reader, few.settings
    assert isinstance(reader, LinkReader) and isinstance(decode, LinkDecodeSection)
    labels, model = reader.labels, reader.model
    features = reader.featurizer.encode_all([texts[n][:length] for n in numbers], [()] * len(numbers))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("ietool.tasks.ske.heads.gplinker.reader.SCORES", 7 * labels)
        rows = rows_of(few, features)
    assert 0 <= reader.highest_probability <= 1
    for feature, mine in zip(features, rows, strict=True):
        expected = dict(brute(model, decode, feature, labels, spans))
        found = {(a, b, r, c, d): p for a, b, r, c, d, p in mine}
        assert len(found) == len(mine) and found.keys() == expected.keys()
        for row, p in found.items():
            assert p == pytest.approx(expected[row], abs=1e-5)
            a, b, _, c, d = row
            assert feature.units.inside[a:b].all() and feature.units.inside[c:d].all() and a < b and c < d


def test_the_usual_limit_of_spans_holds(predictor: Opened, texts: list[str]) -> None:
    """A model that has learnt nothing finds every span: the best of a text are linked, alone or beside others."""
    everything = asked(predictor, entity=0.0, link=0.9999, triple=0.0)
    reader: Any = everything.reader
    features = reader.featurizer.encode_all([texts[0][:48], "山水", texts[1][:40]], [()] * 3)
    together = rows_of(everything, features)
    for feature, rows in zip(features, together, strict=True):
        (alone,) = rows_of(everything, [feature])
        assert {row[:5] for row in alone} == {row[:5] for row in rows}
        assert len({row[:2] for row in rows}) <= SPANS and len({row[3:5] for row in rows}) <= SPANS


def test_one_at_a_time_finds_the_same(predictor: Opened, texts: list[str]) -> None:
    examples = [Example(text) for text in [*texts[:12], "", texts[0].upper() + "ＡＢ🙂 Ok", "".join(texts[:4])]]
    found = list(predictor.predict(examples))
    alone = [next(iter(predictor.predict([example]))) for example in examples]
    assert same(found, alone) > 10
    for extraction in found:
        check_spans(extraction)


@settings(max_examples=10, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.text(any_character | st.sampled_from("aBc12Xy"), max_size=60), max_size=3))
def test_any_text(predictor: Opened, found: list[str]) -> None:
    for prediction in predictor.predict([Example(text) for text in found]):
        check_spans(prediction)


def test_priors_reach_the_decoder(predictor: Opened, texts: list[str]) -> None:
    every = read_otherwise(asked(predictor, entity=0.0, triple=0.0, link=0.95), spans=256, most=10**9)
    reader = every.reader
    assert isinstance(reader, LinkReader)
    model = reader.model
    if model.known is None:
        pytest.skip("without priors")
    features = reader.featurizer.encode_all([text[:18] for text in texts[:12]], [()] * 12)
    assert sum(len(f.prior) for f in features) > 2
    with torch.no_grad():
        before = model.known.clone()
        model.known.zero_()
        plain = rows_of(every, features)
        model.known.fill_(30.0)
        raised = rows_of(every, features)
        model.known.copy_(before)
    new = 0
    for f, rows, others in zip(features, raised, plain, strict=True):
        known = f.prior.tolist()
        heads, tails = {(a, r, c) for a, _, r, c, _ in known}, {(b, r, d) for _, b, r, _, d in known}
        found, was = {row[:5] for row in rows}, {row[:5] for row in others}
        assert found >= was and found >= {tuple(row) for row in known}
        for a, b, r, c, d in found - was:
            assert (a, r, c) in heads or (b, r, d) in tails
            new += 1
    assert new > 2


@settings(max_examples=300)
@given(st.floats(0, 1), st.floats(-40, 40))
def test_no_score_is_left_out_whose_probability_is_above(floor: float, score: float) -> None:
    exact = probability_of(torch.tensor([score]))
    assert float(exact) == pytest.approx(sigmoid(score), abs=1e-7)
    for near in (score, *(math.log(p) - math.log1p(-p) for p in (floor,) if 0 < p < 1)):
        value = torch.tensor([near])
        if bool(probability_of(value) > floor):
            assert bool(value > score_near(floor))


def test_training_items_are_taken(predictor: Opened, tmp_path: Path) -> None:
    reader: Any = predictor.reader
    encoder = "dgcnn" if reader.model.config.encoder is None else str(encoder_of_corpus(tmp_path))
    recipe = link_recipe(encoder, "sampling.replacement=0.5", priors=reader.priors)
    prepared = prepare_small(recipe, head_of_corpus(tmp_path), tmp_path)
    data = LinkTrainingSet(recipe, prepared)
    items = [data[i] for i in range(16)]
    batch = data.collate(items)
    for name in ("head_targets", "tail_targets", "entity_targets"):
        rows = batch[name].T.tolist()
        assert rows == sorted(rows) and len({tuple(row) for row in rows}) == len(rows) > 0
        for at, _, i, j in rows:
            assert max(i, j) < batch["lengths"][at]
    loss = reader.model.float()(**batch)["loss"]
    reader.model.double()
    assert bool(torch.isfinite(loss))
