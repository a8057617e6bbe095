"""Texts as the pieces that a model reads: windows of them, as units."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ietool.text.units import UnitReader, Units
from ietool.text.windows import windows


@dataclass(frozen=True)
class Piece:
    """A window ``[start, end)`` of text number ``text``, and its units."""

    text: int
    start: int
    end: int
    units: Units


def cut_pieces(reader: UnitReader, texts: Sequence[str], window: int, overlap: int) -> list[Piece]:
    """The windows of some texts, in order; those without any unit that stands for characters are left out.

    A window of more tokens than the encoder has positions for is cut into smaller ones.

    Args:
        window: characters of a piece, at most.
        overlap: characters that neighbours share.
    """
    cuts = [(i, a, b) for i, text in enumerate(texts) if text for a, b in windows(text, window, overlap)]
    found: list[Piece] = []
    while cuts:
        again = []
        for (i, a, b), units in zip(cuts, reader.units_all([texts[i][a:b] for i, a, b in cuts]), strict=True):
            read = int(units.ends.max(initial=0))
            full = len(units) >= getattr(reader, "limit", len(units) + 1)
            if full and texts[i][a + read : b].strip() and b - a > 16:
                half = (b - a + 1) // 2
                again += [(i, a + x, a + y) for x, y in windows(texts[i][a:b], half, min(overlap, half // 2))]
            elif units.inside.any():
                found.append(Piece(i, a, b, units))
        cuts = again
    # One of the smaller windows may lie within the next large one, which then says all that it could.
    kept: list[Piece] = []
    for piece in sorted(found, key=lambda piece: (piece.text, piece.start, -piece.end)):
        if not kept or kept[-1].text != piece.text or kept[-1].end < piece.end:
            kept.append(piece)
    return kept
