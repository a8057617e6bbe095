"""What a run says of a file before any threshold, kept on disk with marks that tell of which run and file it is."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from ietool.core.candidate_files import ABOUT, StoredCandidates, read_candidates
from ietool.core.candidates import Floor
from ietool.core.contract import Task
from ietool.core.predicting import Decoder, Reader
from ietool.errors import UserError
from ietool.files.plain_json import load_json
from ietool.files.records import digest
from ietool.recipe import Recipe, Section, Tuned
from ietool.runs.entry import CONFIG_FILE, WEIGHTS_FILE
from ietool.runs.folder import DEV
from ietool.runs.members import is_ensemble, read_members

LEAST = 0.01
"""What the parts of a row must exceed for it to be kept, where thresholds are not lower still."""

_PIECE = 1 << 20


def file_mark(path: Path) -> str:
    """What tells a file from all others: its SHA-256."""
    mark = hashlib.sha256()
    with path.open("rb") as stream:
        while piece := stream.read(_PIECE):
            mark.update(piece)
    return mark.hexdigest()


def model_mark(run: Path) -> str:
    """What tells the model of a run folder from all others: of its weights and its configuration; of an ensemble the
    same of its members, and how they are joined."""
    mark = hashlib.sha256()
    if is_ensemble(run):
        info = read_members(run)
        told = [[group.weight, *((member.mark, member.weight) for member in group.members)] for group in info.groups]
        mark.update(json.dumps([info.join, info.votes, info.base, told]).encode())
        return mark.hexdigest()
    for name in (CONFIG_FILE, WEIGHTS_FILE):
        mark.update(file_mark(run / name).encode())
    return mark.hexdigest()


def dev_mark(run: Path, prepared: Path) -> str | None:
    """What tells the dev set of a run from others."""
    try:
        return str(load_json((run / DEV / ABOUT).read_text(encoding="utf-8"))["about"]["input"])
    except (OSError, ValueError, LookupError, TypeError):
        pass
    path = prepared / f"{DEV}.jsonl"
    return file_mark(path) if str(prepared) != "." and path.is_file() else None


def dev_marks(task: Task[Any], runs: Sequence[tuple[Path, Path]]) -> list[str | None]:
    """What tells dev sets of runs apart: their files or, where these differ and all are there still, what stands
    in them, since records are written down with the place of their file too.

    Args:
        runs: (run, prepared folder) of each.
    """
    marks = [dev_mark(run, prepared) for run, prepared in runs]
    if None in marks or len(set(marks)) == 1:
        return marks
    read: dict[str | None, str] = {}
    for (_, prepared), mark in zip(runs, marks, strict=True):
        path = prepared / f"{DEV}.jsonl"
        if mark not in read:
            if str(prepared) == "." or not path.is_file() or file_mark(path) != mark:
                return marks
            kept, content = task.kept(prepared), hashlib.sha256()
            for record in kept.read(path):
                content.update(digest(kept.identity(record)) + digest(kept.gold(record)))
            read[mark] = content.hexdigest()
    return [read[mark] for mark in marks]


def proposing(decode: Section, own: Section) -> dict[str, Any]:
    """Settings of ``decode`` that differ from a run's ``own`` and are none that is chosen on kept scores: other rows
    would be proposed with them, or the same would be read otherwise."""
    names = (
        name
        for name, told in type(decode).model_fields.items()
        if name != "batch_size" and not any(isinstance(mark, Tuned) for mark in told.metadata)
    )
    return {name: getattr(decode, name) for name in names if getattr(decode, name) != getattr(own, name, None)}


def floor_below(reader: Reader[Any], decoder: Decoder[Any, Any], decode: Section, least: float = LEAST) -> Floor:
    """The floor above which scores are kept: ``least``, or the thresholds where they are lower: what is decoded of
    them with these settings is what the run predicts."""
    own = decoder.floor(decode).parts or {}
    low = {name: own[name] for name in reader.layout.product if own.get(name, least) < least}
    if low and getattr(decoder, "names_decide", False):  # to name a part would ask for what is chosen at it alone
        return Floor(min(least, *low.values()))
    return Floor(least, low or None)


def about_scores(recipe: Recipe, run: Path, source: str, mark: str) -> dict[str, str]:
    """What a folder of scores says of itself: recipe, head, marks of the model and of the input, and its name."""
    kind = str(getattr(getattr(getattr(recipe, "model", None), "head", None), "kind", ""))
    return {
        "task": recipe.task,
        "recipe": recipe.name,
        "head": kind,
        "model": model_mark(run),
        "input": mark,
        "source": source,
    }


def open_scores(
    folder: Path, *, recipe: Recipe, model: str | None = None, source: Path | None = None
) -> StoredCandidates:
    """The scores in a folder, which must be of this head, model and input.

    Args:
        recipe: of the run that is to decode them.
        model: the mark of the model; None: of any.
        source: the input; None: of any.

    Raises:
        UserError: there are none, or they are of something else.
    """
    stored = read_candidates(folder)
    about = stored.about
    anew = "write them anew with: ietool predict INPUT --scores DIR"
    if other := about.get("decode"):
        raise UserError(f"are scores with other settings than the run's own: {other}", file=folder / ABOUT, mend=anew)
    kind = getattr(getattr(getattr(recipe, "model", None), "head", None), "kind", "")
    if about.get("task") != recipe.task or about.get("head") != kind:
        of = f"{about.get('task')} with the head {about.get('head')!r}"
        message = f"are scores of the task {of}, the run is one of {recipe.task} with the head {kind!r}"
        raise UserError(message, file=folder / ABOUT, mend=anew)
    if model is not None and about.get("model") != model:
        message = f"are scores of another run ({about.get('recipe')})"
        raise UserError(message, file=folder / ABOUT, mend=anew)
    if source is not None and about.get("input") != file_mark(source):
        message = f"are scores of another input ({about.get('source')}), or it has changed"
        raise UserError(message, file=folder / ABOUT, field=str(source), mend=anew)
    return stored


def decoded(
    task: Task[Any],
    recipe: Recipe,
    assets: Path,
    items: Iterable[Any],
    found: Sequence[Any],
    decode: Section | None = None,
) -> Iterator[Any]:
    """The predictions that settings of ``decode`` make of kept scores, without the model.

    Args:
        items: what was asked, beside ``found``.
        decode: None: the recipe's.

    Raises:
        UserError: there are more or fewer items than scores.
    """
    decoder = task.decoder(recipe, assets)
    settings = recipe.decode if decode is None else decode
    count = 0
    for item, one in zip(items, found, strict=False):
        count += 1
        yield decoder.decode(item, one, settings)
    if count != len(found):
        raise UserError(f"{len(found):,} texts have scores, {count:,} are read", mend="predict anew with --scores")


def size_of(folder: Path) -> int:
    """Bytes of a folder of scores."""
    return sum(path.stat().st_size for path in folder.iterdir() if path.is_file())
