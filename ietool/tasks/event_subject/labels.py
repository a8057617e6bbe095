"""Subjects as labels: looked at one by one, changed, and written again."""

from __future__ import annotations

import json
from collections.abc import Hashable, Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from ietool.core.candidates import Candidates
from ietool.core.labelled import BOUNDARY, ENTITY, Edits, Labels, changed, leave
from ietool.errors import UserError
from ietool.files.csv_rows import format_row, read_rows
from ietool.files.lines import OnBad, read_lines
from ietool.tasks.event_subject.data.example import NONE, Example, occurrences
from ietool.tasks.event_subject.data.reading import example_of_json, example_of_row, is_json
from ietool.tasks.event_subject.features.featurizer import load_types
from ietool.tasks.event_subject.heads.decoder import Answered


class SubjectLabels(Labels[Example, str]):
    """Of the competition's CSV and of JSON Lines; an item is the subject's name."""

    item = "subject"

    @cached_property
    def numbers(self) -> dict[str, int]:
        """Type → its number in rows."""
        return {name: number for number, name in enumerate(load_types(self.folder))}

    @property
    def suffix(self) -> str:
        return ".csv"

    def identity(self, record: Example) -> str:
        return f"{record.type}\t{record.text}"

    def text(self, record: Example) -> str:
        return record.text

    def gold(self, record: Example) -> Sequence[str]:
        return [record.subject] if record.subject else []

    def found(self, prediction: Answered) -> Sequence[tuple[str, float]]:
        subject = prediction.subject
        return [] if subject is None else [(subject.text, subject.probability)]

    def key(self, item: str) -> Hashable:
        return item

    def scores(self, record: Example, found: Candidates, items: Sequence[str]) -> Sequence[float]:
        sums: dict[str, float] = {}
        for (start, end, _), p in zip(found.rows.tolist(), self.layout.probability(found.parts).tolist(), strict=True):
            name = record.text[start:end]
            sums[name] = sums.get(name, 0.0) + p
        return [min(sums.get(item, 0.0), 1.0) for item in items]

    def rows(self, record: Example) -> Any:
        number = self.numbers.get(record.type)
        if number is None:
            return []
        return [(start, end, number) for start, end in occurrences(record.text, record.subject)]

    def differs(self, gold: str, other: str) -> str:
        return BOUNDARY if gold in other or other in gold else ENTITY

    def plain(self, record: Example, item: str) -> dict[str, Any]:
        return {"type": record.type, "subject": item}

    def item_of(self, record: Example, plain: Mapping[str, Any]) -> str:
        subject = plain.get("subject")
        if not isinstance(subject, str) or not subject.strip():
            raise ValueError("subject: is missing or no string")
        if subject not in record.text:
            raise ValueError(f"subject: {subject!r} does not stand in the text")
        if plain.get("type", record.type) != record.type:
            raise ValueError(f"type: the record is of {record.type}")
        return subject

    def places(self, record: Example, item: str) -> Sequence[tuple[int, int]]:
        return list(occurrences(record.text, item))

    def doubt(self, found: Candidates) -> float:
        """What the best name lacks to certainty, or none lacks to it: all places compete with one another."""
        best = float(self.layout.probability(found.parts).max(initial=0.0))
        return min(best, 1 - best)

    def written(self, record: Example, items: Sequence[str]) -> str:
        return format_row([record.id, record.text, record.type, items[0] if items else NONE]) + "\n"

    def edited(self, source: Path, edits: Mapping[str, Edits[str]], on_bad: OnBad = leave) -> Iterator[str]:
        """Row by row, in the form of the file. A record has one subject: where several come, the first."""
        first = next(read_lines(source, leave), None)
        if first is not None and is_json(first[2]):
            for file, number, line in read_lines(source, on_bad):
                yield self._json(line, file, number, edits) + "\n"
            return
        broken: list[str] = []  # rows that are none, before the one at hand: they stay too
        for file, number, raw, cells in read_rows(read_lines(source, on_bad), lambda error, row: broken.append(row)):
            yield from (f"{row}\n" for row in broken)
            broken.clear()
            try:
                example = example_of_row(cells, file, number)
            except UserError:  # which preparing told of or left out
                yield raw + "\n"
                continue
            subject = self._after(example, edits)
            if subject is None:
                yield raw + "\n"
            else:
                yield format_row([*cells[:3], subject or NONE]) + "\n"
        yield from (f"{row}\n" for row in broken)

    def _json(self, line: str, file: str, number: int, edits: Mapping[str, Edits[str]]) -> str:
        try:
            example = example_of_json(line, file, number)
        except UserError:
            return line
        subject = self._after(example, edits)
        return (
            line
            if subject is None
            else json.dumps({**json.loads(line), "subject": subject or NONE}, ensure_ascii=False)
        )

    def _after(self, example: Example, edits: Mapping[str, Edits[str]]) -> str | None:
        """The subject after the edits, empty for none; None where nothing changes."""
        edit = edits.get(self.identity(example))
        if edit is None:
            return None
        edit.seen += 1
        # What comes goes before what stays: there is one place for both.
        kept = changed(self.gold(example), edit, self.key)
        added = [item for item in kept if item not in self.gold(example)]
        subject = next(iter([*added, *kept]), "")
        return None if subject == example.subject else subject
