"""Checking a submission against the input that it answers: what a check is given, and what comes of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ietool.errors import UserError
from ietool.files.documents import Place as Place

Tell = Callable[[UserError], None]
"""Told of each fault."""


@dataclass
class Check:
    """A submission, what it is held against, and what came of it.

    Attributes:
        competition: whose rules hold.
        source: the input file that it answers.
        result: the submission, plain or packed.
        tell: told of each fault.
        any_order: whether its records may stand in another order than the input's.
        scratch: an empty folder for files of the check.
        options: further files, by name (``schema``, ``kb``).
        counts: how many of what there are: texts, triples, empty answers.
        rules: what was checked, for the user.
        notes: what the user should know, though it is no fault.
    """

    competition: str
    source: Path
    result: Path
    tell: Tell
    scratch: Path
    any_order: bool = False
    options: Mapping[str, Path] = field(default_factory=dict)
    counts: Counter[str] = field(default_factory=Counter)
    rules: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


CONTROLS = frozenset(map(chr, range(32))) - set("\t\n\r")
"""Characters that no answer has, whatever its escapes: NUL among them."""


def control_in(text: str) -> str | None:
    """The first control character of an answer, as an escape; None if there is none."""
    if text.isprintable():  # nearly always
        return None
    return next((f"\\u{ord(char):04x}" for char in text if char in CONTROLS), None)


def can_stand(name: str) -> bool:
    """Whether a submission may have a name: no competition takes one of blanks, or with a control character. Models can
    take either for a name."""
    return bool(name.strip()) and control_in(name) is None
