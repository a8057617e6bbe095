"""What the encoder of head ``cross`` reads: tokens. Whether it has room, what it cuts, which tokens are kept."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from ietool.errors import UserError
from ietool.progress import Progress
from ietool.tasks.el.features.descriptions import describe, entities_of, whole
from ietool.tasks.el.heads.cross.marking import MARK, PAIR_ROOM
from ietool.tasks.el.heads.cross.recipe import CrossModelSection, CrossRecipe, CrossSection
from ietool.tasks.el.heads.vocabulary import CUT
from ietool.tasks.el.kb.knowledge_base import KnowledgeBase
from ietool.tasks.el.recipe import DataSection
from ietool.text.tokens import TokenReader, fetch_tokenizer, write_kept_tokens
from ietool.text.units import UnitReader
from ietool.text.windows import windows

_TEXTS = 1000
"""Texts read at a time."""


class TokenVocabulary:
    """See :class:`ietool.tasks.el.heads.vocabulary.Vocabulary`.

    Raises:
        UserError: the encoder cannot be had, or is too small for a mention with a description.
    """

    reasons: Sequence[str] = (CUT,)

    def __init__(self, recipe: CrossRecipe) -> None:
        self.recipe, self.reader = recipe, fetch_tokenizer(recipe.model.encoder.name)
        check_room(recipe.model.head, self.reader)

    def write(
        self, folder: Path, kb: KnowledgeBase, texts: Iterable[str], described: Counter[str], progress: Progress
    ) -> UnitReader:
        reader, model = self.reader, self.recipe.model
        reader.save(folder)
        counts = count_tokens(reader, kb, model, progress)
        described.update({"tokens": counts.tokens, "tokens_cut": counts.cut})
        if model.encoder.cut_vocabulary:
            seen = tokens_of_texts(reader, texts, self.recipe.data)
            write_kept_tokens(folder, reader, seen | counts.seen)
        return reader


def check_room(head: CrossSection, reader: TokenReader) -> None:
    """Raise UserError unless an encoder has positions for a mention's text and a description."""
    room = head.query + head.description + PAIR_ROOM
    if reader.limit < room:
        most = reader.limit - PAIR_ROOM
        raise UserError(
            f"the encoder reads {reader.limit} tokens, a mention and a description may have {room}",
            field="model.encoder",
            mend=f"set model.head.query and model.head.description to {most} together at most"
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


def count_tokens(reader: TokenReader, kb: KnowledgeBase, model: CrossModelSection, progress: Progress) -> TokenCounts:
    """What the encoder reads of the knowledge base."""
    counts, done, head, cut = TokenCounts(), 0, model.head, model.encoder.cut_vocabulary
    for entities in entities_of(kb):
        for ids in _ids(reader, [describe(e, head.description, head.description_choice) for e in entities]):
            counts.tokens += min(len(ids), head.description)
            counts.cut += len(ids) > head.description
            if cut:
                counts.seen.update(ids)
        if cut:
            for ids in _ids(reader, [whole(e) for e in entities]):
                counts.seen.update(ids)
        done += len(entities)
        progress("tokens", done, kb.info.entities)
    return counts


def tokens_of_texts(reader: TokenReader, texts: Iterable[str], data: DataSection) -> set[int]:
    """The tokens of the windows of training texts, and those of the marks."""
    seen, stream = set(reader.units(MARK).ids.tolist()), iter(texts)
    while some := list(islice(stream, _TEXTS)):
        pieces = [text[a:b] for text in some for a, b in windows(text, data.window, data.overlap)]
        for units in reader.units_all(pieces):
            seen.update(units.ids.tolist())
    return seen


def _ids(reader: TokenReader, texts: list[str]) -> list[list[int]]:
    """Tokens without any limit or special ones."""
    ids: list[list[int]] = reader.tokenizer(texts, add_special_tokens=False, verbose=False)["input_ids"]
    return ids
