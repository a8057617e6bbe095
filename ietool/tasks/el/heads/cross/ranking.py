"""How well candidates fit, by head ``cross``: one pass of the encoder over text and description together."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from ietool.tasks.el.heads.cross.model import CrossModel
from ietool.tasks.el.heads.cross.pairs import Link, pair_batch
from ietool.tasks.el.heads.cross.recipe import CrossSection
from ietool.tasks.el.heads.ranking import pair_parts
from ietool.text.tokens import TokenReader

_NAMES = ("pair_ids", "pair_types", "pair_lengths", "pair_spans", "entity_types", "pair_features")


def link_logits(model: CrossModel, section: CrossSection, reader: TokenReader, links: Sequence[Link]) -> torch.Tensor:
    """Logits (P,) of all pairs in their order, on the CPU, some hundred pairs at a time."""
    scores = []
    for part in pair_parts(links):
        batch = pair_batch(reader, part, section.query, section.description)
        scores.append(model.link_logits(*(batch[name].to(model.device) for name in _NAMES)).cpu())
    return torch.cat(scores) if scores else torch.zeros(0)
