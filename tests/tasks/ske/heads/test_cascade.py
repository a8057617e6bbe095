"""The cascade against its formula; decoding on tokens, by cascade and graph, against the literal loop."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ietool.tasks.ske.heads.opening import open_predictor
from ietool.tasks.ske.heads.predictor import SkePredictor
from ietool.tasks.ske.heads.stages.cascade import CascadeModel
from ietool.tasks.ske.heads.stages.config import CascadeConfig
from torch import Tensor

from ietool import paths
from ietool.nn.encoder import PretrainedEncoder
from ietool.tasks.ske.data.example import Example
from ietool.tasks.ske.heads.sampling import SkeTrainingSet
from ietool.tasks.ske.heads.stages.decode import StageDecoder
from tests.tasks.ske.heads.test_decode import any_character, check_spans, same
from tests.tasks.ske.made import (
    encoder_of_corpus,
    head_of_corpus,
    loud_model,
    prepare_small,
    small_recipe,
    texts_of,
)
from tests.tasks.ske.reference_decode import ReferencePredictor

R = 4


def small(scale: float = 0.5, **changes: object) -> CascadeModel:
    torch.manual_seed(3)
    sizes = {"characters": 40, "labels": R, "priors": True, "hidden_size": 6, "dilations": [1, 2], "positions": 12}
    model = CascadeModel(CascadeConfig(**(sizes | changes)))  # type: ignore[arg-type]
    with torch.no_grad():
        for p in model.parameters():
            p.copy_(torch.randn_like(p) * scale)
    return model.eval()


def literal(
    model: CascadeModel, h: Tensor, start: int, end: int, known_s: Tensor, known_o: Tensor
) -> tuple[Tensor, Tensor]:
    """Subject (T, 2) and object (T, 2, R) probabilities from the encoder's output (T, H)."""
    assert model.subject_known is not None and model.object_known is not None
    subjects, objects = torch.zeros(len(h), 2), torch.zeros(len(h), 2, R)
    condition = torch.cat([h[start], h[end]])
    gain = model.norm.norm.weight + model.norm.gain.weight @ condition
    bias = model.norm.norm.bias + model.norm.shift.weight @ condition
    for t in range(len(h)):
        x = model.subject_out.weight @ h[t] + model.subject_out.bias + known_s[t] * model.subject_known
        subjects[t] = torch.sigmoid(x) ** 2
        centred = h[t] - h[t].mean()
        normed = centred / (centred.square().mean() + 1e-12).sqrt() * gain + bias
        y = model.object_out.weight @ normed + model.object_out.bias + known_o[t] * model.object_known
        objects[t] = torch.sigmoid(y).view(2, R) ** 4
    return subjects, objects


@pytest.mark.parametrize(("length", "start", "end"), [(1, 0, 0), (9, 2, 5), (14, 13, 13)])
def test_equals_the_formula(length: int, start: int, end: int) -> None:
    model = small()
    torch.manual_seed(length)
    longest = length + 4
    ids = torch.randint(1, 40, (2, longest))
    ids[1, length:] = 0
    known_s, known_o = (torch.rand(length, 2) < 0.4).float(), (torch.rand(length, 2 * R) < 0.3).float()
    s, o = known_s.nonzero(), known_o.nonzero()
    ones = torch.ones_like
    with torch.no_grad():
        lengths = torch.tensor([longest, length])
        e = model.encode(ids, lengths, subject_marks=(ones(s[:, 0]), s[:, 0], s[:, 1]))
        pairs = (torch.tensor([0, 1]), torch.tensor([1, start]), torch.tensor([2, end]))
        logits, gates = model.objects(e, *pairs, (ones(o[:, 0]), o[:, 0], o[:, 1]))
        assert len(gates) == 1 and logits.shape == gates[0].shape == (2, longest, 2, R)
        found_s = (F.logsigmoid(e["subject_logits"]) + e["entity"]).exp()[1, :length]
        found_o = (F.logsigmoid(logits) + gates[0]).exp()[1, :length]
        h = model.encoder(ids[1:, :length], torch.ones(1, length, dtype=torch.bool))[0]
        expected = literal(model, h, start, end, known_s, known_o)
    torch.testing.assert_close(found_s, expected[0], rtol=1e-4, atol=1e-6)
    torch.testing.assert_close(found_o, expected[1], rtol=1e-4, atol=1e-6)


def test_loss_is_the_cross_entropy_of_the_powers() -> None:
    """Sums over outputs, means over characters; with the divergence of two passes on the same scale."""
    model = small(0.2, subject_power=3.0, object_power=2.0)
    ids, lengths = torch.randint(1, 40, (2, 8)), torch.tensor([8, 5])
    batch = {
        "ids": ids, "lengths": lengths, "subject_targets": torch.tensor([[0, 0, 1], [1, 3, 2], [0, 1, 0]]),
        "pairs": torch.tensor([[0, 1, 1], [1, 2, 0], [3, 4, 1]]),
        "object_targets": torch.tensor([[0, 0, 2], [5, 6, 1], [0, 1, 0], [2, 2, 3]]),
        "subject_marks": torch.tensor([[0], [1], [0]]), "object_marks": torch.tensor([[0], [5], [2]]),
    }  # fmt: skip
    found = model(**batch)
    assert model.subject_known is not None and model.object_known is not None
    inside = torch.arange(8) < lengths[:, None]
    h = model.encoder(ids, inside)
    s = model.subject_out(h)
    s[0, 1, 0] += model.subject_known[0]
    target = torch.zeros(2, 8, 2)
    target[tuple(batch["subject_targets"])] = 1
    dense = F.binary_cross_entropy(torch.sigmoid(s) ** 3, target, reduction="none")
    torch.testing.assert_close(found["subject_loss"], dense[inside].sum() / 13, rtol=1e-5, atol=1e-5)
    at = batch["pairs"][0]
    condition = torch.cat([h[at, batch["pairs"][1]], h[at, batch["pairs"][2]]], -1)
    o = model.object_out(model.norm(h[at], condition[:, None]))
    o[0, 5, 2] += model.object_known[2]
    o = o.unflatten(-1, (2, R))
    target = torch.zeros(3, 8, 2, R)
    target[tuple(batch["object_targets"])] = 1
    dense = F.binary_cross_entropy(torch.sigmoid(o) ** 2, target, reduction="none")
    torch.testing.assert_close(found["object_loss"], dense[inside[at]].sum() / (8 + 5 + 5), rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(found["loss"], found["subject_loss"] + found["object_loss"])

    model.config.head_dropout = 0.5
    model.train()
    first, second = model(**batch), model(**batch)
    expected = 0.0
    for which, size in (("subject", 13), ("object", 18)):
        a, b = first[f"{which}_logits"].detach(), second[f"{which}_logits"].detach()
        mask = (inside if which == "subject" else inside[at]).view(*a.shape[:2], *[1] * (a.dim() - 2)).expand_as(a)
        for x, y in zip(a[mask].tolist(), b[mask].tolist(), strict=True):
            p, q = 1 / (1 + math.exp(-x)), 1 / (1 + math.exp(-y))
            there = p * math.log(p / q) + (1 - p) * math.log((1 - p) / (1 - q))
            back = q * math.log(q / p) + (1 - q) * math.log((1 - q) / (1 - p))
            expected += (there + back) / 2 / size
    assert expected > 0.01
    assert float(model.divergence(first, second).detach()) == pytest.approx(expected, rel=1e-3)


def test_powers_begin_near_zero() -> None:
    torch.manual_seed(1)
    model = CascadeModel(CascadeConfig(characters=40, labels=R, hidden_size=32, dilations=[1])).eval()
    model.requires_grad_(False)
    e = model.encode(torch.randint(1, 40, (4, 20)), torch.full((4,), 20))
    one = torch.zeros(1, dtype=torch.long)
    logits, (gate,) = model.objects(e, one, one, one)
    assert float((F.logsigmoid(logits) + gate).exp().mean()) < 0.1
    assert model.subject_known is None and model.object_known is None


def test_a_saved_model_is_the_same_model(tmp_path: Path) -> None:
    model = small()
    model.save_pretrained(tmp_path)
    again = CascadeModel.from_pretrained(tmp_path).eval()
    ids = torch.randint(1, 40, (2, 9))
    for name in ("subject_logits", "h"):
        a, b = (m.encode(ids, torch.tensor([9, 5]))[name] for m in (model, again))
        assert torch.equal(a, b)


# -- decoding


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return encoder_of_corpus(tmp_path_factory.mktemp("encoder"))


@pytest.fixture(scope="module", params=["cascade-tokens", "cascade-dgcnn", "graph-tokens"])
def predictor(request: pytest.FixtureRequest, encoder: Path, tmp_path_factory: pytest.TempPathFactory) -> SkePredictor:
    head, _, kind = request.param.partition("-")
    folder = tmp_path_factory.mktemp("decode")
    settings_ = [f"model.head={head}", f"model.encoder={encoder if kind == 'tokens' else 'dgcnn'}"]
    recipe = small_recipe(*settings_, name="ske-cascade" if head == "cascade" else "ske")
    prepared = prepare_small(recipe, head_of_corpus(folder), folder)
    model = loud_model(recipe, prepared, seed=2 if request.param == "cascade-tokens" else 4).double()
    assert isinstance(model.encoder, PretrainedEncoder) == (kind == "tokens")
    return open_predictor(recipe, model, prepared)


@pytest.fixture(scope="module")
def texts() -> list[str]:
    return texts_of(paths.shipped_data("ske") / "train.jsonl")[:30]


def test_batched_finds_what_the_loop_finds(predictor: SkePredictor, texts: list[str]) -> None:
    examples = [Example(text) for text in [*texts, "", texts[0].upper() + "ＡＢ🙂 Ok", "".join(texts[:5])]]
    found = list(predictor.predict(examples))
    assert same(found, list(ReferencePredictor(predictor).predict(examples))) > 50  # else it says nothing
    for extraction in found:
        check_spans(extraction)
    other = SkePredictor(predictor.recipe.model_copy(deep=True), predictor.model, predictor.featurizer, pool_batches=2)
    other.recipe.decode.batch_size = 3
    same(list(other.predict(examples)), found)


@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.text(any_character | st.sampled_from("aBc12Xy"), max_size=70), max_size=4))
def test_any_text(predictor: SkePredictor, found: list[str]) -> None:
    examples = [Example(text) for text in found]
    predictions = list(predictor.predict(examples))
    for prediction in predictions:
        check_spans(prediction)
    same(predictions, list(ReferencePredictor(predictor).predict(examples)))


def test_no_span_touches_a_special_token(predictor: SkePredictor, texts: list[str]) -> None:
    """Even where everything is above the thresholds."""
    decode = predictor.recipe.decode.model_copy(
        update=dict.fromkeys(("subject_start", "subject_end", "object_start", "object_end", "triple"), 0.0)
    )
    labels = len(predictor.schema.labels)
    decoder = StageDecoder(predictor.model, decode, labels, priors=predictor.recipe.model.priors)  # type: ignore[arg-type]
    features = predictor.featurizer.encode_all(["山水", "《人》是", "林"], [()] * 3)
    rows, highest = decoder.rows(features)
    assert 0 < highest <= 1
    for feature, mine in zip(features, rows, strict=True):
        inside = feature.units.inside
        # Every place is a start whose nearest end is itself.
        places = int(inside.sum())
        assert len(mine) == places * places * labels
        for a, b, _, c, d, _ in mine:
            assert a < b and c < d and inside[a:b].all() and inside[c:d].all()


def test_rows_of_training_are_names_of_the_text(predictor: SkePredictor, tmp_path: Path) -> None:
    """Spans of units stand for names, also after replacement; the items of a whole batch feed the model."""
    recipe = predictor.recipe.model_copy(deep=True)
    recipe.sampling.replacement = 0.7
    prepared = prepare_small(recipe, head_of_corpus(tmp_path), tmp_path)
    data = SkeTrainingSet(recipe, prepared)
    items = [data[i] for i in range(len(data))]
    count = 0
    for i in range(len(data)):
        text, plain = str(data._texts[i]), data._columns["spans"][i].reshape(-1, 5).tolist()
        starts, ends = data._columns["starts"][i], data._columns["ends"][i]
        features = data.featurizer.encode(text)
        assert features.units.ids.tolist() == data._columns["ids"][i].tolist()
        for a, b, _, c, d in plain:
            for first, last in ((a, b), (c, d)):
                name = text[starts[first] : ends[last - 1]]
                assert name and name == name.strip() and features.units.span_of(starts[first], ends[last - 1])
                count += 1
    assert count > 100
    model = predictor.model.float().train()
    loss = model(**data.collate(items[:16]))["loss"]
    predictor.model.double().eval()
    assert bool(torch.isfinite(loss))
