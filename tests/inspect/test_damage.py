"""Whatever is done to the bytes of a corpus: it is told of, and nothing else is raised."""

from __future__ import annotations

import json
import tempfile
from functools import cache
from itertools import islice
from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ietool import paths
from ietool.errors import UserError
from ietool.inspect.inspecting import inspect
from ietool.inspect.record import record
from ietool.inspect.tables import others_table, tables_of
from ietool.report.render import plain, to_json

DATA = paths.shipped_root() / "data"
FILES = {
    "ske": ("train.jsonl", "schema.jsonl"),
    "el": ("train.jsonl", "kb_data"),
    "ner": ("train.jsonl",),
    "qa": ("squad.json", "dureader2.jsonl"),
    "events": ("train.jsonl", "schema.jsonl"),
    "event_subject": ("train.csv",),
    "nl2sql": ("train.json", "train.tables.json"),
}
PIECES = [b'"', b"{", b"}", b"[", b"]", b",", b"null", b"1e999", b"NaN", b"-1", b"\\ud800", b"\n", b"\r", b"\0",
          b"\xff", b"\xef\xbb\xbf", b'"text": 3, ', b"9" * 50]  # fmt: skip


@cache
def beginning(name: str, file: str) -> bytes:
    with (DATA / name / file).open("rb") as lines:
        return b"".join(islice(lines, 6))[:20_000]


def looked_at(folder: Path) -> str:
    """All that is told of a folder; what is raised must be a UserError."""
    found = inspect(folder, drawn=2, measured=False)
    shown = [plain(table) for one in found.corpora for table in tables_of(one)]
    others = others_table(found)
    told = to_json(record(found))
    json.loads(told)
    return "".join(shown) + ("" if others is None else plain(others)) + told


@pytest.mark.parametrize("name", FILES)
@settings(max_examples=4, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_damaged_corpora_are_told_of(name: str, seed: int) -> None:
    random = Random(seed)
    with tempfile.TemporaryDirectory() as folder:
        for file in FILES[name]:
            content = bytearray(beginning(name, file))
            for _ in range(random.randrange(4)):
                at = random.randrange(len(content))
                content[at : at + random.choice((0, 1, 1, 5, 40))] = random.choice(PIECES)
            Path(folder, file).write_bytes(content[: random.choice((len(content), random.randrange(len(content) + 1)))])
        assert looked_at(Path(folder))


@settings(max_examples=20, deadline=None)
@given(
    st.dictionaries(st.sampled_from(["train.json", "dev.txt", "schema", "test.csv", "x.zip"]), st.binary(), min_size=1)
)
def test_any_bytes_are_told_of(files: dict[str, bytes]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        for name, content in files.items():
            Path(folder, name).write_bytes(content)
        assert looked_at(Path(folder))


def test_there_is_no_other_error(tmp_path: Path) -> None:
    with pytest.raises(UserError):
        looked_at(tmp_path / "none")
