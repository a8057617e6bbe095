"""The training verb on small real flows."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ietool.cli import app
from ietool.errors import UserError
from ietool.recipe_io import load_recipe
from ietool.runs.finding import unfinished_run
from ietool.runs.folder import create_run, training_in
from ietool.training import trainer as trainers
from ietool.workflow.prepare import prepare
from ietool.workflow.train import train
from tests.tiny_encoder import make_encoder_folder
from tests.training.conftest import TINY, changes, environment, metrics, run_command


def test_two_processes_share_the_work(corpus: Path, tmp_path: Path) -> None:
    """DDP through torchrun: every step sees both halves, one process evaluates and writes."""
    later = "training.later_stages=[{epochs: 1, learning_rate: 1e-3}]"
    settings = (*TINY, "training.epochs=2", "training.batch_size=8", later)
    launch = [sys.executable, "-m", "torch.distributed.run", "--nproc_per_node", "2", "--master_port", "29641"]
    done = subprocess.run(
        [*launch, "-m", "ietool", "train", "--recipe", "ske", "--data", str(corpus), "--output", "run",
         "--device", "cpu", *changes(settings)],
        cwd=tmp_path, env=environment(), capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    rows = metrics(tmp_path / "run")
    assert [(r["stage"], r["epoch"]) for r in rows] == [(1, 1), (1, 2), (2, 1)]
    assert done.stdout.count("\n    2 ") == 1  # the table is printed once
    # 160 records, 2 × 8 a step: the rate after ten steps an epoch says that each process took half of the epoch.
    assert rows[1]["loss"] < rows[0]["loss"]
    info = json.loads((tmp_path / "run" / "run.json").read_text())
    assert info["state"] == "finished"


def test_logs_for_tensorboard_and_the_rate_of_the_stage(corpus: Path, tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    texts = [json.loads(line)["text"] for line in (corpus / "train.jsonl").read_text(encoding="utf-8").splitlines()]
    encoder = make_encoder_folder(tmp_path / "tiny", texts, positions=256)
    settings = (
        f"model.encoder={encoder}", "model.pointer_size=8", "training.epochs=1", "training.learning_rate=1e-3",
        "training.schedule=constant_with_warmup", "training.layer_decay=0.5", "training.tensorboard=true",
        "training.ema_decay=0",
    )  # fmt: skip
    done = run_command(
        "train", "--recipe", "ske-gplinker", "--data", str(corpus), "--output", "run", "--device", "cpu", cwd=tmp_path,
        settings=settings,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert list((tmp_path / "run" / "tensorboard" / "stage-1").glob("events*"))
    (row,) = metrics(tmp_path / "run")
    assert row["learning_rate"] == pytest.approx(1e-3)  # the embeddings have a quarter of it


def test_a_recipe_that_cannot_be_trained_is_told_before_a_run_is_made(
    corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    recipe = load_recipe("ske", (*TINY, "training.tensorboard=true"))
    prepared = prepare(recipe, data=corpus).folder
    monkeypatch.setattr("ietool.training.arguments.is_tensorboard_available", lambda: False)
    with pytest.raises(UserError, match="not installed → pip install 'ietool\\[tensorboard\\]'"):
        train(recipe, prepared=prepared, output=tmp_path / "run", device="cpu")
    assert not (tmp_path / "run").exists()
    # Two GPUs seen by one process: the Trainer would spread batches over both, whose targets it cannot cut.
    monkeypatch.setattr("transformers.TrainingArguments.n_gpu", property(lambda self: 2))
    with pytest.raises(UserError, match="sees 2 GPUs → set CUDA_VISIBLE_DEVICES=0"):
        train(load_recipe("ske", TINY), prepared=prepared, output=tmp_path / "run", device="cpu")


def test_one_process_trains_in_a_folder(corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    recipe = load_recipe("ske", (*TINY, "training.epochs=1"))
    run = create_run(recipe, tmp_path / "run", device="cpu")
    assert app.run(["train", "--recipe", "ske-cascade", "--resume", "--output", "run"]) == 2  # of another recipe
    with training_in(run):
        with pytest.raises(UserError, match="is being trained by another process"), training_in(run):
            pass
        for more in (["--resume"], ["--overwrite", "--data", str(corpus)]):
            assert app.run(["train", "--recipe", "ske", "--output", "run", *more]) == 2
        assert (run / "recipe.yaml").is_file()
        monkeypatch.setattr("ietool.paths.runs_folder", lambda: tmp_path)
        with pytest.raises(UserError, match="no unfinished run"):
            unfinished_run("ske")
    assert unfinished_run("ske") == run


def test_the_end_of_the_time_within_an_evaluation_ends_the_training(
    corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A further epoch would be one step, and all of dev scored once more."""
    recipe = load_recipe("ske", (*TINY, "training.epochs=3"))
    prepared = prepare(recipe, data=corpus, output=tmp_path / "prepared").folder
    scored: list[int] = []
    score = trainers.IETrainer._evaluate_epoch

    def slow(self: Any, seconds: float) -> float:
        scored.append(self.state.global_step)
        self.deadline = 0.0  # over since the computer was started
        return score(self, seconds)

    monkeypatch.setattr(trainers.IETrainer, "_evaluate_epoch", slow)
    done = train(recipe, prepared=prepared, output=tmp_path / "run", device="cpu", minutes=60)
    assert len(scored) == len(done.rows) == 1


def test_minutes_are_those_of_preparing_too(
    corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("IETOOL_HOME", str(tmp_path))
    given: list[float | None] = []

    def told(*_: Any, minutes: float | None, **__: Any) -> Any:
        given.append(minutes)
        raise UserError("enough")

    clock = [0.0]

    def slow(*arguments: Any, **more: Any) -> Any:
        clock[0] += 90.0
        return prepare(*arguments, **more)

    monkeypatch.setattr("ietool.workflow.train.train", told)
    monkeypatch.setattr("ietool.workflow.prepare.prepare", slow)
    monkeypatch.setattr("ietool.cli.train.time.monotonic", lambda: clock[0])
    words = ["train", "--recipe", "ske", "--data", str(corpus), "--output", str(tmp_path / "run")]
    for minutes in ("4", "1"):
        assert app.run([*words, "--minutes", minutes]) == 2
    assert app.run(words) == 2
    assert given == [2.5, 0.0, None]
    monkeypatch.setenv("WORLD_SIZE", "2")
    capsys.readouterr()
    assert app.run([*words, "--minutes", "1"]) == 2
    assert "--minutes: several processes do not end at the same moment" in capsys.readouterr().err


def test_overfit_learns_its_records_by_heart(corpus: Path, tmp_path: Path) -> None:
    settings = ("model.hidden_size=48", "model.dilations=[1,2,4]", "training.learning_rate=0.003")
    shutil.copytree(corpus, tmp_path / "data")
    records = (corpus / "train.jsonl").read_text(encoding="utf-8").splitlines(keepends=True)
    (tmp_path / "data" / "train.jsonl").write_text("".join(records[6:]), encoding="utf-8")  # the first are hard ones
    done = run_command(
        "train", "--recipe", "ske", "--data", "data", "--output", "run", "--overfit", "3", "--device", "cpu",
        cwd=tmp_path, settings=settings,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert json.loads((tmp_path / "run" / "run.json").read_text())["best"]["score"] >= 0.9
    assert "self-check: " in done.stderr


def test_a_model_that_falls_silent_does_not_take_the_place_of_the_best(
    corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    recipe = load_recipe("ske", (*TINY, "training.epochs=20", "training.patience=2", "training.ema_decay=0"))
    scores = iter([0.0, 0.0, 0.0, 0.0, 0.3, 0.0, 0.2, 0.9])

    def scored(self: object, model: object) -> tuple[dict[str, float], str]:
        score = next(scores)
        return {"precision": score, "recall": score, "f1": score, "score": score}, ""

    monkeypatch.setattr("ietool.workflow.dev_scorer.DevScorer.__call__", scored)
    prepared = prepare(recipe, data=corpus)
    outcome = train(recipe, prepared=prepared.folder, output=tmp_path / "run", device="cpu")
    # Patience counts from the first that is found; the last score is never reached.
    assert [row.best for row in outcome.rows] == [True] * 5 + [False] * 2
    assert (outcome.best["score"], outcome.best["epoch"], outcome.fitted) == (0.3, 5, None)


def test_a_silent_model_says_how_far_it_is(corpus: Path, tmp_path: Path) -> None:
    settings = (*TINY, "training.epochs=1", "decode.subject_start=1.0")
    done = run_command(
        "train", "--recipe", "ske", "--data", str(corpus), "--output", "run", "--device", "cpu", cwd=tmp_path,
        settings=settings,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "nothing above the thresholds; highest probability 0." in done.stdout
    assert "\x1b" not in done.stdout + done.stderr


@pytest.mark.parametrize("name", ["cuda:7", "tpu"])
def test_a_device_that_is_not_there(corpus: Path, tmp_path: Path, name: str) -> None:
    done = run_command("train", "--recipe", "ske", "--data", str(corpus), "--device", name, cwd=tmp_path)
    assert done.returncode == 2
    assert name in done.stderr and "Traceback" not in done.stderr


def test_the_run_stands_alone(corpus: Path, tmp_path: Path) -> None:
    """Moved elsewhere and with the prepared data gone, a run predicts the same."""
    settings = (*TINY, "training.epochs=2")
    done = run_command(
        "train", "--recipe", "ske", "--data", str(corpus), "--output", "run", "--device", "cpu", cwd=tmp_path,
        settings=settings,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    test = str(corpus / "test.jsonl")
    first = run_command("predict", "--run", "run", test, "--output", "-", cwd=tmp_path, settings=())
    assert first.returncode == 0, first.stderr
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "run").rename(tmp_path / "elsewhere" / "moved")
    second = run_command("predict", "--run", "moved", test, "--output", "-", cwd=tmp_path / "elsewhere", settings=())
    assert second.stdout == first.stdout
    assert len(first.stdout.splitlines()) == 10
    names = {p.name for p in (tmp_path / "elsewhere" / "moved").iterdir()}
    assert {"recipe.yaml", "run.json", "metrics.jsonl", "config.json", "model.safetensors", "schema.json"} <= names
    assert not [n for n in names if n.endswith((".bin", ".pt", ".pkl", ".pickle"))]
