"""A text and its mentions."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ietool.text.characters import fold

NIL = "NIL"
"""The ``kb_id`` of a mention whose entity the knowledge base lacks; the 2020 form adds a type: ``NIL_Person``."""


def normalise(name: str) -> str:
    """The key under which names are compared: folded, without one 《…》 pair if both ends are there."""
    name = fold(name)
    return name[1:-1] if name.startswith("《") and name.endswith("》") else name


@dataclass(frozen=True, slots=True)
class Mention:
    """A name at its place: ``start`` counts characters from 0, ``end`` is the first one behind it.

    ``kb_id`` is as in the file: an id, ``NIL``, a type as ``NIL_Person`` or several as ``NIL_Person|NIL_Work``; empty
    where the file has none.
    """

    mention: str
    start: int
    kb_id: str = ""

    @property
    def end(self) -> int:
        return self.start + len(self.mention)

    @property
    def is_nil(self) -> bool:
        """Whether the entity is said to be none of the knowledge base."""
        return self.kb_id[:3] == NIL and self.kb_id[3:4] in ("", "_")


@dataclass(frozen=True, slots=True)
class Example:
    """One text with its mentions, in the order of the file (none where the file has none).

    ``form`` is the competition whose kind of NIL the mentions show, ``ccks2019`` or ``ccks2020``; empty where no
    mention is NIL.
    """

    text_id: str
    text: str
    mentions: tuple[Mention, ...] = ()
    file: str = ""
    line: int = 0
    form: str = ""


def form_of(mentions: Iterable[Mention]) -> str:
    """``ccks2020`` if a NIL has a type, ``ccks2019`` if there are only bare ones, empty if there is none."""
    form = ""
    for mention in mentions:
        if mention.is_nil:
            if mention.kb_id != NIL:
                return "ccks2020"
            form = "ccks2019"
    return form
