"""A line of a submission."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from ietool.tasks.ske.data.example import VALUE, Triple
from ietool.tasks.ske.data.schema import WEBNLG, Schema
from ietool.tasks.ske.data.webnlg import LIST


def format_line(text: str, triples: Iterable[Triple], schema: Schema) -> str:
    """One line of a submission, without line end; see :func:`format_triple`."""
    if schema.competition == WEBNLG:
        listed = [[triple.subject, triple.predicate, dict(triple.object)[VALUE]] for triple in triples]
        return json.dumps({"text": text, LIST: listed}, ensure_ascii=False)
    spo_list = [format_triple(triple, schema) for triple in triples]
    return json.dumps({"text": text, "spo_list": spo_list}, ensure_ascii=False)


def format_triple(triple: Triple, schema: Schema) -> dict[str, Any]:
    """A triple in the form of the schema's competition.

    SKE 2019 and WebNLG objects are strings (the ``@value``), DuIE 2.0 objects have slots. Types are the schema's; they
    are not scored, but the organisers' checkers expect them.
    """
    types = {slot: schema.slot_type(triple.predicate, slot) for slot, _ in triple.object}
    is_plain = schema.competition != "duie2"
    return {
        "subject": triple.subject,
        "predicate": triple.predicate,
        "object": dict(triple.object)[VALUE] if is_plain else dict(triple.object),
        "subject_type": schema.subject_type(triple.predicate),
        "object_type": types[VALUE] if is_plain else types,
    }
