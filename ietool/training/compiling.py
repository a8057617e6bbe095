"""The training step compiled by torch (``torch.compile``)."""

from __future__ import annotations

from torch import nn

BACKEND = "inductor"
"""Which of torch's compilers; that on a GPU writes kernels in Triton, on a CPU in C++."""


def compile_step(model: nn.Module) -> None:
    """Compile a model's ``forward``, which is its training loss, in place: weights keep their names, and what predicts
    or is averaged (a copy) is not compiled. It happens at the first batch; after a second of other sizes the code is
    for any sizes, and compiled again only where they lead another way."""
    model.compile(backend=BACKEND)
