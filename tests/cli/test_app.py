"""The command line as a whole: speed, help, exit codes, completion, what goes where."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

import ietool
from ietool import paths
from ietool.cli import app as app_module
from ietool.errors import UserError
from tests.cli.conftest import Ietool

VERBS = ("prepare", "train", "predict", "score", "compare", "ensemble", "recipes", "runs", "push", "kb", "env", "demo",
         "inspect", "report", "serve")  # fmt: skip
HELPS = [
    (),
    *[(verb,) for verb in VERBS],
    *[("recipes", sub) for sub in ("show", "copy", "validate")],
    *[("kb", sub) for sub in ("stats", "lookup")],
    ("runs", "rm"),
]


def test_help_imports_nothing_heavy() -> None:
    heavy = ("torch", "transformers", "datasets", "pydantic", "numpy", "yaml", "rapidfuzz", "rjieba", "rich.console")
    code = (
        "import sys\nfrom ietool.cli.app import run\n"
        "assert run(['--help']) == 0\n"
        f"found = [name for name in {heavy!r} if name in sys.modules]\nassert not found, found"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_help_is_quick() -> None:
    def best_of(arguments: Sequence[str]) -> float:
        times = []
        for _ in range(5):  # of the processor, whatever else the machine does
            before = os.times()
            subprocess.run([sys.executable, *arguments], check=True, capture_output=True)
            after = os.times()
            times.append(after.children_user + after.children_system - before.children_user - before.children_system)
        return min(times)

    # The clock of processors ticks in hundredths of a second, and other processes empty their caches: another try then.
    tries = (
        best_of(["-m", "ietool", "--help"]) / max(best_of(["-c", "import typer, rich"]), 0.01) for _ in range(4)
    )  # fmt: skip
    assert any(ratio <= 3 for ratio in tries)


@pytest.mark.parametrize("words", HELPS, ids=" ".join)
def test_help_ends_with_two_examples(words: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    assert app_module.run([*words, "--help"]) == 0
    shown = capsys.readouterr().out
    closing = shown.rstrip().split("Examples:\n")[1].splitlines()
    assert len(closing) == 2
    for line in closing:
        assert line.startswith("    ietool " + " ".join(words[:1])), line


def test_help_lists_the_verbs_with_whole_sentences(capsys: pytest.CaptureFixture[str]) -> None:
    assert app_module.run(["--help"]) == 0
    shown = capsys.readouterr().out
    for verb in VERBS:
        assert re.search(rf"^  {verb}  +\S.*\.$", shown, re.MULTILINE), verb
    assert "..." not in shown.replace("[ARGS]...", "")


def test_version(ietool_version: str = ietool.__version__) -> None:
    done = subprocess.run([sys.executable, "-m", "ietool", "--version"], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, f"ietool {ietool_version}\n")


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["trian"], "trian"),
        (["train"], "--recipe"),
        (["train", "--recipe", "ske", "--device", "tpu"], "tpu"),
        (["train", "--recipe", "sk"], "did you mean ske?"),
        (["train", "--recipe", "no/such.yaml"], "no/such.yaml"),
        (["train", "--recipe", "ske", "--resume", "--overwrite"], "--overwrite"),
        (["train", "--recipe", "ske", "--overfit", "0"], "--overfit"),
        (["train", "--recipe", "ske", "--set", "training.learning_rat=1"], "did you mean training.learning_rate?"),
        (["prepare", "--recipe", "ske", "--file", "kb.json"], "--file kb=kb.json"),
        (["predict", "--recipe", "ske"], "no input"),
        (["predict", "--recipe", "ske", "nowhere.json"], "nowhere.json"),
        (["predict", "--recipe", "ske", "--text", "字"], "ietool train --recipe ske"),
        (["predict", "--run", "nowhere", "--text", "字"], "nowhere"),
        (["predict", "--text", "字"], "--run DIR"),
        (["recipes", "validate", "nowhere.yaml"], "nowhere.yaml"),
        (["runs", "nowhere"], "nowhere"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_wrong_use_is_one_line_and_exit_2(
    arguments: list[str],
    named: str,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert app_module.run(arguments) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.count("\n") == 1
    assert said.err.startswith("error: ")
    assert named in said.err
    assert list(tmp_path.iterdir()) == []


def test_no_arguments_show_the_help(ietool: Ietool) -> None:
    done = ietool()
    assert done.returncode == 2
    assert "Commands:" in done.stderr


def _raising(error: BaseException) -> Any:
    def report() -> None:
        raise error

    return report


def test_user_error_in_a_verb(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    error = UserError("is cut", file="a.json", line=3, field="text", mend="mend it")
    monkeypatch.setattr("ietool.environment.report", _raising(error))
    assert app_module.run(["env"]) == 2
    assert capsys.readouterr().err == "error: a.json:3: text: is cut → mend it\n"


def test_interrupt_in_a_verb(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("ietool.environment.report", _raising(KeyboardInterrupt()))
    assert app_module.run(["env"]) == 130
    said = capsys.readouterr().err
    assert "untouched" in said
    assert "Traceback" not in said


def test_bug_in_a_verb(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("ietool.environment.report", _raising(ZeroDivisionError("oh")))
    assert app_module.run(["env"]) == 1
    said = capsys.readouterr().err
    assert "ZeroDivisionError: oh" in said
    assert "ietool env" in said.splitlines()[-1]


def test_reader_that_leaves_early_is_no_error(tmp_path: Path) -> None:
    # `show` writes more than a pipe takes at once only when repeated; closing at once is the harder case anyway.
    command = f"{sys.executable} -m ietool recipes show ske | true; echo ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", command], cwd=tmp_path, capture_output=True, text=True)
    assert done.stdout.strip() == "0"
    assert done.stderr == ""


@pytest.mark.parametrize("arguments", [("recipes",), ("env",), ("runs",), ("recipes", "show", "ske"), ("--help",)])
def test_no_control_codes_off_a_terminal(ietool: Ietool, arguments: tuple[str, ...]) -> None:
    done = ietool(*arguments, env={"FORCE_COLOR": "1"})
    assert done.returncode == 0, done.stderr
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f]", done.stdout + done.stderr)


def test_tables_are_drawn_by_rich_on_a_terminal(tmp_path: Path) -> None:
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-m", "ietool", "recipes"],
        cwd=tmp_path,
        stdout=theirs,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "TERM": "xterm-256color", "COLUMNS": "150"},
    ) as process:
        os.close(theirs)
        shown = b""
        try:
            while chunk := os.read(ours, 65536):
                shown += chunk
        except OSError:  # Linux says EIO when the other end is closed
            pass
        assert process.wait() == 0
    os.close(ours)
    assert b"\x1b[" in shown
    assert b"ske" in shown


class TestCompletion:
    def complete(self, ietool: Ietool, line: str) -> list[str]:
        words = line.split(" ")
        env = {"_IETOOL_COMPLETE": "complete_bash", "COMP_WORDS": line, "COMP_CWORD": str(len(words) - 1)}
        done = ietool(env=env)
        assert done.returncode == 0, done.stderr
        return done.stdout.split()

    def test_verbs(self, ietool: Ietool) -> None:
        assert self.complete(ietool, "ietool pre") == ["prepare", "predict"]

    def test_recipe_names(self, ietool: Ietool) -> None:
        assert "ske" in self.complete(ietool, "ietool train --recipe s")
        assert "ske" in self.complete(ietool, "ietool recipes show ")
        assert "ske" not in self.complete(ietool, "ietool train --recipe x")

    def test_options(self, ietool: Ietool) -> None:
        assert "--overfit" in self.complete(ietool, "ietool train --over")

    def test_zsh_shows_what_a_recipe_is(self, ietool: Ietool) -> None:
        env = {"_IETOOL_COMPLETE": "complete_zsh", "_TYPER_COMPLETE_ARGS": "ietool train --recipe s"}
        assert "DGCNN" in ietool(env=env).stdout

    def test_fish_is_told_a_recipe_a_line(self, ietool: Ietool) -> None:
        """A broken line would offer its second half as one more recipe."""
        env = {
            "_IETOOL_COMPLETE": "complete_fish",
            "_TYPER_COMPLETE_FISH_ACTION": "get-args",
            "_TYPER_COMPLETE_ARGS": "ietool recipes show ",
        }
        lines = ietool(env=env).stdout.splitlines()
        assert [line.split("\t")[0] for line in lines] == sorted(paths.shipped_recipes())

    @pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
    def test_script(self, ietool: Ietool, shell: str) -> None:
        done = ietool(env={"_IETOOL_COMPLETE": f"source_{shell}"})
        assert done.returncode == 0, done.stderr
        assert "_IETOOL_COMPLETE" in done.stdout
