"""A submission checked against its input by the rules of its competition, and packed as the organisers take it."""

from __future__ import annotations

import codecs
import hashlib
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ietool.contest.submit.bytes import check_bytes
from ietool.contest.submit.competitions import Competition, competition_named
from ietool.core.checking import Check
from ietool.core.contract import Task
from ietool.core.forms import PREDICTIONS, TEXTS, beginning, explained
from ietool.core.sources import flag_of
from ietool.errors import UserError
from ietool.files.archives import damage_told, open_members
from ietool.files.outputs import atomic_text, check_output
from ietool.files.records import unskippable
from ietool.progress import Progress, no_progress
from ietool.registry import TASKS, get_task

TOLD = 10
"""Faults that are told one by one."""

_BLOCK = 1 << 20
_SWAPPED = "name the submission first, and its input behind --input"


@dataclass
class Submitted:
    """What came of a submission.

    Attributes:
        competition: whose rules held.
        faults: the first of them; none where it is accepted.
        count: all of them.
        rules, notes, counts: as :class:`ietool.core.checking.Check` has them.
        archive: the file that was written, if one was.
        size: its bytes.
        sha256: its checksum.
    """

    competition: Competition
    faults: Sequence[UserError] = ()
    count: int = 0
    rules: Sequence[str] = ()
    notes: Sequence[str] = ()
    counts: Mapping[str, int] = field(default_factory=dict)
    archive: Path | None = None
    size: int = 0
    sha256: str = ""


class _Faults:
    def __init__(self) -> None:
        self.first: list[UserError] = []
        self.count = 0

    def tell(self, error: UserError) -> None:
        self.count += 1
        if len(self.first) < TOLD:
            self.first.append(unskippable(error))


def submit(
    result: Path,
    source: Path,
    *,
    competition: str | None = None,
    options: Mapping[str, Path] | None = None,
    output: Path | None = None,
    inside: str | None = None,
    limit: int | None = None,
    any_order: bool = False,
    check_only: bool = False,
    progress: Progress = no_progress,
) -> Submitted:
    """Check a submission, and where there is no fault write what is handed in.

    Args:
        result: the submission, plain or packed.
        source: the input that it answers.
        competition: whose rules hold; None: told from the files.
        options: further files, by role (``schema``, ``kb``); what the task wants and is not named is looked for beside
            the input.
        output: what is written; None: beside the submission, named after the competition.
        inside: what the file is called within an archive; None: the competition's name for it.
        limit: bytes that what is written may have.
        any_order: whether the order counts for nothing.
        check_only: write nothing.

    Raises:
        UserError: a file cannot be read or written, or is not what it is named for.
    """
    for role, path in (("RESULT", result), ("--input", source)):
        if str(path) == "-":
            raise UserError("is read twice, and a pipe can be read but once", field=role, mend="name a file")
        if not path.is_file():
            raise UserError("is a folder, a file is needed" if path.is_dir() else "no such file", file=path,
                            mend="check the path")  # fmt: skip
    named = None if competition is None else competition_named(competition)
    task = _task_of(source, result) if named is None else get_task(named.task)
    files, notes = _options(task, source, options or {})
    try:
        chosen = named or competition_named(task.competition(source, result, files))
    except UserError as error:
        raise explained(error, task, {TEXTS: source, **files}) from None
    place = output or _default(result, chosen)
    if str(place) == "-" or (place.exists() and not (place.is_file() or place.is_dir())):
        what = "is a pipe, and what is handed in is a file with a checksum"
        raise UserError(what, field="--output", mend=f"name a file, for example {_default(result, chosen).name}")
    if inside is not None and place.suffix.lower() not in (".zip", ".gz"):
        what = f"names what lies in an archive, and {place.name} is none"
        raise UserError(what, field="--inside", mend=f"leave it out, or write {place.name}.zip")
    if not check_only:
        check_output(place, [result, source, *files.values()])
    faults = _Faults()
    with tempfile.TemporaryDirectory(prefix="ietool-") as scratch:
        check = Check(
            chosen.name, source, result, faults.tell, Path(scratch), any_order or chosen.order == "free", files
        )
        _check(task, chosen, check, progress)
        if faults.count and (better := _stranger(task, source, result)):
            faults.first, faults.count = [better], 1
        done = Submitted(chosen, faults.first, faults.count, check.rules, [*notes, *check.notes], dict(check.counts))
        if faults.count:
            return done
        if limit is not None:
            trial = Path(scratch) / place.name
            _write(result, trial, inside or chosen.inside)
            if (size := trial.stat().st_size) > limit:
                what = f"would be {size:,} bytes, more than the limit of {limit:,}"
                done.faults, done.count = [UserError(what, file=place, mend="write fewer answers of each text")], 1
                return done
        if check_only:
            return done
        _write(result, place, inside or chosen.inside)
    done.archive, done.size = place, place.stat().st_size
    with place.open("rb") as stream:
        done.sha256 = hashlib.file_digest(stream, "sha256").hexdigest()
    return done


def _check(task: Task[Any], competition: Competition, check: Check, progress: Progress) -> None:
    copied = competition.copied
    document = competition.order == "free"  # one JSON value, whose lines are nothing
    try:
        loose = {"blank_lines": competition.blank_lines or document, "controls": copied, "returns": copied or document}
        check_bytes(check.result, check.tell, **loose)
        task.check_submission(check, progress)
    except UserError as error:
        if not _is_of(error, check.result):
            raise explained(error, task, {TEXTS: check.source, **check.options}) from None
        check.tell(error)


def _is_of(error: UserError, path: Path) -> bool:
    return error.file is not None and (error.file == str(path) or error.file.startswith(f"{path}!"))


def _task_of(source: Path, result: Path) -> Task[Any]:
    """The task whose texts the input holds; where it holds bare texts, that of the submission."""
    tasks = [get_task(name) for name, _ in TASKS]
    for path in (source, result):
        begin = beginning(path)
        if begin is None:
            continue
        for task in tasks:
            if any(form.role == TEXTS and form.fits(begin) for form in task.forms):
                return task
    names = "say which competition it is: --competition NAME (ietool submit --list shows them)"
    raise UserError("is of no known form", file=result, mend=names)


def _options(task: Task[Any], source: Path, named: Mapping[str, Path]) -> tuple[dict[str, Path], list[str]]:
    """The further files, those of the input's folder included, and what is to be said of these."""
    for role in named:
        if role not in task.check_options:
            flag = flag_of(role).partition("=")[0]
            known = ", ".join(flag_of(option) for option in task.check_options)
            mend = f"leave it out; there is {known}" if known else "leave it out"
            raise UserError(
                f"means nothing to submissions of the task {task.name}",
                field=flag,
                mend=mend,
            )
    files, notes = dict(named), []
    for role in task.check_options:
        if role in files:
            continue
        folder = source.resolve().parent
        # What lies a folder down, which a preparation takes, may be of another competition here.
        with suppress(UserError, OSError):
            found = task.locate(folder, needed=()).files.get(role)
            if found is not None and found.parent == folder:
                files[role] = found
                notes.append(f"{role}: {found}, which lies beside the input")
    return files, notes


def _stranger(task: Task[Any], source: Path, result: Path) -> UserError | None:
    """What a faulty submission is, where it is none at all: the input, a file of another task."""
    begin, asked = beginning(result), beginning(source)
    texts = [form for form in task.forms if form.role == TEXTS]
    if begin is not None and not task.predictions_like_texts:
        for form in texts:
            if form.fits(begin):
                return UserError(f"looks like the input: {form.title}", file=result, mend=_SWAPPED)
    plain = UserError("", file=result)
    better = explained(plain, task, {PREDICTIONS: result})
    if better is not plain:
        return UserError(better.message, file=result, mend=f"name the submission that answers {source}")
    if not isinstance(begin, Mapping) or not isinstance(asked, Mapping) or not begin.keys() <= asked.keys():
        return None
    answered, unanswered = (any(form.fits(one) for form in texts) for one in (asked, begin))
    if answered and not unanswered:
        return UserError("has texts without answers, and the input has answers", file=result, mend=_SWAPPED)
    return None


def _default(result: Path, competition: Competition) -> Path:
    """Where what is handed in goes, if nothing else is said: beside the submission."""
    stem = result.name
    while Path(stem).suffix.lower() in (".gz", ".zip", ".json", ".jsonl", ".tsv", ".txt"):
        stem = Path(stem).stem
    return result.with_name(f"{stem}-{competition.name}{competition.packed or Path(competition.inside).suffix}")


def _write(result: Path, place: Path, inside: str) -> None:
    """Write the content of a submission, byte for byte, packed as the name of its place says."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    with damage_told(result), atomic_text(place, inside) as out:
        for _, stream in open_members(result):
            while block := stream.read(_BLOCK):
                out.write(decoder.decode(block))
