"""A prepared folder of each recipe.

Importing this makes the pretend device known to torch, before the first test of the process runs: afterwards it could
not be had.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.pretend.learning import Made, make


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Made]:
    """``made("ske")``: what a flow learns from, prepared once."""
    known: dict[str, Made] = {}

    def get(name: str) -> Made:
        if name not in known:
            known[name] = make(name, tmp_path_factory.mktemp("pretend") / name)
        return known[name]

    return get
