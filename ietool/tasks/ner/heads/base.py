"""An encoder with a CRF (kexue.fm 5542, 7196) or an efficient GlobalPointer (kexue.fm 8877) on it."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from transformers import PreTrainedModel

from ietool.nn.crf import CRF
from ietool.nn.encoder import EncoderConfig, make_encoder
from ietool.nn.global_pointer import NEVER, EfficientGlobalPointer, Scores, multilabel_loss
from ietool.tasks.ner.heads.crf.tagset import TagSet
from ietool.training.adversarial import bernoulli_divergence, choice_divergence


class NerConfig(EncoderConfig):
    """Sizes of :class:`NerModel`; ``types`` of entities, ``tag_scheme`` of the CRF."""

    model_type = "ietool-ner"

    def __init__(
        self,
        types: int = 1,
        head: str = "crf",
        tag_scheme: str = "bioes",
        transition_scale: float = 1.0,
        head_size: int = 64,
        head_dropout: float = 0.1,
        **kwargs: Any,
    ) -> None:
        self.types, self.head, self.tag_scheme = types, head, tag_scheme
        self.transition_scale, self.head_size, self.head_dropout = transition_scale, head_size, head_dropout
        super().__init__(**kwargs)


class NerModel(PreTrainedModel):
    """One tag a unit, or a score for every span and type.

    Shapes: B texts, T units with special tokens, L without, K tags.
    """

    config_class = NerConfig
    base_model_prefix = "ner"
    supports_gradient_checkpointing = True
    config: NerConfig

    def __init__(self, config: NerConfig) -> None:
        super().__init__(config)
        self.encoder = make_encoder(config)
        self.out: nn.Module
        self.crf: CRF | None = None
        if config.head == "crf":
            tags = TagSet(config.types, config.tag_scheme)
            self.out = nn.Linear(self.encoder.size, len(tags))
            self.crf = CRF(*tags.allowed(), scale=config.transition_scale)
        else:
            self.out = EfficientGlobalPointer(self.encoder.size, config.types, config.head_size)
        self.post_init()

    def _init_weights(self, module: nn.Module) -> None:
        """Layers initialise themselves; transformers must not do it again."""

    def encode(self, ids: Tensor, lengths: Tensor, words: Tensor | None = None, tags: Tensor | None = None) -> Tensor:
        """ids, words, tags (B, T), lengths (B,) → (B, T, H), with dropout in training."""
        mask = torch.arange(ids.shape[1], device=ids.device) < lengths[:, None]
        return F.dropout(self.encoder(ids, mask, words, tags), self.config.head_dropout, self.training)

    def emissions(self, h: Tensor, inside: Tensor) -> tuple[Tensor, Tensor]:
        """Scores of tags, (B, L, K), special tokens left out, and how many units each text has, (B,).

        Args:
            h: (B, T, H).
            inside: (B, T) bool, true for units that stand for characters.
        """
        lengths = inside.sum(1)
        order = inside.to(torch.uint8).argsort(dim=1, descending=True, stable=True)[:, : int(lengths.max())]
        h = h.gather(1, order.unsqueeze(2).expand(-1, -1, h.shape[2]))
        return self.out(h).float(), lengths

    def spans(self, h: Tensor, inside: Tensor) -> Scores:
        """Scores of all spans of units inside, for every type."""
        scores: Scores = self.out(h, inside)
        return scores

    def forward(
        self, ids: Tensor, lengths: Tensor, inside: Tensor, words: Tensor | None = None, tags: Tensor | None = None,
        targets: Tensor | None = None, positives: Tensor | None = None,
    ) -> dict[str, Tensor]:  # fmt: skip
        """The training loss.

        Args:
            ids, words, tags: (B, T).
            lengths: (B,) units with special tokens.
            inside: (B, T) bool.
            targets: (B, L) tags of the units inside; for the CRF.
            positives: (4, n) of (text, type, first unit, last unit); for GlobalPointer.

        Returns:
            ``loss``: for the CRF −log P(tags) summed over texts, a mean over units; for GlobalPointer summed over
            types, a mean over texts. And what :meth:`divergence` compares.
        """
        h = self.encode(ids, lengths, words, tags)
        if self.crf is not None:
            if targets is None:
                raise ValueError("forward computes the training loss and needs targets; to predict, use encode")
            emissions, counts = self.emissions(h, inside)
            loss = self.crf.loss(emissions, counts, targets).sum() / counts.sum()
            return {"loss": loss, "emissions": emissions, "counts": counts}
        if positives is None:
            raise ValueError("forward computes the training loss and needs positives; to predict, use encode")
        scores = self.spans(h, inside)
        return {"loss": multilabel_loss(scores, positives).total, **scores._asdict()}

    def divergence(self, first: dict[str, Tensor], second: dict[str, Tensor]) -> Tensor:
        """What divides two passes over the same batch, for R-Drop: the tags of units, a mean over them; or the spans of
        all types, a mean over texts."""
        if self.crf is None:
            one, other = (Scores(x["pair"], x["first"], x["last"]) for x in (first, second))
            sentence = torch.arange(len(one.pair), device=one.pair.device)
            possible = (one.pair > NEVER / 2).float()
            total = one.pair.new_zeros(())
            for kind in range(self.config.types):
                kinds = torch.full_like(sentence, kind)
                pairs = (one.dense(sentence, kinds), other.dense(sentence, kinds))
                total = total + bernoulli_divergence(*pairs, possible)
            return total / len(sentence)
        counts = first["counts"]
        weight = torch.arange(first["emissions"].shape[1], device=counts.device) < counts[:, None]
        return choice_divergence(first["emissions"], second["emissions"], weight.float()) / counts.sum()
