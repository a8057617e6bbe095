"""``import ietool.auto``: transformers' ``AutoConfig`` and ``AutoModel`` open every run folder of ietool."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from transformers import AutoConfig, AutoModel

from ietool.registry import TASKS, get_task


def register() -> None:
    """Name the models of all tasks to transformers; a second time does nothing."""
    for name, _ in TASKS:
        for config_target, model_target in get_task(name).models:
            config, model = _load(config_target), _load(model_target)
            AutoConfig.register(config.model_type, config, exist_ok=True)
            AutoModel.register(config, model, exist_ok=True)


def _load(target: str) -> Any:
    module, _, name = target.partition(":")
    return getattr(import_module(module), name)


register()
