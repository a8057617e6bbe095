"""From texts to triples: batched across sentences, merged over windows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence, Set
from itertools import islice
from typing import cast

from ietool.tasks.ske.data.example import Example
from ietool.tasks.ske.data.reading import Schema
from ietool.tasks.ske.features.featurizer import Features, Featurizer
from ietool.tasks.ske.heads.assembly import ExtractedTriple, Extraction, Scored, assemble
from ietool.tasks.ske.heads.base import SkeModel
from ietool.tasks.ske.heads.gplinker.decode import LinkDecoder
from ietool.tasks.ske.heads.gplinker.model import LinkModel
from ietool.tasks.ske.heads.stages.decode import Decoder, StageDecoder
from ietool.tasks.ske.heads.stages.model import TwoStageModel
from ietool.tasks.ske.recipe import SkeRecipe
from ietool.tasks.ske.rules.files import Rules
from ietool.text.units import cut_note
from ietool.text.windows import window_batches


class SkePredictor:
    """Reads texts in batches of like length; memory is bounded by ``pool`` texts."""

    def __init__(
        self,
        recipe: SkeRecipe,
        model: SkeModel,
        featurizer: Featurizer,
        rules: Rules | None = None,
        *,
        pool_batches: int = 16,
    ) -> None:
        self.recipe, self.model, self.featurizer, self.rules = recipe, model, featurizer, rules
        self.schema: Schema = featurizer.schema
        labels = len(self.schema.labels)
        self.decoder: Decoder = (
            LinkDecoder(model, recipe.decode, labels, priors=recipe.model.priors)
            if isinstance(model, LinkModel)
            else StageDecoder(cast(TwoStageModel, model), recipe.decode, labels, priors=recipe.model.priors)
        )
        self.pool_batches = pool_batches
        self.highest_probability = 0.0

    @property
    def notes(self) -> Sequence[str]:
        """Whether texts were not read whole."""
        cut = self.featurizer.reader.cut
        return [cut_note(cut)] if cut else []

    def predict(self, inputs: Iterable[Example]) -> Iterator[Extraction]:
        """Extractions in the order of the inputs."""
        stream = iter(inputs)
        while pool := list(islice(stream, self.recipe.decode.batch_size * self.pool_batches)):
            yield from self._pool([example.text for example in pool])

    def _pool(self, texts: Sequence[str]) -> Iterator[Extraction]:
        data = self.recipe.data
        found: list[list[Scored]] = [[] for _ in texts]
        halves: list[set[tuple[Scored, int]]] = [set() for _ in texts]
        for batch in window_batches(texts, data.window, data.overlap, self.recipe.decode.batch_size):
            features = self.featurizer.encode_all([texts[i][a:b] for i, a, b in batch], [()] * len(batch))
            for (i, start, end), rows in zip(batch, self.spans(features), strict=True):
                for r in rows:
                    row = (r[0] + start, r[1] + start, r[2], r[3] + start, r[4] + start, r[5])
                    found[i].append(row)
                    for at in (0, 3):  # the subject's place in a row, and the object's
                        if row[at] == start > 0 or row[at + 1] == end < len(texts[i]):
                            halves[i].add((row, at))
        labels = self.schema.labels
        for text, rows, cut in zip(texts, found, halves, strict=True):
            yield Extraction(text, tuple(self._ruled(text, assemble(text, whole_names(rows, cut), labels))))

    def _ruled(self, text: str, triples: list[ExtractedTriple]) -> list[ExtractedTriple]:
        if self.rules is None:
            return triples
        ruled = []
        for triple, source in self.rules.apply(text, [t.triple for t in triples]):
            origin = triples[source] if source is not None else None
            if origin is not None and origin.triple == triple:
                ruled.append(origin)
            else:
                ruled.append(ExtractedTriple(triple, origin.probability if origin else 0.0))
        return ruled

    def spans(self, features: Sequence[Features]) -> list[list[Scored]]:
        """Label spans of each of a batch of texts, in characters."""
        found, highest = self.decoder.rows(features)
        self.highest_probability = max(self.highest_probability, highest)
        scored = []
        for feature, rows in zip(features, found, strict=True):
            starts, ends = feature.units.starts.tolist(), feature.units.ends.tolist()
            scored.append([(starts[a], ends[b - 1], label, starts[c], ends[d - 1], p) for a, b, label, c, d, p in rows])
        return scored


def whole_names(rows: list[Scored], halves: Set[tuple[Scored, int]]) -> list[Scored]:
    """The rows of a text without those that another window has with a longer name.

    Args:
        halves: rows, each with the place of a span that ends where its window does: it may be the half of a name. Left
            out are those for which another row has the same label and other span, and one here that holds this one.
    """
    if not halves:
        return rows
    spans: dict[tuple[int, ...], list[tuple[int, int]]] = {}
    for row in rows:
        for at in (0, 3):
            spans.setdefault((at, row[2], *_span(row, 3 - at)), []).append(_span(row, at))
    bad = set()
    for row, at in halves:
        start, end = _span(row, at)
        if any(a <= start and end <= b and b - a > end - start for a, b in spans[at, row[2], *_span(row, 3 - at)]):
            bad.add(row)
    return [row for row in rows if row not in bad]


def _span(row: Scored, at: int) -> tuple[int, int]:
    """The subject of a row (0) or its object (3)."""
    return (row[0], row[1]) if at == 0 else (row[3], row[4])
