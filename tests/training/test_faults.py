"""Trainings that leave the numbers, or find no room on the disk: told in one line, and nothing saved is lost."""

from __future__ import annotations

import errno
import json
import os
import pkgutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from ietool.cli import app
from ietool.errors import UserError
from ietool.recipe_io import load_recipe
from ietool.runs.folder import create_run, update_run
from ietool.tasks.ner.heads.crf.model import CRFModel
from ietool.training import trainer as trainer_module
from ietool.training.finite import SKIPPED, FirstNotFinite, not_finite
from ietool.training.trainer import IETrainer
from ietool.workflow.train import check_memory
from tests.cli.conftest import complaint, output_of
from tests.tasks.ner.made import examples, write_json
from tests.training.conftest import metrics

SETTINGS = (
    "model.encoder.hidden_size=8", "model.encoder.dilations=[1]", "model.encoder.min_char_count=1",
    "training.batch_size=8", "training.epochs=2", "training.warmup_epochs=0.5", "training.ema_decay=0.9",
    "training.patience=0", "training.evaluate_raw=true",
)  # fmt: skip
STEPS = 5
"""Of an epoch."""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("faults")
    write_json(folder / "train.json", examples(8 * STEPS))
    write_json(folder / "dev.json", examples(6, seed=2))
    return folder


@pytest.fixture
def train(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[str]]:
    """``train(*settings)``: the arguments of a training into ``tmp_path/run``."""
    monkeypatch.setenv("IETOOL_HOME", str(home))
    monkeypatch.chdir(tmp_path)

    def arguments(*settings: str) -> list[str]:
        changes = [word for setting in (*SETTINGS, *settings) for word in ("--set", setting)]
        return ["train", "--recipe", "ner-crf", "--data", str(home), "--device", "cpu", "--output", "run", *changes]

    return arguments


RESUME = ("train", "--recipe", "ner-crf", "--output", "run", "--resume", "--device", "cpu")


class _Poison(torch.autograd.Function):
    """What it is given, with a gradient that is no number."""

    @staticmethod
    def forward(ctx: Any, value: torch.Tensor) -> torch.Tensor:
        return value.clone()

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> torch.Tensor:  # type: ignore[override]
        return gradient * torch.nan


def _spoil(monkeypatch: pytest.MonkeyPatch, what: str, call: int) -> None:
    """Let the forward pass of that number, counted from 1, go wrong."""
    forward, calls = CRFModel.forward, 0

    def spoiled(self: CRFModel, **batch: Any) -> Any:
        nonlocal calls
        out = forward(self, **batch)
        calls += self.training
        if calls == call and self.training:
            if what == "weights":
                with torch.no_grad():
                    next(self.parameters()).view(-1)[-1] = torch.nan
            else:
                loss = out["loss"]
                out["loss"] = {"nan": loss * torch.nan, "inf": loss + torch.inf, "gradient": _Poison.apply(loss)}[what]
        return out

    monkeypatch.setattr(CRFModel, "forward", spoiled)


def _stands_well(run: Path, epochs: int) -> None:
    """A run that stopped holds what it had after so many epochs, and numbers alone."""
    info = json.loads((run / "run.json").read_text(encoding="utf-8"))
    assert info["state"] == "diverged"
    rows = metrics(run) if epochs else []
    assert len(rows) == epochs and all(np.isfinite(row["loss"]) and row["loss"] > 0 for row in rows)
    assert (run / "model.safetensors").is_file() == (epochs > 0)
    kept = list(run.glob("checkpoints/stage-1/checkpoint-*"))
    assert [path.name for path in kept] == [f"checkpoint-{STEPS * epochs}"] * (epochs > 0)
    for file in run.rglob("*.safetensors"):
        assert all(bool(tensor.isfinite().all()) for tensor in load_file(file).values()), file
    if epochs:
        assert info["best"]["epoch"] <= epochs


@pytest.mark.parametrize(
    ("what", "call", "settings", "said"),
    [
        ("nan", 1, (), "loss is not finite at step 1 (epoch 1)"),
        ("inf", STEPS + 2, ("training.ema_decay=0",), f"loss is not finite at step {STEPS + 2} (epoch 2)"),
        ("nan", 2 * STEPS, ("training.precision=bf16",), f"loss is not finite at step {2 * STEPS} (epoch 2)"),
        ("nan", 2 * STEPS, ("training.gradient_accumulation=2",), "loss is not finite at step 6 (epoch 2)"),
        ("gradient", STEPS + 1, (), f"gradient is not finite at step {STEPS + 1} (epoch 2)"),
        ("gradient", STEPS, ("training.max_grad_norm=0",), f"gradient is not finite at step {STEPS} (epoch 1)"),
        ("weights", 2 * STEPS, (), f"weights are not finite at step {2 * STEPS} (epoch 2)"),
    ],
)
def test_what_is_no_number_stops_the_training(
    what: str,
    call: int,
    settings: tuple[str, ...],
    said: str,
    train: Callable[..., list[str]],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    _spoil(monkeypatch, what, call)
    assert app.run(train(*settings)) == 2
    shown = capsys.readouterr()
    error = shown.err.splitlines()[-1]
    assert error.startswith(f"error: run: training: the {said}: the training has diverged") and "→ train anew" in error
    assert "training.learning_rate" in error and "training.max_grad_norm" in error
    assert ("training.precision=fp32" in error) == ("training.precision=bf16" in settings)
    accumulated = "training.gradient_accumulation=2" in settings
    epochs = 1 if accumulated else (call - 1) // STEPS
    table = [line for line in shown.out.splitlines() if line.strip()[:1].isdigit() and " 0.0000 " in line]
    assert not table
    if not accumulated:
        _stands_well(Path("run"), epochs)
    # Nobody is sent back to it.
    assert "--resume" not in complaint(capsys, *train())


def test_it_stops_after_a_resumption_too(
    train: Callable[..., list[str]], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with monkeypatch.context() as patch:
        forward, calls = CRFModel.forward, 0

        def stop(self: CRFModel, **batch: Any) -> Any:
            nonlocal calls
            calls += self.training
            if calls == STEPS + 3:
                raise KeyboardInterrupt
            return forward(self, **batch)

        patch.setattr(CRFModel, "forward", stop)
        assert app.run(train()) == 130
    assert (
        "the state after 1 epoch are safe in run; go on with: ietool train --recipe ner-crf --output run --resume"
        in (capsys.readouterr().err)
    )
    _spoil(monkeypatch, "nan", 2)
    assert app.run(RESUME) == 2
    assert f"loss is not finite at step {STEPS + 2} (epoch 2)" in capsys.readouterr().err
    _stands_well(Path("run"), 1)


def test_a_training_that_starts_from_no_numbers(
    train: Callable[..., list[str]], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    make = CRFModel.__init__

    def damaged(self: CRFModel, *arguments: Any) -> None:
        make(self, *arguments)
        with torch.no_grad():
            next(self.parameters()).fill_(torch.inf)

    monkeypatch.setattr(CRFModel, "__init__", damaged)
    assert app.run(train()) == 2
    assert "error: model.encoder: the weights that training starts from are not finite (" in capsys.readouterr().err
    assert not Path("run").exists()


def test_a_score_that_is_no_number_is_never_the_best(
    train: Callable[..., list[str]], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    scores = iter([np.nan, 0.2, np.nan, 0.1, 0.3])

    def scored(self: object, model: object) -> tuple[dict[str, float], str]:
        score = next(scores)
        return {"precision": score, "recall": score, "f1": score, "score": score}, ""

    monkeypatch.setattr("ietool.workflow.dev_scorer.DevScorer.__call__", scored)
    monkeypatch.setattr("ietool.workflow.dev_scorer.DevScorer.metric", "span", raising=False)
    output_of(capsys, *train("training.epochs=5", "training.evaluate_raw=false", "training.patience=2"))
    assert [row["best"] for row in metrics(Path("run"))] == [False, True, False, False]  # patience of two is over


def test_a_scaler_that_leaves_every_step_out_is_a_fault(
    train: Callable[..., list[str]], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """As with fp16 on a GPU, where single steps whose gradients overflow are left out without harm."""
    monkeypatch.setattr("ietool.training.finite.SKIPPED", 8)
    skipped = iter([True] * 7 + [False] + [True] * 100)
    after = IETrainer.after_step

    def after_step(self: IETrainer) -> None:
        with monkeypatch.context() as patch:
            left_out = next(skipped)
            patch.setattr("accelerate.Accelerator.optimizer_step_was_skipped", property(lambda self: left_out))
            after(self)

    monkeypatch.setattr(IETrainer, "after_step", after_step)
    assert app.run(train("training.epochs=5")) == 2
    assert "gradient is not finite at step 9 (epoch 2)" in capsys.readouterr().err
    assert SKIPPED >= 17  # those in which a factor of 2^16 falls below 1
    assert len(list(skipped)) == 100 - 8  # it was told at once


def test_the_first_step_is_remembered() -> None:
    first = FirstNotFinite(torch.device("cpu"))
    for step, value in enumerate([1.0, 2.0, float("nan"), 3.0, float("inf")], 1):
        first.see(torch.tensor(value), step)
        assert first.step() == (3 if step >= 3 else None)
    model = torch.nn.BatchNorm1d(2)
    assert not_finite(model) is None
    model.running_mean[1] = -torch.inf  # type: ignore[index,operator]
    assert not_finite(model) == "running_mean"


# -- a full disk


def _full(*_: Any, **__: Any) -> Any:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def _safetensors_full(*_: Any, **__: Any) -> Any:
    raise SafetensorError("Error while serializing: I/O error: No space left on device (os error 28)")


def _torch_full(*_: Any, **__: Any) -> Any:
    raise RuntimeError("[enforce fail at inline_container.cc:664] . unexpected pos 64 vs 0")


def _numpy_full(*_: Any, **__: Any) -> Any:
    raise OSError("320 requested and 0 written")


def _quota(*_: Any, **__: Any) -> Any:
    raise OSError(errno.EDQUOT, os.strerror(errno.EDQUOT))


def _read_only(*_: Any, **__: Any) -> Any:
    raise OSError(errno.EROFS, os.strerror(errno.EROFS))


@pytest.fixture(scope="module")
def whole(home: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of the same training to which nothing happened."""
    folder = tmp_path_factory.mktemp("whole") / "run"
    changes = [word for setting in SETTINGS for word in ("--set", setting)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("IETOOL_HOME", str(home))
        assert app.run(["train", "--recipe", "ner-crf", "--data", str(home), "--device", "cpu", "--output", str(folder),
                        *changes]) == 0  # fmt: skip
    return folder


@pytest.mark.parametrize(
    ("place", "fails", "at"),
    [
        ("ietool.tasks.ner.features.featurizer.copy_assets", _read_only, 1),
        ("ietool.nn.encoder.PreTrainedModel.save_pretrained", _safetensors_full, 1),  # the best weights
        ("ietool.nn.encoder.PreTrainedModel.save_pretrained", _safetensors_full, 4),  # a checkpoint's
        ("torch.save", _torch_full, 4),  # its optimiser and schedule
        ("ietool.training.trainer.save_file", _safetensors_full, 2),  # its average
        ("transformers.TrainerState.save_to_json", _full, 2),
        ("ietool.training.trainer.write_rows", _quota, 2),
        ("ietool.training.trainer.sync", _full, 2),
        ("numpy.save", _numpy_full, 1),  # what is kept of dev
        ("ietool.workflow.train.write_card", _full, 1),
    ],
)
def test_a_full_disk_is_told_and_the_training_goes_on_when_there_is_room(
    place: str,
    fails: Callable[..., Any],
    at: int,
    train: Callable[..., list[str]],
    whole: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    true, calls = pkgutil.resolve_name(place), 0

    def sometimes(*arguments: Any, **named: Any) -> Any:
        nonlocal calls
        calls += 1
        return fails() if calls == at else true(*arguments, **named)

    with monkeypatch.context() as patch:
        patch.setattr(place, sometimes)
        assert app.run(train()) == 2
    error = capsys.readouterr().err.splitlines()[-1]
    assert error.startswith("error: run: the training stopped: a file of it could not be written (")
    assert error.endswith("→ make room, then go on with: ietool train --recipe ner-crf --output run --resume")
    assert json.loads(Path("run/run.json").read_text(encoding="utf-8"))["state"] == "interrupted"
    assert not list(Path("run").rglob("*.part"))
    for checkpoint in Path("run").glob("checkpoints/*/checkpoint-*"):
        assert (checkpoint / "progress.json").is_file()
    output_of(capsys, *RESUME)
    assert metrics(Path("run")) == metrics(whole)
    ours, theirs = (load_file(run / "model.safetensors") for run in (Path("run"), whole))
    assert all((ours[name] == theirs[name]).all() for name in theirs)
    assert {p.name for p in Path("run").iterdir()} == {p.name for p in whole.iterdir()}
    assert json.loads(Path("run/run.json").read_text(encoding="utf-8"))["state"] == "finished"


def test_other_errors_leave_the_run_interrupted(
    train: Callable[..., list[str]], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def wrong(*_: Any) -> None:
        raise LookupError("a bug")

    monkeypatch.setattr(trainer_module, "write_rows", wrong)
    assert app.run(train()) == 1
    assert "This is a bug in ietool" in capsys.readouterr().err
    assert json.loads(Path("run/run.json").read_text(encoding="utf-8"))["state"] == "interrupted"


def test_an_interrupt_before_there_is_a_run_names_no_other(
    train: Callable[..., list[str]], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def stop(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    words = train()
    del words[words.index("--output") : words.index("--output") + 2]
    old = create_run(load_recipe("ner-crf"))
    update_run(old, state="interrupted")
    monkeypatch.setattr("ietool.workflow.train.settle_threads", stop)
    assert app.run(words) == 130
    said = capsys.readouterr().err
    assert "no training had begun" in said and str(old) not in said


def test_what_a_self_check_sets_itself_is_said(
    train: Callable[..., list[str]], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("ietool.workflow.train.OVERFIT_TARGET", -1.0)
    app.run([*train("training.epochs=3", "training.adversarial=0.5"), "--overfit", "8", "--minutes", "0"])
    said = capsys.readouterr().err
    assert "note: the self-check has its own " in said
    assert "training.epochs" in said and "training.adversarial" in said and "training.batch_size" in said


# -- memory


def test_memory_that_is_not_there(
    train: Callable[..., list[str]], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert app.run(train("model.encoder.hidden_size=100000000")) == 2
    error = capsys.readouterr().err.splitlines()[-1]
    assert error.startswith("error: the memory does not suffice (") and "model.encoder.hidden_size" in error
    assert not Path("run").exists()
    section = load_recipe("ner-crf").training
    model = torch.nn.Linear(1000, 1000)
    with monkeypatch.context() as patch:
        patch.setattr("ietool.workflow.train.free_memory", lambda: 10 * 2**20)
        with pytest.raises(UserError, match=r"a model of 0\.0 GiB needs 0\.0 GiB more .* → choose a smaller model"):
            check_memory(model, section, torch.device("cpu"))
        patch.setattr("ietool.workflow.train.free_memory", lambda: None)  # not told by the system
        check_memory(model, section, torch.device("cpu"))

    def out_of_memory(self: CRFModel, **batch: Any) -> Any:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.50 GiB. GPU 0 has a total capacity of …")

    monkeypatch.setattr(CRFModel, "forward", out_of_memory)
    assert app.run(train()) == 2
    error = capsys.readouterr().err.splitlines()[-1]
    assert error.startswith(
        "error: the memory does not suffice (2.50 GiB at once) → train anew with a smaller training."
    )
