"""A pretend accelerator, to find mistakes of devices on a machine that has none.

Tensors on the device ``pretend`` compute on the CPU and say that they live elsewhere. An operator that is given tensors
of both devices raises, as CUDA's would; what CUDA lets pass, passes. Copies and waits are counted (:mod:`counts`).

Import this module before the first backward pass of a process: torch starts a thread for each device then, and knows no
others afterwards. The device itself is there only within :func:`pretend`; otherwise it says that it is not available,
and nothing else in the process is changed.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import cache
from typing import Any, cast
from unittest import mock

import torch
import torch.utils._foreach_utils
import torch.utils.backend_registration as registration
from torch import Tensor
from torch.utils._device import _device_constructors
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_map

from tests.pretend import cells, half
from tests.pretend.counts import COPY_IN, COPY_OUT, WAIT, happened

NAME = "pretend"

_CPU = torch.device("cpu")

_BOTH_DEVICES = {
    "aten.index.Tensor",
    "aten.index_put_.default",
    "aten.index_put.default",
    "aten._index_put_impl_.default",
    "aten.copy_.default",
    "aten._foreach_copy_.default",
    "aten._pack_padded_sequence.default",
    "aten.set_.source_Tensor",
}
"""Operators that CUDA lets have tensors of the host: it copies indices, and lengths of packed sequences lie there."""

_WAITS = {
    "aten._local_scalar_dense.default",
    "aten.nonzero.default",
    "aten.masked_select.default",
    "aten._unique2.default",
    "aten._unique.default",
    "aten.unique_dim.default",
    "aten.unique_consecutive.default",
    "aten.equal.default",
    "aten.bincount.default",
    "aten.repeat_interleave.Tensor",
    "aten._assert_scalar.default",
}
"""Operators whose result or whose size the host must know before it goes on."""

_CELLS: dict[str, Callable[..., Any]] = {
    "aten._thnn_fused_lstm_cell": cells.lstm_cell,
    "aten._thnn_fused_lstm_cell_backward_impl": cells.lstm_cell_backward,
    "aten._thnn_fused_gru_cell": cells.gru_cell,
    "aten._thnn_fused_gru_cell_backward": cells.gru_cell_backward,
}


class Remote(Tensor):
    """A tensor that says it lies on the device; ``inner`` holds its values."""

    inner: Tensor

    @staticmethod
    def __new__(cls, inner: Tensor) -> Remote:
        made = torch.Tensor._make_wrapper_subclass(  # type: ignore[attr-defined]
            cls, inner.size(), strides=inner.stride(), storage_offset=inner.storage_offset(), dtype=inner.dtype,
            layout=inner.layout, device=DEVICE,
        )  # fmt: skip
        return cast(Remote, made)

    def __init__(self, inner: Tensor) -> None:
        self.inner = inner

    def __repr__(self, *, tensor_contents: Any = None) -> str:
        return f"Remote({self.inner})"

    def __deepcopy__(self, memo: dict[int, Any]) -> Remote:
        if id(self) not in memo:
            made = Remote(self.inner.detach().clone()).requires_grad_(self.requires_grad)
            if getattr(self, "_is_param", False):
                made._is_param = True
            memo[id(self)] = made
        return cast(Remote, memo[id(self)])

    def __reduce_ex__(self, protocol: Any) -> Any:
        # As tensors are pickled of devices whose memory torch cannot read.
        host = self.detach().to(_CPU)
        return torch._utils._rebuild_device_tensor_from_cpu_tensor, (host, self.dtype, NAME, self.requires_grad)

    # Torch answers these without asking the dispatcher.

    def tolist(self) -> Any:
        happened(WAIT, "tolist")
        return self.inner.tolist()

    def numpy(self, *, force: bool = False) -> Any:
        if not force:
            raise TypeError(f"can't convert {NAME} device type tensor to numpy. Use Tensor.cpu() first")
        return self.detach().cpu().numpy()

    def __array__(self, dtype: Any = None) -> Any:
        return self.numpy()

    def new_tensor(self, data: Any, **kwargs: Any) -> Tensor:
        return torch.tensor(data, **{"dtype": self.dtype, "device": self.device, **kwargs})

    def data_ptr(self) -> int:
        return self.inner.data_ptr()

    def untyped_storage(self) -> Any:
        return self.inner.untyped_storage()

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return _run(func, args, kwargs or {})


class _Mode(TorchDispatchMode):
    """Makes tensors on the device where no argument lies there, as ``torch.zeros(3, device=…)`` does."""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return _run(func, args, kwargs or {})


_name_of = cache(str)
"""The name of an operator; made by torch each time that it is asked for."""


def _run(func: Any, args: Any, kwargs: Any) -> Any:
    name = _name_of(func)
    tensors: list[Tensor] = []
    inner_args, inner_kwargs = _inner(args, tensors), {key: _inner(value, tensors) for key, value in kwargs.items()}
    remote = [t for t in tensors if isinstance(t, Remote)]
    wanted = kwargs.get("device")
    there = bool(remote)
    if wanted is not None:
        there = torch.device(wanted).type == NAME
        inner_kwargs["device"] = _CPU
        if "pin_memory" in kwargs:
            inner_kwargs["pin_memory"] = False
    if remote:
        _check_devices(name, args, tensors)
    if remote or there:
        _count(name, args, kwargs, there)
    if name == "aten._local_scalar_dense.default":
        there = False
    elif name == "aten.is_pinned.default":
        return False
    cell = _CELLS.get(name.rpartition(".")[0]) if there else None
    out = (cell or func)(*inner_args, **inner_kwargs)
    if remote and torch.Tag.inplace_view in func.tags:  # as transpose_: what the tensor says of itself changes, too
        with torch._C._DisableTorchDispatch():  # type: ignore[attr-defined]
            func(*args, **kwargs)
    if not there:
        return out
    if name == "aten._to_copy.default" and not remote and out is inner_args[0]:
        out = out.clone()
    # Operators in place give back what they were given.
    wrapped = _wrapped(out, {id(t.inner): t for t in remote})
    if name == "aten._pack_padded_sequence.default":  # the sizes of batches stay on the host
        return wrapped[0], out[1]
    return wrapped


def _inner(value: Any, tensors: list[Tensor]) -> Any:
    """Arguments as the CPU takes them; the tensors among them are put down."""
    if isinstance(value, Tensor):
        tensors.append(value)
        return value.inner if isinstance(value, Remote) else value
    if isinstance(value, list | tuple):
        return type(value)(_inner(each, tensors) for each in value)
    return value


def _wrapped(value: Any, own: dict[int, Remote]) -> Any:
    if isinstance(value, Tensor):
        return own.get(id(value)) if id(value) in own else Remote(value)
    if isinstance(value, list | tuple):
        return type(value)(_wrapped(each, own) for each in value)
    return value


def _is_local(value: Any) -> bool:
    return isinstance(value, Tensor) and not isinstance(value, Remote) and value.device.type == "cpu"


def _check_devices(name: str, args: Any, tensors: Sequence[Tensor]) -> None:
    # A number that lies in a tensor of the host goes along with the call.
    local = [t for t in tensors if _is_local(t) and t.dim() > 0]
    if not local:
        return
    # Of an index on the device into a tensor of the host CUDA makes nothing.
    allowed = name in _BOTH_DEVICES and not (name.startswith("aten.index") and not isinstance(args[0], Remote))
    if allowed and "index_put" in name and _is_local(args[2]) and args[2].dim() > 0:
        allowed = False
    if not allowed:
        shapes = [[tuple(t.shape) for t in tensors if isinstance(t, Remote)], [tuple(t.shape) for t in local]]
        raise RuntimeError(f"devices are mixed in {name}: {shapes[0]} on the device, {shapes[1]} on the CPU")


def _count(name: str, args: Any, kwargs: Any, there: bool) -> None:
    """Tell what an operator has the host and the device say to each other."""
    if name in _WAITS:
        happened(WAIT, name)
    elif name == "aten._to_copy.default":
        source, blocks = args[0], not kwargs.get("non_blocking", False)
        if isinstance(source, Remote) and not there:
            happened(COPY_OUT, name, blocks=blocks)
            if blocks:
                happened(WAIT, name)
        elif not isinstance(source, Remote) and there:
            happened(COPY_IN, name, blocks=blocks)
    elif name == "aten.copy_.default":
        blocks = not (args[2] if len(args) > 2 else kwargs.get("non_blocking", False))
        if isinstance(args[0], Remote) and _is_local(args[1]):
            happened(COPY_IN, name, blocks=blocks)
        elif _is_local(args[0]) and isinstance(args[1], Remote):
            happened(COPY_OUT, name, blocks=blocks)
            if blocks:
                happened(WAIT, name)
    elif "index_put" in name or name == "aten.index.Tensor":
        for index in args[1]:
            if _is_local(index):
                happened(COPY_IN, name)
            elif isinstance(index, Tensor) and index.dtype in (torch.bool, torch.uint8) and not _fills(name, args):
                happened(WAIT, f"{name} by a mask")


def _fills(name: str, args: Any) -> bool:
    """Whether an assignment by one mask is of one number: that is filled in without counting the places."""
    masks = [index for index in args[1] if index is not None]
    accumulates = args[3] if len(args) > 3 else False
    return "index_put" in name and len(masks) == 1 and args[2].numel() == 1 and not accumulates


class _Module:
    """What torch asks of ``torch.pretend``."""

    in_use = False

    def is_initialized(self) -> bool:
        return self.in_use

    def is_available(self) -> bool:
        return self.in_use

    def device_count(self) -> int:
        return int(self.in_use)

    def current_device(self) -> int:
        return 0

    def set_device(self, device: Any) -> None: ...

    def synchronize(self, device: Any = None) -> None:
        happened(WAIT, "synchronize")

    def empty_cache(self) -> None: ...

    def get_amp_supported_dtype(self) -> list[torch.dtype]:
        return [torch.float16, torch.bfloat16]

    # Its random numbers are the CPU's, so that both devices draw the same.

    def _is_in_bad_fork(self) -> bool:
        return False

    def manual_seed_all(self, seed: int) -> None: ...

    def get_rng_state(self, device: Any = None) -> Tensor:
        return torch.empty(0, dtype=torch.uint8)

    def set_rng_state(self, state: Tensor, device: Any = None) -> None: ...

    @contextmanager
    def device(self, device: Any) -> Iterator[None]:
        yield


class _Hook(torch._C._acc.PrivateUse1Hooks):  # type: ignore[name-defined,misc]
    def is_available(self) -> bool:
        return _MODULE.in_use

    def has_primary_context(self, device: int) -> bool:
        return _MODULE.in_use

    def is_built(self) -> bool:
        return True


_MODULE = _Module()
registration._setup_privateuseone_for_python_backend(NAME, backend_module=_MODULE, hook=_Hook())
DEVICE = torch.device(NAME, 0)
_AUTOCAST = half.register(NAME)

# Torch keeps which functions ``with torch.device(…)`` is for from the first time on: they must be the true ones.
_device_constructors()

_made, _loaded, _as_tensor, _applied = torch.tensor, torch.load, torch.as_tensor, torch.nn.Module._apply


def _tensor(data: Any, *, device: Any = None, **kwargs: Any) -> Tensor:
    out = _made(data, **kwargs)
    return out if device is None else out.to(device)


def _as(data: Any, dtype: Any = None, device: Any = None) -> Tensor:
    out = _as_tensor(data, dtype=dtype)
    return out if device is None else out.to(device)


def _load(*args: Any, map_location: Any = None, **kwargs: Any) -> Any:
    if map_location is None or torch.device(map_location).type != NAME:
        return _loaded(*args, map_location=map_location, **kwargs)
    found = _loaded(*args, map_location=_CPU, **kwargs)
    return tree_map(lambda value: value.to(DEVICE) if isinstance(value, Tensor) else value, found)


def _apply(module: torch.nn.Module, *args: Any, **kwargs: Any) -> torch.nn.Module:
    """Moving a model, its weights in place: one that two layers share stays one."""
    before = torch.__future__.get_swap_module_params_on_conversion()
    torch.__future__.set_swap_module_params_on_conversion(True)
    try:
        return _applied(module, *args, **kwargs)
    finally:
        torch.__future__.set_swap_module_params_on_conversion(before)


class _NoGrad:
    """In place of inference mode, whose tensors have no version counter: those of Python need one."""

    @staticmethod
    def enter(mode: Any) -> None:
        mode._stands_in = torch.set_grad_enabled(not mode.mode and torch.is_grad_enabled())
        mode._stands_in_before = mode._stands_in.prev

    @staticmethod
    def leave(mode: Any, *_: Any) -> None:
        torch._C._set_grad_enabled(mode._stands_in_before)


@contextmanager
def pretend() -> Iterator[torch.device]:
    """The device, there within; what transformers' trainer is made within trains on it."""
    foreach = torch.utils._foreach_utils._foreach_supported_types
    with ExitStack() as stack:
        enter = stack.enter_context
        enter(mock.patch.object(torch, "tensor", _tensor))
        enter(mock.patch.object(torch, "as_tensor", _as))
        enter(mock.patch.object(torch, "load", _load))
        enter(mock.patch.object(torch.nn.Module, "_apply", _apply))
        enter(mock.patch.object(torch.inference_mode, "__enter__", _NoGrad.enter))
        enter(mock.patch.object(torch.inference_mode, "__exit__", _NoGrad.leave))
        enter(mock.patch.object(_MODULE, "in_use", True))
        enter(mock.patch.dict(os.environ, {"ACCELERATE_TORCH_DEVICE": f"{NAME}:0"}))
        enter(mock.patch.object(torch.utils._foreach_utils, "_foreach_supported_types", [*foreach, Remote]))
        enter(_Mode())
        yield DEVICE
