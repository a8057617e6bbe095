"""Tag schemes: which entities a sequence of tags states, and which tags state some entities.

A tag is ``O`` or a letter and a type: ``B-PER``. All schemes are one of three structures under other letters; the
structures bear seqeval's names, and entities are read as seqeval does in strict mode: what breaks the scheme is none.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from ietool.errors import UserError

OUTSIDE = "O"
PLAIN = {"B": "B", "I": "I", "M": "I", "E": "E", "L": "E", "S": "S", "U": "S", "W": "S"}
"""The letters of all schemes → those of BIOES."""

UnitSpan = tuple[int, int, str]
"""(first token, the one behind the last, type)."""


@dataclass(frozen=True)
class Scheme:
    """A way to write entities as tags.

    Attributes:
        name: as recipes and files have it.
        structure: seqeval's class for it.
        letters: of a first, middle, last and single token.
        title: for the user.
    """

    name: str
    structure: str
    letters: str
    title: str

    def tags(self, spans: Iterable[UnitSpan], length: int) -> list[str]:
        """The tags of ``length`` tokens that state the spans, which must not overlap."""
        tags = [OUTSIDE] * length
        begin, inside, end, single = tuple(self.letters)
        for first, behind, kind in sorted(spans):
            if self.structure == "IOB1":
                # B only where the span would run into one of its type before it.
                touches = first > 0 and tags[first - 1] in (f"I-{kind}", f"B-{kind}")
                row = ["B" if touches else "I", *"I" * (behind - first - 1)]
            elif behind - first == 1:
                row = [single]
            else:
                row = [begin, *inside * (behind - first - 2), end]
            tags[first:behind] = [f"{letter}-{kind}" for letter in row]
        return tags

    def plain(self, letter: str) -> str:
        """A letter of the scheme as its structure has it."""
        return "B" if letter == "S" and self.structure == "IOB2" else PLAIN.get(letter, letter)

    def spans(self, tags: Sequence[tuple[str, str]]) -> tuple[list[UnitSpan], int]:
        """The entities of some tags, each as (letter of :meth:`plain` or O, type), and how many tags belong to none."""
        read = {"IOB1": _spans_iob1, "IOB2": _spans_iob2, "IOBES": _spans_iobes}[self.structure]
        found = read(tags)
        covered = sum(behind - first for first, behind, _ in found)
        return found, sum(letter != OUTSIDE for letter, _ in tags) - covered


SCHEMES = {
    scheme.name: scheme
    for scheme in (
        Scheme("bio", "IOB2", "BIIB", "B- begins every entity, I- goes on"),
        Scheme("bios", "IOB2", "BIIS", "the same, S- for entities of one token"),
        Scheme("iob1", "IOB1", "BIII", "I- in entities, B- only where one follows another of its type"),
        Scheme("bioes", "IOBES", "BIES", "first, middle and last token, and single ones"),
        Scheme("bmes", "IOBES", "BMES", "the same, M for the middle"),
        Scheme("bilou", "IOBES", "BILU", "the same, L for the last and U for single ones"),
        Scheme("bmew", "IOBES", "BMEW", "the same, M for the middle and W for single ones"),
    )
}


@lru_cache(4096)
def split_tag(tag: str) -> tuple[str, str]:
    """(letter as it is written, type) of a tag; ``("O", "")``.

    Raises:
        ValueError: it is no tag of any scheme; blanks and control characters are none's.
    """
    if tag == OUTSIDE:
        return OUTSIDE, ""
    letter, dash, kind = tag.partition("-")
    if letter not in PLAIN or not dash or not kind or not kind.isprintable() or any(map(str.isspace, kind)):
        raise ValueError(f"{tag!r} is no tag: O, or one of {' '.join(PLAIN)}, a dash and a type")
    return letter, kind


def is_tag(text: str) -> bool:
    """Whether a text is a tag of some scheme."""
    try:
        split_tag(text)
    except ValueError:
        return False
    return True


_LETTERS = "".join(PLAIN)
_SPELLINGS = (
    # The dash of another kind, or none; the letter behind the type; small letters.
    (re.compile(rf"([{_LETTERS}])[_:/.|+–—‐‑−－]([^\s]+)"), r"\1-\2"),
    (re.compile(rf"([^\s]+)[-_:/.]([{_LETTERS}])"), r"\2-\1"),
    (re.compile(rf"([{_LETTERS.lower()}])[-_]([^\s]+)"), r"\1-\2"),
)


def respelt(tag: str) -> str | None:
    """What is meant by something that is no tag: ``B-PER`` by ``B_PER``, ``PER-B`` and ``b-PER``, ``O`` by ``0`` and
    ``o``; None where nobody knows."""
    if tag in ("0", "o", "Ｏ", "OUT", "OUTSIDE", "_"):
        return OUTSIDE
    for form, meant in _SPELLINGS:
        if found := form.fullmatch(tag):
            text = found.expand(meant)
            return text[:1].upper() + text[1:]
    return None


class SchemeFinder:
    """Finds the scheme of a file from its tags, sentence by sentence."""

    def __init__(self) -> None:
        self.letters: dict[str, None] = {}
        self._opened_by_b = self._opened_by_i = 0

    def add(self, tags: Sequence[tuple[str, str]]) -> None:
        """See the tags of a sentence, as :func:`split_tag` gives them."""
        before = (OUTSIDE, "")
        for letter, kind in tags:
            self.letters.setdefault(letter)
            if before[0] == OUTSIDE or before[1] != kind:
                self._opened_by_b += letter == "B"
                self._opened_by_i += letter == "I"
            before = (letter, kind)

    def find(self) -> Scheme:
        """The scheme.

        Raises:
            UserError: letters of several schemes stand side by side.
        """
        seen = set(self.letters) - {OUTSIDE}
        if seen <= {"B", "I"}:
            # In IOB1 a B stands only behind an entity of its own type.
            iob1 = self._opened_by_i > 0 and self._opened_by_b == 0
            return SCHEMES["iob1" if iob1 else "bio"]
        if seen == {"B", "I", "S"}:
            return SCHEMES["bios"]  # in BIOES what B begins ends with E
        for name in ("bmes", "bioes", "bilou", "bmew"):
            if seen <= set(SCHEMES[name].letters):
                return SCHEMES[name]
        raise UserError(
            f"has tags of several schemes: the letters {', '.join(sorted(seen))}",
            mend="write all tags in one scheme: BIO, BIOES or BMES",
        )


def _behind(tags: Sequence[tuple[str, str]], at: int) -> int:
    """The first place behind the I of the same type that follow ``at``."""
    behind, inside = at + 1, ("I", tags[at][1])
    while behind < len(tags) and tags[behind] == inside:
        behind += 1
    return behind


def _spans_iob2(tags: Sequence[tuple[str, str]]) -> list[UnitSpan]:
    return [(at, _behind(tags, at), kind) for at, (letter, kind) in enumerate(tags) if letter == "B"]


def _spans_iob1(tags: Sequence[tuple[str, str]]) -> list[UnitSpan]:
    found: list[UnitSpan] = []
    at, length = 0, len(tags)
    while at < length:
        letter, kind = tags[at]
        before_letter, before = tags[at - 1] if at else (OUTSIDE, "")
        behind = at + 1
        # A B that follows no entity of its type breaks the scheme.
        opens = before_letter != OUTSIDE and before == kind if letter == "B" else letter == "I"
        if opens:
            behind = _behind(tags, at)
            # To seqeval a B ends before O, I and a B of its own type, but not before one of another.
            ends = behind == length or tags[behind - 1][0] == "I" or tags[behind][0] != "B" or tags[behind][1] == kind
            if ends:
                found.append((at, behind, kind))
        at = behind
    return found


def _spans_iobes(tags: Sequence[tuple[str, str]]) -> list[UnitSpan]:
    found: list[UnitSpan] = []
    at, length = 0, len(tags)
    while at < length:
        letter, kind = tags[at]
        behind = at + 1
        if letter == "S":
            found.append((at, behind, kind))
        elif letter == "B":
            behind = _behind(tags, at)
            if behind < length and tags[behind] == ("E", kind):
                behind += 1
                found.append((at, behind, kind))
        at = behind
    return found
