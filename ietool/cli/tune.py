"""``ietool tune``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ietool.cli.common import examples, print_json, say
from ietool.cli.options import FileOption, JsonOption, TsvOption, named_files, one_form

if TYPE_CHECKING:
    from ietool.contest.tune import Tuned
    from ietool.tables import Table


def tune_cli(
    run: Annotated[
        Path, typer.Argument(metavar="RUN", help="The folder of a run, of an ensemble, or of a group of folds.")
    ],
    scores: Annotated[
        Path | None,
        typer.Option("--scores", metavar="DIR", help="Scores kept by predict --scores. Default: those of dev."),
    ] = None,
    gold: Annotated[
        Path | None, typer.Option("--gold", metavar="FILE", help="The file that these are scores of, with gold.")
    ] = None,
    others: FileOption = None,
    parts: Annotated[
        int, typer.Option("--parts", metavar="K", min=2, max=100, help="Parts of the texts for the honest estimate.")
    ] = 5,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Tell what would be chosen; write nothing.")] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Write it though it is no gain on texts not chosen on.")
    ] = False,
    json: JsonOption = False,
    tsv: TsvOption = False,
) -> None:
    """Choose thresholds on kept scores, and write them into the run.

    The model is not run again. The gain is told twice: on the texts that the thresholds were chosen on, which flatters,
    and nested: chosen on all parts of the texts but one, and scored on that one.
    """
    from ietool.cli.progress import progress_bars
    from ietool.contest.tune import tune

    one_form(json=json, tsv=tsv)
    with progress_bars() as progress:
        outcome = tune(
            run, scores=scores, gold=gold, files=named_files(others), parts=parts, dry=dry_run,
            force=force, progress=progress,
        )  # fmt: skip
    if json:
        print_json(to_value(outcome))
    else:
        show(outcome, tsv=tsv)
    if outcome.apart:
        first, named = outcome.source.runs[0], ", ".join(str(run) for run in outcome.apart)
        say(f"note: {named} had other settings than {first}, over whose settings the gain is told")
    if outcome.again:
        say("note: settings or weights were chosen on these texts before: both scores flatter by it, the nested too")
    say(verdict(outcome, dry=dry_run))


def to_value(outcome: Tuned) -> dict[str, Any]:
    """What ``--json`` prints."""
    found = outcome.outcome
    return {
        "run": outcome.source.runs[0] if len(outcome.source.runs) == 1 else list(outcome.source.runs),
        "metric": outcome.metric,
        "primary": outcome.primary,
        "texts": outcome.texts,
        "parts": outcome.parts,
        "floor": outcome.floor,
        "settings": {name: {"before": old, "after": new} for name, (old, new) in outcome.settings.items()},
        "chosen_before": outcome.again,
        "before": found.before,
        "nested": {"score": found.nested, "gain": found.gain, "interval": found.interval},
        "optimistic": {
            "score": found.optimistic,
            "gain": found.optimistic_gain,
            "interval": found.optimistic_interval,
        },
        "curve": {"key": f"decode.{outcome.key}", "points": [list(point) for point in outcome.curve]},
        "written": list(outcome.written),
        "seconds": round(outcome.seconds, 3),
    }


def show(outcome: Tuned, *, tsv: bool = False) -> None:
    """Print the settings, the gain and the curve of the main threshold."""
    from ietool.contest.plot import plot
    from ietool.report.render import console, render_all

    out = console()
    render_all(_tables(outcome), out, tsv=tsv)
    if tsv:
        return
    after = getattr(outcome.outcome.chosen, outcome.key, None)
    title = f"decode.{outcome.key}, {outcome.texts:,} texts (^ what is chosen)"
    for line in ["", *plot(outcome.curve, after, x=title, y=outcome.primary)]:
        print(line)


def _tables(outcome: Tuned) -> list[Table]:
    from ietool.tables import Difference, Table, interval

    found = outcome.outcome
    rows: list[tuple[Any, ...]] = []
    for name, (old, new) in outcome.settings.items():
        if isinstance(new, dict):
            named = sorted({*old, *new}, key=lambda label: (-new.get(label, -1.0), label))
            rows += [(f"{name}.{label}", _word(old.get(label)), _word(new.get(label))) for label in named
                     if old.get(label) != new.get(label)]  # fmt: skip
        else:
            rows.append((name, _word(old), _word(new)))
    shown = [interval(ends, signed=True) for ends in (found.interval, found.optimistic_interval)]
    gains = [
        ("as it was", found.before, None, None),
        ("tuned, nested", found.nested, Difference(found.gain), shown[0]),
        ("tuned, on its own texts", found.optimistic, Difference(found.optimistic_gain), shown[1]),
    ]
    note = (
        f"{outcome.metric} on {outcome.texts:,} texts in {outcome.parts} parts. Nested: chosen on all parts but one, "
        "scored on that one. The last line flatters."
    )
    return [
        Table("Settings", ("key", "before", "chosen"), rows, note="" if rows else "nothing better is found"),
        Table("Gain", ("settings", outcome.primary, "gain", "95 %"), gains, note=note, whole=("95 %",)),
    ]


def _word(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return "–" if value is None else f"{value:g}" if isinstance(value, float) else str(value)


def verdict(outcome: Tuned, *, dry: bool) -> str:
    """What became of it, in one line."""
    seconds = f"{outcome.seconds:.1f} s, scores above {outcome.floor:g}"
    if not outcome.settings and outcome.written:
        where = ", ".join(str(run) for run in outcome.written)
        first = outcome.source.runs[0]
        return f"nothing scores better than the settings of {first}: {where} have them now too ({seconds})"
    if not outcome.settings:
        return f"nothing scores better than the settings there are: the run stays as it is ({seconds})"
    if outcome.written:
        where = ", ".join(str(run) for run in outcome.written)
        return f"written into the recipe of {where} ({seconds})"
    if dry and outcome.outcome.gain > 0:
        return f"nothing is written; without --dry-run these settings would be ({seconds})"
    return (
        f"no gain on texts that it was not chosen on ({outcome.outcome.gain:+.4f}): the run stays as it is; "
        f"--force writes it anyway ({seconds})"
    )


def register(app: typer.Typer) -> None:
    """Add the verb to the command line."""
    app.command(
        "tune",
        epilog=examples(
            "ietool tune runs/mine",
            "ietool tune runs/mine --dry-run --json",
            "ietool predict --run runs/mine DIR/dev.json --output /tmp/dev.json --scores scores/dev",
            "ietool tune runs/mine --scores scores/dev --gold DIR/dev.json",
        ),
    )(tune_cli)
