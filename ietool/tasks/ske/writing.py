"""A line of a submission."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from ietool.tasks.ske.data.example import VALUE, Triple
from ietool.tasks.ske.data.schema import Schema


def format_line(text: str, triples: Iterable[Triple], schema: Schema) -> str:
    """One line of a submission, without line end, in the form of the schema's competition.

    SKE 2019 objects are strings (the ``@value``), DuIE 2.0 objects have slots. Types are the schema's; they are not
    scored, but the organisers' checkers expect them.
    """
    spo_list: list[dict[str, Any]] = []
    for triple in triples:
        entry: dict[str, Any] = {"subject": triple.subject, "predicate": triple.predicate}
        types = {slot: schema.slot_type(triple.predicate, slot) for slot, _ in triple.object}
        if schema.competition == "ske2019":
            entry["object"] = dict(triple.object)[VALUE]
        else:
            entry["object"] = dict(triple.object)
        entry["subject_type"] = schema.subject_type(triple.predicate)
        entry["object_type"] = types[VALUE] if schema.competition == "ske2019" else types
        spo_list.append(entry)
    return json.dumps({"text": text, "spo_list": spo_list}, ensure_ascii=False)
