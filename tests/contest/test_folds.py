"""``train --folds`` through the real command: a model for each part of train, which has not seen it."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pytest

from ietool.contest.compete.account import _scored
from ietool.contest.group import ASSIGNMENT, OOF, Group, mark_of, open_group, write_group
from ietool.core.candidate_files import read_candidates
from ietool.core.groups import GROUPS
from ietool.errors import UserError
from ietool.recipe_io import load_recipe
from ietool.registry import get_task
from ietool.runs.entry import GROUP_FILE, open_run
from ietool.runs.finding import latest_run
from ietool.text.encoding import TextEncoder
from ietool.workflow.predict import load
from ietool.workflow.prepare import LeftOut, prepare
from ietool.workflow.scores import file_mark
from tests.contest.corpora import RARE, settings, write_corpus
from tests.in_process import command_here
from tests.killing import killed

TASKS = ("ske", "ner", "el", "qa")


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("folds")
    with mock.patch.dict(os.environ, {"IETOOL_HOME": str(folder)}):
        yield folder


@pytest.fixture(scope="module")
def trained(work: Path) -> Callable[[str], Path]:
    """A group of two folds of each task, trained when it is first asked for."""

    def group(task: str) -> Path:
        made = work / task
        if not made.exists():
            write_corpus(task, work / f"data-{task}")
            done = command_here(
                work, "train", *settings(task), "--data", f"data-{task}", "--folds", 2, "--output", task
            )
            assert done.returncode == 0, done.stderr
            assert "fold-1-seed-42, 1 of 2" in done.stderr and f"group: {task}" in done.stderr
            assert "train, out of fold" in done.stdout and "mean on dev" in done.stdout
        return made

    return group


def refused(folder: Path, *arguments: object) -> str:
    done = command_here(folder, *arguments)
    assert done.returncode == 2, done.stderr
    *_, last = done.stderr.strip().splitlines()
    assert last.startswith("error: ") and done.stderr.count("error: ") == 1, done.stderr
    return last


def read_lines_of(prepared: Path) -> list[str]:
    return (prepared / "train.jsonl").read_text(encoding="utf-8").splitlines()


def whole_name(line: str) -> str:
    """A line that tells of its file by the name alone: folds are prepared from wherever the command is run."""
    return re.sub(r'"file": "[^"]*/', '"file": "', line)


def parts(group: Path) -> tuple[Group, Path, np.ndarray]:
    info = open_group(group).info
    return info, Path(info.prepared), np.load(group / ASSIGNMENT)


@pytest.mark.parametrize("task", TASKS)
def test_every_text_of_train_is_asked_of_a_model_that_has_not_seen_it(
    trained: Callable[[str], Path], task: str
) -> None:
    group = trained(task)
    info, base, folds = parts(group)
    assert info.state == "finished" and info.members == ["fold-1-seed-42", "fold-2-seed-42"]
    assert {"dev", "oof", "low", "high"} == set(info.scores)
    lines = [whole_name(line) for line in read_lines_of(base)]
    assert len(folds) == len(lines) and abs(np.diff(np.bincount(folds))) <= 2
    every = read_candidates(group / OOF)
    assert sum(map(len, every)) > len(lines)
    assert len(every) == len(lines) and every.about["input"] == file_mark(base / "train.jsonl")
    records = list(get_task(info.task).kept(base).read(base / "train.jsonl"))
    for fold, name in enumerate(info.members):
        run = group / name
        entry = open_run(run).info
        own = [whole_name(line) for line in read_lines_of(Path(entry.prepared))]
        mine = np.flatnonzero(folds == fold)
        assert entry.left_out and not set(own) & {lines[row] for row in mine}
        assert sorted(own) == sorted(lines[row] for row in np.flatnonzero(folds != fold))
        # What the group holds of a record is what the member says that was trained without it.
        reader = load(run).predictor.reader
        said = [one for _, one in reader.propose([records[row] for row in mine], floor=every.floor)]
        for row, one in zip(mine, said, strict=True):
            np.testing.assert_array_equal(every[row].rows, one.rows)
            np.testing.assert_allclose(every[row].parts, one.parts, atol=1e-5)
        assert get_task(info.task).label_names(run) == get_task(info.task).label_names(base)


@pytest.mark.parametrize("task", TASKS)
def test_an_ensemble_of_the_group_starts_from_its_score(trained: Callable[[str], Path], work: Path, task: str) -> None:
    """One group alone: before anything is chosen each text is answered as it was out of fold."""
    info = open_group(trained(task)).info
    done = command_here(work, "ensemble", task, "--on", "oof", "--output", f"team-{task}", "--device", "cpu", "--json")
    assert done.returncode == 0, done.stderr
    figures = json.loads(done.stdout)["figures"]
    assert figures["metric"] == info.metric and figures["source"] == "train, out of fold"
    assert figures["equal"] == pytest.approx(info.scores["oof"]) and figures["nested"] <= 1
    assert figures["texts"] == len(read_lines_of(Path(info.prepared)))


@pytest.mark.parametrize("task", TASKS)
def test_no_statistic_of_a_member_knows_its_own_part(trained: Callable[[str], Path], task: str) -> None:
    group = trained(task)
    info, base, folds = parts(group)
    lines = (base / "train.jsonl").read_text(encoding="utf-8").splitlines()
    (row,) = (number for number, line in enumerate(lines) if RARE in line)
    knows = {}
    for fold, name in enumerate(info.members):
        run = group / name
        told = [RARE in (run / f).read_text(encoding="utf-8") for f in ("prior_names.txt",) if (run / f).is_file()]
        told.append(RARE in TextEncoder.open(run).vocabulary.characters)
        if task == "el":  # an annotated name of that record alone
            text = (run / "annotations.jsonl").read_text(encoding="utf-8")
            told.append("音乐" in text and not any("音乐" in lines[n] for n in np.flatnonzero(folds != fold)))
        knows[fold] = told
    own = int(folds[row])
    assert not any(knows[own]), "a leak"
    assert all(knows[1 - own][:-1] if task == "el" else knows[1 - own])


def test_the_group_is_one_row_with_its_members_under_it(trained: Callable[[str], Path], work: Path) -> None:
    trained("ner")
    done = command_here(work, "runs", "ner")
    head, first, second = done.stdout.splitlines()[2:5]
    assert head.startswith("ner ") and "mean of 2" in head and "finished  ner-crf: 2 folds" in head
    assert first.startswith("ner/fold-1-seed-42 ") and second.startswith("ner/fold-2-seed-42 ")
    told = json.loads(command_here(work, "runs", "ner", "--json").stdout)
    assert [run.get("group", run.get("members")) for run in told] == [
        "ner",
        "ner",
        ["fold-1-seed-42", "fold-2-seed-42"],
    ]


def test_members_are_no_model_to_predict_with_by_default(
    trained: Callable[[str], Path], work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    group = trained("ner")
    (work / "home" / "runs").mkdir(parents=True)
    monkeypatch.setenv("IETOOL_HOME", str(work / "home"))
    copy = work / "home" / "runs" / "group"
    shutil.copytree(group, copy)
    with pytest.raises(UserError, match="no trained run of recipe"):
        latest_run("ner-crf")
    # What is to be gone on with by default is the group, where all but its last step is done.
    info = open_group(copy).info
    info.state, info.process = "training", 2**22 + 1
    write_group(copy, info)
    done = command_here(work, "train", "--resume", "--recipe", "ner-crf")
    assert done.returncode == 0 and open_group(copy).info.state == "finished", done.stderr
    assert "no unfinished run" in refused(work, "train", "--resume", "--recipe", "ner-crf")


def test_what_is_finished_or_taken_is_refused(trained: Callable[[str], Path], work: Path) -> None:
    trained("ner")
    again = ["train", *settings("ner"), "--data", "data-ner", "--folds", 2, "--output", "ner"]
    assert "holds a group of folds already (finished)" in refused(work, *again)
    assert "is finished already" in refused(work, "train", "--resume", "--output", "ner")
    assert "is finished already" in refused(work, "train", "--resume", "--output", "ner/fold-1-seed-42")
    # One that was removed, to train it anew, is trained by going on, itself or with the group.
    weights = (work / "ner" / "fold-1-seed-42" / "model.safetensors").read_bytes()
    for whole in ("ner/fold-1-seed-42", "ner"):
        shutil.rmtree(work / "ner" / "fold-1-seed-42")
        done = command_here(work, "train", "--resume", "--output", whole)
        assert done.returncode == 0, done.stderr
        assert (work / "ner" / "fold-1-seed-42" / "model.safetensors").read_bytes() == weights
    alone = ["train", *settings("ner"), "--data", "data-ner", "--output", "ner", "--overwrite"]
    assert "holds a group of folds, no single run → choose another --output" in refused(work, *alone)
    member = ["train", *settings("ner"), "--data", "data-ner", "--folds", 2, "--output", "ner/fold-1-seed-42"]
    assert "holds a single run, no group of folds" in refused(work, *member, "--overwrite")
    start = refused(work, "train", "--from", "ner", "--data", "data-ner")
    assert "is a group of runs → name one of them: --from ner/fold-1-seed-42" in start
    few = ["train", *settings("ner"), "--data", "data-ner", "--folds", 99, "--output", "few"]
    assert "--folds: train has 25 records that are not alike" in refused(work, *few) and not (work / "few").exists()
    leak = refused(work, "train", *settings("ner"), "--folds", 2, "--from", "ner/fold-1-seed-42")
    assert "RUN has seen what the folds leave out" in leak
    assert "--resume goes on with" in refused(work, "train", "--resume", "--folds", 2, "--output", "ner")
    assert "is a group of ner-crf, not of ske" in refused(
        work, "train", "--recipe", "ske", "--resume", "--output", "ner"
    )


@pytest.mark.parametrize("task", ["qa", "ner"])
def test_folds_beside_a_run_of_the_same_files_have_its_dev(
    trained: Callable[[str], Path], work: Path, task: str
) -> None:
    """Records are written down with the place of their file, which folds have in full."""
    group = trained(task)
    done = command_here(work, "train", *settings(task), "--data", f"data-{task}", "--output", f"beside-{task}")
    assert done.returncode == 0, done.stderr
    done = command_here(work, "ensemble", f"beside-{task}", task, "--output", f"together-{task}", "--json")
    assert done.returncode == 0, done.stderr
    assert "different dev sets" not in done.stderr and json.loads(done.stdout)["figures"]["source"] == "dev"
    account = _scored(group)
    assert "all of train out of fold" in account and account.endswith("folds")


# -- leaks that somebody makes


def test_files_are_those_that_are_named_now(work: Path) -> None:
    """A preparation of the same elsewhere is used again, and may be gone from there."""
    write_corpus("ner", work / "before")
    assert command_here(work, "prepare", *settings("ner"), "--data", "before").returncode == 0
    (work / "before").rename(work / "after")
    done = command_here(work, "train", *settings("ner"), "--data", "after", "--folds", 2, "--output", "moved")
    assert done.returncode == 0, done.stderr
    files = open_group(work / "moved").info.files
    assert {Path(path).parent for path in files.values()} == {work / "after"}


def test_folds_of_another_version_are_told(trained: Callable[[str], Path], work: Path) -> None:
    info, base, folds = parts(trained("ner"))
    files = {role: Path(path) for role, path in info.files.items()}
    left_out = LeftOut(base, folds == 0)
    recipe = load_recipe(trained("ner") / "recipe.yaml")
    with (
        mock.patch("ietool.prepared.__version__", "9.9"), mock.patch("ietool.workflow.prepare.__version__", "9.9"),
        pytest.raises(UserError, match=r"the folds were cut by ietool .*, and this is 9\.9 → go on with"),
    ):  # fmt: skip
        prepare(recipe, files=files, left_out=left_out)


@pytest.fixture
def opened(trained: Callable[[str], Path], work: Path) -> Iterator[Path]:
    """A copy of a group that could go on, as if its last step were left."""
    copy = work / "opened"
    shutil.copytree(trained("ner"), copy)
    info = open_group(copy).info
    info.state = "training"
    write_group(copy, info)
    yield copy
    shutil.rmtree(copy)


def test_folds_that_were_changed_are_refused(opened: Path, work: Path) -> None:
    info, _, folds = parts(opened)
    one, two = (int(np.flatnonzero(folds == fold)[0]) for fold in (0, 1))
    folds[[one, two]] = folds[[two, one]]
    np.save(opened / ASSIGNMENT, folds)
    again = ("train", "--resume", "--output", "opened")
    assert "not those that the members were trained with" in refused(work, *again)
    info.assignment = mark_of(folds)  # a cleverer one
    write_group(opened, info)
    assert "was trained on another part of train than its fold says" in refused(work, *again)


def test_folds_that_divide_what_is_alike_are_refused(opened: Path, work: Path) -> None:
    _, base, folds = parts(opened)
    groups = np.load(base / GROUPS)
    kept = groups.copy()
    one, two = (int(np.flatnonzero(folds == fold)[0]) for fold in (0, 1))
    groups[two] = groups[one]
    np.save(base / GROUPS, groups)
    try:
        error = refused(work, "train", "--resume", "--output", "opened")
    finally:
        np.save(base / GROUPS, kept)
    assert f"record {max(one, two) + 1} is alike to record {min(one, two) + 1}, which is of another fold" in error


def test_a_member_that_has_seen_all_is_refused(opened: Path, work: Path) -> None:
    seen = json.loads((opened / "fold-2-seed-42" / "run.json").read_text())
    seen["left_out"] = ""
    (opened / "fold-2-seed-42" / "run.json").write_text(json.dumps(seen))
    assert "fold-2-seed-42: was trained on another part" in refused(work, "train", "--resume", "--output", "opened")


def test_candidates_of_other_weights_are_made_anew(opened: Path, work: Path) -> None:
    other = opened / "fold-2-seed-42" / OOF
    about = json.loads((other / "candidates.json").read_text())
    about["about"]["model"] = "another"
    (other / "candidates.json").write_text(json.dumps(about))
    done = command_here(work, "train", "--resume", "--output", "opened")
    assert done.returncode == 0, done.stderr
    assert read_candidates(other).about["model"] != "another"


def test_a_damaged_group_is_told_in_one_line(opened: Path, work: Path) -> None:
    for value, told in (('{"format"', "is damaged"), ('{"recipe": 3}', "recipe"), ("[]", "is damaged")):
        (opened / GROUP_FILE).write_text(value)
        assert told in refused(work, "train", "--resume", "--output", "opened")


# -- kill -9


def content(folder: Path, *names: str) -> dict[str, Any]:
    return {name: (folder / name).read_bytes() for name in names}


def test_a_killed_group_goes_on_to_the_digit(trained: Callable[[str], Path], work: Path) -> None:
    whole, group = trained("ner"), work / "killed"
    begin = ["train", *settings("ner"), "--data", "data-ner", "--folds", 2, "--output", "killed"]
    go_on = ("train", "--resume", "--output", "killed")
    first, second = group / "fold-1-seed-42", group / "fold-2-seed-42"

    def has(path: Path, text: str = "") -> Callable[[], bool]:
        return lambda: path.is_file() and text in path.read_text(encoding="utf-8")

    killed(work, has(first / "metrics.jsonl", '"epoch": 1'), *begin)
    assert "interrupted" in command_here(work, "runs", "killed").stdout
    assert f"go on with it by ietool {' '.join(go_on)}" in refused(work, *begin)
    killed(work, has(first / "run.json", '"finished"'), *go_on)
    # One member alone.
    shutil.rmtree(first / OOF, ignore_errors=True)
    done = command_here(work, *go_on[:-1], "killed/fold-1-seed-42")
    assert done.returncode == 0 and "not all members are finished" in done.stderr, done.stderr
    assert not second.exists() and len(read_candidates(first / OOF)) > 0
    killed(work, has(second / "run.json"), *go_on)
    done = command_here(work, *go_on)
    assert done.returncode == 0, done.stderr
    assert "fold-1-seed-42, 1 of 2" not in done.stderr, "trained once more"
    names = ("oof/candidates.arrow", "fold-1-seed-42/model.safetensors", "fold-2-seed-42/model.safetensors", ASSIGNMENT)
    assert content(group, *names) == content(whole, *names)
    assert open_group(group).info.scores == open_group(whole).info.scores


# -- seeds


def test_seeds_of_a_fold_are_averaged_over_what_each_proposes(work: Path) -> None:
    write_corpus("ner", work / "data-seeds", train=12)
    begin = ["train", *settings("ner"), "--data", "data-seeds", "--folds", 2, "--seeds", 2, "--output", "seeds"]
    done = command_here(work, *begin)
    assert done.returncode == 0, done.stderr
    info, _, folds = parts(work / "seeds")
    assert info.members == ["fold-1-seed-42", "fold-1-seed-43", "fold-2-seed-42", "fold-2-seed-43"]
    every = read_candidates(work / "seeds" / OOF)
    assert {one.models for one in every} == {2} and not (work / "seeds" / ".scored").exists()
    of_fold = [read_candidates(work / "seeds" / name / OOF) for name in info.members[:2]]
    for row, one, two in zip(np.flatnonzero(folds == 0), *of_fold, strict=True):
        found = {tuple(r): p for r, p in zip(every[row].rows.tolist(), every[row].parts, strict=True)}
        mine, other = (dict(zip(map(tuple, c.rows.tolist()), c.parts, strict=True)) for c in (one, two))
        assert set(found) == set(mine) | set(other)
        for place in set(mine) & set(other):
            np.testing.assert_allclose(found[place], (mine[place] + other[place]) / 2, atol=1e-5)


def test_seeds_alone_are_trained_on_all_of_train(work: Path) -> None:
    write_corpus("ner", work / "data-alone", train=12)
    begin = ["train", *settings("ner"), "--data", "data-alone", "--seeds", 2, "--output", "alone"]
    done = command_here(work, *begin)
    assert done.returncode == 0, done.stderr
    info = open_group(work / "alone").info
    assert info.members == ["seed-42", "seed-43"] and set(info.scores) == {"dev"}
    assert not (work / "alone" / OOF).exists() and not open_run(work / "alone" / "seed-42").info.left_out
    assert "2 seeds" in command_here(work, "runs", "alone").stdout
    assert "holds no folds: all of its models have seen all of train → tune a member" in refused(work, "tune", "alone")
    begin[begin.index("--seeds") + 1] = 1
    done = command_here(work, *begin, "--overwrite")
    assert done.returncode == 0, done.stderr
    assert open_group(work / "alone").info.members == ["seed-42"] and not (work / "alone" / "seed-43").exists()


# -- further mentions


def test_further_mentions_of_a_text_that_is_left_out_are_left_out(work: Path) -> None:
    data = write_corpus("el", work / "data-further", train=12)
    mentions = [
        {"text": f"{RARE}氏{RARE}的：音乐！", "mention_data": [{"mention": "音乐", "offset": "5"}]},
        {"text": "另外一句关于电影的话", "mention_data": [{"mention": "电影", "offset": "6"}]},
    ]
    lines = [json.dumps({"text_id": str(n), **record}, ensure_ascii=False) for n, record in enumerate(mentions)]
    (data / "mentions.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    recipe = load_recipe("el")
    files = {"mentions": data / "mentions.jsonl"}
    base = prepare(recipe, data=data, files=files, remembered=False)
    records = len(read_lines_of(base.folder))
    for out in (False, True):
        rows = np.zeros(records, bool)
        rows[-1 if out else 0] = True  # the planted one is the last
        part = prepare(recipe, data=data, files=files, remembered=False, left_out=LeftOut(base.folder, rows))
        assert (RARE in TextEncoder.open(part.folder).vocabulary.characters) is not out
        assert part.report.statistics["extra_mention_texts"] == (1 if out else 2)
