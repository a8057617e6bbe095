"""``ietool predict``."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated

import typer

from ietool.cli.common import examples, interrupted, left_out_told, say
from ietool.cli.options import DeviceOption, FileOption, OptionalRecipeOption, SetOption, named_files
from ietool.errors import UserError
from ietool.files.outputs import check_output


def predict_cli(
    source: Annotated[
        str | None,
        typer.Argument(metavar="INPUT", help="File of texts or questions in the competition's format; - is stdin."),
    ] = None,
    recipe: OptionalRecipeOption = None,
    run: Annotated[
        Path | None, typer.Option("--run", metavar="DIR", help="A run folder. Default: the recipe's latest run.")
    ] = None,
    output: Annotated[
        str,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            help="Where to write; - is standard output. A name that ends in .gz or .zip is packed so: r.zip holds "
            "r.json, r.tsv.zip holds r.tsv.",
        ),
    ] = "-",
    text: Annotated[
        list[str] | None,
        typer.Option(
            "--text",
            metavar="TEXT",
            help="Predict on this text instead; for qa question<TAB>passage<TAB>…, for event subjects type<TAB>text; "
            "may be repeated.",
        ),
    ] = None,
    kb: Annotated[
        Path | None,
        typer.Option(
            "--kb", metavar="KB", help="Link to this knowledge base, not the one trained with (recipes of el)."
        ),
    ] = None,
    others: FileOption = None,
    nbest: Annotated[
        int | None,
        typer.Option("--nbest", metavar="N", min=1, help="Write the N best candidates with scores (recipes of qa)."),
    ] = None,
    scores: Annotated[
        Path | None,
        typer.Option(
            "--scores",
            metavar="DIR",
            help="Also keep what the model says before thresholds: tune, ensemble and others work on it.",
        ),
    ] = None,
    overrides: SetOption = None,
    device: DeviceOption = "auto",
    batch_size: Annotated[
        int | None, typer.Option("--batch-size", metavar="N", min=1, help="Texts at a time. Default: the recipe's.")
    ] = None,
    members_at_once: Annotated[
        int, typer.Option("--members-at-once", metavar="N", min=1, help="Of an ensemble: members that are in memory.")
    ] = 1,
    skip_bad: Annotated[
        bool, typer.Option("--skip-bad", help="Leave bad records of the file out, say which they are and count them.")
    ] = False,
) -> None:
    """Predict on a file of any size, or on texts given here."""
    if (source is None) == (not text):
        problem = "there is no input" if source is None else "both a file and --text are given"
        raise UserError(problem, mend="name a file, - for standard input, or give --text")
    if text and scores is not None:
        raise UserError("is for files", field="--scores", mend="leave it out, or put the texts in a file")
    if text and output != "-":
        raise UserError(
            "--text prints a table and writes no file",
            field="--output",
            mend="leave it out, or put the texts in a file",
        )
    if source is not None and Path(source).is_dir():
        raise UserError("is a folder, a file is needed", file=source, mend="name the file of texts in it")
    if source is not None and source != "-" and not Path(source).exists():
        raise UserError("no such file", file=source, mend="check the path")
    files = named_files(others)
    if text and files:
        raise UserError("is for files", field="--file", mend="leave it out")
    check_output(output, [source, recipe, kb, *files.values()])
    folder = find_run(recipe, run)
    settings = list(overrides or ())
    _check_options(folder, {"kb": kb, "nbest": nbest})
    if kb is not None:
        settings.append(f"decode.kb={json.dumps(str(kb.resolve()), ensure_ascii=False)}")
    if nbest is not None:
        settings.append(f"decode.nbest={nbest}")
    if text and skip_bad:
        raise UserError("is for files", field="--skip-bad", mend="leave it out")
    if text:
        _show(folder, text, device, settings)
        return
    assert source is not None
    predict_to(
        folder,
        source,
        output,
        device=device,
        batch_size=batch_size,
        overrides=settings,
        scores=scores,
        members_at_once=members_at_once,
        skip_bad=skip_bad,
        files=files,
    )


def introduce(folder: Path) -> None:
    """Say which run predicts, how far it came and how good it was on dev."""
    from ietool.runs.entry import open_run

    entry = open_run(folder)
    best = entry.info.best or {}
    about = [entry.info.recipe, entry.state if entry.state == "finished" else f"{entry.state}, not finished"]
    if entry.is_demo:
        about.append("of the demo")
    if entry.info.overfit:
        about.append(f"a self-check on {entry.info.overfit} records")
    if "score" in best:
        about.append(f"{best.get('source', 'dev')} {best.get('metric', 'score')} {best['score']:.4f}")
    say(f"run: {folder} ({', '.join(about)})")


def _check_options(run: Path, given: Mapping[str, object]) -> None:
    """Raises UserError for options of other tasks than that of the run."""
    from ietool.recipe_io import load_recipe
    from ietool.runs.entry import RECIPE_FILE

    recipe = load_recipe(str(run / RECIPE_FILE))
    for name, value in given.items():
        if value is not None and not hasattr(getattr(recipe, "decode", None), name):
            raise UserError(f"is not for recipes of the task {recipe.task}", field=f"--{name}", mend="leave it out")


def find_run(recipe: str | None, run: Path | None) -> Path:
    """The run to predict with: ``--run``, or the latest finished one of ``--recipe``.

    Raises:
        UserError: there is none, or the two disagree.
    """
    from ietool.recipe_io import load_recipe
    from ietool.runs.entry import open_run
    from ietool.runs.finding import latest_run
    from ietool.runs.info import RUN_FILE

    if run is not None:
        entry = open_run(run)
        if recipe is not None and (named := load_recipe(recipe).name) != entry.info.recipe:
            raise UserError(
                f"is a run of {entry.info.recipe}, not of {named}", file=run, mend="give --run alone, or another --run"
            )
        return entry.folder
    if recipe is None:
        raise UserError("no model is named", mend="give --recipe NAME for its latest run, or --run DIR")
    if (Path(recipe) / RUN_FILE).is_file():  # a run folder, which train takes for a recipe too: that very run is meant
        return open_run(Path(recipe)).folder
    return latest_run(load_recipe(recipe).name)


def predict_to(
    folder: Path,
    source: str,
    output: str,
    *,
    device: str,
    batch_size: int | None = None,
    overrides: Sequence[str] = (),
    scores: Path | None = None,
    members_at_once: int = 1,
    skip_bad: bool = False,
    files: Mapping[str, Path] | None = None,
) -> None:
    """Predict on a file with progress, and say how much was found, where the predictions are and how fast it went."""
    from ietool.cli.progress import progress_bars
    from ietool.workflow.predict import predict_file
    from ietool.workflow.scores import LEAST

    try:
        with progress_bars() as progress:
            outcome = predict_file(
                folder,
                source,
                output,
                device=device,
                batch_size=batch_size,
                overrides=overrides,
                scores=scores,
                members_at_once=members_at_once,
                files=files,
                on_bad=left_out_told() if skip_bad else None,
                on_start=lambda: introduce(folder),
                on_note=lambda note: say(f"note: {note}"),
                progress=progress,
            )
    except KeyboardInterrupt:
        through = output == "-" or (Path(output).exists() and not Path(output).is_file())
        where = "what was written is incomplete" if through else f"{output} was not touched"
        raise interrupted(lambda: where) from None
    for note in outcome.notes:
        say(f"note: {note}")
    if outcome.rejected:
        say(f"left out: {outcome.rejected:,} bad records, which have no prediction")
    rate = outcome.texts / outcome.seconds if outcome.seconds else 0.0
    target = "standard output" if output == "-" else output
    say(f"predicted: {outcome.summary}")
    if scores is not None:
        say(f"scores: {outcome.scores / 1e6:,.1f} MB, all above {LEAST:g} → {scores}")
    say(f"took: {outcome.seconds:.1f} s ({rate:,.0f}/s) → {target}")


def _show(folder: Path, texts: list[str], device: str, overrides: Sequence[str]) -> None:
    from ietool.report.render import console, render
    from ietool.workflow.predict import load

    loaded = load(folder, device, overrides)
    predictions = loaded.predict(texts)  # what is wrong with a text is told before anything else
    introduce(folder)
    out = console()
    for note in loaded.notes:
        say(f"note: {note}")
    for prediction in predictions:
        render(loaded.show(prediction), out)
    say(f"predicted: {loaded.summary(sum(map(loaded.task.found, predictions)), len(predictions))}")


def register(app: typer.Typer) -> None:
    """Add the verb to the command line."""
    app.command(
        "predict",
        epilog=examples(
            "ietool predict --recipe el develop.json --output result.json --kb kb_data",
            "ietool predict --run runs/short --text '《红楼梦》的作者是曹雪芹。'",
        ),
    )(predict_cli)
