"""What the verbs share: option types, messages, checks of the command line. Imports nothing heavy."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from ietool import paths
from ietool.errors import UserError


def examples(*lines: str) -> str:
    """The closing part of a verb's help. ``\\b`` keeps the formatter from joining the lines."""
    return "\b\nExamples:\n" + "\n".join(f"  {line}" for line in lines)


# -- options


def complete_recipe(incomplete: str) -> list[tuple[str, str]]:
    """Recipe names for the shell, each with the first line of its header."""
    found = []
    for name, path in paths.shipped_recipes().items():
        if name.startswith(incomplete):
            with path.open(encoding="utf-8") as lines:
                found.append((name, next(lines, "").lstrip("# ").strip()))
    return found


def _check_device(value: str) -> str:
    if not re.fullmatch(r"auto|cpu|cuda(:\d+)?", value):
        raise typer.BadParameter(f"no device is called {value!r}: use auto, cpu, cuda or cuda:1")
    return value


RecipeOption = Annotated[
    str,
    typer.Option(
        "--recipe", "-r", metavar="NAME|FILE", help="A recipe's name or YAML file.", autocompletion=complete_recipe
    ),
]
OptionalRecipeOption = Annotated[
    str | None,
    typer.Option(
        "--recipe", "-r", metavar="NAME|FILE", help="A recipe's name or YAML file.", autocompletion=complete_recipe
    ),
]
RecipeArgument = Annotated[str, typer.Argument(metavar="NAME", help="A recipe's name.", autocompletion=complete_recipe)]
SetOption = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Change one value of the recipe; may be repeated."),
]
DeviceOption = Annotated[
    str, typer.Option("--device", metavar="auto|cpu|cuda|cuda:N", help="Where to compute.", callback=_check_device)
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON value instead of tables.")]

DataOption = Annotated[
    Path | None,
    typer.Option(
        "--data",
        metavar="DIR",
        help="Folder of competition files. Default: the corpus that ships; train: the data prepared last, if any.",
    ),
]
TrainFile = Annotated[Path | None, typer.Option("--train", metavar="FILE", help="Training file.")]
DevFile = Annotated[Path | None, typer.Option("--dev", metavar="FILE", help="Development file.")]
TestFile = Annotated[Path | None, typer.Option("--test", metavar="FILE", help="Test file with gold, if there is one.")]
SchemaFile = Annotated[Path | None, typer.Option("--schema", metavar="FILE", help="Schema file.")]
FileOption = Annotated[
    list[str] | None,
    typer.Option("--file", metavar="ROLE=FILE", help="A file of another role, for example kb=kb.json; repeatable."),
]
SkipBad = Annotated[
    bool, typer.Option("--skip-bad", help="Leave bad records out, list them in a rejects file and count them.")
]


def input_files(
    train: Path | None, dev: Path | None, test: Path | None, schema: Path | None, others: list[str] | None
) -> dict[str, Path]:
    """Role → file of those given. Raises UserError for a ``--file`` without a role."""
    named = {"train": train, "dev": dev, "test": test, "schema": schema}
    files = {role: path for role, path in named.items() if path is not None}
    for text in others or ():
        role, equals, path = text.partition("=")
        if not equals or not role or not path:
            raise UserError(f"--file {text!r} has no role", mend="write it as --file kb=kb.json")
        files[role] = Path(path)
    return files


def check_target(path: Path | str | None) -> None:
    """Raises UserError if a file to be written is a folder: told before the work, not after it."""
    if path is not None and str(path) != "-" and Path(path).is_dir():
        raise UserError("is a folder, a file is needed", file=path, mend=f"name a file in it: {Path(path) / 'NAME'}")


# -- messages


def is_main_process() -> bool:
    """False in the helpers that ``torchrun`` starts beside the process that reports."""
    return os.environ.get("RANK", "0") == "0"


def say(message: str) -> None:
    """A message to the user, on standard error: standard output holds results only."""
    print(message, file=sys.stderr, flush=True)


def print_json(value: Any) -> None:
    """One JSON value on standard output."""
    from ietool.report.render import to_json

    print(to_json(value), flush=True)


def interrupted(safe: Callable[[], str]) -> typer.Exit:
    """Say what is safe on disk after Ctrl-C; the exception to raise then, exit code 130."""
    try:
        message = safe()
    except Exception:  # the message must not hide that the user stopped us
        message = "files that were finished before are untouched"
    say(f"\ninterrupted: {message}")
    return typer.Exit(130)
