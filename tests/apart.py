"""Reading as with a device of its own, on the CPU: all is packed, asked for, fetched, and one batch is ahead."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from ietool.core.candidates import Candidates, Floor
from ietool.nn import above, transfer

Found = list[tuple[Any, Candidates]]


def check_apart(
    make: Callable[[], Any], inputs: Sequence[Any], floor: Floor, monkeypatch: pytest.MonkeyPatch, room: int
) -> int:
    """A reader proposes and scores to the last digit what it does in plain order.

    Args:
        make: gives a reader that has not read anything.
        room: places that are asked for at once; where there are more, they are fetched.

    Returns:
        How many candidates there were.
    """

    def read() -> tuple[Found, Found, float]:
        reader = make()
        reader.batch_size, reader.pool, reader.highest_probability = 3, 2, 0.0
        found = list(reader.propose(inputs, floor=floor))
        return found, list(reader.score(found)), reader.highest_probability

    plain = read()
    with monkeypatch.context() as patched:
        patched.setattr(transfer, "apart", lambda device: True)
        patched.setattr(above, "ROOM", room)
        ahead = read()
    assert ahead[2] == plain[2]
    for mine, theirs in zip(ahead[:2], plain[:2], strict=True):
        assert [item for item, _ in mine] == [item for item, _ in theirs] == list(inputs)
        for (_, one), (_, other) in zip(mine, theirs, strict=True):
            assert one.capped == other.capped and one.models == other.models
            for name in ("rows", "parts", "whole"):
                own, wanted = getattr(one, name), getattr(other, name)
                assert own.dtype == wanted.dtype and own.shape == wanted.shape and (own == wanted).all()
    return sum(len(found) for _, found in plain[0])
