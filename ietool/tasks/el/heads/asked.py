"""Rows that are to be scored: in which window each is, which mentions they name, and what is said of each."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np

from ietool.core.candidates import Candidates, Parts
from ietool.tasks.el.data.example import Example
from ietool.tasks.el.features.featurizer import Features
from ietool.tasks.el.heads.decoder import none_row
from ietool.tasks.el.heads.mentions import Chance
from ietool.tasks.el.heads.windows import FoundMention, LinkWindow, RankedMention
from ietool.tasks.el.kb.knowledge_base import KnowledgeBase


class GivenRows(NamedTuple):
    """A text and candidates that are to be scored."""

    example: Example
    found: Candidates


def cut_given(
    some: Sequence[GivenRows], windows_of: Callable[[str], list[tuple[int, int]]]
) -> Iterator[tuple[int, LinkWindow]]:
    """(Number of its text, window) of all windows in which a row is scored."""
    for number, (example, found) in enumerate(some):
        cuts = windows_of(example.text)
        starts = {a: n for n, (a, _) in enumerate(cuts)}
        mine: list[list[int]] = [[] for _ in cuts]
        for row, (start, end, _, _, window) in enumerate(found.rows.tolist()):
            named = starts.get(window, -1)
            tried = [named, *range(len(cuts))] if named >= 0 else range(len(cuts))
            owner = next((n for n in tried if cuts[n][0] <= start and end <= cuts[n][1]), None)
            if owner is not None:
                mine[owner].append(row)
        for (a, b), at in zip(cuts, mine, strict=True):
            if at:
                yield number, LinkWindow(example, a, b, found.rows[at], np.array(at))


def mentions_asked(
    window: LinkWindow, features: Features, parts: Parts, *, kb: KnowledgeBase, chance: Chance, all_given: bool
) -> list[tuple[FoundMention, list[int]]]:
    """The mentions of a window's rows, each with its rows.

    Args:
        parts: (matches, parts) of the window's matches.
        all_given: mentions are given, and what is none of them is no mention.
    """
    known = {tuple(match): n for n, match in enumerate(features.matches.tolist())}
    given = {(m.start, m.end) for m in window.example.mentions} if all_given else set()
    mentions: dict[tuple[int, int, int], list[int]] = {}
    for row, (start, end, name, _, _) in enumerate(window.rows.tolist()):
        mentions.setdefault((start, end, name), []).append(row)
    found = []
    for (start, end, name), at in mentions.items():
        match = known.get((start - window.start, end - window.start, name))
        mine: Sequence[float] = [0.0] * len(chance.names)
        if (start, end) in given:
            mine = chance.sure()
        elif match is not None and not all_given:
            mine = parts[match].tolist()
        entities = window.rows[at, 3]
        able = (entities >= 0) & (entities < kb.info.entities) & (0 <= name < kb.info.names)
        # Members with other windows name an entity once for each of theirs, and its share must not be parted.
        candidates = list(dict.fromkeys(entities[able].tolist()))
        found.append((FoundMention(start - window.start, end - window.start, name, mine, candidates), at))
    return found


def scored_parts(rows: np.ndarray, at: Sequence[Sequence[int]], said: Sequence[RankedMention], width: int) -> Parts:
    """(n, width): what is said of each of a window's ``rows`` (n, 5); ``at`` are those of each mention."""
    parts = np.zeros((len(rows), width), np.float32)
    for mine, one in zip(at, said, strict=True):
        shares = dict(zip(one.mention.candidates, one.shares.tolist(), strict=True))
        shares[none_row(one.nil_type)] = one.none
        parts[mine, :-1] = one.mention.parts
        parts[mine, -1] = [shares.get(entity, 0.0) for entity in rows[mine, 3].tolist()]
    return parts
