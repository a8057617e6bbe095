"""Candidates that no model made: what is right, and as much that is wrong, with probabilities that tell them apart."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from ietool.contest.sources import Source
from ietool.core.candidates import Candidates


def shaken(source: Source, seed: int = 4) -> list[Candidates]:
    """The candidates of a source, each part made smaller by chance; those of a mention alike in all its rows."""
    dice = np.random.default_rng(seed)
    links = source.stored.layout.parts[-1] == "link"

    def less(one: Candidates) -> Candidates:
        factors = dice.uniform(0.2, 1, one.parts.shape)
        if links and len(one):
            _, mention = np.unique(np.delete(one.rows, 3, axis=1), axis=0, return_inverse=True)
            factors[:, :-1] = factors[mention.reshape(-1), :-1]
        return replace(one, parts=(one.parts * factors).astype(np.float32))

    return [less(one) for one in source.stored]


def triples(source: Source, seed: int = 4) -> list[Candidates]:
    """Gold triples and wrong ones, of a head in stages."""
    dice = np.random.default_rng(seed)
    labels: list[Any] = source.task.decoder(source.recipe, source.assets).schema.labels  # type: ignore[attr-defined]
    found = []
    for example in source.gold:
        rows, parts = [], []
        for triple in example.triples:
            for slot, value in triple.object:
                a, c = example.text.find(triple.subject), example.text.find(value)
                right = (a, a + len(triple.subject), labels.index((triple.predicate, slot)), c, c + len(value), 0)
                wrong = (*right[:2], int(dice.integers(len(labels))), c, max(c + 1, c + len(value) - 1), 0)
                rows += [right, wrong]
                parts += [dice.beta(6, 2, 6), dice.beta(4, 3, 6)]
        numbers = np.array(parts, np.float32).reshape(-1, 6)
        numbers[:, [2, 5]] = 0.0  # no end is nearer
        found.append(Candidates(np.array(rows, np.int32).reshape(-1, 6), numbers, np.zeros(0, np.float32)))
    return found
