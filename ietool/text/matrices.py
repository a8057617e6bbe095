"""Opening arrays that users bring, without trusting what they announce."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from ietool.errors import UserError, reason_of


def open_matrix(path: Path, mend: str) -> npt.NDArray[np.floating]:
    """The numbers of an ``.npy`` file, memory-mapped: no memory is taken by what its header says.

    Args:
        mend: what is told where it is no such file.

    Raises:
        UserError: it is damaged, cut off, or holds something else than numbers.
    """
    try:
        matrix: npt.NDArray[np.floating] = np.load(path, mmap_mode="r", allow_pickle=False)
        if not isinstance(matrix, np.ndarray):
            raise ValueError("an archive of several arrays")
    # Whatever a damaged header makes of numpy, which reads it as Python: many kinds, one cause.
    except Exception as error:
        is_told = isinstance(error, ValueError | EOFError | OSError)
        reason = reason_of(error) if is_told else "its header is damaged or cut off"
        raise UserError(f"is no array of numbers ({reason})", file=path, mend=mend) from None
    return matrix
