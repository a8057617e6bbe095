"""A small reader of every head, with random weights."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from ietool.recipe_io import load_recipe
from ietool.tasks.qa import QaTask
from ietool.tasks.qa.features.labels import LABELLED
from tests.tasks.qa.made import SMALL, encoder_folder, prepared_of, recipe_of

HEADS = ("reader", "span", "mlm")

MakeReader = Callable[..., tuple[Any, Any]]
"""``(head, *overrides, labels=…) → (recipe, reader)``."""


@pytest.fixture(scope="session")
def make_reader(tmp_path_factory: pytest.TempPathFactory) -> MakeReader:
    """Readers whose models are the same for the same head."""
    folder = tmp_path_factory.mktemp("heads")
    encoder = encoder_folder(folder / "encoder")
    task, kept = QaTask(), dict[tuple[str, bool], tuple[Path, Any]]()

    def make(head: str, *overrides: str, labels: bool = False) -> tuple[Any, Any]:
        def recipe_with(*more: str) -> Any:
            if head == "reader":
                return load_recipe("qa", [*SMALL, "model.encoder.hidden_size=16", *more])
            return recipe_of(head, encoder, *more)

        if (head, labels) not in kept:
            recipe = recipe_with()
            prepared = prepared_of(recipe, folder / f"{head}-{labels}")
            if labels:
                (prepared / LABELLED).touch()
            torch.manual_seed(7)
            model: Any = task.build_model(recipe, prepared).eval()
            with torch.no_grad():
                for name, weights in model.named_parameters():
                    if not name.startswith("encoder.backbone"):
                        weights.normal_(0, 0.2 if head == "reader" else 0.5)
            kept[head, labels] = prepared, model
        prepared, model = kept[head, labels]
        recipe = recipe_with(*overrides)
        return recipe, task.reader(recipe, model, prepared)

    return make
