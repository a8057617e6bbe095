"""Making an ensemble: every member reads dev, weights are chosen, and a run folder is written that joins them."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from ietool import paths
from ietool.contest.ensemble.carry import carry
from ietool.contest.ensemble.figures import Judge, Setting, Trial
from ietool.contest.ensemble.gather import Gathered, gather
from ietool.core.candidate_files import ABOUT
from ietool.core.forms import reading
from ietool.core.joining import Join
from ietool.errors import UserError
from ietool.files.outputs import atomic_text
from ietool.files.plain_json import dump_json, load_json
from ietool.progress import Progress, no_progress
from ietool.recipe import Recipe
from ietool.recipe_io import save_recipe
from ietool.runs.entry import RECIPE_FILE
from ietool.runs.folder import DEV, check_output, create_run, update_run
from ietool.runs.members import COPIES, EnsembleInfo, reference, write_members
from ietool.scoring.report import Report
from ietool.training.device import autocast, choose_device, choose_precision
from ietool.workflow.dev_scorer import RESAMPLES, write_dev
from ietool.workflow.members import RunReaders, TogetherPredictor
from ietool.workflow.scores import about_scores, file_mark, floor_below

REPORT = "report.json"


@dataclass(frozen=True)
class Figures:
    """What was measured; ``report.json`` keeps it.

    Attributes:
        metric: the variant, and the name of its primary value.
        texts: how many it was measured on.
        source: what these are.
        members: name, score and weight of each.
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
    gold: Path | None = None,
    device: str = "auto",
    members_at_once: int = 1,
    overwrite: bool = False,
    on_note: Callable[[str], None] = lambda note: None,
    progress: Progress = no_progress,
) -> Made:
    """Make an ensemble of runs, and say what it gains.

    What members say of dev is kept beside the output until all is done, so that a later call goes on.

    Args:
        runs: folders of runs, ensembles and groups of folds.
        output: the folder to make; None: ``runs/TASK-ensemble/DATE-TIME``.
        weights: of the members, in the order of ``runs``; None: chosen.
        copy: whether the folder carries the members; else it refers to them.
        gold: a gold file; None: the dev set that all members have.

    Raises:
        UserError: the runs do not go together, or the output is taken.
    """
    check_output(output, overwrite=overwrite)
    members = gather(runs, join)
    given = None if weights is None else _in_order(weights, members)
    for note in members.notes:
        on_note(note)
    start = given or [1.0] * len(members)
    base = members.entries[members.base]
    recipe = members.recipes[members.base].model_copy(deep=True)
    recipe.name, recipe.title, recipe.best = f"{members.task.name}-ensemble", "", None
    place = choose_device(device)
    scratch = _scratch_beside(output, recipe.name)
    readers = RunReaders(
        members.task, [e.folder for e in members.entries], members.recipes, members.marks, place, members_at_once
    )
    info = members.info(join, start, [str(entry.folder) for entry in members.entries])
    predictor = TogetherPredictor(members.task, info, readers, recipe.decode, scratch=scratch)
    predictor.together.progress = progress
    found = _texts(members, recipe, gold)
    if isinstance(found, str):
        on_note(found)
        trial, chosen, figures = None, Setting(tuple(start)), None
    else:
        with autocast(place, choose_precision(recipe.training.precision, place)):
            heard = list(predictor.together.heard(found.items))
        trial = Trial(predictor, heard, found.judge, Setting(tuple(start)))
        chosen, figures = _measured(trial, members, found, choose_weights=given is None)
    folder = create_run(recipe, output, device=str(place), overwrite=overwrite, **_facts(members, recipe))
    try:
        references = [reference(folder, entry.folder) for entry in members.entries]
        if copy:
            references = carry([entry.folder for entry in members.entries], members.names, folder)
        info = members.info(join, chosen.weights, references)
        info.votes, info.copied = chosen.votes, copy
        write_members(folder, info)
        settings = []
        if chosen.threshold is not None and trial is not None:
            recipe.decode = trial.decode_of(chosen)
            settings.append(f"decode.{trial.threshold_key}={chosen.threshold:g}")
            save_recipe(recipe, folder / RECIPE_FILE)
        best = None
        if figures is not None and trial is not None:
            best = {"score": figures.score, "metric": figures.metric, "interval": figures.interval}
            with atomic_text(folder / REPORT) as out:
                out.write(dump_json(asdict(figures), indent=2) + "\n")
            if gold is None:
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
    return Made(folder, info, members.names, figures, settings, list(predictor.notes))


def _in_order(weights: Sequence[float], members: Gathered) -> list[float]:
    if len(weights) != len(members):
        named = ", ".join(name for _, name in sorted(zip(members.order, members.names, strict=True)))
        message = f"names {len(weights)} weights, the ensemble has {len(members)} members: {named}"
        raise UserError(message, field="--weights", mend="name one for each, with commas between them")
    if any(weight < 0 for weight in weights) or not sum(weights) > 0:
        raise UserError("must not be below 0, nor all 0", field="--weights", mend="write for example --weights 2,1,1")
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


# -- texts with gold


@dataclass(frozen=True)
class _Texts:
    """Texts with gold: what is asked, what judges the answers, and what they are called."""

    items: Sequence[Any]
    judge: Judge
    source: str
    interval: Callable[[Sequence[Any]], Report]


def _texts(members: Gathered, recipe: Recipe, gold: Path | None) -> _Texts | str:
    """The texts that the ensemble is measured on; a sentence where there are none."""
    task = members.task
    if gold is not None:
        items = list(reading(task, str(gold)))
        if not items:
            raise UserError("holds no text", file=gold, mend="name a gold file")
        judge = _judge_of_file(members, recipe, gold)
        return _Texts(items, judge, str(gold), judge)
    marks = [_dev_mark(entry.folder, Path(entry.info.prepared)) for entry in members.entries]
    equal = "all weights are equal, nothing is measured; name a gold file that no member was trained on: --gold FILE"
    if None in marks:
        entry = members.entries[marks.index(None)]
        return f"{entry.folder} has no dev set any more: {equal}"
    if len(set(marks)) > 1:
        return f"the members have different dev sets, and one may be trained on what another is measured on: {equal}"
    prepared = next(
        (Path(e.info.prepared) for e in members.entries if (Path(e.info.prepared) / "dev.jsonl").is_file()), None
    )
    if prepared is None:
        return f"the prepared data of the members is gone: {equal}"
    examples = task.gold(prepared)
    if not len(examples):
        return f"the dev set is empty: {equal}"
    return _Texts(
        examples,
        lambda predictions: task.evaluate(recipe, examples, predictions),
        DEV,
        lambda predictions: task.evaluate(recipe, examples, predictions, resamples=RESAMPLES),
    )


def _dev_mark(run: Path, prepared: Path) -> str | None:
    """What tells the dev set of a run from others."""
    try:
        return str(load_json((run / DEV / ABOUT).read_text(encoding="utf-8"))["about"]["input"])
    except (OSError, ValueError, LookupError, TypeError):
        pass
    path = prepared / f"{DEV}.jsonl"
    return file_mark(path) if str(prepared) != "." and path.is_file() else None


def _judge_of_file(members: Gathered, recipe: Recipe, gold: Path) -> Judge:
    task, assets = members.task, members.entries[members.base].folder
    metric = getattr(recipe.score, "metric", None)

    def judge(predictions: Sequence[Any]) -> Report:
        with tempfile.TemporaryDirectory(prefix="ietool-") as folder:
            file = Path(folder) / "result.json"
            with file.open("w", encoding="utf-8", newline="\n") as out:
                for piece in task.submission(iter(predictions), assets, file.name):
                    out.write(piece)
            return task.score(gold, file, metric=None if metric == "auto" else metric, options={}, explain=False)

    return judge


# -- figures


def _measured(trial: Trial, members: Gathered, texts: _Texts, *, choose_weights: bool) -> tuple[Setting, Figures]:
    estimate = trial.nested(weights=choose_weights)
    used = estimate.chosen != trial.equal and estimate.gain > 0
    setting = estimate.chosen if used else trial.equal
    honest = trial.apart(estimate) if used else trial.counts(trial.equal)
    gains = trial.gains(honest)
    report = texts.interval(trial.predictions(setting))
    values = [float(own.values[own.primary]) for own in trial.reports]
    figures = Figures(
        metric=report.metric,
        texts=trial.texts,
        source=texts.source,
        members=list(zip(members.names, values, setting.weights, strict=True)),
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
    predictions = trial.predictions(setting)
    report = predictor.task.evaluate(recipe, [one.item for one in trial.heard], predictions, outcomes=True)
    kept = None
    if not predictor.joins_results:
        floor = floor_below(predictor.reader, predictor.decoder, recipe.decode)
        about = about_scores(recipe, folder, DEV, _dev_mark(predictor.assets, Path(prepared)) or "")

        def found() -> Iterator[Any]:
            for heard in trial.heard:
                yield trial.found(setting, heard)

        kept = (predictor.reader.layout, floor, found(), about)
    write_dev(folder, lambda: report, kept)
