"""Both heads against slow, literal readings: kexue.fm 5542 (CRF) and 8877 with 7359 (efficient GlobalPointer)."""

from __future__ import annotations

import cmath
import itertools
import math
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from transformers import AutoModel

import ietool.auto  # noqa: F401 - names our models to transformers
from ietool.nn.global_pointer import EfficientGlobalPointer
from ietool.tasks.ner import NerTask
from ietool.tasks.ner.heads.base import NerModel
from ietool.tasks.ner.heads.crf.tagset import TagSet
from ietool.tasks.ner.heads.sampling import NerTrainingSet
from ietool.tasks.ner.recipe import NerRecipe
from ietool.training.trainer import save_weights
from tests.tasks.ner.made import encoder_folder, examples, loud_model, prepare_examples, small_recipe

Item = dict[str, Tensor]


class Made:
    """A recipe, its training set and a model."""

    def __init__(self, folder: Path, name: str, *more: str) -> None:
        self.recipe: NerRecipe = small_recipe(name, *more)
        self.folder = prepare_examples(
            self.recipe, folder, examples(20, nested=name != "ner-crf"), examples(3, seed=2)
        ).folder
        self.model: NerModel = loud_model(self.recipe, self.folder)
        self.data = NerTrainingSet(self.recipe, self.folder)

    def batch(self, *numbers: int) -> dict[str, Tensor]:
        return self.data.collate([self.data[n] for n in numbers])

    def alone(self, n: int) -> tuple[Tensor, list[int]]:
        """(T, H) of one text without padding, and its units that stand for characters."""
        batch = self.batch(n)
        with torch.no_grad():
            h = self.model.encode(batch["ids"], batch["lengths"], batch["words"], batch["tags"])[0]
        return h, batch["inside"][0].nonzero().flatten().tolist()


@pytest.fixture(scope="module", params=["dgcnn", "bert"])
def encoder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> str:
    return "dgcnn" if request.param == "dgcnn" else str(encoder_folder(tmp_path_factory.mktemp("tiny") / "e"))


def logsumexp(values: list[float]) -> float:
    top = max(values)
    return top + math.log(sum(math.exp(value - top) for value in values))


# -- CRF


def scores_of(made: Made, n: int) -> list[list[float]]:
    """Scores of tags, unit by unit, special tokens left out."""
    h, inside = made.alone(n)
    assert isinstance(made.model.out, nn.Linear)
    weight, bias = made.model.out.weight.detach(), made.model.out.bias.detach()
    return [[float(weight[k] @ h[at] + bias[k]) for k in range(len(bias))] for at in inside]


def walk(made: Made, emissions: list[list[float]]) -> float:
    """The logarithm of the sum over all paths, one step after another."""
    crf = made.model.crf
    assert crf is not None
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
    made = Made(tmp_path, "ner-crf", f"model.encoder={encoder}", f"model.tags={tags}", "model.transition_scale=3")
    numbers = [4, 0, 11, 7]
    crf, types = made.model.crf, TagSet(2, tags)
    assert crf is not None
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


def span_scores(made: Made, n: int, kind: int) -> dict[tuple[int, int], float]:
    """Scores of the spans of one type, (first, last) unit, one by one; the rotation as complex numbers."""
    head = made.model.out
    assert isinstance(head, EfficientGlobalPointer)
    h, inside = made.alone(n)
    size = head.head_size
    z = head.projection(h)
    bias = head.bias(z).T  # first of all types, then last of all types

    def turned(vector: Tensor, at: int) -> list[complex]:
        pairs = vector.tolist()
        return [complex(pairs[k], pairs[k + 1]) * cmath.exp(1j * at * 10000 ** (-k / size)) for k in range(0, size, 2)]

    found = {}
    for i in inside:
        for j in inside:
            if i <= j:
                q, k = turned(z[i, :size], i), turned(z[j, size:], j)
                score = sum((a * b.conjugate()).real for a, b in zip(q, k, strict=True)) / math.sqrt(size)
                found[i, j] = score + float(bias[kind, i]) + float(bias[head.types + kind, j])
    return found


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
    made = Made(tmp_path, name, f"model.encoder={encoder}", "model.transition_scale=20", "model.cut_vocabulary=true")
    model = made.model.float()
    run = tmp_path / "run"
    run.mkdir()
    save_weights(model, run)
    batch = made.batch(0, 1)
    with torch.no_grad():
        wanted = model(**batch)["loss"]
        for opened in (AutoModel.from_pretrained(run), NerTask().load_model(run)):
            assert isinstance(opened, NerModel) and opened.config.head == model.config.head
            torch.testing.assert_close(opened.eval()(**batch)["loss"], wanted)


def test_forward_says_what_it_needs(tmp_path: Path) -> None:
    for name, key in (("ner-crf", "targets"), ("ner-globalpointer", "positives")):
        made = Made(tmp_path / name, name)
        batch = made.batch(0)
        del batch[key]
        with pytest.raises(ValueError, match=f"needs {key}; to predict, use encode"):
            made.model(**batch)
