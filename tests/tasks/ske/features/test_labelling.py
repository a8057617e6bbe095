"""Labels and what decoding makes of them, against literal twins."""

from __future__ import annotations

from hypothesis import example, given
from hypothesis import strategies as st

from ietool.core.survey import OracleCounts
from ietool.tasks.ske.data.example import VALUE, Example, Triple
from ietool.tasks.ske.features.labelling import facts, label_rows, locate_names
from ietool.tasks.ske.heads.assembly import assemble
from ietool.tasks.ske.heads.stages.oracle import perfect_rows
from ietool.tasks.ske.prepare.oracle import AMBIGUOUS, APART, NOT_IN_TEXT, SLOTS, Oracle, Window

LABELS = [("主演", VALUE), ("饰演", VALUE), ("饰演", "inWork")]
NUMBER = {label: i for i, label in enumerate(LABELS)}

alphabet = st.sampled_from("京沪aA")
names = st.text(alphabet, min_size=1, max_size=3)
stated_lists = st.lists(st.tuples(names, st.integers(0, 2), names), unique=True, max_size=4)
row_lists = st.lists(
    st.tuples(st.integers(0, 8), st.integers(1, 4), st.integers(0, 2), st.integers(0, 8), st.integers(1, 4)).map(
        lambda r: (r[0], r[0] + r[1], r[2], r[3], r[3] + r[4])
    ),
    unique=True,
    max_size=8,
)


def twin(stated: list[tuple[str, int, str]], text: str) -> set[tuple[int, int, int, int, int]]:
    """Every occurrence of the two names, those inside a longer located name left out while others are left."""

    def places(name: str) -> list[tuple[int, int]]:
        every = [(i, i + len(name)) for i in range(len(text)) if text[i : i + len(name)] == name]
        low = [(i, i + len(name)) for i in range(len(text)) if text[i : i + len(name)].lower() == name.lower()]
        return every or low

    everything = {span for s, _, o in stated for name in (s, o) for span in places(name)}

    def free(name: str) -> list[tuple[int, int]]:
        mine = places(name)
        outside = [(a, b) for a, b in mine if not any(c <= a and b <= d and d - c > b - a for c, d in everything)]
        return outside or mine

    return {(*a, label, *b) for s, label, o in stated for a in free(s) for b in free(o)}


@example([("A", 0, "A"), ("A", 0, "a")], "A")
@given(stated_lists, st.text(alphabet, max_size=12))
def test_rows_are_those_of_the_twin(stated: list[tuple[str, int, str]], text: str) -> None:
    rows = label_rows(stated, text)
    assert set(rows) == twin(stated, text)
    assert len(rows) == len(set(rows))
    first = label_rows(stated, text, first_only=True)
    assert set(first) <= set(rows)
    for fact in stated:
        assert sum((text[r[0] : r[1]], r[2], text[r[3] : r[4]]) == fact for r in first) <= 1


def test_nested_name_keeps_its_only_place() -> None:
    assert locate_names(["北京", "京"], "北京") == {"北京": [(0, 2)], "京": [(1, 2)]}
    assert locate_names(["北京", "京"], "北京与京") == {"北京": [(0, 2)], "京": [(3, 4)]}
    assert locate_names(["沪"], "北京") == {}


def marks_twin(rows: list[tuple[int, int, int, int, int]]) -> set[tuple[int, int, int, int, int]]:
    """Decoding said literally: each start takes the nearest end, subjects first, then objects of each."""
    ends = {r[1] for r in rows}
    subjects = {(s, min(e for e in ends if e > s)) for s in {r[0] for r in rows}}
    found = set()
    for s, e in subjects:
        for label in range(len(LABELS)):
            mine = [r for r in rows if r[:3] == (s, e, label)]
            for o in {r[3] for r in mine}:
                found.add((s, e, label, o, min(r[4] for r in mine if r[4] > o)))
    return found


@given(st.lists(row_lists, max_size=4))
def test_perfect_rows(windows: list[list[tuple[int, int, int, int, int]]]) -> None:
    found = perfect_rows(windows, len(LABELS))
    assert [set(rows) for rows in found] == [marks_twin(rows) for rows in windows]


def oracle(text: str, *triples: Triple, window: tuple[int, int] | None = None) -> OracleCounts:
    counted = Oracle(LABELS, "duie2", perfect_rows)
    start, end = window or (0, len(text))
    example = Example(text, triples)
    rows = label_rows(facts(triples, NUMBER), text[start:end])
    counted.add([(example, [Window(start, rows)])])
    return counted.counts


def test_reasons_of_loss() -> None:
    film = Triple("城南旧梦", "主演", ((VALUE, "林一"),))
    assert oracle("《城南旧梦》由林一主演", film).recall == 1
    assert oracle("《城南旧梦》已经上映", film).lost == {NOT_IN_TEXT: 1}
    assert oracle("《城南旧梦》由林一主演", film, window=(0, 6)).lost == {APART: 1}
    crossing = [Triple("甲乙丙", "主演", ((VALUE, "林一"),)), Triple("乙丙丁", "主演", ((VALUE, "林一"),))]
    counted = oracle("甲乙丙丁由林一主演", *crossing)
    assert counted.lost == {AMBIGUOUS: 1} or counted.recall == 1
    nested = [Triple("甲乙丙丁", "主演", ((VALUE, "林一"),)), Triple("乙丙", "主演", ((VALUE, "林一"),))]
    assert oracle("甲乙丙丁由林一主演", *nested).lost == {AMBIGUOUS: 1}
    # One part named, the film of the other taken for it.
    roles = [Triple("林一", "饰演", ((VALUE, "阿平"), ("inWork", "旧梦"))), Triple("林一", "饰演", ((VALUE, "小舟"),))]
    assert oracle("林一在旧梦里演阿平，又演小舟", *roles).lost == {SLOTS: 1}


def test_case_is_no_loss() -> None:
    assert oracle("Old Dream由林一主演", Triple("old dream", "主演", ((VALUE, "林一"),))).recall == 1


def test_slots_go_to_the_nearest_object() -> None:
    text = "林一在《旧梦》中饰演阿平和小舟，在《远山》中饰演老周"
    triples = [
        Triple("林一", "饰演", ((VALUE, "阿平"), ("inWork", "旧梦"))),
        Triple("林一", "饰演", ((VALUE, "小舟"), ("inWork", "旧梦"))),
        Triple("林一", "饰演", ((VALUE, "老周"), ("inWork", "远山"))),
    ]
    rows = [(*row, 0.5) for row in label_rows(facts(triples, NUMBER), text)]
    found = assemble(text, rows, LABELS)
    assert {t.triple for t in found} == set(triples)
    for triple in found:
        assert triple.subject is not None and text[triple.subject.start : triple.subject.end] == "林一"
        assert all(text[span.start : span.end] == span.text for _, span in triple.slots)


def test_slot_without_object_is_dropped() -> None:
    assert assemble("林一旧梦", [(0, 2, 2, 2, 4, 0.9)], LABELS) == []
