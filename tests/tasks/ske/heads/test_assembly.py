"""From scored spans to triples: the invariants on random spans, and the cases that matter by hand."""

from __future__ import annotations

import time
from itertools import product
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from ietool.tasks.ske.heads.assembly import ExtractedTriple, SpanRow, assemble

LABELS = [
    ("票房", "@value"),
    ("票房", "inArea"),
    ("饰演", "@value"),
    ("饰演", "inWork"),
    ("饰演", "inRole"),
    ("父亲", "@value"),
]
TEXT = "甲乙甲丙ＡＢ乙丁a甲"


def spans(length: int) -> st.SearchStrategy[tuple[int, int]]:
    return st.integers(0, length - 1).flatmap(lambda a: st.tuples(st.just(a), st.integers(a + 1, min(length, a + 3))))


rows = st.builds(
    lambda s, label, o, p: (*s, label, *o, p),
    spans(len(TEXT)), st.integers(0, len(LABELS) - 1), spans(len(TEXT)), st.sampled_from([0.25, 0.5, 0.75, 1.0]),
)  # fmt: skip


def distance(filler: SpanRow, value: SpanRow) -> int:
    """As the docstring of ``assemble`` says it."""
    before = filler[3] < value[3]
    gap = value[3] - filler[4] if before else filler[3] - value[4]
    return max(gap, 0) * (1 if before else 3)


def literal(text: str, found: list[SpanRow]) -> set[tuple[object, ...]]:
    """(subject, predicate, value, the set of each slot's nearest fillers), one value and one slot at a time."""
    triples = set()
    for subject, (predicate, slot), value in {(text[r[0] : r[1]], LABELS[r[2]], text[r[3] : r[4]]) for r in found}:
        if slot != "@value":
            continue
        mine = [r for r in found if text[r[0] : r[1]] == subject and LABELS[r[2]][0] == predicate]
        at = [r for r in mine if LABELS[r[2]][1] == "@value" and text[r[3] : r[4]] == value]
        nearest = []
        for other in sorted({LABELS[r[2]][1] for r in mine} - {"@value"}):
            away = [
                (min(distance(r, v) for v in at), text[r[3] : r[4]]) for r in mine if LABELS[r[2]] == (predicate, other)
            ]
            nearest.append((other, frozenset(string for d, string in away if d == min(away)[0])))
        triples.add((subject, predicate, value, tuple(nearest)))
    return triples


@settings(deadline=None)
@given(st.lists(rows, max_size=14))
def test_invariants(found: list[SpanRow]) -> None:
    made = assemble(TEXT, found, LABELS)
    expected = literal(TEXT, found)
    assert len(made) == len({(t.triple.subject, t.triple.predicate, t.triple.object[0]) for t in made}) == len(expected)
    for t in made:
        subject, predicate, ((slot, value), *others) = t.triple.subject, t.triple.predicate, t.triple.object
        assert slot == "@value"
        fillers = next(e[3] for e in expected if e[:3] == (subject, predicate, value))
        assert [name for name, _ in others] == [name for name, _ in fillers]
        assert all(string in allowed for (_, string), (_, allowed) in zip(others, fillers, strict=True))
        # Spans are slices of the text, and the very strings of the triple.
        assert t.subject is not None
        assert TEXT[t.subject.start : t.subject.end] == t.subject.text == subject
        assert tuple((s, span.text) for s, span in t.slots) == t.triple.object
        assert all(TEXT[span.start : span.end] == span.text for _, span in t.slots)
        # The probability is that of the best occurrence, which is the one that is shown.
        value_span = dict(t.slots)["@value"]
        same = [
            r for r in found
            if TEXT[r[0] : r[1]] == subject and LABELS[r[2]] == (predicate, "@value") and TEXT[r[3] : r[4]] == value
        ]  # fmt: skip
        assert t.probability == max(r[5] for r in same)
        shown = (t.subject.start, t.subject.end, value_span.start, value_span.end, t.probability)
        assert shown in {(r[0], r[1], r[3], r[4], r[5]) for r in same}


def strings(made: list[ExtractedTriple]) -> list[tuple[object, ...]]:
    return sorted((t.triple.subject, t.triple.predicate, *(f"{s}={v}" for s, v in t.triple.object)) for t in made)


def at(text: str, name: str, nth: int = 0) -> tuple[int, int]:
    start = -1
    for _ in range(nth + 1):
        start = text.index(name, start + 1)
    return start, start + len(name)


@given(st.lists(rows, max_size=14), st.randoms(use_true_random=False))
def test_the_order_of_rows_does_not_matter(found: list[SpanRow], random: Random) -> None:
    """Windows come in batches with those of other texts, in the order of their lengths."""
    shuffled = random.sample(found, len(found))
    assert assemble(TEXT, shuffled, LABELS) == assemble(TEXT, found, LABELS)


def test_each_value_takes_its_nearest_filler() -> None:
    text = "《山》中国票房3亿，北美票房2亿"
    s = at(text, "山")
    found = [
        (*s, label, *at(text, name), 0.9)
        for label, name in ((0, "3亿"), (0, "2亿"), (1, "中国"), (1, "北美"))
    ]  # fmt: skip
    assert strings(assemble(text, found, LABELS)) == [
        ("山", "票房", "@value=2亿", "inArea=北美"),
        ("山", "票房", "@value=3亿", "inArea=中国"),
    ]


def test_one_filler_serves_two_values_and_slots_are_ordered() -> None:
    text = "林一在《山》里饰演甲和乙，角色丙"
    s = at(text, "林一")
    found = [
        (*s, 4, *at(text, "丙"), 0.6), (*s, 3, *at(text, "山"), 0.7),
        (*s, 2, *at(text, "甲"), 0.8), (*s, 2, *at(text, "乙"), 0.9),
    ]  # fmt: skip
    assert strings(assemble(text, found, LABELS)) == [
        ("林一", "饰演", "@value=乙", "inRole=丙", "inWork=山"),
        ("林一", "饰演", "@value=甲", "inRole=丙", "inWork=山"),
    ]


def test_the_same_object_string_at_two_places_is_one_triple() -> None:
    text = "林一的父亲林大，林大"
    s = at(text, "林一")
    (made,) = assemble(text, [(*s, 5, *at(text, "林大"), 0.6), (*s, 5, *at(text, "林大", 1), 0.8)], LABELS)
    assert made.probability == 0.8
    assert made.slots[0][1].start == 8


def test_the_same_subject_string_at_two_places_is_one_subject() -> None:
    text = "山，山的票房3亿，中国"
    found = [(*at(text, "山"), 1, *at(text, "中国"), 0.7), (*at(text, "山", 1), 0, *at(text, "3亿"), 0.6)]
    assert strings(assemble(text, found, LABELS)) == [("山", "票房", "@value=3亿", "inArea=中国")]


def test_a_slot_without_value_is_dropped() -> None:
    text = "山在中国"
    assert assemble(text, [(0, 1, 1, 2, 4, 0.99)], LABELS) == []
    # Also where another predicate of the same subject has a value.
    assert strings(assemble(text, [(0, 1, 1, 2, 4, 0.99), (0, 1, 5, 2, 4, 0.9)], LABELS)) == [
        ("山", "父亲", "@value=中国")
    ]


def test_case_and_width_are_kept() -> None:
    text = "Ａb的父亲aＢ"
    assert strings(assemble(text, [(0, 2, 5, 5, 7, 0.9)], LABELS)) == [("Ａb", "父亲", "@value=aＢ")]


def test_nothing_from_nothing() -> None:
    assert assemble("", [], LABELS) == assemble("山", [], LABELS) == []


def test_a_text_that_repeats_itself_takes_no_quadratic_time() -> None:
    unit = "山中3"
    text = unit * 33_000
    found = [
        (3 * window, 3 * window + 1, label, 3 * (window + i) + where, 3 * (window + i) + where + 1, 0.5)
        for window, i, (label, where) in product(range(0, 30_000, 4), range(4), ((0, 2), (1, 1)))
    ]
    began = time.process_time()
    assert strings(assemble(text, found, LABELS)) == [("山", "票房", "@value=3", "inArea=中")]
    assert time.process_time() - began < 10
