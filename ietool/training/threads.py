"""With how many threads a CPU computes: on a busy or shared machine two may be much slower than one."""

from __future__ import annotations

import os
import time

import torch
from torch import nn

from ietool.nn.dgcnn import DGCNNBlock
from ietool.training.device import autocast

SECONDS = 0.15
"""For which each number of threads is measured."""

GAIN = 1.1
"""So many times as fast must one thread be for the others to be left out."""

_WIDEST, _TEXTS, _LENGTH = 256, 8, 64
"""Of the step that is measured: a stand-in of the model's width, since models ask for inputs of many kinds."""


def settle_threads(
    model: nn.Module, device: torch.device, precision: str, known: int | None = None
) -> tuple[int | None, str | None]:
    """Choose how many threads this process computes with, one or as many as the machine has, and set it.

    ``OMP_NUM_THREADS`` is obeyed. Nothing of the model, and no random number of a training, is changed by it.

    Args:
        model: its configuration tells how wide its layers are.
        known: the number that a resumed training began with: sums of other numbers of threads differ in their last
            digits.

    Returns:
        The number, None where there was nothing to choose, and what to tell of it, if anything.
    """
    if os.environ.get("OMP_NUM_THREADS") or device.type != "cpu":
        return (torch.get_num_threads() if device.type == "cpu" else None), None
    if known is not None:
        torch.set_num_threads(known)
        return known, f"threads: {known}, as this training began with (OMP_NUM_THREADS=N changes it)"
    most = torch.get_num_threads()
    if most == 1:
        return 1, None
    size = int(getattr(getattr(model, "config", None), "hidden_size", 128))
    both, alone = (step_seconds(threads, size, device, precision) for threads in (most, 1))
    chosen = 1 if alone * GAIN < both else most
    torch.set_num_threads(chosen)
    took = f"a step of a stand-in takes {_short(both)} with {most} and {_short(alone)} with 1"
    return chosen, f"threads: {chosen} ({took}; OMP_NUM_THREADS=N changes it)"


def step_seconds(threads: int, size: int, device: torch.device, precision: str) -> float:
    """Seconds that a step, there and back, takes with so many threads, the median of some.

    Args:
        size: of the layers.
        precision: ``fp32``, ``bf16`` or ``fp16``.
    """
    size = min(size, _WIDEST)  # a step of wide layers would take seconds
    torch.set_num_threads(threads)
    times: list[float] = []
    with torch.random.fork_rng(devices=[]), torch.enable_grad():
        blocks = [DGCNNBlock(size, dilation).to(device) for dilation in (1, 2, 5)]
        x = torch.zeros(_TEXTS, _LENGTH, size, device=device)
        mask = torch.ones(_TEXTS, _LENGTH, 1, device=device)
        end = time.perf_counter() + SECONDS
        while len(times) < 2 or time.perf_counter() < end:
            before = time.perf_counter()
            with autocast(device, precision):
                h = x
                for block in blocks:
                    h = block(h, mask)
            h.float().sum().backward()
            times.append(time.perf_counter() - before)
    return sorted(times[1:])[(len(times) - 1) // 2]  # the first is never like the others


def _short(seconds: float) -> str:
    return f"{seconds * 1000:.3g} ms" if seconds < 1 else f"{seconds:.1f} s"
