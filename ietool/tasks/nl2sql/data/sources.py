"""The names under which TableQA, RETQA and their like were published, and where the tables of a file lie."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from contextlib import suppress
from pathlib import Path

from ietool.core.sources import EXTRA, FileNames, Sources
from ietool.errors import UserError

TABLES = "tables"
"""The role of a file of tables; also the word by which it is known."""

NAMES = FileNames(
    words={"train": {"train", "training"}, "dev": {"dev", "valid", "validation", "val"}},
    examples={"train": "train.json", "dev": "val.json, dev.json"},
)
_RECORDS = (".json", ".jsonl", ".txt")
_PACKED = (".gz", ".zip")
_DATABASE = ".db"


def locate(folder: Path, needed: Collection[str] = ("train", "dev")) -> Sources:
    """The files of questions in a folder: ``train``, ``dev``, where it has one ``test``. See :class:`FileNames`; their
    tables are found by :func:`tables_beside`."""
    return NAMES.locate(folder, needed)


def tables_beside(path: str | Path) -> Path:
    """The file of tables that belongs to a file of questions: ``val.tables.json`` beside ``val.json``, else
    ``tables.json``, else ``val.db``; plain or packed.

    Raises:
        UserError: there is none, or the questions come from standard input.
    """
    mend = "name it with --file tables=FILE"
    if str(path) == "-":
        raise UserError("questions from standard input have no file of tables beside them", mend=mend)
    source = Path(path)
    stem = source.name
    while Path(stem).suffix.lower() in (*_RECORDS, *_PACKED):
        stem = Path(stem).stem
    names = [
        base + ending + packed
        for base in (f"{stem}.{TABLES}", TABLES)
        for ending in (".json", ".jsonl")
        for packed in ("", *_PACKED)
    ]
    names += [stem + _DATABASE, TABLES + _DATABASE]
    for name in names:
        if (found := source.parent / name).is_file() and found != source:
            return found
    raise UserError(
        f"has no file of tables beside it (looked for {stem}.{TABLES}.json, {TABLES}.json, {stem}{_DATABASE})",
        file=source,
        mend=mend,
    )


def tables_of(files: Mapping[str, Path]) -> dict[str, Path]:
    """The tables beside the files of a preparation: ``train+tables`` of train, and so on. Where ``tables`` are named,
    those of further records alone, which come with their own."""
    found = {}
    for role in (EXTRA,) if TABLES in files else ("train", "dev", EXTRA):
        if role in files:
            with suppress(UserError):  # told when they are read
                found[f"{role}+{TABLES}"] = tables_beside(files[role])
    return found


def is_database(path: str | Path) -> bool:
    """Whether a file is an SQLite database, by its first bytes."""
    try:
        with Path(path).open("rb") as stream:
            return stream.read(16) == b"SQLite format 3\0"
    except OSError:
        return False
