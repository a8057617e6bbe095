"""Which files have which strings: against sets in memory."""

from __future__ import annotations

import tempfile
from collections import defaultdict
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ietool.inspect import marks
from ietool.inspect.marks import Marks


@settings(max_examples=25)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["", "a", "b", "中", "\ud800", "c", "d"]), st.sampled_from([0, 1, 2, 3, 62, 63, 64, 200])
        )
    ),
    st.integers(1, 4),
)
def test_what_was_seen_before_is_what_sets_have(pairs: list[tuple[str, int]], held: int) -> None:
    seen: dict[str, set[int]] = defaultdict(set)
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(marks, "HELD", held)
        with closing(Marks(Path(folder), "names")) as known:
            for text, file in pairs:
                key = text.replace("\ud800", "\ufffd")
                assert known.add(text, file) == sum(1 << n for n in seen[key])
                seen[key].add(file)


def test_files_of_several_strings_are_put_together(tmp_path: Path) -> None:
    with closing(Marks(tmp_path, "kin")) as known:
        assert known.add_all(["a", "b"], 0) == 0
        assert known.add_all(["c"], 1) == 0
        assert known.add_all(["b", "c"], 2) == 0b011
        assert known.add_all([], 2) == 0


def test_little_is_held_however_many_strings_there_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(marks, "HELD", 8)
    with closing(Marks(tmp_path, "names")) as known:
        for number in range(500):
            known.add(str(number), 0)
        assert len(known._held) <= 8
        assert all(known.add(str(number), 1) == 1 for number in range(0, 500, 50))
