"""What a training step sees: sampled subjects, replaced names, sparse targets."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import torch
from datasets import Dataset, load_from_disk

from ietool.tasks.ske.features import Featurizer
from ietool.tasks.ske.labelling import label_rows
from ietool.tasks.ske.prior import facts_of
from ietool.tasks.ske.recipe import SkeRecipe
from ietool.training.batches import columns, pad
from ietool.training.tables import ListColumn

# Private-use characters stand for the two names while the text around them is rewritten.
_SUBJECT, _OBJECT = "\ue000", "\ue001"


def prior_marks(
    prior: np.ndarray, at: int, pairs: Sequence[tuple[int, int, int]], labels: int
) -> tuple[list[tuple[int, int, int]], list[tuple[int, int, int]]]:
    """Marks of one text's prior rows.

    Args:
        prior: (n, 5).
        at: the text's row in the batch.
        pairs: (pair number, subject start, end) of the subjects at hand.
        labels: R.

    Returns:
        (text, position, 0 start | 1 end) of known subjects, and (pair, position, r or R + r) of known objects.
    """
    rows = prior.tolist()
    subjects = {(at, s0, 0) for s0, *_ in rows} | {(at, s1 - 1, 1) for _, s1, *_ in rows}
    numbers: dict[tuple[int, int], list[int]] = {}
    for number, start, end in pairs:
        numbers.setdefault((start, end), []).append(number)
    objects = set()
    for s0, s1, label, o0, o1 in rows:
        for number in numbers.get((s0, s1), ()):
            objects.add((number, o0, label))
            objects.add((number, o1 - 1, labels + label))
    return sorted(subjects), sorted(objects)


class SkeTrainingSet:
    """The training windows, memory-mapped; each item is drawn anew every epoch, by (seed, epoch, index) alone."""

    def __init__(self, recipe: SkeRecipe, prepared: Path, *, limit: int | None = None) -> None:
        self.recipe = recipe
        data = load_from_disk(str(prepared / "train"))
        assert isinstance(data, Dataset)
        self.data = data if limit is None else data.select(range(min(limit, len(data))))
        self.lengths: Sequence[int] = self.data.data.column("length").to_numpy()[: len(self.data)]
        self._texts = self.data.data.column("text")
        self._columns = {name: ListColumn(data, name) for name in ("characters", "words", "tags", "spans", "prior")}
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
        s0, s1, label, o0, o1 = random.choice(item["rows"])
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
        stated = sorted({(swap(s), lab, swap(o)) for s, lab, o in facts_of(item["rows"], text)})
        features = self.featurizer.encode(swapped, own=set(stated))
        rows = label_rows(stated, swapped, first_only=self.recipe.data.occurrences == "first")
        return {
            "characters": features.characters, "words": features.words, "tags": features.tags,
            "prior": features.prior, "rows": [list(r) for r in rows],
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
        """One batch in the form that ``SkeModel.forward`` takes."""
        labels = len(self.featurizer.schema.labels)
        lengths = [len(item["characters"]) for item in items]
        longest = max(lengths)
        subject_targets: set[tuple[int, int, int]] = set()
        object_targets: set[tuple[int, int, int, int]] = set()
        pairs: list[tuple[int, int, int]] = []
        marks_s: list[tuple[int, int, int]] = []
        marks_o: list[tuple[int, int, int]] = []
        for at, item in enumerate(items):
            mine = []
            for s0, s1, *_ in item["rows"]:
                subject_targets.add((at, s0, 0))
                subject_targets.add((at, s1 - 1, 1))
            # A text without gold subjects still teaches the object head: its whole first character as a wrong subject.
            for start, end in item["pairs"] or [(0, 1)]:
                number = len(pairs)
                pairs.append((at, start, end - 1))
                mine.append((number, start, end))
                for s0, s1, label, o0, o1 in item["rows"]:
                    if (s0, s1) == (start, end):
                        object_targets.add((number, o0, 0, label))
                        object_targets.add((number, o1 - 1, 1, label))
            if self.recipe.model.priors:
                subjects, objects = prior_marks(item["prior"], at, mine, labels)
                marks_s += subjects
                marks_o += objects
        batch = {
            "characters": pad([item["characters"] for item in items], longest),
            "lengths": torch.tensor(lengths),
            "words": pad([item["words"] for item in items], longest),
            "tags": pad([item["tags"] for item in items], longest),
            "subject_targets": columns(sorted(subject_targets), 3),
            "pairs": columns(pairs, 3),
            "object_targets": columns(sorted(object_targets), 4),
        }
        if self.recipe.model.priors:
            batch["subject_marks"] = columns(marks_s, 3)
            batch["object_marks"] = columns(marks_o, 3)
        return batch
