"""What start and end on a pretrained encoder are taught."""

from __future__ import annotations

from typing import Any

import torch

from ietool.tasks.qa.heads.pair_sampling import PairTrainingSet
from ietool.tasks.qa.heads.pairs import batch_of
from ietool.training.batches import columns, known_targets


class SpanTrainingSet(PairTrainingSet):
    """Windows with the first and last tokens of their answers."""

    def collate(self, items: list[dict[str, Any]]) -> dict[str, torch.Tensor]:
        """One batch in the form that ``SpanModel.forward`` takes."""
        pairs = self.pairs(items)
        targets: set[tuple[int, int, int]] = set()
        known = torch.ones(len(items))
        for at, (item, pair) in enumerate(zip(items, pairs, strict=True)):
            found, is_known = self.covered(item, pair)
            known[at] = is_known
            targets |= {(at, place, side) for span in found or [[0, 0]] for side, place in enumerate(span)}
        return {
            **batch_of(pairs, self.width),
            "targets": columns(sorted(targets), 3),
            "known": known,
            **known_targets("label_targets", [int(self.labels[item["row"]]) for item in items]),
        }
