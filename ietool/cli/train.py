"""``ietool train``."""

from __future__ import annotations

import contextlib
import shlex
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ietool.cli.common import check_device, examples, interrupted, say
from ietool.cli.epochs import EpochTable, of_best
from ietool.cli.options import (
    DataOption,
    DevFile,
    DeviceOption,
    ExtraFile,
    FileOption,
    OptionalRecipeOption,
    SchemaFile,
    SetOption,
    SkipBad,
    TestFile,
    TrainFile,
    finite,
    input_files,
)
from ietool.cli.streams import enduring
from ietool.errors import UserError
from ietool.processes import is_main_process, process_count

if TYPE_CHECKING:
    from ietool.recipe import Recipe
    from ietool.workflow.train import Trained


def train_cli(
    recipe: OptionalRecipeOption = None,
    data: DataOption = None,
    train: TrainFile = None,
    dev: DevFile = None,
    test: TestFile = None,
    schema: SchemaFile = None,
    extra: ExtraFile = None,
    file: FileOption = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="DIR", help="The run folder. Default: runs/RECIPE/DATE-TIME."),
    ] = None,
    overrides: SetOption = None,
    device: DeviceOption = "auto",
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with the latest unfinished run, or with the one in --output.")
    ] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the run that is in --output.")] = False,
    overfit: Annotated[
        int | None,
        typer.Option("--overfit", metavar="N", min=1, help="Self-check: train on N records until they are fitted."),
    ] = None,
    minutes: Annotated[
        float | None,
        typer.Option(
            "--minutes",
            metavar="N",
            min=0,
            callback=finite,
            help="End after so many minutes with the best weights so far; each fold has its share.",
        ),
    ] = None,
    folds: Annotated[
        int | None,
        typer.Option("--folds", metavar="K", min=2, max=100, help="Train K models, each without one part of train."),
    ] = None,
    seeds: Annotated[
        int | None,
        typer.Option("--seeds", metavar="N", min=1, max=100, help="Train N models of each fold, or of all of train."),
    ] = None,
    start: Annotated[
        Path | None, typer.Option("--from", metavar="RUN", help="Begin with the weights of a finished run.")
    ] = None,
    skip_bad: SkipBad = False,
) -> None:
    """Train; prepares first where that was not done."""
    from ietool.cli.folds import begin_folds, check_folds, train_folds
    from ietool.files.outputs import check_folder
    from ietool.recipe_io import load_recipe
    from ietool.registry import get_task
    from ietool.runs.finding import unfinished_run
    from ietool.runs.folder import check_output

    begin = time.monotonic()
    if minutes is not None and process_count() > 1:
        what = "several processes do not end at the same moment"
        raise UserError(what, field="--minutes", mend="leave it out; --resume goes on with what was stopped")
    files = input_files(train, dev, test, schema, file, extra)
    given: dict[str, Any] = {
        "--data": data, "--set": overrides, "--overwrite": overwrite, "--overfit": overfit, "--skip-bad": skip_bad,
        "--train": train, "--dev": dev, "--test": test, "--schema": schema, "--extra": extra, "--file": file,
        "--folds": folds, "--seeds": seeds, "--from": start,
    }  # fmt: skip
    refused = [option for option, value in given.items() if value]
    if resume and refused:
        raise UserError(
            "--resume goes on with the recipe and the data that the run began with",
            mend=f"leave out {' and '.join(refused)}, or start a new run",
        )
    if output is None and process_count() > 1:  # each would look for one by itself
        raise UserError("several processes need one run folder", field="--output", mend="add --output DIR")
    if folds is not None or seeds is not None:
        check_folds(folds, seeds, refused={"--overfit": overfit, "--from": start})
    loaded = load_recipe(_named(recipe, output if resume else start), overrides or ())
    if resume and (group := _group_to_resume(output, loaded.name)) is not None:
        check_device(device)
        only = output.name if output not in (None, group) else None
        return train_folds(group, device=device, only=only, minutes=minutes)
    if folds is not None or seeds is not None:
        if output is not None and overwrite:
            check_folder(output, [*files.values(), *([] if data is None else [data])])
        check_device(device)
        group = begin_folds(
            loaded,
            folds=folds or 1,
            seeds=seeds or 1,
            data=data,
            files=files,
            output=output,
            overwrite=overwrite,
            skip_bad=skip_bad,
        )
        left = None if minutes is None else max(0.0, minutes - (time.monotonic() - begin) / 60)
        return train_folds(group, device=device, minutes=left)
    # Before the hour that preparing may take, and the seconds that importing torch does.
    if resume:
        _check_resumed(output or unfinished_run(loaded.name), loaded.name)
    elif is_main_process():
        check_output(output, overwrite=overwrite)
        if output is not None and overwrite:
            check_folder(output, [*files.values(), *([] if data is None else [data])])
    if not resume:
        get_task(loaded.task).check(loaded)
        if start is not None:
            _check_start(start, loaded, overfit, output)
    check_device(device)
    outcome = prepare_and_train(
        loaded,
        data=data,
        files=files,
        output=output,
        device=device,
        resume=resume,
        overwrite=overwrite,
        overfit=overfit,
        minutes=minutes,
        skip_bad=skip_bad,
        start=start,
    )
    if is_main_process():
        say(f"run: {outcome.run}")
        say(f"predict with: ietool predict --run {shlex.quote(str(outcome.run))} INPUT --output FILE")


def _named(recipe: str | None, run: Path | None) -> str:
    """The recipe that was named, or that of a run or group. Raises UserError where there is neither."""
    from ietool.runs.entry import RECIPE_FILE

    if recipe is not None:
        return recipe
    if run is None:
        raise UserError("is missing", field="--recipe", mend="name one: see `ietool recipes`")
    from ietool.contest.group import is_group, open_group

    if is_group(run.parent) and run.name in open_group(run.parent).info.members:  # which may not have begun
        return str(run.parent / RECIPE_FILE)
    if not (run / RECIPE_FILE).is_file():
        raise UserError(
            f"holds no run: {RECIPE_FILE} is missing", file=run, mend="see `ietool runs` for those there are"
        )
    return str(run / RECIPE_FILE)


def _check_start(start: Path, recipe: Recipe, overfit: int | None, output: Path | None) -> None:
    """Raises UserError unless a training by a recipe may begin with the weights of a run."""
    from ietool.contest.group import is_group, open_group
    from ietool.runs.entry import open_run

    if is_group(start):
        mend = f"name one of them: --from {shlex.quote(str(start / open_group(start).info.members[0]))}"
        raise UserError("is a group of runs", file=start, mend=mend)
    entry = open_run(start)
    if output is not None and start.resolve().is_relative_to(output.resolve()):
        what = "is what --from names" if start.resolve() == output.resolve() else f"holds {start}, which --from names"
        raise UserError(f"{what}: its weights would be lost", file=output, mend="choose another --output")
    if overfit:
        raise UserError("does not go with --from", field="--overfit", mend="leave one of them out")
    if entry.info.members:
        raise UserError("is made of several runs", file=start, mend="name one of its members with --from")
    if entry.info.task != recipe.task:
        message = f"is a run of the task {entry.info.task}, the recipe is one of {recipe.task}"
        raise UserError(message, file=start, mend="name a recipe of that task, or another run")


def _group_to_resume(output: Path | None, recipe: str) -> Path | None:
    """The group that ``--resume`` is to go on with, by default the newest thing that is not finished; None where that
    is a run of its own.

    Raises:
        UserError: it is one of another recipe.
    """
    from ietool.contest.group import group_of, groups_of, is_group, open_group, resume_group
    from ietool.runs.finding import list_runs

    if output is None:
        mine = [run for run in list_runs() if run.info.recipe == recipe and not run.is_demo]
        stopped = (
            (entry, run) for entry, runs in groups_of(mine) for run in runs[:1] if (entry or run).state == "interrupted"
        )
        newest, _ = next(stopped, (None, None))
        return None if newest is None else newest.folder
    group = output if is_group(output) else group_of(output)
    if group is None:
        return None
    begun = open_group(group).info.recipe
    if begun != recipe:
        raise UserError(
            f"is a group of {begun}, not of {recipe}", file=group, mend=f"go on with: {resume_group(group)}"
        )
    return group


def _check_resumed(run: Path, recipe: str) -> None:
    """Raises UserError where a run is no unfinished one of the recipe, or is in training."""
    from ietool.runs.entry import open_run, resume_command
    from ietool.runs.folder import check_resumed, training_in

    begun = open_run(run, weights=False).info.recipe
    if begun != recipe:
        mend = f"go on with it by: {resume_command(run, begun)}"
        raise UserError(f"is a run of {begun}, not of {recipe}", file=run, mend=mend)
    check_resumed(run)
    if is_main_process():  # under torchrun the others come while it holds the run
        with training_in(run):
            pass


@enduring("stdout")
def prepare_and_train(
    recipe: Recipe,
    *,
    data: Path | None,
    files: dict[str, Path],
    output: Path | None,
    device: str,
    resume: bool = False,
    overwrite: bool = False,
    overfit: int | None = None,
    minutes: float | None = None,
    skip_bad: bool = False,
    demo: bool = False,
    start: Path | None = None,
) -> Trained:
    """Prepare, then train with the growing table on standard output, which nobody needs to go on reading."""
    from ietool.cli.prepare import announce
    from ietool.cli.progress import progress_bars
    from ietool.registry import get_task
    from ietool.report.render import console, render_all
    from ietool.workflow.prepare import prepare

    folder, begin = None, time.monotonic()
    if not resume:  # a resumed run goes on with the data that it began with
        try:
            with progress_bars() as progress:
                prepared = prepare(
                    recipe,
                    data=data,
                    files=files,
                    skip_bad=skip_bad,
                    latest=True,
                    remembered=not demo,
                    like=start,
                    progress=progress,
                )
            if prepared.fresh and is_main_process():
                render_all(prepared.report.tables, console())
            if is_main_process():
                announce(prepared)
        except KeyboardInterrupt:
            raise interrupted(lambda: "nothing was written; what was prepared before is untouched") from None
        folder = prepared.folder

    begun: list[Path] = []
    # Only now: importing the training stack takes seconds, in which a slip in the files would wait to be told.
    from ietool.workflow.train import train

    try:
        with progress_bars() as progress:
            outcome = train(
                recipe,
                prepared=folder,
                output=output,
                device=device,
                resume=resume,
                overfit=overfit,
                overwrite=overwrite,
                demo=demo,
                minutes=None if minutes is None else max(0.0, minutes - (time.monotonic() - begin) / 60),
                start=start,
                on_epoch=EpochTable(progress.print, get_task(recipe.task).epoch_scores),
                on_note=lambda note: say(f"note: {note}"),
                on_run=begun.append,
                progress=progress,
            )
    except KeyboardInterrupt:
        raise interrupted(lambda: _what_is_safe(begun[0] if begun else output)) from None
    best = outcome.best or {}
    if best and is_main_process():
        say(f"best: {of_best(best)}")
    if outcome.tuned and is_main_process():
        say(f"found on dev: {', '.join(outcome.tuned)}")
    if outcome.fitted is not None and is_main_process():
        say(
            "self-check: the records are fitted"
            if outcome.fitted
            else "self-check: not fitted, the score no longer grows → see the oracle recall that prepare prints, "
            "then the learning rates, the size of the model and the thresholds under decode"
        )
    return outcome


def _what_is_safe(output: Path | None) -> str:
    """What is on disk of the run that was stopped, if there was one, and how to go on."""
    from ietool.runs.entry import METRICS_FILE, open_run, resume_command
    from ietool.runs.info import RUN_FILE

    if output is None or not (output / RUN_FILE).is_file():  # stopped before there was anything to keep
        with contextlib.suppress(OSError):
            if output is not None:
                output.rmdir()
        return "no training had begun; start it again, without --resume"
    entry = open_run(output, weights=False)
    if entry.state == "finished":
        return f"{entry.folder} is finished"
    metrics = entry.folder / METRICS_FILE
    epochs = len(metrics.read_text(encoding="utf-8").splitlines()) if metrics.is_file() else 0
    go_on = f"go on with: {resume_command(entry.folder, entry.info.recipe)}"
    if not epochs:
        return f"{entry.folder} has no finished epoch yet; {go_on}"
    kept = "the best weights so far and " if entry.has_weights else ""
    return f"{kept}the state after {epochs} epoch{'s' * (epochs > 1)} are safe in {entry.folder}; {go_on}"


def register(app: typer.Typer) -> None:
    """Add the verb to the command line."""
    app.command(
        "train",
        epilog=examples(
            "ietool train --recipe ske --data DIR",
            "ietool train --recipe ske --set training.epochs=5 --folds 4 --output runs/short",
        ),
    )(train_cli)
