"""Reading what is scored: gold files, and submissions of ids and subjects."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ietool.errors import UserError
from ietool.files.lines import parse_json, read_lines
from ietool.files.records import not_a
from ietool.scoring.coverage import check_shared
from ietool.scoring.occurrences import numbered
from ietool.tasks.event_subject.data.example import Example
from ietool.tasks.event_subject.data.reading import load_examples, read_forms, subject_of

FORMAT = 'write "id","subject" a row, with NaN where there is no subject'


@dataclass(frozen=True)
class Predicted:
    """A record of a submission: the subject is empty where it says none."""

    id: str
    subject: str
    file: str
    line: int


def read_gold(path: str | Path) -> list[Example]:
    """The records of a gold file, in order."""
    return list(load_examples(path))


def read_predictions(path: str | Path) -> Iterator[Predicted]:
    """Stream the records of a submission, CSV or JSON Lines.

    Raises:
        UserError: naming file, line and field of what is none.
    """
    return read_forms(read_lines(path), _of_row, _of_json, None)


def _of_row(cells: Sequence[str], file: str, line: int) -> Predicted:
    if len(cells) not in (2, 4):  # a gold file has four
        raise UserError(f"has {len(cells)} cells, 2 are needed", file=file, line=line, mend=FORMAT)
    return _checked(cells[0], cells[-1], file, line)


def _of_json(text: str, file: str, line: int) -> Predicted:
    record = parse_json(text, file, line)
    identity, subject = record.get("id"), record.get("subject")
    if type(identity) is int:
        identity = str(identity)
    if not isinstance(identity, str):
        raise UserError(not_a(record, "id", "a string"), file=file, line=line, field="id", mend=FORMAT)
    if "subject" not in record or not isinstance(subject, str | None):
        raise UserError(not_a(record, "subject", "a string"), file=file, line=line, field="subject", mend=FORMAT)
    return _checked(identity, subject or "", file, line)


def _checked(identity: str, subject: str, file: str, line: int) -> Predicted:
    if not identity.strip():
        raise UserError("is empty", file=file, line=line, field="id", mend=FORMAT)
    return Predicted(identity.strip(), subject_of(subject), file, line)


def pair_up(
    gold: Sequence[Example], found: Iterator[Predicted], path: str | Path
) -> tuple[list[tuple[Example, str | None]], list[str]]:
    """Each record of gold with the subject predicted for its id, None without any; and remarks.

    Of an id that stands several times the first of gold goes with the first of the predictions.
    """
    given = [(one.id, one.subject) for one in found]
    by_id = dict(zip(numbered(name for name, _ in given), (subject for _, subject in given), strict=True))
    wanted = numbered(example.id for example in gold)
    pairs = [(example, by_id.pop(key, None)) for key, example in zip(wanted, gold, strict=True)]
    hit = sum(subject is not None for _, subject in pairs)
    check_shared(len(gold), len(given), hit, file=path, what="ids")
    notes = []
    if hit < len(gold):
        notes.append(f"{len(gold) - hit:,} of {len(gold):,} gold records have no prediction and count as NaN")
    if by_id:
        notes.append(f"{len(by_id):,} predicted ids are not in gold and cost nothing")
    return pairs, notes
