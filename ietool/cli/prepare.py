"""``ietool prepare``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ietool.cli.common import examples, interrupted, print_json, say
from ietool.cli.options import (
    DataOption,
    DevFile,
    ExtraFile,
    FileOption,
    JsonOption,
    RecipeOption,
    SchemaFile,
    SetOption,
    SkipBad,
    TestFile,
    TrainFile,
    input_files,
)
from ietool.errors import UserError

if TYPE_CHECKING:
    from ietool.prepared import Prepared


def prepare_cli(
    recipe: RecipeOption,
    data: DataOption = None,
    train: TrainFile = None,
    dev: DevFile = None,
    test: TestFile = None,
    schema: SchemaFile = None,
    extra: ExtraFile = None,
    file: FileOption = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="DIR", help="Where to write. Default: a folder under prepared/."),
    ] = None,
    overrides: SetOption = None,
    skip_bad: SkipBad = False,
    force: Annotated[bool, typer.Option("--force", help="Prepare again even if nothing changed.")] = False,
    json: JsonOption = False,
) -> None:
    """Validate files, write features, say what is in them."""
    from ietool.cli.progress import progress_bars
    from ietool.recipe_io import load_recipe
    from ietool.report.render import console, render_all
    from ietool.workflow.prepare import prepare

    loaded = load_recipe(recipe, overrides or ())
    if output is not None and output.is_file():
        raise UserError("is a file, a folder is needed", file=output, mend="choose another --output")
    files = input_files(train, dev, test, schema, file, extra)
    try:
        with progress_bars() as progress:
            prepared = prepare(
                loaded, data=data, files=files, output=output, skip_bad=skip_bad, force=force, progress=progress
            )
    except KeyboardInterrupt:
        raise interrupted(lambda: "nothing was written; what was prepared before is untouched") from None
    if json:
        report = prepared.report
        print_json(
            {
                "folder": prepared.folder,
                "fresh": prepared.fresh,
                "rejected": report.rejected,
                "statistics": report.statistics,
                "notes": report.notes,
            }
        )
    else:
        out = console()
        render_all(prepared.report.tables, out)
    announce(prepared, notes=not json)


def announce(prepared: Prepared, *, notes: bool = True) -> None:
    """Say where the prepared data is and whether any work was needed."""
    for note in prepared.report.notes if notes else ():
        say(f"note: {note}")
    if prepared.report.rejected:
        say(f"left out: {prepared.report.rejected:,} bad records")
    made_of = "" if prepared.train is None else f", made of {prepared.train}"
    say(f"prepared: {prepared.folder}" if prepared.fresh else f"unchanged: reused {prepared.folder}{made_of}")


def register(app: typer.Typer) -> None:
    """Add the verb to the command line."""
    app.command(
        "prepare",
        epilog=examples(
            "ietool prepare --recipe ske --data DIR",
            "ietool prepare --recipe ske --train a.json --dev b.json --schema schema",
        ),
    )(prepare_cli)
