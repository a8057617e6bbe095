"""``import ietool.auto``: transformers' ``AutoConfig`` and ``AutoModel`` open every run folder of ietool."""

from __future__ import annotations

from transformers import AutoConfig, AutoModel

from ietool.registry import TASKS, get_task


def register() -> None:
    """Name the models of all tasks to transformers; a second time does nothing."""
    for name, _ in TASKS:
        for config, model in get_task(name).models():
            AutoConfig.register(config.model_type, config, exist_ok=True)
            AutoModel.register(config, model, exist_ok=True)


register()
