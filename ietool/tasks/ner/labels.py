"""Entities as labels: looked at one by one, changed, and written again."""

from __future__ import annotations

import json
from collections.abc import Hashable, Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from ietool.core.candidates import Candidates
from ietool.core.labelled import BOUNDARY, TYPE, Edits, changed, edit_of, leave
from ietool.core.labelled import Labels as AnyLabels
from ietool.errors import UserError
from ietool.files.lines import OnBad, read_lines
from ietool.tasks.ner.data.example import Entity, Example, flatten, token_spans
from ietool.tasks.ner.data.forms.cluener import label_of, parse_record
from ietool.tasks.ner.data.forms.cmeee import format_line, parse_line
from ietool.tasks.ner.data.forms.recognise import CLUENER, CMEEE, RECORDS
from ietool.tasks.ner.data.forms.retagging import retagged
from ietool.tasks.ner.data.forms.tokens import Sentence, SentenceReader, format_sentence, make_example
from ietool.tasks.ner.data.schemes import SCHEMES
from ietool.tasks.ner.features.featurizer import Labels
from ietool.tasks.ner.heads.decoder import Recognised


class EntityLabels(AnyLabels[Example, Entity]):
    """Of CLUENER, CMeEE and of files of tokens and tags."""

    item = "entity"

    @cached_property
    def labels(self) -> Labels:
        """The types that there are, and the form of the training file."""
        return Labels.load(self.folder)

    @property
    def suffix(self) -> str:
        return {CLUENER: ".jsonl", CMEEE: ".txt"}.get(self.labels.form, f".{self.labels.form}")

    def identity(self, record: Example) -> str:
        return record.text

    def fits(self, record: Example) -> bool:
        """Lines end at line breaks where they are the form; that of CLUENER has escapes."""
        form = self.labels.form
        if form == CLUENER:
            return True
        lines = [(number, line) for number, line in enumerate(self.written(record, ()).split("\n"), 1) if line]
        try:
            if form == CMEEE:
                read = [parse_line(line, "", number) for number, line in lines]
            else:
                sentences = SentenceReader().read(("", number, line) for number, line in lines)
                read = [make_example(one, None) for one in sentences]
        except UserError:
            return False
        return [one.text for one in read] == [record.text]

    def soft(
        self, record: Example, found: Candidates, prediction: Recognised, least: float
    ) -> list[tuple[Entity, float]]:
        """By place, as they are read again."""
        types, best = self.labels.types, dict[Entity, float]()
        for (a, b, kind), p in zip(found.rows.tolist(), self.layout.probability(found.parts).tolist(), strict=True):
            if p >= least:
                best[Entity(a, b, types[kind])] = max(p, best.get(Entity(a, b, types[kind]), 0.0))
        return sorted(best.items())

    def written_soft(self, record: Example, items: Sequence[Entity]) -> str:
        """In the form of CLUENER: one tag a token cannot say of two entities that either may be right."""
        return json.dumps({"text": record.text, "label": label_of(record.text, items)}, ensure_ascii=False) + "\n"

    def gold(self, record: Example) -> Sequence[Entity]:
        return record.entities

    def found(self, prediction: Recognised) -> Sequence[tuple[Entity, float]]:
        return [(Entity(e.start, e.end, e.type), e.probability) for e in prediction.entities]

    def key(self, item: Entity) -> Hashable:
        return item

    def scores(self, record: Example, found: Candidates, items: Sequence[Entity]) -> Sequence[float]:
        if not items:
            return []
        types = self.labels.types
        best: dict[Entity, float] = {}
        for (a, b, kind), p in zip(found.rows.tolist(), self.layout.probability(found.parts).tolist(), strict=True):
            entity = Entity(a, b, types[kind])
            best[entity] = max(p, best.get(entity, 0.0))
        return [best.get(item, 0.0) for item in items]

    def rows(self, record: Example) -> Any:
        numbers = {name: n for n, name in enumerate(self.labels.types)}
        return [(e.start, e.end, numbers[e.type]) for e in record.entities if e.type in numbers]

    def differs(self, gold: Entity, other: Entity) -> str:
        if (gold.start, gold.end) == (other.start, other.end):
            return TYPE
        return BOUNDARY if gold.start < other.end and other.start < gold.end else ""

    def plain(self, record: Example, item: Entity) -> dict[str, Any]:
        return {"type": item.type, "name": record.text[item.start : item.end], "start": item.start, "end": item.end}

    def item_of(self, record: Example, plain: Mapping[str, Any]) -> Entity:
        kind, start, end = plain.get("type"), plain.get("start"), plain.get("end")
        if not isinstance(kind, str) or not kind.strip():
            raise ValueError("type: is missing or no string")
        if type(start) is not int or type(end) is not int or not 0 <= start < end <= len(record.text):
            raise ValueError(f"start, end: {start!r} to {end!r} is no place in a text of {len(record.text)} characters")
        if plain.get("name", record.text[start:end]) != record.text[start:end]:
            raise ValueError(f"name: {start} to {end} is {record.text[start:end]!r} in the text")
        return Entity(start, end, kind)

    def places(self, record: Example, item: Entity) -> Sequence[tuple[int, int]]:
        return [(item.start, item.end)]

    def written(self, record: Example, items: Sequence[Entity]) -> str:
        if self.labels.form == CLUENER:
            return json.dumps({"text": record.text, "label": label_of(record.text, items)}, ensure_ascii=False) + "\n"
        if self.labels.form == CMEEE:
            return format_line(record.text, sorted(items)) + "\n"
        return self._sentence(record, items)

    def _sentence(self, record: Example, items: Sequence[Entity]) -> str:
        return format_sentence(record, flatten(items), SCHEMES[self.labels.form], self.labels.separator)

    def edited(self, source: Path, edits: Mapping[str, Edits[Entity]], on_bad: OnBad = leave) -> Iterator[str]:
        """Record by record; what a changed one has besides is kept, and of tokens all but their tags."""
        if self.labels.form in RECORDS:
            for file, number, line in read_lines(source, on_bad):
                yield self._record(line, file, number, edits) + "\n"
            return
        yield from retagged(source, lambda sentence: self._tags(sentence, edits), on_bad)

    def _tags(self, sentence: Sentence, edits: Mapping[str, Edits[Entity]]) -> Sequence[str] | None:
        """The tags of a sentence whose entities change."""
        scheme = SCHEMES[self.labels.form]
        found = edit_of(lambda: make_example(sentence, scheme), edits)
        if found is None:
            return None
        example, edit = found
        entities = flatten(changed(example.entities, edit, self.key))
        return scheme.tags(token_spans(example, entities), len(sentence.tokens))

    def _record(self, line: str, file: str, number: int, edits: Mapping[str, Edits[Entity]]) -> str:
        spans = self.labels.form == CMEEE
        found = edit_of(lambda: (parse_line if spans else parse_record)(line, file, number), edits)
        if found is None:
            return line
        example, edit = found
        entities = changed(example.entities, edit, self.key)
        if spans:
            return format_line(example.text, entities)
        label = label_of(example.text, entities)
        return json.dumps({**json.loads(line), "label": label}, ensure_ascii=False)
