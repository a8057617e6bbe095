"""The names under which CMRC 2018, DRCD, DuReader (2.0, robust, checklist), WebQA and SogouQA were published."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from ietool.core.sources import FileNames, Sources
from ietool.errors import UserError

NAMES = FileNames(
    words={"train": {"train", "training"}, "dev": {"dev", "valid", "validation", "val"}},
    examples={
        "train": "train.json, cmrc2018_train.json, DRCD_training.json, search.train.json, WebQA.json",
        "dev": "dev.json, cmrc2018_dev.json, search.dev.json",
    },
)
_MORE = "name one with --train FILE, others to learn from as well with --set 'data.more=[FILE, FILE]'"
# DuReader 2.0 comes in two halves, by where its questions were asked.
_HALVES = ("search", "zhidao")
_ENDINGS = ("json", "json.gz", "json.zip")


def locate(folder: Path, needed: Collection[str] = ("train",)) -> Sources:
    """The files in a folder: ``train``, where it has them ``dev``, ``test`` and ``test_gold``. See :class:`FileNames`.

    Of DuReader 2.0 ``train`` is the half ``search.train.json`` and ``train+zhidao`` the other, ``dev`` alike: see
    :func:`files_of`. ``WebQA.json`` and ``SogouQA.json`` are training files where there is none by its name.

    Raises:
        UserError: the folder is none, or a needed role is missing or could be filled by several files.
    """
    located = NAMES.locate(folder, ())
    files, ambiguous = dict(located.files), dict(located.ambiguous)
    for role in ("train", "dev", "test"):
        if role in files or role in ambiguous:
            continue
        halves = [path for half in _HALVES if (path := _find(folder, f"{half}.{role}")) is not None]
        for path in halves:
            files[role if path is halves[0] else f"{role}+zhidao"] = path
    if "train" not in files and "train" not in ambiguous:
        lists = [path for name in ("webqa", "sogouqa") if (path := _find(folder, name)) is not None]
        if len(lists) == 1:
            files["train"] = lists[0]
        elif lists:
            names = ", ".join(str(path.relative_to(folder)) for path in lists)
            ambiguous["train"] = UserError(f"several files could be the train file: {names}", file=folder)
    if "train" in ambiguous:
        error = ambiguous["train"]
        ambiguous["train"] = UserError(error.message, file=error.file, mend=_MORE)
    if "train" not in needed:  # the user names it: no half of another one is meant
        files.pop("train+zhidao", None)
    for role in needed:
        if role in ambiguous:
            raise ambiguous[role]
    if missing := [role for role in needed if role not in files]:
        NAMES.locate(folder, missing)  # tells what is missing, and what was looked for
    return Sources(files, ambiguous)


def files_of(sources: Sources, role: str) -> list[Path]:
    """The files of a role, none where it has none: two for DuReader 2.0, whose halves lie in one folder."""
    found = [sources.files[role]] if role in sources.files else []
    other = sources.files.get(f"{role}+zhidao")
    if found and other is not None and other.parent == found[0].parent and found[0].name.startswith(_HALVES[0]):
        found.append(other)
    return found


def _find(folder: Path, stem: str) -> Path | None:
    """The file of that name, upper or lower case, in a folder or one folder down; the unpacked before a packed one."""
    here = sorted(folder.iterdir())
    down = [path for inner in here if inner.is_dir() for path in sorted(inner.iterdir())]
    for ending in _ENDINGS:
        for path in (*here, *down):
            if path.name.lower() == f"{stem}.{ending}" and path.is_file():
                return path
    return None
