"""From candidates to linked mentions: no model here, and no torch.

Candidates of a text have a row for every mention and every entity that it may mean, and one for its meaning none of
them. The choices: which matches are mentions, which of overlapping ones, which entity each means, and whether that is
probable enough; a text of several windows is decided window by window, and of what two of them found the best is taken.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import replace
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from ietool.core.candidates import Candidates, Floor, Layout, Parts
from ietool.core.labels import LabelColumn
from ietool.tasks.el.data.example import NIL, Example
from ietool.tasks.el.features.assets import KB, read_nil_types
from ietool.tasks.el.heads.linking import LinkCandidate, LinkedMention, Linking, best_first
from ietool.tasks.el.heads.mentions import Chance, SpanChance, apart
from ietool.tasks.el.kb.knowledge_base import open_any, open_entities
from ietool.tasks.el.kb.open import EntityFile
from ietool.tasks.el.recipe import ElRecipe

Key = tuple[int, int, int, int]
"""Of a mention: (start of the window, start, end, number of the name)."""

NAMED = 1 << 15
"""Entities whose id and subject are kept for the next time."""


def layout_of(chance: Chance) -> Layout:
    """The columns of candidates.

    Rows: ``start`` and ``end`` in characters of the text; ``name``, the number of the name in the knowledge base, −1 of
    a given mention whose name it lacks; ``entity``, the row of the entity in the knowledge base, which counts from 0 in
    the order of its source, or −1 − (number of the NIL type, 0 where there are none) for none of the candidates;
    ``window``, where the window begins that this was seen in, 0 but for long texts.

    Parts: those of the mention, the same in all its rows, and ``link``, the probability of the entity given that it is
    a mention. Of one mention in one window these sum to 1 where all candidates compete.
    """
    rows = ("start", "end", "name", "entity", "window")
    return Layout(rows, (*chance.names, "link"), (*chance.product, "link"))


def none_row(nil_type: int) -> int:
    """What stands in place of an entity for none of the candidates, and a NIL of this type."""
    return -1 - nil_type


class LinkDecoder:
    """Chooses mentions and their entities, and names these.

    Args:
        kb: the knowledge base that rows number: a folder or file as :func:`open_entities` takes it.
        nil_types: names of the types of NIL, by number; none where mentions that the knowledge base lacks are dropped.
    """

    chance: ClassVar[Chance] = SpanChance()
    layout: ClassVar[Layout] = layout_of(chance)
    names_decide: ClassVar[bool] = True
    """Whether readers take a floor that names parts for the threshold that mentions are chosen by."""
    threshold: ClassVar[str] = "joint"
    """The key of ``decode`` that is tried first where thresholds are chosen."""

    def __init__(self, kb: Path, nil_types: Sequence[str] = (), *, keep_nil: bool = False) -> None:
        self.kb, self.nil_types, self.keep_nil = kb, nil_types, keep_nil
        self._named = lru_cache(NAMED)(lambda row: (self.entities.kb_id(row), self.entities.subject(row)))

    @cached_property
    def entities(self) -> EntityFile:
        """What rows number, memory-mapped. Opened when the first mention is found."""
        return open_entities(self.kb)

    @property
    def labels(self) -> LabelColumn:
        """As in :class:`ietool.core.joining.JoinedDecoder`: types of NIL; entities are those of one knowledge base."""
        return LabelColumn("entity", self.nil_types, below_zero=True)

    def joined(self, others: Sequence[Any]) -> LinkDecoder:
        """As in :class:`ietool.core.joining.JoinedDecoder`: every match has a probability of its own."""
        return LinkDecoder(self.kb, self.nil_types, keep_nil=self.keep_nil)

    def plain(self, parts: Parts) -> Parts:
        """As in :class:`ietool.core.joining.JoinedDecoder`: (n, 2) the probability of the mention and of the link."""
        return np.stack([self.chance.probability(parts), parts[:, -1]], 1)

    @property
    def knowledge(self) -> str:
        """What tells the knowledge base that rows number from all others."""
        return open_any(self.kb).fingerprint

    def floor(self, decode: Any) -> Floor:
        """As in :class:`ietool.core.predicting.Decoder`. It names the parts of mentions alone: below it no match can be
        chosen, while what is above must be linked before it can be dropped."""
        return self.chance.floor(decode.mention)

    def decode(self, item: Example, found: Candidates, decode: Any) -> Linking:
        """As in :class:`ietool.core.predicting.Decoder`. ``decode.given_mentions``, ``restrict``, ``candidates`` and
        ``kb`` acted when the candidates were proposed; of these the first is looked at here too, since given mentions
        are all answered."""
        mentions: dict[Key, list[tuple[int, float]]] = {}
        first = []
        shares = found.parts[:, -1].tolist()
        for at, (start, end, name, entity, window) in enumerate(found.rows.tolist()):
            key = (window, start, end, name)
            if key not in mentions:
                mentions[key] = []
                first.append(at)
            mentions[key].append((entity, shares[at]))
        best: dict[tuple[int, int], LinkedMention] = {}
        for key, probability in self._taken(list(mentions), found.parts[first, :-1], decode):
            linked = self._linked(item.text, key, probability, mentions[key], decode)
            if linked is not None:
                known = best.get((linked.start, linked.end))
                if known is None or known.probability < linked.probability:
                    best[linked.start, linked.end] = linked
        kept = list(best.values())
        if decode.given_mentions:  # they are answered as they are given, in another case than the text's too
            names = {(mention.start, mention.end): mention.mention for mention in item.mentions}
            kept = [replace(m, mention=names.get((m.start, m.end), m.mention)) for m in kept]
        else:
            kept = [kept[i] for _, _, i, _ in apart([(m.start, m.end, i, m.probability) for i, m in enumerate(kept)])]
        return Linking(item.text_id, item.text, tuple(sorted(kept, key=lambda m: (m.start, m.end))))

    def choice(self, found: Candidates, decode: Any) -> tuple[npt.NDArray[np.bool_], Hashable]:
        """As in :class:`ietool.core.predicting.Choosing`."""
        of_mention, share = found.parts[:, :-1], found.parts[:, -1].astype(np.float64)
        product = self.chance.probability(of_mention).astype(np.float64) * share
        mask = [self.chance.chosen(of_mention, decode.mention), share < decode.link, product < decode.joint]
        # Of several models the types of a NIL are added up before they are compared.
        added_up = (decode.link, decode.joint) if found.models > 1 else None
        return np.stack(mask, 1), (decode.given_mentions, added_up)

    def _taken(self, keys: Sequence[Key], parts: Parts, decode: Any) -> list[tuple[Key, float]]:
        """The mentions that are found, each with its probability: in each window none overlaps another."""
        if not keys:
            return []
        probability = self.chance.probability(parts).tolist()
        if decode.given_mentions:
            return list(zip(keys, probability, strict=True))
        windows: dict[int, list[tuple[int, int, int, float]]] = {}
        for at, (key, is_chosen) in enumerate(
            zip(keys, self.chance.chosen(parts, decode.mention).tolist(), strict=True)
        ):
            if is_chosen:
                window, start, end, _ = key
                windows.setdefault(window, []).append((start, end, at, probability[at]))
        return [(keys[at], p) for spans in windows.values() for _, _, at, p in apart(spans)]

    def _linked(
        self, text: str, key: Key, probability: float, pairs: Sequence[tuple[int, float]], decode: Any
    ) -> LinkedMention | None:
        """A mention with its entity; None where it is not probable enough. ``pairs``: entities with their shares."""
        _, start, end, _ = key
        candidates = [pair for pair in pairs if pair[0] >= 0]
        candidates = [candidates[i] for i in best_first([share for _, share in candidates])]
        entity, sure = candidates[0] if candidates else (none_row(0), 0.0)
        if self.keep_nil or decode.given_mentions:
            none = [pair for pair in pairs if pair[0] < 0]
            whole = sum(share for _, share in none)  # of several models, which may see different types
            if not candidates or sure < max(whole, decode.link):
                entity, sure = max(none, key=lambda pair: pair[1], default=(none_row(0), 0.0))[0], whole
        elif not candidates or sure < decode.link:
            return None
        if probability * sure < decode.joint and not decode.given_mentions:
            return None
        named = tuple(LinkCandidate(*self._named(row), share) for row, share in candidates)
        kb_id = named[0].kb_id if entity >= 0 else self._nil(entity)
        return LinkedMention(text[start:end], start, end, kb_id, probability * sure, named)

    def id_of(self, entity: int) -> str:
        """The ``kb_id`` of a row's entity, a NIL's included."""
        return self._named(entity)[0] if entity >= 0 else self._nil(entity)

    def _nil(self, entity: int) -> str:
        number = -1 - entity
        return self.nil_types[number] if number < len(self.nil_types) else NIL


def decoder_of(kind: type[LinkDecoder], recipe: ElRecipe, assets: Path) -> LinkDecoder:
    """A decoder with the names that a run folder or prepared folder carries, or with those of ``decode.kb``."""
    keep = recipe.data.nil == "keep"
    types = read_nil_types(assets) if keep else []
    return kind(recipe.decode.kb or assets / KB, types, keep_nil=keep)
