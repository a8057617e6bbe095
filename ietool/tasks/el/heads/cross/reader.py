"""What head ``cross`` finds in texts, before any choice."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import cast

import numpy as np
import torch

from ietool.tasks.el.features.featurizer import Features
from ietool.tasks.el.heads.cross.model import CrossModel
from ietool.tasks.el.heads.cross.ranking import link_logits
from ietool.tasks.el.heads.cross.recipe import CrossRecipe
from ietool.tasks.el.heads.linkable import Linkable
from ietool.tasks.el.heads.ranking import Shares, none_of, softmax_shares
from ietool.tasks.el.heads.reader import LinkReader
from ietool.tasks.el.recipe import ElRecipe
from ietool.text.tokens import TokenReader
from ietool.training.batches import pad


class CrossReader(LinkReader[CrossModel]):
    """One pass over the tokens of texts, one over the pairs of their mentions: all those of a batch together."""

    def __init__(self, recipe: CrossRecipe, model: CrossModel, assets: Path, *, pool: int = 16) -> None:
        super().__init__(recipe, model, assets, pool=pool)
        self._section, self._fewest = recipe.model.head, recipe.fewest_ranked

    def fits(self, recipe: ElRecipe) -> bool:
        return isinstance(recipe, CrossRecipe)

    def inputs(self, features: Sequence[Features]) -> dict[str, torch.Tensor]:
        lengths = [len(f.units) for f in features]
        return {"ids": pad([f.units.ids for f in features], max(lengths)), "lengths": torch.tensor(lengths)}

    def encode(self, batch: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        return self.model.encode(batch["ids"], batch["lengths"])

    def scores(
        self, texts: Sequence[str], links: Sequence[tuple[int, Linkable]], encoded: dict[str, torch.Tensor]
    ) -> list[torch.Tensor]:
        chosen = [(texts[links[at][0]], links[at][1]) for at in self._asked(links)]
        return link_logits(self.model, self._section, cast(TokenReader, self.featurizer.reader), chosen)

    def ranked(self, links: Sequence[tuple[int, Linkable]], scores: torch.Tensor) -> tuple[Shares, Sequence[float]]:
        asked = self._asked(links)
        # A mention that is not asked about has no candidate, or one, which it means.
        shares = [np.ones(len(linked.entities), np.float32) for _, linked in links]
        for at, share in zip(asked, softmax_shares(scores, [links[at][1] for at in asked]), strict=True):
            shares[at] = share
        return shares, [none_of(share) for share in shares]

    def _asked(self, links: Sequence[tuple[int, Linkable]]) -> list[int]:
        """The numbers of the mentions of several candidates."""
        return [at for at, (_, linked) in enumerate(links) if len(linked.entities) >= self._fewest]


def open_reader(recipe: CrossRecipe, model: CrossModel, assets: Path) -> CrossReader:
    """A reader with what a run folder or prepared folder carries. Raises UserError if that belongs to another model."""
    return CrossReader(recipe, model, assets)
