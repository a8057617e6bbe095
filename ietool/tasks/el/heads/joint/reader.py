"""What head ``joint`` finds in texts, before any choice."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from ietool.core.candidates import Parts
from ietool.tasks.el.features.featurizer import Features
from ietool.tasks.el.heads.decoder import layout_of
from ietool.tasks.el.heads.joint.descriptions import EncodedDescriptions
from ietool.tasks.el.heads.joint.model import JointModel
from ietool.tasks.el.heads.joint.ranking import link_logits
from ietool.tasks.el.heads.joint.recipe import JointRecipe
from ietool.tasks.el.heads.linkable import Linkable
from ietool.tasks.el.heads.linking import best_first
from ietool.tasks.el.heads.mentions import PointerChance
from ietool.tasks.el.heads.ranking import Shares, none_of, softmax_shares, split
from ietool.tasks.el.heads.reader import LinkReader
from ietool.tasks.el.recipe import ElRecipe
from ietool.training.batches import pad


class JointReader(LinkReader[JointModel]):
    """Every match has a probability of its own."""

    kind = "spans"

    def __init__(self, recipe: JointRecipe, model: JointModel, assets: Path, *, pool: int = 16) -> None:
        super().__init__(recipe, model, assets, pool=pool)
        self.descriptions = EncodedDescriptions(model, recipe.decode.batch_size)

    def fits(self, recipe: ElRecipe) -> bool:
        return isinstance(recipe, JointRecipe) and self.model.config.mentions == self.kind

    def inputs(self, features: Sequence[Features]) -> dict[str, torch.Tensor]:
        lengths = [len(f.units) for f in features]
        longest = max(lengths)
        return {
            "ids": pad([f.units.ids for f in features], longest),
            "lengths": torch.tensor(lengths),
            "words": pad([f.units.words for f in features], longest),
            "tags": pad([f.units.tags for f in features], longest),
        }

    def encode(self, batch: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        return self.model.encode(*(batch[name] for name in ("ids", "lengths", "words", "tags", "matches")))

    def scores(
        self, texts: Sequence[str], links: Sequence[tuple[int, Linkable]], encoded: dict[str, torch.Tensor]
    ) -> list[torch.Tensor]:
        return link_logits(self.model, self.descriptions, links, encoded)

    def ranked(self, links: Sequence[tuple[int, Linkable]], scores: torch.Tensor) -> tuple[Shares, Sequence[float]]:
        mentions = [linked for _, linked in links]
        if self.model.config.loss == "pair":  # each candidate by itself: none is what the best leaves
            shares = split(scores.sigmoid(), mentions)
            return shares, [1.0 - _best(share.tolist()) for share in shares]
        shares = softmax_shares(scores, mentions)
        return shares, [none_of(share) for share in shares]


class PointerReader(JointReader):
    """Starts and ends have probabilities, as in the article."""

    kind = "pointers"
    chance = PointerChance()
    layout = layout_of(chance)

    def match_logits(self, batch: dict[str, torch.Tensor], encoded: dict[str, torch.Tensor]) -> torch.Tensor:
        """(B, L, 2) probabilities of starts and ends."""
        return self.model.pointer_logits(encoded).sigmoid() * encoded["marks"]

    def matched(self, features: Sequence[Features], probabilities: np.ndarray) -> Parts:
        p = probabilities
        window = np.repeat(np.arange(len(features)), [len(f.spans) for f in features])
        spans = np.concatenate([f.spans for f in features])
        first, last = window * p.shape[1] + spans[:, 0], window * p.shape[1] + spans[:, 1] - 1
        start, end = p[..., 0].ravel(), p[..., 1].ravel()
        # Of the pairs (first, last) one after another every second stretch is a match without its last unit.
        nearer = np.maximum.reduceat(end, np.stack([first, last], 1).ravel())[::2] if len(first) else end[:0]
        return np.stack([start[first], end[last], np.where(first < last, nearer, 0.0)], 1).astype(np.float32)


def _best(shares: Sequence[float]) -> float:
    return shares[best_first(shares)[0]] if shares else 0.0


def open_reader(recipe: JointRecipe, model: JointModel, assets: Path) -> JointReader:
    """A reader of the kind of mentions that the recipe has. Raises UserError if the files of a run folder or prepared
    folder belong to another model."""
    kind = PointerReader if recipe.model.head.mentions == "pointers" else JointReader
    return kind(recipe, model, assets)
