"""``ietool clean``."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ietool.cli.common import examples, interrupted, print_json, say
from ietool.cli.options import DeviceOption, JsonOption

if TYPE_CHECKING:
    from ietool.contest.clean.applying import Cleaned
    from ietool.contest.clean.cleaning import Reviewed


def clean_cli(
    group: Annotated[Path, typer.Argument(metavar="GROUP", help="A finished folder of: ietool train --folds K.")],
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="DIR", help="Where the review and the new training file go.")
    ],
    add: Annotated[
        float | None,
        typer.Option(
            "--add", metavar="P", min=0, max=1, help="Tick items that come from this score on. Default: by kind."
        ),
    ] = None,
    drop: Annotated[
        float | None,
        typer.Option(
            "--drop", metavar="P", min=0, max=1, help="Tick items of gold that go up to this score. Default: by kind."
        ),
    ] = None,
    agree: Annotated[
        float | None,
        typer.Option(
            "--agree", metavar="SHARE", min=0, max=1, help="Share of a text's models that must agree. Default: 1."
        ),
    ] = None,
    apply: Annotated[
        Path | None,
        typer.Option("--apply", metavar="FILE", help="Write the new training file with what is ticked in this review."),
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace a review at DIR also where it was ticked or mended by hand.")
    ] = False,
    device: DeviceOption = "auto",
    json: JsonOption = False,
) -> None:
    """Find wrong labels of train by models that have not seen them.

    The first call writes DIR/review.tsv, a table for a spreadsheet: x in the column accept means that a suggestion is
    taken. The second call, with --apply, writes a new training file and where each change comes from. The training
    file itself is never changed.
    """
    from ietool.cli.progress import progress_bars
    from ietool.contest.clean.applying import apply as apply_review
    from ietool.contest.clean.cleaning import review
    from ietool.contest.clean.suggest import Limits
    from ietool.errors import UserError

    given = {"add": add, "drop": drop, "agree": agree}
    chosen = {name: value for name, value in given.items() if value is not None}
    if apply is not None and (chosen or overwrite):
        first = next(iter(chosen), "overwrite")
        raise UserError("is for making a review", field=f"--{first}", mend="leave it out: what is ticked counts")
    done: Reviewed | Cleaned
    try:
        with progress_bars() as progress:
            if apply is None:
                done = review(group, output, Limits(**chosen), device=device, overwrite=overwrite, progress=progress)
            else:
                done = apply_review(group, apply, output, progress=progress)
    except KeyboardInterrupt:
        raise interrupted(lambda: "nothing was written; the training file is untouched") from None
    if json:
        print_json(done.__dict__)
    elif apply is None:
        _tell_review(done, group, output)  # type: ignore[arg-type]
    else:
        _tell_cleaned(done, group)  # type: ignore[arg-type]


def _tell_review(done: Reviewed, group: Path, output: Path) -> None:
    from ietool.report.render import console, render
    from ietool.tables import Table

    rows = [(kind, count, ticked) for kind, (count, ticked) in done.kinds.items()]
    title = f"Disagreements in {done.records:,} records with {done.items:,} items"
    render(Table(title, ("kind", "found", "ticked"), rows, note="" if rows else "gold and models agree"), console())
    if done.elsewhere:
        say(f"not looked at: {done.elsewhere:,} records of further training files (data.more)")
    say(f"review: {done.review}")
    words = ["ietool", "clean", str(group), "--output", str(output), "--apply", str(done.review)]
    say(f"look at it in a spreadsheet, then: {shlex.join(words)}")


def _tell_cleaned(done: Cleaned, group: Path) -> None:
    from ietool.core.sources import options_of
    from ietool.runs.entry import RECIPE_FILE

    told = ", ".join(f"{done.changes.get(name, 0):,} {name}" for name in ("added", "dropped", "replaced"))
    say(f"changed: {told} in {done.texts:,} texts; each with its reason: {done.provenance}")
    if done.left_out:
        lines = "line that cannot" if done.left_out == 1 else "lines that cannot"
        say(f"left out: {done.left_out:,} {lines} be read, as --skip-bad did when the file was prepared")
    options = options_of({"train": done.train, **done.files})
    say(f"train with: ietool train --recipe {shlex.quote(str(group / RECIPE_FILE))} {' '.join(options)}")


def register(app: typer.Typer) -> None:
    """Add the verb to the command line."""
    app.command(
        "clean",
        epilog=examples(
            "ietool clean runs/folds --output cleaned",
            "ietool clean runs/folds --output cleaned --apply cleaned/review.tsv",
        ),
    )(clean_cli)
