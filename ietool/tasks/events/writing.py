"""Predictions as the competitions take them."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from ietool.tasks.events.data.example import Event, Example
from ietool.tasks.events.data.forms import duee, fewfc
from ietool.tasks.events.data.forms.recognise import FEWFC


def format_line(example: Example, events: Iterable[Event]) -> str:
    """A line of a submission, without line end, in the form of the input: DuEE's by ``id``, or by ``text`` where the
    record had no id; FewFC's whole."""
    own: dict[str, Any] = {} if example.id is None else {"id": example.id}
    if example.form == FEWFC:
        record = {**own, "content": example.text, fewfc.EVENTS: fewfc.answer_list(example.text, events)}
    else:
        record = {**(own or {"text": example.text}), duee.EVENTS: duee.answer_list(example.text, events)}
    return json.dumps(record, ensure_ascii=False)
