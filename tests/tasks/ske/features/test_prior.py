"""The index of training facts against brute force, a text's own facts left out."""

from __future__ import annotations

import tempfile
from collections import Counter
from pathlib import Path

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from ietool.tasks.ske.features.prior import PriorBuilder, PriorIndex

alphabet = st.sampled_from('山水\n\\"a')
names = st.text(alphabet, min_size=1, max_size=3)
fact_sets = st.sets(st.tuples(names, st.integers(0, 3), names), max_size=4)
corpora = st.lists(fact_sets, max_size=5)

Fact = tuple[str, int, str]


def build(folder: Path, corpus: list[set[Fact]]) -> None:
    builder = PriorBuilder(folder)
    for facts in corpus:
        builder.add(facts)
    builder.write(folder)
    builder.close()


def brute(corpus: list[set[Fact]], text: str, own: set[Fact]) -> set[tuple[int, ...]]:
    counts = Counter(fact for facts in corpus for fact in facts)
    counts.subtract(own & set(counts))

    def places(name: str) -> list[tuple[int, int]]:
        return [(i, i + len(name)) for i in range(len(text)) if text.startswith(name, i)]

    return {(*a, label, *b) for (s, label, o), n in counts.items() if n > 0 for a in places(s) for b in places(o)}


@given(corpora, st.lists(st.text(alphabet, max_size=15), min_size=1, max_size=4), st.integers(0, 4))
def test_both_kinds_find_what_brute_force_finds(corpus: list[set[Fact]], texts: list[str], which: int) -> None:
    own = corpus[which] if which < len(corpus) else set()
    with tempfile.TemporaryDirectory() as name:
        build(Path(name), corpus)
        expected = [brute(corpus, text, own) for text in texts]
        for compact in (False, True):
            index = PriorIndex(Path(name), compact=compact)
            for found in ([index.find(text, own) for text in texts], index.find_all(texts, [own] * len(texts))):
                assert [set(map(tuple, rows.tolist())) for rows in found] == expected
                assert all(len(rows) == len(set(map(tuple, rows.tolist()))) for rows in found)


def test_fact_of_this_text_alone_is_no_feature(tmp_path: Path) -> None:
    fact = ("远山", 1, "林一")
    build(tmp_path, [{fact}, {("远山", 2, "林一")}, {("远山", 2, "林一")}])
    index = PriorIndex(tmp_path)
    assert sorted(r[2] for r in index.find("林一的《远山》", own={fact, ("远山", 2, "林一")}).tolist()) == [2]
    assert sorted(r[2] for r in index.find("林一的《远山》").tolist()) == [1, 2]


def test_subject_of_many_facts(tmp_path: Path) -> None:
    build(tmp_path, [{("山", i % 4, f"水{i}")} for i in range(100)])
    for compact in (False, True):
        found = PriorIndex(tmp_path, compact=compact).find("山与水42")
        assert {(r[2], r[3], r[4]) for r in found.tolist()} == {(0, 2, 4), (2, 2, 5)}


def test_builder_knows_facts(tmp_path: Path) -> None:
    builder = PriorBuilder(tmp_path)
    builder.add([("山", 0, "水")])
    assert builder.knows(("山", 0, "水")) and not builder.knows(("山", 1, "水"))
    assert builder.write(tmp_path) == 1
    builder.close()


def test_facts_by_label(tmp_path: Path) -> None:
    build(tmp_path, [{("山", 0, "水"), ("山", 2, "云")}, {("云", 2, "水")}])
    index = PriorIndex(tmp_path)
    drawn = {label: index.rows[rows][:, 1] for label, rows in index.by_label().items()}
    assert set(drawn) == {0, 2} and all(np.all(labels == label) for label, labels in drawn.items())
