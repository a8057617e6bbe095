"""Opening the files that users bring: plain, gzip or zip, told by content; other packers are called by their names."""

from __future__ import annotations

import contextlib
import gzip
import io
import lzma
import os
import re
import struct
import sys
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, cast

from ietool.errors import UserError, cause

_HEAD = 512
"""Bytes by which packers are told; those of a header in a tar archive."""

UNPACKED = 1 << 27
"""Bytes that any archive may unpack to."""

RATIO = 200
"""How many times its own size an archive may unpack to beyond that; corpora reach 30."""

DIRECTORY = 1 << 24
"""Bytes of the list of members of a zip archive, which is held in memory: some hundred thousand members."""

FOREIGN_NAME = re.compile(r"\.(7z|rar|bz2|xz|zst|tgz|tar|tar\.gz)$", re.IGNORECASE)
"""Names of archives that are neither read nor written."""

_FOREIGN = (
    (re.compile(rb"7z\xbc\xaf\x27\x1c"), "a 7z archive"),
    (re.compile(rb"Rar!\x1a\x07"), "a RAR archive"),
    (re.compile(rb"\xfd7zXZ\x00"), "packed with xz"),
    (re.compile(rb"BZh[1-9](1AY&SY|\x17rE8P\x90)"), "packed with bzip2"),
    (re.compile(rb"\x28\xb5\x2f\xfd"), "packed with zstd"),
    (re.compile(rb"\x1f\x9d"), "packed with compress"),
)
_NESTED = (
    (re.compile(rb"\x1f\x8b"), "a gzip file within an archive"),
    (re.compile(rb"PK(\x03\x04|\x05\x06)"), "a zip archive within an archive"),
)
_CLUTTER = {".ds_store", "thumbs.db", "desktop.ini"}


def open_members(source: str | Path) -> Iterator[tuple[str, BinaryIO]]:
    """Yield (name for messages, binary stream) for each text member of a file, by content, not by ending.

    ``-`` is standard input. A stream must be read before the next is asked for, under :func:`damage_told`. What macOS
    and Windows put into archives beside the files is passed over.

    Raises:
        UserError: the file is missing or may not be read, or is packed otherwise.
    """
    with contextlib.ExitStack() as opened:
        if str(source) == "-":
            name, raw = "<stdin>", cast(BinaryIO, sys.stdin.buffer)
        else:
            name, raw = str(source), opened.enter_context(_open(Path(source)))
        stream: io.BufferedReader = raw if isinstance(raw, io.BufferedReader) else io.BufferedReader(raw)  # type: ignore
        head = stream.peek(_HEAD)
        if head[:2] == b"\x1f\x8b":
            with gzip.GzipFile(fileobj=stream, mode="rb") as unpacked:
                yield name, _member(unpacked, name, _Measure(name, stream))  # type: ignore[arg-type]
        elif head[:4] in (b"PK\x03\x04", b"PK\x05\x06"):
            yield from _zip_members(name, stream)
        else:
            check_packer(name, head)
            yield name, cast(BinaryIO, stream)


def _open(path: Path) -> BinaryIO:
    try:
        return path.open("rb")
    except FileNotFoundError:
        raise UserError("no such file", file=path, mend="check the path") from None
    except IsADirectoryError:
        raise UserError("is a folder, a file is needed", file=path, mend="name a file in it") from None
    except PermissionError:
        raise UserError("cannot be read", file=path, mend="check its permissions") from None
    except OSError as error:
        raise UserError(f"cannot be read ({cause(error)})", file=path, mend="check the path") from None


def _zip_members(name: str, stream: io.BufferedReader) -> Iterator[tuple[str, BinaryIO]]:
    if not stream.seekable():
        raise UserError("is a zip archive in a pipe", file=name, mend="name the archive itself, or unpack it")
    size = _directory_size(stream)
    if size > DIRECTORY:
        message = f"is a zip archive with a list of members of {size >> 20:,} MB"
        raise UserError(message, file=name, mend="unpack it, and name the files that are needed")
    measure = _Measure(name, stream)
    empty = True
    # Members are read in their order and never extracted, so no name in the archive reaches the disk.
    with zipfile.ZipFile(stream) as archive:
        for info in archive.infolist():
            if not info.filename:
                raise zipfile.BadZipFile("a member has no name")
            if _is_clutter(info.filename):
                continue
            empty, member = False, f"{name}!{info.filename}"
            if info.flag_bits & 1:
                mend = "unpack it, or pack it anew without a password"
                raise UserError("is locked with a password", file=member, mend=mend)
            with archive.open(info) as unpacked:
                yield member, _member(unpacked, member, measure)  # type: ignore[arg-type]
    if empty:
        raise UserError("is an empty zip archive", file=name, mend="pack it anew, or name another file")


def _is_clutter(name: str) -> bool:
    """Whether a member is a folder, or what macOS and Windows put beside the files."""
    *folders, last = name.replace("\\", "/").split("/")
    return not last or "__MACOSX" in folders or last.startswith("._") or last.lower() in _CLUTTER


def _directory_size(stream: io.BufferedReader) -> int:
    """Bytes of a zip archive's list of members; 0 where that cannot be told, which zipfile then complains of."""
    size = stream.seek(0, os.SEEK_END)
    stream.seek(max(0, size - (1 << 16) - 128))
    tail = stream.read()
    stream.seek(0)
    at = tail.rfind(b"PK\x05\x06")
    if at < 0 or len(tail) < at + 22:
        return 0
    (length,) = struct.unpack_from("<L", tail, at + 12)
    if at >= 76 and tail[at - 20 : at - 16] == b"PK\x06\x07":  # of zip64, whose record stands before this one
        length = max(length if length != 0xFFFFFFFF else 0, *struct.unpack_from("<Q", tail, at - 36))
    return int(length)


class _Measure:
    """How much an archive may still unpack to; without bound where it comes through a pipe."""

    def __init__(self, name: str, packed: io.BufferedReader) -> None:
        self._name = name
        try:
            size = os.fstat(packed.fileno()).st_size
        except OSError:
            size = 0
        self._left = max(UNPACKED, size * RATIO) if size else None

    def take(self, count: int) -> None:
        if self._left is None:
            return
        self._left -= count
        if self._left < 0:
            raise UserError(f"unpacks to more than {RATIO} times its size", file=self._name, mend="is it a zip bomb?")


class _Unpacked(io.RawIOBase):
    """What comes out of an archive, measured."""

    def __init__(self, stream: io.BufferedIOBase, measure: _Measure) -> None:
        self._stream, self._measure = stream, measure

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        piece = self._stream.read1(len(buffer))
        self._measure.take(len(piece))
        buffer[: len(piece)] = piece
        return len(piece)


def _member(unpacked: io.BufferedIOBase, name: str, measure: _Measure) -> BinaryIO:
    stream = io.BufferedReader(_Unpacked(unpacked, measure), 1 << 16)
    _call_by_name(name, stream.peek(_HEAD), (*_FOREIGN, *_NESTED))
    return cast(BinaryIO, stream)


def check_packer(name: str, head: bytes) -> None:
    """Raise UserError where a file begins as that of a packer which is not read.

    Args:
        head: its first bytes, 512 where it has so many.
    """
    _call_by_name(name, head, _FOREIGN)


def _call_by_name(name: str, head: bytes, packers: tuple[tuple[re.Pattern[bytes], str], ...]) -> None:
    """Raises UserError where a file begins as another packer's."""
    what = next((what for magic, what in packers if magic.match(head)), "a tar archive" if _is_tar(head) else "")
    if what:
        mend = "unpack it, and name the file in it; plain, gzip and zip files are read"
        raise UserError(f"is {what}", file=name, mend=mend)


def _is_tar(head: bytes) -> bool:
    if len(head) < _HEAD or b"\0" not in head[:_HEAD]:
        return False
    import tarfile

    try:
        tarfile.TarInfo.frombuf(head[:_HEAD], "utf-8", "surrogateescape")
    except (tarfile.TarError, ValueError):
        return False
    return True


@contextlib.contextmanager
def damage_told(path: str | Path) -> Iterator[None]:
    """Turn what a damaged archive or a failing disk raises, as a file is opened or read, into a UserError."""
    try:
        yield
    except (zipfile.BadZipFile, gzip.BadGzipFile, EOFError, zlib.error, lzma.LZMAError) as error:
        raise UserError(f"is a damaged archive ({error})", file=path, mend="download or pack it again") from None
    except (UnicodeDecodeError, struct.error, OverflowError):  # names and numbers of members
        raise UserError("is a damaged archive", file=path, mend="download or pack it again") from None
    except RecursionError:
        raise
    # An unknown packer within a zip archive.
    except (RuntimeError, NotImplementedError) as error:
        raise UserError(f"cannot be unpacked ({error})", file=path, mend="pack it anew, without a password") from None
    except OSError as error:
        raise UserError(
            f"cannot be read ({cause(error)})", file=path, mend="check the path, or copy it again"
        ) from None
