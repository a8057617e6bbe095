"""What GPLinker is taught: spans and links, and marks, as sparse indices."""

from __future__ import annotations

from typing import Any

import torch

from ietool.nn.global_pointer import groups_of
from ietool.tasks.ske.heads.sampling import SkeTrainingSet, text_batch
from ietool.training.batches import LONGEST, Width, columns


def link_batch(
    items: list[dict[str, Any]], labels: int, *, priors: bool, width: Width = LONGEST
) -> dict[str, torch.Tensor]:
    """What :meth:`ietool.tasks.ske.heads.gplinker.model.LinkModel.forward` takes; ``labels`` is R."""
    entities: set[tuple[int, int, int, int]] = set()
    links: tuple[set[tuple[int, int, int, int]], ...] = (set(), set(), set(), set())
    for at, item in enumerate(items):
        for s0, s1, _, o0, o1 in item["rows"]:
            entities.add((at, 0, s0, s1 - 1))
            entities.add((at, 1, o0, o1 - 1))
        for kind, rows in enumerate((item["rows"], item["prior"].tolist() if priors else ())):
            for s0, s1, label, o0, o1 in rows:
                links[2 * kind].add((at, label, s0, o0))
                links[2 * kind + 1].add((at, label, s1 - 1, o1 - 1))
    batch = text_batch(items, width) | {
        "entity_targets": columns(sorted(entities), 4),
        "head_targets": columns(sorted(links[0]), 4),
        "tail_targets": columns(sorted(links[1]), 4),
    }
    if priors:
        batch["head_marks"] = columns(sorted(links[2]), 4)
        batch["tail_marks"] = columns(sorted(links[3]), 4)
    # Known here, since a GPU would be waited for to find them.
    batch["entity_groups"] = groups_of(batch["entity_targets"], 2)
    for name in ("head", "tail"):
        places = [batch[key] for key in (f"{name}_targets", f"{name}_marks") if key in batch]
        batch[f"{name}_groups"] = groups_of(torch.cat(places, 1), labels)
    return batch


class LinkTrainingSet(SkeTrainingSet):
    """Windows with all their triples."""

    def collate(self, items: list[dict[str, Any]]) -> dict[str, torch.Tensor]:
        """One batch in the form that ``LinkModel.forward`` takes."""
        labels = len(self.featurizer.schema.labels)
        return link_batch(items, labels, priors=self.recipe.model.priors, width=self.width)
