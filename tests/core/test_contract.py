"""The claims of the contract: a task is one folder, one line in the registry and one YAML; a head is one folder and one
row. Nothing else."""

from __future__ import annotations

import json
import random
import re
import shutil
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import pytest

import ietool
from ietool import load, registry
from ietool.cli.app import run as command
from ietool.core.contract import Task
from ietool.core.heads import Head
from ietool.errors import UserError
from ietool.recipe import Recipe
from ietool.recipe_io import load_recipe
from ietool.workflow.predict import predict_file
from ietool.workflow.prepare import prepare
from ietool.workflow.score import score_files
from ietool.workflow.train import train
from tests.tasks.toy import ToyTask

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


AROUND = Head(
    "around",
    folder="tests.tasks.toy.heads",
    recipe="around.recipe:AroundRecipe",
    config="around.model:AroundConfig",
    model="around.model:AroundModel",
    build="around.model:build",
    items="sampling:ToyTrainingSet",
    reader="reader:open_reader",
    decoder="decoder:open_decoder",
)
"""The one row."""


def test_a_head_is_one_folder_and_one_row(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    asked = ["--recipe", str(RECIPE), "--set", "model.head=around"]
    with pytest.raises(UserError, match=r"the task toy has no head 'around' → use one of: table"):
        load_recipe(RECIPE, ["model.head=around"])
    monkeypatch.setattr(ToyTask, "heads", (*ToyTask.heads, AROUND))
    run = [*asked, "--data", "data", "--output", "run", "--device", "cpu", "--set", "model.head.size=6"]
    assert command(["train", *run, "--set", "training.learning_rate=0.05", "--set", "training.epochs=6"]) == 0
    assert command(["predict", "--run", "run", "data/test.jsonl", "--output", "result.json"]) == 0
    capfd.readouterr()
    assert command(["score", *asked, "data/test.jsonl", "result.json", "--json"]) == 0
    assert json.loads(capfd.readouterr().out)["f1"] > 0.9
    config = json.loads((tmp_path / "run" / "config.json").read_text(encoding="utf-8"))
    assert (config["model_type"], config["size"]) == ("ietool-toy-around", 6)
    loaded = load(tmp_path / "run", device="cpu")
    assert type(loaded.task.load_model(tmp_path / "run")).__name__ == "AroundModel"
    assert [e.digits for e in loaded.predict(["山1水22", ""])] == [[1, 3, 4], []]
    # Its keys act with it alone.
    with pytest.raises(UserError, match=r"model\.head\.size: there is no such key → it acts with model\.head=around"):
        load_recipe(RECIPE, ["model.head.size=6"])
    # A run of one head opens with no other's recipe, and one of no head with none.
    copy = shutil.copytree(tmp_path / "run", tmp_path / "copy")
    (copy / "config.json").write_text(json.dumps(config | {"model_type": "ietool-toy-gone"}), encoding="utf-8")
    with pytest.raises(UserError, match=r"config\.json: is of an unknown model \('ietool-toy-gone'\)"):
        load(copy)
    monkeypatch.setattr(ToyTask, "heads", ToyTask.heads[:1])
    with pytest.raises(UserError, match=r"no head 'around'"):
        load(tmp_path / "run")


def test_no_file_but_its_own_knows_a_head_or_a_task() -> None:
    top, toy = Path(ietool.__file__).parent, RECIPE.parent
    for path in toy.rglob("*.py"):
        if path.parent != toy / "heads" / "around":
            assert "around" not in path.read_text(encoding="utf-8").lower(), path
    for path in top.rglob("*.py"):
        assert not re.search(r"\btoy", path.read_text(encoding="utf-8").lower()), path
    # What the contract needs not, a task need not have.
    assert set(vars(ToyTask)) - {"name", "title", "finds", "heads", "scorers"} == {
        *Task.__abstractmethods__, "__module__", "__doc__", "__orig_bases__", "__abstractmethods__", "_abc_impl",
        "__parameters__",
    }  # fmt: skip


def test_every_piece_of_every_head_is_there() -> None:
    for name, _ in registry.TASKS:
        task = registry.get_task(name)
        heads = [head.name for head in task.heads]
        assert len(set(heads)) == len(heads) > 0
        for head in task.heads:
            assert task.head_named(head.name) is head
            assert {kind.name for kind in fields(Head)} >= {"name", "folder", "recipe", "config", "model", "build"}
            for piece in ("recipe", "config", "model", "build", "items", "reader", "decoder"):
                assert callable(head.load(piece)), head.target(piece)
            assert head.load("model").config_class is head.load("config")
            recipe = head.load("recipe")
            assert issubclass(recipe, Recipe)
            assert task.recipe_class({"model": {"head": head.name}}) is recipe
            assert task.head_of({"model_type": head.load("config").model_type}) == head
        assert task.recipe_class({}) is task.heads[0].load("recipe")
        assert task.head_of({"model_type": "bert"}) is None and task.head_of({}) is None


def test_recipes_and_decoders_need_no_torch() -> None:
    code = (
        "import sys\nfrom ietool.registry import TASKS, get_task\n"
        "for name, _ in TASKS:\n    for head in get_task(name).heads:\n"
        "        head.load('recipe'), head.load('decoder')\n"
        "sys.exit(', '.join(m for m in ('torch', 'transformers', 'datasets') if m in sys.modules) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_a_name_is_registered_once() -> None:
    with pytest.raises(ValueError, match="registered already"):
        registry.register("toy", "elsewhere:Task")
    assert isinstance(registry.get_task("toy"), Task)


def test_floors_above_the_tasks_know_no_task() -> None:
    """No import of a task, and no word of one, in the workflow, the training bridge or the verbs."""
    top = Path(ietool.__file__).parent
    for folder in ("workflow", "training", "nn", "text", "report", "core", "scoring"):
        for path in (top / folder).glob("*.py"):
            code = path.read_text(encoding="utf-8")
            assert not re.search(r"ietool\.tasks\b", code), path
            assert not re.search(r"\b(Ske\w+|triple_?\w*)\b", re.sub(r'""".*?"""|#.*', "", code, flags=re.DOTALL)), path
    for path in (top / "cli").glob("*.py"):
        if path.name == "kb.py":  # `ietool kb` looks into what one task compiles: it is that task's verb
            continue
        assert not re.search(r"ietool\.tasks\b", path.read_text(encoding="utf-8")), path
