"""The claim of ``tasks/base.py``: a task is one folder, one line in the registry and one YAML, and nothing else."""

from __future__ import annotations

import json
import random
import re
from pathlib import Path

import pytest

import ietool
from ietool import load, registry
from ietool.cli.app import run as command
from ietool.core.contract import Task
from ietool.recipe_io import load_recipe
from ietool.workflow.predict import predict_file
from ietool.workflow.prepare import prepare
from ietool.workflow.score import score_files
from ietool.workflow.train import train

RECIPE = Path(__file__).parents[1] / "tasks" / "toy" / "toy.yaml"


@pytest.fixture(autouse=True)
def toy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The one line, and a working folder with a corpus."""
    monkeypatch.setattr(registry, "TASKS", list(registry.TASKS))
    registry.register("toy", "tests.tasks.toy:ToyTask")
    monkeypatch.chdir(tmp_path)
    draw = random.Random(1)
    (tmp_path / "data").mkdir()
    for role, count in (("train", 60), ("dev", 12), ("test", 8)):
        with (tmp_path / "data" / f"{role}.jsonl").open("w", encoding="utf-8") as out:
            for _ in range(count):
                text = "".join(draw.choices("山水人0123456789", k=draw.randint(1, 20)))
                digits = [at for at, c in enumerate(text) if c.isdigit()]
                out.write(json.dumps({"text": text, "digits": digits}, ensure_ascii=False) + "\n")


def test_all_stations_as_functions(tmp_path: Path) -> None:
    recipe = load_recipe(RECIPE)
    prepared = prepare(recipe, data=Path("data"))
    distinct = set((tmp_path / "data" / "train.jsonl").read_text(encoding="utf-8").splitlines())
    assert prepared.fresh and prepared.report.statistics == {"texts": len(distinct)}
    assert not prepare(recipe, data=Path("data")).fresh
    rows = []
    outcome = train(recipe, prepared=prepared.folder, device="cpu", on_epoch=rows.append)
    assert [row.epoch for row in rows] == [1, 2]
    assert rows[1].loss < rows[0].loss
    assert outcome.best["score"] == 1.0 and outcome.best["metric"] == "digits"
    predicted = predict_file(outcome.run, "data/test.jsonl", "result.json", device="cpu")
    assert predicted.texts == 8
    report = score_files(recipe, Path("data/test.jsonl"), Path("result.json"))
    assert report.values["f1"] == 1.0
    loaded = load(outcome.run, device="cpu")
    assert [e.digits for e in loaded.predict(["山1水22", ""])] == [[1, 3, 4], []]


def test_all_stations_as_verbs(capfd: pytest.CaptureFixture[str]) -> None:
    recipe = ["--recipe", str(RECIPE)]
    assert command(["recipes", "validate", str(RECIPE)]) == 0
    assert command(["prepare", *recipe, "--data", "data"]) == 0
    assert command(["train", *recipe, "--output", "run", "--device", "cpu", "--set", "training.epochs=1"]) == 0
    assert command(["runs"]) == 0
    assert command(["predict", "--run", "run", "data/test.jsonl", "--output", "result.json"]) == 0
    assert command(["predict", "--run", "run", "--text", "山7"]) == 0
    assert "digit" in capfd.readouterr().out
    assert command(["score", *recipe, "data/test.jsonl", "result.json", "--json"]) == 0
    assert json.loads(capfd.readouterr().out)["f1"] == 1.0
    # What the task has no use for is refused by name.
    assert command(["train", *recipe, "--data", "data", "--set", "decode.subject_start=0.5"]) == 2
    assert "decode.subject_start" in capfd.readouterr().err
    # So is what its model cannot do.
    for setting in ("training.r_drop=4", "training.adversarial=0.5"):
        assert command(["train", *recipe, "--data", "data", "--device", "cpu", "--set", setting]) == 2
        told = capfd.readouterr().err.strip().splitlines()
        assert told[-1].startswith("error: ") and setting.partition("=")[0] in told[-1] and len(told) == 2


def test_overfitting_works_for_any_task() -> None:
    recipe = load_recipe(RECIPE)
    prepared = prepare(recipe, data=Path("data"))
    assert train(recipe, prepared=prepared.folder, device="cpu", overfit=6).best["score"] >= 0.98


def test_a_name_is_registered_once() -> None:
    with pytest.raises(ValueError, match="registered already"):
        registry.register("toy", "elsewhere:Task")
    assert isinstance(registry.get_task("toy"), Task)


def test_floors_above_the_tasks_know_no_task() -> None:
    """No import of a task, and no word of one, in the workflow, the training bridge or the verbs."""
    top = Path(ietool.__file__).parent
    for folder in ("workflow", "training", "nn", "text", "report"):
        for path in (top / folder).glob("*.py"):
            code = path.read_text(encoding="utf-8")
            assert not re.search(r"ietool\.tasks\.(?!base|registry)", code), path
            assert not re.search(r"\b(Ske\w+|triple_?\w*)\b", re.sub(r'""".*?"""|#.*', "", code, flags=re.DOTALL)), path
    for path in (top / "cli").glob("*.py"):
        if path.name == "kb.py":  # `ietool kb` looks into what one task compiles: it is that task's verb
            continue
        assert not re.search(r"ietool\.tasks\.(?!base|registry)", path.read_text(encoding="utf-8")), path
