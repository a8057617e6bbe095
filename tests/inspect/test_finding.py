"""Which corpora lie in a folder."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from ietool import paths
from ietool.errors import UserError
from ietool.inspect import finding
from ietool.inspect.finding import find

SKE: dict[str, Any] = {
    "text": "甲生于乙",
    "spo_list": [{"subject": "甲", "predicate": "出生地", "object": {"@value": "乙"}}],
}
NER: dict[str, Any] = {"text": "甲生于乙", "label": {"name": {"甲": [[0, 0]]}}}
TEXT = {"text": "丙生于丁"}


def put(path: Path, *records: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(r, ensure_ascii=False) + "\n" for r in records), encoding="utf-8")
    return path


def found(place: Path) -> list[tuple[str, dict[str, str]]]:
    return [(c.task, {split.name: split.path.name for split in c.splits}) for c in find(place).corpora]


def test_all_corpora_that_ship_are_found_in_their_folder() -> None:
    root = paths.shipped_root() / "data"
    corpora = {c.folder.name: c for c in find(root).corpora}
    assert {name: c.task for name, c in corpora.items()} == {
        "el": "el", "el2020": "el", "event_subject": "event_subject", "events": "events", "ner": "ner",
        "nl2sql": "nl2sql", "qa": "qa", "ske": "ske", "ske2019": "ske",
    }  # fmt: skip
    for corpus in corpora.values():
        assert [split.name for split in corpus.splits] == ["train", "dev", "test"]
    assert set(corpora["ske"].beside) == {"schema"} and set(corpora["el"].beside) == {"kb"}
    assert set(corpora["nl2sql"].beside) == {"train+tables", "dev+tables", "test+tables"}
    others = {path.name for path, _ in find(root).others}
    assert {"README.md", "generate.py", "dureader2.jsonl"} <= others


def test_two_corpora_of_one_folder_are_told_apart(tmp_path: Path) -> None:
    for name, record in (("ske", SKE), ("ner", NER)):
        put(tmp_path / f"{name}_train.json", record)
        put(tmp_path / f"{name}_dev.json", record)
        put(tmp_path / f"{name}_test.json", TEXT)  # a text alone could be of either
    assert sorted(found(tmp_path)) == [
        (task, {role: f"{task}_{role}.json" for role in ("train", "dev", "test")}) for task in ("ner", "ske")
    ]
    assert not find(tmp_path).others


def test_corpora_of_folders_within_and_of_the_folder_itself(tmp_path: Path) -> None:
    put(tmp_path / "train.json", SKE)
    put(tmp_path / "more" / "ner" / "train.json", NER)
    put(tmp_path / "more" / "ner" / "dev.json", NER)
    put(tmp_path / "ner2" / "train.json", NER)
    put(tmp_path / "ner2" / "test.json", TEXT)
    corpora = find(tmp_path).corpora
    assert [(c.folder.relative_to(tmp_path).as_posix(), c.task, [s.name for s in c.splits]) for c in corpora] == [
        (".", "ske", ["train"]),
        ("more/ner", "ner", ["train", "dev"]),
        ("ner2", "ner", ["train", "test"]),
    ]


def test_files_unpacked_into_folders_of_their_names_are_one_corpus(tmp_path: Path) -> None:
    for role in ("train", "dev"):
        put(tmp_path / f"duie_{role}.json" / f"duie_{role}.json", SKE)
    assert found(tmp_path) == [("ske", {"train": "duie_train.json", "dev": "duie_dev.json"})]


def test_names_that_tell_nothing(tmp_path: Path) -> None:
    put(tmp_path / "a.json", SKE)
    put(tmp_path / "b.json", SKE)
    assert found(tmp_path) == [("ske", {"a.json": "a.json", "b.json": "b.json"})]
    put(tmp_path / "train.json", SKE)
    contents = find(tmp_path)
    assert found(tmp_path) == [("ske", {"train": "train.json"})]
    assert [path.name for path, reason in contents.others if "tells no role" in reason] == ["a.json", "b.json"]


def test_several_files_of_one_role_are_all_looked_at(tmp_path: Path) -> None:
    put(tmp_path / "train_a.json", SKE)
    put(tmp_path / "train_b.json", SKE)
    (corpus,) = find(tmp_path).corpora
    assert [split.name for split in corpus.splits] == ["train train_a.json", "train train_b.json"]
    assert all(split.learnt for split in corpus.splits) and corpus.train is corpus.splits[0]
    assert "train_a.json, train_b.json" in corpus.notes[0]


def test_a_file_is_looked_at_by_itself(tmp_path: Path) -> None:
    path = put(tmp_path / "train.json", SKE)
    put(tmp_path / "dev.json", SKE)
    assert found(path) == [("ske", {"train": "train.json"})]
    assert find(path).corpora[0].folder == path


def test_what_is_not_known_is_named_with_the_reason(tmp_path: Path) -> None:
    put(tmp_path / "train.json", SKE)
    (tmp_path / "empty.json").touch()
    (tmp_path / "notes.txt").write_text("nothing of use\n")
    (tmp_path / "weights.bin").write_bytes(bytes(range(256)) * 9)
    (tmp_path / "data.tar.gz").write_bytes(gzip.compress(b"ustar"))
    put(tmp_path / "all.jsonl", {"text": "甲", "label": [[0, 1, "name"]]})
    put(tmp_path / "schema_of_others.json", {"event_type": "a", "role_list": []})
    (tmp_path / ".hidden").write_text("x")
    (tmp_path / "wide.json").write_text('{"text": "甲"}', encoding="utf-16")
    (tmp_path / "loop").symlink_to(tmp_path)
    reasons = {path.name: reason for path, reason in find(tmp_path).others}
    assert set(reasons) == {
        "empty.json",
        "notes.txt",
        "weights.bin",
        "data.tar.gz",
        "all.jsonl",
        "schema_of_others.json",
        "wide.json",
        "loop",
    }
    assert reasons["empty.json"] == "is empty"
    assert reasons["notes.txt"] == "is of no form that is known"
    assert "doccano" in reasons["all.jsonl"] and "UTF-16" in reasons["wide.json"]
    assert reasons["loop"] == "is a link to a folder: name it"
    assert "a schema of events" in reasons["schema_of_others.json"]


def test_a_schema_that_holds_texts_is_told(tmp_path: Path) -> None:
    put(tmp_path / "train.json", SKE)
    put(tmp_path / "schema.json", SKE)
    (corpus,) = find(tmp_path).corpora
    assert not corpus.beside and "schema.json is called as a schema file is, and holds texts" in corpus.notes[0]


def test_depth_and_number_have_an_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(tmp_path / "a" / "b" / "c" / "d" / "e" / "train.json", SKE)
    assert not find(tmp_path / "a" / "b" / "c" / "d").others
    deep = find(tmp_path)
    assert not deep.corpora and any("too deep" in reason for _, reason in deep.others)
    monkeypatch.setattr(finding, "MOST_FILES", 3)
    for number in range(5):
        put(tmp_path / "many" / f"{number}.json", SKE)
    assert any("too many files" in reason for _, reason in find(tmp_path / "many").others)


def test_no_folder_and_an_empty_one_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no such folder"):
        find(tmp_path / "none")
    with pytest.raises(UserError, match="holds no file"):
        find(tmp_path)
