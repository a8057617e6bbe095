"""Mentions, pairs and descriptions as head ``joint`` reads them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from ietool.tasks.el.features.candidates import OVERLAPS, PRIORS, Described
from ietool.tasks.el.heads.linkable import Linkable
from ietool.training.batches import LONGEST, Width, columns, pad


def link_batch(links: Sequence[tuple[int, Linkable]], longest: int, width: Width = LONGEST) -> dict[str, torch.Tensor]:
    """The tensors of mentions, pairs and entities.

    Args:
        links: (text's row in the batch, mention) of all mentions.
        longest: L, positions of the batch's texts.
        width: of the descriptions.

    Returns:
        ``mentions`` (3, m), ``pairs`` (2, P), ``overlaps`` (P, L, OVERLAPS) uint8, ``priors`` (P, PRIORS), and the
        ``entity_…`` tensors of the E entities, each once.
    """
    numbers: dict[int, int] = {}
    entities: list[Described] = []
    mentions, pairs = [], []
    for at, (text, linked) in enumerate(links):
        mentions.append((text, linked.start, linked.end - 1))
        for entity in linked.entities:
            number = numbers.setdefault(entity.row, len(numbers))
            if number == len(entities):
                entities.append(entity)
            pairs.append((at, number))
    overlaps = np.zeros((len(pairs), longest, OVERLAPS), np.uint8)
    priors = np.zeros((len(pairs), PRIORS), np.float32)
    at = 0
    for _, linked in links:
        count, length, _ = linked.overlaps.shape
        overlaps[at : at + count, :length] = linked.overlaps
        priors[at : at + count] = linked.priors
        at += count
    return {
        "mentions": columns(mentions, 3),
        "pairs": columns(pairs, 2),
        "overlaps": torch.from_numpy(overlaps),
        "priors": torch.from_numpy(priors),
        **entity_batch(entities, width),
    }


def entity_batch(entities: Sequence[Described], width: Width = LONGEST) -> dict[str, torch.Tensor]:
    """The descriptions of some entities, padded: ``entity_characters``, ``_words``, ``_tags`` (E, M),
    ``_lengths``, ``_types`` (E,)."""
    lengths = [len(entity.characters) for entity in entities]
    longest = width.of([entity.characters for entity in entities])
    return {
        "entity_characters": pad([entity.characters for entity in entities], longest),
        "entity_words": pad([entity.words for entity in entities], longest),
        "entity_tags": pad([entity.tags for entity in entities], longest),
        "entity_lengths": torch.tensor(lengths, dtype=torch.int64),
        "entity_types": torch.tensor([entity.type for entity in entities], dtype=torch.int64),
    }
