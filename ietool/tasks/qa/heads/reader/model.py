"""The DGCNN reader (kexue.fm 5409)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from transformers import PretrainedConfig, PreTrainedModel

from ietool.nn.attention import AdditivePooling
from ietool.nn.choice import known_cross_entropy
from ietool.nn.dgcnn import DGCNNBlock
from ietool.nn.embedding import MixedEmbedding
from ietool.tasks.qa.features.cooccurrence import COOCCURRENCE, SCALE
from ietool.tasks.qa.features.labels import LABELLED, LABELS
from ietool.tasks.qa.heads.reader.losses import choice_loss, focal_loss
from ietool.tasks.qa.heads.reader.recipe import ReaderRecipe
from ietool.text.encoding import TextEncoder, character_sizes, open_vectors


class QaConfig(PretrainedConfig):
    """Sizes of :class:`QaModel`."""

    model_type = "ietool-qa"

    def __init__(
        self,
        characters: int = 2,
        words: int = 0,
        word_size: int = 0,
        tags: int = 0,
        labels: int = 0,
        hidden_size: int = 128,
        question_dilations: list[int] | None = None,
        passage_dilations: list[int] | None = None,
        embedding_dropout: float = 0.1,
        gate_dropout: float = 0.1,
        head_dropout: float = 0.0,
        cooccurrence: bool = True,
        aligned: bool = True,
        loss: str = "softmax",
        **kwargs: Any,
    ) -> None:
        self.characters, self.words, self.word_size, self.tags = characters, words, word_size, tags
        self.labels, self.hidden_size = labels, hidden_size
        self.question_dilations = question_dilations or [1, 2, 1]
        self.passage_dilations = passage_dilations or [1, 2, 4, 8, 16, 1]
        self.embedding_dropout, self.gate_dropout, self.head_dropout = embedding_dropout, gate_dropout, head_dropout
        self.cooccurrence, self.aligned, self.loss = cooccurrence, aligned, loss
        super().__init__(**kwargs)


class QaModel(PreTrainedModel):
    """Where in a passage the answer to a question starts and ends.

    B pairs of a question of M and a passage of L characters.
    """

    config_class = QaConfig
    base_model_prefix = "qa"
    config: QaConfig

    def __init__(self, config: QaConfig) -> None:
        super().__init__(config)
        h = config.hidden_size
        self.embedding = MixedEmbedding(
            config.characters, h, words=config.words, word_size=config.word_size, tags=config.tags,
            dropout=config.embedding_dropout,
        )  # fmt: skip
        self.question_blocks = nn.ModuleList(DGCNNBlock(h, d, config.gate_dropout) for d in config.question_dilations)
        self.question_pooling = AdditivePooling(h)
        if config.aligned:
            self.near = nn.Linear(h, h)
        shared = COOCCURRENCE if config.cooccurrence else 0
        self.mix = nn.Linear((3 if config.aligned else 2) * h + shared, h, bias=False)
        self.passage_blocks = nn.ModuleList(DGCNNBlock(h, d, config.gate_dropout) for d in config.passage_dilations)
        self.passage_pooling = AdditivePooling(2 * h)
        self.has_answer = nn.Linear(2 * h, 1)
        self.span = nn.Linear(2 * h, 2)
        self.label = nn.Linear(2 * h, config.labels) if config.labels else None
        self.post_init()

    def _init_weights(self, module: nn.Module) -> None:
        """Layers initialise themselves; transformers must not do it again."""

    def read(
        self,
        characters: Tensor,
        lengths: Tensor,
        words: Tensor,
        tags: Tensor,
        shared: Tensor,
        question: Tensor,
        question_lengths: Tensor,
        question_words: Tensor,
        question_tags: Tensor,
    ) -> tuple[Tensor, Tensor, Tensor | None]:
        """The logits of a batch of pairs.

        Args:
            characters, words, tags: (B, L) ids of the passages; lengths (B,), at least 1.
            shared: (B, L, COOCCURRENCE) bytes.
            question, question_words, question_tags: (B, M); question_lengths (B,), at least 1.

        Returns:
            (B, L, 2) of starts and ends, (B,) that the passage has an answer, (B, labels) of yes and no or None.
        """
        q_inside = _inside(question, question_lengths)
        inside = _inside(characters, lengths)
        dtype = self.mix.weight.dtype
        q_mask, mask = q_inside.unsqueeze(-1).to(dtype), inside.unsqueeze(-1).to(dtype)
        q_embedded = self.embedding(question, question_words, question_tags, q_mask)
        embedded = self.embedding(characters, words, tags, mask)
        q = q_embedded
        for block in self.question_blocks:
            q = block(q, q_mask)
        pooled = self.question_pooling(q, q_inside)
        parts = [embedded, pooled.unsqueeze(1).expand(-1, embedded.shape[1], -1)]
        if self.config.aligned:
            parts.append(self._aligned(embedded, q_embedded, q_inside))
        if self.config.cooccurrence:
            parts.append(shared.to(dtype) / SCALE)
        x = self.mix(torch.cat([part.to(embedded.dtype) for part in parts], -1)) * mask
        for block in self.passage_blocks:
            x = block(x, mask)
        x = torch.cat([x, pooled.to(x.dtype).unsqueeze(1).expand(-1, x.shape[1], -1)], -1)
        x = F.dropout(x, self.config.head_dropout, self.training)
        passage = self.passage_pooling(x, inside)
        labels = None if self.label is None else self.label(passage).float()
        return self.span(x).float(), self.has_answer(passage).squeeze(-1).float(), labels

    def _aligned(self, passage: Tensor, question: Tensor, inside: Tensor) -> Tensor:
        """For each character of the passage the mean of the question's embeddings, weighted by how near they are to it
        (the aligned question embedding of Chen et al. 2017, Reading Wikipedia to Answer Open-Domain Questions)."""
        a, b = F.relu(self.near(passage)), F.relu(self.near(question))
        scores = (a @ b.transpose(1, 2)).float().masked_fill(~inside.unsqueeze(1), -torch.inf)
        near: Tensor = scores.softmax(-1).to(question.dtype) @ question
        return near

    def probabilities(self, spans: Tensor, has_answer: Tensor, lengths: Tensor) -> Tensor:
        """Logits of :meth:`read` → (B, L, 2) probabilities of start and end, 0 behind the lengths."""
        inside = _inside(spans[..., 0], lengths).unsqueeze(-1)
        if self.config.loss == "focal":
            return spans.sigmoid() * has_answer.sigmoid()[:, None, None] * inside
        # The choice of none has the logit 0; the passage's own logit lifts all its positions against it.
        lifted = (spans + has_answer[:, None, None]).masked_fill(~inside, -torch.inf)
        none = lifted.new_zeros(lifted.shape[0], 1, 2)
        return torch.cat([lifted, none], 1).softmax(1)[:, :-1]

    def forward(
        self, targets: Tensor, has_answer: Tensor, label_targets: Tensor | None = None, **batch: Tensor
    ) -> dict[str, Tensor]:
        """The training loss of a batch of :meth:`read`.

        Args:
            targets: (3, k) of pair, position and 0 for start or 1 for end, of all occurrences of the answer.
            has_answer: (B,) 1 where the passage has one, 0 where it has none, −1 where the window has but a part of
                one: those teach nothing of where it is.
            label_targets: (B,) class of a YES_NO answer, −1: none; None: none at all.
        """
        spans, gate, labels = self.read(**batch)
        inside = _inside(batch["characters"], batch["lengths"])
        gold = torch.zeros_like(spans)
        gold[targets[0], targets[1], targets[2]] = 1.0
        if self.config.loss == "focal":
            told = inside & (has_answer >= 0)[:, None]
            loss = focal_loss(self.probabilities(spans, gate, batch["lengths"]), gold, told)
        else:
            loss = choice_loss(spans + gate[:, None, None], gold, inside, has_answer >= 0)
        if labels is not None and label_targets is not None:
            loss = loss + known_cross_entropy(labels, label_targets)
        return {"loss": loss}


def _inside(ids: Tensor, lengths: Tensor) -> Tensor:
    return torch.arange(ids.shape[1], device=ids.device) < lengths[:, None]


def build(recipe: ReaderRecipe, prepared: Path) -> QaModel:
    """A fresh model of the recipe's sizes, with the prepared word vectors in place; it has labels where those of YES_NO
    questions are in train."""
    reader, vectors = TextEncoder.open(prepared), open_vectors(prepared)
    encoder, head = recipe.model.encoder, recipe.model.head
    model = QaModel(
        QaConfig(
            **character_sizes(reader.size, vectors, part_of_speech=encoder.part_of_speech),
            labels=len(LABELS) if (prepared / LABELLED).is_file() else 0,
            hidden_size=encoder.hidden_size,
            question_dilations=encoder.question_dilations,
            passage_dilations=encoder.passage_dilations,
            embedding_dropout=encoder.embedding_dropout,
            gate_dropout=encoder.gate_dropout,
            head_dropout=head.dropout,
            cooccurrence=head.cooccurrence,
            aligned=head.aligned,
            loss=head.loss,
        )
    )
    if vectors is not None:
        model.embedding.fill(vectors)
    return model
