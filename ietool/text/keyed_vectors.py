"""gensim's ``KeyedVectors.save`` without gensim: a pickle, read so that it can run nothing."""

from __future__ import annotations

import pickle
import struct
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from ietool.errors import UserError
from ietool.text.matrices import open_matrix
from ietool.text.pickle_walk import check_pickle

_MEND = "save them anew as word2vec text: KeyedVectors.load(OLD).save_word2vec_format(NEW)"


class _Stub:
    """Stands in place of gensim's own classes: it holds what the file says of an object, and does nothing.

    What is said is not copied: a file may say the same of many objects.
    """

    __slots__ = ("state",)
    state: dict[str, Any]

    def __init__(self, *_: Any, **__: Any) -> None:
        pass

    def __setstate__(self, state: Any) -> None:
        if isinstance(state, dict):
            self.state = state


def _said_of(thing: Any) -> dict[str, Any]:
    """What the file says of an object; nothing where it is none."""
    return getattr(thing, "state", {}) if isinstance(thing, _Stub) else {}


class _Numbers:
    """Stands in place of ``numpy.dtype``: numbers alone, since arrays of objects hold whatever else a file builds."""

    def __init__(self, kind: Any, *_: Any) -> None:
        if not isinstance(kind, str) or kind not in _KINDS:
            raise pickle.UnpicklingError(f"it has an array of {kind!r}, which are no numbers")
        self.kind, self.order = kind, "<"

    def __setstate__(self, state: Any) -> None:
        order = state[1] if isinstance(state, tuple) and len(state) > 1 else None
        if order not in ("<", ">", "|", "="):
            raise pickle.UnpicklingError("it has an array of a byte order that does not exist")
        self.order = order

    def read(self, data: Any) -> npt.NDArray[Any]:
        """The numbers in some bytes."""
        if not isinstance(data, bytes | bytearray):
            raise pickle.UnpicklingError("it has an array that is not made of bytes")
        return np.frombuffer(data, np.dtype(f"{self.order}{self.kind}"))


class _Array:
    """Stands in place of ``numpy.ndarray``, whose own way to take its state trusts the file."""

    value: npt.NDArray[Any]

    def __setstate__(self, state: Any) -> None:
        _, shape, numbers, fortran, data = state
        if not isinstance(numbers, _Numbers):
            raise pickle.UnpicklingError("it has an array of unknown type")
        self.value = numbers.read(data).reshape(shape, order="F" if fortran else "C")


def _reconstruct(*_: Any) -> _Array:
    return _Array()


def _from_buffer(data: Any, numbers: Any, shape: Any, order: Any, *_: Any) -> _Array:
    """How protocol 5 writes an array."""
    array = _Array()
    array.__setstate__((1, shape, numbers, order == "F", data))
    return array


def _scalar(numbers: Any, data: Any = b"") -> Any:
    if not isinstance(numbers, _Numbers) or len(values := numbers.read(data)) != 1:
        raise pickle.UnpicklingError("it has a damaged number")
    return values[0].item()


_PLAIN = (str, bytes, int, float, bool, type(None))
_KINDS = {f"{kind}{size}" for kind in "fiu" for size in (2, 4, 8)} | {"i1", "u1", "b1"}
_ALLOWED: dict[tuple[str, str], Any] = {
    ("numpy", "ndarray"): _Array,
    ("numpy", "dtype"): _Numbers,
    ("collections", "defaultdict"): _Stub,
}
for _core in ("numpy.core", "numpy._core"):
    _ALLOWED[f"{_core}.multiarray", "_reconstruct"] = _reconstruct
    _ALLOWED[f"{_core}.multiarray", "scalar"] = _scalar
    _ALLOWED[f"{_core}.numeric", "_frombuffer"] = _from_buffer
_CONTAINERS: dict[tuple[str, str], Callable[[Any], Any]] = {
    ("builtins", "dict"): dict,
    ("builtins", "list"): list,
    ("builtins", "set"): set,
    ("collections", "OrderedDict"): dict,
}


class _Unpickler(pickle.Unpickler):
    """Knows numbers, plain containers and stubs; everything else that a pickle names is refused.

    Args:
        length: bytes of the file: what is copied within it is no more, all together.
    """

    def __init__(self, stream: BinaryIO, length: int) -> None:
        super().__init__(stream)
        self._left = length

    def find_class(self, module: str, name: str) -> Any:
        module = "builtins" if module == "__builtin__" else module
        if (module, name) == ("_codecs", "encode"):
            return self._encode
        if (module, name) in _CONTAINERS:
            return partial(self._filled, _CONTAINERS[module, name])
        found = _ALLOWED.get((module, name))
        if found is None and (module.split(".")[0] == "gensim" or module.startswith("numpy.random.")):
            # Models carry the random state they were trained with. Neither module is imported: a stub is no part of it.
            found = _Stub
        if found is None:
            raise pickle.UnpicklingError(f"it names {module}.{name}")
        return found

    def persistent_load(self, pid: Any) -> Any:
        raise pickle.UnpicklingError("it refers to something outside the file")

    def _encode(self, text: Any, encoding: Any) -> bytes:
        """How protocol 2 writes bytes: as latin-1 text."""
        if not isinstance(text, str) or encoding not in ("latin1", "latin-1"):
            raise pickle.UnpicklingError("it has bytes in an unknown encoding")
        self._copy(len(text))
        return text.encode("latin-1")

    def _filled(self, kind: Callable[[Any], Any], *given: Any) -> Any:
        """How protocol 2 writes sets: by a list of what is in them."""
        if not given:
            return kind(())
        if len(given) > 1 or type(given[0]) is not list or not all(type(x) in _PLAIN for x in given[0]):
            raise pickle.UnpicklingError("it makes a container of something else than plain values")
        self._copy(len(given[0]))
        return kind(given[0])

    def _copy(self, size: int) -> None:
        self._left -= size
        if self._left < 0:
            raise pickle.UnpicklingError("it copies more than it holds")


def read_keyed_vectors(path: Path) -> tuple[list[str], npt.NDArray[np.floating]]:
    """Words and (words, size) vectors of gensim 3 or 4: ``KeyedVectors``, or a model that holds them in ``wv``.

    Large arrays stand beside the file, as ``FILE.vectors.npy``.

    Raises:
        UserError: the file holds more than plain data, is cut off, or is no KeyedVectors.
    """
    try:
        check_pickle(path)
        with path.open("rb") as stream:
            content = _Unpickler(stream, path.stat().st_size).load()
    except pickle.UnpicklingError as error:
        message = f"is refused: {error}, and a file of vectors has no need of more than numbers and words"
        raise UserError(message, file=path, mend=_MEND) from None
    except (EOFError, ValueError, TypeError, AttributeError, KeyError, IndexError, MemoryError, OverflowError,
            RecursionError, struct.error) as error:  # fmt: skip
        raise UserError(f"is damaged or cut off ({error})", file=path, mend="save it anew") from None
    state, prefix = _said_of(content), ""
    beside = state.get("__recursive_saveloads")
    if "vectors" not in state and ("wv" in state or (isinstance(beside, list) and "wv" in beside)):
        state, prefix = _said_of(state.get("wv")), ".wv"
    words = _words(state)
    vectors = state.get("vectors", state.get("syn0"))
    if vectors is None:
        arrays = [path.with_name(f"{path.name}{prefix}.{name}.npy") for name in ("vectors", "syn0")]
        found = next((file for file in arrays if file.is_file()), None)
        if found is None and words:
            raise UserError("its vectors are not beside it", file=arrays[0], mend="bring the .npy file along")
        if found is not None:
            vectors = open_matrix(found, _MEND)
    if isinstance(vectors, _Array):
        vectors = getattr(vectors, "value", None)
    if not words or not isinstance(vectors, np.ndarray):
        raise UserError("is a pickle without KeyedVectors in it", file=path, mend=_MEND)
    return words, vectors


def _words(state: dict[str, Any]) -> list[str]:
    for name in ("index_to_key", "index2word", "index2entity"):
        words = state.get(name)
        if isinstance(words, list) and words and all(isinstance(word, str) for word in words):
            return words
    return []
