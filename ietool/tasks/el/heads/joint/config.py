"""Sizes of the model of head ``joint``, as ``config.json`` of a run has them."""

from __future__ import annotations

from typing import Any

from transformers import PretrainedConfig


class JointConfig(PretrainedConfig):
    """Sizes of :class:`~ietool.tasks.el.heads.joint.model.JointModel`."""

    model_type = "ietool-el"

    def __init__(
        self,
        characters: int = 2,
        words: int = 0,
        word_size: int = 0,
        tags: int = 0,
        nil_types: int = 0,
        types: int = 0,
        type_size: int = 16,
        hidden_size: int = 128,
        attention_heads: int = 8,
        attention_head_size: int = 16,
        embedding_dropout: float = 0.2,
        head_dropout: float = 0.2,
        mentions: str = "spans",
        habits: bool = True,
        borders: bool = True,
        loss: str = "listwise",
        **kwargs: Any,
    ) -> None:
        self.characters, self.words, self.word_size, self.tags = characters, words, word_size, tags
        self.nil_types, self.hidden_size = nil_types, hidden_size
        self.types, self.type_size = types, type_size
        self.attention_heads, self.attention_head_size = attention_heads, attention_head_size
        self.embedding_dropout, self.head_dropout = embedding_dropout, head_dropout
        self.mentions, self.habits, self.borders, self.loss = mentions, habits, borders, loss
        # Runs of older versions have more of the recipe here, the word for this encoder among it.
        for former in ("encoder", "head", "cut_vocabulary", "query", "ranked"):
            kwargs.pop(former, None)
        super().__init__(**kwargs)
