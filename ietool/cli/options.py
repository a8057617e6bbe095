"""Options that several verbs have, as annotated types; the checks and completions that belong to them."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Annotated

import typer

from ietool import paths
from ietool.errors import UserError


def complete_recipe(incomplete: str) -> list[tuple[str, str]]:
    """Recipe names for the shell, each with the beginning of its header.

    Typer breaks lines of over 80 columns, and fish takes the second for one more name: hence only the words before the
    first colon or parenthesis, and few of them.
    """
    found = []
    for name, path in paths.shipped_recipes().items():
        if name.startswith(incomplete):
            with path.open(encoding="utf-8") as lines:
                found.append((name, re.split("[:：(（]", next(lines, "").lstrip("# "))[0].strip()[:60]))
    return found


def _check_device(value: str) -> str:
    if not re.fullmatch(r"auto|cpu|cuda(:\d+)?", value):
        raise typer.BadParameter(f"no device is called {value!r}: use auto, cpu, cuda or cuda:1")
    return value


def finite(value: float | None) -> float | None:
    """Refuse what is no number that can be reckoned with: bounds from below let inf pass."""
    if value is not None and not math.isfinite(value):
        raise typer.BadParameter(f"{value} is no number to reckon with")
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
TsvOption = Annotated[
    bool, typer.Option("--tsv", help="Print tables as columns divided by tabs, numbers in full, no notes.")
]

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
ExtraFile = Annotated[
    list[Path] | None,
    typer.Option("--extra", metavar="FILE", help="Further training records, as distil writes them; counted apart."),
]
SkipBad = Annotated[
    bool, typer.Option("--skip-bad", help="Leave bad records out, list them in a rejects file and count them.")
]


def one_form(*, json: bool, tsv: bool) -> None:
    """Raises UserError where results are wanted in two forms."""
    if json and tsv:
        raise UserError("--json and --tsv both say how results are printed", mend="leave one of them out")


def input_files(
    train: Path | None = None,
    dev: Path | None = None,
    test: Path | None = None,
    schema: Path | None = None,
    others: list[str] | None = None,
    extras: list[Path] | None = None,
) -> dict[str, Path]:
    """Role → file of those given. Raises UserError for a ``--file`` without a role, and for several further files."""
    if len(extras or ()) > 1:
        mend = "join them first: cat A.jsonl B.jsonl > C.jsonl, and what lies beside them likewise"
        raise UserError("is given several times", field="--extra", mend=mend)
    extra = extras[0] if extras else None
    named = {"train": train, "dev": dev, "test": test, "schema": schema, "extra": extra}
    return {role: path for role, path in named.items() if path is not None} | named_files(others)


def named_files(others: list[str] | None) -> dict[str, Path]:
    """Role → file of each ``--file``. Raises UserError for one without a role."""
    files = {}
    for text in others or ():
        role, equals, path = text.partition("=")
        if not equals or not role or not path:
            raise UserError(f"--file {text!r} has no role", mend="write it as --file kb=kb.json")
        files[role] = Path(path)
    return files
