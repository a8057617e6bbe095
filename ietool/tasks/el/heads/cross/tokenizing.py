"""The tokenizer of head ``cross`` at preparation: whether it has room, what it cuts, which tokens are kept."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from ietool.errors import UserError
from ietool.files import read_lines
from ietool.progress import Progress
from ietool.tasks.el.data.reading import read_examples
from ietool.tasks.el.features.descriptions import describe, entities_of, whole
from ietool.tasks.el.heads.cross.marking import MARK, PAIR_ROOM
from ietool.tasks.el.kb.knowledge_base import KnowledgeBase
from ietool.tasks.el.recipe import DataSection, ModelSection
from ietool.text.tokens import TokenReader, fetch_tokenizer
from ietool.text.windows import windows

_TEXTS = 1000
"""Texts read at a time."""


def fetch_reader(model: ModelSection) -> TokenReader:
    """The tokenizer of the recipe's encoder.

    Raises:
        UserError: it cannot be had, or its encoder is too small for a mention with a description.
    """
    reader = fetch_tokenizer(model.encoder)
    check_room(model, reader)
    return reader


def check_room(model: ModelSection, reader: TokenReader) -> None:
    """Raise UserError unless an encoder has positions for a mention's text and a description."""
    room = model.query + model.description + PAIR_ROOM
    if reader.limit < room:
        most = reader.limit - PAIR_ROOM
        raise UserError(
            f"the encoder reads {reader.limit} tokens, a mention and a description may have {room}",
            field="model.encoder",
            mend=f"set model.query and model.description to {most} together at most"
            if most >= 16  # the least that both can be
            else "use an encoder with more positions",
        )


@dataclass
class TokenCounts:
    """Tokens of the chosen descriptions, and descriptions that lose their end.

    ``seen``: the tokens of whole records and of the chosen descriptions, whose last word may be cut.
    """

    tokens: int = 0
    cut: int = 0
    seen: set[int] = field(default_factory=set)


def count_tokens(reader: TokenReader, kb: KnowledgeBase, model: ModelSection, progress: Progress) -> TokenCounts:
    """What the encoder reads of the knowledge base."""
    counts, done = TokenCounts(), 0
    for entities in entities_of(kb):
        for ids in _ids(reader, [describe(e, model.description, model.description_choice) for e in entities]):
            counts.tokens += min(len(ids), model.description)
            counts.cut += len(ids) > model.description
            if model.cut_vocabulary:
                counts.seen.update(ids)
        if model.cut_vocabulary:
            for ids in _ids(reader, [whole(e) for e in entities]):
                counts.seen.update(ids)
        done += len(entities)
        progress("tokens", done, kb.info.entities)
    return counts


def tokens_of_texts(reader: TokenReader, paths: Iterable[tuple[Path, bool]], data: DataSection) -> set[int]:
    """The tokens of the windows of training texts, and those of the marks.

    Args:
        paths: files of examples, each with whether its mentions have ids.
    """
    seen = set(reader.units(MARK).ids.tolist())
    for path, need_ids in paths:
        examples = read_examples(read_lines(path), need_ids=need_ids)
        while some := [e.text for e in islice(examples, _TEXTS)]:
            pieces = [text[a:b] for text in some for a, b in windows(text, data.window, data.overlap)]
            for units in reader.units_all(pieces):
                seen.update(units.ids.tolist())
    return seen


def _ids(reader: TokenReader, texts: list[str]) -> list[list[int]]:
    """Tokens without any limit or special ones."""
    ids: list[list[int]] = reader.tokenizer(texts, add_special_tokens=False, verbose=False)["input_ids"]
    return ids
