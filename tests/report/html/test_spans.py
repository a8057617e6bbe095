"""Marked texts: every character once and as it is, every mark where it stands."""

from __future__ import annotations

import re
from html import unescape

from hypothesis import given
from hypothesis import strategies as st

from ietool.report.html.spans import VERDICTS, Mark, marked, segments, shown

TEXTS = st.text(max_size=12)
PLACES = st.integers(-2, 14)
MARKS = st.lists(st.builds(Mark, st.text(max_size=3), PLACES, PLACES, st.sampled_from([*VERDICTS])), max_size=5)


@given(TEXTS, MARKS, MARKS)
def test_pieces_are_the_text_and_each_character_has_the_marks_that_cover_it(
    text: str, gold: list[Mark], predicted: list[Mark]
) -> None:
    pieces = segments(text, (gold, predicted))
    assert "".join(piece.text for piece in pieces) == text
    for side, marks in enumerate((gold, predicted)):
        covering = [n for piece in pieces for _ in piece.text for n in [piece.marks[side]]]
        literal = [tuple(n for n, m in enumerate(marks) if m.start <= at < m.end) for at in range(len(text))]
        assert covering == literal


@given(TEXTS, MARKS, MARKS)
def test_html_says_the_text_and_no_more(text: str, gold: list[Mark], predicted: list[Mark]) -> None:
    html = str(marked(text, gold, predicted))
    # Values of attributes hold no bracket, as they are escaped: what is between brackets is a tag of ours.
    assert set(re.findall(r"</?(\w+)", html)) <= {"bdi", "span"}
    assert unescape(re.sub(r"<[^>]*>", "", html)) == shown(text)


@given(st.text())
def test_shown_texts_are_as_long_and_hold_nothing_hidden(text: str) -> None:
    seen = shown(text)
    assert len(seen) == len(text)
    assert all(char.isprintable() or char == "\n" or char.isspace() for char in seen)
    assert not set(seen) & set("\x1b\x00\u200e\u200f\u202a\u202b\u202d\u202e\u2066\u2067\u2068\u2069\u061c\ufeff")
    assert all(a == b for a, b in zip(seen, text, strict=True) if b.isprintable())


def test_gold_is_above_and_predicted_below_with_labels_where_they_begin() -> None:
    gold = [Mark("人", 0, 3, "missed"), Mark("姓", 0, 1, "right")]
    html = str(marked("王小明来了", gold, [Mark("人", 1, 3, "spurious")]))
    assert html == (
        '<bdi class="text">'
        '<span class="seg g-missed g2" data-g="人 · 姓">王</span>'
        '<span class="seg g-missed g1 p-wrong p1" data-p="人">小明</span>来了</bdi>'
    )
