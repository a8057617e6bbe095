"""Which device, and which precision it does well."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import cache
from typing import Any

import torch

from ietool.environment import is_out_of_memory
from ietool.errors import UserError
from ietool.recipe import Recipe, pretrained_of


def choose_device(name: str) -> torch.device:
    """``auto`` (CUDA where there is a GPU, else the CPU), ``cpu``, ``cuda`` or ``cuda:N``. A GPU computes in whole fp32
    from then on, as the CPU does, but for what :func:`tf32` allows.

    Raises:
        UserError: the name is none of these, or that device is not there.
    """
    device = _named(_CONFINED.get(name, name))
    if device.type == "cuda":
        multiply_fp32("ieee")
    return device


_CONFINED: dict[str, str] = {}
"""The name of the GPU that this process has confined itself to → what it is called since."""


def _named(name: str) -> torch.device:
    # torch asks CUDA itself how many GPUs there are, and from then on they can no longer be hidden (:func:`confine`);
    # so it asks the driver's library.
    os.environ.setdefault("PYTORCH_NVML_BASED_CUDA_CHECK", "1")
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError:
        raise UserError(
            f"no device is called {name!r}", field="--device", mend="use auto, cpu, cuda or cuda:1"
        ) from None
    if device.type not in ("cpu", "cuda"):
        raise UserError(f"{name!r} is not supported", field="--device", mend="use auto, cpu, cuda or cuda:1")
    if device.type == "cuda" and (not torch.cuda.is_available() or (device.index or 0) >= torch.cuda.device_count()):
        count = torch.cuda.device_count() if torch.cuda.is_available() else 0
        raise UserError(f"{name!r} is not there ({count} CUDA devices found)", field="--device", mend="see: ietool env")
    return device


def confine(device: torch.device) -> torch.device:
    """Hide all other GPUs from this process, before CUDA starts: the Trainer would spread a batch over those it sees,
    and several GPUs are torchrun's business. Gives the device's name from then on."""
    if device.type != "cuda" or "RANK" in os.environ:
        return device
    index = device.index or 0
    visible = os.environ.get("CUDA_VISIBLE_DEVICES", "")
    names = visible.split(",") if visible else [str(n) for n in range(index + 1)]
    os.environ["CUDA_VISIBLE_DEVICES"] = names[index]
    _CONFINED.setdefault(f"cuda:{index}", "cuda:0")
    return torch.device("cuda", 0)


def autocast(device: torch.device, precision: str) -> AbstractContextManager[object]:
    """The context in which a trained model computes in ``fp32``, ``bf16`` or ``fp16``."""
    types = {"bf16": torch.bfloat16, "fp16": torch.float16}
    if precision in types:
        return torch.autocast(device.type, types[precision])
    # What stands around it may be of another model: fp32 within it is fp32 too.
    return torch.autocast(device.type, enabled=False) if torch.is_autocast_enabled(device.type) else nullcontext()


def multiply_fp32(precision: str) -> None:
    """How GPUs multiply matrices of fp32, and convolve and run LSTMs on them: in ``ieee``, or in ``tf32``, with 10 bits
    of mantissa in place of 23. Left alone, torch takes tf32 for all but plain products."""
    torch.backends.cuda.matmul.fp32_precision = precision
    torch.backends.cudnn.fp32_precision = precision  # type: ignore[assignment]


@contextmanager
def tf32(device: torch.device, wanted: bool) -> Iterator[None]:
    """Within, a GPU multiplies fp32 in ``tf32`` if that is wanted; behind it no more, so that what is predicted, dev
    scores in the midst of a training too, does not depend on the device."""
    if device.type != "cuda" or not wanted:
        yield
        return
    multiply_fp32("tf32")
    try:
        yield
    finally:
        multiply_fp32("ieee")


@contextmanager
def repeatable(device: torch.device) -> Iterator[None]:
    """Within, several threads of a CPU add up gradients in one order: that of ``states[text, place]`` is else added
    by whichever thread comes first, and the same training ends now and then with other digits."""
    if device.type != "cpu":
        yield
        return
    further: Any = torch.utils.deterministic
    mode, fill = torch.get_deterministic_debug_mode(), further.fill_uninitialized_memory
    torch.use_deterministic_algorithms(True, warn_only=True)
    further.fill_uninitialized_memory = False  # it finds faults of torch alone, and costs time
    try:
        yield
    finally:
        torch.set_deterministic_debug_mode(mode)
        further.fill_uninitialized_memory = fill


@cache
def cpu_bf16_gain() -> float:
    """How many times faster this CPU multiplies matrices in bf16 than in fp32: about 4 with hardware for it, far
    below 1 where it is emulated. Measured in some milliseconds, the best of several runs each."""

    def best(dtype: torch.dtype) -> float:
        a = torch.ones(256, 256, dtype=dtype)
        times = []
        for _ in range(6):
            begin = time.perf_counter()
            a @ a
            times.append(time.perf_counter() - begin)
        return min(times)

    return best(torch.float32) / best(torch.bfloat16)


def choose_precision(recipe: Recipe, device: torch.device) -> str:
    """``fp32``, ``bf16`` or ``fp16`` for the model of a recipe.

    ``auto`` is bf16 on GPUs that have it in hardware, fp16 on others. On CPUs it is bf16 where that is measured to be
    faster and the encoder is pretrained: its large products gain, while a DGCNN's small convolutions of ever other
    lengths are set up anew for each shape in bf16, and take 1.3 times as long as in fp32.
    """
    asked = recipe.training.precision
    if asked != "auto":
        return possible_precision(asked, device)
    if device.type == "cuda":
        return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "fp16"
    return "bf16" if pretrained_of(recipe) is not None and cpu_bf16_gain() > 1.5 else "fp32"


def possible_precision(asked: str, device: torch.device) -> str:
    """A precision as this device can have it: on CPUs fp32 in place of fp16, whose losses nobody scales there."""
    return "fp32" if asked == "fp16" and device.type == "cpu" else asked


def precision_note(asked: str, used: str) -> str | None:
    """What is said where another precision is used than was asked for."""
    return None if asked in ("auto", used) else f"training.precision={asked} is for GPUs; {used} is used here"


_BEYOND = re.compile(r"calculation overflow|multiplication overflow|invalid shape dimension|integer out of range")
"""In what torch raises where a size is beyond any memory."""


@contextmanager
def memory_told(mend: str) -> Iterator[None]:
    """Turn what is raised where memory cannot be had, of the machine or of a GPU, into a UserError with this mend."""
    try:
        yield
    except (MemoryError, RuntimeError) as error:  # torch.OutOfMemoryError is one
        if not is_out_of_memory(error) and not _BEYOND.search(str(error)):
            raise
        asked = re.search(r"[Tt]ried to allocate ([\d.]+ \w+)", str(error))
        wanted = f" ({_readable(asked.group(1))} at once)" if asked else ""
        raise UserError(f"the memory does not suffice{wanted}", mend=mend) from None


def _readable(size: str) -> str:
    number, unit = size.split()
    return f"{int(number) / 2**30:,.1f} GiB" if unit == "bytes" else size
