"""The knowledge base: names in texts, candidates of names, entities of candidates. Compiled once, opened by memory map.

A compiled knowledge base is a folder of standard parts (``build.py`` writes it, ``info.py`` says what is in it)
that may be moved and copied: Arrow IPC files and a serialised automaton. Nothing in it is run, and damage is told.
"""

from __future__ import annotations

import hashlib
import shutil
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from filelock import FileLock

from ietool import paths
from ietool.errors import UserError
from ietool.files.lines import SKIP, OnBad
from ietool.progress import Progress, no_progress
from ietool.tasks.el.data.example import normalise
from ietool.tasks.el.data.sources import locate
from ietool.tasks.el.kb.build import SCRATCH, build
from ietool.tasks.el.kb.info import FILES, INFO, KBInfo
from ietool.tasks.el.kb.open import EntityFile, check_files, read_automaton, read_ids, read_names
from ietool.tasks.el.kb.records import Entity
from ietool.text.characters import fold, whole

FOLDER = "kb"
"""The compiled knowledge base in a prepared folder and in a run folder."""

Match = tuple[int, int, int]
"""(start, end, number of the name), end exclusive, in characters."""


class KnowledgeBase:
    """An open knowledge base. Names have numbers, entities have rows, both from 0 in the order of the source.

    Attributes:
        folder: where it is.
        info: what is in it.
        compiled_now: whether this process has just compiled it.
    """

    compiled_now = False

    def __init__(self, folder: Path, info: KBInfo) -> None:
        """Use :meth:`open`."""
        self.folder, self.info = folder, info
        check_files(folder, info)
        self._automaton = read_automaton(folder)
        self._names, self._row_starts, self._rows = read_names(folder, info)
        self._ids, self._id_rows = read_ids(folder, info)
        self._entities = EntityFile(folder, info)

    @classmethod
    def open(cls, folder: Path) -> KnowledgeBase:
        """The knowledge base compiled into a folder; nothing but names is read.

        Raises:
            UserError: the folder is none, or is damaged.
        """
        return cls(folder, KBInfo.load(folder))

    def __reduce__(self) -> Any:
        return KnowledgeBase.open, (self.folder,)  # for worker processes, which open it themselves

    @property
    def fingerprint(self) -> str:
        """Stands for the records it was made from."""
        return self.info.fingerprint

    # -- names
    @property
    def names(self) -> Sequence[str]:
        """All names, normalised, by number."""
        return self._names

    def match(self, text: str) -> list[Match]:
        """Every occurrence of a name in the folded text, overlapping ones too, by their end, longest first."""
        return self._automaton.find_overlapping(whole(fold(text)))

    def longest(self, text: str) -> list[Match]:
        """Maximum matching: from the left, the longest name at the first place where one begins, and on behind it."""
        best: dict[int, Match] = {}
        for match in self.match(text):  # ordered by end, so that the last of a start is its longest
            best[match[0]] = match
        found, free = [], 0
        for start in sorted(best):
            if start >= free:
                found.append(best[start])
                free = best[start][1]
        return found

    def name(self, number: int) -> str:
        """A name, normalised."""
        return self._names[number]

    def number(self, name: str) -> int | None:
        """The number of a name (not yet normalised); None if the knowledge base lacks it."""
        key = normalise(name)
        found = [n for start, end, n in self._automaton.find_overlapping(whole(key)) if end - start == len(key)]
        return found[0] if found else None

    def candidates(self, number: int) -> list[int]:
        """Rows of the entities of a name, in order."""
        return self._rows[self._row_starts[number] : self._row_starts[number + 1]].tolist()

    # -- entities
    def entity(self, row: int) -> Entity:
        """The entity of a row."""
        return self._entities[row]

    def entities(self, rows: Iterable[int]) -> list[Entity]:
        """The entities of some rows, in their order."""
        return [self._entities[row] for row in rows]

    def row(self, kb_id: str) -> int | None:
        """The row of an id; None if the knowledge base lacks it."""
        at = bisect_left(self._ids, kb_id)
        return int(self._id_rows[at]) if at < len(self._ids) and self._ids[at] == kb_id else None

    def kb_id(self, row: int) -> str:
        """The id of a row."""
        return self._entities.kb_id(row)


def compile_kb(
    source: Path, folder: Path, *, on_bad: OnBad | None = None, progress: Progress = no_progress
) -> KnowledgeBase:
    """Compile a kb_data file into a folder, and open it.

    Args:
        source: one JSON object a line; plain, gzip or zip.
        folder: appears when it is whole; an older knowledge base there is replaced.
        on_bad: told of bad records, which are then left out; without it the first one raises.

    Raises:
        UserError: naming file, line and field of a bad record; or what else keeps it from being made.
    """
    build(source, folder, on_bad=on_bad, progress=progress)
    kb = KnowledgeBase.open(folder)
    kb.compiled_now = True
    return kb


def open_any(path: Path, *, progress: Progress = no_progress) -> KnowledgeBase:
    """The knowledge base of a compiled, a prepared or a run folder, or of a kb_data file, perhaps in a data folder.

    A file is compiled once, into ``kb/`` of the working folder, and found again by its content.

    Raises:
        UserError: there is none at ``path``, or it is damaged, or the file has a bad record.
    """
    compiled = _compiled_at(path)
    if compiled is not None:
        return KnowledgeBase.open(compiled)
    if path.is_dir():
        path = _file_in(path)
    if not path.is_file():
        raise UserError("no such file or folder", file=path, mend="check the path")
    with path.open("rb") as stream:
        mark = hashlib.file_digest(stream, lambda: hashlib.blake2b(digest_size=8)).hexdigest()
    folder = paths.home() / FOLDER / mark
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"cannot be written ({error.strerror})", file=folder, mend="set IETOOL_HOME") from None
    with FileLock(folder.parent / ".compiling.lock"):
        if (folder / INFO).is_file():
            try:
                return KnowledgeBase.open(folder)
            except UserError:  # of an older version, or damaged: it is ours to make again
                pass
        for left in folder.parent.glob(f"{SCRATCH}*"):  # by a process that was killed
            shutil.rmtree(left, ignore_errors=True)
        try:
            return compile_kb(path, folder, progress=progress)
        except UserError as error:
            if error.mend == SKIP:  # which only prepare can do
                error.mend = "mend the record, or name the folder that `ietool prepare --skip-bad` makes"
            raise


def open_entities(path: Path) -> EntityFile:
    """The entities alone of what :func:`open_any` opens: what numbers stand for, without any name to look up.

    Raises:
        UserError: as :func:`open_any`.
    """
    folder = _compiled_at(path) or open_any(path).folder
    return EntityFile(folder, KBInfo.load(folder))


def _compiled_at(path: Path) -> Path | None:
    """Where a compiled, a prepared or a run folder has its knowledge base; None if it is none of these."""
    return next((folder for folder in (path, path / FOLDER) if _is_compiled(folder)), None)


def _is_compiled(folder: Path) -> bool:
    """Whether a folder is, or was, a compiled knowledge base: kb.json alone is a name of kb_data files too."""
    return (folder / INFO).is_file() and any((folder / name).is_file() for name in FILES)


def _file_in(folder: Path) -> Path:
    """The kb_data file of a data folder. Raises UserError if there is none, or there are several."""
    sources = locate(folder, ())
    if "kb" in sources.ambiguous:
        raise UserError(sources.ambiguous["kb"].message, file=folder, mend="name one of them")
    found = sources.files.get("kb")
    if found is None or _is_compiled(found.parent):
        message = f"holds no compiled knowledge base (no {INFO} here or in {FOLDER}/) and no kb_data file"
        raise UserError(message, file=folder, mend="name a prepared folder, a run folder, or a kb_data file")
    return found
