"""What is read of an entity: which pieces of a long record the network encodes, and what the match features see.

A record may hold thousands of characters, and its front is often the least telling part (a boilerplate abstract). So
its pieces are ranked, and the best that fit are taken; the match features see every character of it.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING, Literal

from ietool.text.characters import fold

if TYPE_CHECKING:
    from ietool.progress import Progress
    from ietool.tasks.el.kb.knowledge_base import KnowledgeBase
    from ietool.tasks.el.kb.records import Entity
    from ietool.tasks.el.recipe import HeadSection

SENSE, ABSTRACT = "义项描述", "摘要"
"""Predicates of CCKS records: the sense in a few words, and the encyclopedia's opening paragraph."""

TAG = "标签"
SHORT_VALUE = 10
"""Longest object, in characters, that the object-value feature looks for (kexue.fm 6919)."""

_SENTENCE = re.compile(r"[^。！？!?；;\n]+[。！？!?；;\n]*")
_NAMES = {"中文名", "中文名称", "外文名", "外文名称", "别名", "中文学名", "其他名称"}
"""Predicates whose objects are but names, which stand in front anyway."""

_ENTITIES = 1000
"""Entities read at a time."""

Choice = Literal["ranked", "front"]


def pieces(entity: Entity, choice: Choice) -> Iterator[str]:
    """The parts of a description, the most telling first (``ranked``), or in the order of the record (``front``).

    Ranked: the names; the sense; the abstract's first sentence; tags; objects of up to 30 characters in file order; the
    rest of the abstract by sentences; longer objects; objects that only repeat names.
    """
    yield "，".join(entity.names())
    if choice == "front":
        for predicate, value in entity.facts:
            yield f"{predicate}：{value}"
        return
    ranked: list[tuple[int, int, str]] = []
    for at, (predicate, value) in enumerate(entity.facts):
        if predicate == ABSTRACT:
            for number, sentence in enumerate(_SENTENCE.findall(value) or [value]):
                ranked.append((1 if number == 0 else 4, at, sentence))
            continue
        if predicate == SENSE:
            rank = 0
        elif predicate == TAG:
            rank = 2
        elif predicate in _NAMES:
            rank = 6
        else:
            rank = 3 if len(value) <= 30 else 5
        ranked.append((rank, at, f"{predicate}：{value}"))
    ranked.sort(key=lambda entry: entry[:2])
    for _, _, piece in ranked:
        yield piece


def describe(entity: Entity, size: int, choice: Choice = "ranked") -> str:
    """At most ``size`` characters of a description, folded: whole pieces as long as they fit, and the beginning of the
    first that does not where more than a quarter of the room is left."""
    taken: list[str] = []
    left = size
    for piece in pieces(entity, choice):
        if len(piece) + 1 > left:
            if choice == "front" or not taken or left > size // 4:
                taken.append(piece[:left])
                break
            continue
        taken.append(piece)
        left -= len(piece) + 1
    return fold("\n".join(taken)[:size])


def whole(entity: Entity) -> str:
    """All of a record as the match features see it: names, then ``predicate：object`` of every fact, folded."""
    return fold("\n".join([*entity.names(), *(f"{predicate}：{value}" for predicate, value in entity.facts)]))


def short_values(entity: Entity) -> tuple[str, ...]:
    """The folded objects of 2 to ``SHORT_VALUE`` characters, each once."""
    values = (fold(value.strip()) for _, value in entity.facts if len(value) <= SHORT_VALUE + 4)
    return tuple(dict.fromkeys(value for value in values if 2 <= len(value) <= SHORT_VALUE))


def entities_of(kb: KnowledgeBase) -> Iterator[list[Entity]]:
    """All entities, some at a time."""
    for first in range(0, kb.info.entities, _ENTITIES):
        yield kb.entities(range(first, min(first + _ENTITIES, kb.info.entities)))


def count_descriptions(kb: KnowledgeBase, head: HeadSection, progress: Progress) -> tuple[Counter[str], Counter[str]]:
    """(characters of all records; counts: ``characters``, ``chosen`` ones of them, records that are ``cut``)."""
    characters, described, done = Counter[str](), Counter[str](), 0
    for entities in entities_of(kb):
        for entity in entities:
            full = whole(entity)
            characters.update(full)
            described["characters"] += len(full)
            described["chosen"] += len(describe(entity, head.description, head.description_choice))
            described["cut"] += len(full) > head.description
        done += len(entities)
        progress("descriptions", done, kb.info.entities)
    return characters, described
