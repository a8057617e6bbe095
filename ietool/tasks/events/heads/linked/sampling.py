"""What linked spans are taught: spans, and links of every two of one event, as sparse indices."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import torch

from ietool.nn.global_pointer import groups_of
from ietool.tasks.events.heads.sampling import EventsTrainingSet
from ietool.training.batches import columns, inputs_of

Place = tuple[int, int, int, int]


class LinkedTrainingSet(EventsTrainingSet):
    """Windows with all their events."""

    def collate(self, items: list[dict[str, Any]]) -> dict[str, torch.Tensor]:
        """One batch in the form that ``LinkedModel.forward`` takes."""
        spans, heads, tails = set[Place](), set[Place](), set[Place]()
        for at, item in enumerate(items):
            events: dict[int, list[tuple[int, int]]] = {}
            for event, first, behind, label in item["rows"].tolist():
                spans.add((at, label, first, behind - 1))
                events.setdefault(event, []).append((first, behind - 1))
            for nodes in events.values():
                for (a, b), (c, d) in combinations(nodes, 2):
                    heads.add((at, 0, min(a, c), max(a, c)))
                    tails.add((at, 0, min(b, d), max(b, d)))
        batch = inputs_of(items, self.width)
        for name, places, kinds in (("span", spans, len(self.labels.names)), ("head", heads, 1), ("tail", tails, 1)):
            batch[f"{name}_targets"] = columns(sorted(places), 4)
            # Known here, since a GPU would be waited for to find them.
            batch[f"{name}_groups"] = groups_of(batch[f"{name}_targets"], kinds)
        return batch
