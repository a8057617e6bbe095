"""Mentions and their entities, trained together (kexue.fm 6919)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ietool.nn.attention import CrossAttention
from ietool.nn.choice import known_cross_entropy, listwise_loss
from ietool.nn.dgcnn import Conv1d
from ietool.nn.embedding import MixedEmbedding
from ietool.nn.lstm import BiLSTM
from ietool.nn.pointer import product_cross_entropy
from ietool.nn.pooling import highest, span_means, span_vectors
from ietool.tasks.el.features.assets import read_nil_types
from ietool.tasks.el.features.candidates import OVERLAPS, PRIORS
from ietool.tasks.el.features.signals import SIGNALS
from ietool.tasks.el.features.traits import read_types
from ietool.tasks.el.heads.joint.config import JointConfig
from ietool.tasks.el.heads.joint.recipe import JointRecipe
from ietool.tasks.el.heads.losses import border_loss
from ietool.tasks.el.heads.matches import MatchModel
from ietool.text.encoding import TextEncoder, character_sizes, open_vectors

SHORT = 32
"""Descriptions of up to so many characters are padded to no more."""

Sizes = npt.NDArray[np.int64]


class JointModel(MatchModel):
    """Which dictionary matches are mentions, and which candidate a mention means.

    B texts of L characters, n dictionary matches, m mentions, P (mention, candidate) pairs, E entities of M characters.
    """

    config_class = JointConfig
    config: JointConfig

    def __init__(self, config: JointConfig) -> None:
        super().__init__(config)
        h = config.hidden_size
        attended = config.attention_heads * config.attention_head_size
        signals, priors = (SIGNALS, PRIORS) if config.habits else (0, 0)
        self.embedding = MixedEmbedding(
            config.characters, h, words=config.words, word_size=config.word_size, tags=config.tags,
            dropout=config.embedding_dropout,
        )  # fmt: skip
        self.kind = nn.Embedding(config.types + 1, config.type_size)
        self.encoder = BiLSTM(h + 2, h // 2)
        self.mention_conv = Conv1d(h, h, 3)
        if config.mentions == "pointers":
            self.pointers = nn.Linear(h, 2)
        else:
            self.span_inner = nn.Linear(3 * h + signals + config.type_size, h)
            self.called = nn.Linear(config.word_size, h, bias=False) if config.words else None
            self.span_outer = nn.Linear(h, 1)
        self.borders = nn.Linear(h, 2) if config.borders else None
        self.query = BiLSTM(h + 1 + OVERLAPS, h // 2)
        self.describer = BiLSTM(h, h // 2)
        self.to_description = CrossAttention(h, config.attention_heads, config.attention_head_size)
        self.to_query = CrossAttention(h, config.attention_heads, config.attention_head_size)
        self.link_inner = nn.Linear(2 * attended + h + priors + config.type_size, h)
        self.link_outer = nn.Linear(h, 1)
        self.nil_type = nn.Linear(3 * h, config.nil_types) if config.nil_types else None
        self.post_init()

    @property
    def name_vectors(self) -> Tensor:
        return self.embedding.word_vectors

    def encode(
        self, characters: Tensor, lengths: Tensor, words: Tensor, tags: Tensor, matches: Tensor
    ) -> dict[str, Tensor]:
        """What depends on the text alone.

        Args:
            characters, words, tags: (B, L) ids.
            lengths: (B,).
            matches: (3, n) of text, start and inclusive end: their marks are features.

        Returns:
            ``h`` (B, L, H), ``z`` (B, L, H) of the mention head, ``marks`` (B, L, 2), ``mask`` (B, L) bool,
            ``lengths`` (B,).
        """
        inside = torch.arange(characters.shape[1], device=characters.device) < lengths[:, None]
        x = self.embedding(characters, words, tags, inside.unsqueeze(-1).to(self.link_outer.weight.dtype))
        marks = x.new_zeros(*x.shape[:2], 2)
        text, start, end = matches
        marks[text, start, 0] = 1.0
        marks[text, end, 1] = 1.0
        h = self.encoder(torch.cat([x, marks], -1), lengths)
        z = F.relu(self.mention_conv(F.dropout(h, self.config.head_dropout, self.training)))
        return {"h": h, "z": z * inside.unsqueeze(-1), "marks": marks, "mask": inside, "lengths": lengths}

    def pointer_logits(self, encoded: dict[str, Tensor]) -> Tensor:
        """(B, L, 2) logits of starts and ends; the probability is their sigmoid times the marks."""
        logits: Tensor = self.pointers(F.dropout(encoded["z"], self.config.head_dropout, self.training)).float()
        return logits

    def describe(
        self, characters: Tensor, lengths: Tensor, words: Tensor, tags: Tensor, sizes: Sizes | None = None
    ) -> Tensor:
        """Descriptions (E, M) ids → (E, M, H); ``sizes`` are the lengths on the CPU, where they are known there."""
        size = characters.shape[1]
        out = self.link_outer.weight.new_zeros(*characters.shape, self.config.hidden_size)
        for rows, longest in _by_length(lengths, size, sizes):
            at = torch.arange(longest, device=characters.device)
            inside = (at < lengths[rows][:, None]).unsqueeze(-1).to(out.dtype)
            x = self.embedding(characters[rows, :longest], words[rows, :longest], tags[rows, :longest], inside)
            states = F.pad(self.describer(x, lengths[rows]), (0, 0, 0, size - longest))
            out = out.to(states.dtype).index_copy(0, rows, states)
        return out

    def link_logits(
        self,
        encoded: dict[str, Tensor],
        mentions: Tensor,
        described: Tensor,
        described_lengths: Tensor,
        types: Tensor,
        pairs: Tensor,
        overlaps: Tensor,
        priors: Tensor,
        sizes: Sizes | None = None,
    ) -> Tensor:
        """How well candidates fit.

        Args:
            mentions: (3, m) of text, start and inclusive end.
            described, described_lengths, types: (E, M, H), (E,) and (E,).
            pairs: (2, P) of mention and entity.
            overlaps: (P, L, OVERLAPS).
            priors: (P, PRIORS).
            sizes: (P,) lengths of the descriptions on the CPU, where they are known there.

        Returns:
            (P,) logits.
        """
        logits = self.link_outer.weight.new_zeros(pairs.shape[1], dtype=torch.float32)
        for rows, longest in _by_length(described_lengths[pairs[1]], described.shape[1], sizes):
            mention, entity = pairs[:, rows]
            scores = self._fit(
                encoded,
                mentions[:, mention],
                described[entity, :longest],
                described_lengths[entity],
                types[entity],
                overlaps[rows],
                priors[rows],
            )
            logits = logits.index_copy(0, rows, scores)
        return logits

    def _fit(
        self,
        encoded: dict[str, Tensor],
        mentions: Tensor,
        d: Tensor,
        d_lengths: Tensor,
        types: Tensor,
        overlaps: Tensor,
        priors: Tensor,
    ) -> Tensor:
        """:meth:`link_logits` of pairs given one by one: mentions (3, P), descriptions d (P, M, H)."""
        text, start, end = mentions
        states, lengths = encoded["h"], encoded["lengths"]
        at = torch.arange(states.shape[1], device=states.device)
        mark = ((at >= start[:, None]) & (at <= end[:, None])).unsqueeze(-1)
        q = self.query(torch.cat([states[text], mark.to(states.dtype), overlaps.to(states.dtype)], -1), lengths[text])
        inside_q = encoded["mask"][text]
        inside_d = torch.arange(d.shape[1], device=d.device) < d_lengths[:, None]
        rows = torch.arange(len(text), device=q.device)
        parts = [
            highest(self.to_description(q, d, inside_d), inside_q),
            highest(self.to_query(d, q, inside_q), inside_d),
            span_means(q, torch.stack([rows, start, end])),
        ]
        z = F.dropout(torch.cat(parts, -1), self.config.head_dropout, self.training)
        z = torch.cat([z, self.kind(types)], -1)
        if self.config.habits:
            z = torch.cat([z, priors.to(z.dtype)], -1)
        logits: Tensor = self.link_outer(F.relu(self.link_inner(z))).squeeze(-1).float()
        return logits

    def forward(
        self,
        characters: Tensor,
        lengths: Tensor,
        words: Tensor,
        tags: Tensor,
        matches: Tensor,
        names: Tensor,
        signals: Tensor,
        match_targets: Tensor,
        mentions: Tensor,
        pairs: Tensor,
        overlaps: Tensor,
        priors: Tensor,
        link_targets: Tensor,
        entity_characters: Tensor,
        entity_lengths: Tensor,
        entity_words: Tensor,
        entity_tags: Tensor,
        entity_types: Tensor,
        pointer_targets: Tensor,
        borders: Tensor,
        type_targets: Tensor | None = None,
        entity_sizes: Sizes | None = None,
        pair_sizes: Sizes | None = None,
    ) -> dict[str, Tensor]:
        """The training loss.

        Args:
            matches, names, signals: (3, n), (n, 2) and (n, SIGNALS).
            match_targets: (n,) 1 where the match is a mention.
            pointer_targets: (3, k) of text, position and 0 for start or 1 for end of mentions among the matches.
            mentions, pairs, overlaps, priors: as :meth:`link_logits` takes them; pairs ordered by mention.
            borders: (3, k) of text, start and inclusive end of all annotated mentions.
            link_targets: (P,) 1 where the candidate is the gold entity; a mention without any is NIL.
            type_targets: (m,) class of a NIL mention, −1 where there is none; None: there is none at all.
            entity_sizes, pair_sizes: (E,), (P,) lengths of the descriptions on the CPU; they spare waiting for a GPU.

        Returns:
            ``loss``, ``mention_loss``, ``link_loss``.
        """
        encoded = self.encode(characters, lengths, words, tags, matches)
        if self.config.mentions == "pointers":
            logits = self.pointer_logits(encoded)
            mention_loss = (
                product_cross_entropy(logits, [], tuple(pointer_targets.unbind(0)), encoded["marks"]) / lengths.sum()
            )
        else:
            scores = self.match_logits(encoded, matches, names, signals)
            mention_loss = F.binary_cross_entropy_with_logits(scores, match_targets, reduction="sum")
            mention_loss = mention_loss / max(len(scores), 1)
        loss = mention_loss
        if self.borders is not None:
            loss = loss + border_loss(self.borders(encoded["z"]), borders, encoded["mask"])
        link_loss = loss.new_zeros(())
        if pairs.shape[1]:
            described = self.describe(entity_characters, entity_lengths, entity_words, entity_tags, entity_sizes)
            scores = self.link_logits(
                encoded, mentions, described, entity_lengths, entity_types, pairs, overlaps, priors, pair_sizes
            )
            if self.config.loss == "pair":
                link_loss = F.binary_cross_entropy_with_logits(scores, link_targets)
            else:
                link_loss = listwise_loss(scores, pairs[0], link_targets, mentions.shape[1])
            loss = loss + link_loss
        if self.nil_type is not None and type_targets is not None:
            loss = loss + known_cross_entropy(self.nil_type(span_vectors(encoded["z"], mentions)), type_targets)
        return {"loss": loss, "mention_loss": mention_loss, "link_loss": link_loss}


def _by_length(lengths: Tensor, longest: int, sizes: Sizes | None) -> Iterator[tuple[Tensor, int]]:
    """(rows, padded length) of the short and of the long ones: most descriptions are short, and the few long ones must
    not make all others as wide."""
    short = (lengths.cpu().numpy() if sizes is None else sizes) <= SHORT
    for which, width in ((short, min(SHORT, longest)), (~short, longest)):
        rows = torch.from_numpy(np.flatnonzero(which))
        if len(rows):
            yield rows.to(lengths.device, non_blocking=True), width


def build(recipe: JointRecipe, prepared: Path) -> JointModel:
    """A fresh model of the recipe's sizes, with the prepared word vectors in place."""
    reader, vectors = TextEncoder.open(prepared), open_vectors(prepared)
    encoder, head = recipe.model.encoder, recipe.model.head
    model = JointModel(
        JointConfig(
            **character_sizes(reader.size, vectors, part_of_speech=encoder.part_of_speech),
            nil_types=len(read_nil_types(prepared)) if recipe.data.nil == "keep" else 0,
            types=len(read_types(prepared)),
            hidden_size=encoder.hidden_size,
            attention_heads=head.attention_heads,
            attention_head_size=head.attention_head_size,
            embedding_dropout=encoder.embedding_dropout,
            head_dropout=head.dropout,
            mentions=head.mentions,
            habits=head.habits,
            borders=head.borders,
            loss=recipe.sampling.loss,
        )
    )
    if vectors is not None:
        model.embedding.fill(vectors)
    return model
