"""Which of two runs, or of two submissions, is better on the same texts, how sure that is, and what changed."""

from __future__ import annotations

import shlex
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from ietool.core.candidate_files import ABOUT
from ietool.core.contract import Task
from ietool.core.intake import bare
from ietool.core.kin import groups_of
from ietool.errors import WHOLE, UserError, cause
from ietool.files.plain_json import load_json
from ietool.progress import Progress, no_progress
from ietool.recipe import Recipe
from ietool.recipe_io import load_recipe
from ietool.registry import get_task
from ietool.runs.entry import RECIPE_FILE, RunEntry, open_run, resume_command
from ietool.runs.folder import DEV
from ietool.scoring.changes import Changes, changes_of
from ietool.scoring.classes import SPURIOUS
from ietool.scoring.occurrences import numbered
from ietool.scoring.paired import RESAMPLES, Floats, Ints, Paired, paired, sign_test
from ietool.scoring.report import Counts, Outcome, Report
from ietool.workflow.score import score_files
from ietool.workflow.scores import dev_mark, dev_marks, file_mark, open_scores

OUTCOMES_FILE, COUNTS_FILE = "outcomes.jsonl", "counts.npy"
_FILES = "predict on one file with both, and compare these: ietool compare A B --gold FILE --recipe {recipe}"


@dataclass(frozen=True)
class Compared:
    """What became of a comparison of side ``a`` with side ``b``.

    Attributes:
        metric, primary, definition: by what both were scored, see :class:`ietool.scoring.report.Report`.
        names: of the runs or files of each side.
        texts: how many were judged.
        groups: of near-duplicates among them, which were drawn together.
        values: the measures of each run of each side.
        result: the difference of the primary measure.
        changes: what was repaired and broken.
        p: of the exact sign test on the items that changed.
    """

    task: str
    metric: str
    primary: str
    definition: str
    names: tuple[Sequence[str], Sequence[str]]
    texts: int
    groups: int
    values: tuple[Sequence[Mapping[str, float]], Sequence[Mapping[str, float]]]
    result: Paired
    changes: Changes
    p: float
    notes: Sequence[str] = ()


# -- submissions


def compare_files(
    recipe: Recipe,
    gold: Path,
    a: Sequence[Path],
    b: Sequence[Path],
    *,
    metric: str | None = None,
    options: Mapping[str, Path] | None = None,
    resamples: int = RESAMPLES,
    progress: Progress = no_progress,
) -> Compared:
    """Compare submissions on the same gold file.

    Args:
        recipe: its task scores.
        a, b: the submissions of each side; several where a side has several seeds.
        metric, options: as :func:`ietool.workflow.score.score_files` takes them.

    Raises:
        UserError: as there; or the files cannot be compared.
    """
    reports = []
    for number, file in enumerate((*a, *b)):
        progress("score", number, len(a) + len(b))
        reports.append(
            score_files(recipe, gold, file, metric=metric, options=options, outcomes=True, progress=progress)
        )
    names = (list(map(str, a)), list(map(str, b)))
    notes = [f"{file}: {note}" for file, one in zip((*a, *b), reports, strict=True) for note in one.notes]
    compared = _compared(get_task(recipe.task), names, reports, None, resamples)
    return replace(compared, notes=notes)


# -- runs


def compare_runs(
    a: Sequence[Path],
    b: Sequence[Path],
    *,
    metric: str | None = None,
    resamples: int = RESAMPLES,
    progress: Progress = no_progress,
) -> Compared:
    """Compare finished runs by what they say of the same dev. No model is run: what a run kept of dev is decoded with
    the thresholds that it has now.

    Args:
        a, b: the runs of each side; several where a side has several seeds.
        metric: the scoring variant; None: that of the recipes.

    Raises:
        UserError: a run has nothing of dev; or they are of different tasks, devs or variants.
    """
    runs = [*a, *b]
    entries = [_finished(run) for run in runs]
    first = entries[0]
    for entry in entries:
        if entry.info.task != first.info.task:
            message = f"is a run of the task {entry.info.task}, {first.folder} is one of {first.info.task}"
            raise UserError(message, file=entry.folder, mend="compare runs of one task")
    task = get_task(first.info.task)
    if metric is not None and metric not in task.scorers:
        raise UserError(
            f"the task {task.name} has no scoring variant {metric!r}",
            field="--metric",
            mend=f"use one of: {', '.join(task.scorers)}",
        )
    gold = _common_gold(task, entries)
    reports = []
    for number, run in enumerate(runs):
        progress("decode what was kept of dev", number, len(runs))
        reports.append(_judged(task, run, gold, metric))
    progress("decode what was kept of dev", len(runs), len(runs))
    known = next((report for report in reports if report is not None), None)
    if known is None:
        message = "keeps no scores of dev, and nor does what it is compared with"
        raise UserError(message, file=first.folder, mend=_FILES.format(recipe=_typed(first)))
    whole = [_kept(entry, known) if report is None else report for entry, report in zip(entries, reports, strict=True)]
    if None in reports:  # what was kept of items does not tell texts of the same words apart
        whole = [replace(one, outcomes=[replace(o, key=o.text) for o in one.outcomes]) for one in whole]
    for entry, report in zip(entries, whole, strict=True):
        if report.metric != known.metric:
            message = f"is scored by {report.metric}, {first.folder} by {whole[0].metric}"
            raise UserError(message, file=entry.folder, mend=f"name one for both: --metric {whole[0].metric}")
    kin = groups_of(task.kin(example) for example in gold) if len(gold) == len(known.keys) else None
    names = (list(map(str, a)), list(map(str, b)))
    return _compared(task, names, whole, kin, resamples)


def _typed(entry: RunEntry) -> str:
    return shlex.quote(entry.info.recipe)


def _finished(run: Path) -> RunEntry:
    """A run with something of dev. Raises UserError if it has none, and says why."""
    entry = open_run(run)
    if entry.info.overfit:
        raise UserError("is a self-check, scored on its own records", file=run, mend="name a run without --overfit")
    if (run / DEV / COUNTS_FILE).is_file() or (run / DEV / ABOUT).is_file():
        return entry
    if entry.state != "finished":
        mend = f"finish it with `{resume_command(run, entry.info.recipe)}`" if entry.can_go_on else "name another run"
        raise UserError(f"has nothing of dev yet ({entry.state})", file=run, mend=mend)
    source = (entry.info.best or {}).get("source")
    message = f"is measured on {source}, not on dev" if source else "keeps nothing of dev: it is of an older version"
    raise UserError(message, file=run, mend=_FILES.format(recipe=_typed(entry)))


def _common_gold(task: Task[Any], entries: Sequence[RunEntry]) -> Sequence[Any]:
    """The examples of the dev that all runs were scored on. Raises UserError if there is no such one."""
    places = [Path(entry.info.prepared) for entry in entries]
    own = dev_mark(entries[0].folder, places[0])
    marks = dev_marks(task, [(entry.folder, place) for entry, place in zip(entries, places, strict=True)])
    for entry, mark in zip(entries, marks, strict=True):
        if mark is None or mark != marks[0]:
            what = "was scored on another dev than" if mark and marks[0] else "does not tell whether its dev is that of"
            mend = _FILES.format(recipe=_typed(entry))
            raise UserError(f"{what} {entries[0].folder}", file=entry.folder, mend=mend)
    for place in dict.fromkeys(places):
        source = place / f"{DEV}.jsonl"
        if str(place) != "." and source.is_file() and file_mark(source) == own:
            return task.gold(place)
    message = "the prepared data of its dev is gone"
    mend = f"prepare it again, or {_FILES.format(recipe=_typed(entries[0]))}"
    raise UserError(message, file=entries[0].folder, mend=mend)


def _judged(task: Task[Any], run: Path, gold: Sequence[Any], metric: str | None) -> Report | None:
    """How a run's kept scores of dev are judged, decoded with its thresholds; None where it keeps none."""
    from ietool.workflow.members import decoder_of_run  # which knows models too: submissions are compared without torch

    if not (run / DEV / ABOUT).is_file():
        return None
    recipe = load_recipe(run / RECIPE_FILE, [] if metric is None else [f"score.metric={metric}"])
    decoder, _ = decoder_of_run(run, recipe)
    stored = open_scores(run / DEV, recipe=recipe)
    if len(stored) != len(gold):
        message = f"holds scores of {len(stored):,} texts, dev has {len(gold):,}"
        raise UserError(message, file=run / DEV, mend=WHOLE)
    predictions = [decoder.decode(item, found, recipe.decode) for item, found in zip(gold, stored, strict=True)]
    return task.evaluate(recipe, gold, predictions, outcomes=True)


def _kept(entry: RunEntry, known: Report) -> Report:
    """What a run without scores, as an ensemble that joins results, wrote of dev when it was made.

    Args:
        known: a report on the same texts.
    """
    folder = entry.folder / DEV
    metric = str((entry.info.best or {}).get("metric", known.metric))
    try:
        counts: Counts = np.load(folder / COUNTS_FILE, allow_pickle=False)
        with (folder / OUTCOMES_FILE).open(encoding="utf-8") as lines:
            outcomes = [_outcome(load_json(line)) for line in lines]
        if metric == known.metric and counts.shape != (known.counts if known.counts is not None else counts).shape:
            raise ValueError(f"counts of {counts.shape[0]:,} texts")
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError, EOFError) as error:
        raise UserError(f"is damaged ({cause(error)})", file=folder, mend=WHOLE) from None
    return replace(known, metric=metric, counts=counts.astype(np.float64), outcomes=outcomes)


_PLAIN = {"text", "verdict", "rule", "other", "spans"}


def _outcome(line: Mapping[str, Any]) -> Outcome:
    """An outcome of a line that :meth:`Outcome.record` has made; its text stands for its key."""
    text, verdict = str(line["text"]), str(line["verdict"])
    if verdict not in ("right", "missed", "duplicate"):  # answers have words of their own
        verdict = "missed" if verdict == "no answer given" else "spurious"
    item = {name: value for name, value in line.items() if name not in _PLAIN}
    return Outcome(text, text, verdict, str(line["rule"]), item, line.get("other"))


# -- both


def _compared(
    task: Task[Any],
    names: tuple[Sequence[str], Sequence[str]],
    reports: Sequence[Report],
    groups: Ints | None,
    resamples: int,
) -> Compared:
    """Compare reports on the same gold, those of the first side first.

    Args:
        groups: of near-duplicates, beside the keys of each report; None: told from the texts in the keys.
    """
    keys, counts = _aligned(reports)
    first = reports[0]
    if groups is None:
        groups = groups_of([bare(_text_of(key))] for key in keys)
    measures = first.measures
    assert measures is not None

    def measure(sums: Counts) -> Floats:
        return np.asarray(measures(sums)[first.primary], np.float64)

    split = len(names[0])
    result = paired(counts[:split], counts[split:], measure, groups=groups, resamples=resamples)
    said = [one.outcomes for one in reports]
    changes = changes_of(said[:split], said[split:], whole=task.one_item)
    sides = (changes.repaired, changes.broken)
    values = [{name: float(v) for name, v in measures(own.sum(0)).items()} for own in counts]
    return Compared(
        task.name,
        first.metric,
        first.primary,
        first.definition,
        names,
        len(keys),
        len(np.unique(groups)),
        (values[:split], values[split:]),
        result,
        changes,
        # A slip is a spurious and a missed item at once, and would count twice: only what gold has goes in.
        sign_test(*(sum(task.one_item or one.verdict != SPURIOUS for one in some) for some in sides)),
    )


def _aligned(reports: Sequence[Report]) -> tuple[list[Hashable], list[Counts]]:
    """The texts of all reports, and the counts of each beside them: zeros for texts that only others count, as some
    variants do with predictions on texts that gold lacks."""
    names = [numbered(report.keys) for report in reports]
    counts = []
    for report in reports:
        if report.counts is None or report.measures is None:
            raise UserError(f"{report.metric} gives no counts by text", mend="compare by another --metric")
        counts.append(report.counts)
    if len({own.shape[1] for own in counts}) > 1:
        raise UserError(
            f"{reports[0].metric} counts what is compared in different columns", mend="use another --metric"
        )
    if all(keys == names[0] for keys in names):
        return [key for key, _ in names[0]], counts
    place = {key: n for n, key in enumerate(dict.fromkeys(key for keys in names for key in keys))}
    aligned = []
    for keys, own in zip(names, counts, strict=True):
        rows = np.zeros((len(place), own.shape[1]))
        rows[[place[key] for key in keys]] = own
        aligned.append(rows)
    return [key for key, _ in place], aligned


def _text_of(key: Hashable) -> str:
    return str(key[-1] if isinstance(key, tuple) and key else key)
