"""Half precision as CUDA's autocast chooses it, operator by operator, for a device of Python.

Lists: https://docs.pytorch.org/docs/stable/amp.html#cuda-ops-that-can-autocast-to-float16 as far as ietool's models and
transformers' encoders use them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch.utils._pytree import tree_map

_LOW = (
    "linear", "matmul", "mm", "bmm", "addmm", "addmv", "addbmm", "baddbmm", "mv", "einsum", "chain_matmul",
    "conv1d", "conv2d", "prelu", "lstm_cell", "gru_cell", "_thnn_fused_lstm_cell", "_thnn_fused_gru_cell",
    "scaled_dot_product_attention",
)  # fmt: skip
"""In half precision."""

_FULL = (
    "exp", "expm1", "log", "log10", "log1p", "log2", "log_softmax.int", "softmax.int", "softplus", "logsumexp",
    "layer_norm", "group_norm", "cumsum", "cumprod", "prod", "pow.Tensor_Scalar", "pow.Tensor_Tensor", "norm.Scalar",
    "reciprocal", "rsqrt", "sum", "sum.dim_IntList", "nll_loss", "cross_entropy_loss", "mse_loss", "kl_div",
    "binary_cross_entropy_with_logits", "cosine_similarity", "l1_loss", "smooth_l1_loss", "erfinv", "acos", "asin",
)  # fmt: skip
"""In fp32. (CUDA's sums give fp32 of half-precision terms; its softmax and log-softmax likewise.)"""

_WIDEST = ("addcdiv", "addcmul", "atan2", "bilinear", "cross", "dot", "index_put", "stack", "cat", "scatter_add")
"""In the widest type of what they are given."""

_NAME = "AutocastPrivateUse1"
_KEY = torch._C.DispatchKeySet(torch._C.DispatchKey.AutocastPrivateUse1)


def _cast(value: Any, dtype: torch.dtype, device: str) -> Any:
    if isinstance(value, torch.Tensor) and value.device.type == device and value.is_floating_point():
        return value.to(dtype) if value.dtype != torch.float64 else value
    return value


def _widest(values: Any, device: str) -> torch.dtype | None:
    found: list[torch.dtype] = []
    tree_map(lambda v: found.append(v.dtype) if isinstance(v, torch.Tensor) and v.is_floating_point() else None, values)
    if torch.float64 in found or not found:
        return None
    return torch.float32 if torch.float32 in found else found[0]


def _operator(name: str) -> Any:
    packet, _, overload = name.partition(".")
    return getattr(getattr(torch.ops.aten, packet), overload or "default")


def _kernel(operator: Any, choose: Callable[[Any], torch.dtype | None], device: str) -> Callable[..., Any]:
    def run(*args: Any, **kwargs: Any) -> Any:
        dtype = choose((args, kwargs))
        with torch._C._ExcludeDispatchKeyGuard(_KEY):
            if dtype is not None:
                args, kwargs = tree_map(lambda v: _cast(v, dtype, device), (args, kwargs))
            return operator(*args, **kwargs)

    return run


def register(device: str) -> tuple[torch.library.Library, ...]:
    """Make ``torch.autocast(device)`` cast; holds as long as what it gives is kept."""
    others, library = torch.library.Library("_", "IMPL", _NAME), torch.library.Library("aten", "IMPL", _NAME)
    others.fallback(torch.library.fallthrough_kernel, _NAME)
    chosen: list[tuple[tuple[str, ...], Callable[[Any], torch.dtype | None]]] = [
        (_LOW, lambda _: torch.get_autocast_dtype(device)),
        (_FULL, lambda _: torch.float32),
        (_WIDEST, lambda values: _widest(values, device)),
    ]
    for names, choose in chosen:
        for name in names:
            library.impl(name, _kernel(_operator(name), choose, device), _NAME)
    return others, library
