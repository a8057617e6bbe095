"""The store of prepared folders: found again by what they were made of."""

from __future__ import annotations

import glob
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ietool.core.contract import PrepareReport, Task
from ietool.core.sources import Sources
from ietool.errors import visible
from ietool.files.outputs import atomic_text
from ietool.files.plain_json import dump_json
from ietool.recipe import Recipe
from ietool.tables import Table
from ietool.version import __version__

DONE = "prepared.json"


FORMAT = 8
"""Raised when features of older versions must not be used any more."""


@dataclass(frozen=True)
class Prepared:
    """A prepared folder.

    Attributes:
        fresh: False where an earlier one was reused.
        sources: role → file, as they were named now: the earlier one may have been made of the same elsewhere.
    """

    folder: Path
    report: PrepareReport
    fresh: bool
    sources: Mapping[str, Path] = field(default_factory=dict)

    @property
    def train(self) -> Path | None:
        """The training file."""
        return self.sources.get("train")


def fingerprint(task: Task[Any], recipe: Recipe, sources: Sources, skip_bad: bool, left_out: str = "") -> str:
    """Identifies a preparation: what was read, by content, and the settings that features depend on.

    Args:
        left_out: the mark of the records of train that are left out.
    """
    digest = hashlib.blake2b(digest_size=8)
    settings = {key: getattr(recipe, key).model_dump(mode="json") for key in task.feature_sections}
    for key in task.feature_keys:
        value: Any = recipe
        for name in key.split("."):
            value = getattr(value, name, None)
        if value is not None:
            settings[key] = str(value) if isinstance(value, Path) else value
            if isinstance(value, Path) or (key == "model.encoder.name" and Path(value).is_dir()):
                digest.update(json.dumps([key, _look(Path(value))]).encode())
    settings |= {"format": FORMAT, "version": __version__, "task": task.name, "skip_bad": skip_bad}
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
    if left_out:
        digest.update(f"left out {left_out}".encode())
    elif sources.like is not None:
        digest.update(json.dumps(["labels", *task.label_names(sources.like)]).encode())
    return digest.hexdigest()


def _look(path: Path) -> list[tuple[str, int, int]]:
    """Name, size and time of change of a file, or of those in a folder: word vectors are too large to read for this."""
    found = sorted(path.iterdir()) if path.is_dir() else [path]
    # gensim keeps arrays beside the file.
    found += sorted(path.parent.glob(f"{glob.escape(path.name)}.*.npy"))
    return [(file.name, file.stat().st_size, file.stat().st_mtime_ns) for file in found if file.is_file()]


def left_out_of(folder: Path) -> str:
    """The mark of the records of train that a prepared folder was made without; empty where it was made of all."""
    done = json.loads((folder / DONE).read_text(encoding="utf-8"))
    return str(done.get("left_out", ""))


def corpus_of(folder: Path) -> dict[str, Any]:
    """What a model card tells of a prepared folder: names of files by role, and the table of the corpus."""
    done = json.loads((folder / DONE).read_text(encoding="utf-8"))
    tables = done["report"]["tables"]
    table = {key: tables[0][key] for key in ("columns", "rows")} if tables else {}
    return {"files": {role: visible(Path(path).name) for role, path in done["sources"].items()}, **table}


def read_report(done: Mapping[str, Any]) -> PrepareReport:
    data = dict(done["report"])
    data["tables"] = [Table(**table) for table in data["tables"]]
    return PrepareReport(**data)


def remember(top: Path, sources: Sources, skip_bad: bool) -> None:
    top.mkdir(parents=True, exist_ok=True)
    latest = {"files": {role: str(path.resolve()) for role, path in sources.files.items()}, "skip_bad": skip_bad}
    with atomic_text(top / "latest.json") as out:
        out.write(dump_json(latest))


def latest_sources(top: Path) -> tuple[dict[str, Path], bool] | None:
    try:
        latest = json.loads((top / "latest.json").read_text(encoding="utf-8"))
        return {role: Path(path) for role, path in latest["files"].items()}, bool(latest["skip_bad"])
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return None
