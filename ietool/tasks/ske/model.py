"""The models by head, their making and opening; and what those have in common that find subjects first."""

from __future__ import annotations

import json
from importlib import import_module
from pathlib import Path
from typing import ClassVar, cast

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from ietool.errors import WHOLE, UserError
from ietool.nn.encoder import encoder_settings, load_encoder, make_encoder
from ietool.nn.pointer import product_cross_entropy
from ietool.nn.pretrained import open_pretrained
from ietool.tasks.ske.config import CascadeConfig, GraphConfig, LinkConfig, SkeConfig
from ietool.tasks.ske.features import Featurizer
from ietool.tasks.ske.recipe import SkeRecipe
from ietool.training.adversarial import bernoulli_divergence

HEADS: dict[str, tuple[type[SkeConfig], str]] = {
    "graph": (GraphConfig, "ietool.tasks.ske.graph:GraphModel"),
    "cascade": (CascadeConfig, "ietool.tasks.ske.cascade:CascadeModel"),
    "gplinker": (LinkConfig, "ietool.tasks.ske.gplinker:LinkModel"),
}
"""``model.head`` → its configuration and its model."""


class SkeModel(PreTrainedModel):
    """What all heads stand on."""

    config_class: ClassVar[type[SkeConfig]] = SkeConfig
    base_model_prefix = "ske"
    config: SkeConfig

    def __init__(self, config: SkeConfig) -> None:
        super().__init__(config)
        self.encoder = make_encoder(config)

    def _init_weights(self, module: nn.Module) -> None:
        """Layers initialise themselves; transformers must not do it again."""

    def get_input_embeddings(self) -> nn.Module:
        return self.encoder.table


class TwoStageModel(SkeModel):
    """Subjects first; then, given a subject, objects and relations together."""

    def encode(
        self, ids: Tensor, lengths: Tensor, words: Tensor | None = None, tags: Tensor | None = None,
        subject_marks: tuple[Tensor, Tensor, Tensor] | None = None,
    ) -> dict[str, Tensor]:  # fmt: skip
        """Everything that depends on the sentence alone.

        Args:
            ids, words, tags: (B, L) ids.
            lengths: (B,).
            subject_marks: (sentence, position, 0 for start or 1 for end) of known subjects.

        Returns:
            ``subject_logits`` (B, L, 2), ``entity`` (B, L, 2) log gates of them, ``mask`` (B, L) bool, and what
            :meth:`objects` needs.
        """
        raise NotImplementedError

    def objects(
        self, encoded: dict[str, Tensor], sentence: Tensor, start: Tensor, end: Tensor,
        object_marks: tuple[Tensor, Tensor, Tensor] | None = None,
    ) -> tuple[Tensor, list[Tensor]]:  # fmt: skip
        """Object scores of P (sentence, subject) pairs.

        Args:
            encoded: from :meth:`encode`.
            sentence, start, end: (P,), the end inclusive.
            object_marks: (pair, position, channel) of known objects; channel r for starts, R + r for ends.

        Returns:
            logits (P, L, 2, R), starts then ends, and log gates broadcastable to them: log p = logσ(logits) + Σ gates.
        """
        raise NotImplementedError

    def forward(
        self, ids: Tensor, lengths: Tensor, words: Tensor | None = None, tags: Tensor | None = None,
        subject_marks: Tensor | None = None, subject_targets: Tensor | None = None, pairs: Tensor | None = None,
        object_targets: Tensor | None = None, object_marks: Tensor | None = None,
    ) -> dict[str, Tensor]:  # fmt: skip
        """The training loss.

        Args:
            subject_targets: (3, n) of (sentence, position, 0 start | 1 end).
            pairs: (3, P) of (sentence, start, inclusive end): the sampled subjects.
            object_targets: (4, n) of (pair, position, 0 start | 1 end, label).
            subject_marks, object_marks: (3, n), as the ``marks`` above.

        Returns:
            ``loss``, ``subject_loss``, ``object_loss``: sums over outputs, means over characters or tokens; and the
            logits with their weights.
        """
        if subject_targets is None or pairs is None or object_targets is None:
            raise ValueError("forward computes the training loss and needs targets; to predict, use encode and objects")
        marks_s = None if subject_marks is None else (subject_marks[0], subject_marks[1], subject_marks[2])
        marks_o = None if object_marks is None else (object_marks[0], object_marks[1], object_marks[2])
        e = self.encode(ids, lengths, words, tags, marks_s)
        inside = e["mask"].unsqueeze(-1)
        subject_loss = (
            product_cross_entropy(e["subject_logits"], [e["entity"]], tuple(subject_targets.unbind(0)), inside)
            / lengths.sum()
        )
        logits, gates = self.objects(e, pairs[0], pairs[1], pairs[2], marks_o)
        within = inside[pairs[0]].unsqueeze(-1)
        object_loss = (
            product_cross_entropy(logits, gates, tuple(object_targets.unbind(0)), within) / lengths[pairs[0]].sum()
        )
        return {
            "loss": subject_loss + object_loss,
            "subject_loss": subject_loss,
            "object_loss": object_loss,
            "subject_logits": e["subject_logits"],
            "subject_weight": inside / lengths.sum(),
            "object_logits": logits,
            "object_weight": within / lengths[pairs[0]].sum(),
        }

    def divergence(self, first: dict[str, Tensor], second: dict[str, Tensor]) -> Tensor:
        """How far two passes are apart, on the scale of the loss."""
        parts = [
            bernoulli_divergence(first[f"{which}_logits"], second[f"{which}_logits"], first[f"{which}_weight"])
            for which in ("subject", "object")
        ]
        return torch.stack(parts).sum()


def model_class(head: str) -> type[SkeModel]:
    """The class of a head."""
    module, _, name = HEADS[head][1].partition(":")
    return cast(type[SkeModel], getattr(import_module(module), name))


def build_model(recipe: SkeRecipe, prepared: Path) -> SkeModel:
    """A fresh model of the recipe's sizes, its encoder's weights or the prepared word vectors in place."""
    featurizer = Featurizer.open(prepared, priors=False)
    section = recipe.model
    kind = HEADS[section.head][0]
    own = {
        "graph": ("attention_heads", "attention_head_size", "subject_points"),
        "cascade": ("subject_power", "object_power"),
        "gplinker": ("pointer_size",),
    }[section.head]
    settings = encoder_settings(section, featurizer.reader, prepared) | {name: getattr(section, name) for name in own}
    config = kind(
        labels=len(featurizer.schema.labels),
        priors=section.priors,
        head_dropout=section.head_dropout,
        **settings,
    )
    model = model_class(section.head)(config)
    load_encoder(model.encoder, section, prepared)
    return model


def open_model(run: Path) -> SkeModel:
    """The model of a run folder, of the head that its ``config.json`` names.

    Raises:
        UserError: the folder's files are missing or damaged.
    """
    try:
        kind = json.loads((run / "config.json").read_text(encoding="utf-8")).get("model_type")
    except (OSError, ValueError, AttributeError):
        kind = GraphConfig.model_type  # opening it says what is wrong
    for head, (config, _) in HEADS.items():
        if config.model_type == kind:
            return open_pretrained(model_class(head), run)
    raise UserError(f"is of an unknown model ({kind!r})", file=run / "config.json", mend=WHOLE)
