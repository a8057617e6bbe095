"""The texts with gold that an ensemble is chosen and measured on: dev, a file, or all of train out of fold."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import Any

from ietool.contest.counting import judged
from ietool.contest.ensemble.figures import Judge
from ietool.contest.ensemble.gather import Gathered
from ietool.contest.ensemble.unseen import Cut, Records, one_cut
from ietool.core.forms import reading
from ietool.errors import UserError
from ietool.nearest import did_you_mean
from ietool.progress import Progress
from ietool.recipe import Recipe
from ietool.recipe_io import change_recipe
from ietool.runs.folder import DEV
from ietool.scoring.intervals import bootstrap
from ietool.scoring.paired import Ints
from ietool.scoring.report import Report
from ietool.workflow.dev_scorer import RESAMPLES
from ietool.workflow.scores import dev_marks

OOF = "oof"
ON = (DEV, OOF)
"""What weights and thresholds are chosen on."""

OUT_OF_FOLD = "train, out of fold"


@dataclass(frozen=True)
class Asked:
    """Some texts, as often as they are gone through, and the members that are asked about them."""

    members: Gathered
    items: Iterable[Any]


@dataclass(frozen=True)
class Texts:
    """Texts with gold.

    Attributes:
        asked: one after another.
        judge: of predictions of them all.
        interval: the same with an interval.
        source: what they are called.
        groups: (texts,) of near-duplicates, where they are known.
        cut: of all of train, where members are asked of what they have not seen.
    """

    asked: Sequence[Asked]
    judge: Judge
    interval: Callable[[Iterable[Any]], Report]
    source: str
    groups: Ints | None = None
    cut: Cut | None = None


def check_on(on: str | None, gold: Path | None, files: Mapping[str, Path] | None = None) -> None:
    """Raise UserError for something to choose on that there is not."""
    if gold is not None and not gold.is_file():
        what = "is read twice, and a pipe can be read but once"
        if gold.is_dir() or (str(gold) != "-" and not gold.exists()):
            what = "is a folder, a file is needed" if gold.is_dir() else "no such file"
        raise UserError(what, field="--gold", mend="name a file")
    if files and gold is None:
        raise UserError("goes with --gold", field="--file", mend="give --gold FILE too, or leave it out")
    if on is not None and on not in ON:
        mend = did_you_mean(on, ON, f"use one of: {', '.join(ON)}")
        raise UserError(f"nothing is chosen on {on!r}", field="--on", mend=mend)
    if on is not None and gold is not None:
        raise UserError("does not go with --gold", field="--on", mend="leave one of them out")


def find_texts(
    members: Gathered,
    recipe: Recipe,
    *,
    on: str | None,
    gold: Path | None,
    files: Mapping[str, Path] | None,
    progress: Progress,
) -> Texts | str:
    """The texts that the ensemble is measured on; a sentence where there are none.

    Args:
        on: one of :data:`ON`; None: dev or, where that is of no use and all members are folds of one cut, all of train.
        gold: a gold file instead.
        files: further files that its texts need, by role; those beside it if none is named.

    Raises:
        UserError: what was named is of no use.
    """
    if gold is not None:
        return _of_file(members, recipe, gold, files)
    if on == OOF:
        return _out_of_fold(members, recipe, one_cut(members), progress)
    found = _of_dev(members, recipe)
    if isinstance(found, str):
        if on is None and all(one is not None and one.group.info.folds > 1 for one in members.folds):
            return _out_of_fold(members, recipe, one_cut(members), progress)
        equal = "all weights are equal, nothing is measured"
        return f"{found}: {equal}; name a gold file that no member was trained on: --gold FILE"
    return found


def _of_file(members: Gathered, recipe: Recipe, gold: Path, files: Mapping[str, Path] | None) -> Texts:
    items = list(reading(members.task, str(gold), files=files))
    if not items:
        raise UserError("holds no text", file=gold, mend="name a gold file")
    task, assets = members.task, members.entries[members.base].folder
    metric = getattr(recipe.score, "metric", None)

    def judge(predictions: Iterable[Any]) -> Report:
        with tempfile.TemporaryDirectory(prefix="ietool-") as folder:
            file = Path(folder) / "result.json"
            with file.open("w", encoding="utf-8", newline="\n") as out:
                for piece in task.submission(iter(predictions), assets, file.name):
                    out.write(piece)
            return task.score(
                gold, file, metric=None if metric == "auto" else metric, options=files or {}, explain=False
            )

    return Texts([Asked(members, items)], judge, judge, str(gold))


def _of_dev(members: Gathered, recipe: Recipe) -> Texts | str:
    task = members.task
    marks = dev_marks(task, [(entry.folder, Path(entry.info.prepared)) for entry in members.entries])
    if None in marks:
        return f"{members.entries[marks.index(None)].folder} has no dev set any more"
    if len(set(marks)) > 1:
        return "the members have different dev sets, and one may be trained on what another is measured on"
    prepared = next(
        (Path(e.info.prepared) for e in members.entries if (Path(e.info.prepared) / "dev.jsonl").is_file()), None
    )
    if prepared is None:
        return "the prepared data of the members is gone"
    examples = task.gold(prepared)
    if not len(examples):
        return "the dev set is empty"
    return Texts(
        [Asked(members, examples)],
        lambda predictions: task.evaluate(recipe, examples, list(predictions)),
        lambda predictions: task.evaluate(recipe, examples, list(predictions), resamples=RESAMPLES),
        DEV,
    )


def _out_of_fold(members: Gathered, recipe: Recipe, cut: Cut, progress: Progress) -> Texts:
    task = members.task
    parts = [Records(cut.base, fold) for fold in cut.folds]
    # By the variant of the group, whatever the first record of the first fold would choose.
    recipe = change_recipe(recipe, [f"score.metric={cut.metric}"]) if cut.metric else recipe
    total = len(cut.base.folds)

    def judge(predictions: Iterable[Any]) -> Report:
        pairs = zip(chain.from_iterable(parts), predictions, strict=True)
        return judged(task, recipe, pairs, lambda done: progress("score out of fold", done, total))

    def interval(predictions: Iterable[Any]) -> Report:
        report = judge(predictions)
        assert report.counts is not None and report.measures is not None
        drawn = bootstrap(report.counts, report.measures, resamples=RESAMPLES)
        return replace(report, interval=drawn.get(report.primary))

    asked = [Asked(cut.members_of(members, part.fold), part) for part in parts]
    return Texts(asked, judge, interval, OUT_OF_FOLD, cut.in_turn(), cut)
