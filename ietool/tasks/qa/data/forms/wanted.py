"""What a reader of questions asks for."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Wanted:
    """``form``: one of ``FORMS``, None to recognise it; ``answers``, ``passages``: whether a question needs them."""

    form: str | None = None
    answers: bool = True
    passages: bool = True
