"""Triples as labels: looked at one by one, changed, and written again."""

from __future__ import annotations

import json
from collections.abc import Hashable, Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from ietool.core.candidates import Candidates
from ietool.core.labelled import BOUNDARY, ENTITY, TYPE, Edits, Labels, changed, leave
from ietool.errors import UserError
from ietool.files.lines import OnBad
from ietool.tasks.ske.data.example import VALUE, Example, Triple
from ietool.tasks.ske.data.reading import read_examples
from ietool.tasks.ske.data.schema import WEBNLG, Schema
from ietool.tasks.ske.data.webnlg import LIST, open_records
from ietool.tasks.ske.features.featurizer import read_assets_schema
from ietool.tasks.ske.features.labelling import facts, label_rows
from ietool.tasks.ske.heads.assembly import Extraction
from ietool.tasks.ske.score.judge import Matching, normalise
from ietool.tasks.ske.writing import format_line, format_triple


class TripleLabels(Labels[Example, Triple]):
    """Of SKE 2019, DuIE 2.0 and WebNLG."""

    item = "triple"

    @cached_property
    def schema(self) -> Schema:
        """The relations that there are."""
        return read_assets_schema(self.folder)

    @cached_property
    def _key(self) -> Matching:
        return Matching(self.schema.competition)

    def identity(self, record: Example) -> str:
        return record.text

    def soft(
        self, record: Example, found: Candidates, prediction: Extraction, least: float
    ) -> list[tuple[Triple, float]]:
        """What is predicted, as probable as its candidates; then what is not, by its main slot."""
        triples = dict(self.found(prediction))
        # What rules made has no candidate of its own.
        best = {
            triple: max(p, triples[triple])
            for triple, p in zip(triples, self.scores(record, found, list(triples)), strict=True)
        }
        text, labels = record.text, self.schema.labels
        stated = {(t.subject, t.predicate, dict(t.object)[VALUE]) for t in triples}
        for (a, b, label, c, d, _), p in zip(
            found.rows.tolist(), self.layout.probability(found.parts).tolist(), strict=True
        ):
            predicate, slot = labels[label]
            subject, value = text[a:b], text[c:d]
            if p < least or slot != VALUE or not subject.strip() or not value.strip():
                continue
            if (subject, predicate, value) not in stated:
                triple = Triple(subject, predicate, ((VALUE, value),))
                best[triple] = max(p, best.get(triple, 0.0))
        return list(best.items())

    def gold(self, record: Example) -> Sequence[Triple]:
        return record.triples

    def found(self, prediction: Extraction) -> Sequence[tuple[Triple, float]]:
        return [(t.triple, t.probability) for t in prediction.triples]

    def key(self, item: Triple) -> Hashable:
        return self._key.key(item)

    def scores(self, record: Example, found: Candidates, items: Sequence[Triple]) -> Sequence[float]:
        """As probable as its least probable slot, at the place where that is most probable."""
        if not items:
            return []
        text, labels = record.text, self.schema.labels
        best: dict[tuple[str, str, str, str], float] = {}
        probability = self.layout.probability(found.parts).tolist()
        for (a, b, label, c, d, _), p in zip(found.rows.tolist(), probability, strict=True):
            key = (normalise(text[a:b]), *labels[label], normalise(text[c:d]))
            best[key] = max(p, best.get(key, 0.0))
        return [
            min(
                best.get((normalise(triple.subject), triple.predicate, slot, normalise(value)), 0.0)
                for slot, value in triple.object
            )
            for triple in items
        ]

    def rows(self, record: Example) -> Any:
        numbers = {label: n for n, label in enumerate(self.schema.labels)}
        return [(*row, 0) for row in label_rows(facts(record.triples, numbers), record.text, words=self.schema.words)]

    def differs(self, gold: Triple, other: Triple) -> str:
        same_subject, same_object = gold.subject == other.subject, gold.object == other.object
        if gold.predicate != other.predicate:
            return TYPE if same_subject and same_object else ""
        if same_subject == same_object:
            return ""
        one, two = (
            (dict(gold.object)[VALUE], dict(other.object)[VALUE]) if same_subject else (gold.subject, other.subject)
        )
        return BOUNDARY if one in two or two in one else ENTITY

    def plain(self, record: Example, item: Triple) -> dict[str, Any]:
        return format_triple(item, self.schema)

    def item_of(self, record: Example, plain: Mapping[str, Any]) -> Triple:
        stated: dict[str, Any] = {"spo_list": [plain]}
        if self.schema.competition == WEBNLG:
            stated = {LIST: [[plain.get(name) for name in ("subject", "predicate", "object")]]}
        line = json.dumps({"text": record.text, **stated}, ensure_ascii=False)
        try:
            triples = next(iter(read_examples([("", 0, line)], self.schema))).triples
        except UserError as error:
            raise ValueError(f"{(error.field or '').removeprefix('spo_list[0].')}: {error.message}") from None
        if not triples:
            raise ValueError("the object is empty")
        return triples[0]

    def places(self, record: Example, item: Triple) -> Sequence[tuple[int, int]]:
        found = []
        for name in dict.fromkeys([item.subject, *(value for _, value in item.object)]):
            at = record.text.find(name)
            if at >= 0:
                found.append((at, at + len(name)))
        return found

    def written(self, record: Example, items: Sequence[Triple]) -> str:
        return format_line(record.text, items, self.schema) + "\n"

    def edited(self, source: Path, edits: Mapping[str, Edits[Triple]], on_bad: OnBad = leave) -> Iterator[str]:
        """Line by line; what a changed record has besides, and the types of triples that stay, are kept."""
        for _, _, line in open_records(source, on_bad):
            yield self._edited(line, edits) + "\n"

    def _edited(self, line: str, edits: Mapping[str, Edits[Triple]]) -> str:
        try:
            record = json.loads(line)
            edit = edits.get(record["text"])
        except (ValueError, LookupError, TypeError):  # a bad record, which preparing told of or left out
            return line
        if edit is None:
            return line
        try:
            example = next(iter(read_examples([("", 0, line)])))
        except UserError:
            return line
        edit.seen += 1
        kept = changed(example.triples, edit, self.key)
        if LIST in record and "spo_list" not in record:
            listed = [[triple.subject, triple.predicate, dict(triple.object)[VALUE]] for triple in kept]
            return json.dumps({**record, LIST: listed}, ensure_ascii=False)
        # As they are written: what only differs in case or book marks from what it takes the place of is another.
        stays, there = set(kept), set(example.triples)
        spos = []
        for spo in record["spo_list"]:
            triples = next(
                iter(read_examples([("", 0, json.dumps({"text": record["text"], "spo_list": [spo]}))]))
            ).triples
            if not triples or triples[0] in stays:
                spos.append(spo)
        spos += [format_triple(triple, self.schema) for triple in kept if triple not in there]
        return json.dumps({**record, "spo_list": spos}, ensure_ascii=False)
