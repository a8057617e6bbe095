"""Runs made when one model held the layers of either head: ``config.head`` tells which."""

from __future__ import annotations

from typing import Any

from ietool.tasks.ner.heads.base import NerModel
from ietool.tasks.ner.heads.crf.model import CRFConfig, CRFModel
from ietool.tasks.ner.heads.globalpointer.model import PointerModel

MODEL_TYPE = "ietool-ner"


class FormerConfig(CRFConfig):
    """Holds the keys of both heads."""

    model_type = MODEL_TYPE

    def __init__(self, head: str = "crf", head_size: int = 64, **kwargs: Any) -> None:
        self.head, self.head_size = head, head_size
        super().__init__(**kwargs)


class FormerModel(NerModel):
    """What transformers' ``AutoModel`` opens such a run with; it gives the model of the head."""

    config_class = FormerConfig

    def __new__(cls, config: Any, *arguments: Any, **further: Any) -> Any:
        kind = CRFModel if config.head == "crf" else PointerModel
        return kind(config, *arguments, **further)
