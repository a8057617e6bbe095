"""What a text with entities holds, for those who look at a corpus."""

from __future__ import annotations

from ietool.core.looked import Gold, Looked, Name, Words
from ietool.tasks.ner.data.example import Example

WORDS = Words(labels="types", stretches=True)


def looked(example: Example) -> Looked:
    """Each entity by its type and place."""
    text = example.text
    gold = [Gold(e.type, (Name("entity", text[e.start : e.end], e.start, e.end),)) for e in example.entities]
    return Looked(text, gold)
