"""Writing files that users name: whole or not at all, never over an input, packed where the name ends so."""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import io
import os
import re
import shutil
import stat
import sys
import tempfile
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, BinaryIO, TextIO, cast

from ietool.errors import Unwritten, UserError, cause
from ietool.files.archives import FOREIGN_NAME

try:
    import fcntl
except ImportError:  # on Windows
    fcntl = None  # type: ignore[assignment]

_DESCRIPTOR = re.compile(r"/dev/std(?P<name>out|err)|/(?:dev|proc/self)/fd/(?P<number>\d{1,6})")
_LONGEST_NAME = 200
"""Bytes of a name up to which the name of its temporary file holds it: file systems take 255."""


# -- before the work


def check_output(path: Path | str | None, inputs: Iterable[Path | str | None] = ()) -> None:
    """Raise UserError unless a file may be written at ``path``; changes nothing, so that it is told before the work.

    Args:
        path: ``-`` is standard output; None: nothing is to be written.
        inputs: what is read; the output may be none of these, under whatever path or link. ``-`` is standard input.
            Those that are None, folders or missing count for nothing.
    """
    if path is None:
        return
    if str(path) != "-":
        _check_place(Path(path))
    place = _identity(path, sys.stdout)
    for source in inputs if place is not None else ():
        if source is not None and _identity(source, sys.stdin) == place:
            name = "standard output" if str(path) == "-" else str(path)
            what = "is what is read" if str(source) in (str(path), "-") else f"is the file that is read as {source}"
            raise UserError(what, file=name, mend="choose another place for what is written")


def check_folder(folder: Path, inputs: Iterable[Path]) -> None:
    """Raise UserError where a folder that is to be replaced holds one of the files that are read."""
    real = os.path.realpath(folder)
    for source in inputs:
        if Path(os.path.realpath(source)).is_relative_to(real):
            mend = "choose another --output, or move the file"
            raise UserError(f"holds a file that is read: {source}", file=folder, mend=mend)


def _check_place(path: Path) -> os.stat_result | None:
    """What stands at the place of an output, links followed; None if nothing does. Raises UserError as
    :func:`check_output`."""
    if FOREIGN_NAME.search(path.name):
        mend = "choose another name; those that end in .gz or .zip are packed"
        raise UserError("ends like an archive that is not written here", file=path, mend=mend)
    try:
        standing = os.stat(path)
    except FileNotFoundError:
        standing = None
    except (OSError, ValueError) as error:
        raise UserError(f"cannot be written ({cause(error)})", file=path, mend="choose another place") from None
    if standing is None:
        parent = Path(os.path.realpath(path)).parent  # what a link leads to is written, in its own folder
        if not parent.is_dir():
            raise UserError(f"there is no folder {parent}", file=path, mend="make it, or choose another place")
    elif stat.S_ISDIR(standing.st_mode):
        raise UserError("is a folder, a file is needed", file=path, mend=f"name a file in it: {path / 'NAME'}")
    return standing


def _identity(path: Path | str, standard: Any) -> tuple[int, int] | None:
    """What tells a regular file from all others, whatever it is called; None if it is none, or is not there."""
    try:
        found = os.fstat(standard.fileno()) if str(path) == "-" else os.stat(path)
    except (OSError, ValueError):
        return None
    return (found.st_dev, found.st_ino) if stat.S_ISREG(found.st_mode) else None


# -- packing, by the ending of a name


def unpacked_name(path: Path | str) -> str:
    """The name of what an output holds once it is unpacked: ``x.tsv`` of ``x.tsv.gz`` and of ``x.tsv.zip``,
    ``x.json`` of ``x.zip``; else the name itself."""
    name = Path(path).name
    stem, ending = os.path.splitext(name)
    if ending.lower() == ".gz":
        return stem
    if ending.lower() == ".zip":
        return stem if os.path.splitext(stem)[1] else f"{stem}.json"
    return str(path)


@contextlib.contextmanager
def _packed(sink: BinaryIO, path: Path, inside: str | None) -> Iterator[BinaryIO]:
    """What packs into ``sink`` as the name of an output says. The same content gives the same bytes."""
    inner, ending = inside or unpacked_name(path), path.suffix.lower()
    if ending == ".gz":
        with gzip.GzipFile(inner, "wb", fileobj=sink, mtime=0) as stream:
            yield cast(BinaryIO, stream)
    elif ending == ".zip":
        info = zipfile.ZipInfo(inner)  # of 1980: no clock is in it
        info.compress_type, info.external_attr = zipfile.ZIP_DEFLATED, 0o644 << 16
        with zipfile.ZipFile(sink, "w") as archive, archive.open(info, "w", force_zip64=True) as member:
            yield cast(BinaryIO, member)
    else:
        yield sink


# -- writing


class _Sink(io.FileIO):
    """A file being written, whose failures name it: those of what is read meanwhile are others."""

    def __init__(self, descriptor: int | str, path: Path, changed: str) -> None:
        self._path, self._changed = path, changed
        super().__init__(descriptor, "wb")

    def write(self, data: Any) -> int:
        try:
            return cast(int, super().write(data))
        except BrokenPipeError:
            raise  # its reader has seen enough
        except OSError as error:
            raise self.failed(error) from None

    def failed(self, error: OSError) -> UserError:
        """What is told of a failure."""
        message = f"could not be written ({cause(error)}){self._changed}"
        return Unwritten(message, file=self._path, mend="free some space or choose another place")


@contextlib.contextmanager
def atomic_text(path: str | Path, inside: str | None = None) -> Iterator[TextIO]:
    """Open a text file that appears under its name only when the block ends well; ``-`` is standard output.

    It is written beside its place under a temporary name, flushed to disk and renamed; where the name is a link, what
    it leads to is replaced. On any failure, a full disk included, the temporary file goes and whatever stood under the
    name stays as it was. What is no regular file (a device, a pipe) is written straight through. A name that ends in
    ``.gz`` or ``.zip`` is packed so.

    Args:
        inside: what the file is called within an archive; None: as :func:`unpacked_name` says.

    Raises:
        UserError: it cannot be written; nothing is made of folders that are not there.
    """
    if str(path) == "-":
        printed = io.TextIOWrapper(sys.stdout.buffer, encoding="utf-8", newline="\n", write_through=False)
        try:
            yield printed
            printed.flush()
        finally:
            with contextlib.suppress(OSError, ValueError):
                printed.detach()
        return
    target = Path(path)
    standing = _check_place(target)
    straight = _open_straight(target, standing)
    if straight is not None:
        with _Sink(straight, target, "") as sink, _text(sink, target, inside) as out:
            yield out
        return
    place = Path(os.path.realpath(target))
    try:
        _clear(place)
        descriptor, temporary = _temporary(place)
    except OSError as error:
        raise UserError(f"cannot be written ({cause(error)})", file=target, mend="choose another place") from None
    try:
        with _Sink(descriptor, target, "; nothing under that name was changed") as sink:
            with _text(sink, target, inside) as out:
                yield out
            try:
                os.fsync(sink.fileno())
                os.chmod(temporary, file_mode() if standing is None else stat.S_IMODE(standing.st_mode))
                if fcntl is None:
                    sink.close()
                os.replace(temporary, place)
            except OSError as error:
                raise sink.failed(error) from None
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)


def replace_folder(made: Path, place: Path) -> None:
    """Put a folder that is whole in the place of an older one beside it, if there is one.

    That is set aside first: half of it would be in the way of the next who comes, if this process were killed.
    """
    before = made.with_name(f"{made.name}-before")
    if place.exists():
        shutil.rmtree(before, ignore_errors=True)  # of one who was killed with the new one in its place
        os.replace(place, before)
    try:
        os.replace(made, place)
    except OSError:
        if before.exists():
            os.replace(before, place)
        raise
    shutil.rmtree(before, ignore_errors=True)


@contextlib.contextmanager
def _text(sink: _Sink, path: Path, inside: str | None) -> Iterator[TextIO]:
    """A text file into a sink, packed as the name says; whole when the block ends well."""
    buffer = io.BufferedWriter(sink, 1 << 16)
    try:
        with _packed(cast(BinaryIO, buffer), path, inside) as stream:
            out = io.TextIOWrapper(stream, encoding="utf-8", newline="\n")
            try:
                yield out
                out.flush()
            finally:
                with contextlib.suppress(OSError, ValueError, UserError):
                    out.detach()
        buffer.detach()  # writes what is left in it
    except BaseException:
        sink.close()  # or what is left in the buffer would be written as it goes
        raise


def _open_straight(path: Path, standing: os.stat_result | None) -> int | None:
    """A descriptor of an output that is never replaced: a device, a pipe, a descriptor of this process; else None."""
    own = _DESCRIPTOR.fullmatch(str(path))
    try:
        if own:
            number = int(own["number"] or {"out": 1, "err": 2}[own["name"]])
            sys.stdout.flush()
            return os.dup(number)
        if standing is not None and not stat.S_ISREG(standing.st_mode):
            return os.open(path, os.O_WRONLY)  # of a pipe this waits for who reads it
    except OSError as error:
        raise UserError(f"cannot be written ({cause(error)})", file=path, mend="choose another place") from None
    return None


def file_mode() -> int:
    """The mode of a new file, as the user's umask has it."""
    mask = os.umask(0)
    os.umask(mask)
    return 0o666 & ~mask


# -- temporary files: locked by who writes them, so that those of a killed process are known


def _prefix(place: Path) -> str:
    name = place.name
    if len(os.fsencode(name)) > _LONGEST_NAME:
        name = hashlib.blake2b(os.fsencode(name), digest_size=16).hexdigest()
    return f".{name}."


def _temporary(place: Path) -> tuple[int, str]:
    """(descriptor, path) of a new file beside a place, locked until the descriptor is closed."""
    while True:
        descriptor, name = tempfile.mkstemp(prefix=_prefix(place), suffix=".part", dir=place.parent)
        _lock(descriptor, wait=True)
        if os.fstat(descriptor).st_nlink:
            return descriptor, name
        os.close(descriptor)  # another process took it for a dead one's, before it was locked


def _clear(place: Path) -> None:
    """Remove the temporary files of processes that were killed while they wrote to this place."""
    left = re.compile(re.escape(_prefix(place)) + r"[a-z0-9_]{8}\.part")
    for name in os.listdir(place.parent):
        if left.fullmatch(name):
            path = place.parent / name
            with contextlib.suppress(OSError):
                descriptor = os.open(path, os.O_RDWR | getattr(os, "O_NOFOLLOW", 0))
                try:
                    if _lock(descriptor, wait=False):
                        os.unlink(path)
                finally:
                    os.close(descriptor)


def _lock(descriptor: int, *, wait: bool) -> bool:
    """Whether a file is this process's now; where there are no locks it never is."""
    if fcntl is None:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except OSError:
        return False
    return True
