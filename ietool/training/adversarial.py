"""Training against small disturbances: of the embeddings (FGM), and of dropout (R-Drop)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ietool.nn.encoder import CharacterEncoder, PretrainedEncoder


@contextmanager
def disturbed(model: nn.Module, size: float) -> Iterator[None]:
    """Within, the embedding table is moved by ``size`` (Euclidean length, of the whole table) along its gradient, the
    direction in which the loss grows fastest (FGM; Miyato et al. 2017, https://arxiv.org/abs/1605.07725; kexue.fm
    7234)."""
    before = []
    with torch.no_grad():
        for weight in tables(model):
            if weight.grad is not None:
                length = weight.grad.norm()
                before.append((weight, weight.clone()))  # what is added and taken away again leaves a trace
                # Chosen on the device: asking for the length would wait for a GPU at each step.
                moves = (length > 0) & torch.isfinite(length)
                weight.add_(torch.where(moves, size * weight.grad / length, 0.0))
    try:
        yield
    finally:
        with torch.no_grad():
            for weight, value in before:
                weight.copy_(value)


def tables(model: nn.Module) -> list[Tensor]:
    """The embedding tables that :func:`disturbed` moves: those of the encoders, where they are trained."""
    found = [m.table.weight for m in model.modules() if isinstance(m, PretrainedEncoder | CharacterEncoder)]
    return [weight for weight in found if weight.requires_grad]


def bernoulli_divergence(first: Tensor, second: Tensor, weight: Tensor | None = None) -> Tensor:
    """Symmetric Kullback–Leibler divergence of independent yes-or-no logits of any shape, summed:
    ``½ Σ (σ(a) − σ(b)) · (a − b)`` (R-Drop; Liang et al. 2021, https://arxiv.org/abs/2106.14448)."""
    value = 0.5 * (first.sigmoid() - second.sigmoid()) * (first - second)
    return (value if weight is None else value * weight).sum()


def choice_divergence(first: Tensor, second: Tensor, weight: Tensor | None = None) -> Tensor:
    """The same of logits over choices, (…, choices); ``weight`` is of the shape before the choices."""
    a, b = F.log_softmax(first.float(), -1), F.log_softmax(second.float(), -1)
    value = 0.5 * ((a.exp() - b.exp()) * (a - b).nan_to_num()).sum(-1)
    return (value if weight is None else value * weight).sum()
