"""Characters that trouble tokenizers, and texts that do not stay what they are under NFKC."""

from __future__ import annotations

import unicodedata
from collections import Counter
from dataclasses import dataclass, field

CONTROL = "control characters"
BREAK = "tabs and line ends"
PRIVATE = "of private use"
SURROGATE = "halves of surrogate pairs"
HIDDEN = "of no width, marks of direction"
BLANK = "unusual blanks"
LOST = "the sign of what could not be read (U+FFFD)"
UNASSIGNED = "of no meaning in Unicode"

WHY = {
    CONTROL: "BERT's tokenizers drop them, and offsets move",
    BREAK: "blanks to tokenizers; a line that is cut at them is two",
    PRIVATE: "no vocabulary has them: [UNK], or dropped",
    SURROGATE: "no file can hold them, and libraries in Rust fail",
    HIDDEN: "names that look alike are not; tokenizers drop them",
    BLANK: "tokenizers drop them or make them blanks, and offsets move",
    LOST: "the text was broken before: get a better copy",
    UNASSIGNED: "no vocabulary has them",
}
"""Class of characters → what it does, in the order of the table."""

_CLASSES = {"Co": PRIVATE, "Cs": SURROGATE, "Cf": HIDDEN, "Cn": UNASSIGNED, "Zl": BREAK, "Zp": BREAK}


def class_of(char: str) -> str:
    """The class of a character that causes trouble; empty for all others."""
    if char in "\t\n\r\v\f\x85":
        return BREAK
    if char == "\ufffd":
        return LOST
    category = unicodedata.category(char)
    if category == "Cc":
        return CONTROL
    if category == "Zs":
        return "" if char == " " else BLANK
    if category == "Mn" and 0xFE00 <= ord(char) <= 0xFE0F:  # what says that an emoji is one
        return HIDDEN
    return _CLASSES.get(category, "")


def name_of(char: str) -> str:
    """A character as ``U+3000 IDEOGRAPHIC SPACE``."""
    name = unicodedata.name(char, "")
    return f"U+{ord(char):04X}" + (f" {name}" if name else "")


@dataclass
class Trouble:
    """What was seen of one class.

    Attributes:
        texts: that have some.
        characters: how many of each; their kinds are few.
        first: where the first such text stands.
    """

    texts: int = 0
    characters: Counter[str] = field(default_factory=Counter)
    first: str = ""


@dataclass
class CharacterSurvey:
    """What the characters of some texts are. Memory grows with the kinds of characters alone.

    Attributes:
        texts: that were looked at.
        trouble: class → what was seen of it.
        changed: texts that NFKC changes; ``moved``: those of them that become longer or shorter.
        changing: how many of each character that NFKC changes.
    """

    texts: int = 0
    trouble: dict[str, Trouble] = field(default_factory=dict)
    changed: int = 0
    moved: int = 0
    changing: Counter[str] = field(default_factory=Counter)
    moving: Counter[str] = field(default_factory=Counter)
    _fine: set[str] = field(default_factory=set)
    """Characters that were seen, and of which nothing is to be told."""
    _known: dict[str, tuple[str, int]] = field(default_factory=dict)
    """The others → (class, by how much NFKC changes their length; −1 where it leaves them as they are)."""

    def add(self, text: str, place: str) -> None:
        """Look at one text, which stands at a place (for messages)."""
        self.texts += 1
        if text.isascii() and text.isprintable():
            return
        seen: set[str] = set()
        for char in set(text) - self._fine:
            known = self._known.get(char)
            if known is None:
                known = _look(char)
                if known == ("", -1):
                    self._fine.add(char)
                    continue
                self._known[char] = known
            kind, change = known
            if change >= 0:
                count = text.count(char)
                self.changing[char] += count
                if change:
                    self.moving[char] += count
            if kind:
                seen.add(kind)
                trouble = self.trouble.setdefault(kind, Trouble(first=place))
                trouble.characters[char] += text.count(char)
        for kind in seen:
            self.trouble[kind].texts += 1
        if not unicodedata.is_normalized("NFKC", text):
            normal = unicodedata.normalize("NFKC", text)
            self.changed += normal != text
            self.moved += len(normal) != len(text)


def _look(char: str) -> tuple[str, int]:
    normal = unicodedata.normalize("NFKC", char)
    return class_of(char), -1 if normal == char else abs(len(normal) - 1)
