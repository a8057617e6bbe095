"""``ietool score``: the official score of a submission file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ietool.cli.common import examples, print_json, say
from ietool.cli.options import FileOption, JsonOption, RecipeOption, SetOption, TsvOption, named_files, one_form
from ietool.report.summary import figures, summary, to_value

if TYPE_CHECKING:
    from ietool.scoring.report import Report


def score_cli(
    recipe: RecipeOption,
    gold: Annotated[Path, typer.Argument(metavar="GOLD", help="Gold file; may be gzip or zip.")],
    predictions: Annotated[Path, typer.Argument(metavar="PREDICTIONS", help="Submission; may be gzip or zip.")],
    metric: Annotated[
        str | None,
        typer.Option(
            "--metric",
            metavar="NAME",
            help="Scoring variant. Triples: duie2, ske2019, webnlg; linking: ccks2019, ccks2020; answers: cmrc2018, "
            "dureader_robust, dureader2, lic2019_mrc, sogouqa, webqa; entities: seqeval, span, cluener; events: duee1, "
            "exact; event subjects: ccks2019, accuracy; queries: tableqa, logical. Default: told from the gold file.",
        ),
    ] = None,
    alias: Annotated[
        Path | None, typer.Option("--alias", metavar="FILE", help="Triples, other names: name<TAB>alias… a line.")
    ] = None,
    locations: Annotated[
        Path | None,
        typer.Option("--locations", metavar="FILE", help="Only ske2019, place names: name<TAB>location… a line."),
    ] = None,
    kb: Annotated[
        Path | None,
        typer.Option(
            "--kb",
            metavar="KB",
            help="Linking, knowledge base: tells which misses are of its names, and how ambiguous names are linked.",
        ),
    ] = None,
    others: FileOption = None,
    explain: Annotated[
        Path | None,
        typer.Option(
            "--explain",
            metavar="FILE",
            help="Write each item with its verdict (right, missed …) and by which rule; .gz and .zip are packed.",
        ),
    ] = None,
    overrides: SetOption = None,
    as_json: JsonOption = False,
    tsv: TsvOption = False,
) -> None:
    """Score a submission file by the competition's official rules."""
    from ietool.cli.progress import progress_bars
    from ietool.errors import UserError
    from ietool.files.outputs import check_output
    from ietool.recipe_io import load_recipe
    from ietool.workflow.score import score_files

    one_form(json=as_json, tsv=tsv)
    to_stdout = explain is not None and str(explain) == "-"
    if to_stdout and as_json:
        raise UserError("both --json and --explain want standard output", mend="give --explain a file")
    files = {"alias": alias, "locations": locations, "kb": kb, **named_files(others)}
    check_output(explain, [gold, predictions, recipe, *files.values()])
    with progress_bars() as progress:
        report = score_files(
            load_recipe(recipe, overrides or ()),
            gold,
            predictions,
            metric=metric,
            options={name: path for name, path in files.items() if path is not None},
            explain=explain,
            progress=progress,
        )
    if as_json:
        for note in report.notes:
            say(f"note: {note}")
        print_json(to_value(report))
    else:
        show(report, f"Score of {predictions} against gold {gold}", stderr=to_stdout, tsv=tsv)
    if explain is not None:
        say(f"{len(report.outcomes):,} verdicts written to {explain}")


def show(report: Report, title: str = "Score", *, stderr: bool = False, tsv: bool = False) -> None:
    """Print a report: summary, what counted as correct, the other tables; notes go to standard error."""
    from ietool.report.render import console, render, render_all, say_at_words

    out = console(stderr=stderr)
    if tsv:
        render_all([figures(report, title), *report.tables], out, tsv=True)
    else:
        render(summary(report, title), out)
        print(file=out.file)
        say_at_words(f"{report.metric}: {report.definition}", out)
        for table in report.tables:
            print(file=out.file)
            render(table, out)
    for note in report.notes:
        say(f"note: {note}")


def register(app: typer.Typer) -> None:
    """Add the verb to the command line."""
    app.command(
        "score",
        epilog=examples(
            "ietool score --recipe ske gold.json result.json",
            "ietool score --recipe ske gold.json.gz result.zip --explain verdicts.jsonl",
        ),
    )(score_cli)
