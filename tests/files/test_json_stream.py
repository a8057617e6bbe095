"""Documents taken apart as they are read."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ietool.files import json_stream
from ietool.files.json_stream import Damage, JsonStream
from ietool.files.plain_json import load_json

VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**20), 10**20)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=6),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text('a字"\\', max_size=3), inner, max_size=4),
    max_leaves=12,
)


def pieces(text: str, cuts: list[int]) -> Iterator[str]:
    places = sorted({0, len(text), *(cut % (len(text) + 1) for cut in cuts)})
    return (text[a:b] for a, b in pairwise(places))


def walked(stream: JsonStream, levels: int) -> Any:
    """A value, walked through down to some levels."""
    begins = stream.peek()
    if levels and begins == "[":
        return [walked(stream, levels - 1) for _ in stream.items()]
    if levels and begins == "{":
        return {key: walked(stream, levels - 1) for key in stream.members()}
    return stream.value()


@settings(max_examples=150)
@given(VALUES, st.lists(st.integers(0, 10**6), max_size=12), st.booleans(), st.integers(0, 3), st.booleans())
def test_as_the_whole_text_is_read(value: Any, cuts: list[int], ascii_: bool, levels: int, broad: bool) -> None:
    text = " " + json.dumps(value, ensure_ascii=ascii_, indent=1 if broad else None) + "\n"
    stream = JsonStream(pieces(text, cuts))
    assert walked(stream, levels) == json.loads(text)
    stream.end()


@settings(max_examples=300)
@given(
    VALUES, st.lists(st.integers(0, 10**6), max_size=5), st.integers(0, 3), st.integers(0, 10**6), st.text(max_size=2)
)
def test_what_is_no_json_is_refused_as_by_the_library(
    value: Any, cuts: list[int], levels: int, at: int, put: str
) -> None:
    text = json.dumps(value, ensure_ascii=False)
    at %= len(text)
    text = text[:at] + put + text[at + 1 :]
    stream = JsonStream(pieces(text, cuts), repair=False)
    try:
        expected = load_json(text)  # the library's, but for numbers beyond all bounds
        json.dumps(expected, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        with pytest.raises(Damage):
            walked(stream, levels)
            stream.end()
    else:
        assert repr(walked(stream, levels)) == repr(expected)


@pytest.mark.parametrize(
    ("text", "said", "line"),
    [
        ('[{"a": 1},\n{"b": "x', "is cut off", 2),
        ("[1, 2", "is cut off", 1),
        ("[tru", "is cut off", 1),
        ("[1,,]", "is not JSON", 1),
        ("[1]\n\n]", "is not JSON (trailing garbage)", 3),
        ('["\\ud800"]', "has half of a surrogate pair", 1),
        ("[\n" + "9" * 5000 + "]", "has a number too long to read", 2),
        ("[" + "[" * 100_000, "is nested too deeply", 1),
        ("[" + "[" * 300 + "]" * 301, "is nested too deeply", 1),
        ('["' + "x" * 5000 + '"]', "has a value of more than", 1),
    ],
)
def test_what_is_wrong_and_where(text: str, said: str, line: int, monkeypatch: pytest.MonkeyPatch) -> None:
    if "more than" in said:
        monkeypatch.setattr(json_stream, "LONGEST_LINE", 1000)
    stream = JsonStream((text[at : at + 700] for at in range(0, len(text), 700)), repair=False)
    with pytest.raises(Damage) as caught:
        walked(stream, 1)
        stream.end()
    assert said in caught.value.what and caught.value.line == line


def test_two_hundred_levels_are_read() -> None:
    text = "[" * 200 + "]" * 200
    assert JsonStream([text]).value() == json.loads(text)
    with pytest.raises(Damage, match="nested"):
        JsonStream([f"[{text}]"]).value()
    flat = json.dumps([[[]] * 300, {"a": ["["] * 300}])
    assert JsonStream([flat]).value() == json.loads(flat)
