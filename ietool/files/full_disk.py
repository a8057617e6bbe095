"""What libraries say of a disk that is full or read-only, each in a way of its own."""

from __future__ import annotations

import errno
import os
import re

from ietool.errors import Unwritten

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
