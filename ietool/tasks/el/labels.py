"""Linked mentions as labels: looked at one by one, changed, and written again."""

from __future__ import annotations

import json
from collections.abc import Hashable, Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from ietool.core.candidates import Candidates
from ietool.core.labelled import BOUNDARY, ENTITY, Edits, Labels, changed, leave
from ietool.errors import UserError
from ietool.files.lines import OnBad, read_lines
from ietool.tasks.el.data.example import Example, Mention
from ietool.tasks.el.data.reading import read_examples
from ietool.tasks.el.heads.decoder import LinkDecoder, none_row
from ietool.tasks.el.heads.linking import Linking
from ietool.tasks.el.kb.knowledge_base import KnowledgeBase, open_any
from ietool.tasks.el.writing import format_line


class MentionLabels(Labels[Example, Mention]):
    """Of CCKS 2019 and 2020.

    Args:
        decoder: names the entities of candidates.
        candidates: of a mention of gold, that its entity is compared with, at most.
    """

    item = "mention"

    def __init__(self, folder: Path, decoder: LinkDecoder, candidates: int) -> None:
        super().__init__(folder, decoder.layout)
        self.decoder, self.candidates = decoder, candidates

    @cached_property
    def base(self) -> KnowledgeBase:
        """The knowledge base that rows number."""
        return open_any(self.decoder.kb)

    def identity(self, record: Example) -> str:
        return record.text

    def gold(self, record: Example) -> Sequence[Mention]:
        return record.mentions

    def found(self, prediction: Linking) -> Sequence[tuple[Mention, float]]:
        return [(Mention(m.mention, m.start, m.kb_id), m.probability) for m in prediction.mentions]

    def said(self, record: Example, found: Candidates, prediction: Linking, decode: Any) -> Sequence[Mention]:
        """What is predicted. A NIL of gold that may be of several types is found as one of them; where NILs are not
        learnt, silence agrees with them."""
        said = []
        for item, _ in self.found(prediction):
            meant = (m for m in record.mentions if (m.start, m.end) == (item.start, item.end) and m.is_nil)
            said.append(next((m for m in meant if item.kb_id in _ids(m)), item))
        if not self.decoder.keep_nil:
            said += [m for m in record.mentions if m.is_nil and not any(_overlap(m, item) for item in said)]
        return said

    def key(self, item: Mention) -> Hashable:
        return item.start, item.end, item.kb_id

    def scores(self, record: Example, found: Candidates, items: Sequence[Mention]) -> Sequence[float]:
        return self._highest(found, items, self.layout.probability(found.parts).tolist())

    def asked(self, record: Example, found: Candidates, items: Sequence[Mention]) -> Sequence[bool]:
        """Not those whose name is looked for in no text, whose entity the knowledge base lacks, or NILs that are not
        learnt."""
        able = self._highest(found, items, found.parts[:, 0].tolist())
        return [p > 0 and (self.decoder.keep_nil or not item.is_nil) for item, p in zip(items, able, strict=True)]

    def _highest(self, found: Candidates, items: Sequence[Mention], values: Sequence[float]) -> Sequence[float]:
        if not items:
            return []
        wanted = {(item.start, item.end) for item in items}
        best: dict[Hashable, float] = {}
        for (start, end, _, entity, _), value in zip(found.rows.tolist(), values, strict=True):
            if (start, end) in wanted:
                key = (start, end, self.decoder.id_of(entity))
                best[key] = max(value, best.get(key, 0.0))
        return [max(best.get((m.start, m.end, kb_id), 0.0) for kb_id in _ids(m)) for m in items]

    def rows(self, record: Example) -> Any:
        """Each mention with its entity and all that its name may mean beside, as only among them it has a share of
        probability; a NIL with each of its types."""
        rows: dict[tuple[int, int, int, int, int], None] = {}
        for mention in record.mentions:
            number = self.base.number(record.text[mention.start : mention.end])
            if number is None and not mention.is_nil:
                continue
            name = -1 if number is None else number
            meant = self._entities(mention)
            others = [] if number is None else self.base.candidates(number)[: self.candidates]
            if meant:
                rows |= dict.fromkeys((mention.start, mention.end, name, entity, 0) for entity in (*meant, *others))
        return list(rows)

    def _entities(self, mention: Mention) -> list[int]:
        """What stands for the entity of a mention in rows; nothing where they cannot say it."""
        if mention.is_nil:
            types = self.decoder.nil_types
            return [none_row(types.index(name)) for name in _ids(mention) if name in types]
        row = self.base.row(mention.kb_id)
        return [] if row is None else [row]

    def differs(self, gold: Mention, other: Mention) -> str:
        if (gold.start, gold.end) == (other.start, other.end):
            return ENTITY
        return BOUNDARY if _overlap(gold, other) else ""

    def plain(self, record: Example, item: Mention) -> dict[str, Any]:
        return {"kb_id": item.kb_id, "mention": item.mention, "offset": str(item.start)}

    def item_of(self, record: Example, plain: Mapping[str, Any]) -> Mention:
        line = {"text_id": record.text_id, "text": record.text, "mention_data": [plain]}
        try:
            return next(iter(read_examples([("", 0, json.dumps(line, ensure_ascii=False))]))).mentions[0]
        except UserError as error:
            raise ValueError(f"{(error.field or '').removeprefix('mention_data[0].')}: {error.message}") from None

    def places(self, record: Example, item: Mention) -> Sequence[tuple[int, int]]:
        return [(item.start, item.end)]

    def written(self, record: Example, items: Sequence[Mention]) -> str:
        return format_line(record.text_id, record.text, items) + "\n"

    def edited(self, source: Path, edits: Mapping[str, Edits[Mention]], on_bad: OnBad = leave) -> Iterator[str]:
        """Line by line; what a changed record has besides is kept."""
        for _, _, line in read_lines(source, on_bad):
            yield self._edited(line, edits) + "\n"

    def _edited(self, line: str, edits: Mapping[str, Edits[Mention]]) -> str:
        try:
            record = json.loads(line)
            edit = edits.get(record["text"])
            if edit is None:
                return line
            example = next(iter(read_examples([("", 0, line)])))
        except (UserError, ValueError, LookupError, TypeError):  # which preparing told of or left out
            return line
        edit.seen += 1
        kept = changed(example.mentions, edit, self.key)
        own: dict[tuple[str, ...], dict[str, Any]] = {}  # as they stand in the file, with what else they have
        for entry in record["mention_data"]:
            own.setdefault(tuple(str(entry.get(name)) for name in ("kb_id", "mention", "offset")), entry)
        plain = [self.plain(example, item) for item in sorted(kept, key=lambda m: (m.start, m.end))]
        entries = [own.get((one["kb_id"], one["mention"], one["offset"]), one) for one in plain]
        return json.dumps({**record, "mention_data": entries}, ensure_ascii=False)


def _overlap(one: Mention, two: Mention) -> bool:
    return one.start < two.end and two.start < one.end


def _ids(mention: Mention) -> list[str]:
    """Those that the entity of a mention may have: several where it is a NIL of several types."""
    return mention.kb_id.split("|") if mention.is_nil else [mention.kb_id]
