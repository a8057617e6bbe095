"""``ietool report``: why a score is what it is, as a page to look at."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ietool.cli.common import examples, print_json, say
from ietool.cli.options import FileOption, JsonOption, OptionalRecipeOption, SchemaFile, SetOption, input_files
from ietool.errors import UserError

if TYPE_CHECKING:
    from ietool.report.classes.reported import Reported
    from ietool.tables import Cell

TEXTS = 3000
"""Texts that a page holds by default; :data:`ietool.report.classes.texts.TEXTS`, which is not loaded for --help."""


def report_cli(
    gold: Annotated[
        Path | None, typer.Argument(metavar="GOLD", help="Gold file; may be gzip or zip. Not with --run.")
    ] = None,
    result: Annotated[Path | None, typer.Argument(metavar="RESULT", help="Submission; may be gzip or zip.")] = None,
    other: Annotated[
        Path | None, typer.Argument(metavar="OTHER", help="A second submission, which is laid beside the first.")
    ] = None,
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="FILE", help="The page to write, one HTML file.")
    ] = Path("report.html"),
    run: Annotated[
        list[Path] | None,
        typer.Option(
            "--run",
            metavar="DIR",
            help="A run folder: its dev set and its training, instead of files; twice: two runs on the same dev set.",
        ),
    ] = None,
    recipe: OptionalRecipeOption = None,
    metric: Annotated[
        str | None,
        typer.Option("--metric", metavar="NAME", help="Scoring variant, as in score. Default: told from gold."),
    ] = None,
    schema: SchemaFile = None,
    train: Annotated[
        Path | None,
        typer.Option("--train", metavar="FILE", help="Training file: scores of names that it has, and of others."),
    ] = None,
    alias: Annotated[
        Path | None, typer.Option("--alias", metavar="FILE", help="Triples, other names: name<TAB>alias… a line.")
    ] = None,
    locations: Annotated[
        Path | None, typer.Option("--locations", metavar="FILE", help="Only ske2019, place names, as in score.")
    ] = None,
    kb: Annotated[Path | None, typer.Option("--kb", metavar="KB", help="Linking: the knowledge base.")] = None,
    others: FileOption = None,
    texts: Annotated[
        int,
        typer.Option(
            "--texts", metavar="N", min=1, help="Texts that the page holds at most; more are drawn by class of error."
        ),
    ] = TEXTS,
    overrides: SetOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write a page that shows why a score is what it is."""
    from ietool.cli.progress import progress_bars
    from ietool.core.sources import flag_of
    from ietool.files.outputs import check_output
    from ietool.recipe_io import load_recipe
    from ietool.workflow.report import report_files, report_runs

    files = {"alias": alias, "locations": locations, "kb": kb, **input_files(schema=schema, others=others)}
    named = {name: path for name, path in files.items() if path is not None}
    if run:
        if len(run) > 2:
            raise UserError("is given more than twice", field="--run", mend="compare two runs at a time")
        given = {"GOLD": gold, "--recipe": recipe, "--metric": metric, "--set": overrides}
        given |= {flag_of(name).partition("=")[0]: path for name, path in named.items()}
        for name, value in given.items():
            if value is not None:
                raise UserError("goes with files, not with --run", field=name, mend="leave one of them out")
    elif gold is None or result is None:
        what = "names no submission" if gold is not None else "names neither files nor a run"
        raise UserError(what, field="report", mend="write: ietool report GOLD RESULT, or ietool report --run DIR")
    for role, path in {"GOLD": gold, "RESULT": result, "OTHER": other, "--train": train}.items():
        if str(path) == "-":
            raise UserError("is read more than once, and so cannot be standard input", field=role, mend="name a file")
    if str(output) == "-":
        raise UserError("is a file to look at in a browser", field="--output", mend="name one: --output report.html")
    check_output(output, [gold, result, other, train, *named.values()])
    with progress_bars() as progress:
        if run:
            made = report_runs(run, output, train=train, most=texts, progress=progress)
        else:
            assert gold is not None and result is not None
            made = report_files(
                gold,
                [result] if other is None else [result, other],
                output,
                recipe=None if recipe is None else load_recipe(recipe, overrides or ()),
                settings=overrides or (),
                metric=metric,
                options=named,
                train=train,
                most=texts,
                progress=progress,
            )
    if as_json:
        print_json(made.plain(output))
    else:
        show(made)
        say(f"written to {output}: open it in a browser")


def show(made: Reported) -> None:
    """Print the classes of errors that there are, most frequent first."""
    from ietool.report.render import console, render
    from ietool.tables import Table

    for one in made.studies:
        rows: list[tuple[Cell, ...]] = [
            (name, *counts.values()) for name, counts in made.counts(one).items() if counts["items"]
        ]
        report = one.report
        title = f"{one.name}: {report.primary} {report.values[report.primary]:.4f}, errors by class"
        note = "" if rows else "there is no error"
        render(Table(title, ("class", "items", "spurious", "missed") if rows else (), rows, note=note), console())


def register(app: typer.Typer) -> None:
    """Add the verb to the command line."""
    app.command(
        "report",
        epilog=examples(
            "ietool report gold.json result.json other.json --output report.html --train train.json",
            "ietool report --run runs/ske/mine",
        ),
    )(report_cli)
