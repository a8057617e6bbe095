"""Answers held against what is asked: nothing but each once, in order, is without a fault."""

from __future__ import annotations

import tempfile
from collections import Counter
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from ietool.core.answers import Answers
from ietool.core.checking import Check, Place
from ietool.errors import UserError

FEW = st.lists(st.sampled_from("甲乙丙丁"), min_size=1, max_size=6)


def faults(asked: list[str], answered: list[str | None], *, any_order: bool = False) -> tuple[list[str], list[object]]:
    """What is told, and the content that each answer gets; None is a record that cannot be read."""
    told: list[UserError] = []
    with tempfile.TemporaryDirectory() as scratch:
        check = Check("c", Path("in"), Path("out"), told.append, Path(scratch), any_order)
        answers = Answers(check)
        for number, text in enumerate(asked, 1):
            answers.ask({"text": text}, Place("in", number), f"{text}{number}")
        got: list[object] = []
        for number, answer in enumerate(answered, 1):
            if answer is None:
                answers.reject(UserError("is bad", file="out", line=number), "")
            else:
                got.append(answers.answer({"text": answer}, Place("out", number)))
        answers.finish()
        answers.close()
    return [str(fault) for fault in told], got


@settings(max_examples=60, deadline=None)
@given(FEW, FEW)
def test_only_the_same_in_the_same_order_is_right(asked: list[str], answered: list[str]) -> None:
    told, got = faults(asked, list(answered))
    assert (not told) == (asked == answered)
    told_free, _ = faults(asked, list(answered), any_order=True)
    assert (not told_free) == (Counter(asked) == Counter(answered))
    # Each answer has the content of a text of its own that is the same.
    found = [one for one in got if one is not None]
    assert len(set(found)) == len(found) == (Counter(asked) & Counter(answered)).total()
    assert all(one is None or str(one)[0] == text for one, text in zip(got, answered, strict=True))


@settings(max_examples=30, deadline=None)
@given(st.lists(st.sampled_from("甲乙丙丁"), min_size=2, max_size=4, unique=True), st.data())
def test_one_change_is_one_fault(asked: list[str], data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(asked) - 1))
    changes = {
        "again": [*asked[:at], asked[at], *asked[at:]],
        "is not answered": [*asked[:at], *asked[at + 1 :]],
        "is not in in": [*asked[:at], "戊", *asked[at:]],
        "stands in in": [*asked[:at], "戊", *asked[at + 1 :]],
        "is bad": [*asked[:at], None, *asked[at + 1 :]],
    }
    for message, answered in changes.items():
        told, _ = faults(asked, answered)
        assert len(told) == 1 and message in told[0], (message, told)
