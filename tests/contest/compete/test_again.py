"""What of a competition may change until it goes on, and what may not."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from ietool.contest.compete import competing
from ietool.contest.compete.competing import Competed, compete
from ietool.contest.compete.state import read_state
from ietool.errors import UserError
from ietool.runs.folder import training_in
from tests.contest.compete.conftest import Compete
from tests.in_process import command_here


class Stopped(Exception):
    """In the place of a kill."""


def stop(plan: object) -> None:
    raise Stopped


@pytest.fixture
def begun(work: Path, competed: Compete) -> Path:
    """A competition that has a plan, and nothing more."""
    with pytest.raises(Stopped):
        competed(["ner-crf"], hours=0.03, on_plan=stop)
    return work / "mine"


def again(folder: Path, **more: Any) -> Competed:
    return compete(None, folder, hours=0, resume=True, **more)


@pytest.mark.parametrize("role", ["train", "dev"])
def test_files_that_members_learn_from_must_stay(work: Path, begun: Path, role: str) -> None:
    file = work / "data" / f"{role}.jsonl"
    kept = file.read_bytes()
    file.write_bytes(kept + kept.splitlines(keepends=True)[0])
    with pytest.raises(UserError, match=rf"{role}\.jsonl: has changed since the competition began → bring the old"):
        again(begun)
    file.write_bytes(kept)
    with pytest.raises(Stopped):
        again(begun, on_plan=stop)


def test_files_that_come_or_go_are_told(work: Path, begun: Path) -> None:
    state = read_state(begun)
    for marks, said in (
        ({"schema": "0"}, "data: has no schema file any more → bring it back"),
        ({"dev": None}, r"dev\.jsonl: has come since the competition began → take it away"),
    ):
        known = {**state.done["ground"]["marks"], **marks}
        held = {**state.done, "ground": {**state.done["ground"], "marks": {k: v for k, v in known.items() if v}}}
        text = json.loads((begun / "compete.json").read_text("utf-8"))
        (begun / "compete.json").write_text(json.dumps({**text, "done": held}), encoding="utf-8")
        with pytest.raises(UserError, match=said):
            again(begun)


def test_a_new_test_file_is_predicted_with_a_note(work: Path, begun: Path) -> None:
    shutil.copyfile(work / "data" / "dev.jsonl", work / "data" / "test.jsonl")
    notes: list[str] = []
    for expected in (1, 1):  # it is told once
        with pytest.raises(Stopped):
            again(begun, on_plan=stop, on_note=notes.append)
        assert len(notes) == expected and "test.jsonl" in notes[0]


def test_two_processes_do_not_go_on_at_once(begun: Path) -> None:
    with training_in(begun), pytest.raises(UserError, match="by another process"):
        again(begun)


def test_what_is_no_competition_gets_no_lock(work: Path) -> None:
    with pytest.raises(UserError, match="holds no competition"):
        again(work / "none")
    assert not (work / "none").exists()


def test_options_beside_resume(work: Path, begun: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Folds are part of the plan, the device is not."""
    done = command_here(work, "compete", "--resume", "--output", "mine", "--folds", 0)
    assert done.returncode == 2 and done.stderr.endswith("→ leave out --folds\n")
    with pytest.raises(Stopped):
        again(begun, on_plan=stop, device="cuda:1")
    assert read_state(begun).asked["device"] == "cuda:1"
    with pytest.raises(Stopped):
        again(begun, on_plan=stop)
    assert read_state(begun).asked["device"] == "cuda:1"
    devices: list[str | None] = []

    def told(*_: Any, device: str | None, **__: Any) -> Competed:
        devices.append(device)
        return Competed(begun, begun, begun, None)

    monkeypatch.setattr(competing, "compete", told)
    for more in ([], ["--device", "auto"], ["--device", "cpu"]):
        assert command_here(work, "compete", "--resume", "--output", "mine", *more).returncode == 0
    assert devices == [None, "auto", "cpu"]
