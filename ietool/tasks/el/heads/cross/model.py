"""Mentions and their entities by a pretrained encoder: tokens of the text, and each candidate's description beside it.

A cross-encoder in the manner of Wu et al. 2020 (https://arxiv.org/abs/1911.03814): the mention is marked in the text,
the description is the second half of the input, and all candidates of a mention compete in one softmax. What the
annotators and the knowledge base say of a match and of a candidate is read by both heads, as in
:mod:`ietool.tasks.el.heads.joint.model`.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ietool.nn.choice import known_cross_entropy, listwise_loss, log_partition
from ietool.nn.encoder import encoder_settings, load_encoder, make_encoder
from ietool.nn.pooling import span_means, span_vectors
from ietool.tasks.el.features.assets import read_nil_types
from ietool.tasks.el.features.signals import SIGNALS
from ietool.tasks.el.features.traits import read_types
from ietool.tasks.el.heads.cross.config import CrossConfig
from ietool.tasks.el.heads.cross.pairs import PAIR_FEATURES
from ietool.tasks.el.heads.cross.recipe import CrossRecipe
from ietool.tasks.el.heads.cross.vocabulary import check_room
from ietool.tasks.el.heads.losses import border_loss
from ietool.tasks.el.heads.matches import MatchModel
from ietool.text.encoding import open_vectors
from ietool.text.tokens import TokenReader
from ietool.training.adversarial import bernoulli_divergence

TOKENS = 4096
"""At most so many tokens of pairs, padding included, are encoded at once."""

Sizes = npt.NDArray[np.int64]


class CrossModel(MatchModel):
    """Which dictionary matches are mentions, and which candidate a mention means.

    B texts of T tokens, n dictionary matches, m mentions, P (mention, candidate) pairs.
    """

    config_class = CrossConfig
    config: CrossConfig
    supports_gradient_checkpointing = True

    def __init__(self, config: CrossConfig) -> None:
        super().__init__(config)
        self.encoder = make_encoder(config)
        h, inner = self.encoder.size, config.head_size
        signals, features = (SIGNALS, PAIR_FEATURES) if config.habits else (0, 0)
        self.kind = nn.Embedding(config.types + 1, config.type_size)
        self.span_inner = nn.Linear(3 * h + signals + config.type_size, inner)
        self.called = nn.Linear(config.word_size, inner, bias=False) if config.words else None
        vectors = torch.zeros(config.words, config.word_size, dtype=torch.float16) if config.words else None
        # A buffer, not a parameter: saved with the model, never trained.
        self.register_buffer("word_vectors", vectors)
        self.span_outer = nn.Linear(inner, 1)
        self.borders = nn.Linear(h, 2) if config.borders else None
        self.link_inner = nn.Linear(2 * h + features + config.type_size, inner)
        self.link_outer = nn.Linear(inner, 1)
        self.nil_type = nn.Linear(3 * h, config.nil_types) if config.nil_types else None
        self.post_init()

    @property
    def name_vectors(self) -> Tensor:
        return self.word_vectors

    def encode(self, ids: Tensor, lengths: Tensor) -> dict[str, Tensor]:
        """Texts (B, T) ids, (B,) lengths → ``z`` (B, T, H), zero behind the lengths, and ``mask`` (B, T) bool."""
        inside = torch.arange(ids.shape[1], device=ids.device) < lengths[:, None]
        return {"z": self._dropped(self.encoder(ids, inside)), "mask": inside}

    def link_logits(
        self, ids: Tensor, token_types: Tensor, lengths: Tensor, spans: Tensor, types: Tensor, pair_features: Tensor,
        *, sizes: Sizes | None = None,
    ) -> Tensor:  # fmt: skip
        """How well candidates fit: pairs of like length are encoded together.

        Args:
            ids, token_types: (P, T) of the pairs.
            lengths: (P,).
            spans: (2, P) first and last token of the mention.
            types: (P,) classes of the candidates' types.
            pair_features: (P, PAIR_FEATURES).
            sizes: the lengths on the CPU, where they are known there.

        Returns:
            (P,) logits.
        """
        logits = self.link_outer.weight.new_zeros(len(lengths), dtype=torch.float32)
        for rows, longest in _by_length(lengths, sizes):
            inside = torch.arange(longest, device=ids.device) < lengths[rows][:, None]
            h = self.encoder(ids[rows, :longest], inside, token_types=token_types[rows, :longest])
            at = torch.arange(len(rows), device=ids.device)
            start, end = spans[:, rows]
            z = self._dropped(torch.cat([h[:, 0], span_means(h, torch.stack([at, start, end]))], -1))
            z = torch.cat([z, self.kind(types[rows])], -1)
            if self.config.habits:
                z = torch.cat([z, pair_features[rows].to(z.dtype)], -1)
            scores = self.link_outer(self._dropped(F.relu(self.link_inner(z)))).squeeze(-1)
            logits = logits.index_copy(0, rows, scores.float())
        return logits

    def forward(
        self,
        ids: Tensor,
        lengths: Tensor,
        matches: Tensor,
        names: Tensor,
        signals: Tensor,
        match_targets: Tensor,
        borders: Tensor,
        mentions: Tensor,
        pair_ids: Tensor,
        pair_types: Tensor,
        pair_lengths: Tensor,
        pair_mentions: Tensor,
        pair_spans: Tensor,
        entity_types: Tensor,
        pair_features: Tensor,
        link_targets: Tensor,
        type_targets: Tensor | None = None,
        pair_sizes: Sizes | None = None,
    ) -> dict[str, Tensor]:
        """The training loss.

        Args:
            ids, lengths: of the texts, as :meth:`encode` takes them.
            matches, names, signals: (3, n), (n, 2) and (n, SIGNALS).
            match_targets: (n,) 1 where the match is a mention.
            borders: (3, k) of text, first and last token of all annotated mentions.
            mentions: (3, m) of text, first and last token.
            type_targets: (m,) class of a NIL mention, −1 where there is none; None: there is none at all.
            pair_…, entity_types: as :func:`~ietool.tasks.el.heads.cross.pairs.pair_batch` gives them.
            link_targets: (P,) 1 where the candidate is the gold entity; a mention without any is NIL.
            pair_sizes: (P,) lengths of the pairs on the CPU; they spare waiting for a GPU.

        Returns:
            ``loss``, ``mention_loss``, ``link_loss``, and what :meth:`divergence` compares.
        """
        encoded = self.encode(ids, lengths)
        scores = self.match_logits(encoded, matches, names, signals)
        mention_loss = F.binary_cross_entropy_with_logits(scores, match_targets, reduction="sum") / max(len(scores), 1)
        loss = mention_loss
        if self.borders is not None:
            loss = loss + border_loss(self.borders(encoded["z"]), borders, encoded["mask"])
        links = self.link_logits(
            pair_ids, pair_types, pair_lengths, pair_spans, entity_types, pair_features, sizes=pair_sizes
        )
        count = mentions.shape[1]
        link_loss = listwise_loss(links, pair_mentions, link_targets, count) if len(links) else loss.new_zeros(())
        loss = loss + link_loss
        if self.nil_type is not None and type_targets is not None:
            loss = loss + known_cross_entropy(self.nil_type(span_vectors(encoded["z"], mentions)), type_targets)
        none = -log_partition(links, pair_mentions, count)
        return {
            "loss": loss,
            "mention_loss": mention_loss,
            "link_loss": link_loss,
            "match_logits": scores,
            "link_shares": links + none[pair_mentions],
            "none_shares": none,  # 0 where a mention has no candidates
            "ranked": torch.zeros_like(none).index_fill(0, pair_mentions, 1.0).sum(),
        }

    def divergence(self, first: dict[str, Tensor], second: dict[str, Tensor]) -> Tensor:
        """What two passes over the same batch say differently, symmetric Kullback–Leibler divergences: a mean over
        matches, and one over mentions that have candidates, of their softmax over these and none."""
        matches = bernoulli_divergence(first["match_logits"], second["match_logits"])
        links = matches.new_zeros(())
        for name in ("link_shares", "none_shares"):
            a, b = first[name], second[name]
            links = links + 0.5 * ((a.exp() - b.exp()) * (a - b)).sum()
        return matches / max(len(first["match_logits"]), 1) + links / first["ranked"].clamp(min=1)

    def _dropped(self, x: Tensor) -> Tensor:
        return F.dropout(x, self.config.head_dropout, self.training)


def _by_length(lengths: Tensor, sizes: Sizes | None = None) -> Iterator[tuple[Tensor, int]]:
    """(rows, padded length) of batches of like length, the longest first; each of at most TOKENS, or one row."""
    sizes = lengths.cpu().numpy() if sizes is None else sizes
    order = np.argsort(-sizes, kind="stable")
    there = torch.from_numpy(order).to(lengths.device, non_blocking=True)
    at = 0
    while at < len(order):
        longest = int(sizes[order[at]])
        rows = there[at : at + max(1, TOKENS // max(longest, 1))]
        at += len(rows)
        yield rows, longest


def build(recipe: CrossRecipe, prepared: Path) -> CrossModel:
    """A fresh model on the recipe's encoder, the prepared vectors of names in place.

    Raises:
        UserError: the encoder cannot be had, or has no room for what the recipe wants read.
    """
    vectors, reader = open_vectors(prepared), TokenReader.open(prepared)
    encoder, head = recipe.model.encoder, recipe.model.head
    check_room(head, reader)  # a preparation may have been made for less
    model = CrossModel(
        CrossConfig(
            **encoder_settings(encoder, reader, prepared),
            words=0 if vectors is None else len(vectors) + 1,
            word_size=0 if vectors is None else vectors.shape[1],
            nil_types=len(read_nil_types(prepared)) if recipe.data.nil == "keep" else 0,
            types=len(read_types(prepared)),
            head_size=head.size,
            head_dropout=head.dropout,
            habits=head.habits,
            borders=head.borders,
        )
    )
    load_encoder(model.encoder, encoder, prepared)
    if vectors is not None:
        assert isinstance(model.word_vectors, Tensor)
        model.word_vectors[1:] = torch.from_numpy(np.array(vectors))
    return model
