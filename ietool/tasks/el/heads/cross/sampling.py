"""What a training step of head ``cross`` sees."""

from __future__ import annotations

from typing import Any, cast

import torch

from ietool.tasks.el.heads.cross.pairs import pair_batch
from ietool.tasks.el.heads.sampling import ElTrainingSet, Linkable, match_batch, target_batch
from ietool.text.tokens import TokenReader
from ietool.training.batches import columns, pad


class ElCrossTrainingSet(ElTrainingSet):
    """The training windows as tokens; mentions and candidates are drawn anew every epoch, as for head ``joint``."""

    def _is_linkable(self, mention: list[int]) -> bool:
        fewest = self.recipe.fewest_ranked
        return super()._is_linkable(mention) and (
            # Of one that has no candidate the type may be learnt.
            fewest == 1 or len(self.featurizer.candidates(mention[2])) >= fewest
        )

    def collate(self, items: list[dict[str, Any]]) -> dict[str, torch.Tensor]:
        """One batch in the form that ``ElCrossModel.forward`` takes."""
        model = self.recipe.model
        links: list[tuple[int, Linkable]] = [(at, link) for at, item in enumerate(items) for link in item["linkables"]]
        pairs = [(items[at]["text"], linked) for at, linked in links]
        return {
            "ids": pad([item["ids"] for item in items], max(len(item["ids"]) for item in items)),
            "mentions": columns([(at, linked.units[0], linked.units[1] - 1) for at, linked in links], 3),
            **match_batch(items),
            **target_batch([linked for _, linked in links]),
            **pair_batch(cast(TokenReader, self.featurizer.reader), pairs, model.query, model.description),
        }
