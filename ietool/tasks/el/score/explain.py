"""Why a mention was right, spurious or missed, in words."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ietool.scoring.report import Outcome
from ietool.tasks.el.data.example import Mention
from ietool.tasks.el.score.files import TextKey
from ietool.tasks.el.score.judge import ENTITY, MISSED, TWICE, WRONG, Error, Judged

_AROUND = 8  # characters shown on both sides of a mention


def explain_text(key: TextKey, judged: Judged, metric: str, *, answered: bool) -> Iterator[Outcome]:
    """The verdicts on one text: right and wrong predictions, then the gold mentions that none hits.

    ``right``, ``spurious`` and ``missed`` add up to the scores.
    """
    for mention, gold in judged.right:
        rule = "exact" if mention.kb_id == gold.kb_id else f"its type is one of gold's {gold.kb_id}"
        yield _outcome(key, "right", rule, mention, gold)
    for error in judged.wrong:
        yield _outcome(key, "spurious", f"{error.kind}: {_why(error, WRONG, 'gold')}", error.mention, error.other)
    for error in judged.missed:
        why = "the text has no prediction" if not answered else _why(error, MISSED, "the prediction")
        yield _outcome(key, "missed", f"{error.kind}: {why}", error.mention, error.other)


def _outcome(key: TextKey, verdict: str, rule: str, mention: Mention, other: Mention | None) -> Outcome:
    text_id, text = key
    theirs = None if other is None else _item(text_id, other)
    spans = [("mention", mention.start, min(mention.end, len(text)))] if mention.start < len(text) else []
    return Outcome(key, text, verdict, rule, _item(text_id, mention), theirs, spans)


def in_context(text: str, error: Error, side: str) -> str:
    """An error as an example for a table: the mention in brackets within its text, its id, what the other side has."""
    mention = error.mention
    start, end = max(0, mention.start - _AROUND), mention.end + _AROUND
    before = ("…" if start else "") + text[start : mention.start]
    after = text[mention.end : end] + ("…" if end < len(text) else "")
    # Predictions may stand anywhere: the mention is shown as it is written, not as the text has it.
    other = f", {side} {_words(error.other, mention)}" if error.other is not None else ""
    return f"{before}[{mention.mention}]{after} ({mention.kb_id}{other})"


def _item(text_id: str, mention: Mention) -> dict[str, Any]:
    """A mention as the files write it."""
    return {"text_id": text_id, "mention": mention.mention, "offset": str(mention.start), "kb_id": mention.kb_id}


def _why(error: Error, meanings: dict[str, str], side: str) -> str:
    if error.other is None:
        return meanings[error.kind]
    if error.kind == TWICE:
        return f"{meanings[error.kind]}, the last kb_id ({error.other.kb_id}) holds"
    if error.kind == ENTITY:
        return f"{side} has {error.other.kb_id}"
    return f"{meanings[error.kind]}; {side} has {_words(error.other, error.mention)}"


def _words(other: Mention, mention: Mention) -> str:
    if (other.mention, other.start) == (mention.mention, mention.start):
        return other.kb_id
    return f"{other.mention} at {other.start} ({other.kb_id})"
