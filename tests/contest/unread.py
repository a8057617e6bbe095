"""A training file with a line that cannot be read, written again."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ietool.core.labelled import Labels
from ietool.errors import UserError


def check_left_out(labels: Labels[Any, Any], path: Path, records: Sequence[str]) -> None:
    """Training file of some records written again where a line between them is no UTF-8: it is left out, and told."""
    path.write_bytes(records[0].encode() + "云".encode("gb18030") + b"\n\n" + "".join(records[1:]).encode())
    told: list[UserError] = []
    pieces = labels.edited(path, {}, lambda error, line: told.append(error))
    assert "".join(pieces).split() == "".join(records).split()
    (error,) = told
    assert "is not UTF-8" in str(error)
