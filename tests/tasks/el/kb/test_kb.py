"""The compiled knowledge base against brute force over its records; what is bad in them; damage to its files."""

from __future__ import annotations

import gzip
import json
import pickle
import shutil
import tempfile
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from ietool.errors import UserError
from ietool.tasks.el.data.example import normalise
from ietool.tasks.el.kb.build import ENTITY_SCHEMA
from ietool.tasks.el.kb.info import ENTITIES, FILES, INFO
from ietool.tasks.el.kb.knowledge_base import KnowledgeBase, compile_kb, open_any
from ietool.tasks.el.kb.records import Entity
from ietool.text.characters import fold

ALPHABET = "云朵之歌aAbİΣ《》 😀"
NAMES = st.text(st.sampled_from(ALPHABET), min_size=1, max_size=4).filter(lambda name: name.strip())
RECORDS = st.lists(
    st.fixed_dictionaries(
        {
            "subject": NAMES,
            "alias": st.lists(st.text(st.sampled_from(ALPHABET), max_size=4), max_size=3),
            "type": st.lists(st.sampled_from(["Thing", "Person"]), max_size=2),
            "data": st.lists(
                st.fixed_dictionaries({"predicate": st.sampled_from(["摘要", ""]), "object": st.text(max_size=5)}),
                max_size=2,
            ),
        }
    ),
    min_size=1,
    max_size=6,
).filter(lambda records: any(normalise(record["subject"]).strip() for record in records))
TEXTS = st.text(st.sampled_from(ALPHABET), max_size=14)


def record(kb_id: str, subject: str, *alias: str, **more: Any) -> dict[str, Any]:
    facts = [{"predicate": "摘要", "object": f"{subject}是一首歌"}]
    return {"alias": list(alias), "subject_id": kb_id, "subject": subject, "type": ["Thing"], "data": facts} | more


def write(path: Path, *records: dict[str, Any] | str) -> Path:
    lines = (one if isinstance(one, str) else json.dumps(one, ensure_ascii=False) for one in records)
    path.write_text("".join(line + "\n" for line in lines), encoding="utf-8")
    return path


def keys(entry: dict[str, Any]) -> list[str]:
    """The normalised names of a record, once each."""
    names = [entry["subject"], *entry["alias"]]
    return list(dict.fromkeys(key for name in names if name.strip() and (key := normalise(name)).strip()))


@given(RECORDS, st.lists(TEXTS, min_size=1, max_size=4))
@examples(max_examples=60)
def test_equals_brute_force(records: list[dict[str, Any]], texts: list[str]) -> None:
    records = [{"subject_id": str(100 - i), **one} for i, one in enumerate(records)]
    with tempfile.TemporaryDirectory() as scratch:
        kb = compile_kb(write(Path(scratch) / "kb_data", *records), Path(scratch) / "kb")
    names = list(dict.fromkeys(key for one in records for key in keys(one)))
    assert list(kb.names) == names
    for number, name in enumerate(names):
        assert kb.name(number) == name
        assert kb.candidates(number) == [row for row, one in enumerate(records) if name in keys(one)]
    for row, one in enumerate(records):
        assert kb.row(one["subject_id"]) == row and kb.kb_id(row) == one["subject_id"]
        facts = tuple((f["predicate"], f["object"]) for f in one["data"] if f["object"].strip())
        aliases = tuple(alias for alias in one["alias"] if alias.strip())
        assert kb.entity(row) == Entity(one["subject_id"], one["subject"], aliases, tuple(one["type"]), facts)
        for name in (one["subject"], *aliases):
            number = kb.number(name)
            assert (None if number is None else kb.name(number)) == (
                normalise(name) if normalise(name).strip() else None
            )
    for text in texts:
        folded = fold(text)
        every = [
            (a, b, names.index(folded[a:b])) for b in range(len(folded) + 1) for a in range(b) if folded[a:b] in names
        ]
        assert kb.match(text) == every  # by their end, the longest first
        longest, at = [], 0
        while at < len(text):
            here = [match for match in every if match[0] == at]
            longest += here[-1:]
            at = here[-1][1] if here else at + 1
        assert kb.longest(text) == longest
        assert (kb.number(text) is None) == (normalise(text) not in names)
    info = kb.info
    assert (info.entities, info.names) == (len(records), len(names))
    assert info.ambiguous_names == sum(len(kb.candidates(number)) > 1 for number in range(len(names)))
    assert info.empty_aliases == sum(not alias.strip() for one in records for alias in one["alias"])
    assert kb.row("none") is None


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> KnowledgeBase:
    folder = tmp_path_factory.mktemp("kb")
    records = (
        record("9", "云朵之歌", "Cloud Song", "《云朵》", "云朵"),
        record("10", "云朵", "", "  "),
        record("1", "X"),
        record("2", "山" * 200, "水"),
    )
    return compile_kb(write(folder / "kb_data", *records), folder / "kb")


def test_names_are_compared_without_case_and_title_marks(compiled: KnowledgeBase) -> None:
    kb = compiled
    assert kb.number("CLOUD song") == kb.number("《cloud SONG》") == kb.number("Cloud Song")
    cloud = kb.number("云朵")
    assert cloud is not None and cloud == kb.number("《云朵》") and kb.candidates(cloud) == [0, 1]
    assert kb.number("《云朵") is None and kb.number("") is None and kb.number("《》") is None
    assert kb.info.merged_names == 1  # 《云朵》 beside 云朵
    assert kb.info.empty_aliases == 2
    assert [e.kb_id for e in kb.entities([1, 0, 1])] == ["10", "9", "10"]
    assert kb.entity(0).aliases == ("Cloud Song", "《云朵》", "云朵")  # as written
    # The marks of a text stay where they are, so that offsets are those of the text.
    assert kb.longest("听《云朵》Cloud Songs") == [(2, 4, cloud), (5, 15, kb.number("cloud song"))]


def test_names_of_one_character_and_of_200(compiled: KnowledgeBase) -> None:
    kb, long = compiled, "山" * 200
    assert kb.match("x") == [(0, 1, kb.number("X"))]
    assert kb.match("登" + long) == [(1, 201, kb.number(long))]
    assert kb.match(long[1:]) == []
    assert len(kb.match("山" * 202 + "水X")) == 3 + 2
    assert kb.longest("山" * 202) == [(0, 200, kb.number(long))]


def test_half_a_surrogate_pair_is_matched_around(compiled: KnowledgeBase) -> None:
    assert compiled.match("\ud800云朵") == [(1, 3, compiled.number("云朵"))]


def test_a_row_that_is_not_there(compiled: KnowledgeBase) -> None:
    for row in (-1, 4):
        with pytest.raises(IndexError):
            compiled.entity(row)
    assert compiled.row("3") is None and compiled.row("") is None


def test_it_goes_to_worker_processes_and_other_places(compiled: KnowledgeBase, tmp_path: Path) -> None:
    again = pickle.loads(pickle.dumps(compiled))  # noqa: S301
    assert again.match("云朵之歌") == compiled.match("云朵之歌") and again.fingerprint == compiled.fingerprint
    shutil.copytree(compiled.folder, tmp_path / "prepared" / "kb")
    moved = open_any(tmp_path / "prepared")
    assert moved.entity(0) == compiled.entity(0) and list(moved.names) == list(compiled.names)


def test_the_fingerprint_stands_for_the_records(tmp_path: Path) -> None:
    records = [record("1", "云朵"), record("2", "山")]
    plain = compile_kb(write(tmp_path / "plain", *records), tmp_path / "a")
    with gzip.open(tmp_path / "packed", "wb") as out:
        out.write((tmp_path / "plain").read_bytes())
    packed = compile_kb(tmp_path / "packed", tmp_path / "b")
    changed = compile_kb(write(tmp_path / "c_data", records[0], record("2", "水")), tmp_path / "c")
    assert plain.fingerprint == packed.fingerprint != changed.fingerprint


def test_batches_of_entities_are_one_list(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ietool.tasks.el.kb.build.BATCH", 3)
    kb = compile_kb(write(tmp_path / "kb_data", *(record(f"{i}", f"山{i}") for i in range(10))), tmp_path / "kb")
    assert [kb.entity(row).subject for row in range(10)] == [f"山{i}" for i in range(10)]
    assert [kb.row(kb.kb_id(row)) for row in range(10)] == list(range(10))


GOOD = record("1", "云朵")
BAD: dict[str, tuple[dict[str, Any] | str, str, str]] = {
    "cut in half": (json.dumps(record("2", "山"), ensure_ascii=False)[:40], "", "is not JSON"),
    "the same id": (record("1", "山"), "subject_id", "'1' stands already in line 1"),
    "no id": ({k: v for k, v in GOOD.items() if k != "subject_id"}, "subject_id", "is missing"),
    "a number for an id": (record("2", "山") | {"subject_id": 2}, "subject_id", "is a number, a string is needed"),
    "an id that means none": (record("NIL", "山"), "subject_id", "is 'NIL', which stands for no entity"),
    "a typed one": (record("NIL_Person", "山"), "subject_id", "is 'NIL_Person', which stands for no entity"),
    "no name": (record("2", " "), "subject", "is empty"),
    "a string for aliases": (record("2", "山", alias="云"), "alias", "is a string, a list is needed"),
    "an alias of null": (record("2", "山", alias=["云", None]), "alias[1]", "is null, a string is needed"),
    "a fact without an object": (record("2", "山", data=[{"predicate": "摘要"}]), "data[0].object", "is missing"),
    "a fact of a string": (record("2", "山", data=["摘要"]), "data[0]", "is a string, an object is needed"),
    "a type of a number": (record("2", "山", type=[1]), "type[0]", "is a number, a string is needed"),
}


@pytest.mark.parametrize("kind", BAD)
def test_a_bad_record_is_named_or_left_out(tmp_path: Path, kind: str) -> None:
    bad, field, message = BAD[kind]
    source = write(tmp_path / "kb_data", GOOD, bad, record("3", "水"))
    with pytest.raises(UserError) as caught:
        compile_kb(source, tmp_path / "kb")
    error = caught.value
    assert (error.file, error.line, error.field or "") == (str(source), 2, field)
    assert message in error.message and error.mend
    assert {p.name for p in tmp_path.iterdir()} == {"kb_data"}  # nothing half made
    told: list[UserError] = []
    kb = compile_kb(source, tmp_path / "kb", on_bad=lambda error, line: told.append(error))
    assert [one.line for one in told] == [2] and kb.info.rejected == 1
    assert [kb.kb_id(row) for row in range(kb.info.entities)] == ["1", "3"]


@pytest.mark.parametrize("lines, message", [((), "holds no record"), (("{",) * 2, "none of the 2 records can be used")])
def test_a_file_of_nothing_is_told(tmp_path: Path, lines: tuple[str, ...], message: str) -> None:
    with pytest.raises(UserError, match=message):
        compile_kb(write(tmp_path / "kb_data", *lines), tmp_path / "kb", on_bad=lambda *_: None)
    assert not (tmp_path / "kb").exists()


def test_what_stands_in_the_place_is_kept(tmp_path: Path) -> None:
    source = write(tmp_path / "kb_data", GOOD)
    (tmp_path / "kb").mkdir()
    (tmp_path / "kb" / "letters.txt").write_text("keep", encoding="utf-8")
    with pytest.raises(UserError, match="not empty and no knowledge base"):
        compile_kb(source, tmp_path / "kb")
    assert (tmp_path / "kb" / "letters.txt").read_text(encoding="utf-8") == "keep"


def read_all(folder: Path) -> None:
    kb = KnowledgeBase.open(folder)
    for row in range(kb.info.entities):
        kb.entity(row)
    kb.match("云朵")


@pytest.mark.parametrize("name", [*FILES, INFO])
@pytest.mark.parametrize("damage", ["missing", "empty", "cut", "garbage", "a folder"])
def test_a_damaged_file_is_named(compiled: KnowledgeBase, tmp_path: Path, name: str, damage: str) -> None:
    folder = tmp_path / "kb"
    shutil.copytree(compiled.folder, folder)
    path, whole = folder / name, (folder / name).read_bytes()
    path.unlink()
    if damage == "a folder":
        path.mkdir()
    elif damage != "missing":
        path.write_bytes({"empty": b"", "cut": whole[: len(whole) // 2], "garbage": b"\x80" * len(whole)}[damage])
    with pytest.raises(UserError) as caught:
        read_all(folder)
    assert caught.value.mend and "\n" not in str(caught.value)
    assert name in str(caught.value)


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"format": 99}, "is of format 99"),
        ({"format": None}, "does not describe"),
        ({"names": "4"}, "wrong or missing 'names'"),
        ({"entities": 5}, "holds 4 records, kb.json says 5"),
        ({"names": 3}, "holds 6 records, kb.json says 3"),
        ({"files": {}}, "wrong or missing 'files'"),
    ],
)
def test_a_description_that_does_not_fit_is_told(
    compiled: KnowledgeBase, tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    shutil.copytree(compiled.folder, tmp_path / "kb")
    info = json.loads((tmp_path / "kb" / INFO).read_text(encoding="utf-8")) | changes
    (tmp_path / "kb" / INFO).write_text(json.dumps(info), encoding="utf-8")
    with pytest.raises(UserError, match=message):
        KnowledgeBase.open(tmp_path / "kb")


def test_changed_bytes_are_told_or_are_but_other_text(compiled: KnowledgeBase, tmp_path: Path) -> None:
    """The entities' file has no checksum over it, since it is not read whole: wherever it is changed, there is an error
    that names it, or a record that reads."""
    shutil.copytree(compiled.folder, tmp_path / "kb")
    path, told = tmp_path / "kb" / ENTITIES, 0
    whole = path.read_bytes()
    for at in range(0, len(whole), 3):
        changed = bytearray(whole)
        changed[at] ^= (0x01, 0x81, 0xFF)[at % 3]
        path.unlink()  # the old one is still mapped
        path.write_bytes(bytes(changed))
        try:
            read_all(tmp_path / "kb")
        except UserError as error:
            assert ENTITIES in str(error)
            told += 1
    assert told


def test_facts_that_were_torn_apart_are_told(compiled: KnowledgeBase, tmp_path: Path) -> None:
    shutil.copytree(compiled.folder, tmp_path / "kb")
    path, info_path = tmp_path / "kb" / ENTITIES, tmp_path / "kb" / INFO
    batch = pa.ipc.open_file(path).get_batch(0).to_pydict()
    batch["objects"] = [[], *batch["objects"][1:]]
    path.unlink()
    with pa.ipc.new_file(path, ENTITY_SCHEMA) as out:
        out.write(pa.record_batch(batch, schema=ENTITY_SCHEMA))
    info = json.loads(info_path.read_text(encoding="utf-8"))
    info["files"][ENTITIES] = path.stat().st_size
    info_path.write_text(json.dumps(info), encoding="utf-8")
    kb = KnowledgeBase.open(tmp_path / "kb")
    assert kb.entity(1) == compiled.entity(1)
    with pytest.raises(UserError, match="the facts of '9' are torn apart"):
        kb.entity(0)


def test_a_raw_file_is_compiled_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IETOOL_HOME", str(tmp_path / "home"))
    source = write(tmp_path / "kb_data", GOOD)
    first = open_any(source)
    again = open_any(source)
    assert first.compiled_now and not again.compiled_now and first.folder == again.folder
    (first.folder / ENTITIES).unlink()
    mended = open_any(source)  # ours to make again
    assert mended.compiled_now and mended.entity(0).subject == "云朵"
    other = open_any(write(source, GOOD, record("2", "山")))
    assert other.compiled_now and other.info.entities == 2 and other.folder != first.folder
