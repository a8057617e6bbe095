"""Sizes of the cross encoder, as its ``config.json`` holds them."""

from __future__ import annotations

from typing import Any

from ietool.nn.encoder import EncoderConfig


class CrossConfig(EncoderConfig):
    """Sizes of the cross encoder; ``words`` and ``word_size``: vectors of names."""

    model_type = "ietool-el-cross"

    def __init__(
        self,
        nil_types: int = 0,
        types: int = 0,
        type_size: int = 16,
        head_size: int = 128,
        head_dropout: float = 0.1,
        habits: bool = True,
        borders: bool = True,
        **kwargs: Any,
    ) -> None:
        self.nil_types, self.types, self.type_size = nil_types, types, type_size
        self.head_size, self.head_dropout, self.habits, self.borders = head_size, head_dropout, habits, borders
        super().__init__(**kwargs)
