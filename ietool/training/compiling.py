"""The layers below the heads compiled by torch (``torch.compile``)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

import torch
from torch import nn

from ietool.errors import UserError, cut
from ietool.nn.attention import AdditivePooling, CrossAttention, SelfAttention
from ietool.nn.dgcnn import DGCNNBlock
from ietool.nn.embedding import MixedEmbedding
from ietool.nn.encoder import CharacterEncoder, PretrainedEncoder

BACKEND = "inductor"
"""Which of torch's compilers; it writes kernels in Triton for a GPU, in C++ for a CPU."""

PARTS = (
    PretrainedEncoder, CharacterEncoder, DGCNNBlock, MixedEmbedding, SelfAttention, CrossAttention, AdditivePooling,
)  # fmt: skip
"""What is compiled, each as one graph. Heads and losses are not: what they do depends on the numbers of a batch's
targets, and each number would be compiled anew."""

LIMIT = 64
"""Graphs of one kind of layer; torch goes on without compiling beyond its own limit, 8, and layers of a kind may differ
in their sizes, and in whether there are one, none or more rows."""


def compile_layers(model: nn.Module) -> None:
    """Compile what lies below a model's heads, in place: weights keep their names, and a copy, such as the average of
    the weights, is not compiled. It happens at the first batch, for all shapes that follow: how many texts, pairs and
    positions a batch has differs from one to the next."""
    import torch._dynamo

    torch._dynamo.config.recompile_limit = max(torch._dynamo.config.recompile_limit, LIMIT)
    for part in _parts(model):
        part.compile(backend=BACKEND, dynamic=True)


@contextmanager
def compiling_told() -> Iterator[None]:
    """Turn what torch raises where layers cannot be compiled, as without a compiler of C++, into a UserError."""
    try:
        yield
    except Exception as error:
        if not type(error).__module__.startswith(("torch._inductor", "torch._dynamo")):
            raise
        first = next((line for line in str(error).splitlines() if line.strip()), type(error).__name__)
        raise UserError(
            f"layers cannot be compiled here ({cut(first, 120)})",
            field="training.compile",
            mend="set it to false, or install a compiler (for a CPU one of C++, for example g++)",
        ) from error


def uncompiled() -> AbstractContextManager[object]:
    """Within, what is compiled runs as it is written: so a model is scored as it is that will predict."""
    stance: AbstractContextManager[object] = torch.compiler.set_stance("force_eager")
    return stance


def _parts(module: nn.Module) -> Iterator[nn.Module]:
    for child in module.children():
        if isinstance(child, PARTS):
            yield child
        else:
            yield from _parts(child)
