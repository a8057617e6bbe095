"""Sizes of GPLinker, as its ``config.json`` holds them."""

from __future__ import annotations

from typing import Any

from ietool.tasks.ske.heads.base import SkeConfig


class LinkConfig(SkeConfig):
    """Sizes of :class:`ietool.tasks.ske.heads.gplinker.model.LinkModel`."""

    model_type = "ietool-ske-gplinker"

    def __init__(self, pointer_size: int = 64, **kwargs: Any) -> None:
        self.pointer_size = pointer_size
        super().__init__(**kwargs)
