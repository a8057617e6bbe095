"""Word vectors in every form they come in, whole, damaged and hostile."""

from __future__ import annotations

import gzip
import os
import pickle
import struct
import sys
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ietool.errors import UserError
from ietool.text.word_vectors import WordVectors, load_word_vectors

WORDS = ["北京", "长江大桥", "New York", "的"]
MATRIX = np.array([[0.5, -1.25, 3.0], [0.0, 2.0, -0.125], [1.0, 1.0, 1.0], [-2.0, 0.25, 8.0]], np.float32)


def check(found: WordVectors) -> None:
    assert found.words == WORDS
    assert np.array_equal(np.asarray(found.matrix, np.float32), MATRIX)


def text(*, header: bool = True, rows: int = 4) -> str:
    lines = [f"{word} {' '.join(map(str, row))}" for word, row in zip(WORDS, MATRIX.tolist(), strict=True)]
    return ("4 3\n" if header else "") + "".join(line + "\n" for line in lines[:rows])


def binary(words: list[bytes] | None = None, *, newline: bytes = b"\n") -> bytes:
    # The binary form ends a word at its first blank, so those of one with a blank are joined as gensim does.
    named = [w.replace(" ", "_").encode() for w in WORDS] if words is None else words
    rows = (word + b" " + struct.pack("<3f", *row) + newline for word, row in zip(named, MATRIX.tolist(), strict=True))
    return f"{len(named)} 3\n".encode() + b"".join(rows)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "vectors"


def refused(path: Path) -> str:
    with pytest.raises(UserError) as caught:
        load_word_vectors(path)
    assert caught.value.mend
    return str(caught.value)


@pytest.mark.parametrize("header", [True, False])
@pytest.mark.parametrize("pack", [bytes, gzip.compress])
@pytest.mark.parametrize("change", [str, lambda t: t.replace("\n", "\r\n"), lambda t: t.replace("\n", " \n")])
def test_text(path: Path, header: bool, pack: Any, change: Any) -> None:
    path.write_bytes(pack(change(text(header=header)).encode()))
    found = load_word_vectors(path)
    check(found)
    assert found.matrix.dtype == np.float16


def test_text_with_byte_order_mark(path: Path) -> None:
    path.write_bytes(b"\xef\xbb\xbf" + text(header=False).encode())
    check(load_word_vectors(path))


@pytest.mark.parametrize("newline", [b"\n", b""])
@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_binary(path: Path, newline: bytes, pack: Any) -> None:
    path.write_bytes(pack(binary(newline=newline)))
    found = load_word_vectors(path)
    assert found.words == ["北京", "长江大桥", "New_York", "的"]
    assert np.array_equal(found.matrix.astype(np.float32), MATRIX)


def test_binary_larger_than_a_block(path: Path) -> None:
    numbers = np.random.default_rng(1).standard_normal((9000, 50)).astype("<f4")
    path.write_bytes(b"9000 50\n" + b"".join(b"w%d " % i + row.tobytes() + b"\n" for i, row in enumerate(numbers)))
    found = load_word_vectors(path)
    assert found.words[-1] == "w8999" and np.array_equal(found.matrix, numbers.astype(np.float16))


def test_word_twice_keeps_the_first(path: Path) -> None:
    path.write_text("3 2\n山 1 2\n水 3 4\n山 5 6\n", encoding="utf-8")
    found = load_word_vectors(path)
    assert found.words == ["山", "水"] and found.matrix.tolist() == [[1, 2], [3, 4]]


def test_word_of_half_a_character_is_left_out(path: Path) -> None:
    path.write_bytes("2 2\n山 1 2\n".encode() + b"\xe6\xb0 3 4\n")
    assert load_word_vectors(path).words == ["山"]
    path.write_bytes(binary([b"\xe6\xb0", b"a", b"b", b"c"]))
    assert load_word_vectors(path).words == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (text(rows=3), ":1: announces 4 words but has 3"),
        (text()[:-6], ":5: has no word with 3 numbers"),
        (text().replace("-0.125", "x"), ":3: has no word with 3 numbers"),
        (text().replace("-0.125", "nan"), "not finite"),
        ("", "is empty"),
        ("\n\n", "empty line"),
        ("北京 上海\n", "no known form"),
        ("0 0\n", "announces no vectors"),
    ],
)
def test_damaged_text(path: Path, content: str, said: str) -> None:
    path.write_text(content, encoding="utf-8")
    message = refused(path)
    assert said in message and str(path) in message


@pytest.mark.parametrize("left", [6, 20, -9])
def test_binary_cut_off(path: Path, left: int) -> None:
    path.write_bytes(binary()[:left])
    assert "damaged at word" in refused(path)


def test_binary_without_words(path: Path) -> None:
    path.write_bytes(b"2 3\n" + b"\xff" * 9000)
    assert "damaged at word 1 of the 2" in refused(path)


def test_damaged_gzip(path: Path) -> None:
    path.write_bytes(gzip.compress(text().encode())[:-20])
    assert "damaged archive" in refused(path)


def test_missing(path: Path) -> None:
    assert "no such file" in refused(path)


def test_folder(path: Path) -> None:
    path.mkdir()
    assert "no vectors*.npy with words.txt" in refused(path)
    np.save(path / "vectors.fp16.npy", MATRIX.astype(np.float16))
    (path / "words.txt").write_text("\n".join(WORDS) + "\n", encoding="utf-8")
    check(load_word_vectors(path))
    (path / "words.txt").write_text("\n".join(WORDS[:3]) + "\n", encoding="utf-8")
    assert "3 words but vectors of shape (4, 3)" in refused(path)
    (path / "words.txt").write_text("山\n山\n水\n云\n", encoding="utf-8")
    assert load_word_vectors(path).words == ["山", "水", "云"]


def test_folder_with_pickled_array(path: Path) -> None:
    path.mkdir()
    np.save(path / "vectors.npy", np.array([Evil()], object), allow_pickle=True)
    (path / "words.txt").write_text("山\n", encoding="utf-8")
    assert "is no array of numbers" in refused(path)
    assert not Evil.struck(path)


# -- gensim


@pytest.fixture
def gensim(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A module of gensim's name while pickles are written; reading must do without."""
    module: Any = types.ModuleType("gensim.models.keyedvectors")
    for name in ("KeyedVectors", "Vocab"):
        setattr(module, name, type(name, (), {"__module__": module.__name__}))
    with monkeypatch.context() as patch:
        for name in ("gensim", "gensim.models"):
            patch.setitem(sys.modules, name, types.ModuleType(name))
        patch.setitem(sys.modules, module.__name__, module)
        yield module


def keyed(module: Any, **state: Any) -> Any:
    vectors = module.KeyedVectors()
    vectors.__dict__.update(state)
    return vectors


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
@pytest.mark.parametrize("dtype", ["<f4", ">f4", "<f8", "<f2"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_gensim_in_one_file(path: Path, gensim: Any, protocol: int, dtype: str, order: Any) -> None:
    vectors = keyed(
        gensim,
        index_to_key=WORDS,
        key_to_index={word: i for i, word in enumerate(WORDS)},
        vectors=np.array(MATRIX, dtype, order=order),
        expandos={"count": np.arange(4)},
        vector_size=3,
        norms=None,
        next_index=np.int64(4),
    )
    path.write_bytes(pickle.dumps(vectors, protocol))
    del sys.modules["gensim.models.keyedvectors"]
    check(load_word_vectors(path))


def test_gensim_3_with_vectors_beside(path: Path, gensim: Any) -> None:
    path.write_bytes(pickle.dumps(keyed(gensim, index2word=WORDS, vocab={"的": gensim.Vocab()}, syn0=None), 2))
    assert "not beside it" in refused(path)
    np.save(path.with_name("vectors.vectors.npy"), MATRIX)
    check(load_word_vectors(path))


def test_gensim_model(path: Path, gensim: Any) -> None:
    model = keyed(gensim, wv=keyed(gensim, index_to_key=WORDS, vectors=MATRIX), random=np.random.RandomState(1))
    path.write_bytes(pickle.dumps(model, 2))
    assert load_or_refuse(path)


def load_or_refuse(path: Path) -> bool:
    """Random states are written in ways that change with numpy: either form is fine, as long as none is run."""
    try:
        check(load_word_vectors(path))
    except UserError as error:
        return "is refused" in str(error)
    return True


@pytest.mark.parametrize("size", [3, 40, 150])
def test_gensim_cut_off(path: Path, gensim: Any, size: int) -> None:
    path.write_bytes(pickle.dumps(keyed(gensim, index_to_key=WORDS, vectors=MATRIX), 4)[:size])
    assert "cut off" in refused(path) or "refused" in refused(path)


class Evil:
    """Pickled, it asks for a command to be run."""

    mark = "struck"

    def __reduce__(self) -> Any:
        return os.system, (f"touch {self.mark}",)

    @classmethod
    def struck(cls, path: Path) -> bool:
        return Path(cls.mark).exists() or (path.parent / cls.mark).exists()


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
@pytest.mark.parametrize("where", ["top", "words", "state", "array"])
def test_hostile_pickle(
    path: Path, gensim: Any, protocol: int, where: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    vectors: Any = keyed(gensim, index_to_key=WORDS, vectors=MATRIX)
    if where == "top":
        vectors = Evil()
    elif where == "words":
        vectors.index_to_key = [Evil()]
    elif where == "state":
        vectors.expandos = {"x": [Evil()]}
    else:
        vectors.vectors = np.array([[Evil()]], object)
    path.write_bytes(pickle.dumps(vectors, protocol))
    message = refused(path)
    assert "is refused" in message
    assert not Evil.struck(path)


@pytest.mark.parametrize(
    "code",
    [
        b"\x80\x02cbuiltins\neval\n(X\x04\x00\x00\x00open\x85R.",
        b"\x80\x02c__builtin__\ngetattr\n.",
        b"\x80\x02cgensim.utils\nos.system\n(X\x06\x00\x00\x00touch xtR.",
        b"\x80\x02cnumpy\nload\nX\x01\x00\x00\x00x\x85R.",
        b"\x80\x02cnumpy\ndtype\nX\x02\x00\x00\x00O8\x85R.",
        b"\x80\x02X\x01\x00\x00\x00aQ.",
        b"\x80\x02\x82\x01.",
        b"\x80\x04" + b"]" * 10 + b".",
        b"\x80\x02}.",
    ],
)
def test_odd_pickles(path: Path, code: bytes) -> None:
    path.write_bytes(code)
    refused(path)
