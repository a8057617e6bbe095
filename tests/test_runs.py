"""Run folders."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from ietool import runs
from ietool.errors import UserError
from ietool.recipe_io import load_recipe


@pytest.fixture(autouse=True)
def in_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def finish(folder: Path) -> Path:
    (folder / runs.WEIGHTS_FILE).write_bytes(b"")
    runs.update_run(folder, state="finished")
    return folder


def test_default_folder_is_under_runs_and_never_taken_twice() -> None:
    folders = [runs.create_run(load_recipe("ske")) for _ in range(3)]
    assert len(set(folders)) == 3
    assert all(folder.parent == Path("runs/ske") for folder in folders)


def test_a_run_says_what_it_is() -> None:
    folder = runs.create_run(load_recipe("ske", ["training.epochs=3"]), Path("out"), device="cpu")
    assert load_recipe(folder / "recipe.yaml").training.epochs == 3
    info = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    assert info["recipe"] == "ske"
    assert info["state"] == "training"
    assert info["differences"] == {"training.epochs": 3}
    assert info["device"] == "cpu"
    assert info["versions"]["torch"]


def test_a_recipe_of_ones_own_is_compared_with_its_file(tmp_path: Path) -> None:
    (tmp_path / "own.yaml").write_text("name: own-recipe\ntask: ske\ntraining:\n  epochs: 9\n", encoding="utf-8")
    folder = runs.create_run(load_recipe("own.yaml", ["training.seed=3"]))
    assert runs.open_run(folder, weights=False).info.differences == {"training.seed": 3}


def test_output_that_is_something_else_is_left_alone() -> None:
    Path("thesis").mkdir()
    Path("thesis/chapter.txt").write_text("years of work", encoding="utf-8")
    for overwrite in (False, True):
        with pytest.raises(UserError, match="no run of ietool"):
            runs.create_run(load_recipe("ske"), Path("thesis"), overwrite=overwrite)
    assert Path("thesis/chapter.txt").read_text(encoding="utf-8") == "years of work"
    with pytest.raises(UserError, match="is a file"):
        runs.create_run(load_recipe("ske"), Path("thesis/chapter.txt"))


def test_output_that_is_a_run_is_kept_unless_told() -> None:
    folder = finish(runs.create_run(load_recipe("ske"), Path("out")))
    with pytest.raises(UserError, match="--overwrite"):
        runs.create_run(load_recipe("ske"), folder)
    assert (folder / runs.WEIGHTS_FILE).exists()
    runs.create_run(load_recipe("ske"), folder, overwrite=True)
    assert not (folder / runs.WEIGHTS_FILE).exists()


def test_unfinished_output_hints_at_resume() -> None:
    runs.create_run(load_recipe("ske"), Path("out"))
    with pytest.raises(UserError, match="--resume"):
        runs.create_run(load_recipe("ske"), Path("out"))


def test_latest_run_has_weights() -> None:
    with pytest.raises(UserError, match="ietool train --recipe ske"):
        runs.latest_run("ske")
    first = finish(runs.create_run(load_recipe("ske")))
    second = finish(runs.create_run(load_recipe("ske"), Path("runs/by-name")))
    third = runs.create_run(load_recipe("ske"))
    assert runs.latest_run("ske") == second
    assert runs.unfinished_run("ske") == third
    assert {entry.folder for entry in runs.list_runs()} == {first, second, third}
    with pytest.raises(UserError):
        runs.latest_run("other")


def test_update_is_whole_or_not_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    folder = runs.create_run(load_recipe("ske"))
    before = (folder / "run.json").read_text(encoding="utf-8")

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(UserError, match="No space left"):
        runs.update_run(folder, state="finished")
    assert (folder / "run.json").read_text(encoding="utf-8") == before
    assert sorted(path.name for path in folder.iterdir()) == ["recipe.yaml", "run.json"]
    with pytest.raises(KeyError):
        runs.update_run(folder, stat="finished")


def test_a_killed_run_is_interrupted() -> None:
    folder = runs.create_run(load_recipe("ske"))
    assert runs.open_run(folder, weights=False).state == "training"
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    runs.update_run(folder, process=gone.pid)
    assert runs.open_run(folder, weights=False).state == "interrupted"
    assert runs.update_run(folder, state="training").process != gone.pid


def test_folders_that_are_no_runs() -> None:
    with pytest.raises(UserError, match="no such run folder"):
        runs.open_run(Path("nowhere"))
    Path("empty").mkdir()
    with pytest.raises(UserError, match=r"run\.json is missing"):
        runs.open_run(Path("empty"))
    Path("empty/run.json").write_text("{", encoding="utf-8")
    with pytest.raises(UserError, match="damaged"):
        runs.open_run(Path("empty"))
    with pytest.raises(UserError, match="no weights yet"):
        runs.open_run(runs.create_run(load_recipe("ske")))


def test_damaged_runs_do_not_hide_the_others() -> None:
    good = runs.create_run(load_recipe("ske"))
    bad = Path("runs/ske/bad")
    bad.mkdir()
    (bad / "run.json").write_bytes(b"\xff\xfe")
    assert [entry.folder for entry in runs.list_runs()] == [good]
