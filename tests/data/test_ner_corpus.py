"""The corpus of entities: made by its generator, sound, ambiguous as it claims, and not to be had by looking up."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter, defaultdict
from functools import cache
from pathlib import Path
from typing import Any

import pytest

DATA = Path(__file__).resolve().parents[2] / "data"
SPLITS = ["train", "dev", "test"]
TYPES = {"address", "book", "company", "game", "movie", "name", "organization", "position"}
TITLES = {"book", "game", "movie"}

Row = dict[str, Any]
Span = tuple[int, int, str]


@cache
def split(name: str) -> list[Row]:
    return [json.loads(line) for line in (DATA / "ner" / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()]


def spans(row: Row) -> list[Span]:
    """[start, end) and type."""
    found = [(a, b + 1, kind) for kind, names in row["label"].items() for places in names.values() for a, b in places]
    return sorted(found)


def mentions(name: str) -> list[tuple[str, str]]:
    """(name without title marks, type) of every entity."""
    return [(row["text"][a:b].strip("《》"), kind) for row in split(name) for a, b, kind in spans(row)]


@cache
def nested(name: str) -> list[tuple[Span, Span]]:
    """(inner, outer)."""
    return [
        (inner, outer)
        for row in split(name)
        for inner in spans(row)
        for outer in spans(row)
        if inner[:2] != outer[:2] and outer[0] <= inner[0] and inner[1] <= outer[1]
    ]


def f1(rows: list[Row], found: list[set[Span]]) -> float:
    right = sum(len(set(spans(row)) & theirs) for row, theirs in zip(rows, found, strict=True))
    return 2 * right / sum(len(spans(row)) + len(theirs) for row, theirs in zip(rows, found, strict=True))


def test_the_generator_writes_the_same_bytes(tmp_path: Path) -> None:
    subprocess.run([sys.executable, DATA / "ner" / "generate.py", tmp_path], check=True)
    assert sorted(path.name for path in (tmp_path / "ner").iterdir()) == sorted(f"{name}.jsonl" for name in SPLITS)
    for name in SPLITS:
        assert (tmp_path / "ner" / f"{name}.jsonl").read_bytes() == (DATA / "ner" / f"{name}.jsonl").read_bytes(), name


def test_the_generator_reads_no_file() -> None:
    """So no line of the corpus comes from elsewhere."""
    for path in (DATA / "ner").glob("*.py"):
        source = path.read_text(encoding="utf-8")
        assert not any(word in source for word in ("open(", "read_text", "read_bytes", "urllib", "http")), path.name


def test_size() -> None:
    assert {name: len(split(name)) for name in SPLITS} == {"train": 1500, "dev": 200, "test": 200}
    files = [path for path in (DATA / "ner").iterdir() if path.is_file()]
    assert sum(path.stat().st_size for path in files) < 600_000
    assert all(2_000 <= path.stat().st_size <= 15_000 for path in files if path.suffix == ".py")
    assert all(8 <= len(row["text"]) <= 70 for name in SPLITS for row in split(name))


@pytest.mark.parametrize("name", SPLITS)
def test_the_form_is_that_of_cluener_and_spans_hold_their_names(name: str) -> None:
    for row in split(name):
        assert list(row) == ["text", "label"]
        for kind, names in row["label"].items():
            assert kind in TYPES and names
            for entity, places in names.items():
                assert entity == entity.strip() and places
                assert all(row["text"][a : b + 1] == entity for a, b in places), row
        # Of a title marked so the marks are part, as in CLUENER; nothing crosses anything.
        found = spans(row)
        assert len({(a, b) for a, b, _ in found}) == len(found)
        for a, b, kind in found:
            if kind in TITLES:
                assert (row["text"][a] == "《") == (row["text"][b - 1] == "》"), row
                assert row["text"][a - 1 : a] != "《", row
            assert not any(a < c < b < d for c, d, _ in found), row


def test_no_text_is_there_twice() -> None:
    texts = [row["text"] for name in SPLITS for row in split(name)]
    assert len(set(texts)) == len(texts)


@pytest.mark.parametrize("name", SPLITS)
def test_texts_have_none_one_and_many_entities_of_all_types(name: str) -> None:
    counts = Counter(min(len(spans(row)), 4) for row in split(name))
    assert set(counts) == {0, 1, 2, 3, 4}
    assert 0.07 < counts[0] / len(split(name)) < 0.15 and counts[4] / len(split(name)) > 0.15
    kinds = Counter(kind for _, kind in mentions(name))
    assert set(kinds) == TYPES and min(kinds.values()) > 0.06 * kinds.total()
    lengths = Counter(len(entity) for entity, _ in mentions(name))
    assert max(lengths) >= 15 and lengths[2] > 0.2 * lengths.total()


@pytest.mark.parametrize("name", ["dev", "test"])
def test_most_names_are_new(name: str) -> None:
    known = {entity for entity, _ in mentions("train")}
    found = [entity for entity, kind in mentions(name) if kind != "position"]
    assert sum(entity not in known for entity in found) / len(found) > 0.8


@pytest.mark.parametrize("name", SPLITS)
def test_names_are_shared_by_types(name: str) -> None:
    kinds = defaultdict(set)
    for every in SPLITS:
        for entity, kind in mentions(every):
            kinds[entity].add(kind)
    shared = [entity for entity, _ in mentions(name) if len(kinds[entity]) > 1]
    assert 0.25 < len(shared) / len(mentions(name)) < 0.4
    # Also within a text: a film after the town it is about.
    assert sum(_twice(row) for row in split(name)) / len(split(name)) > 0.03
    told = {frozenset(pair) for entity in shared for pair in [kinds[entity]] if len(pair) == 2}
    assert {frozenset(pair) for pair in [("name", "company"), ("address", "organization"), ("movie", "book")]} <= told


def _twice(row: Row) -> bool:
    kinds = defaultdict(set)
    for a, b, kind in spans(row):
        kinds[row["text"][a:b].strip("《》")].add(kind)
    return any(len(theirs) > 1 for theirs in kinds.values())


def test_names_are_words_elsewhere() -> None:
    """A word that is somebody's name somewhere stands outside every entity, too."""
    for word in ("高峰", "白雪", "松鼠", "少年", "队长"):
        places = [
            any(a <= at < b for a, b, _ in spans(row))
            for row in split("train")
            for at in [row["text"].find(word)]
            if at >= 0
        ]
        assert set(places) == {True, False}, word


@pytest.mark.parametrize("name", SPLITS)
def test_a_few_entities_lie_in_others(name: str) -> None:
    assert 0.015 < len(nested(name)) / len(mentions(name)) < 0.05
    assert {(inner[2], outer[2]) for inner, outer in nested(name)} >= {("address", "organization")}
    assert {inner[2] for inner, _ in nested("train")} == {"address", "name"}


@pytest.mark.parametrize("name", SPLITS)
def test_titles_with_and_without_marks_and_marks_without_entity(name: str) -> None:
    marked = Counter[bool]()
    others = 0
    for row in split(name):
        found = [(a, b) for a, b, kind in spans(row) if kind in TITLES]
        marked.update(row["text"][a] == "《" for a, b in found)
        others += row["text"].count("《") - sum(row["text"][a] == "《" for a, _ in found)
    assert 0.7 < marked[True] / marked.total() < 0.9
    assert others >= 4


@pytest.mark.parametrize("name", SPLITS)
def test_latin_letters_digits_and_full_width(name: str) -> None:
    found = [entity for entity, _ in mentions(name)]
    assert sum(any(c.isascii() and c.isalpha() for c in entity) for entity in found) > 0.04 * len(found)
    assert any(any(c.isdigit() for c in entity) for entity in found)
    assert any(any("！" < c < "～" and c.isalnum() for c in entity) for entity in found)


def test_some_clauses_are_only_in_the_test_file() -> None:
    kept = ("拄着拐杖", "点映场里", "招股书", "终场哨", "补给", "散场后", "讨要货款", "塌方", "回档", "摄）", "客户端")
    told = {name: sum(any(phrase in row["text"] for phrase in kept) for row in split(name)) for name in SPLITS}
    assert told["train"] == told["dev"] == 0 and told["test"] >= 8, told


@pytest.mark.parametrize("name", ["dev", "test"])
def test_looking_up_the_names_of_train_finds_little(name: str) -> None:
    """The longest known name from the left, as what it mostly is in train; also with every other 《…》 as a book: 0.28
    and 0.33 on test, where the demos' models reach 0.86 and 0.87."""
    votes: dict[str, Counter[str]] = defaultdict(Counter)
    for row in split("train"):
        for a, b, kind in spans(row):
            votes[row["text"][a:b]][kind] += 1
    known = {entity: max(sorted(kinds), key=lambda kind: kinds[kind]) for entity, kinds in votes.items()}
    plain = [_look_up(row["text"], known, marks=False) for row in split(name)]
    marked = [_look_up(row["text"], known, marks=True) for row in split(name)]
    assert 0.15 < f1(split(name), plain) < 0.35
    assert 0.15 < f1(split(name), marked) < 0.4


def _look_up(text: str, known: dict[str, str], *, marks: bool) -> set[Span]:
    found, at, longest = set(), 0, max(map(len, known))
    while at < len(text):
        end = next((at + n for n in range(longest, 0, -1) if text[at : at + n] in known), at)
        kind = known.get(text[at:end], "")
        if not kind and marks and text[at] == "《" and "》" in text[at:]:
            end, kind = text.index("》", at) + 1, "book"
        if kind:
            found.add((at, end, kind))
        at = max(end, at + 1)
    return found
