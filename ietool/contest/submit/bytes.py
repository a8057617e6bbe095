"""What no submission has, whatever its form: a byte order mark, control characters, lone carriage returns, blank lines.

Zero bytes and what is no UTF-8 are told by who reads lines."""

from __future__ import annotations

import codecs
import re
from pathlib import Path

from ietool.core.checking import Tell
from ietool.errors import UserError
from ietool.files.archives import damage_told, open_members
from ietool.files.charset import check_narrow

_CONTROL = re.compile(rb"[\x01-\x08\x0b\x0c\x0e-\x1f]")
_RETURN = re.compile(rb"\r(?!\n)")
"""A carriage return that ends no line, but does for readers who take all three kinds of line ends."""
_PIECE = 1 << 16
"""Bytes that are looked at together: lines may be longer than memory."""


def check_bytes(result: Path, tell: Tell, *, blank_lines: bool, controls: bool, returns: bool) -> int:
    """Tell of what the bytes of a submission have and should not; gives their number, unpacked.

    Args:
        blank_lines: whether lines may be blank, which divide sentences in some forms.
        controls: whether control characters may be there.
        returns: whether carriage returns may stand elsewhere than before a line feed.

    Raises:
        UserError: it cannot be read, is no text, or is an archive of several files.
    """
    size, first = 0, ""
    with damage_told(result):
        for name, stream in open_members(result):
            if first:
                what = f"holds several files: {first.partition('!')[2]}, {name.partition('!')[2]}"
                raise UserError(what, file=result, mend="pack one file, or name it by itself")
            first, number, begins = name, 1, True
            while piece := stream.readline(_PIECE):
                if piece.endswith(b"\r"):  # the line feed may begin the next piece
                    piece += stream.readline(1)
                size += len(piece)
                if number == 1 and begins:
                    check_narrow(piece, name)
                    if piece.startswith(codecs.BOM_UTF8):
                        mend = "write UTF-8 without it, for example: tail -c +4 OLD > NEW"
                        tell(UserError("begins with a byte order mark", file=name, line=1, mend=mend))
                if found := None if controls else _CONTROL.search(piece):
                    what = f"has a control character (byte 0x{found[0][0]:02x})"
                    tell(UserError(what, file=name, line=number, mend="take it out"))
                elif not returns and _RETURN.search(piece):
                    what = "has a carriage return (byte 0x0d) that ends no line, and divides it for some readers"
                    tell(
                        UserError(what, file=name, line=number, mend="write a blank in its place, and end lines by \\n")
                    )
                elif begins and not blank_lines and not piece.strip():
                    tell(UserError("is blank", file=name, line=number, mend="take the line out"))
                begins = piece.endswith(b"\n")
                number += begins
    if not size:
        raise UserError("is empty", file=result, mend="name the submission that predict wrote")
    return size
