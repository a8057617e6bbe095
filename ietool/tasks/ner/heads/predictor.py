"""From scores to entities: batched across texts by length, merged over windows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from ietool.tasks.ner.data.forms.recognise import CLUENER
from ietool.tasks.ner.data.reading import Entity, Example
from ietool.tasks.ner.features.featurizer import Featurizer, Labels, Piece
from ietool.tasks.ner.heads.base import NerModel
from ietool.tasks.ner.heads.crf.decode import PathProbability
from ietool.tasks.ner.heads.crf.tagset import TagSet
from ietool.tasks.ner.heads.merging import Found, UnitRow, owned, widened, without_overlaps
from ietool.tasks.ner.heads.sampling import inputs_of, item_of
from ietool.tasks.ner.recipe import NerRecipe
from ietool.text.windows import batches

POOL_CHARACTERS = 1 << 18
"""At most so many characters are turned into tokens at once, some 450 bytes each."""


@dataclass(frozen=True)
class FoundEntity:
    """``text == source[start:end]``, its type, and how probable the model holds it."""

    text: str
    start: int
    end: int
    type: str
    probability: float


@dataclass(frozen=True)
class Recognised:
    """The entities of one text, by place."""

    example: Example
    entities: tuple[FoundEntity, ...]

    @property
    def plain(self) -> list[Entity]:
        """Without text and probability, as gold has them."""
        return [Entity(e.start, e.end, e.type) for e in self.entities]


class NerPredictor:
    """Reads texts in batches of like length; memory is bounded by ``pool_batches`` batches of texts, or fewer where
    they are long."""

    def __init__(
        self, recipe: NerRecipe, model: NerModel, featurizer: Featurizer, labels: Labels, *, pool_batches: int = 16
    ) -> None:
        self.model, self.featurizer, self.labels = model, featurizer, labels
        self.batch_size, self.pool_batches = recipe.decode.batch_size, pool_batches
        crf = recipe.model.head == "crf"
        self.tagset = TagSet(len(labels.types), recipe.model.tags) if crf else None
        threshold = recipe.decode.threshold
        self.threshold = threshold if threshold is not None else 0.0 if crf else 0.5
        self.highest_probability = 0.0
        self.notes: Sequence[str] = ()

    def predict(self, inputs: Iterable[Example]) -> Iterator[Recognised]:
        """Entities in the order of the inputs."""
        for pool in batches(inputs, POOL_CHARACTERS, self.batch_size * self.pool_batches):
            yield from self._pool(pool)

    def _pool(self, examples: Sequence[Example]) -> Iterator[Recognised]:
        pieces = self.featurizer.pieces([example.text for example in examples])
        order = sorted(range(len(pieces)), key=lambda n: len(pieces[n].units))
        found: list[list[Found]] = [[] for _ in pieces]
        for at in range(0, len(order), self.batch_size):
            numbers = order[at : at + self.batch_size]
            for n, rows in zip(numbers, self.rows([pieces[n] for n in numbers]), strict=True):
                found[n] = [_place(pieces[n], row) for row in rows]
        mine: list[list[int]] = [[] for _ in examples]
        for n, piece in enumerate(pieces):
            mine[piece.text].append(n)
        for example, numbers in zip(examples, mine, strict=True):
            cuts = [(pieces[n].start, pieces[n].end) for n in numbers]
            entities = owned(cuts, [found[n] for n in numbers])
            if example.tokens:
                entities = widened(entities, example.tokens)
            # One tag a place: what two windows say of one place cannot both be written.
            if self.tagset is not None or example.form not in ("", CLUENER):
                entities = without_overlaps(entities)
            names = self.labels.types
            yield Recognised(
                example,
                tuple(FoundEntity(example.text[a:b], a, b, names[kind], p) for a, b, kind, p in entities),
            )

    @torch.inference_mode()
    def rows(self, pieces: Sequence[Piece]) -> list[list[UnitRow]]:
        """The entities of each of a batch of pieces, in units."""
        batch = {name: x.to(self.model.device) for name, x in inputs_of([item_of(p.units) for p in pieces]).items()}
        h = self.model.encode(batch["ids"], batch["lengths"], batch["words"], batch["tags"])
        if self.tagset is not None:
            return self._tagged(h, batch["inside"], self.tagset)
        return self._pointed(h, batch["inside"])

    def _tagged(self, h: torch.Tensor, inside: torch.Tensor, tagset: TagSet) -> list[list[UnitRow]]:
        """The entities of the best path, each with its probability over all paths."""
        crf = self.model.crf
        assert crf is not None
        emissions, lengths = self.model.emissions(h, inside)
        paths = crf.best(emissions, lengths)
        chains = crf.chains(emissions, lengths)
        single = chains.before + chains.behind - chains.partition[:, None, None]
        real = torch.arange(paths.shape[1], device=lengths.device) < lengths[:, None]
        highest = float(single[:, :, 1:].amax(2).masked_fill(~real, -torch.inf).max().exp())
        self.highest_probability = max(self.highest_probability, min(highest, 1.0))
        transitions = crf.scores()[1].double().cpu().numpy()
        numbers, before, behind, partition = (x.double().cpu().numpy() for x in (emissions, *chains))
        found = []
        for n, path in enumerate(paths.cpu().numpy()):
            places = np.flatnonzero(inside[n].cpu().numpy())
            own = slice(len(places))
            chain = PathProbability(
                tagset, transitions, numbers[n, own], before[n, own], behind[n, own], float(partition[n])
            )
            rows = [
                (int(places[first]), int(places[behind - 1]) + 1, kind, probability)
                for first, behind, kind in tagset.decode(path[: len(places)].tolist())
                if (probability := chain.of(path, first, behind, kind)) >= self.threshold
            ]
            found.append(rows)
        return found

    def _pointed(self, h: torch.Tensor, inside: torch.Tensor) -> list[list[UnitRow]]:
        """The spans whose score passes the threshold."""
        scores = self.model.spans(h, inside)
        found: list[list[UnitRow]] = [[] for _ in range(len(h))]
        sentences = torch.arange(len(h), device=h.device)
        # One type at a time: all spans of all types at once are gigabytes where texts are long.
        for kind in range(len(self.labels.types)):
            probability = scores.dense(sentences, torch.full_like(sentences, kind)).sigmoid()
            self.highest_probability = max(self.highest_probability, float(probability.max()))
            hits = torch.nonzero(probability > self.threshold)
            values = probability[tuple(hits.unbind(1))].tolist()
            for (n, first, last), value in zip(hits.tolist(), values, strict=True):
                found[n].append((first, last + 1, kind, value))
        return found


def _place(piece: Piece, row: UnitRow) -> Found:
    start, end = piece.units.text_span(row[0], row[1])
    return piece.start + start, piece.start + end, row[2], row[3]
