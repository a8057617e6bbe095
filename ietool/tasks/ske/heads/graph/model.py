"""DGCNN with a probabilistic graph: P(s, p, o) = P(s) · P(o | s) · P(p | s, o) (kexue.fm 6671)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ietool.nn.attention import SelfAttention
from ietool.nn.dgcnn import Conv1d
from ietool.nn.encoder import CharacterEncoder
from ietool.tasks.ske.heads.base import SkeConfig, filled, settings_of
from ietool.tasks.ske.heads.graph.recipe import GraphRecipe
from ietool.tasks.ske.heads.stages.model import TwoStageModel


class GraphConfig(SkeConfig):
    """Sizes of :class:`GraphModel`."""

    model_type = "ietool-ske"

    def __init__(
        self, attention_heads: int = 8, attention_head_size: int = 16, subject_points: int = 6, **kwargs: Any
    ) -> None:
        self.attention_heads, self.attention_head_size = attention_heads, attention_head_size
        self.subject_points = subject_points
        super().__init__(**kwargs)


class TwoGates(nn.Module):
    """σ(dense(relu(dense(x)))) as a logarithm: (…, H) → (…, out)."""

    def __init__(self, size: int, out: int) -> None:
        super().__init__()
        self.inner = nn.Linear(size, size)
        self.outer = nn.Linear(size, out)

    def forward(self, x: Tensor) -> Tensor:
        return F.logsigmoid(self.outer(F.relu(self.inner(x))).float())


class SubjectEncoder(nn.Module):
    """A subject as one vector: points evenly spaced between its start and end, through a bidirectional GRU."""

    def __init__(self, size: int, points: int) -> None:
        super().__init__()
        self.gru = nn.GRU(size, size, batch_first=True, bidirectional=True)
        self.points = points

    def forward(self, h: Tensor, sentence: Tensor, start: Tensor, end: Tensor) -> Tensor:
        """h (B, L, H); sentence, start, end (P,) with the end inclusive → (P, 2H)."""
        share = torch.arange(self.points, device=h.device) / max(self.points - 1, 1)
        at = (start[:, None] + (end - start)[:, None] * share).long()  # truncated, as in the article's code
        _, last = self.gru(h[sentence[:, None], at])
        return last.transpose(0, 1).reshape(len(sentence), -1)


class ObjectConv(nn.Module):
    """conv3 over [H; A2; subject vector + relative positions; subject prior; object prior], P pairs of B sentences.

    Equal to the convolution of that concatenation, but the parts are convolved where they are cheap: what depends on
    the sentence alone once per sentence; the subject vector, constant over the text, once per pair; the relative
    positions once per distance; the sparse object priors once per mark. So further subjects of a sentence cost little.
    """

    def __init__(self, size: int, sentence_size: int, subject_size: int, prior_size: int) -> None:
        super().__init__()
        self.sentence = Conv1d(sentence_size, size, 3)
        scale = (3 * (sentence_size + subject_size)) ** -0.5
        self.subject = nn.Parameter(torch.empty(3, subject_size, size).uniform_(-scale, scale))
        self.prior = nn.Parameter(torch.empty(3, prior_size, size).uniform_(-scale, scale)) if prior_size else None

    def forward(
        self,
        sentences: Tensor,
        subject: Tensor,
        table: Tensor,
        sentence: Tensor,
        start: Tensor,
        end: Tensor,
        lengths: Tensor,
        marks: tuple[Tensor, Tensor, Tensor] | None,
    ) -> Tensor:
        """Before the relu.

        Args:
            sentences: (B, L, S), zero on padding.
            subject: (P, 2H) vectors.
            table: (positions, H) relative-position table.
            sentence, start, end: (P,) sentence of the pair and the subject's first and last character.
            lengths: (P,) characters of the pair's sentence.
            marks: (pair, position, channel) of each object prior, or None.

        Returns:
            (P, L, H); padding is not masked.
        """
        length = sentences.shape[1]
        z = self.sentence(sentences)[sentence]
        left, centre, right = self.subject.unbind(0)
        first = torch.zeros_like(start)
        last = lengths - 1
        pairs = torch.arange(len(start), device=z.device)

        z = z + (subject @ (left + centre + right)).unsqueeze(1)
        # At the borders the convolution reads zeros, not the constant.
        border_first, border_last = -(subject @ left), -(subject @ right)

        half = table.shape[1]
        distance = torch.arange(-length, length + 1, device=z.device)
        rows = table[distance.abs().clamp(max=table.shape[0] - 1)]  # (2·length + 1, H): distances −length … length
        at = torch.arange(length, device=z.device)
        for anchor, part in ((start, slice(0, half)), (end, slice(half, None))):
            by_distance = rows @ centre[part]
            before = rows @ left[part]
            after = rows @ right[part]
            by_distance = by_distance + F.pad(before[:-1], (0, 0, 1, 0)) + F.pad(after[1:], (0, 0, 0, 1))
            z = z + F.embedding(at - anchor[:, None] + length, by_distance)
            border_first = border_first - before[first - 1 - anchor + length]
            border_last = border_last - after[last + 1 - anchor + length]
        z = z.index_put((pairs, first), border_first, accumulate=True)
        z = z.index_put((pairs, last), border_last, accumulate=True)

        if self.prior is not None and marks is not None and len(marks[0]):
            pair, position, channel = marks
            for tap in range(3):
                to = position + 1 - tap  # the tap reads position to + tap − 1
                # Beyond the text nothing is added: to pick out what is within, a GPU would be waited for.
                within = ((to >= 0) & (to < lengths[pair])).unsqueeze(1)
                added = (self.prior[tap][channel] * within).to(z.dtype)
                z = z.index_put((pair, to.clamp(0, length - 1)), added, accumulate=True)
        return z


class GraphModel(TwoStageModel):
    """DGCNN with a probabilistic graph, on any encoder."""

    config_class = GraphConfig
    config: GraphConfig

    def __init__(self, config: GraphConfig) -> None:
        super().__init__(config)
        h = self.encoder.size
        attended = config.attention_heads * config.attention_head_size
        self.entity_gates = TwoGates(h, 2)
        subject_prior = 2 if config.priors else 0
        self.subject_attention = SelfAttention(h, config.attention_heads, config.attention_head_size)
        self.subject_conv = Conv1d(h + attended + subject_prior, h, 3)
        self.subject_out = nn.Linear(h, 2)
        self.object_attention = SelfAttention(h, config.attention_heads, config.attention_head_size)
        self.subject_encoder = SubjectEncoder(h, config.subject_points)
        self.object_conv = ObjectConv(h, h + attended + subject_prior, 2 * h, 2 * config.labels if config.priors else 0)
        self.object_out = nn.Linear(h, 2 * config.labels)  # starts, then ends
        self.any_object = nn.Linear(h, 2)
        self.presence = TwoGates(h, config.labels)
        # The article's relative positions read the encoder's table; a pretrained encoder has none of that kind.
        own = config.encoder is not None
        self.position = nn.Parameter(torch.zeros(config.positions, h)) if own else None
        for layer, bias in ((self.subject_out, -2.0), (self.object_out, -2.0)):
            nn.init.constant_(layer.bias, bias)
        self.post_init()

    @property
    def table(self) -> Tensor:
        """(positions, H), of relative positions."""
        if self.position is not None:
            return self.position
        table = self.encoder.embedding.position if isinstance(self.encoder, CharacterEncoder) else None
        if table is None:
            raise ValueError("the object head needs a position table")
        return table

    def encode(
        self, ids: Tensor, lengths: Tensor, words: Tensor | None = None, tags: Tensor | None = None,
        subject_marks: tuple[Tensor, Tensor, Tensor] | None = None,
    ) -> dict[str, Tensor]:  # fmt: skip
        """As in :class:`TwoStageModel`; also ``presence`` (B, R) log gates, ``h`` (B, L, H) and ``object_input`` (B,
        L, S)."""
        inside = torch.arange(ids.shape[1], device=ids.device) < lengths[:, None]
        h = self.encoder(ids, inside, words, tags)
        h = F.dropout(h, self.config.head_dropout, self.training)
        parts_s = [h, self.subject_attention(h, inside)]
        parts_o = [h, self.object_attention(h, inside)]
        if self.config.priors:
            prior = h.new_zeros(*h.shape[:2], 2)
            if subject_marks is not None:
                prior[subject_marks] = 1.0
            parts_s.append(prior)
            parts_o.append(prior)
        z = F.relu(self.subject_conv(torch.cat(parts_s, -1)))
        pooled = h.masked_fill(~inside.unsqueeze(-1), -1e4).amax(1)
        return {
            "subject_logits": self.subject_out(z).float(),
            "entity": self.entity_gates(h),
            "presence": self.presence(pooled),
            "h": h,
            "object_input": torch.cat(parts_o, -1),
            "mask": inside,
        }

    def objects(
        self, encoded: dict[str, Tensor], sentence: Tensor, start: Tensor, end: Tensor,
        object_marks: tuple[Tensor, Tensor, Tensor] | None = None,
    ) -> tuple[Tensor, list[Tensor]]:  # fmt: skip
        """As in :class:`TwoStageModel`."""
        lengths = encoded["mask"].sum(1)[sentence]
        subject = self.subject_encoder(encoded["h"], sentence, start, end)
        z = self.object_conv(encoded["object_input"], subject, self.table, sentence, start, end, lengths, object_marks)
        z = F.relu(z)
        logits = self.object_out(z).float().unflatten(-1, (2, self.config.labels))
        by_character = F.logsigmoid(self.any_object(z).float()) + encoded["entity"][sentence]
        return logits, [by_character.unsqueeze(-1), encoded["presence"][sentence][:, None, None, :]]


def build(recipe: GraphRecipe, prepared: Path) -> GraphModel:
    """A fresh model of the recipe's sizes."""
    head = recipe.model.head
    own = {name: getattr(head, name) for name in ("attention_heads", "attention_head_size", "subject_points")}
    return filled(GraphModel(GraphConfig(**own, **settings_of(recipe, prepared))), recipe, prepared)
