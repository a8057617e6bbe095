"""Tags and entities, scheme by scheme: held to seqeval, and there and back."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import seqeval.scheme
from hypothesis import given, settings
from hypothesis import strategies as st
from seqeval.scheme import Entities

from ietool.errors import UserError
from ietool.tasks.ner.data.schemes import SCHEMES, Scheme, SchemeFinder, split_tag
from ietool.tasks.ner.heads.crf.tagset import TagSet

TYPES = ("人物", "地-名")
schemes = st.sampled_from(sorted(SCHEMES.values(), key=lambda scheme: scheme.name))


@st.composite
def flat_spans(draw: st.DrawFn) -> tuple[list[tuple[int, int, str]], int]:
    """Some spans that do not overlap, and the length of their sentence."""
    found, at = [], 0
    for gap, size, kind in draw(
        st.lists(st.tuples(st.integers(0, 2), st.integers(1, 4), st.sampled_from(TYPES)), max_size=6)
    ):
        found.append((at + gap, at + gap + size, kind))
        at += gap + size
    return found, at + draw(st.integers(0, 2))


@settings(max_examples=200)
@given(schemes, flat_spans())
def test_there_and_back(scheme: Scheme, made: tuple[list[tuple[int, int, str]], int]) -> None:
    spans, length = made
    tags = [split_tag(tag) for tag in scheme.tags(spans, length)]
    assert {letter for letter, _ in tags} <= {*scheme.letters, "O"}
    assert scheme.spans([(scheme.plain(letter), kind) for letter, kind in tags]) == (spans, 0)


def test_as_they_are_written() -> None:
    spans = [(0, 1, "甲"), (1, 4, "甲"), (5, 7, "乙")]
    written = {name: " ".join(scheme.tags(spans, 8)) for name, scheme in SCHEMES.items()}
    assert written == {
        "bio": "B-甲 B-甲 I-甲 I-甲 O B-乙 I-乙 O",
        "bios": "S-甲 B-甲 I-甲 I-甲 O B-乙 I-乙 O",
        "iob1": "I-甲 B-甲 I-甲 I-甲 O I-乙 I-乙 O",
        "bioes": "S-甲 B-甲 I-甲 E-甲 O B-乙 E-乙 O",
        "bmes": "S-甲 B-甲 M-甲 E-甲 O B-乙 E-乙 O",
        "bilou": "U-甲 B-甲 I-甲 L-甲 O B-乙 L-乙 O",
        "bmew": "W-甲 B-甲 M-甲 E-甲 O B-乙 E-乙 O",
    }


@settings(max_examples=200)
@given(schemes, st.data())
def test_any_tags_are_read_as_seqeval_reads_them(scheme: Scheme, data: st.DataObject) -> None:
    """In strict mode, those that break the scheme included."""
    letters = sorted({scheme.plain(letter) for letter in scheme.letters})
    tags = data.draw(
        st.lists(
            st.just(("O", "")) | st.tuples(st.sampled_from(letters), st.sampled_from(["甲", "乙"])),
            min_size=1,
            max_size=12,
        )
    )
    written = [letter if letter == "O" else f"{letter}-{kind}" for letter, kind in tags]
    entities = Entities([written], getattr(seqeval.scheme, scheme.structure)).entities[0]
    wanted = [(e.start, e.end, e.tag) for e in entities]
    spans, broken = scheme.spans(tags)
    assert spans == wanted
    assert broken == sum(tag != "O" for tag in written) - sum(end - start for start, end, _ in wanted)


@pytest.mark.parametrize(
    ("tags", "name"),
    [
        ("O O O", "bio"),
        ("B-甲 I-甲 O B-乙", "bio"),
        ("I-甲 I-甲 O I-乙", "iob1"),
        ("I-甲 B-甲 I-甲 O", "iob1"),
        ("I-甲 O B-甲 I-甲", "bio"),  # I- behind O is a slip where entities elsewhere begin with B-
        ("B-甲 I-甲 I-乙", "bio"),
        ("B-甲 I-甲 E-甲 S-乙", "bioes"),
        ("B-甲 M-甲 E-甲 S-乙", "bmes"),
        ("B-甲 M-甲 E-甲", "bmes"),
        ("B-甲 M-甲 E-甲 O O", "bmes"),  # what is called BMEO
        ("B-甲 E-甲", "bmes"),
        ("B-甲 I-甲 L-甲 U-乙", "bilou"),
        ("B-甲 M-甲 E-甲 W-乙", "bmew"),
        ("S-甲", "bmes"),
        ("B-甲 I-甲 O S-乙", "bios"),  # without any E-
        ("S-甲 O I-乙", "bioes"),
    ],
)
def test_schemes_are_recognised(tags: str, name: str) -> None:
    finder = SchemeFinder()
    finder.add([split_tag(tag) for tag in tags.split()])
    assert finder.find().name == name


def test_letters_of_several_schemes_are_refused() -> None:
    finder = SchemeFinder()
    finder.add([split_tag(tag) for tag in ("B-甲", "M-甲", "L-甲")])
    with pytest.raises(UserError, match=r"several schemes: the letters B, L, M → write all tags in one scheme"):
        finder.find()


@pytest.mark.parametrize("tag", ["", "PER", "B", "B-", "-PER", "b-PER", "X-PER", "o", "O-PER", "B_PER", "0"])
def test_what_is_no_tag(tag: str) -> None:
    with pytest.raises(ValueError, match="is no tag: O, or one of B I M E L S U W, a dash and a type"):
        split_tag(tag)


# -- the tags of the model


@settings(max_examples=100)
@given(st.sampled_from(["bio", "bioes"]), flat_spans())
def test_numbers_there_and_back(scheme: str, made: tuple[list[tuple[int, int, str]], int]) -> None:
    spans, length = made
    rows = [(a, b, TYPES.index(kind)) for a, b, kind in spans]
    tags = TagSet(2, scheme)
    path = tags.encode(rows, length).tolist()
    assert tags.decode(path) == rows
    begin, follow, finish = tags.allowed()
    if path:
        assert begin[path[0]] and finish[path[-1]] and all(follow[a, b] for a, b in itertools.pairwise(path))


@pytest.mark.parametrize("scheme", ["bio", "bioes"])
def test_allowed_is_what_some_entities_state(scheme: str) -> None:
    """Of all sequences of four tags, those that come of entities and no others are allowed."""
    tags = TagSet(2, scheme)
    begin, follow, finish = tags.allowed()
    count = 0
    for path in itertools.product(range(len(tags)), repeat=4):
        allowed = begin[path[0]] and finish[path[-1]] and all(follow[a, b] for a, b in itertools.pairwise(path))
        states = False
        rows = tags.decode(path) if allowed else []
        if allowed:
            states = tags.encode(rows, 4).tolist() == list(path)
            assert states
        else:
            # Not even by chance: whatever is read from it is written otherwise.
            assert np.any(tags.encode(tags.decode(path), 4) != np.array(path))
        count += states
    assert count > 50
