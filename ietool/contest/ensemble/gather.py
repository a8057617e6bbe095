"""The runs that an ensemble is to be made of: found, looked through, and put into groups."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ietool.contest.group import GroupEntry, is_group, open_group, resume_group
from ietool.core.contract import Task
from ietool.core.joining import JOINS, Join
from ietool.core.labels import most_labels
from ietool.errors import UserError
from ietool.nearest import did_you_mean
from ietool.recipe import Recipe
from ietool.recipe_io import load_recipe
from ietool.registry import get_task
from ietool.runs.entry import RECIPE_FILE, RunEntry, open_run
from ietool.runs.members import EnsembleInfo, GroupInfo, MemberInfo, is_ensemble, member_folders, read_members
from ietool.workflow.scores import model_mark


@dataclass(frozen=True)
class Fold:
    """Which member of a group a run is.

    Attributes:
        number: of its fold, from 0.
    """

    group: GroupEntry
    number: int
    seed: int

    @property
    def column(self) -> tuple[Path, int]:
        """What it shares with the member of every other fold that says the same of other records."""
        return self.group.folder, self.seed


@dataclass(frozen=True)
class Gathered:
    """Runs of one task.

    Attributes:
        entries, recipes, decoders, marks: of each member, group by group.
        groups: how many members each group has.
        order: of each member, where it was named.
        base: the number of the member whose labels stand for all.
        notes: what the user should know of them.
        folds: of each member, which one of a group it is; None: of none.
    """

    task: Task[Any]
    entries: Sequence[RunEntry]
    recipes: Sequence[Recipe]
    decoders: Sequence[Any]
    marks: Sequence[str]
    groups: Sequence[int]
    order: Sequence[int]
    base: int
    notes: Sequence[str]
    folds: Sequence[Fold | None]

    def __len__(self) -> int:
        return len(self.entries)

    @property
    def names(self) -> list[str]:
        """What members are called in tables: the shortest ends of their paths that tell them apart."""
        return told_apart([entry.folder for entry in self.entries])

    def info(self, join: Join, weights: Sequence[float], references: Sequence[str]) -> EnsembleInfo:
        """What ``ensemble.json`` is to hold: a group counts as much as its members together."""
        told = [
            MemberInfo(run, mark, float(weight))
            for run, mark, weight in zip(references, self.marks, weights, strict=True)
        ]
        heads = [self.task.head(recipe).name for recipe in self.recipes]
        groups, at = [], 0
        for size in self.groups:
            mine = told[at : at + size]
            weight = sum(member.weight for member in mine)
            # A group that does not count still needs shares within it.
            inner = mine if weight > 0 else [MemberInfo(m.run, m.mark) for m in mine]
            groups.append(GroupInfo("+".join(dict.fromkeys(heads[at : at + size])), inner, weight))
            at += size
        return EnsembleInfo(join, groups, base=self.base)


def gather(folders: Sequence[Path], join: str) -> Gathered:
    """The runs of some folders: runs themselves, the members of ensembles, and those of groups of folds.

    Members whose candidates have the same columns make a group. Where results are joined and there would be one group
    alone, each member is one.

    Raises:
        UserError: one is no run that can be used, is named twice, or is of another task or knowledge base.
    """
    check_join(join)
    notes: list[str] = []
    found = [one for folder in folders for one in _members(folder, notes)]
    entries, folds = [open_run(place) for place, _ in found], [fold for _, fold in found]
    for entry in entries:
        _check_state(entry)
    task = _one_task(entries)
    known: dict[str, Path] = {}
    marks = [model_mark(entry.folder) for entry in entries]
    for entry, mark in zip(entries, marks, strict=True):
        if mark in known:
            message = f"is the same model as {known[mark]}: it would count twice"
            raise UserError(message, file=entry.folder, mend="name it once, and give it a weight with --weights")
        known[mark] = entry.folder
    if len(entries) < 2:
        raise UserError("an ensemble needs two runs at least", mend="name further runs")
    recipes = [load_recipe(entry.folder / RECIPE_FILE) for entry in entries]
    decoders: list[Any] = [task.decoder(recipe, entry.folder) for recipe, entry in zip(recipes, entries, strict=True)]
    _check_knowledge(entries, decoders)
    order, groups = _grouped(decoders)
    if join != "mean" and len(groups) == 1:
        groups = [1] * len(entries)
    entries, recipes, folds = [entries[n] for n in order], [recipes[n] for n in order], [folds[n] for n in order]
    decoders, marks = [decoders[n] for n in order], [marks[n] for n in order]
    base, lacking = most_labels([decoder.labels for decoder in decoders])
    if lacking:
        shown = ", ".join(map(_named, lacking[:3])) + (" …" if len(lacking) > 3 else "")
        notes.append(f"{len(lacking)} labels that {entries[base].folder} does not know are left out: {shown}")
    return Gathered(task, entries, recipes, decoders, marks, groups, order, base, notes, folds)


def check_join(join: str) -> None:
    """Raise UserError for a way of joining that there is not."""
    if join not in JOINS:
        mend = did_you_mean(join, JOINS, f"use one of: {', '.join(JOINS)}")
        raise UserError(f"nothing is joined by {join!r}", field="--join", mend=mend)


def _named(label: Any) -> str:
    return ".".join(map(str, label)) if isinstance(label, tuple) else str(label)


def told_apart(folders: Sequence[Path]) -> list[str]:
    """What folders are called in tables: the shortest ends of their paths that tell them apart."""
    parts = [folder.resolve().parts for folder in folders]
    size = next(n for n in range(1, 99) if len({path[-n:] for path in parts}) == len(set(parts)))
    return ["/".join(path[-size:]) for path in parts]


def _members(folder: Path, notes: list[str]) -> Iterator[tuple[Path, Fold | None]]:
    """The runs that a folder stands for."""
    if is_group(folder):
        group = open_group(folder)
        if group.state != "finished":
            mend = f"finish it with `{resume_group(folder)}`, or leave it out"
            raise UserError(f"is a group that is not finished ({group.state})", file=folder, mend=mend)
        info = group.info
        notes.append(f"{folder} is a group of {len(info.members)} {'folds' if info.folds > 1 else 'seeds'}: "
                     "each is a member")  # fmt: skip
        for name in info.members:
            yield folder / name, Fold(group, info.fold_of(name), info.seed_of(name))
    elif is_ensemble(folder):
        joined = read_members(folder)
        notes.append(f"{folder} is an ensemble: its {len(joined.members)} members are taken, not how it joins them")
        yield from ((place, None) for place in member_folders(folder, joined))
    else:
        yield folder, None


def _check_state(entry: RunEntry) -> None:
    if entry.info.overfit:
        message = f"is a self-check on {entry.info.overfit} records, no model"
        raise UserError(message, file=entry.folder, mend="name a run that was trained on all")
    if entry.state != "finished":
        mend = "finish it with `ietool train … --resume`, or leave it out"
        raise UserError(f"is not finished ({entry.state})", file=entry.folder, mend=mend)


def _one_task(entries: Sequence[RunEntry]) -> Task[Any]:
    tasks = [entry.info.task for entry in entries]
    usual = max(dict.fromkeys(tasks), key=tasks.count)
    for entry in entries:
        if entry.info.task != usual:
            message = f"is of the task {entry.info.task}, the others are of {usual}"
            raise UserError(message, file=entry.folder, mend="name runs of one task")
    return get_task(usual)


def _check_knowledge(entries: Sequence[RunEntry], decoders: Sequence[Any]) -> None:
    """Raise UserError where rows number entities of different knowledge bases."""
    marks = [getattr(decoder, "knowledge", None) for decoder in decoders]
    for entry, mark in zip(entries, marks, strict=True):
        if mark != marks[0]:
            message = f"has another knowledge base than {entries[0].folder}"
            raise UserError(message, file=entry.folder, mend="name runs that were trained with one knowledge base")


def _grouped(decoders: Sequence[Any]) -> tuple[list[int], list[int]]:
    """The numbers of members group by group, in the order of each group's first, and the sizes of the groups."""
    kinds: dict[Any, list[int]] = {}
    for number, decoder in enumerate(decoders):
        kinds.setdefault((type(decoder), decoder.layout), []).append(number)
    return [number for mine in kinds.values() for number in mine], [len(mine) for mine in kinds.values()]
