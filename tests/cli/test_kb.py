"""``ietool kb`` as a user runs it, on a knowledge base of invented songs and people."""

from __future__ import annotations

import gzip
import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from ietool.cli.app import run as ietool
from ietool.tasks.el.features.annotations import Annotations, text_habits
from ietool.tasks.el.kb.info import FILES, INFO
from ietool.tasks.el.kb.knowledge_base import compile_kb
from tests.cli.conftest import Ietool

LONG = "山" * 200
RECORDS: list[dict[str, Any]] = [
    {"alias": ["Cloud Song", "《云朵》", ""], "subject_id": "7", "subject": "云朵之歌", "type": ["CreativeWork"],
     "data": [{"predicate": "义项描述", "object": "林满的民谣"}, {"predicate": "摘要", "object": " "}]},
    {"alias": [], "subject_id": "3", "subject": "云朵", "type": ["Thing"],
     "data": [{"predicate": "摘要", "object": "水汽。" * 40}]},
    {"alias": ["X"], "subject_id": "12", "subject": LONG, "type": ["Thing"], "data": []},
]  # fmt: skip


def write(path: Path, *records: dict[str, Any] | str) -> Path:
    lines = (one if isinstance(one, str) else json.dumps(one, ensure_ascii=False) for one in records)
    path.write_text("".join(line + "\n" for line in lines), encoding="utf-8")
    return path


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("IETOOL_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "kb_data", *RECORDS)
    return tmp_path


@pytest.fixture
def prepared(folder: Path) -> Path:
    """A folder as ``prepare`` leaves it, as far as ``kb`` looks."""
    compile_kb(folder / "kb_data", folder / "prepared" / "kb")
    habits = Annotations()
    for times, gold in ((3, {(0, 2): "3"}), (1, {(0, 2): "7"}), (2, {(0, 2): "99"}), (2, {})):
        for _ in range(times):
            habits.add(text_habits([(0, 2, "云朵")], gold))
    habits.save(folder / "prepared" / "annotations.jsonl")
    return folder / "prepared"


def told(capsys: pytest.CaptureFixture[str], *arguments: object, code: int = 0) -> Any:
    """Standard output as JSON."""
    assert ietool(["kb", *map(str, arguments), "--json"]) == code
    return json.loads(capsys.readouterr().out)


def refused(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    """The one line that a call gets that cannot be answered."""
    assert ietool(["kb", *map(str, arguments)]) == 2
    shown = capsys.readouterr()
    assert shown.out == "" and shown.err.startswith("error: ") and shown.err.count("\n") == 1, shown
    return shown.err


def test_stats_of_a_raw_file_which_is_compiled_once(folder: Path, ietool: Ietool) -> None:
    """In processes of their own, as the memory and the seconds are of a process."""
    environment = {"IETOOL_HOME": str(folder / "home")}
    first = ietool("kb", "stats", "kb_data", env=environment)
    assert first.returncode == 0 and first.stderr.startswith("compiled: ")
    for part in ("entities", "names (normalised)", "CreativeWork", "entities.arrow", "compiled just now"):
        assert part in first.stdout
    again = ietool("kb", "stats", "kb_data", "--json", env=environment)
    assert again.returncode == 0 and again.stderr == ""
    numbers = json.loads(again.stdout)
    assert numbers["seconds_to_open"] < 5 and numbers["resident_bytes"] > 1e6
    assert numbers["bytes"] == sum(numbers["files"].values())


def test_stats_count_what_is_there_and_what_was_left_out(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    numbers = told(capsys, "stats", "kb_data")
    assert numbers["entities"] == 3 and numbers["names"] == 5
    assert numbers["ambiguous_names"] == 1 and numbers["candidates_max"] == 2
    assert numbers["names_per_entity"] == 2.0 and numbers["merged_names"] == 0
    assert numbers["empty_aliases"] == 1 and numbers["empty_objects"] == 1 and numbers["facts"] == 2
    assert numbers["types"] == {"Thing": 2, "CreativeWork": 1}
    assert numbers["seconds_to_open"] is None and numbers["resident_bytes"] is None  # it was compiled by this call
    again = told(capsys, "stats", "kb_data")
    assert again["seconds_to_open"] >= 0 and again["fingerprint"] == numbers["fingerprint"]


def test_a_packed_file_is_the_same(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with gzip.open(folder / "kb_data.gz", "wb") as out:
        out.write((folder / "kb_data").read_bytes())
    packed, plain = (told(capsys, "stats", name) for name in ("kb_data.gz", "kb_data"))
    assert packed["fingerprint"] == plain["fingerprint"]


@pytest.mark.parametrize("name", ["cloud song", "《CLOUD Song》", "Cloud Song"])
def test_lookup_goes_by_the_normalised_name(folder: Path, capsys: pytest.CaptureFixture[str], name: str) -> None:
    (found,) = told(capsys, "lookup", "kb_data", name)
    assert (found["name"], found["kb_id"], found["subject"], found["written"]) == (
        name,
        "7",
        "云朵之歌",
        ["Cloud Song"],
    )
    assert found["linked"] is None and found["share"] is None  # no training texts are known
    assert found["description"].startswith("义项描述：林满的民谣")
    ietool(["kb", "lookup", "kb_data", name])
    shown = capsys.readouterr().out
    assert ("not written so by any of them, but: Cloud Song" in shown) == (name != "Cloud Song")


def test_lookup_shows_what_the_annotators_made_of_it(prepared: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = told(capsys, "lookup", prepared, "云朵")
    assert [(one["kb_id"], one["linked"], one["share"]) for one in found] == [("3", 3, 0.5), ("7", 1, 1 / 6)]
    assert ietool(["kb", "lookup", str(prepared), "云朵", "--limit", "1"]) == 0
    shown = capsys.readouterr().out
    assert "云朵: 2 candidates" in shown and "the first 1 of 2" in shown
    assert "annotated 6 times where it was found, not 2" in shown
    assert "also linked to what has no such name here: 99 (2)" in " ".join(shown.split())
    assert [one["kb_id"] for one in told(capsys, "lookup", prepared, "云朵", "--limit", "1")] == ["3"]
    assert [one["kb_id"] for one in told(capsys, "lookup", prepared / "kb", "云朵")] == ["3", "7"]


def test_names_of_one_character_and_of_200(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = told(capsys, "lookup", "kb_data", "x", LONG)
    assert [(one["name"], one["kb_id"]) for one in found] == [("x", "12"), (LONG, "12")]
    assert ietool(["kb", "lookup", "kb_data", LONG]) == 0


def test_a_name_that_is_not_there_gets_the_nearest(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert ietool(["kb", "lookup", "kb_data", "云朵的歌", "云朵", "海"]) == 0
    shown = capsys.readouterr()
    assert "'云朵的歌': no such name in kb_data; the nearest: 云朵之歌" in shown.err
    assert "'海': no such name in kb_data, nor one much like it" in shown.err
    assert "云朵: 2 candidates" in shown.out
    assert told(capsys, "lookup", "kb_data", "海", "", "《》") == []


BAD = {
    "cut in half": (json.dumps(RECORDS[0], ensure_ascii=False)[:60], "is not JSON"),
    "the same id": (RECORDS[1] | {"subject_id": "7"}, "subject_id: '7' stands already in line 1"),
    "no object": ("[1]", "is JSON but no object"),
    "an alias of a number": (RECORDS[1] | {"alias": ["云", 4]}, "alias[1]: is a number, a string is needed"),
}


@pytest.mark.parametrize("kind", BAD)
def test_a_bad_line_is_named(folder: Path, capsys: pytest.CaptureFixture[str], kind: str) -> None:
    bad, message = BAD[kind]
    write(folder / "kb_data", RECORDS[0], bad, RECORDS[2])
    for command in (("stats", "kb_data"), ("lookup", "kb_data", "云朵")):
        error = refused(capsys, *command)
        assert "kb_data:2: " in error and message in error and "→" in error
        # What this command cannot do it does not recommend.
        assert "--skip-bad" not in error or "prepare" in error
    assert not [path for path in (folder / "home" / "kb").iterdir() if path.is_dir()]  # nothing half made


@pytest.mark.parametrize(
    "path, message",
    [
        ("none", "none: no such file or folder → check the path"),
        ("empty", "empty: holds no compiled knowledge base"),
        ("blank", "blank: holds no record"),
        ("latin", "latin:1: is not UTF-8"),
    ],
)
def test_what_is_no_knowledge_base_is_told(
    folder: Path, capsys: pytest.CaptureFixture[str], path: str, message: str
) -> None:
    (folder / "empty").mkdir()
    (folder / "blank").write_text("\n", encoding="utf-8")
    (folder / "latin").write_bytes('{"subject": "é"}\n'.encode("latin-1"))
    assert message in refused(capsys, "stats", path)


def test_a_record_may_be_left_out_by_preparing(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(folder / "kb_data", RECORDS[0], RECORDS[1] | {"subject_id": "7"}, RECORDS[2])
    error = refused(capsys, "stats", "kb_data")
    assert error.endswith("→ mend the record, or name the folder that `ietool prepare --skip-bad` makes\n")
    text = {
        "text_id": "1",
        "text": "听云朵之歌",
        "mention_data": [{"kb_id": "7", "mention": "云朵之歌", "offset": "1"}],
    }
    for name in ("train.json", "dev.json"):
        write(folder / name, text)
    assert ietool(["prepare", "-r", "el", "--data", ".", "--skip-bad", "-o", "made"]) == 0
    capsys.readouterr()
    assert told(capsys, "stats", "made")["entities"] == 2


def test_a_data_folder_gives_its_kb_data(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "data").mkdir()
    shutil.copy(folder / "kb_data", folder / "data")
    file, data = (told(capsys, "stats", name) for name in ("kb_data", "data"))
    assert data["fingerprint"] == file["fingerprint"]
    assert [one["kb_id"] for one in told(capsys, "lookup", "data", "云朵")] == ["7", "3"]
    shutil.copy(folder / "kb_data", folder / "data" / "kb.json")
    error = refused(capsys, "stats", "data")
    assert error == "error: data: several files could be the kb file: kb.json, kb_data → name one of them\n"
    assert "holds no compiled knowledge base" in refused(capsys, "stats", "home")  # of compiled ones


@pytest.mark.parametrize("name", [*FILES, INFO])
@pytest.mark.parametrize("damage", ["missing", "cut"])
def test_a_damaged_folder_is_told(prepared: Path, capsys: pytest.CaptureFixture[str], name: str, damage: str) -> None:
    path = prepared / "kb" / name
    whole = path.read_bytes()
    path.unlink()
    if damage == "cut":
        path.write_bytes(whole[: len(whole) // 2])
    for command in (("stats", prepared / "kb"), ("lookup", prepared / "kb", "云朵")):
        error = refused(capsys, *command)
        if (name, damage) == (INFO, "missing"):  # nothing there says that it ever was one
            assert "holds no compiled knowledge base (no kb.json" in error
        else:
            assert name in error and "copy the whole folder again" in error


def test_a_cached_knowledge_base_that_was_damaged_is_made_again(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kept = Path(told(capsys, "stats", "kb_data")["folder"])
    (kept / FILES[0]).write_bytes(b"")
    assert len(told(capsys, "lookup", "kb_data", "云朵")) == 2


def test_damaged_statistics_are_told(prepared: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (prepared / "annotations.jsonl").write_text('["云朵", 1\n', encoding="utf-8")
    assert "annotations.jsonl:1: holds no annotators' statistics" in refused(capsys, "lookup", prepared, "云朵")
    assert told(capsys, "stats", prepared)["entities"] == 3  # which needs none


def test_a_moved_folder_opens(prepared: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.move(prepared, prepared.parent / "elsewhere")
    assert len(told(capsys, "lookup", prepared.parent / "elsewhere", "云朵")) == 2


@pytest.mark.parametrize(
    "arguments", [("lookup", "kb_data"), ("stats",), ("lookup", "kb_data", "云朵", "--limit", "0")]
)
def test_a_wrong_call_is_told(folder: Path, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...]) -> None:
    refused(capsys, *arguments)
