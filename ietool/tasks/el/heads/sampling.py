"""What a training step sees: dictionary matches with their targets, mentions with sampled candidates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import torch
from datasets import Dataset, load_from_disk

from ietool.tasks.el.features.annotations import Annotations, Folds
from ietool.tasks.el.features.assets import FOLDS
from ietool.tasks.el.features.candidates import OVERLAPS, PRIORS, Described, overlap_features
from ietool.tasks.el.features.featurizer import Featurizer
from ietool.tasks.el.features.rows import COLUMNS, NIL_ROW, UNKNOWN
from ietool.tasks.el.recipe import ElRecipe
from ietool.text.characters import fold
from ietool.text.segmentation import word_spans
from ietool.training.batches import columns, pad
from ietool.training.tables import ListColumn


@dataclass(frozen=True)
class Linkable:
    """A mention ``[start, end)`` of a text with the candidates at hand.

    ``units`` are those of the text that it stands on, ``overlaps`` is (candidates, L, OVERLAPS), ``priors``
    (candidates, PRIORS); ``gold`` is the index of the gold candidate, −1 where it is none of them.
    """

    start: int
    end: int
    entities: Sequence[Described]
    overlaps: np.ndarray
    priors: np.ndarray
    units: tuple[int, int] = (0, 1)
    gold: int = -1
    nil_type: int = -1


class ElTrainingSet:
    """The training windows, memory-mapped; candidates are drawn anew every epoch, by (seed, epoch, index) alone."""

    def __init__(self, recipe: ElRecipe, prepared: Path, *, limit: int | None = None) -> None:
        self.recipe = recipe
        data = load_from_disk(str(prepared / "train"))
        assert isinstance(data, Dataset)
        self.data = data if limit is None else data.select(range(min(limit, len(data))))
        self.lengths: Sequence[int] = self.data.data.column("length").to_numpy()[: len(self.data)]
        self._texts = self.data.data.column("text")
        self._columns = {name: (ListColumn(data, name), width) for name, width in COLUMNS.items()}
        self.featurizer = Featurizer.open(recipe, prepared)
        self._without = Folds.load_parts(prepared / FOLDS)
        self._folds = self.data.data.column("fold").to_numpy()
        self.epoch = 0

    def __len__(self) -> int:
        return len(self.data)

    def set_epoch(self, epoch: int) -> None:
        self.epoch = epoch

    def __getitem__(self, index: int) -> dict[str, Any]:
        random = Random(f"{self.recipe.training.seed}/{self.epoch}/{index}")
        item: dict[str, Any] = {
            name: column[index] if width == 1 else column[index].reshape(-1, width)
            for name, (column, width) in self._columns.items()
        }
        rows = zip(item["mentions"].tolist(), item["mention_units"].tolist(), strict=True)
        known = [(*row, *units) for row, units in rows if self._is_linkable(row)]
        chosen = random.sample(known, min(self.recipe.sampling.mentions, len(known)))
        item["text"] = str(self._texts[index])
        item["linkables"] = self._linkables(fold(item["text"]), chosen, self._folds[index], random)
        return item

    def _is_linkable(self, mention: list[int]) -> bool:
        """Whether the answer is known and can be had: a gold entity that is no candidate of the name would only teach
        that none of the candidates fits."""
        gold = mention[3]
        return gold == NIL_ROW or (gold != UNKNOWN and gold in self.featurizer.candidates(mention[2]))

    def _linkables(self, text: str, mentions: Sequence[Sequence[int]], part: int, random: Random) -> list[Linkable]:
        sampling, featurizer, without = self.recipe.sampling, self.featurizer, self._without[part]
        spans = word_spans(text) if mentions else []
        found = []
        for start, end, number, gold, nil_type, first, last in mentions:
            rows = featurizer.candidates(number)
            count = len(rows)
            if sampling.loss == "pair":
                rows = random.sample(rows, min(1, count))
            elif count > sampling.candidates:
                others = random.sample([row for row in rows if row != gold], sampling.candidates - (gold in rows))
                rows = [row for row in rows if row == gold or row in others]
            position = rows.index(gold) if gold in rows else -1
            span = (start, end, number)
            linked = linkable(featurizer, text, spans, span, rows, count, without)
            found.append(replace(linked, units=(first, last), gold=position, nil_type=nil_type))
        return found

    def collate(self, items: list[dict[str, Any]]) -> dict[str, torch.Tensor]:
        """One batch in the form that ``ElModel.forward`` takes."""
        longest = max(len(item["ids"]) for item in items)
        starts, links = set(), []
        for at, item in enumerate(items):
            for (start, end, _), label in zip(item["matches"].tolist(), item["labels"].tolist(), strict=True):
                if label:
                    starts.update({(at, start, 0), (at, end - 1, 1)})
            links += [(at, linked) for linked in item["linkables"]]
        return {
            "characters": pad([item["ids"] for item in items], longest),
            "words": pad([item["words"] for item in items], longest),
            "tags": pad([item["tags"] for item in items], longest),
            "pointer_targets": columns(sorted(starts), 3),
            **match_batch(items),
            **target_batch([linked for _, linked in links]),
            **link_batch(links, longest),
        }


def match_batch(items: Sequence[Mapping[str, Any]]) -> dict[str, torch.Tensor]:
    """Of the rows of a batch ``lengths``, the n matches with what is known of them, and all borders."""
    matches = [(at, a, b - 1) for at, item in enumerate(items) for a, b, _ in item["matches"].tolist()]
    borders = [(at, *row) for at, item in enumerate(items) for row in item["borders"].tolist()]
    return {
        "lengths": torch.tensor([len(item["ids"]) for item in items]),
        "matches": columns(matches, 3),
        "names": torch.from_numpy(np.concatenate([item["names"] for item in items])).long(),
        "signals": torch.from_numpy(np.concatenate([item["signals"] for item in items])),
        "match_targets": torch.from_numpy(np.concatenate([item["labels"] for item in items]).astype(np.float32)),
        "borders": columns(borders, 3),
    }


def target_batch(links: Sequence[Linkable]) -> dict[str, torch.Tensor]:
    """The right answers of mentions: ``link_targets`` (P,), ``type_targets`` (m,)."""
    gold = [float(i == linked.gold) for linked in links for i in range(len(linked.entities))]
    return {
        "link_targets": torch.tensor(gold),
        "type_targets": torch.tensor([linked.nil_type for linked in links], dtype=torch.int64),
    }


def linkable(
    featurizer: Featurizer,
    text: str,
    spans: Sequence[tuple[int, int]],
    mention: tuple[int, int, int],
    rows: Sequence[int],
    count: int,
    without: Annotations | None = None,
) -> Linkable:
    """A mention (start, end, name number) with the features of its candidates.

    Args:
        text: folded.
        spans: of its words.
        rows: the candidates' entity rows.
        count: how many candidates the name has in all.
        without: as :meth:`Featurizer.priors` takes it.
    """
    start, end, number = mention
    entities = [featurizer.describe(row) for row in rows]
    overlaps = np.zeros((len(rows), len(text), OVERLAPS), np.uint8)
    for at, entity in enumerate(entities):
        overlaps[at] = overlap_features(text, spans, entity)
    priors = featurizer.priors(number, rows, count, without)
    return Linkable(start, end, entities, overlaps, priors)


def link_batch(links: Sequence[tuple[int, Linkable]], longest: int) -> dict[str, torch.Tensor]:
    """The tensors of mentions, pairs and entities.

    Args:
        links: (text's row in the batch, mention) of all mentions.
        longest: L, characters of the batch's longest text.

    Returns:
        ``mentions`` (3, m), ``pairs`` (2, P), ``overlaps`` (P, L, OVERLAPS) uint8, ``priors`` (P, PRIORS), and the
        ``entity_…`` tensors of the E entities, each once.
    """
    numbers: dict[int, int] = {}
    entities: list[Described] = []
    mentions, pairs = [], []
    for at, (text, linked) in enumerate(links):
        mentions.append((text, linked.start, linked.end - 1))
        for entity in linked.entities:
            number = numbers.setdefault(entity.row, len(numbers))
            if number == len(entities):
                entities.append(entity)
            pairs.append((at, number))
    overlaps = np.zeros((len(pairs), longest, OVERLAPS), np.uint8)
    priors = np.zeros((len(pairs), PRIORS), np.float32)
    at = 0
    for _, linked in links:
        count, length, _ = linked.overlaps.shape
        overlaps[at : at + count, :length] = linked.overlaps
        priors[at : at + count] = linked.priors
        at += count
    return {
        "mentions": columns(mentions, 3),
        "pairs": columns(pairs, 2),
        "overlaps": torch.from_numpy(overlaps),
        "priors": torch.from_numpy(priors),
        **entity_batch(entities),
    }


def entity_batch(entities: Sequence[Described]) -> dict[str, torch.Tensor]:
    """The descriptions of some entities, padded: ``entity_characters``, ``_words``, ``_tags`` (E, M),
    ``_lengths``, ``_types`` (E,)."""
    lengths = [len(entity.characters) for entity in entities]
    longest = max(lengths, default=0)
    return {
        "entity_characters": pad([entity.characters for entity in entities], longest),
        "entity_words": pad([entity.words for entity in entities], longest),
        "entity_tags": pad([entity.tags for entity in entities], longest),
        "entity_lengths": torch.tensor(lengths, dtype=torch.int64),
        "entity_types": torch.tensor([entity.type for entity in entities], dtype=torch.int64),
    }
