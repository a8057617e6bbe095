"""Standard streams that nobody reads: a listing ends, a training goes on."""

from __future__ import annotations

import errno
import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from ietool.cli import app
from ietool.cli.common import print_json
from ietool.cli.streams import Enduring, enduring, open_closed
from tests.tasks.ner.made import examples, write_json

SETTINGS = [word for setting in ("model.encoder.hidden_size=8", "model.encoder.dilations=[1]", "training.epochs=2")
            for word in ("--set", setting)]  # fmt: skip


class Broken(io.TextIOBase):
    """A stream that takes some characters and then fails."""

    def __init__(self, takes: int, number: int = errno.EPIPE) -> None:
        self.takes, self.number = takes, number

    def write(self, text: str) -> int:
        self.takes -= len(text)
        if self.takes < 0:
            raise OSError(self.number, os.strerror(self.number))
        return len(text)

    def flush(self) -> None:
        if self.takes < 0:
            raise OSError(self.number, os.strerror(self.number))


@pytest.fixture
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("IETOOL_HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    write_json(tmp_path / "train.json", examples(8))
    write_json(tmp_path / "dev.json", examples(3, seed=2))
    return tmp_path


def _state(run: Path) -> str:
    found: str = json.loads((run / "run.json").read_text(encoding="utf-8"))["state"]
    return found


@pytest.mark.parametrize(
    ("stdout", "stderr"),
    [(Broken(0), None), (Broken(900), None), (None, Broken(0)), (Broken(60), Broken(60))],
)
def test_a_training_goes_on(
    stdout: Broken | None, stderr: Broken | None, work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, stream in (("stdout", stdout), ("stderr", stderr)):
        if stream is not None:
            monkeypatch.setattr(sys, name, stream)
    assert (
        app.run(["train", "--recipe", "ner-crf", "--data", ".", "--device", "cpu", "--output", "run", *SETTINGS]) == 0
    )
    assert _state(work / "run") == "finished"
    assert len((work / "run" / "metrics.jsonl").read_text(encoding="utf-8").splitlines()) == 2


def test_a_listing_ends_quietly(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in (["recipes"], ["recipes", "show", "ske"], ["--help"], ["recipes", "--json"]):
        monkeypatch.setattr(sys, "stdout", Broken(20))
        assert app.run(arguments) == 0, arguments
        assert capsys.readouterr().err == ""


def test_messages_that_nobody_reads_end_nothing(work: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", Broken(0))
    assert app.run(["prepare", "--recipe", "ner-crf", "--data", "."]) == 0
    assert list((work / "prepared" / "ner-crf").glob("*/prepared.json"))
    assert app.run(["prepare", "--recipe", "ner-crf", "--data", "nowhere"]) == 2


def test_what_is_lost_by_a_full_disk_is_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with enduring("stdout"):
        assert isinstance(sys.stdout, Enduring)
        print("good")
    for number, told in ((errno.ENOSPC, os.strerror(errno.ENOSPC)), (errno.EPIPE, "")):
        capsys.readouterr()
        monkeypatch.setattr(sys, "stdout", Broken(0, number))
        with enduring("stdout"):
            for _ in range(3):
                print("lost", flush=True)
        error = capsys.readouterr().err
        assert told in error and error.count("\n") == bool(told)


def test_real_pipes_and_closed_streams(work: Path) -> None:
    """In one process: its results go to a reader who has left, its messages and its input are closed."""
    reading, writing = os.pipe()
    os.close(reading)
    script = (
        "import os, sys; os.close(0); os.close(2); sys.stdin = sys.stderr = None\n"
        "from ietool.cli.app import main; main()"
    )
    arguments = ["train", "--recipe", "ner-crf", "--data", ".", "--device", "cpu", "--output", "run", *SETTINGS]
    done = subprocess.run(
        [sys.executable, "-c", script, *arguments], stdout=writing, timeout=120, check=False,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    os.close(writing)
    assert done.returncode == 0
    assert _state(work / "run") == "finished"


def test_open_streams_stay_as_they_are() -> None:
    before = sys.stdin, sys.stdout, sys.stderr
    open_closed()
    assert (sys.stdin, sys.stdout, sys.stderr) == before


def test_json_is_json_whatever_the_terminal_speaks(monkeypatch: pytest.MonkeyPatch) -> None:
    for encoding in ("ascii", "gbk", "utf-8"):
        raw = io.BytesIO()
        monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding=encoding, errors="backslashreplace"))
        print_json({"甲": "× 😀 \xa0"})
        assert json.loads(raw.getvalue().decode(encoding)) == {"甲": "× 😀 \xa0"}
