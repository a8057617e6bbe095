"""What makes a GPU faster: products of less precision while it trains, and a compiled step."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch

from ietool.recipe_io import load_recipe
from ietool.training import trainer as trainers
from ietool.training.device import choose_device, multiply_fp32, tf32
from ietool.workflow.prepare import prepare
from ietool.workflow.train import train
from tests.training.conftest import TINY

CPU, GPU = torch.device("cpu"), torch.device("cuda")


def multiplied() -> set[str]:
    cudnn: Any = torch.backends.cudnn
    return {torch.backends.cuda.matmul.fp32_precision, cudnn.conv.fp32_precision, cudnn.rnn.fp32_precision}


@pytest.fixture
def _as_it_was() -> Iterator[None]:
    cudnn: Any = torch.backends.cudnn
    parts: tuple[Any, ...] = (torch.backends.cuda.matmul, cudnn, cudnn.conv, cudnn.rnn)
    before = [part.fp32_precision for part in parts]
    yield
    for part, precision in zip(parts, before, strict=True):
        part.fp32_precision = precision


@pytest.mark.usefixtures("_as_it_was")
def test_a_gpu_multiplies_less_precisely_within_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    multiply_fp32("tf32")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    choose_device("cpu")
    assert multiplied() == {"tf32"}
    choose_device("auto")
    assert multiplied() == {"ieee"}
    with tf32(GPU, True):
        assert multiplied() == {"tf32"}
    assert multiplied() == {"ieee"}
    with pytest.raises(ZeroDivisionError), tf32(GPU, True):
        _ = 1 / 0
    assert multiplied() == {"ieee"}
    for device, wanted in ((GPU, False), (CPU, True)):
        with tf32(device, wanted):
            assert multiplied() == {"ieee"}


def test_only_steps_are_less_precise(corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    recipe = load_recipe("ske", (*TINY, "training.epochs=1", "training.precision=fp32", "training.adversarial=0.1"))
    within = [0]
    seen: dict[str, list[int]] = {"train": [], "dev": []}
    model: Any = trainers.Trainer

    @contextmanager
    def spied(device: torch.device, wanted: bool) -> Iterator[None]:
        within[0] += wanted
        yield
        within[0] -= wanted

    monkeypatch.setattr(trainers, "tf32", spied)
    loss = model.compute_loss
    score = trainers.IETrainer._score
    monkeypatch.setattr(model, "compute_loss", lambda *a, **k: (seen["train"].append(within[0]), loss(*a, **k))[1])
    monkeypatch.setattr(trainers.IETrainer, "_score", lambda *a: (seen["dev"].append(within[0]), score(*a))[1])
    train(recipe, prepared=prepare(recipe, data=corpus).folder, output=tmp_path / "run", device="cpu")
    assert seen == {"train": [1] * 20, "dev": [0, 0]}  # two passes of each of ten steps
