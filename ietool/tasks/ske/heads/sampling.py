"""What a training step sees: sampled subjects, replaced names, sparse targets."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import torch
from datasets import Dataset, load_from_disk

from ietool.tasks.ske.features.featurizer import Featurizer, unit_rows
from ietool.tasks.ske.features.labelling import label_rows
from ietool.tasks.ske.features.prior import facts_of
from ietool.tasks.ske.heads.gplinker.batches import link_batch
from ietool.tasks.ske.heads.stages.batches import stage_batch
from ietool.tasks.ske.recipe import SkeRecipe
from ietool.training.tables import ListColumn

# Private-use characters stand for the two names while the text around them is rewritten.
_SUBJECT, _OBJECT = "\ue000", "\ue001"


class SkeTrainingSet:
    """The training windows, memory-mapped; each item is drawn anew every epoch, by (seed, epoch, index) alone."""

    def __init__(self, recipe: SkeRecipe, prepared: Path, *, limit: int | None = None) -> None:
        self.recipe = recipe
        data = load_from_disk(str(prepared / "train"))
        assert isinstance(data, Dataset)
        self.data = data if limit is None else data.select(range(min(limit, len(data))))
        self.lengths: Sequence[int] = self.data.data.column("length").to_numpy()[: len(self.data)]
        self._texts = self.data.data.column("text")
        self._columns = {
            name: ListColumn(data, name) for name in ("ids", "words", "tags", "starts", "ends", "spans", "prior")
        }
        self.featurizer = Featurizer.open(prepared, priors=recipe.model.priors or recipe.sampling.replacement > 0)
        index = self.featurizer.prior
        self._facts = index.by_label() if index is not None else {}
        self.epoch = 0

    def __len__(self) -> int:
        return len(self.data)

    def set_epoch(self, epoch: int) -> None:
        self.epoch = epoch

    def __getitem__(self, index: int) -> dict[str, Any]:
        sampling = self.recipe.sampling
        random = Random(f"{self.recipe.training.seed}/{self.epoch}/{index}")
        item: dict[str, Any] = {name: column[index] for name, column in self._columns.items()}
        item["prior"] = item["prior"].reshape(-1, 5)
        item["rows"] = item.pop("spans").reshape(-1, 5).tolist()
        if item["rows"] and random.random() < sampling.replacement:
            item = self._replaced(str(self._texts[index]), item, random) or item
        item["pairs"] = self._subjects(item["rows"], random)
        return item

    def _replaced(self, text: str, item: dict[str, Any], random: Random) -> dict[str, Any] | None:
        """The item with one triple's names swapped for those of another training fact of its label."""
        index = self.featurizer.prior
        starts, ends = item["starts"].tolist(), item["ends"].tolist()
        # Rows of characters: units [i, j) stand for the characters [starts[i], ends[j − 1]).
        stands = [(starts[a], ends[b - 1], label, starts[c], ends[d - 1]) for a, b, label, c, d in item["rows"]]
        s0, s1, label, o0, o1 = random.choice(stands)
        pool = self._facts.get(label)
        if index is None or pool is None:
            return None
        other = index.rows[pool[random.randrange(len(pool))]]
        names = {_SUBJECT: index.names[other[0]], _OBJECT: index.names[other[2]]}
        old = sorted({(text[s0:s1], _SUBJECT), (text[o0:o1], _OBJECT)}, key=lambda p: (-len(p[0]), p))

        def swap(string: str) -> str:
            for name, stand_in in old:
                string = string.replace(name, stand_in)
            for stand_in, name in names.items():
                string = string.replace(stand_in, name)
            return string

        swapped = swap(text)
        if not swapped or len(swapped) > self.recipe.data.window:
            return None
        stated = sorted({(swap(s), lab, swap(o)) for s, lab, o in facts_of(stands, text)})
        features = self.featurizer.encode(swapped, own=set(stated))
        found = label_rows(stated, swapped, first_only=self.recipe.data.occurrences == "first")
        units = features.units
        rows, _ = unit_rows(units, np.array(found, np.int32))
        return {
            "ids": units.ids, "words": units.words, "tags": units.tags, "prior": features.prior, "rows": rows.tolist(),
        }  # fmt: skip

    def _subjects(self, rows: list[list[int]], random: Random) -> list[tuple[int, int]]:
        """Up to ``sampling.subjects`` spans [start, end); an end drawn anew may make a wrong one, without objects."""
        gold = sorted({(r[0], r[1]) for r in rows})
        if not gold:
            return []
        ends = sorted({end for _, end in gold})
        chosen = []
        for start, end in random.sample(gold, min(self.recipe.sampling.subjects, len(gold))):
            if random.random() < self.recipe.sampling.wrong_subjects:
                end = random.choice([e for e in ends if e > start])
            chosen.append((start, end))
        return list(dict.fromkeys(chosen))

    def collate(self, items: list[dict[str, Any]]) -> dict[str, torch.Tensor]:
        """One batch in the form that the ``forward`` of the recipe's model takes."""
        make = link_batch if self.recipe.model.head == "gplinker" else stage_batch
        return make(items, len(self.featurizer.schema.labels), priors=self.recipe.model.priors)
