"""Every recipe trains on the pretend device as on the CPU, and nothing in a step waits for it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import asdict, replace
from pathlib import Path
from unittest import mock

import pytest
import torch
from torch import Tensor

from ietool.workflow.train import train
from tests.pretend.counts import COPY_IN, COPY_OUT, WAIT
from tests.pretend.device import pretend
from tests.pretend.learning import STEPS, Learnt, Made, begin, fresh
from tests.pretend.targets import PREDICTING, TRAINING
from tests.recorded.flows import FLOWS
from tests.recorded.plain import differences

CPU = torch.device("cpu")

flows = pytest.mark.parametrize("name", list(FLOWS))


@flows
def test_training_and_resuming(name: str, made: Callable[[str], Made], tmp_path: Path) -> None:
    """Losses, weights and averages are the CPU's; what was killed and resumed ends as if it had not been; and of the
    batches no more is copied, and no more is waited for, than the table says."""
    expected, own = fresh(made(name), tmp_path / "cpu", CPU).learn(), made(name)
    with pretend() as device:
        trained = fresh(own, tmp_path / "whole", device, saves=True).learn()
        assert trained.args.device == device and all(p.device == device for p in trained.model.parameters())
        assert trained.kept is not None
        resumed = fresh(own, tmp_path / "resumed", device, checkpoint=trained.kept).learn(trained.kept)
        found, again, wanted = (Learnt.of(trainer) for trainer in (trained, resumed, expected))
    assert len(found.losses) == STEPS and len(again.losses) == STEPS - 1
    torch.testing.assert_close(found.losses, wanted.losses, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(found.weights, wanted.weights, rtol=1e-4, atol=2e-6)
    assert again.losses == found.losses[1:]
    # Backward has a thread for each device: which of three gradients of a weight are added first is up to the moment.
    torch.testing.assert_close(again.weights, found.weights, rtol=1e-5, atol=1e-7)

    most = TRAINING[name]
    for counts in (trained.between[-1], *trained.within, *resumed.within):
        told = counts.told()
        assert told.copies_in <= most.copies_in, counts.places(COPY_IN)
        assert told.waits <= most.waits and told.copies_out <= most.copies_out, counts.places(WAIT, COPY_OUT)


@flows
def test_half_precision(name: str, made: Callable[[str], Made]) -> None:
    """A step cast as CUDA's autocast casts: losses near those of fp32, all gradients finite."""
    model, data = begin(made(name))
    items = data.collate([data[i] for i in range(2)])
    with pretend() as device:
        batch = {key: value.to(device) if isinstance(value, Tensor) else value for key, value in items.items()}
        model.to(device).train()  # type: ignore[arg-type]
        exact = float(model(**batch)["loss"].detach())
        for dtype in (torch.float16, torch.bfloat16):
            with torch.autocast(device.type, dtype):
                loss = model(**batch)["loss"]
            assert float(loss.detach()) == pytest.approx(exact, rel=0.05), dtype
            loss.backward()
        grads = [p.grad for p in model.parameters() if p.grad is not None]
        assert grads and all(bool(torch.isfinite(grad).all()) for grad in grads)


@pytest.mark.parametrize("name", ["el-cross"])
def test_disturbed_and_twice(name: str, made: Callable[[str], Made], tmp_path: Path) -> None:
    """FGM and R-Drop: the CPU's losses, and no further wait."""
    own = made(name)
    recipe = own.recipe.model_copy(deep=True)
    recipe.training.adversarial, recipe.training.r_drop = 0.5, 1.0
    asked = replace(own, recipe=recipe)
    wanted = Learnt.of(fresh(asked, tmp_path / "cpu", CPU).learn())
    with pretend() as device:
        trained = fresh(asked, tmp_path / "there", device).learn()
        found = Learnt.of(trained)
    torch.testing.assert_close(found.losses, wanted.losses, rtol=1e-5, atol=1e-6)
    passes = 4  # two of the model, before and after the disturbance
    assert trained.within[-1].told().waits <= passes * TRAINING[name].waits, trained.within[-1].places(WAIT)


def test_the_whole_of_a_training(made: Callable[[str], Made], tmp_path: Path) -> None:
    """What ``train`` does, dev scored at each epoch and the thresholds and the card at its end: the CPU's scores."""
    own, rows = made("ner-crf"), []
    recipe = own.recipe.model_copy(deep=True)
    recipe.training.epochs = 1
    for context in (nullcontext(CPU), pretend()):
        with context as device, mock.patch("ietool.workflow.train.choose_device", return_value=device):
            done = train(recipe, prepared=own.prepared, output=tmp_path / device.type, device="auto")
        assert (done.run / "README.md").is_file() and not (done.run / "checkpoints").exists()
        rows.append([{**asdict(row), "seconds": 0, "sentences_per_second": 0} for row in done.rows])
    assert not list(differences(*rows)) and rows[0][0]["loss"] > 0


def test_every_recipe_has_a_row() -> None:
    assert set(TRAINING) == set(PREDICTING) == set(FLOWS)
