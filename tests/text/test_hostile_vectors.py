"""Word vectors of another form, damaged ones and hostile ones: each is told in one line, before memory is taken."""

from __future__ import annotations

import bz2
import gzip
import pickle
import struct
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ietool.errors import UserError
from ietool.text.pickle_walk import check_pickle
from ietool.text.word_vectors import WordVectors, load_word_vectors

BOM = b"\xef\xbb\xbf"
ROWS = "北京 0.5 -1.25 3.0\n长江 0.0 2.0 -0.125\n的 1.0 1.0 1.0\n山 -2.0 0.25 8.0\n"
WORDS = ["北京", "长江", "的", "山"]
SPARSE = "北京 9:0.022 12:0.1 30:1.5\n长江 1:0.3 2:0.1 4:0.25\n"


@pytest.fixture(autouse=True)
def no_warning() -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        yield


def loaded(folder: Path, content: bytes, name: str = "vectors") -> WordVectors:
    path = folder / name
    path.write_bytes(content)
    return load_word_vectors(path)


def refused(path: Path) -> str:
    with pytest.raises(UserError) as caught:
        load_word_vectors(path)
    told = str(caught.value)
    assert caught.value.mend and "\n" not in told and str(path) in told and len(told) < 500
    return told


def refused_bytes(folder: Path, content: bytes) -> str:
    (folder / "vectors").write_bytes(content)
    return refused(folder / "vectors")


# -- text is never taken for binary


@pytest.mark.parametrize("header", [b"4 3\n", b"4 3 \r\n", b""])
@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_a_byte_order_mark_does_no_harm(tmp_path: Path, header: bytes, pack: Callable[[bytes], bytes]) -> None:
    assert loaded(tmp_path, pack(BOM + header + ROWS.encode())).words == WORDS


@pytest.mark.parametrize("header", ["4 3\n", "2 3\n", ""])
@pytest.mark.parametrize(
    ("rows", "told"),
    [
        (ROWS.replace(" ", ",").replace(",", " ", 1), "commas"),
        ("\n".join(f"{w} 0.5,0.25,1.0" for w in WORDS) + "\n", "commas"),
        ("\n".join(f"{w} 0.5, 0.25, 1.0," for w in WORDS) + "\n", "commas"),
        (ROWS.replace(" ", ","), "commas"),
        (ROWS.replace(" ", ";"), "commas"),
        (SPARSE, "sparse form"),
    ],
)
def test_other_forms_are_named(tmp_path: Path, header: str, rows: str, told: str) -> None:
    message = refused_bytes(tmp_path, (header + rows).encode())
    assert told in message and f":{2 if header else 1}: " in message


@pytest.mark.parametrize("header", ["40 3\n", ""])
@pytest.mark.parametrize("code", ["gb18030", "big5"])
def test_another_encoding_is_told(tmp_path: Path, header: str, code: str) -> None:
    rows = "".join(f"{word * 3} 0.5 0.25 1.0\n" for word in ["北", "京", "的", "山"] * 10)
    assert "is not UTF-8" in refused_bytes(tmp_path, (header + rows).encode(code))


def test_utf_16_is_told(tmp_path: Path) -> None:
    for code in ("utf-16", "utf-16-le", "utf-16-be"):
        message = refused_bytes(tmp_path, ("\ufeff" if code[-1] == "e" else "").encode(code) + ROWS.encode(code))
        assert "UTF-16" in message


@settings(max_examples=40)
@given(
    st.lists(
        st.tuples(
            st.text(st.characters(exclude_categories=["Cs", "Z", "Cc"]), min_size=1, max_size=6),
            st.lists(st.floats(-100, 100, width=16), min_size=3, max_size=3),
        ),
        min_size=1,
        max_size=12,
        unique_by=lambda row: row[0],
    ),
    st.booleans(),
    st.sampled_from([b"", BOM]),
)
def test_what_is_written_as_text_is_read(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, list[float]]], header: bool, mark: bytes
) -> None:
    lines = [f"{len(rows)} 3"] * header + [f"{word} {' '.join(map(str, numbers))}" for word, numbers in rows]
    found = loaded(tmp_path_factory.mktemp("v"), mark + ("\n".join(lines) + "\n").encode())
    kept = [(word, numbers) for word, numbers in rows if word.strip()]
    assert found.words == [word for word, _ in kept]
    assert np.array_equal(found.matrix, np.array([numbers for _, numbers in kept], np.float16))


@settings(max_examples=40)
@given(st.integers(1, 5), st.integers(3, 40), st.integers(0, 2**32))
def test_what_is_written_as_binary_is_read(
    tmp_path_factory: pytest.TempPathFactory, count: int, size: int, seed: int
) -> None:
    numbers = np.random.default_rng(seed).standard_normal((count, size)).astype("<f4")
    content = f"{count} {size}\n".encode() + b"".join(
        f"w{i} ".encode() + row.tobytes() for i, row in enumerate(numbers)
    )
    found = loaded(tmp_path_factory.mktemp("v"), content)
    assert found.words == [f"w{i}" for i in range(count)] and np.array_equal(found.matrix, numbers.astype(np.float16))


# -- words that no text holds


@pytest.mark.parametrize("blank", [" ", "\t", "\u3000", "\u00a0", " \u3000 ", "\u2003"])
@pytest.mark.parametrize("header", ["5 3\n", ""])
def test_a_word_that_is_a_blank_is_left_out(tmp_path: Path, header: str, blank: str) -> None:
    for at in (0, 2, 4):
        lines = ROWS.splitlines(keepends=True)
        lines.insert(at, f"{blank} 7.0 7.0 7.0\n")
        if at == 0 and not header and not blank.strip(" \t"):
            continue  # without a header the first line must tell the size
        found = loaded(tmp_path, (header + "".join(lines)).encode())
        assert found.words == WORDS and found.matrix[0].tolist() == [0.5, -1.25, 3.0]


def test_a_blank_in_a_binary_file_is_left_out(tmp_path: Path) -> None:
    rows = [(word, struct.pack("<3f", *[i + 0.1] * 3)) for i, word in enumerate(["a", " ", "\u3000", "b"])]
    content = b"4 3\n" + b"".join(word.encode() + b" " + numbers + b"\n" for word, numbers in rows)
    found = loaded(tmp_path, content)
    assert found.words == ["a", "b"] and np.allclose(found.matrix[:, 0].astype(float), [0.1, 3.1], atol=1e-2)


def test_words_that_would_break_a_list_of_lines_are_left_out(tmp_path: Path) -> None:
    folder = tmp_path / "f"
    folder.mkdir()
    np.save(folder / "vectors.npy", np.arange(8, dtype=np.float32).reshape(4, 2))
    (folder / "words.txt").write_bytes("山\n \n水\r石\n云\n".encode())
    found = load_word_vectors(folder)
    assert found.words == ["山", "云"] and found.matrix.tolist() == [[0, 1], [6, 7]]
    (folder / "words.txt").write_text(" \n\u3000\n\n\t\n", encoding="utf-8")
    assert "no words" in refused(folder)


# -- what is announced


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("1" * 5000 + " 5\n北京 1 2 3 4 5\n", "too many digits"),
        ("5 " + "1" * 5000 + "\n北京 1 2 3 4 5\n", "too many digits"),
        ("-4 3\n" + ROWS, "announces no vectors"),
        ("4 -3\n" + ROWS, "announces no vectors"),
        ("0 3\n", "announces no vectors"),
        ("999999999999 3\n" + ROWS, "too few for them"),
        ("40 3\n" + ROWS, "announces 40 words"),
        ("5 3\n" + ROWS, "announces 5 words but has 4"),
        ("3 3\n" + ROWS, "announces 3 words but has 4 → write 4 as the first number"),
        ("4 30\n" + ROWS, "vectors"),
        ("4 2\n" + ROWS, "has more than 2 numbers a line"),
    ],
)
def test_headers_that_do_not_fit(tmp_path: Path, content: str, told: str) -> None:
    assert told in refused_bytes(tmp_path, content.encode())


@pytest.mark.parametrize("size", [3_000_000, 999_999_999, 70_000])
def test_vectors_of_millions_of_numbers_take_no_memory(tmp_path: Path, size: int) -> None:
    assert "can be read" in refused_bytes(tmp_path, f"2 {size}\n".encode() + b"a " + b"\x01\x00\x80\x3f" * 1000)


def test_binary_that_goes_on(tmp_path: Path) -> None:
    row = b"a " + struct.pack("<3f", 0.1, 0.2, 0.3)
    assert "goes on behind the 1 words" in refused_bytes(tmp_path, b"1 3\n" + row + b"b" + row[1:])


# -- numbers


@pytest.mark.parametrize("number", [np.nan, np.inf, -np.inf, 1e5, 1e30, 1e300])
def test_numbers_that_are_not_finite_are_refused_in_every_form(tmp_path: Path, number: float) -> None:
    matrix = np.array([[1.0, 2.0], [number, 3.0]])
    folder = tmp_path / "f"
    folder.mkdir()
    (folder / "words.txt").write_text("山\n水\n", encoding="utf-8")
    for kind in (np.float64, np.float32, np.float16):
        with np.errstate(over="ignore"):
            np.save(folder / "vectors.npy", matrix.astype(kind))
        assert "not finite" in refused(folder)
    assert "not finite" in refused_bytes(tmp_path, f"山 1 2\n水 {number} 3\n".encode())
    with np.errstate(over="ignore"):
        numbers = matrix.astype("<f4")
    assert "not finite" in refused_bytes(tmp_path, b"2 2\na " + numbers[0].tobytes() + b"b " + numbers[1].tobytes())


@pytest.mark.parametrize("damage", ["header", "cut", "empty", "shape", "negative", "integers", "no numbers", "none"])
def test_arrays_that_are_damaged(tmp_path: Path, damage: str) -> None:
    folder = tmp_path / "f"
    folder.mkdir()
    (folder / "words.txt").write_text("山\n水\n", encoding="utf-8")
    array = folder / "vectors.npy"
    np.save(array, np.ones((2, 3), np.float32))
    content = array.read_bytes()
    if damage == "header":
        content = content.replace(b"(2, 3)", b"((((((")
    elif damage == "cut":
        content = content[:-4]
    elif damage == "empty":
        content = b""
    elif damage == "shape":
        content = content.replace(b"(2, 3), }" + b" " * 12, b"(2, 999999999999999), }"[:21])
    elif damage == "negative":
        content = content.replace(b"(2, 3), } ", b"(2, -3), }")
    elif damage == "integers":
        np.save(array, np.ones((2, 3), np.int64))
        content = array.read_bytes()
    elif damage == "no numbers":
        np.save(array, np.ones((2, 0), np.float32))
        content = array.read_bytes()
    elif damage == "none":
        np.savez(array.with_suffix(".npz"), a=np.ones((2, 3)))
        content = array.with_suffix(".npz").read_bytes()
    array.write_bytes(content)
    with pytest.raises(UserError) as caught:
        load_word_vectors(folder)
    assert str(folder) in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"\x93NUMPY\x01\x00v\x00", "an array without its words"),
        (bz2.compress(ROWS.encode()), "bzip2"),
        (b"\xfd7zXZ\x00", "xz"),
        (b"\x89HDF\r\n\x1a\n", "HDF5"),
        (b"\xba\x16\x4f\x2f\x0c\x00\x00\x00", "fastText"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "git lfs pull"),
    ],
)
def test_files_of_another_kind_are_named(tmp_path: Path, content: bytes, told: str) -> None:
    assert told in refused_bytes(tmp_path, content)


def test_archives_are_named(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "vectors", "w") as archive:
        archive.writestr("vectors.txt", ROWS)
    assert "zip archive" in refused(tmp_path / "vectors")


@given(st.binary(max_size=200), st.sampled_from([b"", b"3 4\n", b"\x80\x04", b"\x80\x02", b"\x1f\x8b", BOM]))
def test_whatever_the_bytes_one_line_is_told(
    tmp_path_factory: pytest.TempPathFactory, content: bytes, begin: bytes
) -> None:
    path = tmp_path_factory.mktemp("v") / "vectors"
    path.write_bytes(begin + content)
    try:
        found = load_word_vectors(path)
    except UserError as error:
        assert "\n" not in str(error) and error.mend
    else:
        assert len(found.words) == len(found.matrix) and np.isfinite(found.matrix).all()


# -- pickles that ask for memory or time without end


def _nested(depth: int) -> bytes:
    """A tuple of a tuple twice, and so on: each is on the stack and in the table."""
    return b")" + b"\x94" + b"".join(b"h" + bytes([n]) + b"\x86\x94" for n in range(depth))


HOSTILE = {
    "hash of tuples as a key": b"\x80\x04}" + _nested(45) + b"Ns.",
    "hash of tuples in a set": b"\x80\x04\x8f(" + _nested(45) + b"\x90.",
    "tuples in a frozen set": b"\x80\x04(" + _nested(45) + b"\x91.",
    "tuples as keys behind a mark": b"\x80\x04}(" + _nested(45) + b"Nu.",
    "tuples as keys of a new dict": b"\x80\x02(" + b")Nd.",
    "a tuple kept and brought back as a key": b"\x80\x04)\x940}(h\x00Nu.",
    "far up in the table": b"\x80\x02Nr\x00\x00\x00\x08.",
    "farther up in the table": b"\x80\x02Nr\x00\x00\x00\x40.",
    "a little up in the table": b"\x80\x02Nq\xff.",
    "a string of gigabytes": b"\x80\x04\x8d" + struct.pack("<Q", 1 << 40) + b"x.",
    "bytes of gigabytes": b"\x80\x05\x96" + struct.pack("<Q", 1 << 62) + b"x.",
    "a frame of gigabytes": b"\x80\x04\x95" + struct.pack("<Q", 1 << 40) + b"N.",
    "a number of many digits": b"\x80\x02\x8b" + struct.pack("<i", 4000) + b"\x7f" * 4000 + b".",
    "a number with a hash of its own": b"\x80\x02\x8a\x10" + b"\x7f" * 16 + b".",
    "the same twice": b"\x80\x02N2.",
    "sets without end": b"\x80\x04]" + b"\x8f" * 5000 + b".",
    "what it takes was never there": b"\x80\x04\x86.",
    "a mark as a thing": b"\x80\x04(\x94h\x00.",
    "lists copied without end": b"\x80\x02cbuiltins\nlist\nq\x00]q\x01(" + b"N" * 100 + b"eh\x01\x85R0"
    + b"h\x00h\x01\x85R0" * 200 + b"N.",
    "text copied without end": b"\x80\x02c_codecs\nencode\nq\x00X\xe8\x03\x00\x00" + b"x" * 1000 + b"q\x010"
    + b"h\x00h\x01X\x06\x00\x00\x00latin1\x86R0" * 100 + b"N.",
    "tuples as keys by a list": b"\x80\x02cbuiltins\nset\n](" + _nested(3)[1:2].replace(b"\x94", b")") + b"e\x85R.",
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_pickles_that_ask_for_too_much_are_refused_at_once(tmp_path: Path, name: str) -> None:
    told = refused_bytes(tmp_path, HOSTILE[name])
    assert "is refused" in told or "cut off" in told


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_plain_data_passes(tmp_path: Path, protocol: int) -> None:
    state = {
        "words": [f"w{i}" for i in range(3000)], "places": {f"w{i}": i for i in range(3000)}, "set": {1, 2},
        "pair": ((1, 2), ("a", ("b",))), "none": None, "long": 2**64 - 1, "bytes": b"x" * 300, "float": 0.5,
        "array": np.arange(6).reshape(2, 3), "deep": [[[{}]]], "number": np.float32(1),
    }  # fmt: skip
    path = tmp_path / "plain"
    path.write_bytes(pickle.dumps(state, protocol))
    check_pickle(path)
    path.write_bytes(pickle.dumps({(1, 2): 3}, protocol))
    with pytest.raises(pickle.UnpicklingError, match="keys"):
        check_pickle(path)
