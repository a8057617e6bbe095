"""What a training step sees: dictionary matches with their targets, mentions with sampled candidates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import torch

from ietool.tasks.el.features.annotations import Folds
from ietool.tasks.el.features.assets import FOLDS
from ietool.tasks.el.features.featurizer import Featurizer
from ietool.tasks.el.features.rows import COLUMNS, NIL_ROW, UNKNOWN
from ietool.tasks.el.heads.linkable import Linkable, linkable
from ietool.tasks.el.recipe import ElRecipe
from ietool.text.characters import fold
from ietool.text.segmentation import word_spans
from ietool.training.batches import columns, known_targets
from ietool.training.sets import WindowTable


class ElTrainingSet(WindowTable):
    """Base of the training sets: candidates are drawn anew every epoch, by (seed, epoch, index) alone."""

    def __init__(self, recipe: ElRecipe, prepared: Path, *, rows: Sequence[int] | None = None) -> None:
        super().__init__(prepared, list(COLUMNS), rows, bucket=recipe.training.bucket)
        self.recipe = recipe
        self.featurizer = Featurizer.open(recipe, prepared)
        self._texts, self._folds = self.table.column("text"), self.table.column("fold").to_numpy()
        self._without = Folds.load_parts(prepared / FOLDS)

    def __getitem__(self, index: int) -> dict[str, Any]:
        random = Random(f"{self.recipe.training.seed}/{self.epoch}/{index}")
        item: dict[str, Any] = {
            name: values if COLUMNS[name] == 1 else values.reshape(-1, COLUMNS[name])
            for name, values in self.row(index).items()
        }
        rows = zip(item["mentions"].tolist(), item["mention_units"].tolist(), strict=True)
        known = [(*row, *units) for row, units in rows if self.is_linkable(row)]
        chosen = random.sample(known, min(self.recipe.sampling.mentions, len(known)))
        at = self.place(index)
        item["text"] = str(self._texts[at])
        item["linkables"] = self._linkables(fold(item["text"]), chosen, self._folds[at], random)
        return item

    def is_linkable(self, mention: list[int]) -> bool:
        """Whether the answer is known and can be had: a gold entity that is no candidate of the name would only teach
        that none of the candidates fits."""
        gold = mention[3]
        return gold == NIL_ROW or (gold != UNKNOWN and gold in self.featurizer.candidates(mention[2]))

    def sampled(self, rows: list[int], gold: int, random: Random) -> list[int]:
        """The candidates of a mention that a step looks at, in order; ``gold`` is among them if it is one."""
        most = self.recipe.sampling.candidates
        if len(rows) <= most:
            return rows
        others = random.sample([row for row in rows if row != gold], most - (gold in rows))
        return [row for row in rows if row == gold or row in others]

    def _linkables(self, text: str, mentions: Sequence[Sequence[int]], part: int, random: Random) -> list[Linkable]:
        featurizer, without = self.featurizer, self._without[part]
        spans = word_spans(text) if mentions else []
        found = []
        for start, end, number, gold, nil_type, first, last in mentions:
            every = featurizer.candidates(number)
            rows = self.sampled(every, gold, random)
            position = rows.index(gold) if gold in rows else -1
            linked = linkable(featurizer, text, spans, (start, end, number), rows, len(every), without)
            found.append(replace(linked, units=(first, last), gold=position, nil_type=nil_type))
        return found


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
    """The right answers of mentions: ``link_targets`` (P,), and ``type_targets`` (m,) if any has a type."""
    gold = [float(i == linked.gold) for linked in links for i in range(len(linked.entities))]
    return {"link_targets": torch.tensor(gold), **known_targets("type_targets", [linked.nil_type for linked in links])}
