"""``ietool prepare`` on good, odd and bad input, through the command line."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ietool.cli.app import run

SCHEMA = [
    {"subject_type": "影视作品", "predicate": "主演", "object_type": {"@value": "人物"}},
    {"subject_type": "人物", "predicate": "饰演", "object_type": {"@value": "人物", "inWork": "影视作品"}},
]


def record(text: str, *triples: tuple[str, str, str]) -> dict[str, Any]:
    spo = [{"subject": s, "predicate": p, "object": {"@value": o}} for s, p, o in triples]
    return {"text": text, "spo_list": spo}


def with_object(value: Any) -> dict[str, Any]:
    return {"text": "甲乙", "spo_list": [{"subject": "甲", "predicate": "主演", "object": value}]}


def film(number: int) -> dict[str, Any]:
    return record(f"电影《远山{number}》由林一{number}主演", (f"远山{number}", "主演", f"林一{number}"))


def lines(records: list[Any]) -> bytes:
    return b"".join(json.dumps(r, ensure_ascii=False).encode() + b"\n" for r in records)


Outcome = tuple[int, str, str]
Prepare = Callable[..., Outcome]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with a small good corpus in ``data``."""
    monkeypatch.chdir(tmp_path)
    data = tmp_path / "data"
    data.mkdir()
    (data / "train.json").write_bytes(lines([film(i) for i in range(8)]))
    (data / "dev.json").write_bytes(lines([film(i) for i in range(20, 23)]))
    (data / "schema.json").write_bytes(lines(SCHEMA))
    return tmp_path


@pytest.fixture
def prepare(folder: Path, capsys: pytest.CaptureFixture[str]) -> Prepare:
    def call(*options: object) -> Outcome:
        capsys.readouterr()
        code = run(["prepare", "--recipe", "ske", "--data", "data", *map(str, options)])
        out, err = capsys.readouterr()
        assert "Traceback" not in err
        return code, out, err

    return call


def statistics(prepare: Prepare, *options: object) -> dict[str, Any]:
    code, out, err = prepare("--json", *options)
    assert code == 0, err
    found: dict[str, Any] = json.loads(out)
    return found


def nothing_left(folder: Path) -> bool:
    """No prepared folder, whole, half or hidden; the empty file of the lock is no such thing."""
    files = [path for path in (folder / "prepared").rglob("*") if path.is_file()]
    return all(path.name == ".preparing.lock" and not path.stat().st_size for path in files)


def test_tables_and_numbers(prepare: Prepare, folder: Path) -> None:
    code, out, err = prepare()
    assert code == 0
    assert "Corpus" in out and "Oracle recall" in out and "Triples by relation" in out
    assert "prepared: " in err
    found = statistics(prepare)
    train = found["statistics"]["train"]
    assert (train["records"], train["texts"], train["triples"], train["relations"]) == (8, 8, 8, {"主演": 8})
    assert train["oracle"]["recall"] == 1.0
    assert found["statistics"]["overlap"] == {"texts": 0, "triples": 0, "triples_share": 0.0}
    # The table of features opens as the training opens it.
    from datasets import load_from_disk

    table = load_from_disk(str(Path(found["folder"]) / "train"))
    units = ["ids", "words", "tags", "starts", "ends"]
    assert set(table.column_names) == {"record", "text", "length", "start", *units, "spans", "prior"}
    assert table[0]["spans"] == [3, 6, 0, 8, 11] and {len(table[0][name]) for name in units} == {table[0]["length"]}
    assert not (Path(found["folder"]) / "rejects.jsonl").exists()


# -- files that are wrong as a whole


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "data/train.json: holds no record"),
        (b"\n  \n", "data/train.json: holds no record"),
        (lines([film(1)]) + "电影".encode("gb18030") + b"\n", "data/train.json:2: is not UTF-8"),
        (lines([film(1)])[:-20], "data/train.json:1: is not JSON"),
        (lines([film(1), {"text": "", "spo_list": []}]), "data/train.json:2: text: is empty"),
        (lines([film(1), {"text": "山"}]), "data/train.json:2: spo_list: is missing"),
        (lines([record("甲乙", ("甲", "主角", "乙"))]), "data/train.json:1: spo_list[0].predicate: '主角' is not a"),
        (lines([with_object("乙")]), "has the form of SKE 2019"),
        (lines([with_object({"@value": "乙", "in": "乙"})]), "spo_list[0].object.in: is not a slot of '主演'"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("role", ["train", "dev"])
def test_bad_record(prepare: Prepare, folder: Path, content: bytes, said: str, role: str) -> None:
    (folder / f"data/{role}.json").write_bytes(content)
    code, out, err = prepare()
    assert code == 2 and out == ""
    assert said.replace("train.json", f"{role}.json") in err
    assert len([line for line in err.splitlines() if "error:" in line]) == 1 and " → " in err
    assert nothing_left(folder)


def test_all_records_bad(prepare: Prepare, folder: Path) -> None:
    (folder / "data/dev.json").write_bytes(b'{"text"\n' * 3)
    code, _, err = prepare("--skip-bad")
    assert code == 2 and "data/dev.json:1: is not JSON" in err and "none of the 3 records can be used" in err
    assert nothing_left(folder)


def test_not_one_line_is_utf8(prepare: Prepare, folder: Path) -> None:
    """With --skip-bad too the trouble is told, not that the file is empty."""
    (folder / "data/train.json").write_bytes(lines([film(i) for i in range(3)]).decode().encode("gb18030"))
    code, _, err = prepare("--skip-bad")
    assert code == 2 and "data/train.json:1: is not UTF-8" in err and "none of the 3 records can be used" in err
    assert "iconv" in err and nothing_left(folder)


@pytest.mark.parametrize("indent", [None, 1])
def test_one_list_of_all_records(prepare: Prepare, folder: Path, indent: int | None) -> None:
    content = json.dumps([film(1), film(2)], ensure_ascii=False, indent=indent)
    (folder / "data/train.json").write_text(content, encoding="utf-8")
    code, _, err = prepare()
    assert code == 2 and err.startswith("error: data/train.json:1: ") and " a line" in err.replace("on one", "a")


def test_home_that_cannot_be_written(prepare: Prepare, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IETOOL_HOME", "/dev/null/home")
    code, _, err = prepare()
    assert code == 2 and "/dev/null/home/prepared/ske: cannot be written (Not a directory)" in err
    assert err.endswith("set $IETOOL_HOME to a folder that can be written\n") and "--output" not in err
    code, _, err = prepare("--output", "/dev/null/mine")
    assert code == 2 and err.endswith("choose another --output\n")


def test_schema_that_disagrees(prepare: Prepare, folder: Path) -> None:
    (folder / "data/schema.json").write_bytes(lines([{**SCHEMA[0], "predicate": "导演"}]))
    code, _, err = prepare()
    assert code == 2 and "'主演' is not a predicate of the schema data/schema.json" in err


# -- records that are bad, left out


def test_skip_bad(prepare: Prepare, folder: Path) -> None:
    half = json.dumps(film(3), ensure_ascii=False)[:-9]
    bad = [half, '{"text": "", "spo_list": []}', json.dumps(record("《甲》乙", ("甲", "主角", "乙")))]
    with (folder / "data/train.json").open("a", encoding="utf-8") as out:
        out.write("\n".join(bad) + "\n")
    with (folder / "data/dev.json").open("a", encoding="utf-8") as out:
        out.write("[]\n")
    assert prepare()[0] == 2
    found = statistics(prepare, "--skip-bad")
    assert found["rejected"] == 4
    assert found["statistics"]["train"]["rejected"] == 3 and found["statistics"]["dev"]["rejected"] == 1
    rejects = Path(found["folder"]) / "rejects.jsonl"
    entries = [json.loads(line) for line in rejects.read_text(encoding="utf-8").splitlines()]
    assert [(e["file"], e["line"], e["field"]) for e in entries] == [
        ("data/train.json", 9, None),
        ("data/train.json", 10, "text"),
        ("data/train.json", 11, "spo_list[0].predicate"),
        ("data/dev.json", 4, None),
    ]
    assert [e["raw"] for e in entries] == [*bad, "[]"] and all(e["reason"] for e in entries)
    code, _, err = prepare("--skip-bad")
    assert code == 0 and "left out: 4 bad records" in err and str(rejects) in err and "unchanged" in err


def test_skip_bad_without_schema_counts_once(prepare: Prepare, folder: Path) -> None:
    (folder / "data/schema.json").unlink()
    with (folder / "data/train.json").open("a", encoding="utf-8") as out:
        out.write("{\n")
    found = statistics(prepare, "--skip-bad")
    assert found["rejected"] == 1 and any("no schema was given" in note for note in found["notes"])


# -- odd but good


@pytest.mark.parametrize("change", [lambda b: b"\xef\xbb\xbf" + b, lambda b: b.replace(b"\n", b"\r\n")])
def test_byte_order_mark_and_crlf(prepare: Prepare, folder: Path, change: Callable[[bytes], bytes]) -> None:
    plain = statistics(prepare)
    for name in ("train", "dev", "schema"):
        path = folder / f"data/{name}.json"
        path.write_bytes(change(path.read_bytes()))
    found = statistics(prepare)
    assert found["fresh"] and found["statistics"] == plain["statistics"]


def test_repeated_texts(prepare: Prepare, folder: Path) -> None:
    other = record("电影《远山1》由林一1主演")
    (folder / "data/train.json").write_bytes(lines([film(1), film(1), film(2), other]))
    (folder / "data/dev.json").write_bytes(
        lines([film(2), film(5), record("《远山1》有林一1", ("远山1", "主演", "林一1"))])
    )
    found = statistics(prepare)
    train = found["statistics"]["train"]
    assert (train["records"], train["texts"], train["duplicates"], train["conflicting_duplicates"]) == (4, 2, 2, 1)
    assert train["windows"] == 2 and train["triples"] == 2
    assert found["statistics"]["overlap"] == {"texts": 1, "triples": 2, "triples_share": 2 / 3}
    notes = " ".join(found["notes"])
    assert "2 records repeat a text, the first copy of each is used; 1 have other triples" in notes
    assert "1 texts of dev stand in train too" in notes


def test_objects_missing_from_the_text(prepare: Prepare, folder: Path) -> None:
    (folder / "data/train.json").write_bytes(lines([film(1), record("《远山》上映", ("远山", "主演", "林一"))]))
    oracle = statistics(prepare)["statistics"]["train"]["oracle"]
    assert oracle["recall"] == 0.5 and oracle["lost"]["not in the text"] == 1


def test_one_of_two_schemas_can_be_named(prepare: Prepare, folder: Path) -> None:
    (folder / "data" / "old_schema.json").write_bytes(lines(SCHEMA[:1]))
    code, _, err = prepare()
    assert code == 2 and "schema.json" in err and err.rstrip().endswith("name one with --schema FILE")
    assert prepare("--schema", "data/old_schema.json")[0] == 0


def test_no_schema(prepare: Prepare, folder: Path) -> None:
    (folder / "data/schema.json").unlink()
    found = statistics(prepare)
    assert found["statistics"]["labels"] == 1
    schema = json.loads((Path(found["folder"]) / "schema.json").read_text(encoding="utf-8"))
    assert [r["predicate"] for r in schema["relations"]] == ["主演"]


def test_very_long_text(prepare: Prepare, folder: Path) -> None:
    """100,000 characters: every pair that is near enough is labelled in some window."""
    films = [f"电影《远山{i}》由林一{i}主演，" + "山高水长，" * 16 for i in range(1000)]
    text = "".join(films)
    triples = [(f"远山{i}》", "主演", f"林一{i}主") for i in range(1000)]
    assert len(text) >= 90_000
    (folder / "data/train.json").write_bytes(lines([film(1), record(text + "完" * (100_000 - len(text)), *triples)]))
    began = time.monotonic()
    found = statistics(prepare)
    assert time.monotonic() - began < 30
    train = found["statistics"]["train"]
    assert train["characters"]["max"] == 100_000 and train["texts_longer_than_window"] == 1
    assert train["oracle"]["recall"] == 1.0 and train["oracle"]["spurious"] == 0
    assert any("longer than data.window=320" in note for note in found["notes"])
    from datasets import load_from_disk

    rows = load_from_disk(str(Path(found["folder"]) / "train"))
    assert len(rows) == train["windows"] and max(rows["length"]) <= 320


# -- once is enough


def test_second_time(prepare: Prepare, folder: Path) -> None:
    first = statistics(prepare)
    second = statistics(prepare)
    assert first["fresh"] and not second["fresh"]
    assert second["folder"] == first["folder"] and second["statistics"] == first["statistics"]
    assert prepare()[2].startswith("unchanged: reused ")
    # Settings that features do not depend on.
    assert not statistics(prepare, "--set", "training.epochs=3", "--set", "decode.object_start=0.4")["fresh"]
    # Settings and files that they do depend on.
    assert statistics(prepare, "--set", "data.window=128")["fresh"]
    vectors = folder / "vectors.txt"
    for value in ("1", "2"):
        vectors.write_text(f"电影 {value} 0\n", encoding="utf-8")
        set_vectors = ("--set", f"data.word_vectors={vectors}")
        found = statistics(prepare, *set_vectors)
        assert found["fresh"] and 0 < found["statistics"]["train"]["word_vector_coverage"] < 1
        assert not statistics(prepare, *set_vectors)["fresh"]
    (folder / "data/dev.json").write_bytes(lines([film(30)]))
    changed = statistics(prepare)
    assert changed["fresh"] and changed["folder"] != first["folder"]
    assert not statistics(prepare)["fresh"] and statistics(prepare, "--force")["fresh"]


def test_second_time_is_quick(ietool: Any, folder: Path) -> None:
    for _ in range(2):
        began = time.monotonic()
        done = ietool("prepare", "--recipe", "ske", "--data", "data")
        taken = time.monotonic() - began
        assert done.returncode == 0, done.stderr
    assert "unchanged" in done.stderr and taken < 5
    code = "import sys; from ietool.cli.app import run; run(sys.argv[1:]); print('datasets' in sys.modules)"
    command = [sys.executable, "-c", code, "prepare", "--recipe", "ske", "--data", "data", "--json"]
    shown = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)
    assert shown.stdout.endswith("False\n")


def test_prepares_without_torch(folder: Path) -> None:
    code = "import sys; from ietool.cli.app import run; run(sys.argv[1:]); print('torch' in sys.modules)"
    command = [sys.executable, "-c", code, "prepare", "--recipe", "ske", "--data", "data", "--json"]
    shown = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)
    assert shown.stdout.endswith("False\n")
    assert "Saving" not in shown.stderr  # the bars of datasets


# -- faults


@pytest.mark.parametrize("what", ["pyarrow.OSFile", "ietool.tasks.ske.prepare.preparation.format_line", "os.replace"])
def test_full_disk(prepare: Prepare, folder: Path, monkeypatch: pytest.MonkeyPatch, what: str) -> None:
    def full(*_: Any, **__: Any) -> Any:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(what, full)
        code, _, err = prepare()
    assert code == 2 and "No space left on device" in err and "free some space" in err
    assert nothing_left(folder)
    assert prepare()[0] == 0


def test_full_disk_under_the_scratch_file(prepare: Prepare, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import sqlite3

    def full(*_: Any) -> Any:
        raise sqlite3.OperationalError("database or disk is full")

    with monkeypatch.context() as patch:
        patch.setattr("ietool.tasks.ske.features.prior.PriorBuilder.add", full)
        code, _, err = prepare()
    assert code == 2 and "disk is full" in err and nothing_left(folder)


def test_failure_keeps_what_was_prepared_before(
    prepare: Prepare, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = statistics(prepare, "--output", "kept")
    (folder / "data/train.json").write_bytes(b"{\n")
    assert prepare("--output", "kept")[0] == 2
    assert (
        json.loads((folder / "kept/prepared.json").read_text(encoding="utf-8"))["report"]["statistics"]
        == first["statistics"]
    )


def test_foreign_folder_is_left_alone(prepare: Prepare, folder: Path) -> None:
    (folder / "mine").mkdir()
    (folder / "mine/letter.txt").write_text("山", encoding="utf-8")
    code, _, err = prepare("--output", "mine")
    assert code == 2 and "is not empty and no prepared folder" in err
    assert (folder / "mine/letter.txt").exists()


def test_interrupted(folder: Path) -> None:
    with (folder / "data/train.json").open("wb") as out:
        out.writelines(lines([film(i)]) for i in range(60_000))
    command = [sys.executable, "-m", "ietool", "prepare", "--recipe", "ske", "--data", "data"]
    process = subprocess.Popen(
        command, cwd=folder, stderr=subprocess.PIPE, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"}
    )
    deadline = time.monotonic() + 60
    while not list(folder.glob("prepared/ske/.preparing-*/.scratch-*")) and time.monotonic() < deadline:
        time.sleep(0.05)
    time.sleep(0.3)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert "nothing was written" in err and "Traceback" not in err
    assert nothing_left(folder)
