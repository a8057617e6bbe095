"""Interrupted trainings go on as if nothing had happened."""

from __future__ import annotations

import json
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from ietool.errors import UserError
from ietool.recipe_io import load_recipe
from ietool.runs.folder import update_run
from ietool.tasks.ske.heads.sampling import SkeTrainingSet
from ietool.training.reached import last_checkpoint
from ietool.workflow.prepare import prepare
from ietool.workflow.train import train
from tests.tiny_encoder import make_encoder_folder
from tests.training.conftest import TINY, command, environment, metrics, run_command

TRAINING = (
    "training.epochs=5",
    "training.later_stages=[{epochs: 2, learning_rate: 1e-3}]",
)


@pytest.fixture(autouse=True, scope="module")
def _one_thread() -> Iterator[None]:
    """Here as in the processes that are started: the order of additions depends on it."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OMP_NUM_THREADS", "1")
        yield
    torch.set_num_threads(before)


KILLED = {"stage-1": "checkpoints/stage-1/checkpoint-*/progress.json", "stage-2": "checkpoints/stage-2/begin"}


@pytest.fixture(scope="module")
def uninterrupted(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A whole run; beside it, under the names of ``KILLED``, the files that a kill at the next step would have left."""
    folder = tmp_path_factory.mktemp("uninterrupted")
    recipe = load_recipe("ske", (*TINY, *TRAINING))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        prepared = prepare(recipe, data=corpus).folder

        def copy(step: str, done: int, total: int | None) -> None:
            for name, when in {**KILLED, "several": KILLED["stage-1"]}.items():
                if not (folder / name).exists() and list((folder / "run").glob(when)):
                    shutil.copytree(folder / "run", folder / name)

        train(recipe, prepared=prepared, output=folder / "run", device="cpu", progress=copy)
    return folder / "run"


@pytest.mark.parametrize("name", KILLED)
def test_killed_and_resumed_equals_uninterrupted(uninterrupted: Path, name: str) -> None:
    killed = uninterrupted.parent / name
    rows = len(metrics(killed))
    assert rows < 5 if name == "stage-1" else rows == 5
    old = json.loads((killed / "run.json").read_text(encoding="utf-8"))
    torches = old["versions"]["torch"]
    old |= {"versions": {**old["versions"], "torch": "1.0"}, "device": "cuda:3"}
    (killed / "run.json").write_text(json.dumps(old), encoding="utf-8")
    again = run_command("train", "--recipe", "ske", "--resume", "--output", name, cwd=killed.parent, settings=())
    assert again.returncode == 0, again.stderr
    assert f"note: other versions than it began with: torch 1.0 → {torches}" in again.stderr
    info = json.loads((killed / "run.json").read_text(encoding="utf-8"))
    assert (info["versions"]["torch"], info["device"]) == (torches, "cpu")
    assert metrics(killed) == metrics(uninterrupted)
    ours, theirs = (load_file(run / "model.safetensors") for run in (killed, uninterrupted))
    assert all((ours[name] == theirs[name]).all() for name in theirs)


def test_another_number_of_processes_does_not_go_on(uninterrupted: Path) -> None:
    """Steps of so many texts make other epochs: some would be left out, and the run would count as finished."""
    run = uninterrupted.parent / "several"
    (progress,) = run.glob("checkpoints/stage-1/checkpoint-*/progress.json")
    data = json.loads(progress.read_text(encoding="utf-8"))
    assert len(data["losses"]) == 1
    progress.write_text(json.dumps(data | {"losses": data["losses"] * 2}), encoding="utf-8")
    update_run(run, state="interrupted")
    with pytest.raises(UserError, match="was trained by 2 processes, and would go on with 1 → start 2"):
        train(load_recipe("ske"), prepared=None, output=run, device="cpu", resume=True)


def test_an_interrupt_behind_the_end_leaves_a_finished_run(
    corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While its checkpoints are deleted: to resume it would begin anew, over its best weights."""
    monkeypatch.chdir(tmp_path)
    recipe = load_recipe("ske", (*TINY, "training.epochs=1"))
    prepared = prepare(recipe, data=corpus).folder
    told: list[Path] = []

    def interrupt(path: Path, **_: Any) -> None:
        if Path(path).name == "checkpoints":
            raise KeyboardInterrupt

    monkeypatch.setattr("ietool.workflow.train.shutil.rmtree", interrupt)
    with pytest.raises(KeyboardInterrupt):
        train(recipe, prepared=prepared, output=Path("run"), device="cpu", on_run=told.append)
    assert told == [Path("run")]
    assert json.loads(Path("run/run.json").read_text(encoding="utf-8"))["state"] == "finished"


def test_metrics_are_worth_comparing(uninterrupted: Path) -> None:
    rows = metrics(uninterrupted)
    assert [(r["stage"], r["epoch"]) for r in rows] == [(1, 1), (1, 2), (1, 3), (1, 4), (1, 5), (2, 1), (2, 2)]
    assert len({r["loss"] for r in rows}) == 7
    assert any(row["ema"]["f1"] > 0 for row in rows)
    assert not (uninterrupted / "checkpoints").exists()


def test_a_finished_run_is_not_resumed(uninterrupted: Path) -> None:
    again = run_command(
        "train", "--recipe", "ske", "--resume", "--output", "run", cwd=uninterrupted.parent, settings=()
    )
    assert again.returncode == 2
    assert "finished already" in again.stderr and "Traceback" not in again.stderr


@pytest.fixture(scope="module")
def encoder(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    texts = [json.loads(line)["text"] for line in (corpus / "train.jsonl").read_text(encoding="utf-8").splitlines()]
    return make_encoder_folder(tmp_path_factory.mktemp("encoder") / "tiny", texts, positions=256)


def test_killed_within_an_epoch_and_resumed_equals_uninterrupted(corpus: Path, encoder: Path, tmp_path: Path) -> None:
    """On a pretrained encoder with its dropout, by checkpoints every three of an epoch's ten steps."""
    settings = (
        f"model.encoder={encoder}", "model.pointer_size=8", "training.batch_size=16", "training.epochs=3",
        "training.checkpoint_steps=3", "training.learning_rate=1e-3", "training.precision=fp32",
        "training.ema_decay=0.9", "training.adversarial=0.2", "decode.rules=null",
    )  # fmt: skip
    start = ("train", "--recipe", "ske-gplinker", "--data", str(corpus), "--output", "run", "--device", "cpu")
    (tmp_path / "whole").mkdir()
    whole = run_command(*start, cwd=tmp_path / "whole", settings=settings)
    assert whole.returncode == 0, whole.stderr
    folder, step = tmp_path / "killed" / "run", 0
    for _ in range(4):  # on a busy machine the epoch may end before the kill
        shutil.rmtree(tmp_path / "killed", ignore_errors=True)
        (tmp_path / "killed").mkdir()
        process = subprocess.Popen(
            command(*start, settings=settings), cwd=tmp_path / "killed", env=environment(),
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        deadline = time.monotonic() + 200
        while not list(folder.glob("checkpoints/stage-1/checkpoint-1[369]/progress.json")) and process.poll() is None:
            assert time.monotonic() < deadline
            time.sleep(0.005)
        process.kill()
        process.communicate(timeout=60)
        left = last_checkpoint(folder / "checkpoints" / "stage-1")
        step = 0 if left is None else int(left.name.rsplit("-", 1)[1])
        if step % 10:
            break
    assert step % 10  # not at the end of an epoch
    again = run_command(
        "train", "--recipe", "ske-gplinker", "--resume", "--output", "run", cwd=tmp_path / "killed", settings=()
    )
    assert again.returncode == 0, again.stderr
    assert metrics(folder) == metrics(tmp_path / "whole" / "run")
    ours, theirs = (load_file(run / "model.safetensors") for run in (folder, tmp_path / "whole" / "run"))
    assert all((ours[name] == theirs[name]).all() for name in theirs)


def test_stopped_within_an_epoch_of_a_later_stage(
    corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Batches, draws and the loss of the epoch go on where they were; and every stage draws its own samples."""
    monkeypatch.chdir(tmp_path)
    recipe = load_recipe(
        "ske", (*TINY, "training.epochs=1", "training.checkpoint_steps=3", "training.precision=fp32",
                "training.later_stages=[{epochs: 2, learning_rate: 1e-3}]"),
    )  # fmt: skip
    prepared = prepare(recipe, data=corpus).folder
    drawn: list[tuple[int, int]] = []
    get = SkeTrainingSet.__getitem__

    def spy(self: SkeTrainingSet, index: int) -> Any:
        drawn.append((self.epoch, index))
        return get(self, index)

    monkeypatch.setattr(SkeTrainingSet, "__getitem__", spy)
    train(recipe, prepared=prepared, output=tmp_path / "whole", device="cpu")
    assert [epoch for epoch, _ in drawn] == [0] * 160 + [10_000] * 160 + [10_001] * 160
    whole = list(drawn)
    steps = 0

    def stop(step: str, done: int, total: int | None) -> None:
        nonlocal steps
        steps += step.startswith("epoch")
        if steps == 26:  # the sixth of the second stage's second epoch
            raise KeyboardInterrupt

    drawn.clear()
    with pytest.raises(KeyboardInterrupt):
        train(recipe, prepared=prepared, output=tmp_path / "run", device="cpu", progress=stop)
    (left,) = (tmp_path / "run" / "checkpoints" / "stage-2").glob("checkpoint-*")
    assert left.name == "checkpoint-13"
    drawn.clear()
    train(recipe, prepared=None, output=tmp_path / "run", device="cpu", resume=True)
    assert drawn[-7 * 16 :] == whole[-7 * 16 :]
    assert metrics(tmp_path / "run") == metrics(tmp_path / "whole")
    ours, theirs = (load_file(tmp_path / name / "model.safetensors") for name in ("run", "whole"))
    assert all((ours[name] == theirs[name]).all() for name in theirs)
