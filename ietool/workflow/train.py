"""Train a recipe on a prepared folder: stages, the best weights kept, resumed where it stopped."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn
from transformers import PreTrainedModel, set_seed
from transformers.utils import logging as transformers_logging

from ietool.core.contract import Task
from ietool.environment import bounded_memory, free_memory
from ietool.errors import Unwritten, UserError
from ietool.files.full_disk import why_unwritten
from ietool.prepared import corpus_of, left_out_of
from ietool.processes import is_main_process
from ietool.progress import Progress, no_progress
from ietool.recipe import Recipe, TrainingSection, pretrained_of
from ietool.recipe_io import base_of, differences, load_recipe, save_recipe
from ietool.registry import get_task
from ietool.report.card import write_card
from ietool.runs.entry import RECIPE_FILE, resume_command
from ietool.runs.finding import unfinished_run
from ietool.runs.folder import check_resumed, create_run, model_files, training_in, update_run
from ietool.runs.info import library_versions, other_versions, read_info
from ietool.training.arguments import warmup_note
from ietool.training.compiling import compiling_told
from ietool.training.device import (
    choose_device,
    choose_precision,
    confine,
    memory_told,
    possible_precision,
    precision_note,
)
from ietool.training.finite import Diverged, check_start
from ietool.training.optimiser import rate_note
from ietool.training.reached import EpochRow, clear_parts
from ietool.training.sets import Repeated
from ietool.training.threads import settle_threads
from ietool.training.workers import death, told_there
from ietool.workflow.beginning import begin_again, begin_with, keep_start
from ietool.workflow.dev_scorer import DevScorer, keep_dev
from ietool.workflow.stages import OVERFIT_STEPS, OVERFIT_TARGET, Stages, best_row, make_ready

_SMALLER = "choose a smaller model: model.encoder.hidden_size, or another pretrained encoder"
_LESS = (
    "train anew with a smaller training.batch_size (and a larger training.gradient_accumulation), a shorter "
    "data.window, training.gradient_checkpointing=true, or a smaller model"
)


@dataclass(frozen=True)
class Trained:
    """A finished training: ``best`` has score, metric, stage and epoch, ``fitted`` says how a self-check went, else
    None, ``tuned`` are the settings of ``decode`` that were found on dev."""

    run: Path
    best: dict[str, Any]
    rows: list[EpochRow]
    fitted: bool | None = None
    tuned: Sequence[str] = ()


def train(
    recipe: Recipe,
    *,
    prepared: Path | None,
    output: Path | None = None,
    device: str = "auto",
    resume: bool = False,
    overfit: int | None = None,
    overwrite: bool = False,
    demo: bool = False,
    minutes: float | None = None,
    start: Path | None = None,
    on_epoch: Callable[[EpochRow], None] = lambda row: None,
    on_note: Callable[[str], None] = lambda note: None,
    on_run: Callable[[Path], None] = lambda run: None,
    progress: Progress = no_progress,
) -> Trained:
    """Train and keep the best weights in a run folder.

    Args:
        prepared: from :func:`ietool.workflow.prepare.prepare`; may be None with ``resume``.
        output: the run folder; default: a new one under ``runs/``.
        resume: go on from the last complete checkpoint of ``output``, or of the recipe's latest unfinished run, with
            the recipe and the data that it began with.
        overfit: train on so many records, and score on them, until they are fitted.
        demo: whether the run is one of ``ietool demo``.
        minutes: after so many, of this call, the training ends with the best weights so far.
        start: a run with whose weights it begins.
        on_epoch: told of each row of the table, those before a resumption included.
        on_note: told what the user should know before the first epoch.
        on_run: told of the run folder, once there is one.

    Raises:
        UserError: the device or the run folder will not do; or the training has diverged, or found no room on the disk:
            what was saved before is untouched then.
    """
    deadline = None if minutes is None else time.monotonic() + 60 * minutes
    transformers_logging.disable_progress_bar()  # the library's own bars would break our table
    chosen = confine(choose_device(device))
    notes: list[str | None] = []
    if resume:
        run: Path | None = output or unfinished_run(recipe.name)
        assert run is not None
        entry = check_resumed(run)
        recipe, prepared = load_recipe(str(run / RECIPE_FILE)), Path(entry.info.prepared)
        overfit, precision = entry.info.overfit, possible_precision(entry.info.precision, chosen)
        notes.append(other_versions(entry.info.versions))
        threads = entry.info.threads or torch.get_num_threads()  # of older runs the machine's own number
        task = get_task(recipe.task)
    else:
        task = get_task(recipe.task)
        if overfit is not None:
            asked, recipe = recipe, task.overfitting(recipe, overfit)
            notes.append(_replaced(asked, recipe))
        task.check(recipe)
        precision, threads = choose_precision(recipe, chosen), None
        notes += [warmup_note(recipe.training), precision_note(recipe.training.precision, precision)]
        run = None
    if prepared is None:
        raise ValueError("a new run needs a prepared folder")
    set_seed(recipe.training.seed)
    data = task.training_set(recipe, prepared, rows=None if overfit is None else range(overfit))
    if overfit is not None:
        data = Repeated(data, max(1, OVERFIT_STEPS * recipe.training.batch_size // max(1, len(data))))
    model = _build(task, recipe, prepared, chosen, progress, dropout=overfit is None)
    if start is not None:
        begin_with(task, model, start, prepared)
    elif run is not None and entry.info.base_run is not None:
        begin_again(task, model, run)
    threads, said = settle_threads(model, chosen, precision, threads)
    notes += [said, None if resume else rate_note(model, recipe.training)]
    for note in notes:
        if note and is_main_process():
            on_note(note)
    if run is None:  # only now: what cannot be trained leaves no run behind, and overwrites none
        facts = {
            "precision": precision,
            "prepared": str(prepared.resolve()),
            "overfit": overfit,
            "base_model": _base_model(recipe),
            "corpus": corpus_of(prepared),
            "left_out": left_out_of(prepared),
            "threads": threads,
            "base_run": None if start is None else start.resolve().name,
        }
        run = _new_run(recipe, output, device=str(chosen), overwrite=overwrite, demo=demo, **facts)
        if start is not None and is_main_process():  # at once: without them it cannot be resumed
            keep_start(model, run)
    on_run(run)
    gold = task.gold(prepared, "dev" if overfit is None else "train", overfit)
    scorer = DevScorer(task, recipe, gold, prepared, precision, tunes=overfit is None)
    with training_in(run) if is_main_process() else nullcontext(), _stopped(run, recipe.name):
        if is_main_process():
            if resume:
                update_run(
                    run, state="training", threads=threads, device=str(chosen), precision=precision,
                    versions=library_versions(),
                )  # fmt: skip
            task.save_assets(recipe, prepared, run)
        stages = Stages(
            task, recipe, run, data, scorer, chosen, precision, overfit is not None, on_epoch, progress, deadline
        )
        if resume:
            stages.rewind()
        with memory_told(_LESS), compiling_told():
            stages.go(model)
            tuned = _finish(stages, chosen) if is_main_process() else ()
    best = best_row(stages.state)
    fitted = None if overfit is None else best.get("score", 0.0) >= OVERFIT_TARGET
    return Trained(run, best, stages.state.rows, fitted, tuned)


@contextmanager
def _stopped(run: Path, recipe: str) -> Iterator[None]:
    """Leave a run in order whatever ends its training: with its state, and with nothing half written in it.

    Raises:
        UserError: what has diverged; or, in words of what to do, the disk that is full, or the process that died.
    """
    try:
        yield
    except BaseException as error:
        if _is_finished(run):  # it was stopped while its checkpoints were deleted
            raise
        why, dead = why_unwritten(error), death(error)
        if is_main_process():
            clear_parts(run)
            # On a full disk it may be wrong until the process is gone; then the run counts as interrupted anyway.
            with suppress(OSError, UserError):
                update_run(run, state="diverged" if isinstance(error, Diverged) else "interrupted")
        if isinstance(error, Diverged):
            error.file = str(run)
        if (said := told_there(error)) is not None:
            raise UserError(said) from None
        if dead is not None:
            again = f"if it happens again, with a smaller training.workers in {run / RECIPE_FILE}"
            mend = f"go on with: {resume_command(run, recipe)}; {again}"
            raise UserError(f"the training stopped: {dead}", file=run, mend=mend) from None
        if why is None or isinstance(error, KeyboardInterrupt):
            raise
        raise Unwritten(
            f"the training stopped: a file of it could not be written ({why}); what was saved before is untouched",
            file=run,
            mend=f"make room, then go on with: {resume_command(run, recipe)}",
        ) from None


def _is_finished(run: Path) -> bool:
    with suppress(OSError, UserError):
        info = read_info(run)
        return info is not None and info.state == "finished"
    return False


def _replaced(asked: Recipe, used: Recipe) -> str | None:
    """What a self-check has set itself of what was asked for."""
    base = base_of(asked)
    if base is None:
        return None
    mine, other = differences(asked, base), differences(used, asked)
    keys = [key for key in mine if key in other]
    return f"the self-check has its own {', '.join(keys)}" if keys else None


def _build(
    task: Task[Any], recipe: Recipe, prepared: Path, device: torch.device, progress: Progress, *, dropout: bool
) -> PreTrainedModel:
    """A fresh model, ready to train; a self-check wants no dropout."""
    progress("make the model", 0, None)  # which may mean fetching an encoder from the hub
    with memory_told(_SMALLER), bounded_memory():
        model = task.build_model(recipe, prepared)
    check_memory(model, recipe.training, device)
    for module in model.modules() if not dropout else ():
        if isinstance(module, nn.Dropout):  # pretrained encoders bring their own
            module.p = 0.0
    check_start(model)
    make_ready(model, recipe.training)
    progress("make the model", 1, 1)
    return model


def check_memory(model: nn.Module, training: TrainingSection, device: torch.device) -> None:
    """Raises UserError where gradients, the optimiser's two moments and the average of a model's weights are more than
    this machine's memory holds: its process would be killed in the midst of the first steps."""
    free = free_memory() if device.type == "cpu" else None
    size = sum(weight.numel() * weight.element_size() for weight in model.parameters())
    needed = size * (4 if training.ema_decay else 3)
    if free is not None and needed > free:
        raise UserError(
            f"a model of {size / 2**30:,.1f} GiB needs {needed / 2**30:,.1f} GiB more to train, "
            f"and {free / 2**30:,.1f} GiB of memory are free",
            mend=_SMALLER,
        )


def _finish(stages: Stages, device: torch.device) -> Sequence[str]:
    """Write what a run has when its stages are over: settings found on dev, which it gives, what the best weights say
    of dev, its state and its card."""
    run, best, scorer = stages.run, best_row(stages.state), stages.scorer
    tuned: Sequence[str] = ()
    if best and stages.stop_at is None:
        model = stages.task.load_model(run).to(device).eval()  # type: ignore[arg-type]
        if scorer.tunes:
            tuned = scorer.tune(model)
            save_recipe(load_recipe(str(run / RECIPE_FILE), tuned), run / RECIPE_FILE)
        keep_dev(scorer, model, run, tuned, stages.progress)
    update_run(run, best=best, tuned=list(tuned))
    if best:
        write_card(run)
    # Only now that all is written: from its last checkpoint a run can still be finished.
    update_run(run, state="finished", files=model_files(run) if best else [])
    shutil.rmtree(stages.checkpoints, ignore_errors=True)
    return tuned


def _base_model(recipe: Recipe) -> str | None:
    """The hub id of the encoder that training starts from; None if it comes from a folder, or starts from nothing."""
    encoder = pretrained_of(recipe)
    return None if encoder is None or Path(encoder.name).exists() else encoder.name


def _new_run(recipe: Recipe, output: Path | None, **facts: Any) -> Path:
    if is_main_process():
        return create_run(recipe, output, **facts)
    if output is None:
        raise UserError("several processes need one run folder", field="--output", mend="add --output DIR")
    return output
