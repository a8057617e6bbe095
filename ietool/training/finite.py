"""Whether a training still computes with numbers: losses, gradients and weights that are finite."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor, nn

from ietool.errors import UserError
from ietool.recipe import TrainingSection

EVERY = 50
"""Steps after which a GPU is asked; a CPU is asked after each."""

SKIPPED = 40
"""Steps one after another that a gradient scaler (fp16) leaves out before it is a fault: it halves its factor, 2^16 in
the beginning, at each of them, and by then gradients are small enough or no numbers at all."""

_NEVER = 2**62


class Diverged(UserError):
    """A training whose loss, gradient or weights are not finite any more."""


class FirstNotFinite:
    """The first step at which a value was not finite, kept on the device: only asking for it waits for the device."""

    def __init__(self, device: torch.device) -> None:
        self._step = torch.full((), _NEVER, dtype=torch.int64, device=device)

    def see(self, value: Tensor, step: int) -> None:
        """Look at a value, of any shape, of a step."""
        good = torch.isfinite(value.detach()).all()
        self._step = torch.where(good, self._step, self._step.clamp(max=step))

    def step(self) -> int | None:
        """The number of that step; None: all values were finite."""
        step = int(self._step)
        return None if step == _NEVER else step


def all_finite(module: nn.Module) -> bool:
    """Whether all weights and buffers of a model are finite."""
    return not_finite(module) is None


def not_finite(module: nn.Module) -> str | None:
    """The name of a weight or buffer that is not finite, if there is one; waits for the device once where all are."""
    named = [(name, tensor) for name, tensor in _tensors(module) if tensor.is_floating_point() and tensor.numel()]
    good = [torch.isfinite(tensor.detach()).all() for _, tensor in named]
    if not good or bool(torch.stack([each.to(good[0].device) for each in good]).all()):
        return None
    return next(name for (name, _), each in zip(named, good, strict=True) if not each)


def _tensors(module: nn.Module) -> Iterable[tuple[str, Tensor]]:
    yield from module.named_parameters()
    yield from module.named_buffers()


def check_start(module: nn.Module) -> None:
    """Raises UserError where a model that nothing was taught yet has weights that are no numbers."""
    name = not_finite(module)
    if name is not None:
        raise UserError(
            f"the weights that training starts from are not finite ({name})",
            field="model.encoder",
            mend="name another encoder, or other word vectors: its files are damaged",
        )


def diverged(what: str, step: int, epoch: int, section: TrainingSection, rate: float, precision: str) -> Diverged:
    """What is told of a training that has left the numbers.

    Args:
        what: that is not finite, for example ``loss``.
        step: counted from 1 within the stage.
        epoch: counted from 1 within the stage.
        rate: of the stage.
        precision: in which it trains.
    """
    heads = section.head_learning_rate
    rates = f"training.learning_rate is {rate:g}" + (
        f", training.head_learning_rate {heads:g}" if heads is not None else ""
    )
    mends = [f"train anew with a lower rate ({rates})"]
    if precision != "fp32":
        mends.append(f"in training.precision=fp32 (now {precision})")
    norm = section.max_grad_norm
    mends.append(f"or clip gradients by a smaller training.max_grad_norm (now {norm:g})" if norm else
                 "or clip gradients by training.max_grad_norm=1 (now 0: never)")  # fmt: skip
    cause = "the rate is too high" if precision == "fp32" else f"the rate is too high, or {precision} too coarse"
    return Diverged(
        f"the {what} not finite at step {step} (epoch {epoch}): the training has diverged, most likely {cause}; "
        "what was saved before is untouched",
        field="training",
        mend=", ".join(mends),
    )


class Watch:
    """What is known of losses, gradients and left-out steps of a stage.

    Args:
        device: on which it trains.
        rate: of the stage.
        precision: ``fp32``, ``bf16`` or ``fp16``.
    """

    def __init__(self, device: torch.device, section: TrainingSection, rate: float, precision: str) -> None:
        self.section, self.rate, self.precision = section, rate, precision
        self.loss, self.gradient = FirstNotFinite(device), FirstNotFinite(device)
        self._left_out = 0

    def stepped(self, *, left_out: bool) -> None:
        """A step is over; a gradient scaler may have left it out."""
        self._left_out = self._left_out + 1 if left_out else 0

    def check(self, step: int, per_epoch: int, *, asks: bool = True, models: Sequence[nn.Module] = ()) -> None:
        """Raise where something is no number.

        Args:
            step: the last one, counted from 1.
            per_epoch: steps of an epoch.
            asks: whether losses and gradients so far are looked at, for which a GPU is waited for.
            models: whose weights are looked at, too.

        Raises:
            Diverged: something is not finite. All processes find it at the same step where it is in gradients or
                weights, which they share.
        """
        found: dict[str, int | None] = {}
        if asks:
            found = {"loss is": self.loss.step(), "gradient is": self.gradient.step()}
        if self._left_out >= SKIPPED:
            found["gradient is"] = step + 1 - self._left_out
        if not any(found.values()) and not all(map(all_finite, models)):
            found["weights are"] = step
        known = {what: at for what, at in found.items() if at is not None}
        if known:
            what, first = min(known.items(), key=lambda pair: pair[1])
            epoch = max(first - 1, 0) // per_epoch + 1
            raise diverged(what, first, epoch, self.section, self.rate, self.precision)
