"""What a record holds, for those who look at a corpus."""

from __future__ import annotations

from ietool.core.looked import Gold, Looked, Words, placed
from ietool.tasks.event_subject.data.example import Example

SUBJECT = "subject"

WORDS = Words(labels="labels", kinds="types of event")


def looked(example: Example) -> Looked:
    """The subject, if there is one; the type of event is what is asked."""
    gold = [Gold(SUBJECT, (placed(example.text, SUBJECT, example.subject),))] if example.subject else []
    return Looked(example.text, gold, example.type, identity=f"{example.text}\t{example.type}")
