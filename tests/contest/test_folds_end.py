"""How folds end: in time, and where one of them has left the numbers; what is counted of them all as a stream."""

from __future__ import annotations

import re
import shutil
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest import mock

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import settings as examples_of
from hypothesis import strategies as st

from ietool.contest import counting, folds
from ietool.contest.compete import steps as stepping
from ietool.contest.compete.plan import Member, Plan
from ietool.contest.compete.recipes import keep_recipes
from ietool.contest.compete.state import State
from ietool.contest.compete.steps import MEMBERS, Steps
from ietool.contest.counting import judged
from ietool.contest.folds import begin, go_on
from ietool.contest.group import OOF, open_group, write_group
from ietool.errors import NothingCounts
from ietool.recipe_io import load_recipe
from ietool.registry import get_task
from ietool.runs.entry import open_run
from ietool.runs.folder import update_run
from ietool.tasks.ner.data.example import Entity, Example
from ietool.tasks.ner.heads.crf.model import CRFModel
from ietool.tasks.ner.heads.decoder import FoundEntity, Recognised
from ietool.tasks.qa.data.question import Question
from ietool.tasks.qa.heads.voting import Answered
from tests.contest.compete.conftest import verb_here
from tests.contest.corpora import settings, write_corpus
from tests.in_process import command_here


@pytest.fixture
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("IETOOL_HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    write_corpus("ner", tmp_path / "data", train=12)
    return tmp_path


# -- one has left the numbers


def test_a_fold_that_diverged_is_mended_as_it_is_told(work: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    forward = CRFModel.forward

    def spoiled(self: CRFModel, **batch: Any) -> Any:
        out = forward(self, **batch)
        rate = load_recipe(work / "group" / "recipe.yaml").training.learning_rate
        return {**out, "loss": out["loss"] * (torch.nan if rate > 0.1 else 1.0)}

    monkeypatch.setattr(CRFModel, "forward", spoiled)
    wild = settings("ner", "training.learning_rate=0.2", "training.head_learning_rate=0.5", "training.epochs=1")
    done = command_here(work, "train", *wild, "--data", "data", "--folds", 2, "--output", "group", "--device", "cpu")
    first = done.stderr.strip().splitlines()[-1]
    assert done.returncode == 2 and "group/fold-1-seed-42: training: the loss is not finite" in first
    done = command_here(work, "train", "--resume", "--output", "group", "--device", "cpu")
    again = done.stderr.strip().splitlines()[-1]
    assert done.returncode == 2 and "group/fold-1-seed-42: has diverged, and would do so again" in again
    command = "ietool train --resume --output group"
    rates = "lower training.learning_rate (now 0.2) and training.head_learning_rate (now 0.5) in group/recipe.yaml"
    mend = f"{rates}, remove group/fold-1-seed-42, and go on with: {command}"
    assert first.endswith(f" → {mend}") and again.endswith(f" → {mend}")
    # So it is.
    recipe = work / "group" / "recipe.yaml"
    text = re.sub(r"(  learning_rate: )\S+", r"\g<1>0.001", recipe.read_text(encoding="utf-8"))
    recipe.write_text(text, encoding="utf-8")
    shutil.rmtree(work / "group" / "fold-1-seed-42")
    done = command_here(work, *command.split()[1:])
    assert done.returncode == 0 and open_group(work / "group").state == "finished", done.stderr


# -- in time


def test_each_member_has_its_share_of_what_is_left(work: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock, given_ = 1000.0, list[float | None]()
    took = iter((60.0 * 6, 60.0 * 1, 60.0 * 30, 0.0))
    train = folds.train

    def trained(*arguments: Any, minutes: float | None = None, **more: Any) -> Any:
        nonlocal clock
        given_.append(minutes)
        clock += next(took)
        return train(*arguments, minutes=0.0, **more)

    monkeypatch.setattr(folds, "time", SimpleNamespace(monotonic=lambda: clock))
    monkeypatch.setattr(folds, "train", trained)
    tiny = settings("ner", "training.epochs=90")[3::2]
    recipe = load_recipe("ner-crf", tiny)
    group = begin(recipe, folds=4, data=work / "data", output=work / "group")
    entry = go_on(group, device="cpu", minutes=12)
    # 12 minutes of four, 6 of three, 5 of two; then the time is over.
    assert given_ == [pytest.approx(3), pytest.approx(2), pytest.approx(2.5), 0]
    assert entry.state == "finished" and (group / OOF).is_dir()
    assert all(run.info.best and run.info.best["epoch"] == 1 for run in entry.runs())


@pytest.fixture
def competition(work: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[Member, float], Steps]:
    """The steps of a competition of some hours, whose commands run in this process."""

    monkeypatch.setattr(stepping, "run_verb", verb_here)

    def steps(member: Member, hours: float) -> Steps:
        made = work / "mine"
        made.mkdir()
        keep_recipes(made, [load_recipe(member.recipe)])
        return Steps(State(made, str(work / "data"), {}, Plan(hours, [member])), ["cpu"], said.append)

    said: list[str] = []
    return steps


def member_of(epochs: int, seconds: float) -> Member:
    tiny = tuple(setting for setting in settings("ner")[3::2] if "epochs" not in setting)
    return Member("ner-crf", 42, 2, epochs, seconds, tiny)


def test_folds_of_a_competition_end_in_time(competition: Callable[[Member, float], Steps]) -> None:
    """They were reckoned to take a second, and would take an hour."""
    member = member_of(5000, 1.0)
    steps = competition(member, 0.05)
    begun = time.monotonic()
    (place,) = steps.train_members()
    assert time.monotonic() - begun < 40  # three seconds of training, all else on a busy machine
    group = open_group(place)
    assert group.state == "finished" and all(run.info.best["epoch"] < 5000 for run in group.runs())  # type: ignore[index]
    assert steps.train_members() == [place]  # nothing is left to be done


def test_folds_that_were_not_all_trained_are_used(competition: Callable[[Member, float], Steps]) -> None:
    member = member_of(1, 1.0)
    steps = competition(member, 0.05)
    assert steps.usable(member) == []
    (place,) = steps.train_members()
    info = open_group(place).info
    info.state, info.process = "training", 2**22 + 1
    write_group(place, info)
    assert steps.usable(member) == [place / "fold-1-seed-42", place / "fold-2-seed-42"]
    update_run(place / "fold-2-seed-42", state="diverged")
    assert steps.usable(member) == [place / "fold-1-seed-42"]
    assert open_run(steps.put_together(steps.usable(member))).folder == place / "fold-1-seed-42"
    assert place.parent.name == MEMBERS


# -- what is counted of them all

_TYPES = st.sampled_from(["人物", "地点", "机构", "书", "公司"])
_ENTITIES = st.frozensets(st.builds(lambda a, n, t: Entity(a, a + n, t), st.integers(0, 5), st.integers(1, 3), _TYPES),
                          max_size=3)  # fmt: skip


def recognised(example: Example, entities: Iterable[Entity]) -> Recognised:
    found = (FoundEntity(example.text[e.start : e.end], e.start, e.end, e.type, 0.9) for e in sorted(entities))
    return Recognised(example, tuple(found))


@examples_of(max_examples=40, deadline=None)
@given(
    st.lists(st.tuples(_ENTITIES, _ENTITIES), min_size=1, max_size=17),
    st.sampled_from(["seqeval", "span", "cluener"]),
    st.integers(1, 6),
)
def test_a_stream_is_judged_as_all_at_once(
    pairs: list[tuple[frozenset[Entity], frozenset[Entity]]], metric: str, chunk: int
) -> None:
    """Also the mean over types, of which later texts may have others than the first ones."""
    task = get_task("ner")
    recipe = load_recipe("ner-crf", [f"score.metric={metric}"])
    gold = [Example(f"（{n}）一二三四五六七", tuple(sorted(one))) for n, (one, _) in enumerate(pairs)]
    said = [recognised(example, other) for example, (_, other) in zip(gold, pairs, strict=True)]
    done: list[int] = []
    with mock.patch.object(counting, "CHUNK", chunk):
        report = judged(task, recipe, zip(gold, said, strict=True), done.append)
    whole = task.evaluate(recipe, gold, said)
    assert report.metric == whole.metric and report.primary == whole.primary and done[-1] == len(gold)
    assert report.values[report.primary] == pytest.approx(whole.values[whole.primary])
    np.testing.assert_array_equal(report.counts, whole.counts)


@examples_of(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=9), st.integers(1, 3))
def test_questions_without_references_may_stand_together(known: list[tuple[bool, bool]], chunk: int) -> None:
    """A preparation puts those last that it cannot locate, and all questions of a chunk may be such."""
    task, recipe = get_task("qa"), load_recipe("qa")
    gold = [Question(str(n), "谁？", (), ("甲",) if has else (), form="webqa") for n, (has, _) in enumerate(known)]
    said = [Answered(str(n), "谁？", (), "甲" if right else "乙") for n, (_, right) in enumerate(known)]
    pairs = list(zip(gold, said, strict=True))
    with mock.patch.object(counting, "CHUNK", chunk):
        if not any(has for has, _ in known):
            with pytest.raises(NothingCounts, match="counts under sogouqa"):
                judged(task, recipe, pairs)
            return
        report = judged(task, recipe, pairs)
    whole = task.evaluate(recipe, gold, said)
    assert report.metric == whole.metric == "sogouqa"
    np.testing.assert_array_equal(report.counts, whole.counts)
    assert report.values[report.primary] == pytest.approx(whole.values[whole.primary])


def test_nothing_to_judge_is_told() -> None:
    with pytest.raises(ValueError, match="no text"):
        judged(get_task("ner"), load_recipe("ner-crf"), iter(()))
