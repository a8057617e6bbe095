"""A tiny trained run of each task, with the scores of dev that its training kept."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from ietool.recipe import Recipe
from ietool.recipe_io import load_recipe
from ietool.workflow.prepare import prepare
from ietool.workflow.train import train
from tests.tasks.el.made import make_data
from tests.tasks.ner import made as ner
from tests.tasks.qa import made as qa
from tests.tasks.ske import made as ske

QUICK = ("training.epochs=1", "training.warmup_epochs=0", "training.ema_decay=0", "training.precision=fp32",
         "training.schedule=constant_with_warmup", "training.patience=0", "training.batch_size=8")  # fmt: skip


def _ner(folder: Path, name: str, *more: str) -> Recipe:
    ner.write_json(folder / "train.json", ner.examples(60))
    ner.write_json(folder / "dev.json", ner.examples(40, seed=2))
    return ner.small_recipe(name, *QUICK, "training.epochs=2", "training.head_learning_rate=0.02", *more)


def _ske(folder: Path, name: str, *more: str) -> Recipe:
    ske.head_of_corpus(folder, 48, 12)
    return ske.small_recipe(*QUICK, "training.epochs=3", "training.learning_rate=0.01", "decode.triple=0",
                            "decode.subject_start=0.1", "decode.subject_end=0.1", "decode.object_start=0.05",
                            "decode.object_end=0.05", *more, name=name)  # fmt: skip


def _el(folder: Path, name: str, *more: str) -> Recipe:
    make_data(folder)
    small = ("model.encoder.hidden_size=16", "model.head.attention_heads=2", "model.head.attention_head_size=4",
             "model.head.description=20", "data.folds=4", "decode.restrict=0")  # fmt: skip
    return load_recipe(name, [*small, *QUICK, "training.learning_rate=0.01", *more])


def _qa(folder: Path, name: str, *more: str) -> Recipe:
    qa.dump(folder / "train.json", qa.squad(24))
    qa.dump(folder / "dev.json", qa.squad(16, 50, every=3))
    small = ("model.encoder.hidden_size=16", "model.encoder.question_dilations=[1]",
             "model.encoder.passage_dilations=[1,2]", "model.encoder.min_char_count=1")  # fmt: skip
    return load_recipe(name, [*qa.SMALL, *small, *QUICK, "training.learning_rate=0.01", *more])


_MADE = {"ner": _ner, "ske": _ske, "el": _el, "qa": _qa}

Runs = Callable[..., Path]


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Runs:
    """``trained("ner-crf", …)``: a run by recipe and settings, trained when it is first asked for; not to be changed.
    Its data lies beside it."""
    made: dict[tuple[str, ...], Path] = {}

    def run(*asked: str) -> Path:
        if asked not in made:
            folder = tmp_path_factory.mktemp("contest")
            name, *more = asked
            recipe = _MADE[name.partition("-")[0]](folder, name, *more)
            prepared = prepare(recipe, data=folder, output=folder / "prepared").folder
            made[asked] = train(recipe, prepared=prepared, output=folder / "run", device="cpu").run
        return made[asked]

    return run


@pytest.fixture
def copied(trained: Runs, tmp_path: Path) -> Runs:
    """The same as a copy of its own."""

    def run(*asked: str) -> Path:
        return shutil.copytree(trained(*asked), tmp_path / "run")

    return run
