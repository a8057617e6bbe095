"""What a finished run keeps of dev: candidates, what became of every item, the counts of every text."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

from ietool.cli.app import run as command
from ietool.core.candidate_files import ABOUT, TABLE, read_candidates
from ietool.core.candidates import Floor
from ietool.runs.entry import open_run
from ietool.runs.folder import DEV, model_files
from ietool.tasks.ner.data.example import Example
from ietool.workflow.predict import load
from ietool.workflow.prepare import prepare
from ietool.workflow.push import push
from ietool.workflow.scores import LEAST, file_mark, model_mark
from ietool.workflow.train import train
from tests.tasks.ner.made import TASK, examples, small_recipe, write_json

LEARNING = ("training.epochs=3", "training.head_learning_rate=0.03", "training.warmup_epochs=0",
            "training.ema_decay=0.8", "training.schedule=constant_with_warmup", "training.patience=0")  # fmt: skip


class Run(NamedTuple):
    """A finished run, and what it was prepared from."""

    folder: Path
    prepared: Path
    best: dict[str, Any]

    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in (self.folder / DEV / "outcomes.jsonl").read_text("utf-8").splitlines()]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Run]:
    """A run by recipe and settings, trained when it is first asked for."""
    made: dict[tuple[str, ...], Run] = {}

    def run(*asked: str) -> Run:
        if asked not in made:
            folder = tmp_path_factory.mktemp("dev")
            name, *more = asked
            recipe = small_recipe(name, *LEARNING, *more)
            write_json(folder / "train.json", examples(120))
            write_json(folder / "dev.json", examples(20, seed=2))
            prepared = prepare(recipe, data=folder, output=folder / "prepared").folder
            outcome = train(recipe, prepared=prepared, output=folder / "run", device="cpu")
            made[asked] = Run(outcome.run, prepared, outcome.best)
        return made[asked]

    return run


ASKED = [("ner-crf",), ("ner-crf", "decode.threshold=0.4"), ("ner-globalpointer",),
         ("ner-globalpointer", "decode.threshold=0.2", "score.metric=cluener")]  # fmt: skip
asked = pytest.mark.parametrize("asked", ASKED, ids="-".join)


@asked
def test_candidates_decode_to_what_is_predicted(trained: Callable[..., Run], asked: tuple[str, ...]) -> None:
    run = trained(*asked)
    assert sorted(path.name for path in (run.folder / DEV).iterdir()) == sorted(
        [TABLE, ABOUT, "outcomes.jsonl", "counts.npy"]
    )
    stored, gold = read_candidates(run.folder / DEV), TASK.gold(run.prepared)
    loaded = load(run.folder, device="cpu")
    decoder, decode = loaded.predictor.decoder, loaded.recipe.decode
    assert stored.floor == Floor(LEAST) and stored.layout == decoder.layout
    assert stored.about == {
        "task": "ner", "recipe": asked[0], "head": asked[0].split("-")[1], "model": model_mark(run.folder),
        "input": file_mark(run.prepared / "dev.jsonl"), "source": DEV,
    }  # fmt: skip
    assert len(stored) == len(gold) == 20 and sum(map(len, stored)) > 40
    decoded = [decoder.decode(item, found, decode) for item, found in zip(gold, stored, strict=True)]
    assert decoded == list(loaded.stream(gold))
    assert sum(len(found.entities) for found in decoded) > 10
    # With other thresholds too, as long as they are above the floor.
    for threshold in (0.02, 0.3, 0.8):
        other = load(run.folder, device="cpu", overrides=[f"decode.threshold={threshold}"])
        settings = other.recipe.decode
        assert [decoder.decode(x, found, settings) for x, found in zip(gold, stored, strict=True)] == list(
            other.stream(gold)
        )


@asked
def test_counts_add_up_to_the_score(trained: Callable[..., Run], asked: tuple[str, ...]) -> None:
    run = trained(*asked)
    counts, gold = np.load(run.folder / DEV / "counts.npy", allow_pickle=False), TASK.gold(run.prepared)
    assert len(counts) == len(gold) and counts.dtype == np.float64
    predictions = list(load(run.folder, device="cpu").stream(gold))
    report = TASK.evaluate(load(run.folder, device="cpu").recipe, gold, predictions)
    assert report.counts is not None and report.measures is not None and (report.counts == counts).all()
    assert float(report.measures(counts.sum(0))[report.primary]) == pytest.approx(run.best["score"], abs=1e-12)
    assert run.best["score"] > 0.1 and run.best["metric"] == report.metric


@asked
def test_outcomes_add_up(trained: Callable[..., Run], asked: tuple[str, ...]) -> None:
    run = trained(*asked)
    lines, gold = run.lines(), TASK.gold(run.prepared)
    verdicts = Counter(line["verdict"] for line in lines)
    counts = np.load(run.folder / DEV / "counts.npy", allow_pickle=False)
    texts = {example.text for example in gold}
    for line in lines:
        assert line["text"] in texts and line["entity"] == line["text"][line["start"] : line["end"]]
        assert line["spans"] == [[line["type"], line["start"], line["end"]]]
    if run.best["metric"] == "span":
        right, predicted, wanted = counts.sum(0).tolist()
        assert verdicts == Counter(right=right, spurious=predicted - right, missed=wanted - right) - Counter()
    else:  # a name counts once, however often it stands
        found = list(load(run.folder, device="cpu").stream(gold))
        assert verdicts["right"] + verdicts["spurious"] == sum(len(f.entities) for f in found)


def test_dev_is_no_part_of_the_model(trained: Callable[..., Run], capsys: pytest.CaptureFixture[str]) -> None:
    """Gold texts stand in it: it goes nowhere."""
    run = trained("ner-crf").folder
    info = open_run(run).info
    for files in (model_files(run), info.files, push(run, "somebody/model", dry=True).files):
        assert "model.safetensors" in files and not any(DEV in Path(name).parts for name in files)
    capsys.readouterr()
    assert command(["push", str(run), "somebody/model", "--dry-run"]) == 0
    assert DEV not in capsys.readouterr().out.split()


def test_a_run_without_dev_is_a_run(trained: Callable[..., Run], tmp_path: Path) -> None:
    run = shutil.copytree(trained("ner-crf").folder, tmp_path / "run")
    shutil.rmtree(run / DEV)
    assert load(run, device="cpu").predict(["林满在云州工作。"])[0].example == Example("林满在云州工作。")


def test_what_an_earlier_training_left_is_replaced(trained: Callable[..., Run], tmp_path: Path) -> None:
    run = trained("ner-crf")
    copy = shutil.copytree(run.folder, tmp_path / "run")
    (copy / ".dev.part").mkdir()
    (copy / ".dev.part" / "counts.npy").write_bytes(b"half")
    (copy / DEV / "other").touch()
    recipe = small_recipe("ner-crf", *LEARNING, "training.epochs=1")
    outcome = train(recipe, prepared=run.prepared, output=copy, device="cpu", overwrite=True)
    assert sorted(path.name for path in (outcome.run / DEV).iterdir()) == sorted(
        [TABLE, ABOUT, "outcomes.jsonl", "counts.npy"]
    )
    assert not (copy / ".dev.part").exists()


def test_a_self_check_keeps_none(trained: Callable[..., Run], tmp_path: Path) -> None:
    """It was judged on what it learnt."""
    recipe, prepared = small_recipe("ner-crf", *LEARNING), trained("ner-crf").prepared
    outcome = train(recipe, prepared=prepared, output=tmp_path / "run", device="cpu", overfit=4)
    assert outcome.fitted is not None and not (outcome.run / DEV).exists()
