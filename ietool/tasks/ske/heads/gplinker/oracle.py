"""What the decoder of GPLinker makes of perfect scores."""

from __future__ import annotations

from collections.abc import Sequence

from ietool.tasks.ske.features.labelling import Row


def perfect_links(windows: Sequence[Sequence[Row]], labels: int) -> list[list[Row]]:
    """As :meth:`ietool.tasks.ske.heads.decoder.SkeDecoder.perfect`: every pair of a subject and an object whose first
    and whose last positions are linked by a label."""
    found = []
    for rows in windows:
        subjects, objects = {(a, b) for a, b, *_ in rows}, {(c, d) for *_, c, d in rows}
        heads, tails = {(a, r, c) for a, _, r, c, _ in rows}, {(b, r, d) for _, b, r, _, d in rows}
        own = {r for _, _, r, _, _ in rows}
        found.append(
            [
                (a, b, r, c, d)
                for a, b in subjects
                for c, d in objects
                for r in own
                if (a, r, c) in heads and (b, r, d) in tails
            ]
        )
    return found
