"""The table of heads: what a task knows of a way to solve it is one row, what solves it one folder."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import Any


@dataclass(frozen=True)
class Head:
    """One way to solve a task, and where its pieces stand: ``module:name`` within ``folder``, imported when entered.

    Attributes:
        name: ``model.head.kind`` in a recipe.
        folder: the package of the head; the pieces below are named from there.
        recipe: the recipe class, with the sections that this head reads and no others; imports nothing heavy.
        config: the configuration that ``config.json`` holds; its ``model_type`` tells which head a run has.
        model: the model class.
        build: ``(recipe, prepared folder) → model``, fresh.
        items: ``(recipe, prepared folder, rows=…) → TrainingSet``.
        reader: ``(recipe, model, assets) → Reader``: what the model says, before thresholds.
        decoder: ``(recipe, assets) → Decoder``: what a prediction follows from; imports no torch.
    """

    name: str
    folder: str
    recipe: str
    config: str
    model: str
    build: str
    items: str
    reader: str
    decoder: str

    def load(self, piece: str) -> Any:
        """What one of the pieces names: ``head.load("model")``."""
        module, _, name = str(getattr(self, piece)).partition(":")
        return getattr(import_module(f"{self.folder}.{module}"), name)

    def target(self, piece: str) -> str:
        """``module:name`` of a piece, whole."""
        return f"{self.folder}.{getattr(self, piece)}"
