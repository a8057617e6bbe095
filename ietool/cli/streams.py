"""Standard streams whose reader may leave, or that were closed from the beginning."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from typing import Any, TextIO


def silence(stream: Any) -> None:
    """Let what is written to a stream from now on, and what its buffers still hold, go nowhere."""
    with contextlib.suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        try:
            os.dup2(nowhere, stream.fileno())
        finally:
            os.close(nowhere)


class Enduring:
    """A stream that cannot fail: when its reader has left or its disk is full, what is written goes nowhere."""

    def __init__(self, stream: TextIO) -> None:
        self._stream, self._lost = stream, False

    def write(self, text: str) -> int:
        """As the stream does, as long as it can."""
        if not self._lost:
            try:
                return self._stream.write(text)
            except OSError as error:
                self._lose(error)
        return len(text)

    def flush(self) -> None:
        """As the stream does, as long as it can."""
        if not self._lost:
            try:
                self._stream.flush()
            except OSError as error:
                self._lose(error)

    def _lose(self, error: OSError) -> None:
        self._lost = True
        silence(self._stream)
        if self is sys.stdout and not isinstance(error, BrokenPipeError):  # nobody chose that
            print(f"note: standard output is lost from here on ({error.strerror})", file=sys.stderr, flush=True)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


@contextlib.contextmanager
def enduring(*names: str) -> Iterator[None]:
    """Within, streams of :mod:`sys` (``stdout``, ``stderr``) are :class:`Enduring`."""
    before = {name: getattr(sys, name) for name in names}
    for name, stream in before.items():
        setattr(sys, name, stream if isinstance(stream, Enduring) else Enduring(stream))
    try:
        yield
    finally:
        for name, stream in before.items():
            setattr(sys, name, stream)


def open_closed() -> None:
    """Give a process that was started with closed standard streams (``>&-``) empty ones: the next files that it opens
    would take their numbers, and what is printed would stand in them."""
    for number, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        try:
            os.fstat(number)
        except OSError:
            opened = os.open(os.devnull, os.O_RDWR)
            if opened != number:
                os.dup2(opened, number)
                os.close(opened)
        if getattr(sys, name) is None:
            setattr(sys, name, open(number, mode, encoding="utf-8", closefd=False))  # noqa: SIM115
