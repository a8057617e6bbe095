"""What a training step of head ``joint`` sees."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Any

from ietool.tasks.el.heads.joint.batches import link_batch
from ietool.tasks.el.heads.joint.recipe import JointRecipe
from ietool.tasks.el.heads.sampling import ElTrainingSet, match_batch, target_batch
from ietool.training.batches import columns, pad


class JointTrainingSet(ElTrainingSet):
    """The training windows as characters."""

    def __init__(self, recipe: JointRecipe, prepared: Path, *, rows: Sequence[int] | None = None) -> None:
        super().__init__(recipe, prepared, rows=rows)
        self._one = recipe.sampling.loss == "pair"

    def sampled(self, rows: list[int], gold: int, random: Random) -> list[int]:
        """One at random where candidates are taught one by one, as in the article."""
        return random.sample(rows, min(1, len(rows))) if self._one else super().sampled(rows, gold, random)

    def collate(self, items: list[dict[str, Any]]) -> dict[str, Any]:
        """One batch in the form that ``JointModel.forward`` takes."""
        longest = self.width.of([item["ids"] for item in items])
        starts, links = set(), []
        for at, item in enumerate(items):
            for (start, end, _), label in zip(item["matches"].tolist(), item["labels"].tolist(), strict=True):
                if label:
                    starts.update({(at, start, 0), (at, end - 1, 1)})
            links += [(at, linked) for linked in item["linkables"]]
        linking = link_batch(links, longest, self.width)
        return {
            "characters": pad([item["ids"] for item in items], longest),
            "words": pad([item["words"] for item in items], longest),
            "tags": pad([item["tags"] for item in items], longest),
            "pointer_targets": columns(sorted(starts), 3),
            **match_batch(items),
            **target_batch([linked for _, linked in links]),
            **linking,
            # On the CPU for good, where it is decided by them what is computed together; copied, since a worker moves
            # the memory of the tensors that it sends.
            "entity_sizes": linking["entity_lengths"].numpy().copy(),
            "pair_sizes": linking["entity_lengths"][linking["pairs"][1]].numpy(),
        }
