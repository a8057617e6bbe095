"""What fits into the hours: which members are trained, on which folds, for how many epochs.

The order of worth, by what winners of such contests report and what was measured here: first one model of each recipe
that is trained as long as its recipe wants; then folds, which give the honest estimate and cleaner thresholds; then
further seeds. What is left of a small budget is one model trained for fewer epochs.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from ietool.contest.compete.recipes import names_of
from ietool.recipe import Recipe

TRAINING = 0.8
"""Share of the hours that trainings may plan; the rest is for what follows, and for a machine that gets slower."""

AFTER = 40.0
"""Seconds that are kept for what follows the trainings: some processes that start, predict, check and pack."""

FOLDS = 4
SEEDS = 4
"""Most seeds of one recipe."""

FEW = 5000
"""Records below which steps are made smaller and epochs more."""


@dataclass(frozen=True)
class Speed:
    """What was measured of a recipe.

    Attributes:
        records: of train.
        items: that one epoch trains on.
        epoch: seconds of one.
        dev: seconds that scoring dev takes after each.
        start: seconds until the first step.
    """

    records: int
    items: int
    epoch: float
    dev: float
    start: float


@dataclass(frozen=True)
class Member:
    """One training.

    Attributes:
        recipe: its name in the competition.
        seed: of its training.
        folds: into how many parts train is cut, each left out once; 0: it learns from all of train.
        epochs: of its first stage.
        seconds: that it is reckoned to take.
        settings: further ``key=value`` settings.
    """

    recipe: str
    seed: int
    folds: int
    epochs: int
    seconds: float
    settings: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """Of its folder."""
        return f"{self.recipe}-{f'{self.folds}-folds-' if self.folds else ''}seed-{self.seed}"


@dataclass(frozen=True)
class Plan:
    """What is to be done, and what it is reckoned to take.

    Attributes:
        hours: that were given.
        members: in the order in which they are trained.
        notes: why it is so.
    """

    hours: float
    members: Sequence[Member]
    notes: Sequence[str] = field(default_factory=list)

    @property
    def seconds(self) -> float:
        return sum(member.seconds for member in self.members)

    def record(self) -> dict[str, Any]:
        """As plain data."""
        return {"hours": self.hours, "members": [asdict(m) for m in self.members], "notes": list(self.notes)}

    @classmethod
    def of(cls, data: dict[str, Any]) -> Plan:
        """From plain data."""
        members = [Member(**{**one, "settings": tuple(one["settings"])}) for one in data["members"]]
        return cls(float(data["hours"]), members, list(data["notes"]))


def small_data(recipe: Recipe, records: int) -> tuple[str, ...]:
    """Settings that few records want: smaller steps, an average over fewer of them."""
    if records >= FEW:
        return ()
    settings = ["training.ema_decay=0.99"] if recipe.training.ema_decay else []
    if recipe.training.batch_size > 16:
        settings.append("training.batch_size=16")
    return tuple(settings)


def make_plan(hours: float, recipes: Sequence[Recipe], speeds: Sequence[Speed], *, folds: int | None = None) -> Plan:
    """The trainings that fit into some hours.

    Args:
        recipes: the most promising first.
        speeds: of each.
        folds: how many folds each recipe is trained on; None: as many as fit, 0 or :data:`FOLDS`.
    """
    budget = max(0.0, hours * 3600 * TRAINING - AFTER)
    notes: list[str] = []
    names = names_of(recipes)

    def seconds(n: int, epochs: int, parts: int = 0) -> float:
        speed = speeds[n]
        one = speed.start + epochs * (speed.epoch * ((parts - 1) / parts if parts else 1.0) + speed.dev)
        return one * max(parts, 1)

    def member(n: int, seed: int, epochs: int, parts: int) -> Member:
        settings = small_data(recipes[n], speeds[n].records)
        return Member(names[n], seed, parts, epochs, seconds(n, epochs, parts), settings)

    wanted = [_epochs(recipe, speed) for recipe, speed in zip(recipes, speeds, strict=True)]
    able = [n for n in range(len(recipes)) if seconds(n, wanted[n]) <= budget]
    if not able:
        n = min(range(len(recipes)), key=lambda n: seconds(n, wanted[n]))
        epochs = max(1, math.floor((budget - speeds[n].start) / max(speeds[n].epoch + speeds[n].dev, 1e-9)))
        notes.append(f"{names[n]} wants {wanted[n]} epochs; {epochs} fit into the time")
        return Plan(hours, [member(n, recipes[n].training.seed, epochs, 0)], notes)
    members: list[Member] = []
    left = budget
    parts = FOLDS if folds is None else folds
    first = able[0]
    # Folds of the first recipe, if they leave room for nothing worse than themselves.
    if parts >= 2 and seconds(first, wanted[first], parts) <= left * (1.0 if len(able) == 1 else 0.6):
        members.append(member(first, recipes[first].training.seed, wanted[first], parts))
        left -= members[-1].seconds
        notes.append(f"{parts} folds of {names[first]}: their scores of train are of models that have not seen it")
    for seed in range(SEEDS):
        for n in able:
            if members and seed == 0 and n == first and members[0].folds:
                continue
            one = member(n, recipes[n].training.seed + seed, wanted[n], 0)
            if one.seconds <= left:
                members.append(one)
                left -= one.seconds
    if not members:
        members.append(member(first, recipes[first].training.seed, wanted[first], 0))
    notes += [
        f"{name} is left out: {seconds(n, wanted[n]) / 60:,.0f} minutes for one training"
        for n, name in enumerate(names)
        if n not in able
    ]
    return Plan(hours, members, notes)


def _epochs(recipe: Recipe, speed: Speed) -> int:
    """As many as the recipe wants, more of few records: they see too few steps in so many passes."""
    epochs = recipe.training.epochs
    steps = 1500 * 16  # items that a model from scratch wants to have seen
    return max(epochs, min(4 * epochs, math.ceil(steps / max(speed.items, 1))))
