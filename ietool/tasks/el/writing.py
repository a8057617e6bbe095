"""A line of a submission."""

from __future__ import annotations

import json
from collections.abc import Iterable

from ietool.tasks.el.data.example import Mention


def format_line(text_id: str, text: str, mentions: Iterable[Mention]) -> str:
    """One line of a submission, without line end: mentions by their offsets, which are strings, in original case."""
    entries = [
        {"kb_id": m.kb_id, "mention": m.mention, "offset": str(m.start)}
        for m in sorted(mentions, key=lambda m: (m.start, m.end))
    ]
    return json.dumps({"text_id": text_id, "text": text, "mention_data": entries}, ensure_ascii=False)
