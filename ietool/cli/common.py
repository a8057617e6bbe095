"""What the verbs share: messages, checks of the command line. Imports nothing heavy."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import typer

from ietool.errors import UserError
from ietool.errors import told as as_told

if TYPE_CHECKING:
    from ietool.files.lines import OnBad


def examples(*lines: str) -> str:
    """The closing part of a verb's help. ``\\b`` keeps the formatter from joining the lines."""
    return "\b\nExamples:\n" + "\n".join(f"  {line}" for line in lines)


def check_device(device: str) -> None:
    """Raises UserError if a GPU that was asked for is not there; costs the import of torch only where one was."""
    if device.startswith("cuda"):
        from ietool.training.device import choose_device

        choose_device(device)


def say(message: str) -> None:
    """A message to the user, on standard error: standard output holds results only. It may quote a stranger's file."""
    print("\n".join(map(as_told, message.split("\n"))), file=sys.stderr, flush=True)


SHOWN = 10
"""Bad records that are told of one by one."""


def left_out_told() -> OnBad:
    """What tells of the bad records of a file that are left out, the first :data:`SHOWN` of them."""
    told = 0

    def left_out(error: UserError, line: str) -> None:
        nonlocal told
        told += 1
        if told <= SHOWN:
            say(f"left out: {error.place()}{error.message}")

    return left_out


def print_json(value: Any) -> None:
    """One JSON value on standard output."""
    from ietool.report.render import to_json

    text = to_json(value)
    try:
        text.encode(sys.stdout.encoding or "utf-8")
    except (UnicodeEncodeError, LookupError):  # of a terminal or pipe that is not UTF-8: escapes say the same
        text = to_json(value, ascii_only=True)
    print(text, flush=True)


def interrupted(safe: Callable[[], str]) -> typer.Exit:
    """Say what is safe on disk after Ctrl-C; the exception to raise then, exit code 130."""
    try:
        message = safe()
    except Exception:  # the message must not hide that the user stopped us
        message = "files that were finished before are untouched"
    say(f"\ninterrupted: {message}")
    return typer.Exit(130)
