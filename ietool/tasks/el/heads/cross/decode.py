"""The predictor of head ``cross``: one pass over the tokens of texts, one over the pairs of their mentions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import torch

from ietool.tasks.el.features.featurizer import Features
from ietool.tasks.el.heads.cross.pairs import Link, pair_batch
from ietool.tasks.el.heads.predictor import ElPredictor
from ietool.tasks.el.heads.sampling import Linkable
from ietool.tasks.el.heads.scores import PAIRS, softmax_shares
from ietool.text.tokens import TokenReader
from ietool.training.batches import pad


class ElCrossPredictor(ElPredictor):
    """As :class:`ElPredictor`. Of the mentions of a whole batch of texts all pairs are encoded together."""

    def _encode(self, features: Sequence[Features]) -> dict[str, torch.Tensor]:
        lengths, device = [len(f.units) for f in features], self.model.device
        ids = pad([f.units.ids for f in features], max(lengths)).to(device)
        encoded: dict[str, torch.Tensor] = self.model.encode(ids, torch.tensor(lengths, device=device))
        return encoded

    def _shares(
        self, texts: Sequence[str], links: Sequence[tuple[int, Linkable]], encoded: dict[str, torch.Tensor]
    ) -> list[list[float]]:
        asked = [at for at, (_, linked) in enumerate(links) if len(linked.entities) >= self.recipe.fewest_ranked]
        chosen: list[Link] = [(texts[links[at][0]], links[at][1]) for at in asked]
        # A mention that is not asked about has no candidate, or one, which it means.
        shares = [[1.0] * len(linked.entities) for _, linked in links]
        answers = softmax_shares(self._rank(chosen), [linked for _, linked in chosen])
        for at, answer in zip(asked, answers, strict=True):
            shares[at] = answer
        return shares

    def _rank(self, links: Sequence[Link]) -> torch.Tensor:
        """Logits of all pairs in their order, on the CPU, some hundred pairs at a time."""
        model, reader = self.recipe.model, cast(TokenReader, self.featurizer.reader)
        scores: list[torch.Tensor] = []
        part: list[Link] = []
        pairs = 0
        for number, link in enumerate(links, 1):
            part.append(link)
            pairs += len(link[1].entities)
            if pairs and (pairs >= PAIRS or number == len(links)):
                batch = pair_batch(reader, part, model.query, model.description)
                names = ("pair_ids", "pair_types", "pair_lengths", "pair_spans", "entity_types", "facts")
                scores.append(self.model.link_logits(*(batch[name].to(self.model.device) for name in names)).cpu())
                part, pairs = [], 0
        return torch.cat(scores) if scores else torch.zeros(0)
