"""From a review to a new training file."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ietool.contest.clean.cleaning import PROVENANCE, Source, check_folder_of
from ietool.contest.clean.review import ReviewRow, mark_of, read_review, scores_of
from ietool.contest.group import OOF
from ietool.core.candidate_files import read_candidates
from ietool.core.labelled import Edits, Labels
from ietool.errors import UserError
from ietool.files.outputs import atomic_text
from ietool.files.plain_json import dump_json
from ietool.progress import Progress, no_progress

_EVERY = 64


@dataclass(frozen=True)
class Cleaned:
    """What came of a review.

    Attributes:
        train: the new training file.
        provenance: a line a change.
        changes: ``added``, ``dropped`` and ``replaced`` items.
        texts: that were changed.
        files: the others that the group was prepared from, by role; of train's further halves the new ones.
        left_out: lines of train that cannot be read, which preparing left out too.
    """

    train: Path
    provenance: Path
    changes: dict[str, int]
    texts: int
    files: dict[str, Path] = field(default_factory=dict)
    left_out: int = 0


def apply(group: Path, table: Path, output: Path, *, progress: Progress = no_progress) -> Cleaned:
    """Write a new training file with what a review accepts, and where each change comes from.

    Raises:
        UserError: the review is damaged, or of another training file; nothing is written then.
    """
    source = Source(group)
    check_folder_of(output, source)
    labels = source.labels
    rows = [row for row in read_review(table) if row.accepted]
    edits, log = _edits(source, table, rows)
    output.mkdir(parents=True, exist_ok=True)
    made = {role: output / name for role, name in source.outputs.items()}
    number = left_out = 0

    def leave_out(error: UserError, line: str) -> None:
        nonlocal left_out
        left_out += 1

    with ExitStack() as whole:
        for role, path in made.items():
            out = whole.enter_context(atomic_text(path))
            for piece in labels.edited(source.files[role], edits, leave_out):
                out.write(piece)
                number += 1
                if number % _EVERY == 0:
                    progress("write", number, None)
        gone = next((text for text, edit in edits.items() if not edit.seen), None)
        if gone is not None:
            message = f"has changed since the folds were cut: it lacks the text {gone[:40]!r}"
            raise UserError(message, file=source.file, mend="bring the file back, or train the folds anew")
    model = read_candidates(group / OOF).about["model"]
    with atomic_text(output / PROVENANCE) as out:
        for entry in log:
            out.write(dump_json({**entry, "group": group.name, "model": model}) + "\n")
    changes = Counter(entry["change"] for entry in log)
    files = {**source.files, **made}
    train = files.pop("train")
    return Cleaned(train, output / PROVENANCE, dict(changes), len(edits), files, left_out)


def _edits(
    source: Source, table: Path, rows: Sequence[ReviewRow]
) -> tuple[dict[str, Edits[Any]], list[dict[str, Any]]]:
    """What stands for a record → edits, and the log, of the accepted rows of a review."""
    labels = source.labels
    by_record: dict[int, list[ReviewRow]] = {}
    for row in rows:
        by_record.setdefault(row.record, []).append(row)
    edits: dict[str, Edits[Any]] = {}
    log = []
    wanted, count = sorted(by_record), sum(1 for _ in source.train.open("rb"))
    kept = source.task.kept(source.prepared)
    beyond = next((number for number in wanted if number >= count), None)
    if beyond is not None:
        row = by_record[beyond][0]
        raise _damaged(table, row, "record", f"there are {count:,} records")
    for number, record in zip(wanted, kept.read(source.train, wanted), strict=True):
        same = labels.same(record)
        gold = {labels.key(item) for item in labels.gold(record)}
        edit = edits.setdefault(same, Edits())
        for row in by_record[number]:
            if row.text_mark != mark_of(same):
                raise _damaged(table, row, "mark", f"record {number + 1} has another text")
            old, new = (
                None if plain is None else _item(labels, record, plain, table, row, name)
                for name, plain in (("gold", row.gold), ("proposed", row.proposed))
            )
            if old is not None and labels.key(old) not in gold:
                raise _damaged(table, row, "gold", f"record {number + 1} has no such {labels.item}")
            edit.without += [] if old is None else [old]
            edit.added += [] if new is None else [new]
            edit.moved += [] if old is None or new is None else [(old, new)]
            change = "added" if old is None else "dropped" if new is None else "replaced"
            entry = {"record": number + 1, "text": labels.identity(record), "change": change}
            entry |= {"kind": row.kind, "line": row.line}
            entry |= {"gold": row.gold, "proposed": row.proposed, **scores_of(row), "votes": row.votes}
            log.append(entry)
            along = [] if old is None else [labels.plain(record, one) for one in labels.along(record, old, new)]
            of_rows = [other.gold for other in by_record[number]]  # which are logged by themselves
            gone = [{"gold": one, "proposed": None, "with": row.gold} for one in along if one not in of_rows]
            log += [{**entry, "change": "dropped", **one} for one in gone]
    return edits, log


def _item(labels: Labels[Any, Any], record: Any, plain: Any, table: Path, row: ReviewRow, name: str) -> Any:
    try:
        return labels.item_of(record, plain)
    except ValueError as error:
        raise _damaged(table, row, name, str(error)) from None


def _damaged(table: Path, row: ReviewRow, field_: str, message: str) -> UserError:
    mend = "mend the cell, or make the review anew: leave out --apply"
    return UserError(message, file=table, line=row.line, field=field_, mend=mend)
