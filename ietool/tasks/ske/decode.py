"""From probabilities to triples: two stages, batched across sentences, merged over windows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F

from ietool.errors import UserError
from ietool.tasks.ske.assembly import ExtractedTriple, Extraction, Scored, assemble
from ietool.tasks.ske.data import Example, Schema
from ietool.tasks.ske.features import RULES, SCHEMA, Features, Featurizer, find_rules
from ietool.tasks.ske.model import SkeModel
from ietool.tasks.ske.prior import ROWS
from ietool.tasks.ske.recipe import SkeRecipe
from ietool.tasks.ske.rules import Rules, load_rules
from ietool.tasks.ske.sampling import prior_marks
from ietool.text.encoding import CHARACTERS, WORDS
from ietool.text.spans import Span, nearest_spans
from ietool.text.windows import window_batches
from ietool.training.batches import columns, pad

__all__ = ["ExtractedTriple", "Extraction", "Scored", "SkePredictor", "Span", "assemble", "open_predictor"]

SCORES = 4_000_000
"""At most so many (pairs, length, 2R) scores are computed at once, whatever the number of subjects."""


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
        self.pool_batches = pool_batches
        self.highest_probability = 0.0
        self.notes: Sequence[str] = ()

    def predict(self, inputs: Iterable[Example]) -> Iterator[Extraction]:
        """Extractions in the order of the inputs."""
        stream = iter(inputs)
        while pool := list(islice(stream, self.recipe.decode.batch_size * self.pool_batches)):
            yield from self._pool([example.text for example in pool])

    def _pool(self, texts: Sequence[str]) -> Iterator[Extraction]:
        data = self.recipe.data
        found: list[list[Scored]] = [[] for _ in texts]
        for batch in window_batches(texts, data.window, data.overlap, self.recipe.decode.batch_size):
            features = [self.featurizer.encode(texts[i][a:b]) for i, a, b in batch]
            for (i, start, _), rows in zip(batch, self.spans(features), strict=True):
                found[i].extend((r[0] + start, r[1] + start, r[2], r[3] + start, r[4] + start, r[5]) for r in rows)
        labels = self.schema.labels
        for text, rows in zip(texts, found, strict=True):
            yield Extraction(text, tuple(self._ruled(text, assemble(text, rows, labels))))

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

    @torch.inference_mode()
    def spans(self, features: Sequence[Features]) -> list[list[Scored]]:
        """Label spans of each of a batch of texts: all subjects of all texts, then all their objects."""
        decode = self.recipe.decode
        device = self.model.device
        encoded = self._encode(features)
        p = (
            (F.logsigmoid(encoded["subject_logits"]) + encoded["entity"])
            .exp()
            .masked_fill(~encoded["mask"][..., None], 0)
        )
        self.highest_probability = max(self.highest_probability, float(p.max()))
        probabilities = p.cpu().numpy()
        length = probabilities.shape[1]
        s_at, s_pos = np.nonzero(probabilities[:, :, 0] > decode.subject_start)
        e_at, e_pos = np.nonzero(probabilities[:, :, 1] > decode.subject_end)
        kept_s, kept_e, at = nearest_spans(s_pos, e_pos, s_at, e_at, length)
        score = probabilities[at, s_pos[kept_s], 0] * probabilities[at, e_pos[kept_e], 1]
        # A triple is no more probable than its subject: without some subjects the second stage has less to do.
        able = score >= decode.triple
        kept_s, kept_e, at, score = kept_s[able], kept_e[able], at[able], score[able]
        starts, ends = s_pos[kept_s], e_pos[kept_e]
        found: list[list[Scored]] = [[] for _ in features]
        step = max(1, SCORES // (length * 2 * len(self.schema.labels)))
        for low in range(0, len(at), step):
            part = slice(low, low + step)
            marks = None
            if self.recipe.model.priors:
                pairs: dict[int, list[tuple[int, int, int]]] = {}
                for n, (i, a, b) in enumerate(zip(*(x[part].tolist() for x in (at, starts, ends)), strict=True)):
                    pairs.setdefault(i, []).append((n, a, b + 1))
                numbered = [
                    mark
                    for i, mine in pairs.items()
                    for mark in prior_marks(features[i].prior, i, mine, len(self.schema.labels))[1]
                ]
                pair, position, channel = columns(numbered, 3).to(device)
                marks = (pair, position, channel)
            chosen = [torch.from_numpy(x[part]).to(device) for x in (at, starts, ends)]
            logits, gates = self.model.objects(encoded, chosen[0], chosen[1], chosen[2], marks)
            joint = F.logsigmoid(logits)
            for gate in gates:
                joint = joint + gate
            joint = joint.exp().masked_fill(~encoded["mask"][chosen[0]][:, :, None, None], 0)
            for n, row in self._objects(joint):
                i, probability = at[low + n], float(score[low + n]) * row[3]
                if probability >= decode.triple:
                    found[i].append((int(starts[low + n]), int(ends[low + n]) + 1, *row[:3], probability))
        return found

    def _encode(self, features: Sequence[Features]) -> dict[str, torch.Tensor]:
        lengths = [len(f.characters) for f in features]
        longest, device = max(lengths), self.model.device
        marks = None
        if self.recipe.model.priors:
            rows = [
                mark for i, f in enumerate(features) for mark in prior_marks(f.prior, i, (), len(self.schema.labels))[0]
            ]
            at, position, side = columns(rows, 3).to(device)
            marks = (at, position, side)
        return self.model.encode(
            pad([f.characters for f in features], longest).to(device),
            torch.tensor(lengths, device=device),
            pad([f.words for f in features], longest).to(device),
            pad([f.tags for f in features], longest).to(device),
            marks,
        )

    def _objects(self, joint: torch.Tensor) -> Iterator[tuple[int, tuple[int, int, int, float]]]:
        """(pair, (label, start, end, probability)) from (P, L, 2, R) probabilities."""
        decode = self.recipe.decode
        _, length, _, r = joint.shape
        # (side, pair, label, position): nonzero then comes sorted by group and position, as nearest_spans needs it.
        joint = joint.permute(2, 0, 3, 1)
        hits = [torch.nonzero(joint[side] > t) for side, t in ((0, decode.object_start), (1, decode.object_end))]
        (s, e), values = (
            [h.cpu().numpy() for h in hits],
            [joint[side][tuple(hits[side].unbind(1))].float().cpu().numpy() for side in (0, 1)],
        )
        kept_s, kept_e, group = nearest_spans(s[:, 2], e[:, 2], s[:, 0] * r + s[:, 1], e[:, 0] * r + e[:, 1], length)
        probability: npt.NDArray[np.floating] = values[0][kept_s] * values[1][kept_e]
        columns_ = (group // r, group % r, s[kept_s, 2], e[kept_e, 2] + 1, probability)
        for pair, label, start, end, prob in zip(*(c.tolist() for c in columns_), strict=True):
            yield pair, (label, start, end, prob)


def open_predictor(recipe: SkeRecipe, model: SkeModel, assets: Path) -> SkePredictor:
    """A predictor with the features and rules that a run folder or prepared folder carries.

    Raises:
        UserError: they belong to another model.
    """
    featurizer = Featurizer.open(assets, priors=recipe.model.priors)
    _check_fit(featurizer, model, assets, priors=recipe.model.priors)
    rules = None
    if recipe.decode.apply_rules and recipe.decode.rules is not None:
        own = assets / RULES
        path = own if own.is_file() else find_rules(recipe.decode.rules)
        rules = load_rules(path, set(featurizer.schema.relations))
    return SkePredictor(recipe, model, featurizer, rules)


def _check_fit(featurizer: Featurizer, model: SkeModel, assets: Path, *, priors: bool) -> None:
    """Raise UserError where files of a folder belong to another model: better than wrong triples, or an index error."""
    config, index = model.config, featurizer.prior
    words = featurizer.encoder.word_rows
    labels = int(index.rows[:, 1].max()) + 1 if index is not None and len(index.rows) else 0
    wrong = {
        CHARACTERS: len(featurizer.encoder.vocabulary) != config.characters,
        SCHEMA: len(featurizer.schema.labels) != config.labels,
        WORDS: words > config.words or (words > 0) != (config.words > 0),
        "recipe.yaml": priors != config.priors,
        ROWS: labels > config.labels,
    }
    for name, is_wrong in wrong.items():
        if is_wrong:
            raise UserError("does not fit the model beside it", file=assets / name, mend="train again")
