"""Linked mentions of several models as those of one, where each has decided."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import replace

from ietool.core.joining import picked, with_probability
from ietool.tasks.el.heads.linking import LinkedMention, Linking
from ietool.tasks.el.heads.mentions import apart


def joined(predictions: Sequence[Linking], chosen: Mapping[Hashable, float]) -> Linking:
    """As :meth:`ietool.core.contract.Task.joined` has it: a mention has one entity, and none overlaps another."""
    found = [m for p in predictions for m in p.mentions]
    picks: list[LinkedMention] = with_probability(picked(found, lambda m: (m.start, m.end, m.kb_id), chosen))
    best: dict[tuple[int, int], LinkedMention] = {}
    for one in picks:
        known = best.get((one.start, one.end))
        if known is None or known.probability < one.probability:
            best[one.start, one.end] = one
    kept = list(best.values())
    # What has the probability 0 (a given mention that no one knows) stays where nothing overlaps it.
    spans = [(m.start, m.end, n, max(m.probability, 1e-9)) for n, m in enumerate(kept)]
    mentions = tuple(kept[n] for _, _, n, _ in apart(spans))
    return replace(predictions[0], mentions=tuple(sorted(mentions, key=lambda m: (m.start, m.end))))
