"""How many threads a CPU computes with: measured, recorded, obeyed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from ietool.cli import app
from ietool.recipe_io import load_recipe
from ietool.training import threads
from ietool.training import trainer as trainers
from ietool.training.device import repeatable
from ietool.training.threads import settle_threads, step_seconds
from ietool.workflow.prepare import prepare
from ietool.workflow.train import train
from tests.cli.conftest import output_of
from tests.tasks.ner.made import examples, write_json
from tests.training.conftest import TINY

CPU = torch.device("cpu")


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> dict[int, float]:
    """A machine of two threads; what a step takes with so many of them, and under "now" how many are set."""
    took = {2: 0.1, 1: 0.1, 0: 2}
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setattr(torch, "get_num_threads", lambda: took[0])
    monkeypatch.setattr(torch, "set_num_threads", lambda number: took.update({0: number}))
    monkeypatch.setattr(threads, "step_seconds", lambda number, *_: took[number])
    return took


def test_the_better_is_taken(machine: dict[int, float], monkeypatch: pytest.MonkeyPatch) -> None:
    model = torch.nn.Linear(2, 2)
    number, said = settle_threads(model, CPU, "fp32")
    assert (number, machine[0]) == (2, 2)  # where one is no better there is nothing to give up
    machine[2] = 0.46
    number, said = settle_threads(model, CPU, "fp32")
    assert (number, machine[0]) == (1, 1)
    assert (
        said == "threads: 1 (a step of a stand-in takes 460 ms with 2 and 100 ms with 1; OMP_NUM_THREADS=N changes it)"
    )
    assert settle_threads(model, CPU, "fp32") == (1, None)  # one thread: nothing to choose
    machine[0] = 2
    assert settle_threads(model, torch.device("cuda"), "fp32") == (None, None)
    # As a training began it goes on.
    number, said = settle_threads(model, CPU, "fp32", 2)
    assert (number, machine[0]) == (2, 2) and said and "as this training began with" in said
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    assert settle_threads(model, CPU, "fp32", 1) == (2, None) and machine[0] == 2  # recorded all the same


def test_measuring_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threads, "SECONDS", 0.0)
    before = torch.get_num_threads()
    torch.manual_seed(3)
    state = torch.get_rng_state()
    assert 0 < step_seconds(1, 8, CPU, "fp32") < 60 and step_seconds(1, 16, CPU, "bf16") > 0
    assert torch.equal(torch.get_rng_state(), state)
    torch.set_num_threads(before)


def test_a_run_records_it_and_goes_on_with_it(
    machine: dict[int, float], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("IETOOL_HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    write_json(tmp_path / "train.json", examples(8))
    write_json(tmp_path / "dev.json", examples(3, seed=2))
    machine[2] = 9.0
    settings = [word for setting in ("model.encoder.hidden_size=8", "model.encoder.dilations=[1]", "training.epochs=1")
                for word in ("--set", setting)]  # fmt: skip
    with monkeypatch.context() as patch:
        patch.setattr("ietool.workflow.train.write_card", lambda run: (_ for _ in ()).throw(KeyboardInterrupt))
        start = ["train", "--recipe", "ner-crf", "--data", ".", "--device", "cpu", "--output", "run", *settings]
        assert app.run(start) == 130
    said = capsys.readouterr().err
    assert "note: threads: 1 (a step of a stand-in takes 9.0 s with 2 and 100 ms with 1;" in said
    assert "note: training.warmup_epochs=0.3" not in said
    assert json.loads((tmp_path / "run" / "run.json").read_text(encoding="utf-8"))["threads"] == 1
    machine.update({0: 2, 2: 0.0001})
    output_of(capsys, "train", "--recipe", "ner-crf", "--output", "run", "--resume", "--device", "cpu")
    assert machine[0] == 1
    # A large file is worth measuring too; a text is not.
    machine[0] = 2
    output_of(capsys, "predict", "--run", "run", "--text", "好", "--device", "cpu")
    assert machine[0] == 2
    machine[2] = 9.0
    line = json.dumps({"text": "好" * 200}, ensure_ascii=False)
    Path("large.json").write_text(f"{line}\n" * 8, encoding="utf-8")
    monkeypatch.setattr("ietool.workflow.predict._LARGE", 100)
    output_of(capsys, "predict", "--run", "run", "large.json", "--output", "out.json", "--device", "cpu")
    assert machine[0] == 1


def test_a_warm_up_longer_than_the_training_is_told() -> None:
    from ietool.recipe_io import load_recipe
    from ietool.training.arguments import warmup_note

    def note(warmup: float, epochs: int) -> str | None:
        settings = [f"training.warmup_epochs={warmup}", f"training.epochs={epochs}"]
        return warmup_note(load_recipe("ner-crf", settings).training)

    assert note(0.5, 1) is None and note(1, 2) is None
    for warmup in (1, 3):
        told = note(warmup, 1)
        assert told and f"training.warmup_epochs={warmup} " in told and "training.learning_rate=5e-05" in told


@pytest.fixture
def _two_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


@pytest.mark.usefixtures("_two_threads")
def test_threads_add_up_gradients_in_one_order() -> None:
    states = torch.randn(4, 64, 256, generator=torch.Generator().manual_seed(1), requires_grad=True)
    weight = torch.randn(400, 256, generator=torch.Generator().manual_seed(2))
    text, place = torch.arange(400) % 4, torch.full((400,), 3)  # a hundred vectors fall on each place

    def gradient() -> torch.Tensor:
        return torch.autograd.grad((states[text, place] * weight).sum(), states)[0]

    with repeatable(CPU):
        first = gradient()
        assert all(torch.equal(gradient(), first) for _ in range(30))


def test_what_is_set_within_ends_with_it() -> None:
    def settings() -> tuple[int, bool]:
        further: Any = torch.utils.deterministic
        return torch.get_deterministic_debug_mode(), further.fill_uninitialized_memory

    before = settings()
    with repeatable(torch.device("cuda")):
        assert settings() == before
    with pytest.raises(ZeroDivisionError), repeatable(CPU):
        assert settings() != before
        _ = 1 / 0
    assert settings() == before


def test_training_repeats(corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    recipe = load_recipe("ske", (*TINY, "training.epochs=1"))
    seen: list[bool] = []
    model: Any = trainers.Trainer
    step = model.training_step
    told = torch.are_deterministic_algorithms_enabled
    monkeypatch.setattr(model, "training_step", lambda *a, **k: (step(*a, **k), seen.append(told()))[0])
    train(recipe, prepared=prepare(recipe, data=corpus).folder, output=tmp_path / "run", device="cpu")
    assert seen
    assert all(seen)
    assert not told()
