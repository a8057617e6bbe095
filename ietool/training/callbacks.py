"""What the Trainer is told after steps and epochs: averages, progress, the end of the time, early stopping."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING, Any

from transformers import EarlyStoppingCallback, TrainerCallback, TrainingArguments
from transformers.trainer_callback import TrainerControl, TrainerState

from ietool.progress import TRAINING, Progress
from ietool.training.finite import EVERY

if TYPE_CHECKING:
    from ietool.training.trainer import IETrainer


class Steps(TrainerCallback):
    """Keeps the averaged weights up to date and the progress bar moving."""

    def __init__(self, owner: IETrainer, progress: Progress) -> None:
        self.owner, self.progress = owner, progress

    def on_epoch_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        # Within an epoch that is resumed in its middle the number has a fraction.
        self.owner.begin_epoch(math.floor((state.epoch or 0) + 1e-6))

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        self.owner.after_step()
        per_epoch = max(1, state.max_steps // max(1, math.ceil(args.num_train_epochs)))
        done = (state.global_step - 1) % per_epoch + 1
        before, every = self.owner.epochs_of_all or (0, math.ceil(args.num_train_epochs))
        self.progress(TRAINING, before * per_epoch + state.global_step, every * per_epoch)
        self.progress(f"epoch {math.ceil(state.global_step / per_epoch)}", done, per_epoch)
        self.owner.check_finite(asks=args.device.type == "cpu" or state.global_step % EVERY == 0)
        if self.owner.deadline is not None and time.monotonic() > self.owner.deadline:
            control.should_training_stop = True  # the epoch is scored as far as it came
        every = self.owner.section.checkpoint_steps
        if every and done % every == 0 and done < per_epoch:
            control.should_save = True

    def on_epoch_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        self.owner.check_finite(weights=True)


class Patience(EarlyStoppingCallback):
    """Early stopping whose patience begins when something is found: until then scores are 0 however well it goes."""

    def on_evaluate(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, metrics: Any, **kwargs: Any
    ) -> None:
        if metrics["eval_score"] > 0.0 or (state.best_metric or 0.0) > 0.0:
            super().on_evaluate(args, state, control, metrics, **kwargs)
