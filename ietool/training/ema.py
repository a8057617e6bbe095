"""An exponential moving average of the weights that is of use from the first step on."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel


class _Average(AveragedModel):
    """The parent sends its count to the device at each step and asks for it there: a GPU is waited for twice."""

    def __init__(self, model: nn.Module, decay: float) -> None:
        super().__init__(model)
        self.decay = decay

    @torch.no_grad()
    def update_parameters(self, model: nn.Module) -> None:
        count = float(self.n_averaged)  # it stays on the CPU
        averaged: list[Tensor] = list(self.module.parameters())
        current: list[Tensor] = list(model.parameters())
        if count:
            torch._foreach_lerp_(averaged, current, 1.0 - min(self.decay, (1.0 + count) / (10.0 + count)))
        else:
            torch._foreach_copy_(averaged, current)
        for own, other in zip(self.module.buffers(), model.buffers(), strict=True):
            own.copy_(other)
        self.n_averaged += 1


def make_ema(model: nn.Module, decay: float) -> AveragedModel:
    """Average ``model``'s weights; call ``update_parameters`` after every optimiser step.

    The decay of step n is ``min(decay, (1 + n) / (10 + n))``: a constant 0.9999 would show the random start for the
    first thousands of steps, and an F1 of zero with it.
    """
    return _Average(model, decay)
