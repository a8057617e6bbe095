"""An exponential moving average of the weights that is of use from the first step on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel


def make_ema(model: nn.Module, decay: float) -> AveragedModel:
    """Average ``model``'s weights; call ``update_parameters`` after every optimiser step.

    The decay of step n is ``min(decay, (1 + n) / (10 + n))``: a constant 0.9999 would show the random start for the
    first thousands of steps, and an F1 of zero with it.
    """

    @torch.no_grad()
    def average(averaged: Sequence[Tensor], current: Sequence[Tensor], count: Any) -> None:
        n = float(count)
        torch._foreach_lerp_(list(averaged), list(current), 1.0 - min(decay, (1.0 + n) / (10.0 + n)))

    return AveragedModel(model, multi_avg_fn=average, use_buffers=False)
