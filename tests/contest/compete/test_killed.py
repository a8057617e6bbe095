"""Commands of a competition that end otherwise than they should."""

from __future__ import annotations

import signal
import sys
from pathlib import Path
from typing import Any

import pytest

from ietool.contest.compete import commands
from ietool.contest.compete import steps as stepping
from ietool.contest.compete.account import ACCOUNT
from ietool.contest.compete.commands import Died, run_verb
from ietool.contest.compete.competing import compete
from ietool.contest.compete.plan import Member, Plan
from ietool.contest.compete.state import State
from ietool.contest.compete.steps import Steps
from ietool.errors import UserError
from ietool.runs.folder import update_run
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
    assert ["ner-crf-seed-43 was not trained" in note for note in notes] == [True]
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
