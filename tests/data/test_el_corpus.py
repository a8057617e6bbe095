"""The entity-linking corpora: made by their generator, sound, and ambiguous as they claim to be."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from collections import Counter, defaultdict
from functools import cache
from pathlib import Path
from typing import Any

import pytest

DATA = Path(__file__).resolve().parents[2] / "data"
FILES = [f"el/{name}" for name in ("kb_data", "train.jsonl", "dev.jsonl", "test.jsonl")]
FILES += [f"el2020/{name}.json" for name in ("kb", "train", "dev", "test")]

Row = dict[str, Any]
Link = tuple[str, int, str, str]  # text, offset, name (folded), id


@cache
def read(name: str) -> list[Row]:
    return [json.loads(line) for line in (DATA / name).read_text(encoding="utf-8").splitlines()]


def split(name: str) -> list[Row]:
    return read(f"el/{name}.jsonl")


def key(name: str) -> str:
    name = name.lower()
    return name[1:-1] if name.startswith("《") and name.endswith("》") else name


@cache
def candidates() -> dict[str, list[str]]:
    """Folded name → ids in KB order."""
    found: dict[str, list[str]] = defaultdict(list)
    for entity in read("el/kb_data"):
        for name in dict.fromkeys(map(key, [entity["subject"], *entity["alias"]])):
            found[name].append(entity["subject_id"])
    return dict(found)


def links(name: str) -> list[Link]:
    return [
        (row["text"], int(mention["offset"]), key(mention["mention"]), mention["kb_id"])
        for row in split(name)
        for mention in row["mention_data"]
        if mention["kb_id"] != "NIL"
    ]


def ambiguous(name: str) -> list[Link]:
    return [link for link in links(name) if len(candidates().get(link[2], [])) > 1 and link[3] in candidates()[link[2]]]


def longest(text: str) -> set[tuple[int, str]]:
    """Maximum matching with the names of the KB, from the left."""
    names, text, at, found = candidates(), text.lower(), 0, set()
    longest_name = max(map(len, names))
    while at < len(text):
        name = next((text[at : at + n] for n in range(longest_name, 0, -1) if text[at : at + n] in names), None)
        if name is not None:
            found.add((at, name))
        at += len(name) if name else 1
    return found


def test_the_generator_writes_the_same_bytes(tmp_path: Path) -> None:
    subprocess.run([sys.executable, DATA / "el" / "generate.py", tmp_path], check=True)
    for name in FILES:
        assert (tmp_path / name).read_bytes() == (DATA / name).read_bytes(), name


def test_size() -> None:
    assert {name: len(split(name)) for name in ("train", "dev", "test")} == {"train": 1100, "dev": 200, "test": 200}
    assert [len(read(f"el2020/{name}.json")) for name in ("train", "dev", "test")] == [60, 20, 20]
    assert 280 <= len(read("el/kb_data")) <= 360
    assert sum((DATA / name).stat().st_size for name in FILES) < 1_000_000
    assert all(10 <= len(row["text"]) <= 45 for name in ("train", "dev", "test") for row in split(name))


def test_entities_are_described_in_full() -> None:
    entities = read("el/kb_data")
    assert len({entity["subject_id"] for entity in entities}) == len(entities)
    for entity in entities:
        assert all(fact["predicate"] and fact["object"] for fact in entity["data"])
        predicates = [fact["predicate"] for fact in entity["data"]]
        assert predicates[0] == "摘要" and predicates[-1] == "义项描述"
        assert 60 <= len(entity["data"][0]["object"]) <= 200, entity
        assert 5 <= len(predicates) - 2 <= 12, entity
        assert len(set(map(key, entity["alias"]))) == len(entity["alias"]) or "《" in "".join(entity["alias"])


@pytest.mark.parametrize("folder", ["el", "el2020"])
def test_mentions_stand_where_they_say_and_link_into_the_kb(folder: str) -> None:
    small = folder == "el2020"
    known = {entity["subject_id"]: entity for entity in read("el2020/kb.json" if small else "el/kb_data")}
    for name in ("train", "dev", "test"):
        rows = read(f"{folder}/{name}.{'json' if small else 'jsonl'}")
        assert len({row["text_id"] for row in rows}) == len(rows)
        for row in rows:
            end = 0
            for mention in row["mention_data"]:
                start = int(mention["offset"])
                assert isinstance(mention["offset"], str) and end <= start
                end = start + len(mention["mention"])
                assert row["text"][start:end] == mention["mention"]
                assert mention["kb_id"] in known or mention["kb_id"].startswith("NIL_" if small else "NIL"), row


def test_no_text_is_in_two_splits() -> None:
    texts = [row["text"] for name in ("train", "dev", "test") for row in split(name)]
    assert len(set(texts)) == len(texts)


def test_names_are_shared() -> None:
    shared = [ids for ids in candidates().values() if len(ids) > 1]
    assert 60 <= len(shared) <= 100
    assert max(map(len, shared)) <= 4
    assert {len(name) for name in candidates()} >= {1, 2, 3, 4, 5} and max(map(len, candidates())) >= 25
    for name in ("train", "dev", "test"):
        assert 0.4 < len(ambiguous(name)) / len(links(name)) < 0.65, name
        assert any(link[0][link[1] :].startswith(link[2].upper()) for link in links(name) if link[2].isascii()), name


@pytest.mark.parametrize("name", ["dev", "test"])
def test_what_was_linked_most_often_is_mostly_wrong(name: str) -> None:
    used = Counter((mention, kb_id) for _, _, mention, kb_id in links("train"))
    found = ambiguous(name)
    right = sum(kb_id == max(candidates()[m], key=lambda i, m=m: used[m, i]) for _, _, m, kb_id in found)  # type: ignore[misc]
    assert right / len(found) < 0.6


@pytest.mark.parametrize("name", ["dev", "test"])
def test_some_entities_are_new(name: str) -> None:
    seen = {kb_id for *_, kb_id in links("train")}
    found = ambiguous(name)
    assert 0.1 <= sum(kb_id not in seen for *_, kb_id in found) / len(found) <= 0.16


@pytest.mark.parametrize("name", ["dev", "test"])
def test_descriptions_tell_namesakes_apart(name: str) -> None:
    """Pairs of characters that text and description share, the rare ones first: no training, no prior."""

    def grams(text: str) -> set[str]:
        return {text[i : i + n] for n in (1, 2) for i in range(len(text) - n + 1)}

    told = {
        entity["subject_id"]: grams("。".join(f["predicate"] + f["object"] for f in entity["data"]).lower())
        for entity in read("el/kb_data")
    }
    df = Counter(gram for description in told.values() for gram in description)
    found, right = ambiguous(name), 0
    for text, start, mention, kb_id in found:
        rest = grams(text.lower()[:start]) | grams(text.lower()[start + len(mention) :])
        shared = {i: sum(math.log(len(told) / df[g]) for g in rest & told[i]) for i in candidates()[mention]}
        right += max(shared, key=lambda i: shared[i]) == kb_id
    assert right / len(found) > 0.75


@pytest.mark.parametrize("name", ["train", "dev", "test"])
def test_annotators_leave_most_common_words_alone(name: str) -> None:
    gold = {(text, start, mention) for text, start, mention, _ in links(name)}
    found = {(row["text"], start, mention) for row in split(name) for start, mention in longest(row["text"])}
    assert 0.94 < len(gold & found) / len(gold) < 0.99  # some are shorter than the longest name, some unknown to the KB
    assert 0.45 < len(gold & found) / len(found) < 0.57


def test_annotators_have_habits() -> None:
    gold = {(text, start, mention) for text, start, mention, _ in links("train")}
    yes, no = Counter[str](), Counter[str]()
    for row in split("train"):
        for start, mention in longest(row["text"]):
            (yes if (row["text"], start, mention) in gold else no)[mention] += 1
    share = {name: yes[name] / (yes[name] + no[name]) for name in yes | no if yes[name] + no[name] >= 10}
    assert sum(value < 0.15 for value in share.values()) >= 8
    assert sum(0.3 < value < 0.7 for value in share.values()) >= 5
    assert sum(value > 0.85 for value in share.values()) >= 20


def test_some_mentions_are_nil() -> None:
    for name in ("train", "dev", "test"):
        nil = [key(m["mention"]) for row in split(name) for m in row["mention_data"] if m["kb_id"] == "NIL"]
        assert len(nil) >= 10, name
        assert {mention in candidates() for mention in nil} == {True, False}, name


def test_the_2020_sample_types_its_nil() -> None:
    nil = {
        m["kb_id"]
        for name in ("train", "dev", "test")
        for row in read(f"el2020/{name}.json")
        for m in row["mention_data"]
        if m["kb_id"].startswith("NIL")
    }
    assert {"NIL_Person", "NIL_Work"} <= nil
    assert all(part.startswith("NIL_") for kinds in nil for part in kinds.split("|"))
    assert all(isinstance(entity["type"], str) for entity in read("el2020/kb.json"))
