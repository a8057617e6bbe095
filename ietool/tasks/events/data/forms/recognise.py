"""Which form a record of events has."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

DUEE, FEWFC = "duee", "fewfc"
FORMS = (DUEE, FEWFC)

KNOWN = '{"text": …, "event_list": […]} or {"content": …, "events": […]} a line'
"""What may be brought, for messages."""


def form_of(record: Mapping[str, Any]) -> str:
    """``fewfc`` of a record with ``content`` or ``events``, else ``duee``."""
    own = "text" in record or "event_list" in record
    return FEWFC if not own and ("content" in record or "events" in record) else DUEE


def begins_duee(begin: Any) -> bool:
    """Whether a file that begins so holds events as DuEE has them."""
    return isinstance(begin, Mapping) and "event_list" in begin


def begins_fewfc(begin: Any) -> bool:
    """The same of FewFC."""
    return isinstance(begin, Mapping) and "events" in begin and "content" in begin


def begins_schema(begin: Any) -> bool:
    """Whether it is a schema of DuEE."""
    return isinstance(begin, Mapping) and "event_type" in begin and "role_list" in begin
