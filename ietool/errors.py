"""What went wrong on the user's side, said in one line that names the place and the mend."""

from __future__ import annotations

import re
import unicodedata
from os import PathLike

_COLOURS = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")

SHOWN = 200
"""Characters of a value, a key or a name that a message shows at most."""

_WHOLE = 1000
"""The same of a path, and of all that one part of a message says."""

_QUOTED = re.compile(r"""(?<!\w)(['"])((?:(?!\1)[^\\]|\\.)+)\1(?!\w)""")
_WORD = re.compile(rf"\S{{{SHOWN + 20},}}")
"""What is cut though it stands in no quotes; with what surrounds it, a quoted value that was cut is shorter."""


def visible(text: str) -> str:
    """A text on one line with its control characters as escapes: texts come from strangers' files, and an escape
    sequence in one must not reach the terminal."""
    if text.isprintable():
        return text
    return "".join(
        c if c.isprintable() or unicodedata.category(c) == "Zs" else repr(c)[1:-1] if c not in "\n\t" else " "
        for c in text
    )


def cut(text: str, most: int = SHOWN) -> str:
    """A text of at most ``most`` characters and an ellipsis."""
    return text if len(text) <= most else text[:most] + "…"


def told(text: str) -> str:
    """A sentence as it may be printed: control characters visible, what it quotes cut at :data:`SHOWN`; paths stay
    whole unless they are absurd."""
    if len(text) > SHOWN:
        text = _QUOTED.sub(lambda found: found[1] + cut(found[2]) + found[1], text)
        text = _WORD.sub(lambda found: cut(found[0], _WHOLE if "/" in found[0] else SHOWN), text)
        text = cut(text, 2 * _WHOLE)
    return visible(text)


def _place(file: str) -> str:
    """The name of a file, whole, behind it that of a member of an archive, cut."""
    path, bang, member = file.partition("!")
    return visible(f"{cut(path, 4 * _WHOLE)}{bang}{cut(member)}")


def cause(error: Exception) -> str:
    """The reason in an exception of a library, without the error number and the path that ``str`` has."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error)


def reason_of(error: Exception, most: int = 160) -> str:
    """:func:`cause` for a message of one line: without colours, and of the first words that ``most`` characters
    hold."""
    text = " ".join(_COLOURS.sub("", cause(error)).split())
    if len(text) > most:
        text = text[:most].rpartition(" ")[0].rstrip(" ,;:(") + " …"
    return text or type(error).__name__


WHOLE = "train again, or copy the run folder whole"
"""The mend where a file of a run is missing or damaged."""


class UserError(Exception):
    """Wrong use or bad input: the command line prints it as one line and exits with code 2.

    Args:
        message: what is wrong, without the place.
        file: the file it was found in.
        line: 1-based line number in that file.
        field: the field or key, dotted where nested (``spo_list[2].subject``).
        mend: what the user can do about it, an imperative sentence.
    """

    def __init__(
        self,
        message: str,
        *,
        file: str | PathLike[str] | None = None,
        line: int | None = None,
        field: str | None = None,
        mend: str | None = None,
    ) -> None:
        self.message = message
        self.file = None if file is None else str(file)
        self.line = line
        self.field = field
        self.mend = mend
        super().__init__(message)

    def place(self) -> str:
        """Where it is, to stand before the message: file, line and field, as far as they are known."""
        place = ""
        if self.file is not None:
            place = _place(self.file) + (f":{self.line}" if self.line is not None else "") + ": "
        elif self.line is not None:
            place = f"line {self.line}: "
        return place + (f"{visible(cut(self.field))}: " if self.field else "")

    def __str__(self) -> str:
        mend = f" → {told(self.mend)}" if self.mend else ""
        return " ".join(f"{self.place()}{told(self.message)}{mend}".split())


class NothingCounts(UserError):
    """Gold that was judged, of which nothing counts under the variant.

    Attributes:
        metric: the variant.
    """

    def __init__(self, message: str, *, metric: str, mend: str) -> None:
        super().__init__(message, mend=mend)
        self.metric = metric


class Unwritten(UserError):
    """A file that could not be written for want of room or of the right to: to go on is possible when there is some."""
