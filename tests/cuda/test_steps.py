"""Steps of fresh models: losses as on the CPU, finite in half precision."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from accelerate.utils import send_to_device
from torch import Tensor

from ietool.recipe_io import load_recipe
from ietool.registry import get_task
from ietool.training.device import autocast
from ietool.workflow.prepare import prepare
from tests.acting import acting
from tests.cuda.conftest import on_devices
from tests.cuda.sides import without_dropout
from tests.recorded import flows
from tests.recorded.settings import SETTINGS

BATCH, STEPS = 8, 6


class Fresh:
    """A recipe's fresh model and its first batches, the same at every call."""

    def __init__(self, name: str, folder: Path, device: str) -> None:
        asked = SETTINGS[name].small
        recipe = load_recipe(flows.recipe_of(name), acting(flows.recipe_of(name), asked, asked))
        prepared = prepare(recipe, data=folder / "data").folder
        torch.manual_seed(1)
        task = get_task(recipe.task)
        self.device = torch.device(device)
        self.model: Any = task.build_model(recipe, prepared).train().to(self.device)  # type: ignore[arg-type]
        data = task.training_set(recipe, prepared)
        data.set_epoch(0)
        self.batches = [
            data.collate([data[(step * BATCH + k) % len(data)] for k in range(BATCH)]) for step in range(STEPS)
        ]

    def losses(self, precision: str = "fp32") -> Iterator[Tensor]:
        """The loss of each batch, with gradients in place after each, going down them."""
        optimiser = torch.optim.SGD(self.model.parameters(), lr=0.02)
        scaler = torch.amp.GradScaler(self.device.type, enabled=precision == "fp16")
        for batch in self.batches:
            optimiser.zero_grad()
            with without_dropout(), autocast(self.device, precision):
                loss = self.model(**send_to_device(batch, self.device))["loss"]
            scaler.scale(loss).backward()
            scaler.unscale_(optimiser)
            torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
            scaler.step(optimiser)
            scaler.update()
            yield loss.detach()


@on_devices("qa-dureader", "ner-globalpointer")
def test_losses_are_near_those_of_the_cpu(name: str, device: str, own: Path) -> None:
    here, there = ([float(loss) for loss in Fresh(name, own, side).losses()] for side in ("cpu", device))
    assert len(set(there)) == STEPS
    assert there == pytest.approx(here, rel=1e-3)


@on_devices("ske-gplinker", "ner-crf")
@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_half_precision_stays_finite_and_near(name: str, device: str, precision: str, own: Path) -> None:
    fresh = Fresh(name, own, device)
    losses = list(fresh.losses(precision))
    assert all(loss.device.type == torch.device(device).type for loss in losses)
    assert all(bool(p.isfinite().all()) and p.dtype == torch.float32 for p in fresh.model.parameters())
    # A scaler (fp16) may leave the first steps out; the first loss is that of the same weights.
    exact = next(Fresh(name, own, device).losses())
    assert float(losses[0]) == pytest.approx(float(exact), rel=0.05)
    assert bool(torch.stack(losses).isfinite().all())
