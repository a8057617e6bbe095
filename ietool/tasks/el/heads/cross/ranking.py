"""How well candidates fit, by head ``cross``: one pass of the encoder over text and description together."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from ietool.nn.transfer import sent
from ietool.tasks.el.heads.cross.model import CrossModel
from ietool.tasks.el.heads.cross.pairs import Link, pair_batch
from ietool.tasks.el.heads.cross.recipe import CrossSection
from ietool.tasks.el.heads.ranking import pair_parts
from ietool.text.tokens import TokenReader

_NAMES = ("pair_ids", "pair_types", "pair_lengths", "pair_spans", "entity_types", "pair_features")


def link_logits(
    model: CrossModel, section: CrossSection, reader: TokenReader, links: Sequence[Link]
) -> list[torch.Tensor]:
    """Logits of all pairs in their order, on the device, some hundred pairs at a time."""
    scores = []
    for part in pair_parts(links):
        here = pair_batch(reader, part, section.query, section.description)
        batch = sent({name: here[name] for name in _NAMES}, model.device)
        sizes = here["pair_lengths"].numpy()
        scores.append(model.link_logits(*(batch[name] for name in _NAMES), sizes=sizes))
    return scores
