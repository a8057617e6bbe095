"""Commands of a competition that end otherwise than they should."""

from __future__ import annotations

import shutil
import signal
import sys
import time
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from ietool.contest.compete import commands
from ietool.contest.compete import steps as stepping
from ietool.contest.compete.account import ACCOUNT
from ietool.contest.compete.commands import Died, run_verb
from ietool.contest.compete.competing import compete
from ietool.contest.compete.plan import AFTER, Member, Plan
from ietool.contest.compete.recipes import RECIPES
from ietool.contest.compete.state import State
from ietool.contest.compete.steps import Steps
from ietool.errors import UserError
from ietool.runs.folder import LOCK, update_run
from tests.contest.compete.conftest import Compete, verb_here

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the commands are scripts of a shell")


def be(monkeypatch: pytest.MonkeyPatch, folder: Path, what: str) -> None:
    """Have every command be a script."""
    script = folder / "command.sh"
    script.write_text(f"#!/bin/sh\n{what}\n", encoding="utf-8")
    script.chmod(0o755)
    monkeypatch.setattr(commands.sys, "executable", str(script))


@pytest.mark.parametrize(
    ("what", "said"),
    [
        ("kill -9 $$", "ietool train was killed (SIGKILL)"),
        ("echo Traceback; exit 1", "ietool train ended with exit code 1"),
    ],
)
def test_the_death_of_a_command_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str, said: str) -> None:
    be(monkeypatch, tmp_path, what)
    with pytest.raises(Died) as died:
        run_verb(["train"], tmp_path / "train.log")
    assert died.value.message == said and died.value.file == str(tmp_path / "train.log")


def test_what_is_asked_to_end_has_not_died(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    be(monkeypatch, tmp_path, "exec sleep 60")
    assert not run_verb(["train"], tmp_path / "train.log", limit=0)
    be(monkeypatch, tmp_path, "exit 0")
    assert run_verb(["train"], tmp_path / "train.log", limit=0)


def test_a_command_is_stopped_from_without(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    be(monkeypatch, tmp_path, "exec sleep 60")
    stop = Event()
    stop.set()
    with pytest.raises(KeyboardInterrupt):
        run_verb(["train"], tmp_path / "train.log", stop=stop)


def test_an_interrupt_ends_all_trainings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where the terminal does not tell the commands of it: those of other threads would be waited for."""
    be(monkeypatch, tmp_path, "exec sleep 60")

    def interrupted(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(stepping, "wait", interrupted)
    members = [Member("ner-crf", seed, 0, 1, 1.0) for seed in (1, 2)]
    steps = Steps(State(tmp_path, "data", {}, Plan(1, members)), ["cpu", "cpu"])
    begin = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        steps.train_members()
    assert time.monotonic() - begin < 30


def test_a_training_that_hangs_leaves_time_for_the_rest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    limits: list[float] = []

    def hung(arguments: list[Any], log: Path, *, limit: float, **_: Any) -> bool:
        limits.append(limit)
        return False

    monkeypatch.setattr(stepping, "run_verb", hung)
    for seconds in (10.0, 3000.0):  # a short one may take a while more, one of nearly all the time may not
        steps = Steps(State(tmp_path, "data", {}, Plan(1, [Member("ner-crf", 1, 0, 1, seconds)])), ["cpu"])
        with pytest.raises(UserError, match="no member could be trained"):
            steps.train_members()
    assert 20 + 60 <= limits[0] < 1000 and limits[1] <= 3600 - AFTER


def test_what_a_kill_left_of_a_folder_is_no_run(work: Path, competed: Compete) -> None:
    """One without ``run.json`` is refused as an output by every verb, and would be lost for good."""
    for place in ("members/ner-crf-seed-42", "members/ner-crf-seed-43", "team"):
        (work / "mine" / place).mkdir(parents=True)
        (work / "mine" / place / ".recipe.yaml.part").write_text("name", encoding="utf-8")
    with pytest.raises(UserError, match="is not empty"):
        competed(["ner-crf"])
    shutil.move(work / "mine", work / "left")

    def put_back(plan: object) -> None:
        shutil.copytree(work / "left", work / "mine", dirs_exist_ok=True)

    done = competed(["ner-crf"], on_plan=put_back)
    assert done.run.name == "team" and not list((work / "mine").rglob(".recipe.yaml.part"))


def test_where_nothing_was_begun_there_is_room(work: Path, competed: Compete) -> None:
    (work / "mine" / RECIPES).mkdir(parents=True)
    (work / "mine" / LOCK).touch()
    assert competed(["ner-crf"], hours=0.03).run.name == "ner-crf-seed-42"


def test_where_no_training_lives_the_first_death_is_the_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And not that the time was too short."""
    be(monkeypatch, tmp_path, "kill -9 $$")
    members = [Member("ner-crf", seed, 0, 1, 1.0) for seed in (1, 2)]
    notes: list[str] = []
    steps = Steps(State(tmp_path, "data", {}, Plan(1, members)), ["cpu"], notes.append)
    with pytest.raises(UserError, match=r"seed-1\.log: ietool train was killed \(SIGKILL\) → .*--resume"):
        steps.train_members()
    assert [note.partition(":")[0] for note in notes] == [f"ner-crf-seed-{n} was not trained" for n in (1, 2)]


def test_a_member_that_was_killed_is_told_and_comes_in_by_resuming(
    work: Path, competed: Compete, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(arguments: list[Any], log: Path, **more: Any) -> bool:
        output = work / "mine" / "members" / "ner-crf-seed-43"
        done = verb_here(arguments, log, **more)
        if output in arguments:  # as it is left by a power cut
            (output / "model.safetensors").unlink()
            update_run(output, state="training")
            update_run(output, process=2**22 + 1)
            raise Died(f"was killed ({signal.SIGKILL.name})", file=log)
        return done

    notes: list[str] = []
    monkeypatch.setattr(stepping, "run_verb", killed)
    done = competed(["ner-crf"], on_note=notes.append)
    assert done.run.name == "ner-crf-seed-42"
    assert [note.partition(":")[0] for note in notes if "no test file" not in note] == [
        "ner-crf-seed-43 was not trained"
    ]
    account = (work / "mine" / ACCOUNT).read_text(encoding="utf-8")
    assert "| interrupted |" in account and "| training |" not in account
    # It is put together with the other one, which was alone before, and thresholds are found for both.
    monkeypatch.setattr(stepping, "run_verb", verb_here)
    done = compete(None, work / "mine", hours=0, resume=True)
    assert done.run.name == "team" and (work / "mine" / "logs" / "ensemble.log").is_file()
    assert (work / "mine" / "logs" / "tune.log").read_text(encoding="utf-8").count("$ ietool tune") == 2


def test_a_check_that_died_is_no_refusal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    be(monkeypatch, tmp_path, "exit 1")
    notes: list[str] = []
    steps = Steps(State(tmp_path, "data", {}, Plan(1, [])), ["cpu"], notes.append)
    assert steps.submit(tmp_path / "result.json", tmp_path / "test.json", {}, None) is None
    assert len(notes) == 1 and notes[0].startswith("the submission was not checked: ")
