"""The same model on two devices: what it predicts, how far that lies apart."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

import torch

from ietool.workflow.predict import load
from tests.recorded import flows
from tests.recorded.plain import PLAIN


@contextmanager
def fp32_as(kind: str) -> Iterator[None]:
    """Within, CUDA multiplies and convolves fp32 as such (``ieee``), or in ``tf32``, with 10 bits of mantissa."""
    places: tuple[Any, ...] = (torch.backends.cuda.matmul, torch.backends.cudnn)
    before = [place.fp32_precision for place in places]
    try:
        for place in places:
            place.fp32_precision = kind
        yield
    finally:
        for place, kind_before in zip(places, before, strict=True):
            place.fp32_precision = kind_before


@contextmanager
def without_dropout() -> Iterator[None]:
    """Within, the models of the recipes drop nothing: devices draw other random numbers. Encoders bring their own."""
    with mock.patch("torch.nn.functional.dropout", lambda x, *_, **__: x):
        yield


def predicted(name: str, run: Path, source: Path, device: str, precision: str | None = None) -> list[Any]:
    """What a run of a flow predicts for a file, as lists.

    Args:
        precision: another than the run's own: ``fp32``, ``tf32``, ``bf16`` or ``fp16``.
    """
    loaded = load(run, device=device)
    if precision is not None:
        loaded.precision = "fp32" if precision == "tf32" else precision
    with fp32_as("tf32" if precision == "tf32" else "ieee"):
        return [PLAIN[flows.FLOWS[name].task](p) for p in loaded.stream(loaded.task.open_inputs(str(source)))]


@dataclass(frozen=True)
class Apart:
    """How far predictions of two sides lie apart.

    Attributes:
        texts: compared.
        differ: of these, such as found something else.
        highest: difference of two numbers, probabilities or scores, where both found the same.
    """

    texts: int
    differ: int
    highest: float


def apart(ours: list[Any], theirs: list[Any]) -> Apart:
    """Compare predictions one by one. Raises ValueError where there are not equally many."""
    gaps = [gap(a, b) for a, b in zip(ours, theirs, strict=True)]
    same = [g for g in gaps if g is not None]
    return Apart(len(gaps), len(gaps) - len(same), max(same, default=0.0))


def gap(ours: Any, theirs: Any) -> float | None:
    """The highest difference of numbers with a fraction in two plain values; None where anything else differs."""
    if isinstance(ours, float) and isinstance(theirs, float):
        return 0.0 if ours == theirs else abs(ours - theirs)
    if isinstance(ours, list | tuple) and isinstance(theirs, list | tuple):
        if len(ours) != len(theirs):
            return None
        gaps = [gap(a, b) for a, b in zip(ours, theirs, strict=True)]
        return None if None in gaps else max((g for g in gaps if g is not None), default=0.0)
    return 0.0 if ours == theirs else None


def held(device: str) -> int:
    """Bytes of tensors that this process holds on a device."""
    gc.collect()
    if torch.device(device).type == "cuda":
        return torch.cuda.memory_allocated(device)
    found = {
        t.untyped_storage().data_ptr(): t.untyped_storage().nbytes()
        for t in gc.get_objects()
        if type(t) in (torch.Tensor, torch.nn.Parameter) and t.device.type == "cpu"
    }
    return sum(found.values())
