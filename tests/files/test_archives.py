"""Packed files, and what else people bring in their place."""

from __future__ import annotations

import bz2
import contextlib
import gzip
import io
import itertools
import lzma
import os
import tarfile
import threading
import tracemalloc
import zipfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ietool.errors import UserError
from ietool.files import archives
from ietool.files import lines as files
from ietool.files.lines import read_lines

LINES = b'{"text": "a"}\n{"text": "b"}\n'


def zipped(*members: tuple[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", method) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return made.getvalue()


def tarred(mode: str) -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode=mode, format=tarfile.GNU_FORMAT) as archive:
        info = tarfile.TarInfo("texts.json")
        info.size = len(LINES)
        archive.addfile(info, io.BytesIO(LINES))
    return made.getvalue()


def refused(path: Path) -> str:
    with pytest.raises(UserError) as caught:
        list(read_lines(path))
    assert path.name in str(caught.value) and "→" in str(caught.value)
    return str(caught.value)


CLUTTER = (
    ("__MACOSX/", b""),
    ("__MACOSX/._texts.json", b"\0\5\x16\7"),
    ("deep/__MACOSX/x", b"\0"),
    ("._texts.json", b"\0\5\x16\7"),
    ("data/", b""),
    ("data\\", b""),
    ("data/.DS_Store", b"\0\0\0\1Bud1"),
    ("Thumbs.db", b"\xd0\xcf"),
    ("data/Desktop.ini", b"\xff\xfe["),
)


@pytest.mark.parametrize("first", [True, False])
def test_what_macos_and_windows_add_is_passed_over(tmp_path: Path, first: bool) -> None:
    path = tmp_path / "x.zip"
    texts = [("data/texts.json", LINES), ("data/more.json", LINES)]
    path.write_bytes(zipped(*(CLUTTER if first else ()), *texts, *(() if first else CLUTTER)))
    names = [f"{path}!data/{name}.json" for name in ("texts", "more")]
    assert [(name, number) for name, number, _ in read_lines(path)] == [(n, i) for n in names for i in (1, 2)]


@pytest.mark.parametrize("content", [zipped(), zipped(*CLUTTER), zipped()[:10] + b"\0" * 12])
def test_a_zip_without_files(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x.zip").write_bytes(content)
    assert "is an empty zip archive" in refused(tmp_path / "x.zip")


FOREIGN = {
    "a tar archive": tarred("w"),
    "packed with bzip2": bz2.compress(LINES),
    "packed with xz": lzma.compress(LINES),
    "a 7z archive": b"7z\xbc\xaf\x27\x1c\0\4" + bytes(24),
    "a RAR archive": b"Rar!\x1a\x07\x01\0" + bytes(24),
    "packed with zstd": b"\x28\xb5\x2f\xfd" + bytes(24),
}


@pytest.mark.parametrize("what", FOREIGN)
def test_other_packers_are_called_by_name_wherever_they_stand(tmp_path: Path, what: str) -> None:
    content = FOREIGN[what]
    for name, packed in (
        ("plain.json", content),
        ("x.gz", gzip.compress(content)),
        ("x.zip", zipped(("texts.json", content))),
    ):
        (tmp_path / name).write_bytes(packed)
        assert f"is {what}" in refused(tmp_path / name)


def test_archives_within_archives_are_called_so(tmp_path: Path) -> None:
    path = tmp_path / "x"
    for inner in (gzip.compress(LINES), zipped(("a", LINES)), zipped()):
        for packed in (gzip.compress(inner), zipped(("a", inner))):
            path.write_bytes(packed)
            assert "within an archive" in refused(path)


def test_tar_of_every_making(tmp_path: Path) -> None:
    made = {"w": "a tar archive", "w:gz": "a tar archive", "w:bz2": "packed with bzip2", "w:xz": "packed with xz"}
    for mode, what in made.items():
        (tmp_path / "x.json").write_bytes(tarred(mode))
        assert f"is {what}" in refused(tmp_path / "x.json")
    old = bytearray(tarred("w"))  # of before 1988: nothing but its sum tells it
    old[257:265] = bytes(8)
    old[148:156] = b" " * 8
    old[148:156] = b"%06o\0 " % sum(old[:512])
    (tmp_path / "x.json").write_bytes(old)
    assert "is a tar archive" in refused(tmp_path / "x.json")


def test_text_that_begins_like_an_archive_is_text(tmp_path: Path) -> None:
    for text in (b"BZh is a word\n", b"PK O\n", b"Rar O\n", b"7z O\n"):
        (tmp_path / "x").write_bytes(text)
        assert [line for _, _, line in read_lines(tmp_path / "x")] == [text.decode().strip()]


def test_a_file_of_utf16_is_told_how_to_be_converted(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes('{"text": "字"}\n'.encode("utf-16"))
    assert "iconv -f UTF-16 " in refused(tmp_path / "x")
    (tmp_path / "x").write_bytes('{"text": "字"}\n'.encode("gb18030"))
    assert "iconv -f GB18030 " in refused(tmp_path / "x")


@pytest.mark.parametrize("packed", [False, True])
def test_a_pipe_is_read_once(tmp_path: Path, packed: bool) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    content = gzip.compress(LINES) if packed else LINES
    threading.Thread(target=lambda: pipe.write_bytes(content), daemon=True).start()
    assert len(list(read_lines(pipe))) == 2
    threading.Thread(target=lambda: pipe.write_bytes(zipped(("a", LINES))), daemon=True).start()
    assert "is a zip archive in a pipe" in refused(pipe)


@pytest.mark.parametrize("packed", [False, True])
def test_standard_input_may_be_gzip(monkeypatch: pytest.MonkeyPatch, packed: bool) -> None:
    content = io.BytesIO(gzip.compress(LINES) if packed else LINES)
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(content))
    assert [number for _, number, _ in read_lines("-")] == [1, 2]


def test_an_endless_line_is_told_in_bounded_memory(tmp_path: Path) -> None:
    content = bytes(files.LONGEST_LINE + (1 << 25))
    path = tmp_path / "bomb"
    for packed in (zipped(("a", b"{}\n" + content)), gzip.compress(b"{}\n" + content, 1)):
        path.write_bytes(packed)
        tracemalloc.start()
        assert "2: is longer than 64 MB" in refused(path)
        highest = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert highest < files.LONGEST_LINE * 2.5


def test_an_archive_that_unpacks_beyond_measure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "UNPACKED", 1 << 20)
    path = tmp_path / "bomb"
    many = [(str(number), b"\n" * (1 << 18)) for number in range(8)]
    for packed in (zipped(("a", b"\n" * (1 << 21))), gzip.compress(b"\n" * (1 << 21)), zipped(*many)):
        path.write_bytes(packed)
        assert "unpacks to more than 200 times its size" in refused(path)
    path.write_bytes(zipped(("a", b"\n" * (1 << 20))))
    assert not list(read_lines(path))


def test_an_archive_of_too_many_members(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "DIRECTORY", 4000)
    path = tmp_path / "many.zip"
    path.write_bytes(zipped(*((f"{number}.json", LINES) for number in range(100))))
    assert "list of members" in refused(path)
    monkeypatch.undo()
    assert len(list(read_lines(path))) == 200


WHOLE = [
    zipped(*((f"{number}.json", LINES) for number in range(3))),
    zipped(("a", LINES), method=zipfile.ZIP_BZIP2),
    zipped(("a", LINES), method=zipfile.ZIP_LZMA),
    gzip.compress(LINES * 20),
]


@settings(max_examples=400)
@given(
    st.sampled_from(WHOLE),
    st.lists(st.tuples(st.integers(0, 10**4), st.integers(0, 255)), max_size=3),
    st.none() | st.integers(0, 10**4),
)
def test_damage_anywhere_is_told(
    tmp_path_factory: pytest.TempPathFactory, whole: bytes, flips: list[tuple[int, int]], cut: int | None
) -> None:
    content = bytearray(whole)
    for at, value in flips:
        content[at % len(content)] = value
    path = tmp_path_factory.getbasetemp() / "damaged"
    path.write_bytes(content if cut is None else content[: cut % len(content)])
    try:
        list(read_lines(path))
    except UserError as error:
        assert "damaged" in str(error)


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_damage_of_each_byte_is_told(tmp_path: Path, method: int) -> None:
    whole, path = zipped(("a", LINES), method=method), tmp_path / "damaged"
    for at, bits in itertools.product(range(len(whole)), (0x00, 0x01, 0x7F, 0xFF)):
        for byte in (bits, whole[at] ^ bits):
            path.write_bytes(whole[:at] + bytes([byte]) + whole[at + 1 :])
            with contextlib.suppress(UserError):
                list(read_lines(path))


def test_a_member_without_a_name(tmp_path: Path) -> None:
    (tmp_path / "x.zip").write_bytes(zipped(("a", LINES)).replace(b"\1\0\0\0a", b"\1\0\0\0\0"))
    assert "damaged archive" in refused(tmp_path / "x.zip")


def test_a_member_whose_name_is_damaged(tmp_path: Path) -> None:
    packed = zipped(("字.json", LINES)).replace("字".encode(), b"\xff\xff\xff")
    (tmp_path / "x.zip").write_bytes(packed)
    assert "is a damaged archive" in refused(tmp_path / "x.zip")
