"""What two stages are taught: triggers, and the arguments of some of them, as sparse indices."""

from __future__ import annotations

from random import Random
from typing import Any

import numpy as np
import torch

from ietool.nn.global_pointer import groups_of
from ietool.tasks.events.heads.sampling import EventsTrainingSet
from ietool.tasks.events.heads.staged.recipe import StagedRecipe
from ietool.training.batches import columns, inputs_of

Trigger = tuple[int, int, int]
"""(type, first unit, last unit)."""


class StagedTrainingSet(EventsTrainingSet):
    """Windows with all their triggers, and the arguments of some."""

    recipe: StagedRecipe

    def __getitem__(self, index: int) -> dict[str, Any]:
        """Besides: ``events``, trigger → (role, first, last) of its arguments, and the ``chosen`` ones of them."""
        item = super().__getitem__(index)
        item["events"] = events = self._events(item["rows"])
        random = Random(f"{self.recipe.training.seed}/{self.epoch}/{index}")
        item["chosen"] = random.sample(sorted(events), min(self.recipe.sampling.triggers, len(events)))
        return item

    def _events(self, rows: np.ndarray) -> dict[Trigger, set[Trigger]]:
        kinds, roles = self.labels.type_of, self.labels.role_of
        by_event: dict[int, list[tuple[int, int, int]]] = {}
        for event, first, behind, label in rows.tolist():
            by_event.setdefault(event, []).append((label, first, behind - 1))
        found: dict[Trigger, set[Trigger]] = {}
        for nodes in by_event.values():
            triggers = [(int(kinds[n]), a, b) for n, a, b in nodes if roles[n] < 0]
            arguments = {(int(roles[n]), a, b) for n, a, b in nodes if roles[n] >= 0}
            for trigger in triggers:
                found.setdefault(trigger, set()).update(arguments)
        return found

    def collate(self, items: list[dict[str, Any]]) -> dict[str, torch.Tensor]:
        """One batch in the form that ``StagedModel.forward`` takes."""
        targets: list[tuple[int, int, int, int]] = []
        chosen: list[tuple[int, int, int, int]] = []
        arguments: list[tuple[int, int, int, int]] = []
        for at, item in enumerate(items):
            targets += [(at, *trigger) for trigger in sorted(item["events"])]
            # A text without a trigger still teaches the second stage: nothing belongs to its first unit.
            begin = int(np.argmax(item["inside"]))
            for trigger in item["chosen"] or [(0, begin, begin)]:
                arguments += [(len(chosen), *one) for one in sorted(item["events"].get(trigger, ()))]
                chosen.append((at, *trigger))
        batch = inputs_of(items, self.width) | {
            "trigger_targets": columns(targets, 4),
            "chosen": columns(chosen, 4),
            "argument_targets": columns(arguments, 4),
        }
        # Known here, since a GPU would be waited for to find them.
        batch["trigger_groups"] = groups_of(batch["trigger_targets"], len(self.labels.types))
        batch["argument_groups"] = groups_of(batch["argument_targets"], max(1, len(self.labels.roles)))
        return batch
