"""Making an ensemble: every member reads dev, weights are chosen, and a run folder is written that joins them."""

from __future__ import annotations

import math
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch

from ietool import paths
from ietool.contest.ensemble.carry import carry
from ietool.contest.ensemble.figures import Hearing, Setting, Trial
from ietool.contest.ensemble.gather import Gathered, gather
from ietool.contest.ensemble.texts import Texts, check_on, find_texts
from ietool.core.joining import Join
from ietool.core.together import Heard
from ietool.errors import UserError
from ietool.files.outputs import atomic_text, check_folder
from ietool.files.plain_json import dump_json
from ietool.prepared import corpus_of
from ietool.progress import Progress, no_progress
from ietool.recipe import Recipe
from ietool.recipe_io import save_recipe
from ietool.runs.entry import RECIPE_FILE, RunEntry
from ietool.runs.folder import DEV, check_output, create_run, update_run
from ietool.runs.info import read_info
from ietool.runs.members import COPIES, REPORT, EnsembleInfo, reference, write_members
from ietool.training.device import choose_device
from ietool.workflow.dev_scorer import write_dev
from ietool.workflow.members import RunReaders, TogetherPredictor
from ietool.workflow.scores import about_scores, dev_mark, floor_below


@dataclass(frozen=True)
class Figures:
    """What was measured; ``report.json`` keeps it.

    Attributes:
        metric: the variant, and the name of its primary value.
        texts: how many it was measured on.
        source: what these are.
        members: name, score and weight of each; where they are folds, of each group or seed of one, whose members say
            of every text what one that has not seen it says.
        equal: the score with equal weights and the recipe's threshold.
        optimistic: with what was chosen on all texts, on the same.
        nested: with what was chosen without a part, on that.
        gain: nested above equal, with its interval.
        used: whether the weights and thresholds chosen are used: if what they gain is above 0.
        score: the honest score of what is used, and the interval of what it scores on these texts.
        over_mean, over_best: what that is above the mean of the members, and the best of them, with intervals.
        agreement: n, items that n members have found, how often they are right, by what measure.
    """

    metric: str
    texts: int
    source: str
    members: Sequence[tuple[str, float, float]]
    equal: float
    optimistic: float
    nested: float
    gain: tuple[float, tuple[float, float] | None]
    used: bool
    score: float
    interval: tuple[float, float] | None
    over_mean: tuple[float, tuple[float, float] | None] | None
    over_best: tuple[float, tuple[float, float] | None] | None
    agreement: Sequence[tuple[int, int, float, str]] = ()


@dataclass(frozen=True)
class Made:
    """A new ensemble: its folder, what it is, what was measured (None: there were no texts with gold), and notes."""

    folder: Path
    info: EnsembleInfo
    names: Sequence[str]
    figures: Figures | None
    settings: Sequence[str] = ()
    notes: Sequence[str] = field(default_factory=list)


def make_ensemble(
    runs: Sequence[Path],
    *,
    output: Path | None = None,
    join: Join = "mean",
    weights: Sequence[float] | None = None,
    copy: bool = False,
    on: str | None = None,
    gold: Path | None = None,
    files: Mapping[str, Path] | None = None,
    device: str = "auto",
    members_at_once: int = 1,
    overwrite: bool = False,
    on_note: Callable[[str], None] = lambda note: None,
    progress: Progress = no_progress,
) -> Made:
    """Make an ensemble of runs, and say what it gains.

    What members say is kept beside the output until all is done, so that a later call goes on.

    Args:
        runs: folders of runs, ensembles and groups of folds.
        output: the folder to make; None: ``runs/TASK-ensemble/DATE-TIME``.
        weights: of the members, in the order of ``runs``; None: chosen.
        copy: whether the folder carries the members; else it refers to them.
        on: ``dev``, which all members must have; or ``oof``, all of train: the runs are groups of folds that cut it
            alike, and each text is asked of the members that have not seen it. None: dev, or train where that is of no
            use.
        gold: a gold file instead.
        files: further files that its texts need, by role; those beside it if none is named.

    Raises:
        UserError: the runs do not go together, or the output is taken.
    """
    check_on(on, gold, files)
    overwrite = overwrite or _is_half_made(output)
    check_output(output, overwrite=overwrite)
    members = gather(runs, join)
    if output is not None:  # it is emptied before members are referred to or copied
        read = [path for path in (gold, *(files or {}).values()) if path is not None]
        check_folder(output, [*(entry.folder / RECIPE_FILE for entry in members.entries), *read])
    for note in members.notes:
        on_note(note)
    base = members.entries[members.base]
    recipe = members.recipes[members.base].model_copy(deep=True)
    recipe.name, recipe.title, recipe.best = f"{members.task.name}-ensemble", "", None
    given = None if weights is None else _in_order(weights, members)
    found = find_texts(members, recipe, on=on, gold=gold, files=files, progress=progress)
    place = choose_device(device)
    scratch = _scratch_beside(output, recipe.name)
    if isinstance(found, str):
        on_note(found)
        trial, chosen, figures = None, Setting(tuple(given or [1.0] * len(members))), None
        joined = list(chosen.weights)
    else:
        asking = _Asking(join, recipe, place, members_at_once, scratch, progress)
        trial = asking.trial(found, given)
        chosen, figures = _measured(trial, members, found, choose_weights=given is None)
        joined = list(chosen.weights) if found.cut is None else found.cut.spread(chosen.weights)
    facts = _facts(members, recipe)
    if not isinstance(found, str) and found.cut is not None:  # a fold's preparation tells of a part of train alone
        prepared = found.cut.base.folder
        facts |= {"prepared": str(prepared.resolve()), "corpus": corpus_of(prepared)}
    folder = create_run(recipe, output, device=str(place), overwrite=overwrite, **facts)
    try:
        references = [reference(folder, entry.folder) for entry in members.entries]
        if copy:
            references = carry([entry.folder for entry in members.entries], members.names, folder)
        info = members.info(join, joined, references)
        info.votes, info.copied = chosen.votes, copy
        write_members(folder, info)
        settings = []
        if chosen.threshold is not None and trial is not None:
            recipe.decode = trial.decode_of(chosen)
            settings.append(f"decode.{trial.threshold_key}={chosen.threshold:g}")
            save_recipe(recipe, folder / RECIPE_FILE)
        best = None
        if figures is not None and trial is not None and not isinstance(found, str):
            best = {"score": figures.score, "metric": figures.metric, "interval": figures.interval}
            with atomic_text(folder / REPORT) as out:
                out.write(dump_json(asdict(figures), indent=2) + "\n")
            if found.cut is not None:
                best["source"] = figures.source
            elif gold is None:
                _keep(folder, trial, chosen, members, recipe, base.info.prepared)
        update_run(folder, best=best, tuned=settings, differences={})
        own = [RECIPE_FILE, "run.json", "ensemble.json", *([REPORT] if figures is not None else [])]
        carried = [
            path.relative_to(folder).as_posix() for path in sorted((folder / COPIES).rglob("*")) if path.is_file()
        ]
        update_run(folder, state="finished", files=sorted([*own, *carried]))
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    shutil.rmtree(scratch, ignore_errors=True)
    notes = [] if trial is None else [note for one in trial.hearings for note in one.predictor.notes]
    return Made(folder, info, members.names, figures, settings, list(dict.fromkeys(notes)))


def _is_half_made(output: Path | None) -> bool:
    """Whether an ensemble that was killed as its folder was written stands there: it is made anew, of what its members
    have said already."""
    if output is None or (info := read_info(output)) is None:
        return False
    return bool(info.members) and RunEntry(output, info).state == "interrupted"


def _in_order(weights: Sequence[float], members: Gathered) -> list[float]:
    every = [members.folds[n] for n in sorted(range(len(members)), key=members.order.__getitem__)]
    columns = list(dict.fromkeys(None if one is None else one.column for one in every))
    if len(weights) == len(columns) and None not in columns:  # one for all folds of a group
        weights = [weights[columns.index(one.column)] for one in every if one is not None]
    if len(weights) != len(members):
        named = ", ".join(name for _, name in sorted(zip(members.order, members.names, strict=True)))
        message = f"names {len(weights)} weights, the ensemble has {len(members)} members: {named}"
        raise UserError(message, field="--weights", mend="name one for each, with commas between them")
    if any(weight < 0 for weight in weights) or not 0 < sum(weights) < math.inf:
        what = "must be finite, not below 0, nor all 0"
        raise UserError(what, field="--weights", mend="write for example --weights 2,1,1")
    return [float(weights[at]) for at in members.order]


def _scratch_beside(output: Path | None, name: str) -> Path:
    """Where what members say is kept until the ensemble is made."""
    place = paths.runs_folder() / name if output is None else output
    return place.with_name(f".{place.name}.members")


def _facts(members: Gathered, recipe: Recipe) -> dict[str, Any]:
    info = members.entries[members.base].info
    return {
        "precision": info.precision,
        "prepared": info.prepared,
        "base_model": info.base_model,
        "corpus": info.corpus,
        "members": list(members.names),
    }


# -- figures


@dataclass(frozen=True)
class _Asking:
    """How members are asked about texts: one after another, what they say kept on disk."""

    join: Join
    recipe: Recipe
    device: torch.device
    at_once: int
    scratch: Path
    progress: Progress

    def trial(self, texts: Texts, given: Sequence[float] | None) -> Trial:
        """What the members say of texts.

        Args:
            given: a weight a member; None: all count the same.
        """
        cut = texts.cut
        if given is None:
            start = [1.0] * (len(texts.asked[0].members) if cut is None else len(cut.columns))
        else:
            start = list(given) if cut is None else cut.gathered(given)
        hearings: list[Hearing] = []
        for number, (members, items) in enumerate((one.members, one.items) for one in texts.asked):
            place = self.scratch if cut is None else self.scratch / f"fold-{number + 1}"
            predictor = self._predictor(members, start, place)
            if cut is None:
                hearings.append(Hearing(predictor, list(predictor.together.heard(items))))
                continue
            for _ in predictor.together.heard(items):
                pass
            predictor.readers.release()  # before the models of the next fold are opened
            hearings.append(Hearing(predictor, _Again(predictor, items)))
        counts = None if cut is None else self.scratch / "counts"
        if counts is not None:
            counts.mkdir(parents=True, exist_ok=True)

        def told(done: int) -> None:
            self.progress("settings tried", done, None)

        equal = Setting(tuple(start))
        return Trial(hearings, texts.judge, equal, self.recipe, groups=texts.groups, scratch=counts, told=told)

    def _predictor(self, members: Gathered, weights: Sequence[float], scratch: Path) -> TogetherPredictor:
        folders = [entry.folder for entry in members.entries]
        readers = RunReaders(members.task, folders, members.recipes, members.marks, self.device, self.at_once)
        info = members.info(self.join, weights, list(map(str, folders)))
        predictor = TogetherPredictor(members.task, info, readers, self.recipe.decode, scratch=scratch)
        predictor.together.progress = self.progress
        return predictor


@dataclass(frozen=True)
class _Again:
    """What members said, from disk."""

    predictor: TogetherPredictor
    items: Iterable[Any]

    def __iter__(self) -> Iterator[Heard]:
        return self.predictor.together.heard(self.items)


def _measured(trial: Trial, members: Gathered, texts: Texts, *, choose_weights: bool) -> tuple[Setting, Figures]:
    estimate = trial.nested(weights=choose_weights)
    used = estimate.chosen != trial.equal and estimate.gain > 0
    setting = estimate.chosen if used else trial.equal
    honest = trial.apart(estimate) if used else trial.counts(trial.equal)
    gains = trial.gains(honest)
    report = texts.interval(trial.predictions(setting))
    values = [float(own.values[own.primary]) for own in trial.reports]
    names = members.names if texts.cut is None else texts.cut.columns
    figures = Figures(
        metric=report.metric,
        texts=trial.texts,
        source=texts.source,
        members=list(zip(names, values, setting.weights, strict=True)),
        equal=estimate.before,
        optimistic=estimate.optimistic,
        nested=estimate.nested,
        gain=(estimate.gain, estimate.interval),
        used=used,
        score=estimate.nested if used else estimate.before,
        interval=report.interval,
        over_mean=gains.get("mean"),
        over_best=gains.get("best"),
        agreement=trial.agreement(),
    )
    return setting, figures


def _keep(folder: Path, trial: Trial, setting: Setting, members: Gathered, recipe: Recipe, prepared: str) -> None:
    """What the ensemble says of dev, as a finished run keeps it."""
    predictor = trial.predictor
    heard = list(trial.hearings[0].heard)
    predictions = list(trial.predictions(setting))
    report = predictor.task.evaluate(recipe, [one.item for one in heard], predictions, outcomes=True)
    kept = None
    if not predictor.joins_results:
        floor = floor_below(predictor.reader, predictor.decoder, recipe.decode)
        about = about_scores(recipe, folder, DEV, dev_mark(predictor.assets, Path(prepared)) or "")

        def found() -> Iterator[Any]:
            for one in heard:
                yield trial.found(setting, one)

        kept = (predictor.reader.layout, floor, found(), about)
    write_dev(folder, lambda: report, kept)
