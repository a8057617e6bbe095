"""What a text with mentions holds, for those who look at a corpus."""

from __future__ import annotations

from ietool.core.looked import Gold, Looked, Name, Words
from ietool.tasks.el.data.example import Example

LINKED = "of the knowledge base"
"""The label of a mention whose entity the knowledge base has; that of others is their NIL."""

WORDS = Words(labels="kinds of entity", stretches=True)


def looked(example: Example) -> Looked:
    """Each mention with the id of its entity; without one, as inputs of 2020 give them, a mention is no gold."""
    gold = []
    for mention in example.mentions:
        if not mention.kb_id:
            continue
        name = Name("mention", mention.mention, mention.start, mention.end)
        if mention.is_nil:
            gold.append(Gold(mention.kb_id, (name,)))
        else:
            gold.append(Gold(LINKED, (name, Name("entity", mention.kb_id))))
    return Looked(example.text, gold)
