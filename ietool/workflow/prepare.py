"""Prepare once: the same recipe on the same files gives the same folder, found again at once."""

from __future__ import annotations

import glob
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock
from rapidfuzz import fuzz, process

import ietool
from ietool import paths
from ietool.errors import UserError
from ietool.recipe import Recipe
from ietool.recipe_io import save_recipe
from ietool.report.tables import Table
from ietool.tasks.base import PrepareReport, Progress, Sources, Task, no_progress
from ietool.tasks.registry import get_task

DONE = "prepared.json"
FORMAT = 6
"""Raised when features of older versions must not be used any more."""


@dataclass(frozen=True)
class Prepared:
    """A prepared folder; ``fresh`` is False where an earlier one was reused."""

    folder: Path
    report: PrepareReport
    fresh: bool


def find_sources(task: Task, data: Path | None, files: Mapping[str, Path]) -> Sources:
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
    known = dict.fromkeys((*task.roles, *task.further_roles))
    for role in files:
        if role not in known:
            near = process.extractOne(role, list(known), scorer=fuzz.ratio, score_cutoff=50)
            mend = f"did you mean {near[0]}?" if near else f"it has: {', '.join(known)}"
            raise UserError(f"the task {task.name} has no such role of a file", field=role, mend=mend)
    found.update(files)
    for role, path in found.items():
        if path.is_dir():
            mend = f"name a file in it, or the folder with --data {path}"
            raise UserError(f"is a folder, a {role} file is needed", file=path, mend=mend)
        if not path.is_file():
            raise UserError(f"no such {role} file", file=path, mend="check the path")
    missing = [role for role in task.roles if role not in found]
    if missing:
        raise UserError(
            f"no {' and no '.join(missing)} file is given", mend=f"add {_option(missing[0])}, or --data DIR"
        )
    return Sources(found)


def _option(role: str) -> str:
    """How the command line names a file of a role."""
    return f"--{role} FILE" if role in ("train", "dev", "test", "schema") else f"--file {role}=FILE"


def _fingerprint(task: Task, recipe: Recipe, sources: Sources, skip_bad: bool) -> str:
    """Identifies a preparation: what was read, by content, and the settings that features depend on."""
    digest = hashlib.blake2b(digest_size=8)
    settings = {key: getattr(recipe, key).model_dump(mode="json") for key in task.feature_sections}
    for key in task.feature_keys:
        section, _, name = key.partition(".")
        value = getattr(getattr(recipe, section), name, None)
        if value is not None:
            settings[key] = {name: value}
            if Path(str(value)).is_dir():
                digest.update(json.dumps([key, _look(Path(value))]).encode())
    settings |= {"format": FORMAT, "version": ietool.__version__, "task": task.name, "skip_bad": skip_bad}
    digest.update(json.dumps(settings, sort_keys=True).encode())
    for key in task.feature_sections:
        for name, value in getattr(recipe, key):
            for path in value if isinstance(value, list) else [value]:
                if isinstance(path, Path):
                    digest.update(json.dumps([name, _look(path)]).encode())
    for role, path in sorted(sources.files.items()):
        digest.update(role.encode())
        with path.open("rb") as stream:
            digest.update(hashlib.file_digest(stream, lambda: hashlib.blake2b(digest_size=16)).digest())
    return digest.hexdigest()


def _look(path: Path) -> list[tuple[str, int, int]]:
    """Name, size and time of change of a file, or of those in a folder: word vectors are too large to read for this."""
    found = sorted(path.iterdir()) if path.is_dir() else [path]
    # gensim keeps arrays beside the file.
    found += sorted(path.parent.glob(f"{glob.escape(path.name)}.*.npy"))
    return [(file.name, file.stat().st_size, file.stat().st_mtime_ns) for file in found if file.is_file()]


def prepare(
    recipe: Recipe,
    *,
    data: Path | None = None,
    files: Mapping[str, Path] | None = None,
    output: Path | None = None,
    skip_bad: bool = False,
    force: bool = False,
    latest: bool = False,
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

    Raises:
        UserError: a missing file or a bad record.
    """
    task = get_task(recipe.task)
    top = paths.prepared_folder() / recipe.name
    if latest and data is None and not files:
        last = _latest(top)
        if last is not None:
            files, skip_bad = last[0], skip_bad or last[1]
            if not all(path.is_file() for path in files.values()):
                gone = next(path for path in files.values() if not path.is_file())
                raise UserError("is gone since it was prepared", file=gone, mend="name the files again with --data DIR")
    sources = find_sources(task, data, files or {})
    mark = _fingerprint(task, recipe, sources, skip_bad)
    folder = output or top / mark
    _writable(folder, chosen=output is not None)
    # One preparation at a time beside each other: the processes of a torchrun all come here, and the first does it.
    with FileLock(folder.parent / ".preparing.lock"):
        if not force and (folder / DONE).is_file():
            done = json.loads((folder / DONE).read_text(encoding="utf-8"))
            if done.get("fingerprint") == mark:
                _remember(top, sources, skip_bad)
                return Prepared(folder, _report(done), fresh=False)
        if folder.exists() and not (folder / DONE).is_file() and any(folder.iterdir()):
            raise UserError("is not empty and no prepared folder", file=folder, mend="choose another --output")
        for left in folder.parent.glob(".preparing-*"):  # by a preparation that was killed
            shutil.rmtree(left, ignore_errors=True)
        return _build(task, recipe, sources, folder, top, mark, skip_bad, progress)


def _build(
    task: Task, recipe: Recipe, sources: Sources, folder: Path, top: Path, mark: str, skip_bad: bool, progress: Progress
) -> Prepared:
    scratch = Path(tempfile.mkdtemp(prefix=".preparing-", dir=folder.parent))
    try:
        rejects = scratch / "rejects.jsonl" if skip_bad else None
        report = task.prepare(recipe, sources, scratch, rejects=rejects, progress=progress)
        if report.rejected:
            report.notes.append(f"bad records with their reasons: {folder / 'rejects.jsonl'}")
        save_recipe(recipe, scratch / "recipe.yaml")
        done: dict[str, Any] = {
            "fingerprint": mark,
            "sources": {role: str(path) for role, path in sources.files.items()},
            "report": asdict(report),
        }
        (scratch / DONE).write_text(json.dumps(done, ensure_ascii=False, indent=1), encoding="utf-8")
        if folder.exists():
            shutil.rmtree(folder)
        os.replace(scratch, folder)
    except OSError as error:
        raise UserError(
            f"could not be written ({error.strerror or error}); nothing was changed",
            file=folder,
            mend="free some space",
        ) from None
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    os.chmod(folder, 0o755)
    _remember(top, sources, skip_bad)
    return Prepared(folder, report, fresh=True)


def corpus_of(folder: Path) -> dict[str, Any]:
    """What a model card tells of a prepared folder: names of files by role, and the table of the corpus."""
    done = json.loads((folder / DONE).read_text(encoding="utf-8"))
    tables = done["report"]["tables"]
    table = {key: tables[0][key] for key in ("columns", "rows")} if tables else {}
    return {"files": {role: Path(path).name for role, path in done["sources"].items()}, **table}


def _writable(folder: Path, *, chosen: bool) -> None:
    """Raise UserError unless something can be written beside ``folder``: a lock there would be waited for, for ever.

    ``chosen``: the user named the folder himself, otherwise it follows from where he works.
    """
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder.parent).close()
    except OSError as error:
        mend = "choose another --output" if chosen else f"prepared data goes there: {paths.home_mend()}"
        raise UserError(f"cannot be written ({error.strerror})", file=folder.parent, mend=mend) from None


def _report(done: Mapping[str, Any]) -> PrepareReport:
    data = dict(done["report"])
    data["tables"] = [Table(**table) for table in data["tables"]]
    return PrepareReport(**data)


def _remember(top: Path, sources: Sources, skip_bad: bool) -> None:
    top.mkdir(parents=True, exist_ok=True)
    latest = {"files": {role: str(path.resolve()) for role, path in sources.files.items()}, "skip_bad": skip_bad}
    part = top / f".latest.{os.getpid()}"
    part.write_text(json.dumps(latest, ensure_ascii=False), encoding="utf-8")
    os.replace(part, top / "latest.json")


def _latest(top: Path) -> tuple[dict[str, Path], bool] | None:
    try:
        latest = json.loads((top / "latest.json").read_text(encoding="utf-8"))
        return {role: Path(path) for role, path in latest["files"].items()}, bool(latest["skip_bad"])
    except (OSError, ValueError, KeyError):
        return None
