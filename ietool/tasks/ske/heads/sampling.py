"""What a training step sees of a sentence, whatever the head: the sentence as it is, or with names replaced."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import torch

from ietool.core.soft import drawn
from ietool.tasks.ske.features.featurizer import Featurizer, unit_rows
from ietool.tasks.ske.features.labelling import label_rows
from ietool.tasks.ske.features.prior import facts_of
from ietool.tasks.ske.recipe import SkeRecipe
from ietool.training.batches import LONGEST, Width, pad
from ietool.training.sets import WindowTable

# Private-use characters stand for the two names while the text around them is rewritten.
_SUBJECT, _OBJECT = "\ue000", "\ue001"


class SkeTrainingSet(WindowTable):
    """The training windows, memory-mapped; each item is drawn anew every epoch, by (seed, epoch, index) alone. Heads
    add what they are taught.

    Args:
        rows: numbers of the records whose windows are wanted; None: all.
    """

    def __init__(self, recipe: SkeRecipe, prepared: Path, *, rows: Sequence[int] | None = None) -> None:
        lists = ("ids", "words", "tags", "starts", "ends", "spans", "prior")
        super().__init__(prepared, lists, rows, bucket=recipe.training.bucket)
        self.recipe, self.chances = recipe, self.soft()
        self._texts = self.table.column("text")
        self.featurizer = Featurizer.open(prepared, priors=recipe.model.priors or recipe.sampling.replacement > 0)
        index = self.featurizer.prior
        self._facts = index.by_label() if index is not None else {}

    def __getitem__(self, index: int) -> dict[str, Any]:
        return self.drawn(index, Random(f"{self.recipe.training.seed}/{self.epoch}/{index}"))

    def drawn(self, index: int, random: Random) -> dict[str, Any]:
        """An item as chance has it: its names replaced, or as they stand."""
        item = self.row(index)
        item["prior"] = item["prior"].reshape(-1, 5)
        item["rows"] = item.pop("spans").reshape(-1, 5).tolist()
        if self.chances is not None and len(chance := self.chances[self.place(index)]):
            text, starts, ends = str(self._texts[self.place(index)]), item["starts"], item["ends"]
            subjects = [text[starts[first] : ends[behind - 1]] for first, behind, *_ in item["rows"]]
            item["rows"] = drawn(item["rows"], chance, self.recipe.data.soft_weight, random, subjects)
        if item["rows"] and random.random() < self.recipe.sampling.replacement:
            item = self._replaced(str(self._texts[self.place(index)]), item, random) or item
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
        first_only = self.recipe.data.occurrences == "first"
        found = label_rows(stated, swapped, first_only=first_only, words=self.featurizer.schema.words)
        units = features.units
        rows, _ = unit_rows(units, np.array(found, np.int32))
        return {
            "ids": units.ids, "words": units.words, "tags": units.tags, "prior": features.prior, "rows": rows.tolist(),
        }  # fmt: skip


def text_batch(items: list[dict[str, Any]], width: Width = LONGEST) -> dict[str, torch.Tensor]:
    """``ids``, ``words``, ``tags`` (B, L) and ``lengths`` (B,) of some items."""
    lengths = [len(item["ids"]) for item in items]
    longest = width.of([item["ids"] for item in items])
    padded = {name: pad([item[name] for item in items], longest) for name in ("ids", "words", "tags")}
    return padded | {"lengths": torch.tensor(lengths)}
