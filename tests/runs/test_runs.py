"""Run folders."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from ietool.errors import UserError
from ietool.recipe_io import load_recipe
from ietool.runs.entry import WEIGHTS_FILE, open_run
from ietool.runs.finding import latest_run, list_runs, unfinished_run
from ietool.runs.folder import check_resumed, create_run, model_files, update_run
from ietool.runs.info import FORMAT


@pytest.fixture(autouse=True)
def in_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def finish(folder: Path) -> Path:
    (folder / WEIGHTS_FILE).write_bytes(b"")
    update_run(folder, state="finished")
    return folder


def test_default_folder_is_under_runs_and_never_taken_twice() -> None:
    folders = [create_run(load_recipe("ner-crf")) for _ in range(3)]
    assert len(set(folders)) == 3
    assert all(folder.parent == Path("runs/ner-crf") for folder in folders)


def test_a_run_says_what_it_is() -> None:
    folder = create_run(load_recipe("ner-crf", ["training.epochs=3"]), Path("out"), device="cpu")
    assert load_recipe(folder / "recipe.yaml").training.epochs == 3
    info = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    assert info["recipe"] == "ner-crf"
    assert info["state"] == "training"
    assert info["differences"] == {"training.epochs": 3}
    assert info["device"] == "cpu"
    assert info["versions"]["torch"]


def test_a_recipe_of_ones_own_is_compared_with_its_file(tmp_path: Path) -> None:
    (tmp_path / "own.yaml").write_text("name: own-recipe\ntask: ner\ntraining:\n  epochs: 9\n", encoding="utf-8")
    folder = create_run(load_recipe("own.yaml", ["training.seed=3"]))
    assert open_run(folder, weights=False).info.differences == {"training.seed": 3}


def test_output_that_is_something_else_is_left_alone() -> None:
    Path("thesis").mkdir()
    Path("thesis/chapter.txt").write_text("years of work", encoding="utf-8")
    for overwrite in (False, True):
        with pytest.raises(UserError, match="no run of ietool"):
            create_run(load_recipe("ner-crf"), Path("thesis"), overwrite=overwrite)
    assert Path("thesis/chapter.txt").read_text(encoding="utf-8") == "years of work"
    with pytest.raises(UserError, match="is a file"):
        create_run(load_recipe("ner-crf"), Path("thesis/chapter.txt"))


def test_output_that_is_a_run_is_kept_unless_told() -> None:
    folder = finish(create_run(load_recipe("ner-crf"), Path("out")))
    with pytest.raises(UserError, match="--overwrite"):
        create_run(load_recipe("ner-crf"), folder)
    assert (folder / WEIGHTS_FILE).exists()
    create_run(load_recipe("ner-crf"), folder, overwrite=True)
    assert not (folder / WEIGHTS_FILE).exists()


def test_unfinished_output_hints_at_resume_where_it_can_go_on() -> None:
    Path("prepared").mkdir()
    create_run(load_recipe("ner-crf"), Path("out"), prepared=str(Path("prepared").resolve()))
    with pytest.raises(UserError, match="go on with it by ietool train --recipe ner-crf --output out --resume, choose"):
        create_run(load_recipe("ner-crf"), Path("out"))
    assert check_resumed(Path("out")).can_go_on
    Path("prepared").rmdir()
    with pytest.raises(UserError) as told:
        create_run(load_recipe("ner-crf"), Path("out"))
    assert "--resume" not in str(told.value) and "--overwrite" in str(told.value)
    with pytest.raises(UserError, match=r"prepared data is gone → leave out --resume; .* --output out --overwrite"):
        check_resumed(Path("out"))
    finish(Path("out"))
    with pytest.raises(UserError, match=r"is finished already → leave out --resume; .* --output out --overwrite"):
        check_resumed(Path("out"))


def test_the_latest_run_is_finished_and_not_of_the_demo() -> None:
    recipe = load_recipe("ner-crf")
    demo = finish(create_run(recipe, demo=True))
    assert demo.parent == Path("runs/demo/ner-crf") and open_run(demo).is_demo
    with pytest.raises(UserError, match=f"no trained run .*that of the demo is {demo}"):
        latest_run("ner-crf")
    stopped = create_run(recipe, Path("runs/a b"))
    (stopped / WEIGHTS_FILE).write_bytes(b"")
    update_run(stopped, state="interrupted")
    with pytest.raises(
        UserError, match=r"not finished: runs/a b \(interrupted\) → take it as it is with --run 'runs/a b'"
    ):
        latest_run("ner-crf")
    good = finish(create_run(recipe, Path("runs/b")))
    later = finish(create_run(recipe, Path("runs/c")))
    update_run(later, command=["ietool", "demo", "--recipe", "ner-crf"])  # of an older version
    assert latest_run("ner-crf") == good
    # What has diverged would do so again, and a demo is not gone on with by chance.
    update_run(stopped, state="diverged")
    update_run(demo, state="interrupted")
    with pytest.raises(UserError, match="no unfinished run"):
        unfinished_run("ner-crf")


def test_a_run_that_cannot_be_begun_leaves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    Path("mine").mkdir()
    monkeypatch.setattr("os.fsync", full)
    for output in (None, Path("new"), Path("mine")):
        with pytest.raises(UserError, match="No space left"):
            create_run(load_recipe("ner-crf"), output)
    assert not Path("new").exists() and not list(Path("mine").iterdir()) and list_runs() == []
    assert not list(Path("runs/ner-crf").iterdir())


def test_latest_run_has_weights() -> None:
    with pytest.raises(UserError, match="ietool train --recipe ner-crf"):
        latest_run("ner-crf")
    first = finish(create_run(load_recipe("ner-crf")))
    second = finish(create_run(load_recipe("ner-crf"), Path("runs/by-name")))
    third = create_run(load_recipe("ner-crf"))
    assert latest_run("ner-crf") == second
    assert unfinished_run("ner-crf") == third
    assert {entry.folder for entry in list_runs()} == {first, second, third}
    able = create_run(load_recipe("ner-crf"), Path("runs/able"))
    Path("prepared").mkdir()
    update_run(able, state="interrupted", prepared="prepared")
    update_run(create_run(load_recipe("ner-crf"), Path("runs/gone")), state="interrupted", prepared="elsewhere")
    assert unfinished_run("ner-crf") == able  # the newest that can go on
    update_run(able, state="diverged")
    with pytest.raises(UserError, match="has diverged, and would do so again → leave out --resume"):
        check_resumed(able)
    with pytest.raises(UserError):
        latest_run("other")


def test_update_is_whole_or_not_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    folder = create_run(load_recipe("ner-crf"))
    before = (folder / "run.json").read_text(encoding="utf-8")

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(UserError, match="No space left"):
        update_run(folder, state="finished")
    assert (folder / "run.json").read_text(encoding="utf-8") == before
    assert sorted(path.name for path in folder.iterdir()) == ["recipe.yaml", "run.json"]
    with pytest.raises(KeyError):
        update_run(folder, stat="finished")


def test_a_killed_run_is_interrupted() -> None:
    folder = create_run(load_recipe("ner-crf"))
    assert open_run(folder, weights=False).state == "training"
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    update_run(folder, process=gone.pid)
    assert open_run(folder, weights=False).state == "interrupted"
    assert update_run(folder, state="training").process != gone.pid


def test_folders_that_are_no_runs() -> None:
    with pytest.raises(UserError, match="no such run folder"):
        open_run(Path("nowhere"))
    Path("empty").mkdir()
    with pytest.raises(UserError, match=r"run\.json is missing"):
        open_run(Path("empty"))
    Path("empty/run.json").write_text("{", encoding="utf-8")
    with pytest.raises(UserError, match="damaged"):
        open_run(Path("empty"))
    with pytest.raises(UserError, match="no weights yet"):
        open_run(create_run(load_recipe("ner-crf")))


def test_damaged_runs_do_not_hide_the_others() -> None:
    good = create_run(load_recipe("ner-crf"))
    bad = Path("runs/ner-crf/bad")
    bad.mkdir()
    (bad / "run.json").write_bytes(b"\xff\xfe")
    assert [entry.folder for entry in list_runs()] == [good]


# -- formats


def test_a_run_says_its_format() -> None:
    folder = create_run(load_recipe("ner-crf"), Path("out"))
    info = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    assert info["format"] == FORMAT == open_run(folder, weights=False).info.format
    assert "extra" not in info and info["tuned"] == info["files"] == info["members"] == []


def test_runs_of_the_first_format_are_read() -> None:
    """What had no field of its own stood under ``extra``."""
    folder = create_run(load_recipe("ner-crf"), Path("out"))
    info = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    former = {"precision": "fp32", "prepared": "/some/where", "overfit": 4, "corpus": {"files": {"train": "t.json"}},
              "tuned": ["decode.threshold=0.4"], "files": ["config.json"], "base_model": "owner/name"}  # fmt: skip
    for key in ("precision", "prepared", "overfit", "corpus", "tuned", "files", "base_model", "members", "format"):
        del info[key]
    (folder / "run.json").write_text(json.dumps(info | {"extra": former | {"other": 1}}), encoding="utf-8")
    entry = open_run(folder, weights=False)
    assert entry.info.format == 1 and entry.info.recipe == "ner-crf"
    assert {key: getattr(entry.info, key) for key in former} == former
    # Changed, it is a run like others.
    update_run(folder, state="interrupted")
    again = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    assert again["precision"] == "fp32" and "extra" not in again and again["state"] == "interrupted"
    del info["versions"]  # and without anything besides
    (folder / "run.json").write_text(json.dumps(info), encoding="utf-8")
    assert open_run(folder, weights=False).info.overfit is None


@pytest.mark.parametrize("version", [FORMAT + 1, 99, "2", None, [1], 2.5])
def test_a_format_that_is_not_known_is_told(version: object) -> None:
    folder = finish(create_run(load_recipe("ner-crf"), Path("out")))
    info = json.loads((folder / "run.json").read_text(encoding="utf-8")) | {"format": version, "new": {"field": 1}}
    (folder / "run.json").write_text(json.dumps(info), encoding="utf-8")
    with pytest.raises(UserError) as caught:
        open_run(folder)
    message = str(caught.value)
    assert message.startswith(f"{folder / 'run.json'}: is a run of format {version!r}; this version of ietool reads")
    assert (
        f"up to {FORMAT}" in message and f"update ietool (the run was made by {info['versions']['ietool']})" in message
    )
    assert list_runs(Path()) == []


@pytest.mark.parametrize(
    "change",
    [{"created": 5}, {"created": None}, {"best": "x"}, {"differences": []}, {"versions": []}, {"files": "x"},
     {"process": "x"}, {"overfit": [1]}, {"members": [1]}, {"recipe": None}, {"tuned": {}}],
    ids=str,
)  # fmt: skip
def test_fields_of_another_type_are_damage(change: dict[str, object]) -> None:
    good = finish(create_run(load_recipe("ner-crf")))
    bad = finish(create_run(load_recipe("ner-crf")))
    info = json.loads((bad / "run.json").read_text(encoding="utf-8"))
    (bad / "run.json").write_text(json.dumps(info | change), encoding="utf-8")
    with pytest.raises(UserError, match=r"run\.json: ") as told:
        open_run(bad)
    assert "is damaged (" in str(told.value) and "\n" not in str(told.value) and next(iter(change)) in str(told.value)
    # It hides no other.
    assert [entry.folder for entry in list_runs()] == [good] and latest_run("ner-crf") == good


def test_fields_of_a_later_version_are_passed_over() -> None:
    folder = create_run(load_recipe("ner-crf"), Path("out"))
    info = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    (folder / "run.json").write_text(json.dumps(info | {"colour": "red"}), encoding="utf-8")
    assert open_run(folder, weights=False).info.recipe == "ner-crf"


def test_extra_that_is_no_object_is_damage() -> None:
    folder = create_run(load_recipe("ner-crf"), Path("out"))
    info = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    for extra in ([1], "x", 3, None):
        (folder / "run.json").write_text(json.dumps(info | {"extra": extra}), encoding="utf-8")
        with pytest.raises(UserError, match=r"run\.json: is damaged"):
            open_run(folder, weights=False)


# -- what belongs to the model


def test_files_of_the_model() -> None:
    folder = finish(create_run(load_recipe("ner-crf"), Path("out")))
    for name in ("config.json", "kb/names.arrow", "dev/candidates.arrow", "dev/outcomes.jsonl", "checkpoints/1/x",
                 "tensorboard/events", ".training.lock", ".dev.part/counts.npy", "kb/.hidden"):  # fmt: skip
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    (folder / "link.txt").symlink_to(folder / "config.json")
    assert model_files(folder) == ["config.json", "kb/names.arrow", "model.safetensors", "recipe.yaml", "run.json"]


def test_a_folder_without_a_run_is_told_how_to_begin(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for name in ("empty", "missing"):
        with pytest.raises(UserError, match="no run that could go on") as told:
            check_resumed(tmp_path / name)
        assert told.value.mend == "leave out --resume to start one"


def test_a_link_is_no_further_run() -> None:
    run = finish(create_run(load_recipe("ner-crf"), Path("runs/z")))
    Path("runs/a").symlink_to("z")
    Path("elsewhere").mkdir()
    other = finish(create_run(load_recipe("ner-crf"), Path("elsewhere/b")))
    Path("runs/b").symlink_to(other.resolve())
    assert {entry.folder for entry in list_runs()} == {run, Path("runs/b")}


def test_a_folder_whose_name_is_not_utf_8_is_refused() -> None:
    """The library of weights takes no other names: it would be told when an epoch is over."""
    with pytest.raises(UserError, match="has a name that is not UTF-8"):
        create_run(load_recipe("ner-crf"), Path("\udcca\udcfd"))
    assert not list(Path("\udcca\udcfd").iterdir())
