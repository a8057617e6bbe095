"""What a text with triples holds, for those who look at a corpus."""

from __future__ import annotations

from ietool.core.looked import Gold, Looked, Words, placed
from ietool.tasks.ske.data.example import VALUE, Example

WORDS = Words(labels="relations")


def looked(example: Example) -> Looked:
    """Each triple by its relation, subject and object; a slot beside the object is a role."""
    text = example.text
    gold = [
        Gold(
            triple.predicate,
            (
                placed(text, "subject", triple.subject),
                *(
                    placed(text, "object", value, "" if slot == VALUE else f"{triple.predicate}.{slot}")
                    for slot, value in triple.object
                ),
            ),
        )
        for triple in example.triples
    ]
    return Looked(text, gold)
