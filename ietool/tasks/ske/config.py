"""Sizes of the models, as their ``config.json`` holds them."""

from __future__ import annotations

from typing import Any

from ietool.nn.encoder import EncoderConfig


class SkeConfig(EncoderConfig):
    """What all heads share: ``labels`` is R, the number of (predicate, slot) labels."""

    def __init__(self, labels: int = 1, priors: bool = False, head_dropout: float = 0.0, **kwargs: Any) -> None:
        self.labels, self.priors, self.head_dropout = labels, priors, head_dropout
        super().__init__(**kwargs)


class GraphConfig(SkeConfig):
    """Sizes of :class:`ietool.tasks.ske.graph.GraphModel`."""

    model_type = "ietool-ske"

    def __init__(
        self, attention_heads: int = 8, attention_head_size: int = 16, subject_points: int = 6, **kwargs: Any
    ) -> None:
        self.attention_heads, self.attention_head_size = attention_heads, attention_head_size
        self.subject_points = subject_points
        super().__init__(**kwargs)


class CascadeConfig(SkeConfig):
    """Sizes of :class:`ietool.tasks.ske.cascade.CascadeModel`."""

    model_type = "ietool-ske-cascade"

    def __init__(self, subject_power: float = 2.0, object_power: float = 4.0, **kwargs: Any) -> None:
        self.subject_power, self.object_power = subject_power, object_power
        super().__init__(**kwargs)


class LinkConfig(SkeConfig):
    """Sizes of :class:`ietool.tasks.ske.gplinker.LinkModel`."""

    model_type = "ietool-ske-gplinker"

    def __init__(self, pointer_size: int = 64, **kwargs: Any) -> None:
        self.pointer_size = pointer_size
        super().__init__(**kwargs)
