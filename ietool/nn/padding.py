"""How transformers is kept from asking a GPU whether a batch has padding."""

from __future__ import annotations

from typing import Any

from torch import Tensor
from transformers import AttentionMaskInterface
from transformers.masking_utils import sdpa_mask


def ask_no_gpu() -> None:
    """From now on encoders make a mask of every padded batch that lies on a GPU.

    Where nothing is padded they would leave it out; but to know that, they wait at each batch for all that the GPU
    still has to do. On the CPU, which has nothing to wait for, all stays as it is.
    """
    AttentionMaskInterface.register("sdpa", _mask)


def _mask(*args: Any, attention_mask: Tensor | None = None, **kwargs: Any) -> Tensor | None:
    if attention_mask is not None and attention_mask.device.type != "cpu":
        kwargs |= {"allow_is_bidirectional_skip": False, "allow_is_causal_skip": False}
    return sdpa_mask(*args, attention_mask=attention_mask, **kwargs)
