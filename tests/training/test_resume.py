"""Interrupted trainings go on as if nothing had happened."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from pathlib import Path

import pytest
from safetensors.torch import load_file

from tests.training.conftest import command, environment, metrics, run_command

TRAINING = (
    "training.epochs=5",
    "training.later_stages=[{epochs: 2, learning_rate: 1e-3}]",
)


@pytest.fixture(scope="module")
def uninterrupted(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("uninterrupted")
    done = run_command("train", "--recipe", "ske", "--data", str(corpus), "--output", "run", *_sets(), cwd=folder)
    assert done.returncode == 0, done.stderr
    return folder / "run"


def _sets() -> list[str]:
    return [word for setting in TRAINING for word in ("--set", setting)]


def _stop(corpus: Path, folder: Path, how: signal.Signals, when: str) -> subprocess.CompletedProcess[str]:
    """Start the same training and stop it as soon as a complete checkpoint matches ``when``."""
    process = subprocess.Popen(
        command("train", "--recipe", "ske", "--data", str(corpus), "--output", "run", *_sets()),
        cwd=folder, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    deadline = time.monotonic() + 200
    while not list((folder / "run").glob(when)):
        assert process.poll() is None, f"ended before it was stopped: {process.communicate()[1]}"
        assert time.monotonic() < deadline
        time.sleep(0.02)
    process.send_signal(how)
    out, err = process.communicate(timeout=60)
    return subprocess.CompletedProcess(process.args, process.returncode, out, err)


@pytest.mark.parametrize("when", ["checkpoints/stage-1/checkpoint-*/progress.json", "checkpoints/stage-2/begin"])
def test_killed_and_resumed_equals_uninterrupted(corpus: Path, tmp_path: Path, uninterrupted: Path, when: str) -> None:
    assert _stop(corpus, tmp_path, signal.SIGKILL, when).returncode == -9
    assert len(metrics(tmp_path / "run")) < 7
    again = run_command("train", "--recipe", "ske", "--resume", "--output", "run", cwd=tmp_path, settings=())
    assert again.returncode == 0, again.stderr
    assert metrics(tmp_path / "run") == metrics(uninterrupted)
    ours, theirs = (load_file(run / "model.safetensors") for run in (tmp_path / "run", uninterrupted))
    assert all((ours[name] == theirs[name]).all() for name in theirs)


def test_ctrl_c_says_what_is_safe(corpus: Path, tmp_path: Path) -> None:
    stopped = _stop(corpus, tmp_path, signal.SIGINT, "checkpoints/stage-1/checkpoint-*/progress.json")
    assert stopped.returncode == 130, stopped.stderr
    assert "safe" in stopped.stderr and "--resume" in stopped.stderr and "Traceback" not in stopped.stderr
    assert json.loads((tmp_path / "run" / "run.json").read_text())["state"] == "interrupted"


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
