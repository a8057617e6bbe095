"""Which corpora lie in a folder: files are known by how they begin, and what each is for by its name."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice, takewhile
from pathlib import Path
from typing import Any

from ietool.core.contract import Task
from ietool.core.forms import TEXTS, Form, beginning, tool_of
from ietool.core.sources import Sources
from ietool.errors import UserError
from ietool.files.lines import read_lines
from ietool.registry import TASKS, get_task

DEEPEST = 4
"""Folders within one another that are looked into."""

MOST_FILES = 2_000
"""Files of a folder that are looked at."""

SPLITS = ("train", "dev", "test", "test_gold")
"""Roles of files of texts in their order; others stand behind them."""


@dataclass(frozen=True)
class Known:
    """What a file is by how it begins.

    Attributes:
        fits: the tasks whose files begin so, each with the form.
        reason: where nothing fits, what can be said of the file.
    """

    path: Path
    fits: Sequence[tuple[str, Form]] = ()
    reason: str = ""

    def form_for(self, task: str) -> Form | None:
        """The form that the file has as one of a task."""
        return next((form for name, form in self.fits if name == task), None)


@dataclass(frozen=True)
class Split:
    """A file of texts of a corpus.

    Attributes:
        name: which no other file of the corpus has: its role, where several files could be that with the name of the
            file behind it (``train b.json``); of a file whose name tells no role its name.
        role: ``train``, ``dev``, ``test``, ``mentions`` …; empty where the name tells none.
    """

    name: str
    path: Path
    role: str = ""

    @property
    def learnt(self) -> bool:
        """Whether models learn from it."""
        return self.role == "train"

    @property
    def judged(self) -> bool:
        """Whether models are judged by it."""
        return self.role in ("dev", "test", "test_gold")


@dataclass(frozen=True)
class Corpus:
    """The files that belong together.

    Attributes:
        folder: where they lie, or the file if one was named.
        task: whose they are.
        form: what its texts are.
        splits: files of texts, train first.
        beside: further files by role: schema, knowledge base, tables.
        why: by what the task was told.
        notes: what the user should know of the files.
    """

    folder: Path
    task: str
    form: Form
    splits: Sequence[Split]
    beside: Mapping[str, Path] = field(default_factory=dict)
    why: str = ""
    notes: Sequence[str] = ()

    @property
    def train(self) -> Split | None:
        """The file that models learn from, the first of several."""
        return next((split for split in self.splits if split.learnt), None)


@dataclass(frozen=True)
class Contents:
    """What a folder holds: its corpora, and the files that belong to none, each with the reason."""

    corpora: Sequence[Corpus]
    others: Sequence[tuple[Path, str]]


def find(place: Path) -> Contents:
    """The corpora of a folder and of those within it, or of a single file.

    Raises:
        UserError: there is no such folder, or it cannot be read.
    """
    if not place.exists():
        raise UserError("no such folder", file=place, mend="name the folder of the competition's files")
    if place.is_file():
        known = recognise(place)
        return _Finder().of([known], place.parent, place)
    finder = _Finder()
    finder.look_into(place)
    if not finder.known and not finder.beyond:
        raise UserError("holds no file", file=place, mend="name the folder of the competition's files")
    return finder.contents()


def recognise(path: Path) -> Known:
    """What a file is by how it begins."""
    try:
        if not path.stat().st_size:
            return Known(path, reason="is empty")
        begin = beginning(path)
    except OSError as error:
        return Known(path, reason=f"cannot be read ({error.strerror})")
    if begin is None:
        return Known(path, reason=_unreadable(path) or "holds nothing but blank lines")
    fits = []
    for name, _ in TASKS:
        form = next((form for form in get_task(name).forms if form.fits(begin)), None)
        if form is not None:
            fits.append((name, form))
    if not fits:
        if tool := tool_of(begin):
            return Known(path, reason=f"looks like an export of {tool}")
        return Known(path, reason=_unreadable(path, 1) or "is of no form that is known")
    return Known(path, fits)


def _unreadable(path: Path, lines: int | None = None) -> str:
    """What keeps a file, or its first lines, from being read; empty where nothing does."""
    try:
        for _ in islice(read_lines(path), lines):
            pass
    except UserError as error:
        return error.message
    return ""


class _Finder:
    def __init__(self) -> None:
        self.corpora: list[Corpus] = []
        self.known: dict[Path, Known] = {}
        self.claimed: set[Path] = set()
        self.beyond: list[tuple[Path, str]] = []

    def contents(self) -> Contents:
        others = [(path, _unclaimed(known)) for path, known in self.known.items() if path not in self.claimed]
        return Contents(self.corpora, sorted([*others, *self.beyond]))

    def of(self, files: Sequence[Known], folder: Path, named: Path) -> Contents:
        self.known |= {known.path: known for known in files}
        for corpus in corpora_of(folder, files):
            self._take(Corpus(named, corpus.task, corpus.form, corpus.splits, corpus.beside, corpus.why, corpus.notes))
        return self.contents()

    def look_into(self, folder: Path, depth: int = 0) -> None:
        """A folder and those within it; what is a corpus of its own one folder down is looked at by itself."""
        files, folders = _listed(folder)
        if len(self.known) + len(files) > MOST_FILES:
            self.beyond.append((folder, f"has too many files: {MOST_FILES:,} are looked at"))
            return
        here = [self._recognised(path) for path in files]
        inner = {down: [self._recognised(path) for path in _listed(down)[0][:MOST_FILES]] for down in folders}
        near = [known for down, those in inner.items() if not _own(down, those) for known in those]
        for corpus in corpora_of(folder, [*here, *near]):
            self._take(corpus)
        self.beyond += [(path, "is a link to a folder: name it") for path in _links(folder)]
        for down in folders:
            if depth + 1 >= DEEPEST:
                self.beyond.append((down, "lies too deep: name it"))
            elif any(known.path not in self.claimed for known in inner[down]) or _listed(down)[1]:
                self._look_further(down, inner[down], depth + 1)

    def _look_further(self, folder: Path, files: Sequence[Known], depth: int) -> None:
        if any(known.path in self.claimed for known in files):  # a part of a corpus above
            for down in _listed(folder)[1]:
                self.look_into(down, depth)
        else:
            self.look_into(folder, depth)

    def _recognised(self, path: Path) -> Known:
        known = self.known.get(path)
        if known is None:
            known = self.known[path] = recognise(path)
        return known

    def _take(self, corpus: Corpus) -> None:
        self.claimed |= {split.path for split in corpus.splits} | set(corpus.beside.values())
        self.corpora.append(corpus)


def _listed(folder: Path) -> tuple[list[Path], list[Path]]:
    """Files and folders of a folder, by name, without hidden ones.

    Raises:
        UserError: it cannot be read.
    """
    try:
        paths = sorted(path for path in folder.iterdir() if not path.name.startswith((".", "__")))
        return [p for p in paths if p.is_file()], [p for p in paths if p.is_dir() and not p.is_symlink()]
    except OSError as error:
        raise UserError(
            f"cannot be read ({error.strerror})", file=folder, mend="ask for the right to read it"
        ) from None


def _links(folder: Path) -> list[Path]:
    """Links to folders, which may lead back: what is behind them is looked at only where they are named."""
    return [path for path in folder.iterdir() if path.is_symlink() and path.is_dir()]


def _own(folder: Path, files: Sequence[Known]) -> bool:
    """Whether a folder is a corpus of its own, and no file that was unpacked into a folder of its name."""
    return len(files) > 1 and any(
        located(folder, [known], get_task(name)).files.get("train") == known.path
        for known in files
        for name, form in known.fits
        if form.role == TEXTS
    )


def _unclaimed(known: Known) -> str:
    if not known.fits:
        return known.reason
    name, form = known.fits[0]
    titles = " or ".join(dict.fromkeys(form.title for _, form in known.fits))
    if form.role == TEXTS:
        return f"holds {titles} ({get_task(name).title}), but its name tells no role beside a train file"
    return f"holds {titles} ({get_task(name).title}), and no texts lie beside it"


def located(folder: Path, files: Sequence[Known], task: Task[Any]) -> Sources:
    """Which of some files, which lie in a folder or one folder down, a task takes for which role: by their names, as
    where it prepares them. What could be several is given as ambiguous."""
    with tempfile.TemporaryDirectory(prefix="ietool-") as scratch:
        names = Path(scratch)
        for known in files:
            stand_in = names / known.path.relative_to(folder)
            stand_in.parent.mkdir(exist_ok=True)
            stand_in.touch()
        try:
            found = task.locate(names, needed=())
        except UserError:
            return Sources({})
        files_ = {role: folder / path.relative_to(names) for role, path in found.files.items()}
        return Sources(files_, found.ambiguous)


def corpora_of(folder: Path, files: Sequence[Known]) -> Iterator[Corpus]:
    """The corpora that some files make, one for each form of texts among them."""
    pairs = list(dict.fromkeys((name, form) for known in files for name, form in known.fits if form.role == TEXTS))
    taken: set[Path] = set()
    for name, form in pairs:
        own = [known for known in files if known.fits or _is_for(known, name, form, pairs, files)]
        corpus = _corpus(folder, [known for known in own if known.path not in taken], name, form)
        if corpus is not None:
            # What no form is told of (texts alone) belongs to one corpus.
            taken |= {known.path for known in files if not known.fits} & {split.path for split in corpus.splits}
            yield corpus


def _is_for(known: Known, name: str, form: Form, pairs: Sequence[tuple[str, Form]], files: Sequence[Known]) -> bool:
    """Whether a file of no form that is told may be of a corpus: no other one has a name that begins more like its."""

    def alike(task: str, of: Form) -> int:
        names = [other.path.name for other in files if other.form_for(task) is of]
        return max((_common(name, known.path.name) for name in names), default=0)

    return alike(name, form) == max(alike(*pair) for pair in pairs)


def _common(one: str, two: str) -> int:
    """With how many characters two names begin alike."""
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(one, two, strict=False)))


def _corpus(folder: Path, files: Sequence[Known], name: str, form: Form) -> Corpus | None:
    """The corpus of a task whose texts have a form; None where none of its files is for anything."""
    task = get_task(name)
    mine = []
    for known in files:
        own = known.form_for(name)
        if not known.fits or own is form or (own is not None and own.role != TEXTS):
            mine.append(known)
    sources = located(folder, mine, task)
    splits, beside, notes = _sorted(sources, task, form, mine)
    for role in sources.ambiguous:
        alike = [known for known in mine if located(folder, [known], task).files.get(role) == known.path]
        if role in SPLITS:
            splits += [Split(f"{role} {known.path.name}", known.path, role) for known in alike]
            notes.append(
                f"{len(alike)} files could be the {role} file: name one with --{role} where you prepare: "
                + ", ".join(known.path.name for known in alike)
            )
    fitting = {known.path for known in mine if known.form_for(name) is form}
    if not any(split.path in fitting for split in splits):
        # No name tells anything: all that have the form are looked at.
        splits = [Split(path.name, path) for path in sorted(fitting)]
        notes.append("no name tells a role (train, dev, test): each file is looked at by itself")
        if not splits:
            return None
    for split in splits:
        beside |= {f"{split.name}+{r.partition('+')[2]}": p for r, p in task.beside({"train": split.path}).items()}
    order = sorted(splits, key=lambda split: (_rank(split.role), split.name))
    seen = next(split.path for split in order if split.path in fitting)
    place = Path(os.path.commonpath([split.path.parent for split in order]))
    return Corpus(place, name, form, order, beside, f"{seen.name} begins as {form.title} do", notes)


def _sorted(
    sources: Sources, task: Task[Any], form: Form, files: Sequence[Known]
) -> tuple[list[Split], dict[str, Path], list[str]]:
    """The located files: those of texts, others by role, and notes on those that hold what their name does not say."""
    known = {one.path: one for one in files}
    splits, beside, notes = [], {}, []
    for role, path in sources.files.items():
        own = known[path].form_for(task.name)
        kinds = {form.role for form in task.forms}
        if role in kinds:
            if own is None or own.role == role:
                beside[role] = path
            else:
                notes.append(f"{path.name} is called as a {role} file is, and holds {own.title}")
        elif own is None or own.role == TEXTS:
            splits.append(Split(role, path, role.partition("+")[0]))
        else:
            notes.append(f"{path.name} is called as a {role} file is, and holds {own.title}")
    return splits, beside, notes


def _rank(role: str) -> int:
    return SPLITS.index(role) if role in SPLITS else len(SPLITS)
