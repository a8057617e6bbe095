"""Sizes of the models, as their ``config.json`` holds them."""

from __future__ import annotations

from typing import Any

from ietool.tasks.ske.heads.base import SkeConfig


class GraphConfig(SkeConfig):
    """Sizes of :class:`ietool.tasks.ske.heads.stages.graph.GraphModel`."""

    model_type = "ietool-ske"

    def __init__(
        self, attention_heads: int = 8, attention_head_size: int = 16, subject_points: int = 6, **kwargs: Any
    ) -> None:
        self.attention_heads, self.attention_head_size = attention_heads, attention_head_size
        self.subject_points = subject_points
        super().__init__(**kwargs)


class CascadeConfig(SkeConfig):
    """Sizes of :class:`ietool.tasks.ske.heads.stages.cascade.CascadeModel`."""

    model_type = "ietool-ske-cascade"

    def __init__(self, subject_power: float = 2.0, object_power: float = 4.0, **kwargs: Any) -> None:
        self.subject_power, self.object_power = subject_power, object_power
        super().__init__(**kwargs)
