"""``ietool tune``: thresholds chosen on candidates that were kept, and what that is worth on texts not chosen on."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ietool.contest.judging import Judge
from ietool.contest.nested import Nested, nested, parts_of
from ietool.contest.search import Search, tuned_keys
from ietool.contest.sources import Source, open_source
from ietool.core.kin import groups_of
from ietool.errors import UserError
from ietool.files.plain_json import dump_json, load_json
from ietool.progress import Progress, no_progress
from ietool.recipe import Section
from ietool.recipe_io import load_recipe, save_recipe
from ietool.report.card import write_card
from ietool.runs.entry import RECIPE_FILE, open_run
from ietool.runs.folder import update_run
from ietool.runs.members import REPORT


@dataclass(frozen=True)
class Tuned:
    """What came of it.

    Attributes:
        settings: ``decode.key`` → (value before, value chosen), of those that change.
        outcome: the estimate, nested and optimistic.
        metric, texts, parts: of what, on how many, in how many parts.
        key: the main threshold.
        curve: (its value, the measure with the chosen settings but for it and thresholds by label).
        written: the run folders whose recipes have the settings now.
        floor: above which candidates were kept.
        apart: the runs that had other settings than the first, over whose settings the gain is told.
        again: whether settings or weights had been chosen on these texts before.
    """

    source: Source
    settings: dict[str, tuple[Any, Any]]
    outcome: Nested[Section]
    metric: str
    primary: str
    texts: int
    parts: int
    key: str
    curve: Sequence[tuple[float, float]]
    floor: float
    seconds: float
    written: Sequence[Path] = field(default_factory=list)
    apart: Sequence[Path] = field(default_factory=list)
    again: bool = False


def tune(
    run: Path,
    *,
    scores: Path | None = None,
    gold: Path | None = None,
    files: Mapping[str, Path] | None = None,
    parts: int = 5,
    dry: bool = False,
    force: bool = False,
    progress: Progress = no_progress,
) -> Tuned:
    """Choose the settings of a run's ``decode`` that score best on kept candidates, and write them into its recipe.

    Args:
        run: a run, an ensemble, or a group of folds.
        scores, gold: a folder of candidates and the file with gold that they are of; default: those of dev that the
            training kept, of folds the out-of-fold ones of train.
        files: further files that the texts of ``gold`` need, by role; those beside it if none is named.
        parts: of the texts, for the nested estimate.
        dry: write nothing.
        force: write also what is no gain by the nested estimate.

    Raises:
        UserError: there are no candidates of this run and this gold, or too few texts.
    """
    begin = time.monotonic()
    source = open_source(run, scores=scores, gold=gold, files=files)
    task, recipe, stored = source.task, source.recipe, source.stored
    progress("judge the settings there are", 0, None)
    start = task.tuning_start(recipe, source.gold)
    judge = Judge(task, recipe, source.assets, source.gold, stored, start, source.decoder)
    groups = source.groups
    if groups is None:
        groups = groups_of([task.kin(example) for example in source.gold])
    groups = groups[judge.texts]
    parts = min(parts, len(np.unique(groups)))
    if parts < 2:
        raise UserError("holds too few texts to choose by", file=source.named, mend="give --scores and --gold of more")
    of_text = parts_of(groups, parts)
    done = 0

    def told() -> None:
        nonlocal done
        done += 1
        progress("search", done, parts + 1)

    search = Search(judge, of_text, stored.floor, start, told)
    outcome = nested(of_text, search.choose, judge.counts, judge.value, recipe.decode, groups=groups)
    key, curve = _curve(search, outcome.chosen, range(parts))
    settings = changes(recipe.decode, outcome.chosen)
    # Of folds each may have found others when its training was over, or been tuned alone.
    apart = [folder for folder in source.runs if _to_be_written(folder, recipe.decode)]
    written: list[Path] = []
    if not dry and (force or outcome.gain > 0 or not settings):
        for folder in source.runs:
            if own := _to_be_written(folder, outcome.chosen, settings):
                write_settings(folder, own)
                written.append(folder)
    return Tuned(
        source, settings, outcome, judge.metric, judge.primary, len(judge.texts), parts, key, curve,
        stored.floor.default, time.monotonic() - begin, written, apart,
        again=scores is None and any(map(_chosen_before, source.runs)),
    )  # fmt: skip


def _chosen_before(run: Path) -> bool:
    """Whether settings or weights of a run were chosen on its kept scores: what starts from them flatters."""
    if open_run(run, weights=False).info.tuned:
        return True
    try:
        return bool(load_json((run / REPORT).read_text(encoding="utf-8"))["used"])
    except (OSError, ValueError, LookupError, TypeError):
        return False


def _to_be_written(run: Path, chosen: Section, settings: Collection[str] = ()) -> list[str]:
    """What in the recipe of a run is to be what was chosen, ``key=value``: all that is tuned."""
    own: Any = load_recipe(run / RECIPE_FILE)
    names = {*(f"decode.{name}" for name in tuned_keys(chosen)), *settings}
    return [f"{name}={dump_json(new)}" for name, (_, new) in changes(own.decode, chosen).items() if name in names]


def _curve(search: Search, chosen: Section, seen: Sequence[int]) -> tuple[str, list[tuple[float, float]]]:
    key = next((name for name, mark in tuned_keys(chosen).items() if mark.main), None)
    if key is None:
        return "", []
    plain = chosen if search.label_key is None else chosen.model_copy(update={search.label_key: {}})
    return key, search.curve(plain, key, seen)


def changes(before: Section, after: Section) -> dict[str, tuple[Any, Any]]:
    """``decode.key`` → (value before, value after), of the keys that differ."""
    return {f"decode.{name}": (value, getattr(after, name)) for name, value in before if value != getattr(after, name)}


def write_settings(run: Path, settings: Sequence[str]) -> None:
    """Write ``key=value`` settings into the recipe of a run, and tell of them in its ``run.json`` and its card."""
    path = run / RECIPE_FILE
    save_recipe(load_recipe(path, settings), path)
    entry = open_run(run, weights=False)
    names = {setting.partition("=")[0] for setting in settings}
    kept = [old for old in entry.info.tuned if old.partition("=")[0] not in names]
    update_run(run, tuned=[*kept, *settings])
    if entry.has_weights:
        write_card(run)
