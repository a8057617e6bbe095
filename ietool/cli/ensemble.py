"""``ietool ensemble``: several runs as one."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ietool.cli.common import examples, interrupted, print_json, say
from ietool.cli.options import DeviceOption, FileOption, JsonOption, TsvOption, named_files, one_form
from ietool.errors import UserError

if TYPE_CHECKING:
    from ietool.contest.ensemble.build import Figures, Made
    from ietool.tables import Table

Gain = tuple[float, tuple[float, float] | None]


def ensemble_cli(
    runs: Annotated[
        list[Path],
        typer.Argument(metavar="RUN…", help="Run folders; of an ensemble or a group of folds all members are taken."),
    ],
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="DIR", help="The folder to make. Default: one under runs/."),
    ] = None,
    join: Annotated[
        str,
        typer.Option(
            "--join",
            metavar="mean|vote|union|intersection",
            help="How heads are joined: their probabilities averaged, or what each has decided. Members of one head "
            "are averaged in any case; where there is no other head, the members vote.",
        ),
    ] = "mean",
    weights: Annotated[
        str | None,
        typer.Option("--weights", metavar="W,W,…", help="A weight a member, or a group of folds. Default: chosen."),
    ] = None,
    copy: Annotated[
        bool, typer.Option("--copy", help="Carry the members in the folder, so that it can be pushed and moved alone.")
    ] = False,
    on: Annotated[
        str | None,
        typer.Option(
            "--on",
            metavar="dev|oof",
            help="What weights and the main threshold are chosen on: dev, or all of train, of groups of folds that cut "
            "it alike, each text by the members that have not seen it. Default: dev, or train where dev is of no use.",
        ),
    ] = None,
    gold: Annotated[
        Path | None,
        typer.Option("--gold", metavar="FILE", help="Choose and measure on this gold file, not on the members' dev."),
    ] = None,
    others: FileOption = None,
    device: DeviceOption = "auto",
    members_at_once: Annotated[
        int, typer.Option("--members-at-once", metavar="N", min=1, help="Members that are in memory.")
    ] = 1,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the run that stands at --output.")] = False,
    json: JsonOption = False,
    tsv: TsvOption = False,
) -> None:
    """Make one run of several, and say what it gains.

    They are of one task, and may be of different recipes. predict, push and load() take the folder as they take any
    run. Stopped, the same command goes on.
    """
    from ietool.cli.progress import progress_bars
    from ietool.contest.ensemble.build import make_ensemble

    one_form(json=json, tsv=tsv)
    try:
        with progress_bars() as progress:
            made = make_ensemble(
                runs,
                output=output,
                join=join,  # type: ignore[arg-type]
                weights=None if weights is None else _numbers(weights),
                copy=copy,
                on=on,
                gold=gold,
                files=named_files(others),
                device=device,
                members_at_once=members_at_once,
                overwrite=overwrite,
                on_note=lambda note: say(f"note: {note}"),
                progress=progress,
            )
    except KeyboardInterrupt:
        raise interrupted(lambda: "what members said is kept; the same command goes on") from None
    for note in made.notes:
        say(f"note: {note}")
    if json:
        figures = None if made.figures is None else asdict(made.figures)
        print_json({"folder": made.folder, **asdict(made.info), "settings": list(made.settings), "figures": figures})
    else:
        _show(made, tsv=tsv)
    say(f"ensemble of {len(made.info.members)} members: {made.folder}")


def _numbers(text: str) -> list[float]:
    try:
        return [float(part) for part in text.split(",")]
    except ValueError:
        raise UserError(
            f"{text!r} is no list of numbers", field="--weights", mend="write it as --weights 2,1,1"
        ) from None


def _show(made: Made, *, tsv: bool) -> None:
    from ietool.report.render import console, render_all

    render_all(_tables(made), console(), tsv=tsv)


def _tables(made: Made) -> list[Table]:
    from ietool.tables import Cell, Difference, Table, interval

    if made.figures is None:
        rows: list[tuple[Cell, ...]] = [(name, m.weight) for name, m in zip(made.names, made.info.members, strict=True)]
        return [Table("Members", ("member", "weight"), rows)]
    figures = made.figures
    rows = [(name, score, weight) for name, score, weight in figures.members]
    rows.append(("together, equal weights" if figures.used else "together", figures.equal, None))
    if figures.used:
        rows.append(("together, as chosen (nested)", figures.nested, None))
    title = f"{figures.metric} on {figures.texts:,} texts of {figures.source}"
    gains = [("over the mean of the members", figures.over_mean), ("over the best member", figures.over_best)]
    gains.append(("of weights and threshold, nested", figures.gain))
    shown: list[tuple[Cell, ...]] = [
        (what, Difference(gain[0]), interval(gain[1], signed=True)) for what, gain in gains if gain is not None
    ]
    optimistic = figures.optimistic - figures.equal
    shown.append(("of weights and threshold, on what they were chosen on", Difference(optimistic), None))
    count = len(figures.members)
    told = [(f"{n} of {count}", items, value) for n, items, value, _ in figures.agreement]
    measure = next((measure for *_, measure in figures.agreement), "precision")
    return [
        Table(title, ("", "score", "weight"), rows),
        Table("Gain", ("", "gain", "95 % interval"), shown, note=_used(figures), whole=("95 % interval",)),
        Table("What so many members have found", ("members", "items", measure), told),
    ]


def _used(figures: Figures) -> str:
    if figures.used:
        return "the weights and the threshold chosen are used"
    return "nothing that was chosen is worth more on other texts: equal weights and the recipe's threshold are used"


def register(app: typer.Typer) -> None:
    """Add the verb to the command line."""
    app.command(
        "ensemble",
        epilog=examples(
            "ietool ensemble runs/a runs/b --join vote --copy --output runs/team",
            "ietool ensemble runs/folds-a runs/folds-b --on oof --output runs/team",
        ),
    )(ensemble_cli)
