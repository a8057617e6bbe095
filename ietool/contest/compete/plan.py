"""What fits into the hours: which members are trained, on which folds, for how many epochs.

The order of worth, by what winners of such contests report and what was measured here: first one model of each recipe
that is trained as long as its recipe wants; then folds, which give the honest estimate and cleaner thresholds; then
further seeds. What is left of a small budget is one model trained for fewer epochs.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Sequence
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
        text: seconds that the prediction of one text takes.
    """

    records: int
    items: int
    epoch: float
    dev: float
    start: float
    text: float = 0.0


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
        devices: on how many they are trained, one on each at a time.
        after: seconds that their predictions are reckoned to take.
    """

    hours: float
    members: Sequence[Member]
    notes: Sequence[str] = field(default_factory=list)
    devices: int = 1
    after: float = 0.0

    @property
    def seconds(self) -> float:
        """That all trainings are reckoned to take."""
        loads = Loads(self.devices)
        for member in self.members:
            loads.add(member.seconds)
        return max(loads.seconds)

    def record(self) -> dict[str, Any]:
        """As plain data."""
        return {
            "hours": self.hours, "members": [asdict(m) for m in self.members], "notes": list(self.notes),
            "devices": self.devices, "after": self.after,
        }  # fmt: skip

    @classmethod
    def of(cls, data: dict[str, Any]) -> Plan:
        """From plain data."""
        members = [Member(**{**one, "settings": tuple(one["settings"])}) for one in data["members"]]
        devices, after = int(data.get("devices", 1)), float(data.get("after", 0.0))
        return cls(float(data["hours"]), members, list(data["notes"]), devices, after)


def keys_of(settings: Iterable[str]) -> frozenset[str]:
    """The keys of ``KEY=VALUE``."""
    return frozenset(setting.partition("=")[0].strip() for setting in settings)


class Loads:
    """Seconds that each of some devices is busy, where each training goes to the one that is free first."""

    def __init__(self, devices: int) -> None:
        self.seconds = [0.0] * max(devices, 1)

    def add(self, seconds: float) -> None:
        """One training more."""
        self.seconds[self.seconds.index(min(self.seconds))] += seconds

    def fits(self, seconds: float, budget: float) -> bool:
        """Whether one more would end within so many seconds."""
        return min(self.seconds) + seconds <= budget


def small_data(recipe: Recipe, records: int, kept: Collection[str] = ()) -> tuple[str, ...]:
    """Settings that few records want: smaller steps, an average over fewer of them; none of the keys that are kept."""
    if records >= FEW:
        return ()
    settings = ["training.ema_decay=0.99"] if recipe.training.ema_decay else []
    if recipe.training.batch_size > 16:
        settings.append("training.batch_size=16")
    return tuple(setting for setting in settings if setting.partition("=")[0] not in kept)


def make_plan(
    hours: float,
    recipes: Sequence[Recipe],
    speeds: Sequence[Speed],
    *,
    folds: int | None = None,
    devices: int = 1,
    share: float = 0.0,
    spent: float = 0.0,
    kept: Collection[str] = (),
) -> Plan:
    """The trainings that fit into some hours.

    Args:
        recipes: the most promising first.
        speeds: of each.
        folds: how many folds the first recipe is trained on; None: as many as fit, 0 or :data:`FOLDS`.
        devices: that train at the same time.
        share: how many texts are to be predicted for each that train has.
        spent: seconds of the hours that are over.
        kept: keys that the user has set, which stay as they are, but for epochs that do not fit.
    """
    budget = max(0.0, hours * 3600 * TRAINING - AFTER - spent)
    # What is kept for a machine that gets slower may be short of what many texts take to be predicted.
    whole = max(0.0, hours * 3600 * (1 + TRAINING) / 2 - AFTER - spent)
    notes: list[str] = []
    names = names_of(recipes)

    def seconds(n: int, epochs: int, parts: int = 0) -> float:
        speed = speeds[n]
        one = speed.start + epochs * (speed.epoch * ((parts - 1) / parts if parts else 1.0) + speed.dev)
        return one * max(parts, 1)

    def member(n: int, seed: int, epochs: int, parts: int) -> Member:
        settings = small_data(recipes[n], speeds[n].records, kept)
        return Member(names[n], seed, parts, epochs, seconds(n, epochs, parts), settings)

    def answering(n: int, parts: int = 0) -> float:
        return speeds[n].text * speeds[n].records * share * max(parts, 1)

    own = "training.epochs" in kept
    wanted = [
        recipe.training.epochs if own else _epochs(recipe, speed) for recipe, speed in zip(recipes, speeds, strict=True)
    ]
    able = [n for n in range(len(recipes)) if seconds(n, wanted[n]) <= min(budget, whole - answering(n))]
    if not able:
        n = min(range(len(recipes)), key=lambda n: seconds(n, wanted[n]))
        room = min(budget, whole - answering(n)) - speeds[n].start
        epochs = max(1, math.floor(room / max(speeds[n].epoch + speeds[n].dev, 1e-9)))
        notes.append(f"{names[n]} wants {wanted[n]} epochs; {epochs} fit into the time")
        if folds:
            notes.append(f"{folds} folds do not fit into the time")
        return Plan(hours, [member(n, recipes[n].training.seed, epochs, 0)], notes, devices, answering(n))
    members: list[Member] = []
    loads, after = Loads(devices), 0.0
    parts = FOLDS if folds is None else folds
    first = able[0]
    # Folds of the first recipe, if they leave room for nothing worse than themselves; one device trains them all.
    room = min(budget * (1.0 if len(able) == 1 or devices > 1 else 0.6), whole - answering(first, parts))
    if parts >= 2 and seconds(first, wanted[first], parts) <= room:
        members.append(member(first, recipes[first].training.seed, wanted[first], parts))
        loads.add(members[-1].seconds)
        after += answering(first, parts)
        notes.append(f"{parts} folds of {names[first]}: their scores of train are of models that have not seen it")
    elif folds:
        minutes = seconds(first, wanted[first], parts) / 60
        notes.append(f"{parts} folds of {names[first]} do not fit into the time: {minutes:,.0f} minutes")
    for seed in range(SEEDS):
        for n in able:
            if members and seed == 0 and n == first and members[0].folds:
                continue
            one = member(n, recipes[n].training.seed + seed, wanted[n], 0)
            if loads.fits(one.seconds, min(budget, whole - after - answering(n))):
                members.append(one)
                loads.add(one.seconds)
                after += answering(n)
    if not members:
        members.append(member(first, recipes[first].training.seed, wanted[first], 0))
        after = answering(first)
    notes += [
        f"{name} is left out: {seconds(n, wanted[n]) / 60:,.0f} minutes for one training"
        for n, name in enumerate(names)
        if n not in able
    ]
    return Plan(hours, members, notes, devices, after)


def _epochs(recipe: Recipe, speed: Speed) -> int:
    """As many as the recipe wants, more of few records: they see too few steps in so many passes."""
    epochs = recipe.training.epochs
    steps = 1500 * 16  # items that a model from scratch wants to have seen
    return max(epochs, min(4 * epochs, math.ceil(steps / max(speed.items, 1))))
