"""The processes that make batches: how many, that a training does not depend on them, and how they end."""

from __future__ import annotations

import json
import multiprocessing
import os
import re
import signal
from collections.abc import Callable, Iterator
from multiprocessing import resource_sharer
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file

from ietool.errors import UserError
from ietool.progress import Progress
from ietool.recipe_io import load_recipe
from ietool.tasks.ner.heads.globalpointer.sampling import PointerTrainingSet
from ietool.training import compiling, workers
from ietool.training.arguments import training_arguments
from ietool.training.batches import Width
from ietool.training.workers import death, worker_count
from ietool.workflow.train import train
from tests.training.conftest import Made, metrics

CPU, GPU = torch.device("cpu"), torch.device("cuda")


@pytest.fixture
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def stopped_at(step: int, do: Callable[[], None]) -> Progress:
    """Does something at a step of the training."""
    steps = 0

    def progress(what: str, done: int, total: int | None) -> None:
        nonlocal steps
        steps += what.startswith("epoch")
        if steps == step:
            steps += 1
            do()

    return progress


def interrupt() -> None:
    raise KeyboardInterrupt


@pytest.mark.usefixtures("_one_thread")
def test_a_training_does_not_depend_on_who_makes_its_batches(
    made: Callable[[str], Made], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor on whether its layers are compiled, nor its resumption in the middle of an epoch; and Ctrl-C leaves no
    process behind."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(compiling, "BACKEND", "eager")  # the same operators; others round in ways of their own
    it = made("ske")  # with dropout in its encoder
    asked = ("training.epochs=2", "training.ema_decay=0.9", "training.checkpoint_steps=2",
             "training.later_stages=[{epochs: 1, learning_rate: 1e-3}]")  # fmt: skip
    train(it.recipe_with(*asked, "training.workers=0"), prepared=it.prepared, output=tmp_path / "alone", device="cpu")
    with pytest.raises(KeyboardInterrupt):
        train(
            it.recipe_with(*asked, "training.workers=2", "training.compile=true"), prepared=it.prepared,
            output=tmp_path / "run", device="cpu", progress=stopped_at(15, interrupt),
        )  # fmt: skip
    assert not multiprocessing.active_children()
    assert len(metrics(tmp_path / "run")) == 1
    train(it.recipe_with(), prepared=None, output=tmp_path / "run", device="cpu", resume=True)
    assert not multiprocessing.active_children()
    assert metrics(tmp_path / "run") == metrics(tmp_path / "alone")
    assert len({row["loss"] for row in metrics(tmp_path / "run")}) == 3
    ours, theirs = (load_file(tmp_path / name / "model.safetensors") for name in ("run", "alone"))
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)


@pytest.mark.usefixtures("_one_thread")
def test_a_process_that_dies_is_told_in_one_line(made: Callable[[str], Made], tmp_path: Path) -> None:
    it = made("ner-globalpointer")

    def kill() -> None:
        os.kill(multiprocessing.active_children()[0].pid or 0, signal.SIGKILL)

    run = tmp_path / "run"
    with pytest.raises(UserError) as told:
        train(it.recipe_with("training.workers=2"), prepared=it.prepared, output=run, device="cpu",
              progress=stopped_at(3, kill))  # fmt: skip
    message = str(told.value)
    # Which of torch's two messages is first depends on the moment.
    how = r"\((killed by signal: Killed|without a word)\)"
    assert re.match(f"{run}: the training stopped: a process that makes batches has ended {how}, as where", message)
    assert f"--output {run} --resume" in message and "training.workers" in message and "\n" not in message
    assert json.loads((run / "run.json").read_text())["state"] == "interrupted"
    assert not multiprocessing.active_children()


def test_memory_of_a_dead_process_cannot_be_fetched() -> None:
    """Who is killed while it hands a batch over lets the connection break."""
    handed = resource_sharer.DupFd(0)
    resource_sharer.stop()
    with pytest.raises((OSError, EOFError)) as told:
        handed.detach()
    assert death(told.value) == (
        "a process that makes batches has ended (without a word), as where memory does not suffice"
    )
    assert death(ConnectionResetError(104, "reset")) is None  # of another connection


@pytest.mark.usefixtures("_one_thread")
def test_what_is_wrong_with_the_input_is_told_as_ever(
    made: Callable[[str], Made], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    it = made("ner-globalpointer")

    def damaged(self: Any, items: Any) -> Any:
        raise UserError("is cut off", file="train.arrow", line=3, field="ids", mend="prepare again")

    monkeypatch.setattr(PointerTrainingSet, "collate", damaged)
    said = []
    for count in (0, 1):
        with pytest.raises(UserError) as told:
            train(it.recipe_with(f"training.workers={count}"), prepared=it.prepared, output=tmp_path / str(count),
                  device="cpu")  # fmt: skip
        said.append(str(told.value))
    assert said == ["train.arrow:3: ids: is cut off → prepare again"] * 2
    assert not multiprocessing.active_children()


def test_what_torch_says_of_the_dead() -> None:
    said = (
        "DataLoader worker (pid 7) is killed by signal: Bus error. It is possible that dataloader's workers are out …"
    )
    assert "(killed by signal: Bus error), as where memory or shared memory (/dev/shm)" in (
        death(RuntimeError(said)) or ""
    )
    said = "DataLoader worker (pid(s) 7, 8) exited unexpectedly"
    assert "has ended (without a word)" in (death(RuntimeError(said)) or "")
    assert death(RuntimeError("Caught RuntimeError in DataLoader worker process 0.")) is None
    assert death(ValueError("DataLoader worker (pid 7) is killed by signal: Killed")) is None


def test_how_many_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "START", "fork")
    monkeypatch.delenv("LOCAL_WORLD_SIZE", raising=False)
    for cores, count in ((1, 0), (2, 1), (4, 3), (5, 4), (64, 4)):
        monkeypatch.setattr(os, "sched_getaffinity", lambda pid, cores=cores: set(range(cores)), raising=False)
        assert (worker_count(None, GPU), worker_count(None, CPU)) == (count, 0)
        assert worker_count(7, CPU) == worker_count(7, GPU) == 7 and worker_count(0, GPU) == 0
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "32")
    assert worker_count(None, GPU) == 1
    monkeypatch.setattr(workers, "START", "spawn")
    assert worker_count(None, GPU) == 0


def test_what_the_trainer_is_told_on_a_gpu(tmp_path: Path) -> None:
    def told(device: torch.device, *changes: str) -> Any:
        section = load_recipe("ske", changes).training
        return training_arguments(section, tmp_path, items=9, epochs=1, learning_rate=1e-3, warm=True, device=device,
                                  precision="fp32")  # fmt: skip

    gpu, cpu = told(GPU, "training.workers=3"), told(CPU)
    assert gpu.dataloader_pin_memory and gpu.accelerator_config.non_blocking and gpu.optim == "adamw_torch_fused"
    assert gpu.dataloader_num_workers == 3 and gpu.dataloader_persistent_workers
    assert not cpu.dataloader_pin_memory and not cpu.accelerator_config.non_blocking
    assert cpu.dataloader_num_workers == 0 and not cpu.dataloader_persistent_workers


@given(st.lists(st.integers(0, 700), max_size=9), st.integers(0, 600), st.integers(0, 700))
def test_widths(lengths: list[int], multiple: int, most: int) -> None:
    longest = max(lengths, default=0)
    found = Width(multiple, most).of([range(length) for length in lengths])
    assert longest <= found < longest + max(multiple, 1)
    assert found in (longest, most) or found % multiple == 0
    if not multiple:
        assert found == longest
    if not most:
        assert found % max(multiple, 1) == 0
    if longest <= most:
        assert found <= most
