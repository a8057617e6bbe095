"""Archives whose damage shows only in the middle of reading."""

from __future__ import annotations

import gzip
import zipfile
from pathlib import Path

import pytest

from ietool.errors import UserError
from ietool.files.documents import read_documents
from ietool.files.lines import read_lines
from ietool.tasks.qa.data.forms.rewriting import rewritten

LINES = "".join(f'{{"text": "{number * 7919 % 10007}"}}\n' for number in range(5000)).encode()


@pytest.mark.parametrize("harm", ["cut", "flipped"])
@pytest.mark.parametrize("kind", ["gz", "zip"])
def test_damage_behind_the_head(tmp_path: Path, kind: str, harm: str) -> None:
    path = tmp_path / f"texts.{kind}"
    if kind == "gz":
        path.write_bytes(gzip.compress(LINES))
    else:
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("texts.json", LINES)
    packed = bytearray(path.read_bytes())
    if harm == "cut":
        packed = packed[: len(packed) // 2]
    else:
        packed[len(packed) // 2] ^= 0xFF
    path.write_bytes(packed)
    with pytest.raises(UserError) as caught:
        list(read_lines(path))
    assert "damaged archive" in str(caught.value) and path.name in str(caught.value)


@pytest.mark.parametrize("layout", ["lines", "list"])
@pytest.mark.parametrize("kind", ["gz", "zip"])
def test_damage_behind_the_head_of_documents(tmp_path: Path, kind: str, layout: str) -> None:
    """Which is a megabyte, and read before the first record."""
    lines = [f'{{"text": "{number * 7919 % 100003}"}}' for number in range(120_000)]
    content = ("\n".join(lines) if layout == "lines" else f"[{','.join(lines)}]").encode()
    path = tmp_path / f"texts.{kind}"
    if kind == "gz":
        path.write_bytes(gzip.compress(content, 1))
    else:
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
            archive.writestr("texts.json", content)
    packed = bytearray(path.read_bytes())
    if kind == "gz":
        packed = packed[: len(packed) - 5000]
    else:
        packed[len(packed) - 5000] ^= 0xFF
    path.write_bytes(packed)
    count = 0
    with pytest.raises(UserError, match="damaged archive"):
        for _ in read_documents(path, None):
            count += 1
    assert count > 60_000
    with pytest.raises(UserError, match="damaged archive"):
        for _ in rewritten(path, lambda record: record, lambda error, line: None):
            pass
    # What goes wrong with who reads is not of the archive.
    with pytest.raises(EOFError, match="mine"):
        for _ in read_documents(path, None):
            raise EOFError("mine")


def test_a_locked_zip_says_so(tmp_path: Path) -> None:
    path = tmp_path / "locked.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("texts.json", LINES)
    packed = path.read_bytes()
    # The flag that says "encrypted", in the member's own header and in the directory at the end.
    packed = packed[:6] + b"\x01" + packed[7:]
    at = packed.index(b"PK\x01\x02") + 8
    path.write_bytes(packed[:at] + b"\x01" + packed[at + 1 :])
    with pytest.raises(UserError, match="password"):
        list(read_lines(path))
