"""What the knowledge base says of a name, against its records read one by one."""

from __future__ import annotations

import json
from math import log
from pathlib import Path

import pytest

from ietool.tasks.el.features.assets import NIL_TYPES, read_nil_types
from ietool.tasks.el.features.traits import (
    CLASSES,
    TRAITS,
    NameTraits,
    choose_types,
    read_types,
    type_class,
    write_types,
)
from ietool.tasks.el.kb.knowledge_base import KnowledgeBase, compile_kb
from ietool.text.characters import CharVocabulary
from ietool.text.encoding import TextEncoder

RECORDS = [
    ("1", "云朵之歌", ["云朵"], ["Song", "Thing"], ["林满", "民谣，" * 9]),
    ("2", "云朵", [], ["Thing"], []),
    ("3", "《云朵》", ["Cloud"], [], ["雨"]),
    *((str(10 + i), "同名", ["小同"], [f"Kind{i}"], ["人"] * i) for i in range(8)),
]
WORDS = {"云朵": 3, "同名": 1}


@pytest.fixture(scope="module")
def kb(tmp_path_factory: pytest.TempPathFactory) -> KnowledgeBase:
    folder = tmp_path_factory.mktemp("kb")
    lines = [
        json.dumps({"subject_id": kb_id, "subject": name, "alias": alias, "type": types,
                    "data": [{"predicate": "摘要", "object": value} for value in values]})
        for kb_id, name, alias, types, values in RECORDS
    ]  # fmt: skip
    (folder / "kb_data").write_text("\n".join(lines), encoding="utf-8")
    return compile_kb(folder / "kb_data", folder / "kb")


@pytest.mark.parametrize("name", ["云朵", "云朵之歌", "cloud", "同名", "小同"])
def test_traits_are_those_of_the_first_entities(kb: KnowledgeBase, name: str) -> None:
    types = {"Thing": 1, "Song": 2, "Kind0": 3}
    traits = NameTraits(kb, TextEncoder(CharVocabulary(""), WORDS), types)
    number = kb.number(name)
    assert number is not None
    found = traits.get(number)
    plain = [(s.strip("《》"), [a.lower() for a in alias], t, v) for _, s, alias, t, v in RECORDS]
    mine = [one for one in plain if name == one[0] or name in one[1]][: NameTraits.ENTITIES]
    first_types, first_values = mine[0][2], mine[0][3]
    assert found.type == (types.get(first_types[0], 0) if first_types else 0)
    assert found.word == WORDS.get(name, 0)
    kinds = {kind for one in mine for kind in one[2]}
    expected = (
        log(1 + max(len(one[3]) for one in mine)),
        log(1 + sum(map(len, first_values))) / 2,
        sum(one[0] == name for one in mine) / len(mine),
        log(len(kinds) or 1),
        log(1 + found.word) / 4,
        float(name in WORDS),
    )
    assert len(found.numbers) == TRAITS and found.numbers == pytest.approx(expected)
    assert traits.get(number) is found  # kept


def test_without_word_vectors_no_name_is_a_word(kb: KnowledgeBase) -> None:
    traits = NameTraits(kb, TextEncoder(CharVocabulary(""), None), {})
    for number in range(len(kb.names)):
        found = traits.get(number)
        assert (found.type, found.word, found.numbers[4:]) == (0, 0, (0.0, 0.0))


def test_no_more_are_kept_than_may_be(kb: KnowledgeBase, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(NameTraits, "CACHE", 2)
    traits = NameTraits(kb, TextEncoder(CharVocabulary(""), WORDS), {})
    kept = [traits.get(number) for number in range(len(kb.names))]
    assert traits.get(len(kb.names) - 1) is kept[-1]
    assert traits.get(0) is not kept[0] and traits.get(0) == kept[0]


def test_types_of_nil_mentions_may_have_blanks_in_their_names(tmp_path: Path) -> None:
    (tmp_path / NIL_TYPES).write_text("NIL_Virtual Things\nNIL_Person\u2028x\nNIL_Work\n", encoding="utf-8")
    assert read_nil_types(tmp_path) == ["NIL_Virtual Things", "NIL_Person\u2028x", "NIL_Work"]


def test_types_of_two_entities_get_a_class(tmp_path: Path, kb: KnowledgeBase) -> None:
    counts = {"Rare": 1, "Place": 2, "Person": 7, "Brand": 2, "two words": 9}
    chosen = choose_types(counts)
    assert chosen == ["Person", "Brand", "Place"]
    write_types(tmp_path, chosen)
    assert read_types(tmp_path) == {"Person": 1, "Brand": 2, "Place": 3}
    assert len(choose_types({f"Kind{i}": 2 for i in range(CLASSES + 9)})) == CLASSES
    write_types(tmp_path, [])
    assert read_types(tmp_path) == {}
    assert [type_class(kb.entity(row), {"Song": 4, "Thing": 1}) for row in range(3)] == [4, 1, 0]
