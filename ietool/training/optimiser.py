"""Learning rates by depth: heads at their own rate, pretrained layers the more slowly the lower they lie."""

from __future__ import annotations

from typing import Any

from torch import nn

from ietool.errors import UserError
from ietool.nn.encoder import PretrainedEncoder, encoders_of, layers_of
from ietool.recipe import TrainingSection


def freeze(model: nn.Module, layers: int) -> None:
    """Keep the embeddings and the lowest ``layers`` layers of the pretrained encoders as they are; 0: nothing.

    Raises:
        UserError: the layers cannot be told apart, there are not so many, or nothing is pretrained.
    """
    if not layers:
        return
    _check_pretrained(model, "training.frozen_layers", "set it to 0")
    for encoder in encoders_of(model):
        if layers > (count := len(layers_of(encoder))):
            raise UserError(
                f"the encoder has {count} layers, not {layers}",
                field="training.frozen_layers", mend=f"set it to {count} or less; 0 trains all",
            )  # fmt: skip
        for parameter, depth in depths(encoder):
            if depth <= layers:
                parameter.requires_grad_(False)


def checkpoint_activations(model: nn.Module) -> None:
    """Compute the activations of pretrained layers anew when gradients are taken: less memory, a third more time.

    Raises:
        UserError: the encoder cannot, or none is pretrained.
    """
    _check_pretrained(model, "training.gradient_checkpointing", "set it to false")
    for encoder in encoders_of(model):
        backbone = encoder.backbone
        if not getattr(backbone, "supports_gradient_checkpointing", False):
            raise UserError(
                f"is not to be had with a {backbone.config.model_type!r} encoder",
                field="training.gradient_checkpointing",
                mend="set it to false",
            )
        # The name was changed in 5.2x; the old one warns.
        enable = getattr(backbone, "activation_checkpointing_enable", backbone.gradient_checkpointing_enable)
        enable({"use_reentrant": False})


def check_decay(model: nn.Module, section: TrainingSection) -> None:
    """Raise UserError where rates are to fall by depth, and nothing is pretrained."""
    if section.layer_decay != 1.0:
        _check_pretrained(model, "training.layer_decay", "set it to 1")


def _check_pretrained(model: nn.Module, field: str, mend: str) -> None:
    if not encoders_of(model):
        raise UserError("acts on pretrained encoders, and this model has none", field=field, mend=mend)


def rate_note(model: nn.Module, section: TrainingSection) -> str | None:
    """What is said where ``learning_rate`` is the rate of nothing."""
    if section.head_learning_rate is None or encoders_of(model):
        return None
    return f"all learn at training.head_learning_rate={section.head_learning_rate:g}: nothing is pretrained"


def depths(encoder: PretrainedEncoder) -> list[tuple[nn.Parameter, int]]:
    """The parameters of a pretrained encoder with their depth: 0 for embeddings, 1 for the lowest layer and so on."""
    layer = {id(p): n for n, block in enumerate(layers_of(encoder), 1) for p in block.parameters()}
    table = id(encoder.table.weight)
    top = len(layers_of(encoder))
    found = []
    seen_layers = False
    for parameter in encoder.backbone.parameters():
        depth = layer.get(id(parameter))
        if depth is not None:
            seen_layers = True
        elif seen_layers and id(parameter) != table:
            depth = top  # what lies above the layers: a last norm
        found.append((parameter, depth or 0))
    return found


def parameter_groups(
    model: nn.Module, section: TrainingSection, rate: float, *, later: bool = False
) -> list[dict[str, Any]]:
    """Groups for the optimiser, each with its learning rate and weight decay.

    ``rate`` is that of the top layer of a pretrained encoder; a layer below has that of the layer above times
    ``layer_decay``. Everything outside, DGCNN too, has ``head_learning_rate``, scaled as the stage's rate is, or
    ``rate`` where the recipe names none. Where nothing is pretrained, a later stage's ``rate`` is the rate of all.
    Biases and the gains of norms do not decay.

    Args:
        rate: of the stage, after warm-up.
        later: it is not the first stage.
    """
    heads = None if later and not encoders_of(model) else section.head_learning_rate
    head_rate = rate if heads is None else heads * rate / section.learning_rate
    rates: dict[int, float] = {}
    for encoder in encoders_of(model):
        if section.layer_decay == 1.0:
            rates |= {id(p): rate for p in encoder.backbone.parameters()}
            continue
        top = len(layers_of(encoder))
        rates |= {id(p): rate * section.layer_decay ** (top - depth) for p, depth in depths(encoder)}
    groups: dict[tuple[float, float], list[nn.Parameter]] = {}
    for parameter in model.parameters():
        if parameter.requires_grad:
            decay = section.weight_decay if parameter.ndim > 1 else 0.0
            groups.setdefault((rates.get(id(parameter), head_rate), decay), []).append(parameter)
    return [{"params": params, "lr": lr, "weight_decay": decay} for (lr, decay), params in groups.items()]
