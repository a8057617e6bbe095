"""Linked mentions as labels: looked at one by one, changed, and written again."""

from __future__ import annotations

import json
from collections.abc import Hashable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ietool.core.candidates import Candidates
from ietool.core.labelled import BOUNDARY, ENTITY, Edits, Labels, changed
from ietool.errors import UserError
from ietool.files.lines import read_lines
from ietool.tasks.el.data.example import Example, Mention
from ietool.tasks.el.data.reading import read_examples
from ietool.tasks.el.heads.decoder import LinkDecoder
from ietool.tasks.el.heads.linking import Linking
from ietool.tasks.el.writing import format_line


class MentionLabels(Labels[Example, Mention]):
    """Of CCKS 2019 and 2020.

    Args:
        decoder: names the entities of candidates.
    """

    item = "mention"

    def __init__(self, folder: Path, decoder: Any) -> None:
        super().__init__(folder, decoder.layout)
        self.decoder: LinkDecoder = decoder

    def identity(self, record: Example) -> str:
        return record.text

    def gold(self, record: Example) -> Sequence[Mention]:
        return record.mentions

    def found(self, prediction: Linking) -> Sequence[tuple[Mention, float]]:
        return [(Mention(m.mention, m.start, m.kb_id), m.probability) for m in prediction.mentions]

    def key(self, item: Mention) -> Hashable:
        return item.start, item.end, item.kb_id

    def scores(self, record: Example, found: Candidates, items: Sequence[Mention]) -> Sequence[float]:
        if not items:
            return []
        wanted = {(item.start, item.end) for item in items}
        best: dict[Hashable, float] = {}
        probability = self.layout.probability(found.parts).tolist()
        for (start, end, _, entity, _), p in zip(found.rows.tolist(), probability, strict=True):
            if (start, end) in wanted:
                key = (start, end, self.decoder.id_of(entity))
                best[key] = max(p, best.get(key, 0.0))
        return [best.get(self.key(item), 0.0) for item in items]

    def differs(self, gold: Mention, other: Mention) -> str:
        if (gold.start, gold.end) == (other.start, other.end):
            return ENTITY
        return BOUNDARY if gold.start < other.end and other.start < gold.end else ""

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

    def edited(self, source: Path, edits: Mapping[str, Edits[Mention]]) -> Iterator[str]:
        """Line by line; what a changed record has besides is kept."""
        for _, _, line in read_lines(source):
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
        entries = [self.plain(example, item) for item in sorted(kept, key=lambda m: (m.start, m.end))]
        return json.dumps({**record, "mention_data": entries}, ensure_ascii=False)
