"""What the Trainer is told of a stage, and the logs that it may write."""

from __future__ import annotations

import math
from pathlib import Path

import torch
from transformers import TrainerCallback, TrainingArguments
from transformers.integrations import TensorBoardCallback, is_tensorboard_available

from ietool.errors import UserError
from ietool.processes import process_count
from ietool.recipe import TrainingSection
from ietool.training.workers import PREFETCHED, START, make_forks_safe, worker_count

_PATIENCE_OF_PROCESSES = 24 * 3600
"""Seconds that the others wait while one scores dev; the library's half an hour is too short for a large one."""


def training_arguments(
    section: TrainingSection,
    folder: Path,
    *,
    items: int,
    epochs: int,
    learning_rate: float,
    warm: bool,
    device: torch.device,
    precision: str,
) -> TrainingArguments:
    """The Trainer's arguments for one stage.

    Args:
        items: training items.
        warm: whether the stage warms up (the first does).
        precision: ``fp32``, ``bf16`` or ``fp16``.
    """
    world = process_count()
    workers, cuda = worker_count(section.workers, device), device.type == "cuda"
    if workers and START == "fork":
        make_forks_safe()
    steps = math.ceil(items / (section.batch_size * section.gradient_accumulation * world))
    return TrainingArguments(
        output_dir=str(folder),
        num_train_epochs=epochs,
        learning_rate=learning_rate,
        per_device_train_batch_size=section.batch_size,
        gradient_accumulation_steps=section.gradient_accumulation,
        warmup_steps=round(steps * section.warmup_epochs) if warm else 0,
        lr_scheduler_type=section.schedule,
        weight_decay=section.weight_decay,
        max_grad_norm=section.max_grad_norm,
        bf16=precision == "bf16",
        fp16=precision == "fp16",
        use_cpu=device.type == "cpu",
        seed=section.seed,
        eval_strategy="epoch",
        save_strategy="epoch",
        logging_strategy="epoch",
        logging_nan_inf_filter=False,  # it would show the mean of the other losses, 0.0 where all are NaN
        metric_for_best_model="score",
        greater_is_better=True,
        restore_callback_states_from_checkpoint=True,
        disable_tqdm=True,
        report_to=[],  # what the recipe asks for is added by the trainer, to write into the run
        optim="adamw_torch_fused",
        dataloader_num_workers=workers,
        dataloader_persistent_workers=workers > 0,
        dataloader_prefetch_factor=PREFETCHED if workers else None,
        dataloader_multiprocessing_context=START if workers else None,
        # Only what is copied from pinned memory is copied while the GPU computes.
        dataloader_pin_memory=cuda,
        accelerator_config={"non_blocking": cuda},
        remove_unused_columns=False,
        ddp_find_unused_parameters=True,
        ddp_broadcast_buffers=False,
        ddp_timeout=_PATIENCE_OF_PROCESSES,
        log_level="error",
    )


def warmup_note(section: TrainingSection) -> str | None:
    """What is told where the rate rises all through the first stage and never stays at what it was set to."""
    if section.warmup_epochs < section.epochs:
        return None
    return (
        f"training.warmup_epochs={section.warmup_epochs:g} is as long as the training or longer (training.epochs="
        f"{section.epochs}): the rate {'only rises' if section.warmup_epochs == section.epochs else 'never gets to'} "
        f"{'to' if section.warmup_epochs == section.epochs else 'its'} training.learning_rate={section.learning_rate:g}"
    )


def check_tensorboard() -> None:
    """Raises UserError if the package that writes the logs is not installed."""
    if not is_tensorboard_available():
        raise UserError(
            "needs a package that is not installed",
            field="training.tensorboard", mend="pip install 'ietool[tensorboard]', or set it to false",
        )  # fmt: skip


def tensorboard(folder: Path) -> TrainerCallback:
    """Writes the losses and rates of a stage into a folder."""
    from torch.utils.tensorboard import SummaryWriter

    # Without a writer it would write beside the checkpoints, which are deleted in the end.
    return TensorBoardCallback(SummaryWriter(log_dir=str(folder)))
