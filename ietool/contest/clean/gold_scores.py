"""What models that have not seen a text say of its gold, however improbable they find it.

What they propose ends at a floor; below it lies what tells a wrong label from one that is merely hard.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from ietool.core.candidate_files import ABOUT, CandidateWriter, StoredCandidates, read_candidates
from ietool.core.candidates import Candidates, Floor, Layout, merged
from ietool.core.labelled import Labels
from ietool.errors import UserError
from ietool.files.outputs import replace_folder
from ietool.progress import Progress
from ietool.training.device import autocast
from ietool.workflow.predict import Loaded

_EVERY = 64


def score_gold(
    folder: Path,
    members: Sequence[Sequence[Path]],
    folds: Sequence[int],
    records: Any,
    labels: Labels[Any, Any],
    about: Mapping[str, Any],
    device: str,
    progress: Progress,
) -> StoredCandidates:
    """The rows of the gold of all of train, in its order, each with the mean of the models of its fold; kept in
    ``folder``, and found there again.

    Args:
        members: of each fold, the runs that have not seen it.
        folds: the fold of each record.
        records: gives the records of some row numbers, in their order.
        about: what the scores are of: those of something else are made anew.
    """
    if (folder / ABOUT).is_file():
        try:
            known = read_candidates(folder)
        except UserError:
            pass
        else:
            if known.about == about:
                return known
    scratch = folder.with_name(f".{folder.name}.part")
    shutil.rmtree(scratch, ignore_errors=True)
    try:
        stored = []
        for fold, runs in enumerate(members):
            rows = [n for n, own in enumerate(folds) if own == fold]
            of_fold = []
            for number, run in enumerate(runs):
                part = scratch / f"{fold}-{number}"
                loaded = Loaded(run, device)
                said = _scored(loaded, ((record, _asked(labels, record)) for record in records(rows)), progress)
                _write(part, labels.layout, said, {})
                of_fold.append(read_candidates(part))
            stored.append(of_fold)
        of_each = [map(merged, zip(*own, strict=True)) if len(own) > 1 else iter(own[0]) for own in stored]
        _write(scratch / "all", labels.layout, (next(of_each[fold]) for fold in folds), about)
        replace_folder(scratch / "all", folder)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return read_candidates(folder)


def _asked(labels: Labels[Any, Any], record: Any) -> Candidates:
    none = Candidates.none(labels.layout)
    rows = np.asarray(labels.rows(record), np.int32).reshape(-1, len(labels.layout.rows))
    return replace(none, rows=rows, parts=np.zeros((len(rows), len(labels.layout.parts)), np.float32))


def _scored(loaded: Loaded, asked: Any, progress: Progress) -> Iterator[Candidates]:
    step, done = "score gold", 0
    with autocast(loaded.device, loaded.precision):
        for done, (_, one) in enumerate(loaded.predictor.reader.score(asked), 1):
            if done % _EVERY == 0:
                progress(step, done, None)
            yield one
    progress(step, done, done)


def _write(folder: Path, layout: Layout, found: Iterator[Candidates], about: Mapping[str, Any]) -> None:
    with CandidateWriter(folder, layout, Floor(), about) as writer:
        for one in found:
            writer.add(one)


def joined(proposed: Candidates, gold: Candidates) -> Candidates:
    """What is proposed, and what is said of gold."""
    rows, parts = (np.concatenate([getattr(one, name) for one in (proposed, gold)]) for name in ("rows", "parts"))
    return replace(proposed, rows=rows, parts=parts)
