"""How well candidates fit, by head ``joint``: text and description, each by a BiLSTM, against one another."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from ietool.nn.transfer import sent
from ietool.tasks.el.heads.joint.batches import link_batch
from ietool.tasks.el.heads.joint.descriptions import EncodedDescriptions
from ietool.tasks.el.heads.joint.model import JointModel
from ietool.tasks.el.heads.linkable import Linkable
from ietool.tasks.el.heads.ranking import pair_parts

_NAMES = ("mentions", "entity_lengths", "entity_types", "pairs", "overlaps", "priors")


def link_logits(
    model: JointModel,
    descriptions: EncodedDescriptions,
    links: Sequence[tuple[int, Linkable]],
    encoded: dict[str, torch.Tensor],
) -> list[torch.Tensor]:
    """Logits of all pairs in their order, on the device, some hundred pairs at a time.

    Args:
        links: (text's row in the batch, mention) of all mentions.
        encoded: the texts, B of L characters, as :meth:`JointModel.encode` gives them.
    """
    scores, longest = [], encoded["h"].shape[1]
    for part in pair_parts(links):
        entities = list({e.row: e for _, linked in part for e in linked.entities}.values())
        described = descriptions.get(entities)
        here = link_batch(part, longest)
        batch = sent({name: here[name] for name in _NAMES}, model.device)
        logits = model.link_logits(
            encoded,
            batch["mentions"],
            described,
            batch["entity_lengths"],
            batch["entity_types"],
            batch["pairs"],
            batch["overlaps"],
            batch["priors"],
            here["entity_lengths"][here["pairs"][1]].numpy(),
        )
        scores.append(logits)
    return scores
