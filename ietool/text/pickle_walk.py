"""A pickle looked through before anything is built of it: what would take memory or time without end is refused.

A few bytes of a pickle can ask for gigabytes: a number far up in its table of things to come back to, tuples within
tuples of which each names the one before it twice, and whose hash takes steps without end where one is a key.
"""

from __future__ import annotations

import pickle
from pathlib import Path
from pickletools import genops
from typing import Any

OPCODES = 1 << 29
"""Steps of a pickle, at most: 30 million words of gensim 3 with an object each."""

CONTAINERS = 1 << 25
"""Lists, dictionaries and objects in it, at most: gensim 3 has an object for each word."""

SETS = 1 << 10
"""Sets in it, at most: an empty one takes 200 bytes of memory for one of the file."""

LONGEST_INTEGER = 9
"""Bytes of an integer, at most. Longer ones can be chosen such that all have the same hash."""

_VALUE, _TUPLE, _MARK = 0, 1, 2
"""What stands on the stack: something that is a key at no cost, something that is not, a mark."""

_SIMPLE = frozenset(
    ("NONE", "NEWTRUE", "NEWFALSE", "BININT", "BININT1", "BININT2", "BINFLOAT", "SHORT_BINSTRING", "BINSTRING",
     "SHORT_BINBYTES", "BINBYTES", "BINBYTES8", "BYTEARRAY8", "SHORT_BINUNICODE", "BINUNICODE", "BINUNICODE8")
)  # fmt: skip
"""Put a value on the stack: nearly all steps, with those that keep it."""

# How many are taken from the stack, and what is put there.
_FIXED = {
    **dict.fromkeys(("LONG1", "LONG4", "EMPTY_LIST", "EMPTY_DICT", "EMPTY_SET", "GLOBAL"), (0, _VALUE)),
    "EMPTY_TUPLE": (0, _TUPLE), "TUPLE1": (1, _TUPLE), "TUPLE2": (2, _TUPLE), "TUPLE3": (3, _TUPLE),
    "REDUCE": (2, _VALUE), "NEWOBJ": (2, _VALUE), "NEWOBJ_EX": (3, _VALUE),
    "STACK_GLOBAL": (2, _VALUE), "MARK": (0, _MARK),
}  # fmt: skip
_TO_MARK = {"TUPLE": _TUPLE, "FROZENSET": _TUPLE, "LIST": _VALUE, "DICT": _VALUE, "OBJ": _VALUE}
"""Made of all behind the last mark."""
_KEPT = frozenset(("BINPUT", "LONG_BINPUT", "MEMOIZE"))
_AGAIN = frozenset(("BINGET", "LONG_BINGET"))
_HELD = frozenset(("EMPTY_LIST", "EMPTY_DICT", "LIST", "DICT", "REDUCE", "NEWOBJ", "NEWOBJ_EX", "OBJ"))


def check_pickle(path: Path) -> None:
    """Look through a pickle of protocol 2 or later.

    Raises:
        pickle.UnpicklingError: it is larger than what word vectors need, has tuples as keys, or steps that no pickle of
            plain data has.
        ValueError, IndexError, …: it is damaged or cut off.
    """
    length = path.stat().st_size
    stack: list[int] = []
    memo: dict[int, int] = {}
    held = sets = number = 0
    with path.open("rb") as stream:
        argument: Any  # what it is follows from the name
        for number, (opcode, argument, _) in enumerate(genops(stream), 1):
            name = opcode.name
            if name in _SIMPLE:
                stack.append(_VALUE)
                continue
            if name in _KEPT:
                place = len(memo) if argument is None else argument
                # Written one after another: one far up would make a table up to there.
                if place > number:
                    raise pickle.UnpicklingError("its table of things has holes")
                if stack[-1] == _MARK:
                    raise ValueError("it keeps what is not there")
                memo[place] = stack[-1]
                continue
            if name in _AGAIN:
                stack.append(memo[argument])
                continue
            if name in _FIXED:
                taken, put = _FIXED[name]
                if taken:
                    if len(stack) < taken or _MARK in stack[-taken:]:
                        raise ValueError("it takes more than it has")
                    del stack[-taken:]
                stack.append(put)
            elif name in _TO_MARK:
                _behind_mark(stack, keys=name == "DICT", all_keys=name == "FROZENSET")
                stack.append(_TO_MARK[name])
            elif name == "SETITEMS":
                _behind_mark(stack, keys=True)
            elif name == "SETITEM":
                _refuse_keys(stack[-2:-1])
                del stack[-2:]
            elif name in ("APPENDS", "ADDITEMS"):
                _behind_mark(stack, all_keys=name == "ADDITEMS")
            elif name in ("POP", "APPEND", "BUILD"):  # what a thing is given does not make another of it
                stack.pop()
            elif name == "POP_MARK":
                _behind_mark(stack)
            elif name == "FRAME":
                if argument > length:
                    raise ValueError("a frame is longer than the file")
            elif name not in ("PROTO", "STOP"):
                raise pickle.UnpicklingError(f"it has a step {name}")
            held += name in _HELD
            sets += name in ("EMPTY_SET", "FROZENSET")
            if name in ("LONG1", "LONG4") and argument.bit_length() > 8 * LONGEST_INTEGER:
                raise pickle.UnpicklingError("it has a number of too many digits")
            if number > OPCODES or held > CONTAINERS or sets > SETS:
                raise pickle.UnpicklingError(f"it is made in more than {number - 1:,} steps")


def _behind_mark(stack: list[int], *, keys: bool = False, all_keys: bool = False) -> None:
    """Take all behind the last mark from the stack; every other one, or each, is a key."""
    at = len(stack) - 1
    while stack[at] != _MARK:  # an IndexError where there is none
        at -= 1
        if at < 0:
            raise IndexError("it goes back to where nothing began")
    behind = stack[at + 1 :]
    del stack[at:]
    _refuse_keys(behind[::2] if keys else behind if all_keys else ())


def _refuse_keys(kinds: list[int] | tuple[()]) -> None:
    if _TUPLE in kinds:
        raise pickle.UnpicklingError("it has keys that are made of parts")
