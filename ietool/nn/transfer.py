"""Tensors of a batch over to a device and results back: one copy each way, and nothing waits before it has to.

Where the device is the CPU nothing is copied at all.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import accumulate, pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

_KINDS = {
    torch.int64: np.int64, torch.int32: np.int32, torch.uint8: np.uint8, torch.bool: np.bool_,
    torch.float64: np.float64, torch.float32: np.float32, torch.float16: np.float16,
}  # fmt: skip
"""What is copied. bf16, which numpy lacks, is made single before."""


def apart(device: torch.device) -> bool:
    """Whether a device computes while the CPU goes on, with a memory of its own."""
    return device.type != "cpu"


def ahead_on(device: torch.device) -> int:
    """How many batches are begun there before the oldest is finished: see :mod:`ietool.core.pools`."""
    return int(apart(device))


def sent(batch: Mapping[str, Tensor], device: torch.device) -> dict[str, Tensor]:
    """Tensors of the CPU on a device, by one copy that the CPU does not wait for."""
    if not apart(device):
        return dict(batch)
    tensors = list(batch.values())
    order, cuts = _packing(tensors)
    # From pinned memory the copy runs by itself; torch reuses that memory only when it is over.
    host = torch.empty(cuts[-1], dtype=torch.uint8, pin_memory=device.type == "cuda")
    room = host.numpy()
    for n, (first, behind) in zip(order, pairwise(cuts), strict=True):
        room[first:behind] = np.ascontiguousarray(tensors[n].numpy()).reshape(-1).view(np.uint8)
    there = host.to(device, non_blocking=True)
    found = dict(batch)
    names = list(batch)
    for n, (first, behind) in zip(order, pairwise(cuts), strict=True):
        found[names[n]] = there[first:behind].view(tensors[n].dtype).view(tensors[n].shape)
    return found


class Asked:
    """Results that a device was asked for: they come as soon as they are computed, in one copy.

    Args:
        tensors: all on one device.
    """

    def __init__(self, tensors: Sequence[Tensor]) -> None:
        self._tensors, self._event = list(tensors), None
        self._order: list[int] | None = None
        if not tensors or not apart(tensors[0].device):
            return
        self._order, self._cuts = _packing(tensors)
        self._shapes = [(tensor.shape, _KINDS[tensor.dtype]) for tensor in tensors]
        packed = torch.cat([tensors[n].reshape(-1).view(torch.uint8) for n in self._order])
        if packed.device.type == "cuda":
            host = torch.empty(len(packed), dtype=torch.uint8, pin_memory=True)
            host.copy_(packed, non_blocking=True)
            self._event = torch.cuda.Event()
            self._event.record(torch.cuda.current_stream(packed.device))
            packed = host
        self._tensors = [packed]

    def wait(self) -> list[npt.NDArray[Any]]:
        """The results as arrays, in their order."""
        if self._order is None:
            return [tensor.numpy() for tensor in self._tensors]
        if self._event is None:
            room = self._tensors[0].cpu().numpy()
        else:
            self._event.synchronize()
            room = self._tensors[0].numpy().copy()  # pinned memory is for what comes next, not for what is kept
        found: list[npt.NDArray[Any]] = [room] * len(self._shapes)
        for n, (first, behind) in zip(self._order, pairwise(self._cuts), strict=True):
            shape, kind = self._shapes[n]
            found[n] = room[first:behind].view(kind).reshape(shape)
        return found


def _packing(tensors: Sequence[Tensor]) -> tuple[list[int], list[int]]:
    """In which order tensors stand one behind the other, and where each begins: the widest numbers first, so that each
    of them stands at a multiple of its width."""
    order = sorted(range(len(tensors)), key=lambda n: -tensors[n].element_size())
    sizes = (tensors[n].numel() * tensors[n].element_size() for n in order)
    return order, list(accumulate(sizes, initial=0))
