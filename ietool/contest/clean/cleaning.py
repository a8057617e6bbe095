"""From a group of folds to a review."""

from __future__ import annotations

import hashlib
import shlex
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ietool.contest.clean.gold_scores import joined, score_gold
from ietool.contest.clean.review import ReviewWriter, mark_of
from ietool.contest.clean.suggest import Limits, Suggestion, suggestions
from ietool.contest.group import OOF, GroupEntry, open_group, read_assignment, resume_group
from ietool.contest.out_of_fold import group_mark
from ietool.core.candidate_files import ABOUT as CANDIDATES
from ietool.core.candidate_files import read_candidates
from ietool.core.candidates import Candidates
from ietool.core.contract import Task
from ietool.core.groups import GROUPS
from ietool.core.labelled import Labels
from ietool.core.sources import options_of
from ietool.errors import UserError, cause
from ietool.files.outputs import atomic_text, check_folder
from ietool.files.plain_json import dump_json, load_json
from ietool.progress import Progress, no_progress
from ietool.recipe import Recipe
from ietool.recipe_io import load_recipe
from ietool.registry import get_task
from ietool.runs.entry import RECIPE_FILE
from ietool.workflow.scores import open_scores

REVIEW, ABOUT, GOLD, PROVENANCE = "review.tsv", "clean.json", "gold", "provenance.jsonl"
_EVERY = 64


@dataclass(frozen=True)
class Reviewed:
    """What came of a group.

    Attributes:
        review: the file.
        records: looked at.
        items: of their gold.
        kinds: kind → (suggestions, ticked ones).
        elsewhere: records of train that come from further files, which are not looked at.
    """

    review: Path
    records: int
    items: int
    kinds: dict[str, tuple[int, int]]
    elsewhere: int = 0


class Source:
    """A finished group of folds: what all of train is, and what was said of it."""

    def __init__(self, folder: Path) -> None:
        self.entry: GroupEntry = open_group(folder)
        info = self.entry.info
        if info.folds < 2:
            mend = "train folds: ietool train --folds 4 …"
            raise UserError("is a group of seeds: each model has seen all of train", file=folder, mend=mend)
        if info.state != "finished":
            raise UserError("is not finished", file=folder, mend=f"go on with it by {resume_group(folder)}")
        self.folder = folder
        self.recipe: Recipe = load_recipe(str(folder / RECIPE_FILE))
        self.task: Task[Any] = get_task(info.task)
        self.prepared = Path(info.prepared)
        self.train = self.prepared / "train.jsonl"
        if not self.train.is_file():
            files = {role: Path(path) for role, path in info.files.items()}
            options = [*options_of(files), *["--skip-bad"] * info.skip_bad]
            words = f"ietool prepare --recipe {shlex.quote(str(folder / RECIPE_FILE))} {' '.join(options)}"
            mend = f"prepare the same files again: {words}"
            raise UserError("the prepared data of the group is gone", file=self.prepared, mend=mend)
        labels = self.task.labels(self.recipe, self.prepared)
        if not isinstance(labels, Labels):
            message = f"is of the task {info.task}, whose gold is not changed item by item"
            raise UserError(message, file=folder, mend="name a group of another task")
        self.labels: Labels[Any, Any] = labels
        self.files = {role: Path(path) for role, path in info.files.items()}
        self.outputs = labels.outputs(self.files)
        """Role → the name of its new file, of the files that hold train."""

    @property
    def file(self) -> Path:
        """The training file that the group was prepared from."""
        return self.files["train"]

    def records(self, rows: Sequence[int] | None = None) -> Iterator[Any]:
        """All of train, or the records of some row numbers."""
        return iter(self.task.kept(self.prepared).read(self.train, rows))


def review(
    group: Path,
    output: Path,
    limits: Limits | None = None,
    *,
    device: str = "auto",
    overwrite: bool = False,
    progress: Progress = no_progress,
) -> Reviewed:
    """Write the review of a group's training file.

    Args:
        output: the folder of the review; made if it is not there.
        overwrite: replace a review there also where someone has changed it.

    Raises:
        UserError: it is no finished group of folds, its scores are those of something else, the task has no labels
            that are looked at one by one, or a review is there that was ticked by hand.
    """
    limits = limits or Limits()
    source = Source(group)
    check_folder_of(output, source)
    if not overwrite:
        _check_untouched(output)
    mark = group_mark(group, source.entry.info)  # a member that was trained anew since may have seen its part
    found = open_scores(group / OOF, recipe=source.recipe, model=mark, source=source.train)
    labels, task = source.labels, source.task
    asked = _Members(source)
    about = {"gold of": found.about["input"], "model": found.about["model"]}
    output.mkdir(parents=True, exist_ok=True)
    said = score_gold(output / GOLD, asked.runs, asked.folds, source.records, labels, about, device, progress)
    every, ticked = Counter[str](), Counter[str]()
    records = items = elsewhere = 0
    owned = labels.owned([source.files[role] for role in source.outputs])
    with atomic_text(output / REVIEW) as out:
        writer = ReviewWriter(out)
        for records, (record, one, own_gold) in enumerate(zip(source.records(), found, said, strict=True), 1):
            members = asked.of(records - 1, one)  # always: each has its own place in what it said
            if not owned(record):
                elsewhere += 1
                continue
            finds = [labels.said(record, own, d.decode(record, own, decode), decode) for d, own, decode in members]
            items += len(labels.gold(record))
            for suggestion in suggestions(records - 1, record, joined(one, own_gold), finds, labels):
                is_ticked = suggestion.is_ticked(limits)
                every[suggestion.kind] += 1
                ticked[suggestion.kind] += is_ticked
                _write(writer, suggestion, record, labels, is_ticked=is_ticked)
            if records % _EVERY == 0:
                progress("compare", records, len(found))
    progress("compare", records, records)
    about = {"group": str(group.resolve()), "task": task.name, "model": found.about["model"], "limits": asdict(limits)}
    with atomic_text(output / ABOUT) as out:
        about |= {"input": found.about["input"], "review": _sha256(output / REVIEW)}
        out.write(dump_json(about, indent=1) + "\n")
    kinds = {kind: (n, ticked[kind]) for kind, n in every.most_common()}
    return Reviewed(output / REVIEW, records - elsewhere, items, kinds, elsewhere)


def _check_untouched(output: Path) -> None:
    """Raise UserError where a review stands that is not as it was written: hours of someone may be in it."""
    table = output / REVIEW
    if not table.exists():
        return
    written = None
    with suppress(OSError, ValueError, RecursionError):
        about = load_json((output / ABOUT).read_text("utf-8"))
        written = about.get("review") if isinstance(about, dict) else None
    if written != _sha256(table):
        mend = "choose another --output; --overwrite gives up what was ticked and mended there"
        raise UserError("was changed since it was written, and would be replaced", file=table, mend=mend)


def _sha256(path: Path) -> str:
    try:
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise UserError(f"cannot be read ({cause(error)})", file=path, mend="check the path") from None


def check_folder_of(output: Path, source: Source) -> None:
    """Raise UserError where the output would lie in what is read."""
    if output.is_file():
        raise UserError("is a file, a folder is needed", file=output, mend="choose another --output")
    if output.exists():
        check_folder(output, [*(source.files[role] for role in source.outputs), source.train])
        check_folder(output, [source.folder / RECIPE_FILE])
        # What an earlier call wrote may be written anew.
        known = any((output / name).exists() for name in (REVIEW, ABOUT, PROVENANCE))
        places = [output / GOLD] if not (output / GOLD / CANDIDATES).is_file() else []
        for place in [*places, *(output / name for name in source.outputs.values() if not known)]:
            if place.exists():
                mend = "choose another --output, or move it"
                raise UserError("would be replaced, and is not of ietool clean", file=place, mend=mend)


class _Members:
    """What each member says of the records of its fold: for who finds what."""

    def __init__(self, source: Source) -> None:
        info, folder = source.entry.info, source.folder
        groups = np.load(source.prepared / GROUPS, allow_pickle=False)
        self.folds: list[int] = read_assignment(folder, info, groups).tolist()
        self.runs = [
            [folder / name for name in info.members if info.fold_of(name) == fold] for fold in range(info.folds)
        ]
        self._members: list[list[tuple[Any, Any, Any]]] = []
        for own in self.runs:
            rows = []
            for run in own:
                recipe = load_recipe(str(run / RECIPE_FILE))
                said = iter(read_candidates(run / OOF)) if len(own) > 1 else None
                rows.append((source.task.decoder(recipe, run), said, recipe.decode))
            self._members.append(rows)

    def of(self, number: int, mean: Candidates) -> Sequence[tuple[Any, Candidates, Any]]:
        """(decoder, candidates, settings) of each model that has not seen a record; records in their order."""
        return [
            (decoder, mean if said is None else next(said), decode)
            for decoder, said, decode in self._members[self.folds[number]]
        ]


def _write(writer: ReviewWriter, one: Suggestion, record: Any, labels: Labels[Any, Any], *, is_ticked: bool) -> None:
    gold, proposed = (None if item is None else labels.plain(record, item) for item in (one.gold, one.proposed))
    text, places = labels.shown(record, [item for item in (one.gold, one.proposed) if item is not None])
    writer.add(
        one,
        is_ticked=is_ticked,
        gold=gold,
        proposed=proposed,
        text=text,
        places=places,
        mark=mark_of(labels.same(record)),
    )
