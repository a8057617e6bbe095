"""Prepare once: the same recipe on the same files gives the same folder, found again at once."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from filelock import FileLock, Timeout

from ietool import paths
from ietool.core.contract import Task
from ietool.core.forms import explained
from ietool.core.soft import SOFT_ROLE, find_soft
from ietool.core.sources import EXTRA, Sources, option_of
from ietool.errors import UserError, cause
from ietool.files.outputs import check_folder, replace_folder
from ietool.files.plain_json import dump_json
from ietool.nearest import did_you_mean
from ietool.prepared import DONE, Prepared, fingerprint, latest_sources, read_report, remember
from ietool.progress import Progress, no_progress
from ietool.recipe import Recipe, pretrained_of
from ietool.recipe_io import save_recipe
from ietool.registry import get_task
from ietool.version import __version__

_SCRATCH = ".preparing-"
"""How folders of preparations that are not finished begin."""


@dataclass(frozen=True)
class LeftOut:
    """The part of train that a fold's model is asked about, and must not have seen.

    Attributes:
        base: the prepared folder of all of train.
        records: (records,) of its ``train.jsonl``: which are left out.
    """

    base: Path
    records: npt.NDArray[np.bool_]

    @property
    def mark(self) -> str:
        """What tells it from all other parts: of what was prepared, and of the rows."""
        digest = hashlib.blake2b(str(read_done(self.base).get("fingerprint")).encode(), digest_size=16)
        digest.update(np.packbits(self.records).tobytes() + len(self.records).to_bytes(8))
        return digest.hexdigest()


def find_sources(task: Task[Any], data: Path | None, files: Mapping[str, Path]) -> Sources:
    """The files to prepare from: those named, the rest from ``data``, or the corpus that ships where neither is given.

    Raises:
        UserError: a folder or file is missing, or a needed role is.
    """
    if data is not None and not data.is_dir():
        what = "is a file, a folder is needed" if data.exists() else "no such folder"
        raise UserError(what, file=data, mend="check --data, or name files with --train FILE and the like")
    found: dict[str, Path] = {}
    if data is not None:
        located = task.locate(data, needed=[role for role in task.roles if role not in files])
        for role, error in located.ambiguous.items():
            if role not in files:
                raise error
        found = dict(located.files)
    elif not files:
        found = dict(task.locate(paths.shipped_data(task.name), needed=task.roles).files)
    known = dict.fromkeys((*task.roles, *task.further_roles, EXTRA, SOFT_ROLE))
    for role in files:
        if role not in known:
            mend = did_you_mean(role, known, f"it has: {', '.join(known)}")
            raise UserError(f"the task {task.name} has no such role of a file", field=role, mend=mend)
    found.update(files)
    if EXTRA in found and SOFT_ROLE not in found and (soft := find_soft(Path(found[EXTRA]))) is not None:
        found |= {SOFT_ROLE: soft} if task.takes_soft else {}
    found = {**task.beside(found), **found}
    for role, path in found.items():
        if path.is_dir():
            mend = f"name a file in it, or the folder with --data {path}"
            raise UserError(f"is a folder, a {role} file is needed", file=path, mend=mend)
        if not path.is_file():
            raise UserError(f"no such {role} file", file=path, mend="check the path")
    missing = [role for role in task.roles if role not in found]
    if missing:
        raise UserError(
            f"no {' and no '.join(missing)} file is given", mend=f"add {option_of(missing[0])}, or --data DIR"
        )
    return Sources(found)


def prepare(
    recipe: Recipe,
    *,
    data: Path | None = None,
    files: Mapping[str, Path] | None = None,
    output: Path | None = None,
    skip_bad: bool = False,
    force: bool = False,
    latest: bool = False,
    remembered: bool = True,
    left_out: LeftOut | None = None,
    like: Path | None = None,
    progress: Progress = no_progress,
) -> Prepared:
    """Validate and encode competition files; reuse what an earlier call made of the same.

    Without ``data`` and ``files`` the corpus that ships is meant.

    Args:
        data: folder of competition files.
        files: role → file; they go before what ``data`` holds.
        output: the folder to write; default: one under ``prepared/`` named by content.
        skip_bad: write bad records to ``rejects.jsonl`` and go on.
        force: prepare again.
        latest: without ``data`` and ``files``, the files that this recipe was last prepared from go before the corpus
            that ships.
        remembered: whether a later ``latest`` means these files.
        left_out: records of train that are left out, as if the file did not hold them; labels are numbered as they are
            in its base.
        like: a run folder whose numbering of labels is kept.

    Raises:
        UserError: a missing file or a bad record; with ``left_out`` also files that have changed since its base was
            prepared.
    """
    task = get_task(recipe.task)
    top = paths.prepared_folder() / recipe.name
    if latest and data is None and not files:
        last = latest_sources(top)
        if last is not None:
            files, skip_bad = last[0], skip_bad or last[1]
            if not all(path.is_file() for path in files.values()):
                gone = next(path for path in files.values() if not path.is_file())
                raise UserError("is gone since it was prepared", file=gone, mend="name the files again with --data DIR")
    sources = find_sources(task, data, files or {})
    if left_out is not None:
        base = read_done(left_out.base)
        if fingerprint(task, recipe, sources, skip_bad) != base.get("fingerprint"):
            message = "the files or the recipe have changed since the folds were cut"
            mend = "cut them anew with another --output, or with --overwrite"
            if (then := base.get("version", __version__)) != __version__:
                message = f"the folds were cut by ietool {then}, and this is {__version__}"
                mend = f"go on with {then}, or {mend}"
            raise UserError(message, file=left_out.base, mend=mend)
        sources = replace(sources, left_out=left_out.records, like=left_out.base)
    elif like is not None:
        sources = replace(sources, like=like)
    part = "" if left_out is None else left_out.mark
    mark = fingerprint(task, recipe, sources, skip_bad, part)
    folder = output or top / mark
    place = Path(os.path.realpath(folder))
    _writable(place, chosen=output is not None)
    # One preparation at a time beside each other: the processes of a torchrun all come here, and the first does it.
    with _alone(place, progress):
        if not force and (folder / DONE).is_file():
            done = read_done(folder)
            if done.get("fingerprint") == mark:
                if remembered:
                    remember(top, sources, skip_bad)
                return Prepared(folder, read_report(done), fresh=False, sources=sources.files)
        if folder.exists() and not (folder / DONE).is_file() and any(folder.iterdir()):
            raise UserError("is not empty and no prepared folder", file=folder, mend="choose another --output")
        check_folder(place, [*sources.files.values(), *_named(recipe)])
        for left in place.parent.glob(f"{_SCRATCH}*"):  # by a preparation that was killed
            shutil.rmtree(left, ignore_errors=True)
        prepared = _build(task, recipe, sources, folder, mark, skip_bad, part, progress)
        if remembered:
            remember(top, sources, skip_bad)
        return prepared


def read_done(folder: Path) -> dict[str, Any]:
    """What a prepared folder says of itself; nothing where that is damaged, so that it is prepared anew."""
    try:
        done = json.loads((folder / DONE).read_text(encoding="utf-8"))
        read_report(done)
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return {}
    return dict(done)


def _build(
    task: Task[Any],
    recipe: Recipe,
    sources: Sources,
    folder: Path,
    mark: str,
    skip_bad: bool,
    left_out: str,
    progress: Progress,
) -> Prepared:
    place = Path(os.path.realpath(folder))
    scratch = Path(tempfile.mkdtemp(prefix=_SCRATCH, dir=place.parent))
    try:
        rejects = scratch / "rejects.jsonl" if skip_bad else None
        encoder = pretrained_of(recipe)
        if encoder is not None:  # what an encoder lacks is told now, and not when everything is read
            from ietool.text.tokens import fetch_tokenizer

            fetch_tokenizer(encoder.name).save(scratch)
        try:
            report = task.prepare(recipe, sources, scratch, rejects=rejects, progress=progress)
        except UserError as error:
            raise explained(error, task, sources.files) from None
        if report.rejected:
            report.notes.append(f"bad records with their reasons: {folder / 'rejects.jsonl'}")
        save_recipe(recipe, scratch / "recipe.yaml")
        done: dict[str, Any] = {
            "fingerprint": mark,
            "version": __version__,
            "sources": {role: str(path) for role, path in sources.files.items()},
            "report": asdict(report),
        }
        if left_out:
            done["left_out"] = left_out
        (scratch / DONE).write_text(dump_json(done, indent=1), encoding="utf-8")
        replace_folder(scratch, place)
    except OSError as error:
        raise UserError(
            f"could not be written ({error.strerror or error}); nothing was changed",
            file=folder,
            mend="free some space",
        ) from None
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    os.chmod(folder, 0o755)
    return Prepared(folder, report, fresh=True, sources=sources.files)


@contextmanager
def _alone(place: Path, progress: Progress) -> Iterator[None]:
    """Wait until no other process prepares beside a folder, and keep others waiting."""
    lock = FileLock(place.parent / ".preparing.lock")
    try:
        waited = 0
        while True:
            try:
                lock.acquire(timeout=1 if waited else 0)
                break
            except Timeout:
                progress("wait for another preparation, seconds", waited, None)
                waited += 1
        if waited:
            progress("wait for another preparation, seconds", waited, waited)
    except OSError as error:
        message = f"cannot be locked ({cause(error)})"
        raise UserError(message, file=place.parent, mend="choose another --output, in a folder of your own") from None
    try:
        yield
    finally:
        lock.release()


def _named(recipe: Recipe) -> Iterator[Path]:
    """The files that the section ``data`` of a recipe names."""
    for _, value in getattr(recipe, "data", ()):
        yield from (path for path in (value if isinstance(value, list) else [value]) if isinstance(path, Path))


def _writable(folder: Path, *, chosen: bool) -> None:
    """Raise UserError unless something can be written beside ``folder``: a lock there would be waited for, for ever.

    ``chosen``: the user named the folder; otherwise it follows from the working folder.
    """
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder.parent).close()
    except OSError as error:
        mend = "choose another --output" if chosen else f"prepared data goes there: {paths.home_mend()}"
        raise UserError(f"cannot be written ({error.strerror})", file=folder.parent, mend=mend) from None
