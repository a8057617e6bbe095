"""In which encoding a file is that is no UTF-8."""

from __future__ import annotations

from ietool.errors import UserError

_MARKS = (
    (b"\xff\xfe\x00\x00", "UTF-32"),
    (b"\x00\x00\xfe\xff", "UTF-32"),
    (b"\xff\xfe", "UTF-16"),
    (b"\xfe\xff", "UTF-16"),
)
_LOOKED_AT = 4096


def wide_encoding(head: bytes) -> str | None:
    """The name of the encoding of two or four bytes a character that the beginning of a file is in, as iconv has it:
    by its byte order mark, or by the zero bytes that blanks, digits and Latin letters have in it; None if it is none.
    """
    for mark, name in _MARKS:
        if head.startswith(mark):
            return name
    head = head[:_LOOKED_AT]
    if not any(head):
        return None  # zeros alone are no text in any encoding
    if len(head) >= 4:
        if not any(head[2::4]) and not any(head[3::4]):
            return "UTF-32LE"
        if not any(head[0::4]) and not any(head[1::4]):
            return "UTF-32BE"
    even, odd = head[::2].count(0), head[1::2].count(0)
    # Eight of nine letters may be Han characters; a few zero bytes on both sides are something else.
    if even + odd < max(2, len(head) // 8) or min(even, odd) * 8 > max(even, odd):
        return None
    return "UTF-16BE" if even > odd else "UTF-16LE"


def not_utf8(message: str, encoding: str, file: str, line: int | None = None) -> UserError:
    """What is told of a file in another encoding."""
    mend = f"convert the file, for example: iconv -f {encoding} -t UTF-8 OLD > NEW"
    return UserError(message, file=file, line=line, mend=mend)


def check_narrow(head: bytes, file: str) -> None:
    """Raise UserError if a file that begins so is in an encoding of two or four bytes a character."""
    if head and (encoding := wide_encoding(head)):
        raise not_utf8(f"is {encoding[:6]}, not UTF-8", encoding, file)
