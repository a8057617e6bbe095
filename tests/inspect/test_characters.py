"""Characters that trouble tokenizers, and what NFKC changes: against a count that looks at every character."""

from __future__ import annotations

import unicodedata
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ietool.inspect.characters import (
    BLANK,
    BREAK,
    CONTROL,
    HIDDEN,
    LOST,
    PRIVATE,
    SURROGATE,
    UNASSIGNED,
    WHY,
    CharacterSurvey,
    class_of,
    name_of,
)

ODD = "a中，。 \t\n\x00\x7f\ue000\ud800\u200b\u202e\u3000\xa0\ufffd\u0378①ﬁ％e\u0301"
TEXTS = st.lists(st.text(st.sampled_from(ODD), max_size=8))


@pytest.mark.parametrize(
    ("char", "kind"),
    [
        *[(char, CONTROL) for char in "\x00\x08\x1a\x7f\x9f"],
        *[(char, BREAK) for char in "\t\n\r\x85\u2028\u2029"],
        *[(char, PRIVATE) for char in "\ue000\U000f0000"],
        *[(char, SURROGATE) for char in "\ud800\udfff"],
        *[(char, HIDDEN) for char in "\u200b\u200d\u2060\ufeff\xad\u202e\ufe0f"],
        *[(char, BLANK) for char in "\u3000\xa0\u2003"],
        ("\ufffd", LOST),
        ("\u0378", UNASSIGNED),
        *[(char, "") for char in " a中，《①é😀\u0301"],
    ],
)
def test_each_character_is_of_one_class(char: str, kind: str) -> None:
    assert class_of(char) == kind
    assert not kind or kind in WHY


def test_a_character_is_told_by_its_number_and_name() -> None:
    assert name_of("\u3000") == "U+3000 IDEOGRAPHIC SPACE"
    assert name_of("\x1a") == "U+001A"


@given(TEXTS)
def test_counts_are_those_of_a_look_at_every_character(texts: list[str]) -> None:
    found = CharacterSurvey()
    for number, text in enumerate(texts, 1):
        found.add(text, f"line {number}")
    for kind in WHY:
        having = [n for n, text in enumerate(texts, 1) if any(class_of(c) == kind for c in text)]
        counts = Counter(c for text in texts for c in text if class_of(c) == kind)
        assert (kind in found.trouble) == bool(having)
        if having:
            trouble = found.trouble[kind]
            assert (trouble.texts, trouble.first) == (len(having), f"line {having[0]}")
            assert trouble.characters == counts
    normal = [unicodedata.normalize("NFKC", text) for text in texts]
    assert found.texts == len(texts)
    assert found.changed == sum(n != t for n, t in zip(normal, texts, strict=True))
    assert found.moved == sum(len(n) != len(t) for n, t in zip(normal, texts, strict=True))
    assert found.changing == Counter(c for t in texts for c in t if unicodedata.normalize("NFKC", c) != c)
