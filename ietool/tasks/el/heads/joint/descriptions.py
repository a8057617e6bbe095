"""Descriptions as the network reads them, kept from one mention to the next."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence

import torch

from ietool.nn.transfer import sent
from ietool.tasks.el.features.candidates import Described
from ietool.tasks.el.heads.joint.batches import entity_batch
from ietool.tasks.el.heads.joint.model import JointModel


class EncodedDescriptions:
    """Each entity's description is encoded when it is first met; the last used ones are kept.

    Args:
        model: on its device, where the states stay.
        batch_size: descriptions encoded at once.
    """

    CHARACTERS = 200_000
    """Kept are as many descriptions as have so many characters together (4·H bytes each)."""

    def __init__(self, model: JointModel, batch_size: int) -> None:
        self._model, self._batch_size = model, batch_size
        self._states: OrderedDict[int, torch.Tensor] = OrderedDict()
        self._characters = 0

    def get(self, entities: Sequence[Described]) -> torch.Tensor:
        """(E, M, H) states of the entities, zero behind each length."""
        self._encode([entity for entity in entities if entity.row not in self._states])
        parts = []
        for entity in entities:
            self._states.move_to_end(entity.row)
            parts.append(self._states[entity.row])
        while self._characters > self.CHARACTERS and len(self._states) > len(entities):
            _, dropped = self._states.popitem(last=False)
            self._characters -= len(dropped)
        return torch.nn.utils.rnn.pad_sequence(parts, batch_first=True)

    def _encode(self, new: list[Described]) -> None:
        new.sort(key=lambda entity: len(entity.characters))
        for at in range(0, len(new), self._batch_size):
            some = new[at : at + self._batch_size]
            here = entity_batch(some)
            batch = sent(here, self._model.device)
            states = self._model.describe(
                batch["entity_characters"], batch["entity_lengths"], batch["entity_words"], batch["entity_tags"],
                here["entity_lengths"].numpy(),
            )  # fmt: skip
            for entity, rows in zip(some, states, strict=True):
                # A copy: a view would keep the whole batch alive.
                self._states[entity.row] = rows[: len(entity.characters)].clone()
                self._characters += len(entity.characters)
