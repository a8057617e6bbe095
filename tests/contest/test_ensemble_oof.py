"""Ensembles of groups of folds: weights and the main threshold from all of train, each text by what has not seen it."""

from __future__ import annotations

import json
import os
import shutil
import weakref
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pytest

from ietool.contest import counting
from ietool.contest.ensemble.figures import Trial
from ietool.contest.group import ASSIGNMENT, Group, mark_of, open_group, write_group
from ietool.core.candidates import Candidates, Floor, merged, union
from ietool.recipe import Recipe
from ietool.recipe_io import change_recipe, load_recipe
from ietool.registry import get_task
from ietool.runs.entry import open_run
from ietool.runs.folder import update_run
from ietool.runs.members import read_members
from ietool.tasks.ner.heads.globalpointer.decode import PointerDecoder
from ietool.workflow import members
from ietool.workflow.members import RunReaders
from ietool.workflow.predict import load
from tests.contest.corpora import settings
from tests.contest.test_ensemble import shaken
from tests.in_process import command_here
from tests.tasks.ner.made import examples, write_json

POINTER = ("ner-globalpointer", "training.head_learning_rate=0.03", "training.batch_size=4", "training.epochs=3")
CRF = ("ner-crf", "training.epochs=1")
RECORDS = 40


def train(folder: Path, output: str | Path, data: str | Path, recipe: Sequence[str] = POINTER) -> None:
    """A group of two folds."""
    name, *more = recipe
    small = settings("ner", *more)[2:]
    done = command_here(
        folder, "train", "--recipe", name, *small, "--data", data, "--folds", 2, "--output", output, "--device", "cpu"
    )
    assert done.returncode == 0, done.stderr


def write_data(folder: Path) -> Path:
    folder.mkdir()
    write_json(folder / "train.json", examples(RECORDS))
    write_json(folder / "dev.json", examples(12, seed=2))
    return folder


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Groups of two folds that cut the same train alike: ``one``, ``two`` of one head, and ``crf``; ``team`` is an
    ensemble of the first two."""
    folder = tmp_path_factory.mktemp("oof")
    # With all that tests import a collection takes a second.
    with mock.patch.dict(os.environ, {"IETOOL_HOME": str(folder)}), mock.patch.object(members.gc, "collect"):
        write_data(folder / "data")
        train(folder, "one", "data")
        train(folder, "crf", "data", CRF)
        shutil.copytree(folder / "one", folder / "two")
        for number, name in enumerate(open_group(folder / "two").info.members):
            shaken(folder / "two" / name, seed=number, by=0.4)
        made = ensemble(folder, "one", "two", "--on", "oof", "--output", "team")
        (folder / "told.json").write_text(json.dumps(made), encoding="utf-8")
        yield folder


def ensemble(folder: Path, *arguments: object) -> dict[str, Any]:
    done = command_here(folder, "ensemble", *arguments, "--device", "cpu", "--json")
    assert done.returncode == 0, done.stderr
    made: dict[str, Any] = json.loads(done.stdout)
    return made


def refused(folder: Path, *arguments: object) -> str:
    done = command_here(folder, "ensemble", *arguments, "--device", "cpu", "--output", "no")
    assert done.returncode == 2 and not (folder / "no").exists(), done.stderr
    (last,) = (line for line in done.stderr.splitlines() if line.startswith("error: "))
    return last


class Twin:
    """A literal reading: for each fold its members by themselves, their rows laid together, averaged and decoded."""

    def __init__(self, work: Path, groups: Sequence[str]) -> None:
        info = open_group(work / groups[0]).info
        self.base, self.task = Path(info.prepared), get_task("ner")
        folds = np.load(work / groups[0] / ASSIGNMENT)
        self.records: list[Any] = list(self.task.kept(self.base).read(self.base / "train.jsonl"))
        recipe: Recipe = load_recipe(work / groups[0] / "recipe.yaml")
        self.recipe = change_recipe(recipe, [f"score.metric={info.metric}"])
        self.found: dict[int, list[Candidates]] = {}
        for fold in range(info.folds):
            rows = np.flatnonzero(folds == fold).tolist()
            mine = [self.records[row] for row in rows]
            models = [load(work / group / f"fold-{fold + 1}-seed-42", device="cpu").predictor for group in groups]
            proposed = [[one for _, one in m.reader.propose(mine, floor=Floor(0.01))] for m in models]
            every = [union(some) for some in zip(*proposed, strict=True)]
            blank = [Candidates(r, np.zeros((len(r), 1), np.float32), np.zeros(0, np.float32)) for r in every]
            said = [[one for _, one in m.reader.score(zip(mine, blank, strict=True))] for m in models]
            self.found |= dict(zip(rows, map(list, zip(*said, strict=True)), strict=True))
            self.decoder = models[0].decoder

    def said(self, weights: Sequence[float], threshold: float = 0.5) -> list[Any]:
        """A prediction a record, in the order of train."""
        decode = self.recipe.decode.model_copy(update={"threshold": threshold})
        return [
            self.decoder.decode(record, merged(self.found[row], weights), decode)
            for row, record in enumerate(self.records)
        ]

    def score(self, said: Sequence[Any]) -> float:
        report = self.task.evaluate(self.recipe, self.records, said)
        return float(report.values[report.primary])

    def vote(self) -> list[Any]:
        """What both have found."""
        joined = []
        for both in zip(self.said([1, 0]), self.said([0, 1]), strict=True):
            one, two = map(self.task.items, both)
            joined.append(self.task.joined(both, {item: p for item, p in one.items() if item in two}))
        return joined


def test_what_is_told_is_what_members_say_of_records_they_have_not_seen(work: Path) -> None:
    made = json.loads((work / "told.json").read_text(encoding="utf-8"))
    figures = made["figures"]
    assert figures["source"] == "train, out of fold" and figures["texts"] == RECORDS
    assert [name for name, *_ in figures["members"]] == ["one", "two"]
    twin = Twin(work, ["one", "two"])
    alone = {name: score for name, score, _ in figures["members"]}
    assert alone["one"] == pytest.approx(open_group(work / "one").info.scores["oof"]) and alone["one"] > 0.05
    assert alone["two"] == pytest.approx(twin.score(twin.said([0, 1]))) and alone["one"] != alone["two"]
    assert figures["equal"] == pytest.approx(twin.score(twin.said([1, 1])))
    # Each of the two folds of a group has the weight of the group, and the ensemble the threshold that was chosen.
    info = read_members(work / "team")
    assert [member.run.split("/")[-2:] for member in info.members] == [
        [group, f"fold-{fold}-seed-42"] for group in ("one", "two") for fold in (1, 2)
    ]
    weights = [member.weight for member in info.members]
    assert weights == [weight for *_, weight in figures["members"] for _ in range(2)]
    threshold = load_recipe(work / "team" / "recipe.yaml").decode.threshold  # type: ignore[attr-defined]
    own = [weight for *_, weight in figures["members"]]
    chosen = twin.score(twin.said(own, threshold))
    assert chosen == pytest.approx(figures["optimistic"] if figures["used"] else figures["equal"])
    assert figures["used"] and made["settings"] == [f"decode.threshold={threshold:g}"]
    # No single step away from what is chosen is better on all of train.
    for number in (0, 1):
        for factor in (0.0, 0.5, 2.0):
            other = [factor if n == number else weight for n, weight in enumerate(own)]
            assert not sum(other) or twin.score(twin.said(other, threshold)) <= chosen + 1e-9
    assert all(twin.score(twin.said(own, value)) <= chosen + 1e-9 for value in (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7))
    assert figures["equal"] < figures["nested"]
    assert figures["score"] == figures["nested"] and figures["interval"][0] < chosen < figures["interval"][1]
    assert figures["gain"][0] == pytest.approx(figures["nested"] - figures["equal"]) and len(figures["gain"][1]) == 2
    mean = np.mean(list(alone.values()))
    assert figures["over_mean"][0] == pytest.approx(figures["score"] - mean)
    # How often what n of the two have found is right.
    counted: dict[int, list[bool]] = {1: [], 2: []}
    sides = [twin.said([1, 0]), twin.said([0, 1])]
    for record, *both in zip(twin.records, *sides, strict=True):
        gold = {(e.start, e.end, e.type) for e in record.entities}
        found = [set(twin.task.items(one)) for one in both]
        for item in found[0] | found[1]:
            counted[sum(item in one for one in found)].append(item in gold)
    told = {n: (items, value) for n, items, value, _ in figures["agreement"]}
    assert told == {n: (len(own), pytest.approx(np.mean(own))) for n, own in counted.items() if own}
    assert len(told) == 2
    best = open_run(work / "team").info
    assert best.best is not None and best.best["source"] == "train, out of fold" and best.prepared == str(twin.base)
    assert "on train, out of fold" in command_here(work, "runs", "team").stdout
    assert not list(work.glob(".team*"))


def test_votes_are_counted_out_of_fold_too(work: Path, tmp_path: Path) -> None:
    made = ensemble(work, "one", "two", "--on", "oof", "--join", "vote", "--weights", "3,3", "--output", tmp_path / "t")
    twin = Twin(work, ["one", "two"])
    assert [len(group["members"]) for group in made["groups"]] == [1] * 4
    assert [group["weight"] for group in made["groups"]] == [3] * 4
    assert made["figures"]["equal"] == pytest.approx(twin.score(twin.vote()))


def test_groups_of_different_heads(work: Path, tmp_path: Path) -> None:
    """Their columns differ, and so do the folders they were prepared in; one without weight changes nothing."""
    weights = ("--weights", "1,0", "--output", tmp_path / "team")
    figures = ensemble(work, "one", "crf", "--on", "oof", *weights)["figures"]
    assert figures["equal"] == pytest.approx(open_group(work / "one").info.scores["oof"])
    info = read_members(tmp_path / "team")
    assert [(group.head, group.weight, len(group.members)) for group in info.groups] == [
        ("globalpointer", 2.0, 2),
        ("crf", 0.0, 2),
    ]


def test_one_group_alone_has_its_threshold_chosen(work: Path, tmp_path: Path) -> None:
    done = command_here(work, "ensemble", "one", "--on", "oof", "--device", "cpu", "--output", tmp_path / "team")
    assert f"on {RECORDS} texts of train, out of fold" in done.stdout and "1 of 1" in done.stdout
    figures = json.loads((tmp_path / "team" / "report.json").read_text(encoding="utf-8"))
    assert [(name, weight) for name, _, weight in figures["members"]] == [("one", 1.0)]
    assert figures["equal"] == pytest.approx(open_group(work / "one").info.scores["oof"])
    assert figures["optimistic"] >= figures["equal"]


def test_without_dev_it_is_out_of_fold_by_itself(work: Path, tmp_path: Path) -> None:
    """The folds' dev is kept where they were prepared: without it train is taken, if nothing else is asked for."""
    for name in ("one", "two"):
        shutil.copytree(work / name, tmp_path / name)
        for fold in open_group(tmp_path / name).info.members:
            shutil.rmtree(tmp_path / name / fold / "dev")
            update_run(tmp_path / name / fold, prepared=str(tmp_path / "gone"))
    runs = (tmp_path / "one", tmp_path / "two")
    assert ensemble(work, *runs, "--output", tmp_path / "b")["figures"]["source"] == "train, out of fold"
    assert ensemble(work, *runs, "--on", "dev", "--output", tmp_path / "c")["figures"] is None


# -- killed, and in bounded memory


def test_a_killed_call_goes_on(work: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = json.loads((work / "told.json").read_text(encoding="utf-8"))
    asked: list[str] = []
    held: list[int] = []
    reading = RunReaders.reading
    stop = 6

    def counted(self: RunReaders, number: int) -> AbstractContextManager[Any]:
        asked.append("/".join(self.folders[number].parts[-2:]))
        if len(asked) == stop:
            raise MemoryError("as if the process were killed here")
        held.append(len(self._held))
        return reading(self, number)

    monkeypatch.setattr(RunReaders, "reading", counted)
    again = ("ensemble", "one", "two", "--on", "oof", "--output", tmp_path / "team", "--device", "cpu")
    assert command_here(work, *again).returncode != 0 and not (tmp_path / "team").exists()
    both = [f"{group}/fold-{{0}}-seed-42" for group in ("one", "two", "two", "one")]  # propose, propose, score, score
    assert asked == [name.format(1) for name in both] + [name.format(2) for name in both[:2]]
    asked.clear()
    stop = 0
    made = ensemble(work, *again[1:])
    assert asked == [name.format(2) for name in both[1:]] and made["figures"] == whole["figures"]
    assert max(held) == 1


def test_memory_does_not_grow_with_train(work: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of what was predicted no more is alive than what is judged at once."""
    alive = most = made = 0

    def gone() -> None:
        nonlocal alive
        alive -= 1

    decode = PointerDecoder.decode

    def watched(self: PointerDecoder, *arguments: Any) -> Any:
        nonlocal alive, most, made
        prediction = decode(self, *arguments)
        weakref.finalize(prediction, gone)
        alive, made = alive + 1, made + 1
        most = max(most, alive)
        return prediction

    monkeypatch.setattr(PointerDecoder, "decode", watched)
    monkeypatch.setattr(counting, "CHUNK", 3)
    trials: list[Trial] = []
    begin = Trial.__init__

    def kept(self: Trial, *arguments: Any, **more: Any) -> None:
        begin(self, *arguments, **more)
        trials.append(self)

    monkeypatch.setattr(Trial, "__init__", kept)
    ensemble(work, "one", "two", "--on", "oof", "--output", tmp_path / "team")
    assert made > RECORDS * 10 and most <= 3 * 4
    (trial,) = trials
    assert all(isinstance(counts, np.memmap) for counts in trial._counts.values()) and len(trial._counts) > 5


# -- what is refused


def test_what_cannot_be_out_of_fold_is_refused(work: Path, tmp_path: Path) -> None:
    shutil.copytree(work / "two" / "fold-1-seed-42", tmp_path / "lone")
    shaken(tmp_path / "lone", seed=7)
    error = refused(work, "one", tmp_path / "lone", "--on", "oof")
    assert "lone: is no fold, and may have seen all of train" in error and "--on dev" in error
    assert "does not go with --gold" in refused(work, "one", "--on", "oof", "--gold", "data/dev.json")
    assert "nothing is chosen on 'oo'" in refused(work, "one", "two", "--on", "oo")
    error = refused(work, "one", "two", "--on", "oof", "--weights", "1,2,1,1")
    assert "--weights: gives the folds of one different weights" in error
    assert "names 3 weights, the ensemble has 4 members" in refused(work, "one", "two", "--weights", "1,2,1")


@pytest.fixture
def changed(work: Path, tmp_path: Path) -> Callable[[Callable[[Path, Group], None]], Path]:
    """A copy of the group ``two`` that was changed."""

    def made(change: Callable[[Path, Group], None]) -> Path:
        folder = shutil.copytree(work / "two", tmp_path / "two")
        info = open_group(folder).info
        change(folder, info)
        write_group(folder, info)
        return folder

    return made


Changed = Callable[[Callable[[Path, Group], None]], Path]


def test_another_cut_is_refused(work: Path, changed: Changed) -> None:
    def other(folder: Path, info: Group) -> None:
        folds = 1 - np.load(folder / ASSIGNMENT)
        np.save(folder / ASSIGNMENT, folds)
        info.assignment = mark_of(folds)

    group = changed(other)
    assert f"{group}: cuts train otherwise than one" in refused(work, "one", group, "--on", "oof")


def test_folds_of_other_records_are_refused(work: Path, tmp_path: Path) -> None:
    data = write_data(tmp_path / "data")
    first, *others = examples(RECORDS)
    write_json(data / "train.json", [replace(first, entities=()), *others])  # the same texts with other gold
    train(work, tmp_path / "group", data, CRF)
    error = refused(work, "one", tmp_path / "group", "--on", "oof")
    assert "group: cuts train otherwise than one, or another train" in error


def test_a_member_that_has_seen_its_part_is_refused(work: Path, changed: Changed) -> None:
    def leaks(folder: Path, info: Group) -> None:
        runs = [folder / name for name in info.members]
        parts = [open_run(run).info.left_out for run in runs]
        for run, part in zip(runs, reversed(parts), strict=True):
            update_run(run, left_out=part)

    group = changed(leaks)
    assert "was trained on another part of train than its fold says" in refused(work, "one", group, "--on", "oof")


def test_a_group_that_is_not_finished_is_refused(work: Path, changed: Changed) -> None:
    def half(folder: Path, info: Group) -> None:
        info.state, info.process = "training", 2**22 + 1

    group = changed(half)
    error = refused(work, "one", group)
    assert "is a group that is not finished (interrupted)" in error and f"train --resume --output {group}" in error
    (group / "folds.json").write_text('{"recipe": 3}', encoding="utf-8")
    assert "folds.json: recipe: is damaged" in refused(work, "one", group)


def test_data_that_is_gone_is_told(work: Path, changed: Changed, tmp_path: Path) -> None:
    def gone(folder: Path, info: Group) -> None:
        info.prepared = str(tmp_path / "nowhere")

    group = changed(gone)
    error = refused(work, "one", group, "--on", "oof")
    assert f"{group}: the prepared data that it was cut of is gone: {tmp_path / 'nowhere'}" in error


# -- what tune has found


def test_a_threshold_found_out_of_fold_is_that_of_the_ensemble(work: Path, tmp_path: Path) -> None:
    group = shutil.copytree(work / "one", tmp_path / "one")
    for name in open_group(group).info.members:
        text = (group / name / "recipe.yaml").read_text(encoding="utf-8")
        assert "threshold: 0.5" in text
        (group / name / "recipe.yaml").write_text(text.replace("threshold: 0.5", "threshold: 0.93"), encoding="utf-8")
    done = command_here(work, "tune", group, "--force", "--json")
    assert done.returncode == 0, done.stderr
    tuned = json.loads(done.stdout)["settings"]["decode.threshold"]
    found = tuned[1] if isinstance(tuned, list) else tuned["after"]
    assert found != 0.93
    ensemble(work, group, "--weights", "1,1", "--output", tmp_path / "team", "--join", "union")
    assert load_recipe(tmp_path / "team" / "recipe.yaml").decode.threshold == found  # type: ignore[attr-defined]
    model = load(tmp_path / "team", device="cpu")
    assert model.recipe.decode.threshold == found  # type: ignore[attr-defined]


def test_a_group_is_no_run(work: Path) -> None:
    done = command_here(work, "predict", "--run", "one", "--text", "北京")
    assert done.returncode == 2 and done.stderr.count("\n") == 1
    assert "one: is a group of runs, not one of them → make one run of them by: ietool ensemble one" in done.stderr
