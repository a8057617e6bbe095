"""Slips of a newcomer: each told in one line, before any work is done."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from ietool.cli import app as app_module
from ietool.errors import UserError


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with a run without weights, an empty folder and a file of texts."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("IETOOL_HOME", raising=False)
    run = tmp_path / "runs" / "mine"
    run.mkdir(parents=True)
    (run / "recipe.yaml").write_text("name: ske\ntask: ske\n", encoding="utf-8")
    info = {"recipe": "ske", "task": "ske", "created": "2026-01-01T00:00:00+00:00", "state": "interrupted"}
    (run / "run.json").write_text(json.dumps(info), encoding="utf-8")
    whole = tmp_path / "runs" / "whole"
    whole.mkdir()
    (whole / "recipe.yaml").write_text("name: ske\ntask: ske\n", encoding="utf-8")
    (whole / "run.json").write_text(json.dumps({**info, "state": "finished"}), encoding="utf-8")
    (tmp_path / "broken").write_text("{}\n{}\n", encoding="utf-8")
    (tmp_path / "empty").mkdir()
    line = {"text": "林满写了《青砖巷》", "spo_list": [{"subject": "青砖巷", "predicate": "作者", "object": "林满"}]}
    (tmp_path / "gold.json").write_text(json.dumps(line, ensure_ascii=False) + "\n", encoding="utf-8")
    return tmp_path


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("predict --recipe ske empty", "empty: is a folder, a file is needed → name the file of texts in it"),
        (
            "predict --run runs/mine gold.json --output empty",
            "empty: is a folder, a file is needed → name a file in it: empty/NAME",
        ),
        (
            "predict --run runs/mine --text 字 --output out.json",
            "--output: --text prints a table and writes no file → leave it out, or put the texts in a file",
        ),
        # A run folder in place of a recipe means that run, not the latest of its recipe.
        (
            "predict --recipe runs/mine --text 字",
            "runs/mine: has no weights yet (interrupted) → to train anew choose another --output, or give"
            " --output runs/mine --overwrite",
        ),
        (
            "predict --run runs/mine/run.json --text 字",
            "runs/mine/run.json: is a file, a run folder is needed → name its folder: runs/mine",
        ),
        (
            "score --recipe ske gold.json gold.json --explain empty",
            "empty: is a folder, a file is needed → name a file in it: empty/NAME",
        ),
        (
            "prepare --recipe ske --train empty --dev gold.json",
            "empty: is a folder, a train file is needed → name a file in it, or the folder with --data empty",
        ),
        ("train --recipe ske --train none --dev gold.json", "none: no such train file → check the path"),
        (
            "prepare --recipe ske --data gold.json",
            "gold.json: is a file, a folder is needed → check --data, or name files with --train FILE and the like",
        ),
        (
            "train --recipe ske --set training.lr=1",
            "--set training.lr: there is no such key → did you mean training.learning_rate?",
        ),
        ("train --recipe ske --set score.zzz=1", "--set score.zzz: there is no such key → score has: metric"),
        (
            "train --recipe ske --output /dev/null/mine",
            "/dev/null/mine: cannot make the run folder (Not a directory) → choose another --output",
        ),
        (
            "predict --run runs/whole --text 字",
            "runs/whole: is a damaged run: model.safetensors is missing → train again, or copy the run folder whole",
        ),
        (
            "recipes validate broken",
            "broken:2: is not a YAML file of ours: expected '<document start>', but found '{' → mend that line",
        ),
        (
            "recipes validate runs",
            "runs: is a folder, a recipe file is needed → name a file in it, for example runs/recipe.yaml",
        ),
        (
            "prepare --recipe ske --output gold.json",
            "gold.json: is a file, a folder is needed → choose another --output",
        ),
        ("recipes show sk", "no recipe is called 'sk' → did you mean ske?"),
        (
            "train --recipe ske --output runs/mine --resume --train gold.json --overfit 3",
            "--resume goes on with the recipe and the data that the run began with"
            " → leave out --overfit and --train, or start a new run",
        ),
        (
            "train --recipe el --resume --output runs/mine",
            "runs/mine: is a run of ske, not of el"
            " → go on with it by: ietool train --recipe ske --output runs/mine --resume",
        ),
        (
            "prepare --recipe el --train gold.json --dev gold.json",
            "no kb file is given → add --file kb=FILE, or --data DIR",
        ),
        (
            "prepare --recipe ske --train gold.json --dev gold.json --file scheme=gold.json",
            "scheme: the task ske has no such role of a file → did you mean schema?",
        ),
    ],
)
def test_slip_is_told_at_once(folder: Path, arguments: str, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    before = sorted(folder.rglob("*"))
    assert app_module.run(arguments.split()) == 2
    told = capsys.readouterr()
    assert told.err == f"error: {said}\n"
    assert told.out == ""
    assert sorted(folder.rglob("*")) == before


@pytest.mark.parametrize("option", ["--kb", "--nbest"])
def test_options_of_other_tasks(folder: Path, option: str, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "runs" / "whole" / "model.safetensors").write_bytes(b"")
    (folder / "3").mkdir()
    assert app_module.run(["predict", "--run", "runs/whole", "gold.json", option, "3"]) == 2
    assert capsys.readouterr().err == f"error: {option}: is not for recipes of the task ske → leave it out\n"


def test_a_gpu_that_is_not_there_is_told_before_preparing(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    files = ["--train", "gold.json", "--dev", "gold.json"]
    assert app_module.run(["train", "--recipe", "ske", *files, "--device", "cuda:7"]) == 2
    assert capsys.readouterr().err.startswith("error: --device: 'cuda:7' is not there")
    assert not (folder / "prepared").exists()


def test_several_processes_need_an_output(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    for more in ([], ["--resume"]):  # each process would look for one by itself
        assert app_module.run(["train", "--recipe", "ske", *more]) == 2
        assert capsys.readouterr().err == "error: --output: several processes need one run folder → add --output DIR\n"
    assert not (folder / "prepared").exists()


def test_helpers_of_torchrun_say_nothing(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def stop(*arguments: object, **options: object) -> None:
        raise UserError("far enough")

    monkeypatch.setattr("ietool.workflow.train.train", stop)
    files = ["--train", "gold.json", "--dev", "gold.json", "--output", "runs/two"]
    for rank, told in (("1", ""), ("0", "unchanged: reused")):  # what the helper prepared, the main process reuses
        monkeypatch.setenv("RANK", rank)
        assert app_module.run(["train", "--recipe", "ske", *files]) == 2
        said = capsys.readouterr()
        assert said.out == ""
        assert said.err.endswith("error: far enough\n")
        assert told in said.err and bool(told) == ("prepared" in said.err)


def test_score_says_which_file_is_gold(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Swapped arguments swap precision and recall, and nothing else would tell."""
    (folder / "result.json").write_text('{"text": "林满写了《青砖巷》", "spo_list": []}\n', encoding="utf-8")
    assert app_module.run(["score", "--recipe", "ske", "gold.json", "result.json"]) == 0
    assert capsys.readouterr().out.startswith("Score of result.json against gold gold.json\n")


def test_a_self_check_is_not_the_latest_run(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = folder / "runs" / "mine"
    info = json.loads((run / "run.json").read_text(encoding="utf-8"))
    info |= {"state": "finished", "best": {"score": 0.99, "metric": "duie2"}, "overfit": 16}
    (run / "run.json").write_text(json.dumps(info), encoding="utf-8")
    (run / "model.safetensors").touch()
    assert app_module.run(["predict", "--recipe", "ske", "--text", "字"]) == 2
    assert "no trained run of recipe 'ske'" in capsys.readouterr().err
    assert app_module.run(["runs"]) == 0
    assert "0.9900 duie2 on its own 16 records" in capsys.readouterr().out


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs a device that is always full")
@pytest.mark.parametrize(
    "arguments", ["recipes", "recipes show ske", "score --recipe ske gold.json gold.json", "--help", "runs --json"]
)
def test_standard_output_on_a_full_disk(folder: Path, arguments: str) -> None:
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "ietool", *arguments.split()], stdout=full, stderr=subprocess.PIPE, text=True
        )
    assert done.returncode == 2
    assert done.stderr == (
        "error: standard output, or a file being written: could not be written (No space left on device)"
        " → free some space or choose another place\n"
    )
