"""Everything that is told of a folder: find, read, compare, measure."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ietool.contest.submit.competitions import COMPETITIONS, Competition
from ietool.errors import UserError
from ietool.inspect.finding import Contents, Corpus, Split, find
from ietool.inspect.notes import notes_of
from ietool.inspect.speed import Fit, fits
from ietool.inspect.survey import SplitSurvey, survey
from ietool.progress import Progress, no_progress
from ietool.registry import get_task


@dataclass(frozen=True)
class Inspected:
    """What is told of one corpus.

    Attributes:
        competition: whose form it has, where submissions of that are checked.
        why: by what that was told, or why it could not be.
        found: what was counted, a file each.
        fits: the recipes.
        notes: what the user should know or mend.
    """

    corpus: Corpus
    competition: Competition | None
    why: str
    found: Sequence[SplitSurvey]
    fits: Sequence[Fit]
    notes: Sequence[str]


@dataclass(frozen=True)
class Folder:
    """What is told of a folder: its corpora, and the files that belong to none, each with the reason."""

    place: Path
    corpora: Sequence[Inspected]
    others: Sequence[tuple[Path, str]]


def inspect(
    place: Path,
    *,
    drawn: int = 24,
    seed: int = 0,
    measured: bool = True,
    encoder: str | None = None,
    device: str = "auto",
    progress: Progress = no_progress,
) -> Folder:
    """Look at a folder of competition files, or at one file.

    Args:
        drawn: records of each file that are drawn as samples.
        seed: of the drawing.
        measured: whether the time of an epoch is measured, for which recipes train some steps.
        encoder: with which recipes that need a pretrained one are measured.
        device: where to.

    Raises:
        UserError: there is no such folder, or no such encoder.
        OSError: the disk is full.
    """
    contents: Contents = find(place)
    if encoder is not None and measured:  # what it lacks is told now, and not when everything is read
        from ietool.text.tokens import fetch_tokenizer

        fetch_tokenizer(encoder)
    corpora = []
    for corpus in contents.corpora:
        competition, why = competition_of(corpus)
        found = survey(corpus, drawn=drawn, seed=seed, progress=progress)
        recipes = fits(corpus, found, measured=measured, encoder=encoder, device=device, progress=progress)
        corpora.append(Inspected(corpus, competition, why, found, recipes, notes_of(corpus, found)))
    return Folder(place, corpora, contents.others)


def competition_of(corpus: Corpus) -> tuple[Competition | None, str]:
    """The competition whose form a corpus has, and by what that was told; None where none is known, with the reason."""
    task = get_task(corpus.task)
    options = {role: path for role, path in corpus.beside.items() if role in task.check_options}
    first: Split = corpus.splits[0]
    with tempfile.TemporaryDirectory(prefix="ietool-") as scratch:
        beginning = Path(scratch) / "beginning"  # which tells it, and the file is not read once more
        try:
            beginning.write_text("".join(task.first_lines(first.path)), encoding="utf-8")
            name = task.competition(beginning, beginning, options)
        except UserError as error:
            return None, f"{corpus.why}; it {error.message}"
    competition = next((one for one in COMPETITIONS if one.name == name), None)
    if competition is None:
        return None, corpus.why
    return competition, f"{corpus.why}; its submissions are {competition.form}"
