"""Which texts belong together because they are near-duplicates."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ietool.core.groups import Groups


def groups_of(texts: Iterable[Sequence[str]]) -> npt.NDArray[np.int64]:
    """(examples,): a number for each group of examples that share a text, directly or through others.

    Args:
        texts: those by which each example is known, see :meth:`ietool.core.contract.Task.kin`.
    """
    with tempfile.TemporaryDirectory(prefix="ietool-") as scratch:
        groups = Groups(Path(scratch))
        try:
            for some in texts:
                groups.add(some)
            return groups.numbers().astype(np.int64)
        finally:
            groups.close()
