"""``ietool compare``: which of two runs or submissions is better, how sure that is, and what changed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperCommand

from ietool.cli.common import examples, print_json, say
from ietool.cli.options import FileOption, JsonOption, OptionalRecipeOption, SetOption, TsvOption, one_form
from ietool.errors import UserError

if TYPE_CHECKING:
    from ietool.workflow.compare import Compared

_SIDES = ("--a", "--b")


class _Sides(TyperCommand):
    """Lets ``--a`` and ``--b`` take all words up to the next option."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        spread: list[str] = []
        side: str | None = None
        plain = True
        for word in args:
            plain = plain and word != "--"
            if plain and word in _SIDES:
                side = word
            elif plain and word.startswith("-") and word != "-":
                side = None
                spread.append(word)
            else:
                spread += [word] if side is None else [side, word]
        return super().parse_args(ctx, spread)


def compare_cli(
    sides: Annotated[
        list[Path] | None, typer.Argument(metavar="A B", help="Two runs; or with --gold two submissions.")
    ] = None,
    a: Annotated[
        list[Path] | None, typer.Option("--a", metavar="RUN…", help="The runs of the first side: its seeds.")
    ] = None,
    b: Annotated[list[Path] | None, typer.Option("--b", metavar="RUN…", help="The runs of the second side.")] = None,
    gold: Annotated[
        Path | None, typer.Option("--gold", metavar="FILE", help="Compare submissions by this gold file.")
    ] = None,
    recipe: OptionalRecipeOption = None,
    metric: Annotated[
        str | None, typer.Option("--metric", metavar="NAME", help="Scoring variant, as `ietool score` takes it.")
    ] = None,
    others: FileOption = None,
    overrides: SetOption = None,
    shown: Annotated[
        int, typer.Option("--examples", metavar="N", min=0, help="Examples of what was repaired and broken, each.")
    ] = 5,
    json: JsonOption = False,
    tsv: TsvOption = False,
) -> None:
    """Tell which of two runs or submissions is better.

    Runs are compared by what they say of the same dev; a group of folds or seeds stands for its members. Texts are
    drawn anew two thousand times, near-duplicates together, the same for both sides; the items that only one
    side has right go into an exact sign test.
    """
    from ietool.cli.progress import progress_bars
    from ietool.recipe_io import load_recipe
    from ietool.report.comparison import to_value, verdict
    from ietool.workflow.compare import compare_files, compare_runs

    one_form(json=json, tsv=tsv)
    first, second = _sides(sides or [], a or [], b or [])
    piped = [path for path in (*first, *second) if str(path) == "-"]
    if str(gold) == "-" or len(piped) > 1:
        field = "--gold" if str(gold) == "-" else "-"
        raise UserError("is read more than once, and so cannot be standard input", field=field, mend="name a file")
    with progress_bars() as progress:
        if gold is None:
            _check_runs([*first, *second], {"--recipe": recipe, "--file": others, "--set": overrides})
            compared = compare_runs(_members(first), _members(second), metric=metric, progress=progress)
        else:
            compared = compare_files(
                load_recipe(_named(recipe), overrides or ()),
                gold,
                _files(first),
                _files(second),
                metric=metric,
                options=_options(others),
                progress=progress,
            )
    if json:
        print_json(to_value(compared, shown))
    else:
        show(compared, shown, tsv=tsv)
    for note in compared.notes:
        say(f"note: {note}")
    if not json:
        say(verdict(compared))


# -- what is compared


def _sides(plain: Sequence[Path], a: Sequence[Path], b: Sequence[Path]) -> tuple[Sequence[Path], Sequence[Path]]:
    if plain and (a or b):
        raise UserError("stands beside --a and --b", field=str(plain[0]), mend="write either A B, or --a A… --b B…")
    if not plain and a and b:
        return a, b
    if len(plain) == 2:
        return plain[:1], plain[1:]
    if not plain and (a or b):
        missing = "--b" if a else "--a"
        raise UserError("is missing", field=missing, mend=f"name the other side: {missing} RUN…")
    message = f"two are compared, {len(plain)} {'is' if len(plain) == 1 else 'are'} named"
    raise UserError(message, mend="write ietool compare A B; of several seeds: --a A1 A2 --b B1 B2")


def _named(recipe: str | None) -> str:
    if recipe is None:
        raise UserError(
            "is missing", field="--recipe", mend="name one of the task of these files: see `ietool recipes`"
        )
    return recipe


def _options(others: list[str] | None) -> dict[str, Path]:
    from ietool.cli.options import named_files

    return named_files(others)


def _check_runs(runs: Sequence[Path], given: dict[str, Any]) -> None:
    """Raises UserError for a file among runs, and for options that only submissions have."""
    for run in runs:
        if run.is_file():
            mend = "give the gold file of these submissions: --gold FILE --recipe NAME"
            raise UserError("is a file; runs are compared by their folders", file=run, mend=mend)
    for option, value in given.items():
        if value:
            raise UserError("means something to submissions only", field=option, mend="leave it out, or give --gold")


def _files(side: Sequence[Path]) -> Sequence[Path]:
    for file in side:
        if file.is_dir():
            mend = "leave --gold out to compare runs by their dev, or predict on the gold file with this run"
            raise UserError("is a folder; with --gold submissions are compared", file=file, mend=mend)
    return side


def _members(side: Sequence[Path]) -> list[Path]:
    """Runs; the finished members of a group stand for it."""
    from ietool.contest.group import is_group, open_group

    found: list[Path] = []
    for run in side:
        if is_group(run):
            members = [entry.folder for entry in open_group(run).runs() if entry.state == "finished"]
            if not members:
                raise UserError("has no finished member yet", file=run, mend="finish it, or name another run")
            found += members
        else:
            found.append(run)
    return found


def show(compared: Compared, examples: int, *, tsv: bool = False) -> None:
    """Print the sides, the difference, what moved and examples of it."""
    from ietool.report.comparison import example_tables, tables
    from ietool.report.render import console, render, render_all, say_at_words

    out = console()
    render_all(tables(compared, tsv=tsv), out, tsv=tsv)
    for table in example_tables(compared, examples):
        print(file=out.file)
        render(table, out, tsv=tsv, blocks=True)
    if not tsv:
        print(file=out.file)
        say_at_words(f"{compared.metric}: {compared.definition}", out)


def register(app: typer.Typer) -> None:
    """Add the verb to the command line."""
    app.command(
        "compare",
        cls=_Sides,
        epilog=examples(
            "ietool compare --a runs/x1 runs/x2 --b runs/y1 runs/y2",
            "ietool compare old.json new.json --gold DIR/dev.json --recipe ske",
        ),
    )(compare_cli)
