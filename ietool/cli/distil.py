"""``ietool distil``."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import typer

from ietool.cli.common import check_device, examples, interrupted, left_out_told, print_json, say
from ietool.cli.options import DeviceOption, FileOption, JsonOption, named_files


def distil_cli(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A finished run, or an ensemble.")],
    texts: Annotated[
        Path, typer.Option("--texts", metavar="FILE", help="Texts or questions in the competition's test format.")
    ],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="DIR", help="Where the labelled file goes.")],
    confidence: Annotated[
        float,
        typer.Option(
            "--confidence",
            metavar="P",
            min=0,
            max=1,
            help="Leave out texts in which an item is found that is less probable.",
        ),
    ] = 0.5,
    doubt: Annotated[
        float | None,
        typer.Option(
            "--doubt",
            metavar="N",
            min=0,
            help="Leave out texts of which more than this is in doubt: what their candidates lack to 0 or 1, added up. "
            "Default: 0.5; with --soft no limit.",
        ),
    ] = None,
    soft: Annotated[
        bool, typer.Option("--soft", help="Write probabilities, to be learnt as they are (recipes of ske and ner).")
    ] = False,
    others: FileOption = None,
    device: DeviceOption = "auto",
    skip_bad: Annotated[
        bool, typer.Option("--skip-bad", help="Leave bad records of the file out, say which they are and count them.")
    ] = False,
    json: JsonOption = False,
) -> None:
    """Label texts that have no gold, to train on them too.

    Writes DIR/extra.jsonl in the competition's training form, and beside it the probability of each item.
    """
    from ietool.cli.predict import introduce
    from ietool.cli.progress import progress_bars
    from ietool.contest.distil import distil
    from ietool.errors import UserError

    if soft and confidence != 0.5:
        raise UserError("does not act with --soft", field="--confidence", mend="leave one of them out")

    if not texts.is_file():
        what = "is a folder, a file is needed" if texts.is_dir() else "no such file"
        raise UserError(what, file=texts, mend="check the path")
    check_device(device)
    try:
        with progress_bars() as progress:
            done = distil(
                run,
                texts,
                output,
                confidence=confidence,
                doubt=doubt,
                soft=soft,
                files=named_files(others),
                device=device,
                on_bad=left_out_told() if skip_bad else None,
                on_start=lambda: introduce(run),
                progress=progress,
            )
    except KeyboardInterrupt:
        raise interrupted(lambda: "nothing was written") from None
    if json:
        print_json(done.__dict__)
        return
    if done.rejected:
        say(f"left out: {done.rejected:,} bad records")
    if done.blank:
        say(f"left out: {done.blank:,} blank texts")
    if done.unfit:
        say(
            f"left out: {done.unfit:,} texts with line breaks or signs that divide the form of train; --soft takes them"
        )
    out = f"left out: {done.doubtful:,} doubtful"
    out += "" if soft else f", {done.unsure:,} with an item less probable than {confidence:g}"
    say(f"labelled: {done.items:,} items in {done.kept:,} of {done.texts:,} texts; {out}")
    say(f"train with: ietool train --recipe NAME --data DIR --extra {shlex.quote(str(done.extra))}")


def register(app: typer.Typer) -> None:
    """Add the verb to the command line."""
    app.command(
        "distil",
        epilog=examples(
            "ietool distil runs/team --texts DIR/test1.json --output extra",
            "ietool train --recipe ske --data DIR --extra extra/extra.jsonl",
        ),
    )(distil_cli)
