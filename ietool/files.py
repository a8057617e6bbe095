"""Reading and writing the files that users bring: plain, gzip or zip, ``-`` for the standard streams."""

from __future__ import annotations

import contextlib
import errno
import gzip
import io
import json
import os
import re
import sys
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO, TextIO

from ietool.errors import Unwritten, UserError

Line = tuple[str, int, str]
"""A line of an input file: (file name, 1-based number, text without its end)."""


def open_members(source: str | Path) -> Iterator[tuple[str, BinaryIO]]:
    """Yield (name for messages, binary stream) for each text member of a file, by content, not by ending.

    ``-`` is standard input. A stream must be read before the next is asked for, under :func:`damage_told`.

    Raises:
        UserError: the file is missing or may not be read.
    """
    if str(source) == "-":
        yield "<stdin>", sys.stdin.buffer
        return
    path = Path(source)
    try:
        with path.open("rb") as raw:
            magic = raw.read(4)
        if magic[:2] == b"\x1f\x8b":
            with gzip.open(path, "rb") as stream:
                yield str(path), stream  # type: ignore[misc]
        elif magic == b"PK\x03\x04":
            # Members are read in memory order and never extracted, so no name in the archive reaches the disk.
            with zipfile.ZipFile(path) as archive:
                for info in archive.infolist():
                    if not info.is_dir():
                        with archive.open(info) as stream:
                            yield f"{path}!{info.filename}", stream  # type: ignore[misc]
        else:
            with path.open("rb") as stream:
                yield str(path), stream
    except FileNotFoundError:
        raise UserError("no such file", file=path, mend="check the path") from None
    except IsADirectoryError:
        raise UserError("is a folder, a file is needed", file=path, mend="name a file in it") from None
    except PermissionError:
        raise UserError("cannot be read", file=path, mend="check its permissions") from None


SKIP = "mend the record, or leave it out with --skip-bad"
"""The mend of a bad record."""

OnBad = Callable[[UserError, str], None]
"""Told of each bad line: what is wrong with it, and the line as far as it can be read."""


def read_lines(path: str | Path, on_bad: OnBad | None = None) -> Iterator[tuple[str, int, str]]:
    """Stream the non-blank lines of a UTF-8 file as (file name, 1-based line number, line without its end).

    A byte order mark and CRLF are taken off. ``-`` is standard input. Every member of a zip is read, one after another.
    Lines that are not UTF-8 go to ``on_bad`` where it is given.

    Raises:
        UserError: the file is missing, damaged or, naming the line and the byte, not UTF-8.
    """
    with damage_told(path):
        for name, stream in open_members(path):
            yield from decode_lines(name, stream, on_bad)


@contextlib.contextmanager
def damage_told(path: str | Path) -> Iterator[None]:
    """Turn what a damaged archive raises, as it is opened or read, into a UserError."""
    try:
        yield
    except (zipfile.BadZipFile, gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise UserError(f"is a damaged archive ({error})", file=path, mend="download or pack it again") from None
    # An archive that needs a password, or an unknown packer.
    except (RuntimeError, NotImplementedError) as error:
        raise UserError(f"cannot be unpacked ({error})", file=path, mend="pack it anew, without a password") from None


def decode_lines(name: str, stream: BinaryIO, on_bad: OnBad | None = None) -> Iterator[tuple[str, int, str]]:
    """The lines of a stream, as :func:`read_lines` gives them."""
    # Split on \n only: U+2028, U+0085 and the like occur inside the JSON strings of real corpora.
    for number, raw in enumerate(stream, 1):
        try:
            line = raw.decode("utf-8-sig" if number == 1 else "utf-8")
        except UnicodeDecodeError as error:
            bad = UserError(
                f"is not UTF-8 (byte 0x{raw[error.start]:02x} at byte {error.start + 1} of the line)",
                file=name,
                line=number,
                mend="convert the file, for example: iconv -f GB18030 -t UTF-8 OLD > NEW",
            )
            if on_bad is None:
                raise bad from None
            on_bad(bad, raw.decode("utf-8", "backslashreplace").rstrip("\r\n"))
            continue
        line = line.rstrip("\r\n")
        if line.strip():
            yield name, number, line


def parse_json(line: str, file: str, number: int) -> dict[str, Any]:
    """One JSON object from one line, whose strings can be written again.

    Raises:
        UserError: naming file and line, when the line is cut, is not JSON, is no object, or holds what cannot be
            handled: half of a surrogate pair, a number of thousands of digits.
    """
    try:
        record = json.loads(line)
        # Only an escape can bring a lone surrogate into a string; it would fail when it is written, hours later.
        if "\\ud" in line or "\\uD" in line:
            json.dumps(record, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        code = f"\\u{ord(error.object[error.start]):04x}"
        raise UserError(f"has half of a surrogate pair ({code})", file=file, line=number, mend=SKIP) from None
    except (json.JSONDecodeError, RecursionError) as error:
        if line.strip() in ("[", "{", "[{"):
            message = f"is only the beginning of something ({line.strip()})"
            raise UserError(
                message, file=file, line=number, mend="write each record on one line, without a list around them"
            ) from None
        where = f" at character {error.pos + 1}" if isinstance(error, json.JSONDecodeError) else ""
        raise UserError(
            f"is not JSON{where} ({len(line)} characters, perhaps cut in half)",
            file=file,
            line=number,
            mend="mend the line (prepare leaves it out with --skip-bad)",
        ) from None
    except ValueError:  # what json raises on an integer of thousands of digits
        raise UserError("has a number too long to read", file=file, line=number, mend=SKIP) from None
    if not isinstance(record, dict):
        raise UserError(
            f"is JSON but no object: {type(record).__name__}",
            file=file,
            line=number,
            mend='write one {"text": …} object a line',
        )
    return record


@contextlib.contextmanager
def atomic_text(path: str | Path) -> Iterator[TextIO]:
    """Open a text file that appears under its name only when the block ends well; ``-`` is standard output.

    It is written beside its place under a temporary name, flushed to disk and renamed. On any failure, a full disk
    included, the temporary file goes and whatever stood under the name stays as it was.
    """
    if str(path) == "-":
        out = io.TextIOWrapper(sys.stdout.buffer, encoding="utf-8", newline="\n", write_through=False)
        try:
            yield out
            out.flush()
        finally:
            with contextlib.suppress(OSError, ValueError):
                out.detach()
        return
    target = Path(path)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        descriptor, temporary = tempfile.mkstemp(prefix=f".{target.name}.", suffix=".part", dir=target.parent)
    except OSError as error:
        raise UserError(f"cannot be written ({error.strerror})", file=target, mend="choose another place") from None
    try:
        with open(descriptor, "w", encoding="utf-8", newline="\n") as out:
            yield out
            out.flush()
            os.fsync(out.fileno())
        mask = os.umask(0)
        os.umask(mask)
        os.chmod(temporary, 0o666 & ~mask)
        os.replace(temporary, target)
    except OSError as error:
        raise Unwritten(
            f"could not be written ({error.strerror}); nothing under that name was changed",
            file=target,
            mend="free some space or choose another place",
        ) from None
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)


_NO_ROOM = frozenset((errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EFBIG))


def why_unwritten(error: BaseException) -> str | None:
    """The reason in an exception of any library, if it says that a disk is full or read-only, or a quota used up; None
    for all others."""
    seen: BaseException | None = error
    found = None
    while seen is not None:  # torch raises a second error as it closes the file
        if isinstance(seen, OSError) and seen.errno in _NO_ROOM:
            return os.strerror(seen.errno)
        text = str(seen)
        told = re.search(r"\(os error (\d+)\)", text)  # safetensors, tokenizers
        if told and int(told.group(1)) in _NO_ROOM:
            return os.strerror(int(told.group(1)))
        if isinstance(seen, Unwritten):
            found = seen.message
        elif (
            "inline_container.cc" in text  # torch.save tells no number
            or "PytorchStreamWriter" in text
            or (isinstance(seen, OSError) and re.search(r"\d+ requested and \d+ written", text))  # numpy
            or (type(seen).__name__ == "OperationalError" and "disk is full" in text)  # sqlite3
        ):
            found = found or os.strerror(errno.ENOSPC)
        seen = seen.__cause__ or seen.__context__
    return found
