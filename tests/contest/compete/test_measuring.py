"""How the speed of an epoch is told, and on what."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ietool.contest.compete import competing, measuring
from ietool.contest.compete.measuring import spread
from ietool.contest.compete.plan import Speed
from ietool.recipe_io import load_recipe


def test_a_gpu_is_measured_in_a_process_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Torch keeps what it has taken of its memory, and the trainings would lack it."""
    submitted: list[Any] = []

    class Pool(ThreadPoolExecutor):
        def __init__(self, workers: int, mp_context: Any) -> None:
            assert mp_context.get_start_method() == "spawn"  # CUDA cannot be forked
            super().__init__(workers)

        def submit(self, *arguments: Any) -> Any:
            submitted.append(arguments)
            return super().submit(lambda: Speed(1, 1, 1.0, 1.0, 1.0))

    recipe = load_recipe("ner-crf")
    monkeypatch.setattr(measuring, "ProcessPoolExecutor", Pool)
    monkeypatch.setattr(measuring, "choose_device", torch.device)
    assert measuring.measure_apart(recipe, tmp_path, "cuda:1") == Speed(1, 1, 1.0, 1.0, 1.0)
    assert submitted == [(measuring.measure, recipe, tmp_path, "cuda:1")]
    monkeypatch.setattr(measuring, "measure", lambda *_: Speed(2, 2, 1.0, 1.0, 1.0))
    assert measuring.measure_apart(recipe, tmp_path, "cpu") == Speed(2, 2, 1.0, 1.0, 1.0)


def test_every_gpu_that_is_seen_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever hides others; a training finds its own by that very variable."""
    assert competing._devices("cuda:1") == ["cuda:1"]
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3,5")
    monkeypatch.setattr("ietool.training.device.multiply_fp32", lambda precision: None)
    assert competing._devices("auto") == ["cuda:0", "cuda:1"]
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert competing._devices("auto") == ["cpu"]


def test_short_and_long_batches_have_their_share() -> None:
    lengths = list(range(1000))
    batches = [list(range(at, at + 10)) for at in range(0, 1000, 10)]
    picked = spread(batches[::-1], lengths, 8)
    means = [sum(lengths[i] for i in batch) / 10 for batch in picked]
    assert means == sorted(means) and len(picked) == 8
    assert sum(means) / 8 == pytest.approx(sum(lengths) / 1000, rel=0.02)


@given(st.lists(st.integers(1, 500), max_size=40), st.integers(1, 9))
def test_some_of_the_batches_are_picked_each_once(lengths: list[int], count: int) -> None:
    batches = [[n] for n in range(len(lengths))]
    picked = spread(batches, lengths, count)
    assert len(picked) == min(count, len(batches)) == len({batch[0] for batch in picked})
