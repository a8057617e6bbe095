"""Batches: whichever process makes them they are the same, and padding is not read."""

from __future__ import annotations

import json
import multiprocessing
import os
import pickle
import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from accelerate import skip_first_batches
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file

from ietool.core.contract import Task
from ietool.errors import UserError
from ietool.progress import Progress, no_progress
from ietool.recipe import Recipe
from ietool.recipe_io import load_recipe
from ietool.registry import get_task
from ietool.training import workers
from ietool.training.arguments import training_arguments
from ietool.training.batches import Width
from ietool.training.reached import TrainState
from ietool.training.trainer import IETrainer
from ietool.training.workers import death, let_go, worker_count
from ietool.workflow.train import train
from tests.acting import acting
from tests.recorded import doors, flows
from tests.recorded.settings import SETTINGS
from tests.training.conftest import metrics

CPU, GPU = torch.device("cpu"), torch.device("cuda")


@dataclass(frozen=True)
class Made:
    """A flow of the recorded tests, prepared: ``recipe_with`` gives its small recipe with further settings."""

    task: Task[Any]
    prepared: Path
    recipe_with: Callable[..., Recipe]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Made]:
    """``made("ske")``, each made once."""
    known: dict[str, Made] = {}

    def make(name: str) -> Made:
        if name not in known:
            work = tmp_path_factory.mktemp(name)
            flows.make_data(name, work)
            recipe = flows.recipe_of(name)
            small = acting(recipe, SETTINGS[name].small, SETTINGS[name].small)
            with doors.working_in(work):
                told = json.loads(
                    doors.printed("prepare", "--recipe", recipe, "--data", "data", "--json", settings=small)
                )
            small = [s.replace("=encoder", f"={work / 'encoder'}") for s in small]

            def recipe_with(*more: str) -> Recipe:
                return load_recipe(recipe, [*small, *more])

            known[name] = Made(get_task(flows.FLOWS[name].task), work / told["folder"], recipe_with)
        return known[name]

    return make


every_flow = pytest.mark.parametrize("name", list(flows.FLOWS))

Batch = dict[str, torch.Tensor]


def same(found: list[Batch], expected: list[Batch]) -> None:
    assert len(found) == len(expected) > 0
    for one, other in zip(found, expected, strict=True):
        assert one.keys() == other.keys()
        for key, tensor in one.items():
            assert tensor.dtype == other[key].dtype and torch.equal(tensor, other[key]), key


# -- processes


@every_flow
def test_any_process_makes_the_same_batches(name: str, made: Callable[[str], Made], tmp_path: Path) -> None:
    """From epoch to epoch, from the middle of one, and of a set that was pickled."""
    it = made(name)
    epochs: dict[int, list[list[Batch]]] = {}
    for count in (0, 2):
        section = it.recipe_with(f"training.workers={count}").training
        data = it.task.training_set(it.recipe_with(), it.prepared)
        arguments = training_arguments(section, tmp_path, items=len(data), epochs=2, learning_rate=1e-3, warm=True,
                                       device=CPU, precision="fp32")  # fmt: skip
        trainer = IETrainer(
            torch.nn.Linear(1, 1), arguments, data, section, TrainState(stage=2), tmp_path,  # type: ignore[arg-type]
            evaluate_model=lambda model: ({}, ""), on_epoch=lambda row: None, progress=no_progress,
        )  # fmt: skip
        loader = trainer.get_train_dataloader()
        epochs[count] = []
        processes = set()
        for epoch in range(2):
            trainer.begin_epoch(epoch)
            loader.set_epoch(epoch)
            epochs[count].append(list(loader))
            processes |= {child.pid for child in multiprocessing.active_children()}
        assert len(processes) == count  # the same in both epochs
        rest = skip_first_batches(loader, 2)
        rest.set_epoch(1)
        same(list(rest), epochs[count][1][2:])
        del rest
        let_go(loader)
        assert not multiprocessing.active_children()
    for alone, beside in zip(epochs[0], epochs[2], strict=True):
        same(beside, alone)
    pickled = pickle.dumps(data)
    assert len(pickled) < 5000  # nothing of the table
    again = pickle.loads(pickled)  # noqa: S301
    for one in (data, again):
        one.set_epoch(10_001)
    at = range(min(len(data), 12))
    same([again.collate([again[n] for n in at])], [data.collate([data[n] for n in at])])


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
    """Nor its resumption in the middle of an epoch; and Ctrl-C leaves no process behind."""
    monkeypatch.chdir(tmp_path)
    it = made("ner-globalpointer")  # with dropout in its encoder
    asked = ("training.epochs=2", "training.ema_decay=0.9", "training.checkpoint_steps=2",
             "training.later_stages=[{epochs: 1, learning_rate: 1e-3}]")  # fmt: skip
    train(it.recipe_with(*asked, "training.workers=0"), prepared=it.prepared, output=tmp_path / "alone", device="cpu")
    with pytest.raises(KeyboardInterrupt):
        train(
            it.recipe_with(*asked, "training.workers=2"), prepared=it.prepared, output=tmp_path / "run", device="cpu",
            progress=stopped_at(18, interrupt),
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
    assert message.startswith(f"{run}: the training stopped: a process that makes batches has ended (killed by signal")
    assert f"--output {run} --resume" in message and "training.workers" in message and "\n" not in message
    assert json.loads((run / "run.json").read_text())["state"] == "interrupted"
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


# -- padding


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


@every_flow
def test_padding_is_not_read(name: str, made: Callable[[str], Made]) -> None:
    it = made(name)
    torch.manual_seed(1)
    model = it.task.build_model(it.recipe_with(), it.prepared).eval()

    def loss(bucket: int) -> tuple[float, set[int]]:
        data = it.task.training_set(it.recipe_with(f"training.bucket={bucket}"), it.prepared)
        batch = data.collate([data[index] for index in range(6)])
        with torch.no_grad():
            return float(model(**batch)["loss"]), {size for tensor in batch.values() for size in tensor.shape}

    plain, sizes = loss(0)

    @settings(max_examples=4)
    @given(st.integers(1, 130))
    def padded(bucket: int) -> None:
        assert loss(bucket)[0] == pytest.approx(plain, rel=1e-5)

    padded()
    value, more = loss(101)
    assert value == pytest.approx(plain, rel=1e-5) and 101 in more - sizes
