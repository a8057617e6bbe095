"""DGCNN with a probabilistic graph: P(s, p, o) = P(s) · P(o | s) · P(p | s, o) (kexue.fm 6671)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from transformers import PretrainedConfig, PreTrainedModel

from ietool.nn.attention import SelfAttention
from ietool.nn.dgcnn import Conv1d, DGCNNBlock
from ietool.nn.embedding import MixedEmbedding
from ietool.nn.pointer import product_cross_entropy
from ietool.tasks.ske.features import Featurizer
from ietool.tasks.ske.recipe import SkeRecipe
from ietool.text.encoding import open_vectors
from ietool.text.segmentation import TAGS


class SkeConfig(PretrainedConfig):
    """Sizes of :class:`SkeModel`; ``labels`` is R, the number of (predicate, slot) labels."""

    model_type = "ietool-ske"

    def __init__(
        self,
        characters: int = 2,
        labels: int = 1,
        words: int = 0,
        word_size: int = 0,
        tags: int = 0,
        priors: bool = False,
        hidden_size: int = 128,
        dilations: list[int] | None = None,
        attention_heads: int = 8,
        attention_head_size: int = 16,
        positions: int = 512,
        subject_points: int = 6,
        embedding_dropout: float = 0.25,
        gate_dropout: float = 0.1,
        head_dropout: float = 0.0,
        **kwargs: Any,
    ) -> None:
        self.characters, self.labels = characters, labels
        self.words, self.word_size, self.tags, self.priors = words, word_size, tags, priors
        self.hidden_size = hidden_size
        self.dilations = dilations or [1, 2, 5, 1, 2, 5, 1, 2, 5, 1, 1, 1]
        self.attention_heads, self.attention_head_size = attention_heads, attention_head_size
        self.positions, self.subject_points = positions, subject_points
        self.embedding_dropout, self.gate_dropout, self.head_dropout = embedding_dropout, gate_dropout, head_dropout
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
                ok = (to >= 0) & (to < lengths[pair])
                z = z.index_put((pair[ok], to[ok]), self.prior[tap][channel[ok]].to(z.dtype), accumulate=True)
        return z


class SkeModel(PreTrainedModel):
    """Subjects first; then, given a subject, objects and relations together."""

    config_class = SkeConfig
    base_model_prefix = "ske"
    config: SkeConfig

    def __init__(self, config: SkeConfig) -> None:
        super().__init__(config)
        h = config.hidden_size
        attended = config.attention_heads * config.attention_head_size
        self.embedding = MixedEmbedding(
            config.characters, h, words=config.words, word_size=config.word_size, positions=config.positions,
            tags=config.tags, dropout=config.embedding_dropout,
        )  # fmt: skip
        self.blocks = nn.ModuleList(DGCNNBlock(h, d, config.gate_dropout) for d in config.dilations)
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
        for layer, bias in ((self.subject_out, -2.0), (self.object_out, -2.0)):
            nn.init.constant_(layer.bias, bias)
        self.post_init()

    def _init_weights(self, module: nn.Module) -> None:
        """Layers initialise themselves; transformers must not do it again."""

    def encode(
        self, characters: Tensor, lengths: Tensor, words: Tensor | None = None, tags: Tensor | None = None,
        subject_marks: tuple[Tensor, Tensor, Tensor] | None = None,
    ) -> dict[str, Tensor]:  # fmt: skip
        """Everything that depends on the sentence alone.

        Args:
            characters, words, tags: (B, L) ids.
            lengths: (B,).
            subject_marks: (sentence, position, 0 for start or 1 for end) of known subjects.

        Returns:
            ``subject_logits`` (B, L, 2), ``entity`` (B, L, 2) log gates, ``presence`` (B, R) log gates,
            ``h`` (B, L, H), ``object_input`` (B, L, S), ``mask`` (B, L) bool.
        """
        inside = torch.arange(characters.shape[1], device=characters.device) < lengths[:, None]
        mask = inside.unsqueeze(-1).to(self.object_out.weight.dtype)
        h = self.embedding(characters, words, tags, mask)
        for block in self.blocks:
            h = block(h, mask)
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
        """Object scores of P (sentence, subject) pairs.

        Args:
            encoded: from :meth:`encode`.
            sentence, start, end: (P,), the end inclusive.
            object_marks: (pair, position, channel) of known objects; channel r for starts, R + r for ends.

        Returns:
            logits (P, L, 2, R), starts then ends, and log gates broadcastable to them: log p = logσ(logits) + Σ gates.
        """
        lengths = encoded["mask"].sum(1)[sentence]
        subject = self.subject_encoder(encoded["h"], sentence, start, end)
        table = self.embedding.position
        if table is None:
            raise ValueError("the object head needs a position table")
        z = self.object_conv(encoded["object_input"], subject, table, sentence, start, end, lengths, object_marks)
        z = F.relu(z)
        logits = self.object_out(z).float().unflatten(-1, (2, self.config.labels))
        by_character = F.logsigmoid(self.any_object(z).float()) + encoded["entity"][sentence]
        return logits, [by_character.unsqueeze(-1), encoded["presence"][sentence][:, None, None, :]]

    def forward(
        self, characters: Tensor, lengths: Tensor, words: Tensor | None = None, tags: Tensor | None = None,
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
            ``loss``, ``subject_loss``, ``object_loss``: sums over outputs, means over characters.
        """
        if subject_targets is None or pairs is None or object_targets is None:
            raise ValueError("forward computes the training loss and needs targets; to predict, use encode and objects")
        marks_s = None if subject_marks is None else (subject_marks[0], subject_marks[1], subject_marks[2])
        marks_o = None if object_marks is None else (object_marks[0], object_marks[1], object_marks[2])
        e = self.encode(characters, lengths, words, tags, marks_s)
        inside = e["mask"].unsqueeze(-1)
        subject_loss = (
            product_cross_entropy(e["subject_logits"], [e["entity"]], tuple(subject_targets.unbind(0)), inside)
            / lengths.sum()
        )
        logits, gates = self.objects(e, pairs[0], pairs[1], pairs[2], marks_o)
        object_loss = (
            product_cross_entropy(logits, gates, tuple(object_targets.unbind(0)), inside[pairs[0]].unsqueeze(-1))
            / lengths[pairs[0]].sum()
        )
        return {"loss": subject_loss + object_loss, "subject_loss": subject_loss, "object_loss": object_loss}


def build_model(recipe: SkeRecipe, prepared: Path) -> SkeModel:
    """A fresh model of the recipe's sizes, with the prepared word vectors in place."""
    featurizer = Featurizer.open(prepared, priors=False)
    vectors = open_vectors(prepared)
    sizes = recipe.model.model_dump(exclude={"part_of_speech"})
    config = SkeConfig(
        characters=len(featurizer.encoder.vocabulary),
        labels=len(featurizer.schema.labels),
        words=0 if vectors is None else len(vectors) + 1,
        word_size=0 if vectors is None else vectors.shape[1],
        tags=len(TAGS) if recipe.model.part_of_speech else 0,
        **sizes,
    )
    model = SkeModel(config)
    if vectors is not None:
        model.embedding.fill(vectors)
    return model
