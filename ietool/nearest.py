"""Guessing what a user meant by a word that is not known."""

from __future__ import annotations

from collections.abc import Collection

from rapidfuzz import fuzz, process


def did_you_mean(word: str, known: Collection[str], otherwise: str | None = None) -> str:
    """``did you mean …?`` with the known word most like the given one, or ``otherwise`` where none is like it:
    the list of them, if that is not given."""
    near = process.extractOne(word, list(known), scorer=fuzz.ratio, score_cutoff=50)
    return f"did you mean {near[0]}?" if near else otherwise or f"use one of: {', '.join(known)}"
