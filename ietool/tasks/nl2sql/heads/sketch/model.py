"""A question and headers under one encoder, and a classifier for each part of a query (kexue.fm 6771).

Past the article: marks of cells in the input, columns that look at the question and units that look at the columns, and
values that are chosen together with their column among those that a stretch of the question may stand for.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from transformers import PreTrainedModel

from ietool.nn.attention import CrossAttention
from ietool.nn.choice import listwise_loss, log_partition
from ietool.nn.encoder import EncoderConfig, encoder_settings, load_encoder, make_encoder
from ietool.nn.pooling import span_vectors
from ietool.recipe import PretrainedSection
from ietool.tasks.nl2sql.data.example import CONNECTORS
from ietool.tasks.nl2sql.features.marks import BITS, CELLS, TEXTS
from ietool.tasks.nl2sql.features.stretches import FEATURES, NO_OPERATOR, NOT_SELECTED
from ietool.tasks.nl2sql.heads.sketch.recipe import SketchRecipe
from ietool.text.readers import open_reader
from ietool.training.adversarial import choice_divergence

HEAD_SIZE = 16
"""Of an attention head."""

LINKED = 2.0
"""What is added at first to the attention between a column and what the question says of it."""


class SketchConfig(EncoderConfig):
    """Sizes of :class:`SketchModel`; ``head_size``: of the layers in which columns and values meet; ``means``: whether
    the mean of its units stands for a question or header beside its class symbol. A pretrained encoder has learnt to
    say the same of all class symbols of its input, and takes long to learn otherwise."""

    model_type = "ietool-nl2sql-sketch"

    def __init__(self, head_size: int = 128, head_dropout: float = 0.1, means: bool = False, **kwargs: Any) -> None:
        self.head_size, self.head_dropout, self.means = head_size, head_dropout, means
        super().__init__(**kwargs)


class Read(NamedTuple):
    """What the encoder says: ``question`` (B, T, H) of the units, ``whole`` (B, H) of the question, ``columns``
    (B, C, H) of the headers."""

    question: Tensor
    whole: Tensor
    columns: Tensor


class SketchModel(PreTrainedModel):
    """Classifiers of the parts of a query.

    Shapes: B questions, T units, C columns, S stretches of questions, E values of these.
    """

    config_class: ClassVar[type[SketchConfig]] = SketchConfig
    base_model_prefix = "nl2sql"
    supports_gradient_checkpointing = True
    config: SketchConfig

    def __init__(self, config: SketchConfig) -> None:
        super().__init__(config)
        self.encoder = make_encoder(config)
        size, inner = self.encoder.size, config.head_size
        heads = max(1, inner // HEAD_SIZE)
        self.marks = nn.Linear(BITS, self.encoder.input_size, bias=False)
        nn.init.normal_(self.marks.weight, std=0.02)
        self.over_question = CrossAttention(size, heads, HEAD_SIZE)
        self.over_columns = CrossAttention(size, heads, HEAD_SIZE)
        # From questions to columns and back, by head: what a unit counts that says a part of the header, or a cell.
        self.linked = nn.Parameter(torch.full((2, heads, len((TEXTS, CELLS))), LINKED))
        self.from_question = nn.Linear(heads * HEAD_SIZE, size)
        self.from_columns = nn.Linear(heads * HEAD_SIZE, size)
        self.connector = nn.Linear(size, len(CONNECTORS))
        self.aggregate = nn.Linear(size, NOT_SELECTED + 1)
        self.operator = nn.Linear(size, NO_OPERATOR + 1)
        self.of_stretch = nn.Linear(3 * size, inner)
        self.of_column = nn.Linear(size, inner, bias=False)
        self.of_value = nn.Linear(FEATURES, inner, bias=False)
        self.place = nn.Linear(inner, 1)
        self.post_init()

    def _init_weights(self, module: nn.Module) -> None:
        """Layers initialise themselves; transformers must not do it again."""

    def _dropped(self, x: Tensor) -> Tensor:
        return F.dropout(x, self.config.head_dropout, self.training)

    def read(
        self, ids: Tensor, lengths: Tensor, marks: Tensor, asked: Tensor, symbols: Tensor, columns: Tensor,
        links: Tensor, words: Tensor | None = None, tags: Tensor | None = None,
    ) -> Read:  # fmt: skip
        """What the encoder says of questions and headers.

        Args:
            ids, words, tags: (B, T).
            lengths: (B,) units.
            marks: (B, T) bits of :mod:`ietool.tasks.nl2sql.features.marks`.
            asked: (B, T) bool, the units of the question with its class symbol.
            symbols: (B, 1 + C) places of the class symbols, that of the question first.
            columns: (B,) how many of the C are columns of its own.
            links: (B, 1 + C, T) bits: the unit says a part of the header, a cell of the column.
        """
        inside = torch.arange(ids.shape[1], device=ids.device) < lengths[:, None]
        shifts = torch.arange(BITS, device=ids.device)
        bits = (marks.unsqueeze(-1) >> shifts & 1).to(self.marks.weight.dtype)
        h = self._dropped(self.encoder(ids, inside, words, tags, added=self.marks(bits)))
        own = torch.arange(symbols.shape[1], device=ids.device) <= columns[:, None]
        at = torch.arange(len(ids), device=ids.device)[:, None]
        classes = h[at, symbols]
        if self.config.means:
            classes = classes + _means(h, symbols, lengths, columns) * own.unsqueeze(-1)
        said = (links.unsqueeze(-1) >> shifts[: self.linked.shape[-1]] & 1).to(h.dtype)
        to_units, to_columns = (said @ self.linked.to(h.dtype).transpose(1, 2).unsqueeze(1).unsqueeze(1)).unbind(0)
        looked = classes + self.from_question(self.over_question(classes, h, asked, to_units.permute(0, 3, 1, 2)))
        question = h + self.from_columns(self.over_columns(h, looked, own, to_columns.permute(0, 3, 2, 1)))
        return Read(self._dropped(question), self._dropped(looked[:, 0]), self._dropped(looked[:, 1:]))

    def places(self, read: Read, spans: Tensor, values: Tensor, features: Tensor) -> Tensor:
        """How well values fit, beside the choice that a stretch is none, which has 0: (E,) logits.

        Args:
            spans: (3, S) of question, first and last unit.
            values: (2, E) of stretch, place of the column among those read.
            features: (E, FEATURES), 0 to 1.
        """
        stretch, column = values
        of_stretch = self.of_stretch(span_vectors(read.question, spans))
        of_column = self.of_column(read.columns)[spans[0][stretch], column]
        summed = of_stretch[stretch] + of_column + self.of_value(features.to(of_column.dtype))
        logits: Tensor = self.place(self._dropped(torch.tanh(summed))).squeeze(-1).float()
        return logits

    def forward(
        self, ids: Tensor, lengths: Tensor, marks: Tensor, asked: Tensor, symbols: Tensor, columns: Tensor,
        links: Tensor, connectors: Tensor, aggregates: Tensor, operators: Tensor, spans: Tensor, values: Tensor,
        features: Tensor, targets: Tensor, words: Tensor | None = None, tags: Tensor | None = None,
    ) -> dict[str, Tensor]:  # fmt: skip
        """The training loss.

        Args:
            ids, lengths, marks, asked, symbols, columns, links, words, tags: as :meth:`read` takes them.
            connectors: (B,).
            aggregates: (B, C) classes, −1 where there is no column.
            operators: (B, T) classes, −1 outside the question.
            spans, values, features: as :meth:`places` takes them.
            targets: (E,) 1 at the value that a stretch stands for.

        Returns:
            ``loss``, the sum of ``connector_loss``, ``aggregate_loss``, ``operator_loss`` and ``place_loss``, each
            summed over what is decided and a mean over questions; and what :meth:`divergence` compares.
        """
        read = self.read(ids, lengths, marks, asked, symbols, columns, links, words, tags)
        connector, aggregate, operator = self.connector(read.whole), self.aggregate(read.columns), self.operator(
            read.question
        )  # fmt: skip
        place = self.places(read, spans, values, features)
        batch, stretches = len(ids), spans.shape[1]
        losses = {
            "connector_loss": F.cross_entropy(connector.float(), connectors),
            "aggregate_loss": _summed(aggregate, aggregates) / batch,
            "operator_loss": _summed(operator, operators) / batch,
            "place_loss": listwise_loss(place, values[0], targets, stretches) * (stretches / batch),
        }
        return {
            "loss": torch.stack(list(losses.values())).sum(), **losses, "connector": connector, "aggregate": aggregate,
            "operator": operator, "place": place, "own": (aggregates >= 0).float(), "units": (operators >= 0).float(),
            "stretch": values[0], "without": place.new_zeros(stretches),
        }  # fmt: skip

    def divergence(self, first: dict[str, Tensor], second: dict[str, Tensor]) -> Tensor:
        """What divides two passes over the same batch, for R-Drop: all classifiers, a mean over questions."""
        total = choice_divergence(first["connector"], second["connector"])
        total = total + choice_divergence(first["aggregate"], second["aggregate"], first["own"])
        total = total + choice_divergence(first["operator"], second["operator"], first["units"])
        group, count = first["stretch"], len(first["without"])
        sums = [log_partition(one["place"], group, count) for one in (first, second)]
        one, other = (x["place"] - total_[group] for x, total_ in zip((first, second), sums, strict=True))
        total = total + 0.5 * ((one.exp() - other.exp()) * (one - other)).sum()
        total = total + 0.5 * (((-sums[0]).exp() - (-sums[1]).exp()) * (sums[1] - sums[0])).sum()
        return total / len(first["connector"])


def _means(h: Tensor, symbols: Tensor, lengths: Tensor, columns: Tensor) -> Tensor:
    """(B, 1 + C, H): the mean of what the encoder says of a question, or of each header, its class symbol included;
    anything beyond the columns that there are."""
    last = torch.arange(symbols.shape[1], device=h.device) == columns[:, None]
    ends = torch.where(last, lengths[:, None], symbols.roll(-1, 1))
    sums = F.pad(h.float().cumsum(1), (0, 0, 1, 0))
    at = torch.arange(len(h), device=h.device)[:, None]
    means: Tensor = (sums[at, ends] - sums[at, symbols]) / (ends - symbols).clamp(min=1).unsqueeze(-1)
    return means.to(h.dtype)


def _summed(logits: Tensor, targets: Tensor) -> Tensor:
    """Cross-entropy over (B, n, classes), summed; −1 counts nothing."""
    return F.cross_entropy(logits.float().flatten(0, 1), targets.flatten(), ignore_index=-1, reduction="sum")


def build(recipe: SketchRecipe, prepared: Path) -> SketchModel:
    """A fresh model of the recipe's sizes, with the prepared word vectors or the pretrained weights in place. Raises
    UserError if the encoder cannot be had."""
    head, encoder = recipe.model.head, recipe.model.encoder
    settings = encoder_settings(encoder, open_reader(prepared), prepared)
    means = isinstance(encoder, PretrainedSection)
    model = SketchModel(SketchConfig(head_size=head.size, head_dropout=head.dropout, means=means, **settings))
    load_encoder(model.encoder, encoder, prepared)
    return model
