"""What several models say of one input, as one: probabilities averaged before decoding, or results joined after it."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, Protocol, TypeVar

import numpy as np

from ietool.core.candidates import Candidates, Layout, Parts, merged
from ietool.core.labels import LabelColumn
from ietool.core.predicting import Decoder

Join = Literal["mean", "vote", "union", "intersection"]
JOINS: tuple[Join, ...] = ("mean", "vote", "union", "intersection")

EVEN = 0.5
"""The share of votes that an item must exceed, unless another is chosen."""

Item = TypeVar("Item")


class JoinedDecoder(Decoder[Any, Any], Protocol):
    """A decoder whose candidates can be averaged with those of other heads of its task."""

    @property
    def labels(self) -> LabelColumn | None:
        """What numbers labels in its rows; None if nothing does."""
        ...

    def joined(self, others: Sequence[Any]) -> Decoder[Any, Any]:
        """A decoder of rows that this head and others speak of, whose decoders are given too."""
        ...

    def plain(self, parts: Parts) -> Parts:
        """This head's parts (n, m) as those that the joined decoder has."""
        ...


@dataclass(frozen=True)
class Weights:
    """How much each member and each group counts.

    Attributes:
        groups: the numbers of the members of each group.
        members: a weight each, compared within its group.
        between: a weight a group.
    """

    groups: tuple[tuple[int, ...], ...]
    members: tuple[float, ...]
    between: tuple[float, ...]

    def of(self, group: int) -> list[float]:
        """Those of a group's members."""
        return [self.members[n] for n in self.groups[group]]


def averaged(
    said: Sequence[Candidates], weights: Weights, decoders: Sequence[JoinedDecoder], layout: Layout
) -> Candidates:
    """What all members together say of the same rows.

    Of members of one head every part is averaged. Where there are several heads, it is what every group says in the
    terms that all have (``plain``).

    Args:
        said: of each member, with equal rows.
        decoders: of each group.
        layout: of the result.
    """
    groups = [merged([said[n] for n in mine], weights.of(g)) for g, mine in enumerate(weights.groups)]
    if len(groups) == 1:
        return groups[0]
    share = np.asarray(weights.between, np.float64)
    share = share / share.sum()
    plain = np.stack([decoder.plain(one.parts) for decoder, one in zip(decoders, groups, strict=True)])
    parts = np.einsum("g,gnk->nk", share, plain).astype(np.float32)
    first = groups[0]
    # What is said of the text as a whole comes from the heads that say it, do so in this model, and count.
    able = [g for g, one in enumerate(groups)
            if layout.whole and share[g] > 0 and len(one.whole) and one.whole.min() >= 0]  # fmt: skip
    whole = np.full(len(layout.whole), -1.0, np.float32)
    if able:
        whole = np.average([groups[g].whole for g in able], axis=0, weights=share[able]).astype(np.float32)
    return Candidates(
        first.rows, parts, whole, max(one.capped for one in groups), sum(one.models for one in groups)
    )  # fmt: skip


def chosen(
    items: Sequence[Mapping[Hashable, float]],
    weights: Sequence[float],
    join: Join,
    votes: float = EVEN,
    *,
    single: bool = False,
) -> dict[Hashable, float]:
    """The items of one input that stay, each with the mean of its probabilities, 0 where it was not found.

    ``vote`` keeps what more than the share ``votes`` of the weights has found, ``union`` what any has, ``intersection``
    what all have; what has no weight does not count.

    Args:
        items: of each, what it found with its probability.
        weights: of each.
        single: whether an input has one item at most; then ``vote`` keeps the one that most have found, of equally many
            the most probable, unless more have found none.
    """
    total = float(sum(weights))
    share: dict[Hashable, float] = {}
    probability: dict[Hashable, float] = {}
    counts: dict[Hashable, int] = {}
    for mine, weight in zip(items, weights, strict=True):
        if weight <= 0:
            continue
        for item, p in mine.items():
            share[item] = share.get(item, 0.0) + weight / total
            probability[item] = probability.get(item, 0.0) + p * weight / total
            counts[item] = counts.get(item, 0) + 1
    able = sum(weight > 0 for weight in weights)
    if join == "union":
        return probability
    if join == "intersection":
        return {item: p for item, p in probability.items() if counts[item] == able}
    if single:
        best = max(share, key=lambda item: (round(share[item], 9), probability[item]), default=None)
        none = sum(w for mine, w in zip(items, weights, strict=True) if not mine and w > 0) / total
        return {} if best is None or none > share[best] + 1e-9 else {best: probability[best]}
    # A share of exactly so much is no majority, whatever the sums of weights are rounded to.
    return {item: p for item, p in probability.items() if share[item] > votes + 1e-9}


def picked(
    found: Iterable[Item], key: Callable[[Item], Hashable], wanted: Mapping[Hashable, float]
) -> list[tuple[Item, float]]:
    """Of items that several found those that are wanted, each once with its new probability: the most probable, in the
    order in which they came first. Items have a ``probability``."""
    best: dict[Hashable, Item] = {}
    for item in found:
        name = key(item)
        if name in wanted and (name not in best or best[name].probability < item.probability):  # type: ignore[attr-defined]
            best[name] = item
    return [(item, wanted[name]) for name, item in best.items()]


def with_probability(picks: Iterable[tuple[Any, float]]) -> list[Any]:
    """Items of a dataclass with their new probabilities."""
    return [replace(item, probability=p) for item, p in picks]
