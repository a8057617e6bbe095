"""What heads are taught that find subjects first: sampled subjects; targets and marks as sparse indices."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import Any

import numpy as np
import torch

from ietool.tasks.ske.heads.sampling import SkeTrainingSet, text_batch
from ietool.tasks.ske.heads.stages.recipe import StageRecipe
from ietool.training.batches import LONGEST, Width, columns


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


def stage_batch(
    items: list[dict[str, Any]], labels: int, *, priors: bool, width: Width = LONGEST
) -> dict[str, torch.Tensor]:
    """What :meth:`ietool.tasks.ske.heads.stages.model.TwoStageModel.forward` takes; ``labels`` is R."""
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
        if priors:
            subjects, objects = prior_marks(item["prior"], at, mine, labels)
            marks_s += subjects
            marks_o += objects
    batch = text_batch(items, width) | {
        "subject_targets": columns(sorted(subject_targets), 3),
        "pairs": columns(pairs, 3),
        "object_targets": columns(sorted(object_targets), 4),
    }
    if priors:
        batch["subject_marks"] = columns(marks_s, 3)
        batch["object_marks"] = columns(marks_o, 3)
    return batch


class StageTrainingSet(SkeTrainingSet):
    """Windows with some of their subjects."""

    recipe: StageRecipe

    def drawn(self, index: int, random: Random) -> dict[str, Any]:
        item = super().drawn(index, random)
        item["pairs"] = self._subjects(item["rows"], random)
        return item

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
        """One batch in the form that ``TwoStageModel.forward`` takes."""
        labels = len(self.featurizer.schema.labels)
        return stage_batch(items, labels, priors=self.recipe.model.priors, width=self.width)
