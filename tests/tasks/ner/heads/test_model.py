"""Both heads against slow, literal readings: kexue.fm 5542 (CRF) and 8877 with 7359 (efficient GlobalPointer)."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest
import torch
from transformers import AutoModel

import ietool.auto  # noqa: F401 - names our models to transformers
from ietool.tasks.ner.heads.base import NerModel
from ietool.tasks.ner.heads.crf.model import CRFModel
from ietool.tasks.ner.heads.crf.tagset import TagSet
from ietool.training.saving import save_weights
from tests.tasks.ner.made import TASK, Made, encoder_folder, logsumexp, span_scores


@pytest.fixture(scope="module", params=["characters", "bert"])
def encoder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> str:
    return "characters" if request.param == "characters" else str(encoder_folder(tmp_path_factory.mktemp("t") / "e"))


# -- CRF


def scores_of(made: Made, n: int) -> list[list[float]]:
    """Scores of tags, unit by unit, special tokens left out."""
    h, inside = made.alone(n)
    assert isinstance(made.model, CRFModel)
    weight, bias = made.model.out.weight.detach(), made.model.out.bias.detach()
    return [[float(weight[k] @ h[at] + bias[k]) for k in range(len(bias))] for at in inside]


def walk(made: Made, emissions: list[list[float]]) -> float:
    """The logarithm of the sum over all paths, one step after another."""
    assert isinstance(made.model, CRFModel)
    crf = made.model.crf
    tags = range(len(crf.start))
    begin, follow, finish = crf.begin.tolist(), crf.follow.tolist(), crf.finish.tolist()
    start, steps, end = ((p.detach() * crf.scale).tolist() for p in (crf.start, crf.transitions, crf.end))
    row = [start[k] + emissions[0][k] if begin[k] else -1e30 for k in tags]
    for scores in emissions[1:]:
        row = [
            logsumexp([row[a] + steps[a][b] for a in tags if follow[a][b]]) + scores[b] for b in tags
        ]  # fmt: skip
    return logsumexp([row[k] + end[k] for k in tags if finish[k]])


@pytest.mark.parametrize("tags", ["bio", "bioes"])
def test_the_crf_loss_is_the_literal_one(tmp_path: Path, encoder: str, tags: str) -> None:
    made = Made(tmp_path, "ner-crf", f"model.encoder={encoder}", f"model.head.tags={tags}",
                "model.head.transition_scale=3")  # fmt: skip
    numbers = [4, 0, 11, 7]
    assert isinstance(made.model, CRFModel)
    crf, types = made.model.crf, TagSet(2, tags)
    start, steps, end = ((p.detach() * 3).tolist() for p in (crf.start, crf.transitions, crf.end))
    total, units = 0.0, 0
    for n in numbers:
        emissions = scores_of(made, n)
        inside = made.alone(n)[1]
        path = [0] * len(inside)
        for first, behind, kind in made.data[n]["rows"].tolist():
            own = [k for k, at in enumerate(inside) if first <= at < behind]
            letters = "B" + "I" * (len(own) - 1)
            if tags == "bioes":
                letters = "S" if len(own) == 1 else letters[:-1] + "E"
            for k, letter in zip(own, letters, strict=True):
                path[k] = types.number(letter, kind)
        score = start[path[0]] + end[path[-1]] + sum(steps[a][b] for a, b in itertools.pairwise(path))
        score += sum(emissions[t][tag] for t, tag in enumerate(path))
        total += walk(made, emissions) - score
        units += len(path)
    loss = made.model(**made.batch(*numbers))["loss"]
    assert float(loss.detach()) == pytest.approx(total / units, rel=1e-5)


# -- GlobalPointer


def test_the_globalpointer_loss_is_the_literal_one(tmp_path: Path, encoder: str) -> None:
    made = Made(tmp_path, "ner-globalpointer", f"model.encoder={encoder}")
    numbers = [3, 8, 1]
    total = 0.0
    with torch.no_grad():
        for n, kind in itertools.product(numbers, range(made.model.config.types)):
            gold = {(a, b - 1) for a, b, k in made.data[n]["rows"].tolist() if k == kind}
            scores = span_scores(made, n, kind)
            assert gold <= scores.keys()
            total += logsumexp([0.0, *(s for at, s in scores.items() if at not in gold)])
            total += logsumexp([0.0, *(-scores[at] for at in gold)])
        loss = made.model(**made.batch(*numbers))["loss"]
    assert float(loss) == pytest.approx(total / len(numbers), rel=1e-4)


# -- both


@pytest.mark.parametrize("name", ["ner-crf", "ner-globalpointer"])
def test_a_batch_has_the_loss_of_its_texts(tmp_path: Path, encoder: str, name: str) -> None:
    made = Made(tmp_path, name, f"model.encoder={encoder}")
    numbers = list(range(8))
    with torch.no_grad():
        together = float(made.model(**made.batch(*numbers))["loss"])
        alone = [float(made.model(**made.batch(n))["loss"]) for n in numbers]
    sizes = [int(made.data[n]["inside"].sum()) if name == "ner-crf" else 1 for n in numbers]
    wanted = sum(loss * size for loss, size in zip(alone, sizes, strict=True)) / sum(sizes)
    assert together == pytest.approx(wanted, rel=1e-4)


@pytest.mark.parametrize("name", ["ner-crf", "ner-globalpointer"])
def test_divergence_is_that_of_the_distributions(tmp_path: Path, encoder: str, name: str) -> None:
    """½ (KL(a‖b) + KL(b‖a)) over tags of units or over spans, and nothing for what stands behind a text's end."""
    made = Made(tmp_path, name, f"model.encoder={encoder}")
    model, batch = made.model, made.batch(0, 5, 2)
    with torch.no_grad():
        for p in model.out.parameters():
            p.mul_(0.3)  # no probability that is 1 to the last digit
        first = model(**batch)
        for p in model.out.parameters():
            p.add_(0.3 * torch.randn_like(p))
        second = model(**batch)
        got = float(model.divergence(first, second))
        assert float(model.divergence(first, first)) == pytest.approx(0, abs=1e-9)
    total, units = 0.0, 0
    if name == "ner-crf":
        for n, count in enumerate(first["counts"].tolist()):
            for t in range(count):
                a, b = (torch.softmax(x["emissions"][n, t].double(), -1) for x in (first, second))
                total += 0.5 * float((a * (a / b).log() + b * (b / a).log()).sum())
            units += count
        assert got == pytest.approx(total / units, rel=1e-4)
        return
    for n, kind in itertools.product(range(3), range(model.config.types)):
        inside = batch["inside"][n].nonzero().flatten().tolist()
        for i, j in itertools.combinations_with_replacement(inside, 2):
            logits = [x["pair"][n, i, j] + x["first"][n, kind, i] + x["last"][n, kind, j] for x in (first, second)]
            for sign in (1, -1):
                a, b = (torch.sigmoid(sign * x.double()) for x in logits)
                total += 0.5 * float(a * (a / b).log() + b * (b / a).log())
    assert got == pytest.approx(total / 3, rel=1e-3)


@pytest.mark.parametrize("name", ["ner-crf", "ner-globalpointer"])
def test_auto_model_opens_what_was_saved(tmp_path: Path, encoder: str, name: str) -> None:
    more = ["model.encoder.cut_vocabulary=true"] if encoder != "characters" else []
    more += ["model.head.transition_scale=20"] if name == "ner-crf" else []
    made = Made(tmp_path, name, f"model.encoder={encoder}", *more)
    model = made.model.float()
    run = tmp_path / "run"
    run.mkdir()
    save_weights(model, run)
    batch = made.batch(0, 1)
    with torch.no_grad():
        wanted = model(**batch)["loss"]
        for opened in (AutoModel.from_pretrained(run), TASK.load_model(run)):
            assert isinstance(opened, NerModel) and type(opened) is type(model)
            torch.testing.assert_close(opened.eval()(**batch)["loss"], wanted)
