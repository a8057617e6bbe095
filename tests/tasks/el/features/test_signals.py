"""What is known of a match against a naive loop, and that leaving a part of train out leaves all of it out."""

from __future__ import annotations

import math
from collections import Counter
from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from ietool.tasks.el.features.annotations import Annotations, Folds, Found, Habit, sides, text_habits, text_sides
from ietool.tasks.el.features.signals import SIGNALS, Known, match_signals
from ietool.tasks.el.features.traits import TRAITS, Traits
from ietool.text.characters import fold

NAMES = ("云", "云朵", "朵之", "云朵之歌", "歌", "ab", "b", "《云")
TEXTS = st.lists(
    st.sampled_from(["云", "朵", "之", "歌", "a", "B", "《", "》", "云朵之歌", "《云朵》"]), max_size=9
).map("".join)
NAMED = st.tuples(*[st.integers(-2, 2)] * TRAITS).map(lambda numbers: Traits(1, 2, numbers))
HABITS = st.tuples(*[st.integers(0, 9)] * 4, st.integers(0, 5)).map(lambda n: Habit(*n[:4], Counter({"7": n[4]})))


def find(text: str, names: tuple[str, ...] = NAMES) -> list[tuple[int, int, int]]:
    """Every occurrence, place by place."""
    text = fold(text)
    return [
        (a, a + len(name), number)
        for a in range(len(text))
        for number, name in enumerate(names)
        if text[a : a + len(name)] == name
    ]


def walk(matches: list[tuple[int, int, int]]) -> list[tuple[int, int, int]]:
    """Maximum matching, character by character."""
    found, at = [], 0
    while at < 99:
        here = [m for m in matches if m[0] == at]
        if here:
            found.append(max(here, key=lambda m: m[1]))
            at = found[-1][1]
        else:
            at += 1
    return found


def beside(text: str, a: int, b: int) -> list[str]:
    """What stands one and two characters before, one and two behind."""
    padded = ["", "", *text, "", ""]
    before, behind = padded[a : a + 2], padded[b + 2 : b + 4]
    return ["<" + before[1], "<<" + "".join(before), ">" + behind[0], ">>" + "".join(behind)]


def naive(
    text: str,
    words: list[tuple[int, int]],
    every: list[tuple[int, int, int]],
    known: list[Known],
    counts: dict[str, tuple[int, int]],
) -> list[list[float]]:
    """The columns one match and one number at a time."""

    def share(k: Known) -> float:
        return (k.habit.hits + 0.5) / (k.habit.hits + k.habit.misses + 1)

    rows = []
    mine = [k.match for k in known]
    for k in known:
        a, b, _ = k.match
        name, h = text[a:b], k.habit
        row = [math.log(1 + n) for n in (h.yes, h.no, h.hits, h.misses)]
        row += [math.log((h.yes + 0.5) / (h.no + 0.5)), math.log((h.hits + 0.5) / (h.misses + 0.5))]
        row += [float(k.match in walk(mine)), float(k.match in walk(every))]
        row += [float(any(w[0] == a for w in words)), float(any(w[1] == b for w in words)), float((a, b) in words)]
        row += [math.log(b - a), float(all(ord(c) < 128 for c in name))]
        row += [float(a > 0 and text[a - 1] == "《" and b < len(text) and text[b] == "》")]
        row += [math.log(1 + a), math.log(1 + len(text) - b)]
        row += [math.log(text.count(name)), float(name not in text[: a + len(name) - 1])]
        others = [o for o in known if o is not k]
        crossing = [o for o in others if set(range(a, b)) & set(range(*o.match[:2]))]
        covering = [o for o in others if o.match[0] <= a and b <= o.match[1]]
        inside = [o for o in others if a <= o.match[0] and o.match[1] <= b]
        apart = [o for o in others if o not in crossing]
        row += [max((share(o) for o in kind), default=0.0) for kind in (crossing, covering, inside)]
        row += [sum(share(o) for o in apart) / len(apart) if apart else 0.0, math.log(1 + len(apart))]
        row += [math.log(k.candidates), math.log(1 + k.popularity), h.links.total() / (h.hits + 1)]
        for key in beside(text, a, b):
            hits, misses = counts.get(key, (0, 0))
            row += [math.log((hits + 1) / (misses + 1)), math.log(1 + hits + misses)]
        row += k.traits.numbers
        rows.append(row)
    return rows


@given(st.data(), TEXTS)
@examples(max_examples=80)
def test_each_column_is_what_a_loop_gives(data: st.DataObject, text: str) -> None:
    folded = fold(text)
    cuts = sorted({0, len(text), *data.draw(st.sets(st.integers(0, len(text))), "cuts")})
    words = list(pairwise(cuts))
    every = find(text)
    dropped = data.draw(st.sets(st.sampled_from(range(len(NAMES)))), "dropped")
    habits = {number: data.draw(HABITS) for number in sorted({m[2] for m in every} - dropped)}
    known = [
        Known(m, habits[m[2]], data.draw(st.integers(1, 40)), data.draw(st.integers(0, 40)), data.draw(NAMED))
        for m in every
        if m[2] not in dropped
    ]
    annotations, counts = Annotations(), {}
    for key in sorted({key for k in known for key in beside(folded, *k.match[:2])}):
        counts[key] = data.draw(st.tuples(st.integers(0, 9), st.integers(0, 9)))
        annotations.add({}, {(key, True): counts[key][0], (key, False): counts[key][1]})
    found = match_signals(folded, words, every, known, annotations)
    assert found.shape == (len(known), SIGNALS) and found.dtype == np.float32
    expected = np.array(naive(folded, words, every, known, counts), np.float32).reshape(-1, SIGNALS)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


@given(TEXTS, st.data())
def test_sides_are_the_neighbours(text: str, data: st.DataObject) -> None:
    a = data.draw(st.integers(0, len(text)))
    b = data.draw(st.integers(a, len(text)))
    assert list(sides(text, a, b)) == beside(text, a, b)


@st.composite
def annotated(draw: st.DrawFn) -> tuple[str, dict[tuple[int, int], str]]:
    """A text with some of its matches annotated, and a span that is no match now and then."""
    text = draw(TEXTS)
    gold = {}
    for a, b, _ in find(text):
        if draw(st.booleans()):
            gold[a, b] = draw(st.sampled_from(["7", "8", ""]))
    if text and draw(st.booleans()):
        gold[0, len(text)] = "9"
    return text, gold


CORPORA = st.lists(annotated(), min_size=1, max_size=8)


def named(text: str) -> list[Found]:
    return [(a, b, NAMES[number]) for a, b, number in find(text)]


def counted(corpus: list[tuple[str, dict[tuple[int, int], str]]]) -> Annotations:
    found = Annotations()
    for text, gold in corpus:
        found.add(text_habits(named(text), gold), text_sides(fold(text), named(text), gold))
    return found


def known_of(text: str, annotations: Annotations, without: Annotations | None = None) -> list[Known]:
    known = []
    for match in find(text):
        name = NAMES[match[2]]
        habit = annotations.get(name)
        if without is not None:
            habit = habit.minus(without.get(name))
        popularity = max(annotations.entities[i] - (without.entities[i] if without else 0) for i in ("7", "8"))
        known.append(Known(match, habit, 2, popularity, Traits(1, 2, (0.0,) * TRAITS)))
    return known


@given(CORPORA, TEXTS)
@examples(max_examples=60)
def test_what_is_left_out_is_as_if_it_had_never_been(
    corpus: list[tuple[str, dict[tuple[int, int], str]]], unseen: str
) -> None:
    folds = Folds(3)
    for text, gold in corpus:
        folds.add(text, named(text), gold)
    for text in [*dict.fromkeys(text for text, _ in corpus), unseen]:
        part = folds.part(text)
        others = counted([entry for entry in corpus if folds.part(entry[0]) != part])
        without = folds.parts[part]
        told = known_of(text, folds.total, without)
        expected = known_of(text, others)
        assert [(k.habit, k.popularity) for k in told] == [(k.habit, k.popularity) for k in expected]
        args = fold(text), [(0, len(text))], find(text)
        found = match_signals(*args, told, folds.total, without)
        np.testing.assert_array_equal(found, match_signals(*args, expected, others))


@given(CORPORA)
@examples(max_examples=60)
def test_the_parts_sum_to_the_whole(corpus: list[tuple[str, dict[tuple[int, int], str]]]) -> None:
    folds = Folds(4)
    for text, gold in corpus:
        folds.add(text, named(text), gold)
    whole = counted(corpus)
    assert dict(folds.total) == dict(whole) and +folds.total.entities == +whole.entities
    names = {name for part in folds.parts for name, _ in part}
    assert names == {name for name, _ in whole}
    for name in names:
        rest = whole.get(name)
        for part in folds.parts:
            rest = rest.minus(part.get(name))
        assert rest == Habit()
    keys = {key for text, _ in corpus for a, b, _ in find(text) for key in beside(fold(text), a, b)}
    for key in keys:
        sums = [sum(column) for column in zip(*(part.beside(key) for part in folds.parts), strict=True)]
        assert whole.beside(key) == tuple(sums)
        assert sum(sums) == sum(beside(fold(text), a, b).count(key) for text, _ in corpus for a, b, _ in find(text))


def test_nothing_known_gives_no_row() -> None:
    assert match_signals("云朵", [(0, 2)], find("云朵"), [], Annotations()).shape == (0, SIGNALS)
