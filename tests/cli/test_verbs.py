"""prepare, train, predict and score in a row, through the real commands, with a model too small to learn much.

The training that is interrupted has a process of its own.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from itertools import islice
from pathlib import Path

import pytest

from ietool import load, paths
from tests.in_process import command_here as command

SMALL = [
    *("--set", "model.hidden_size=16", "--set", "model.dilations=[1, 2]", "--set", "model.attention_heads=2"),
    *("--set", "training.batch_size=8", "--set", "training.epochs=2"),
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A working folder with a small corpus in data/."""
    made = tmp_path_factory.mktemp("work")
    shipped = paths.shipped_data("ske")
    (made / "data").mkdir()
    for name, count in (("train.jsonl", 64), ("dev.jsonl", 16), ("test.jsonl", 16), ("schema.jsonl", None)):
        with (shipped / name).open(encoding="utf-8") as lines:
            (made / "data" / name).write_text("".join(islice(lines, count)), encoding="utf-8")
    return made


@pytest.fixture(scope="module")
def trained(folder: Path) -> subprocess.CompletedProcess[str]:
    done = command(folder, "train", "--recipe", "ske", "--data", "data", "--output", "runs/small", *SMALL)
    assert done.returncode == 0, done.stderr
    return done


def test_a_place_where_nothing_can_be_written(folder: Path) -> None:
    done = command(folder, "prepare", "--recipe", "ske", "--data", "data", "--output", "/dev/null/prepared")
    assert done.returncode == 2
    assert "/dev/null: cannot be written" in done.stderr and "Traceback" not in done.stderr


def test_prepare_says_when_nothing_changed(folder: Path, trained: object) -> None:
    done = command(folder, "prepare", "--recipe", "ske", "--data", "data", *SMALL)
    assert done.returncode == 0, done.stderr
    assert done.stderr.startswith("unchanged: reused prepared")
    found = json.loads(command(folder, "prepare", "--recipe", "ske", "--data", "data", *SMALL, "--json").stdout)
    assert found["fresh"] is False
    assert (folder / found["folder"]).is_dir()


def test_training_table_has_a_row_an_epoch(trained: subprocess.CompletedProcess[str]) -> None:
    lines = trained.stdout.splitlines()
    heading = next(number for number, line in enumerate(lines) if line.startswith("epoch"))
    rows = [line for line in lines[heading + 1 :] if line[:5].strip().isdigit()]
    assert [row.split()[0] for row in rows] == ["1", "2"]
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f]", trained.stdout + trained.stderr)
    assert "runs/small" in trained.stderr


def test_the_run_is_listed(folder: Path, trained: object) -> None:
    found = json.loads(command(folder, "runs", "--json").stdout)
    assert [(run["recipe"], run["state"]) for run in found] == [("ske", "finished")]
    assert found[0]["differences"]["model.encoder.hidden_size"] == 16


def test_predict_file_then_score(folder: Path, trained: object) -> None:
    done = command(folder, "predict", "--recipe", "ske", "data/test.jsonl", "--output", "result.json")
    assert done.returncode == 0, done.stderr
    assert done.stdout == ""
    assert len((folder / "result.json").read_text(encoding="utf-8").splitlines()) == 16
    scored = json.loads(command(folder, "score", "--recipe", "ske", "data/test.jsonl", "result.json", "--json").stdout)
    assert scored["metric"] == "duie2"
    assert 0 <= scored["f1"] <= 1


def test_predict_from_stdin_to_stdout(folder: Path, trained: object) -> None:
    lines = (folder / "data" / "test.jsonl").read_text(encoding="utf-8")
    done = command(folder, "predict", "--run", "runs/small", "-", stdin=lines)
    assert done.returncode == 0, done.stderr
    given = [json.loads(line)["text"] for line in lines.splitlines()]
    assert [json.loads(line)["text"] for line in done.stdout.splitlines()] == given


def test_predict_text(folder: Path, trained: object) -> None:
    done = command(folder, "predict", "--run", "runs/small", "--text", "《青砖巷》的作者是林满", "--text", "")
    assert done.returncode == 0, done.stderr
    assert "青砖巷" in done.stdout


def test_python_api(folder: Path, trained: object) -> None:
    loaded = load(folder / "runs" / "small", device="cpu")
    assert [result.text for result in loaded.predict(["甲", ""])] == ["甲", ""]


def test_output_of_another_run_is_refused(folder: Path, trained: object) -> None:
    done = command(folder, "train", "--recipe", "ske", "--output", "runs/small", *SMALL)
    assert done.returncode == 2
    assert done.stderr.startswith("error: runs/small: holds a run already (finished)")


def test_predict_keeps_the_old_output_when_the_input_is_bad(folder: Path, trained: object) -> None:
    (folder / "bad.json").write_text('{"text": "好"}\n{"text": "坏', encoding="utf-8")
    (folder / "kept.json").write_text("old", encoding="utf-8")
    done = command(folder, "predict", "--recipe", "ske", "bad.json", "--output", "kept.json")
    assert done.returncode == 2
    assert "bad.json:2" in done.stderr
    assert (folder / "kept.json").read_text(encoding="utf-8") == "old"


def test_an_interrupt_says_what_is_safe_and_how_to_go_on(folder: Path, trained: object) -> None:
    arguments = ["train", "--recipe", "ske", "--data", "data", "--output", "runs/stopped", *SMALL]
    arguments += ["--set", "training.epochs=200", "--set", "training.patience=0"]
    with subprocess.Popen(
        [sys.executable, "-m", "ietool", *arguments],
        cwd=folder,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        metrics = folder / "runs" / "stopped" / "metrics.jsonl"
        deadline = time.monotonic() + 120
        while not (metrics.is_file() and metrics.read_text(encoding="utf-8").count("\n") >= 2):
            assert process.poll() is None and time.monotonic() < deadline
            time.sleep(0.1)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=60)
    assert process.returncode == 130, said
    assert "Traceback" not in said
    assert "are safe in runs/stopped" in said
    assert "ietool train --recipe ske --output runs/stopped --resume" in said
    states = {run["folder"]: run["state"] for run in json.loads(command(folder, "runs", "--json").stdout)}
    assert states["runs/stopped"] == "interrupted"


def test_predict_takes_other_thresholds_but_no_other_model(folder: Path, trained: object) -> None:
    silent = command(folder, "predict", "--run", "runs/small", "data/test.jsonl", "--set", "decode.triple=1")
    assert silent.returncode == 0, silent.stderr
    assert all(json.loads(line)["spo_list"] == [] for line in silent.stdout.splitlines())
    refused = command(folder, "predict", "--run", "runs/small", "data/test.jsonl", "--set", "model.hidden_size=8")
    assert refused.returncode == 2
    assert "--set" in refused.stderr and "model.hidden_size=8" in refused.stderr and "Traceback" not in refused.stderr
