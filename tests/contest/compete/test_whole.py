"""What comes of competitions, from their files to what is handed in."""

from __future__ import annotations

import json
import os
import zipfile
from pathlib import Path

import pytest

from ietool.contest.compete import competing
from ietool.contest.compete.competing import compete
from ietool.contest.compete.ground import look
from ietool.contest.compete.plan import Plan
from ietool.contest.compete.recipes import names_of
from ietool.contest.compete.state import STATE, read_state
from ietool.paths import shipped_data, shipped_recipes
from ietool.recipe_io import load_recipe
from tests.contest.compete.conftest import Compete
from tests.in_process import command_here
from tests.tasks.qa import made as qa


def write_recipe(path: Path, change: str, by: str) -> Path:
    """A file of the recipe ner-globalpointer with one line of it changed."""
    text = shipped_recipes()["ner-globalpointer"].read_text(encoding="utf-8")
    assert change in text
    path.write_text(text.replace(change, by), encoding="utf-8")
    return path


# -- recipes


def test_what_a_file_says_is_trained(work: Path, competed: Compete) -> None:
    """Not the shipped recipe of its name; and two of one name have places of their own."""
    same = write_recipe(work / "same.yaml", "size: 64", "size: 8")
    (work / "elsewhere").mkdir()
    other = write_recipe(work / "elsewhere" / "other.yaml", "size: 64", "size: 12")
    competed([same, other])
    sizes = {}
    for run in (work / "mine" / "members").iterdir():
        sizes[run.name] = load_recipe(run / "recipe.yaml").model.head.size  # type: ignore[attr-defined]
    assert sizes == {"ner-globalpointer-seed-42": 8, "ner-globalpointer-2-seed-42": 12}


def test_a_name_of_ones_own_is_trained_and_resumed_from_elsewhere(
    work: Path, competed: Compete, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_recipe(work / "mine.yaml", "name: ner-globalpointer", "name: mine")

    class Stopped(Exception):
        pass

    def stop(plan: object) -> None:
        raise Stopped

    with pytest.raises(Stopped):
        competed(["mine.yaml"], on_plan=stop, hours=0.03)
    os.remove("mine.yaml")
    (work / "elsewhere").mkdir()
    monkeypatch.chdir(work / "elsewhere")
    done = compete(None, Path("../mine"), hours=0, resume=True)
    assert done.run.name == "mine-seed-42" and done.submission is not None
    recipe = load_recipe(done.run / "recipe.yaml")
    assert recipe.name == "mine" and recipe.model.encoder.hidden_size == 16  # type: ignore[attr-defined]


def test_recipes_of_one_name_are_told_apart() -> None:
    recipes = [load_recipe("ner-crf").model_copy(update={"name": name}) for name in ("a", "a", "a-2", "a")]
    assert names_of(recipes) == ["a", "a-3", "a-2", "a-4"]


def test_one_recipe_named_twice_is_one() -> None:
    file = str(shipped_recipes()["ner-crf"])
    assert len(look(shipped_data("ner"), ["ner-crf", file]).recipes) == 1


def test_a_folder_of_another_version_is_told(work: Path) -> None:
    (work / "compete.json").write_text(json.dumps({"format": 1}), encoding="utf-8")
    with pytest.raises(Exception, match="another version"):
        read_state(work)


# -- what is handed in


def test_the_lines_of_sogouqa_are_handed_in_as_they_are(work: Path, competed: Compete) -> None:
    notes: list[str] = []
    done = competed(["qa"], task="qa", hours=0.03, on_note=notes.append)
    assert (done.result.name, done.submission) == ("result.tsv", work / "mine" / "submission.tsv"), notes
    assert len(notes) == 1 and done.submission.read_bytes() == done.result.read_bytes()


def test_one_object_of_answers_is_handed_in_unpacked(work: Path, competed: Compete) -> None:
    qa.dump(work / "data" / "train.json", qa.squad(24))
    qa.dump(work / "data" / "dev.json", qa.squad(8, 50))
    done = competed(["qa"], task="qa", hours=0.03)
    assert (done.result.name, done.submission) == ("result.json", work / "mine" / "submission.json")
    assert set(json.loads(done.submission.read_text("utf-8"))) == {f"s{n}" for n in range(50, 58)}


def test_what_is_packed_has_the_name_of_its_competition(work: Path, competed: Compete) -> None:
    done = competed(["ner-crf"], hours=0.03)
    assert done.submission == work / "mine" / "submission.zip"
    assert zipfile.ZipFile(done.submission).namelist() == ["cluener_predict.json"]


def test_all_verbs_compute_where_it_was_said(work: Path, competed: Compete) -> None:
    """Another device may be taken, or broken."""
    competed(["ner-crf"])
    logs = "".join(log.read_text(encoding="utf-8") for log in (work / "mine" / "logs").iterdir())
    commands = [line.split()[2:] for line in logs.splitlines() if line.startswith("$ ietool ")]
    by_verb = {command[0]: " ".join(command) for command in commands}
    assert set(by_verb) == {"train", "ensemble", "tune", "predict", "submit"}
    assert all("--device cpu" in by_verb[verb] for verb in ("train", "ensemble", "predict"))


def test_json_is_one_value(work: Path, competed: Compete, monkeypatch: pytest.MonkeyPatch) -> None:
    done = competed(["ner-crf"], hours=0.03)
    monkeypatch.setattr(competing, "compete", lambda *_, on_plan, **__: (on_plan(Plan(1, [])), done)[1])
    shown = command_here(work, "compete", "--resume", "--output", "mine", "--json")
    assert json.loads(shown.stdout)["run"] == str(done.run) and "Plan" not in shown.stdout
    assert "Plan" in command_here(work, "compete", "--resume", "--output", "mine").stdout


def test_what_was_not_begun_does_not_go_on(work: Path, competed: Compete, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(competing, "compete", interrupted)
    begin = ("compete", "--data", "data", "--hours", "1", "--output", "mine")
    assert "nothing was begun" in command_here(work, *begin).stderr
    (work / "mine").mkdir()
    (work / "mine" / STATE).touch()
    assert "ietool compete --resume --output mine" in command_here(work, *begin).stderr
    assert "leaves nothing to learn from" in command_here(work, *begin, "--folds", "1").stderr
