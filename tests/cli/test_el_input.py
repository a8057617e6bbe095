"""Bad input of entity linking through the real commands: a slice of the corpus that ships, damaged here."""

from __future__ import annotations

import gzip
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ietool.cli.app import run as ietool
from ietool.paths import shipped_data

TRAIN, DEV = 30, 8
TINY = ("model.encoder.hidden_size=16", "model.head.attention_heads=2", "model.head.attention_head_size=4",
        "model.head.description=16", "training.epochs=1")  # fmt: skip
SETTINGS = [part for setting in TINY for part in ("--set", setting)]
Record = dict[str, Any]


def head(source: Path, lines: int) -> list[Record]:
    return [json.loads(line) for line in source.read_text(encoding="utf-8").splitlines()[:lines]]


def write(path: Path, records: list[Record | str]) -> Path:
    lines = (one if isinstance(one, str) else json.dumps(one, ensure_ascii=False) for one in records)
    path.write_text("".join(line + "\n" for line in lines), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder, shipped = tmp_path_factory.mktemp("corpus"), shipped_data("el")
    shutil.copy(shipped / "kb_data", folder)
    for name, lines in (("train", TRAIN), ("dev", DEV)):
        write(folder / f"{name}.jsonl", [*head(shipped / f"{name}.jsonl", lines)])
    return folder


@pytest.fixture
def data(corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy to be damaged."""
    monkeypatch.setenv("IETOOL_HOME", str(tmp_path / "home"))
    shutil.copytree(corpus, tmp_path / "data")
    return tmp_path / "data"


def prepare(data: Path, *more: str) -> int:
    output = data.parent / "out"
    return ietool(["prepare", "-r", "el", "--data", str(data), "--output", str(output), *SETTINGS, *more])


def refused(capsys: pytest.CaptureFixture[str], code: int) -> str:
    """The one line of a refusal."""
    shown = capsys.readouterr()
    lines = [line for line in shown.err.splitlines() if line.startswith("error: ")]
    assert code == 2 and len(lines) == 1 and "Traceback" not in shown.err, shown
    return lines[0]


def rejects(data: Path) -> list[tuple[str, int, str | None]]:
    lines = (data.parent / "out" / "rejects.jsonl").read_text(encoding="utf-8").splitlines()
    return [(Path(one["file"]).name, one["line"], one["field"]) for one in map(json.loads, lines)]


def mention(kb_id: Any, name: str, offset: Any) -> Record:
    return {"kb_id": kb_id, "mention": name, "offset": offset}


def text(*mentions: Any) -> Record:
    return {"text_id": "x", "text": "云朵的Song，林满唱", "mention_data": list(mentions)}


BAD: dict[str, tuple[Record | str, str, str]] = {
    "an integer offset": (
        text(mention("1", "云朵", 0)), "mention_data[0].offset", 'a string is needed: "offset": "0"'),
    "an integer id": (text(mention(1, "云朵", "0")), "mention_data[0].kb_id", 'a string is needed: "kb_id": "1"'),
    "an offset beside the mention": (
        text(mention("1", "云朵", "0"), mention("1", "林满", "6")), "mention_data[1].offset",
        "at 6 stands 'g，', but the mention is '林满' → offsets count characters from 0; '林满' stands at 8"),
    "a mention that the text lacks": (
        text(mention("1", "山水", "0")), "mention_data[0].offset", "at 0 stands '云朵', but the mention is '山水'"),
    "an offset behind the text": (
        text(mention("1", "云朵", "40")), "mention_data[0].offset", "40 is outside the text of 11 characters"),
    "an offset below 0": (text(mention("1", "云朵", "-1")), "mention_data[0].offset", "no number of characters: '-1'"),
    "an endless offset": (text(mention("1", "云朵", "9" * 5000)), "mention_data[0].offset", "is outside the text"),
    "a mention that runs over the end": (
        text(mention("1", "唱歌", "10")), "mention_data[0].offset", "at 10 stands '唱', but the mention is '唱歌'"),
    "no id": (text({"mention": "云朵", "offset": "0"}), "mention_data[0].kb_id", "is missing"),
    "an empty mention": (text(mention("1", "", "0")), "mention_data[0].mention", "is empty"),
    "mentions in one object": (text() | {"mention_data": {}}, "mention_data", "is an object, a list is needed"),
    "a test file": ({"text_id": "x", "text": "云朵"}, "mention_data", "is missing → is this a test file?"),
    "half a line": ('{"text_id": "x", "text": "云', "", "is not JSON"),
}  # fmt: skip


@pytest.mark.parametrize("kind", BAD)
def test_a_bad_training_record_is_named(data: Path, capsys: pytest.CaptureFixture[str], kind: str) -> None:
    bad, field, message = BAD[kind]
    with (data / "train.jsonl").open("a", encoding="utf-8") as out:
        out.write((bad if isinstance(bad, str) else json.dumps(bad, ensure_ascii=False)) + "\n")
    error = refused(capsys, prepare(data))
    assert f"train.jsonl:{TRAIN + 1}: {field}" in error and message in error and "→" in error
    assert not (data.parent / "out").exists()


def test_bad_records_of_every_file_are_left_out(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name, bad in (
        ("train.jsonl", [bad for bad, _, _ in BAD.values()]),
        ("dev.jsonl", [text(mention("1", "云", 0))]),
    ):
        lines = (data / name).read_text(encoding="utf-8").splitlines()
        write(data / name, [*lines, *bad])
    entities = (data / "kb_data").read_text(encoding="utf-8").splitlines()
    first = json.loads(entities[0])
    good = {"alias": ["", " "], "subject_id": "yes", "subject": "云", "type": [], "data": []}
    long = good | {"subject_id": "long", "subject": "山" * 200, "alias": []}
    write(data / "kb_data", [*entities, entities[1][:50], first | {"subject": "水"}, good, long])
    assert prepare(data, "--skip-bad", "--json") == 0
    numbers = json.loads(capsys.readouterr().out)["statistics"]
    count = len(entities)
    expected = [("kb_data", count + 1, None), ("kb_data", count + 2, "subject_id")]
    expected += [("train.jsonl", TRAIN + 1 + i, field or None) for i, (_, field, _) in enumerate(BAD.values())]
    assert rejects(data) == [*expected, ("dev.jsonl", DEV + 1, "mention_data[0].offset")]
    assert numbers["train"]["records"] == TRAIN and numbers["dev"]["records"] == DEV
    assert numbers["train"]["rejected"] == len(BAD) and numbers["kb"]["entities"] == count + 2
    assert ietool(["kb", "lookup", str(data.parent / "out"), "云", "山" * 200, "--json"]) == 0
    assert [one["kb_id"] for one in json.loads(capsys.readouterr().out)] == ["yes", "long"]
    assert ietool(["kb", "stats", str(data.parent / "out"), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["rejected"], told["empty_aliases"]) == (2, 2)


@pytest.mark.parametrize(
    "damage, message",
    [
        (lambda lines: [lines[0][: len(lines[0]) // 2], *lines[1:]], "kb_data:1: is not JSON"),
        (lambda lines: [*lines, lines[4]], "stands already in line 5"),
        (lambda lines: [], "kb_data: holds no record"),
    ],
    ids=["cut in half", "twice", "empty"],
)
def test_a_bad_knowledge_base_is_named(
    data: Path, capsys: pytest.CaptureFixture[str], damage: Callable[[list[str]], list[Record | str]], message: str
) -> None:
    write(data / "kb_data", damage((data / "kb_data").read_text(encoding="utf-8").splitlines()))
    assert message in refused(capsys, prepare(data))
    assert not (data.parent / "out").exists()


def test_ids_that_the_knowledge_base_lacks_are_counted(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    records = head(data / "train.jsonl", TRAIN)
    linked = [m for one in records for m in one["mention_data"] if m["kb_id"] != "NIL"]
    for m in linked[:3]:
        m["kb_id"] = "9999999"
    write(data / "train.jsonl", [*records])
    assert prepare(data) == 0
    assert "train: 3 mentions have an id that the knowledge base lacks" in " ".join(capsys.readouterr().err.split())
    assert prepare(data, "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert told["fresh"] is False and told["statistics"]["train"]["unknown_ids"] == 3
    assert told["statistics"]["train"]["records"] == TRAIN


def test_a_changed_knowledge_base_is_prepared_anew(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["prepare", "-r", "el", "--data", str(data), "--json", *SETTINGS]
    fresh = []
    for _ in range(2):
        assert ietool(arguments) == 0
        fresh.append(json.loads(capsys.readouterr().out)["fresh"])
    with (data / "kb_data").open("a", encoding="utf-8") as out:
        out.write('{"alias": [], "subject_id": "new", "subject": "云", "type": [], "data": []}\n')
    assert ietool(arguments) == 0
    assert [*fresh, json.loads(capsys.readouterr().out)["fresh"]] == [True, False, True]


@pytest.fixture(scope="module")
def trained(corpus: Path) -> Path:
    """A run that has hardly learnt anything."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("IETOOL_HOME", str(corpus.parent / "home"))
        arguments = ["train", "-r", "el", "--data", str(corpus), "--output", str(corpus.parent / "run")]
        assert ietool([*arguments, "--device", "cpu", *SETTINGS]) == 0
    return corpus.parent / "run"


def predict(trained: Path, data: Path, *more: object) -> int:
    write(data / "test.jsonl", [{"text_id": "5", "text": "云朵的Song，林满唱"}])
    return ietool(["predict", "--run", str(trained), str(data / "test.jsonl"), *map(str, more)])


def test_a_knowledge_base_that_changed_since_training_is_said(
    trained: Path, data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    raw = data / "kb_data"
    with gzip.open(data / "kb_data.gz", "wb") as out:
        out.write(raw.read_bytes())
    for same in (raw, data / "kb_data.gz", trained, trained / "kb"):
        assert predict(trained, data, "--kb", same) == 0
        shown = capsys.readouterr()
        assert "is not the one trained with" not in shown.err, same
        assert json.loads(shown.out)["text_id"] == "5"
    # One character of one description, and nothing else.
    records = head(raw, 10_000)
    records[0]["data"][0]["object"] += "。"
    write(raw, [*records])
    assert predict(trained, data, "--kb", raw) == 0
    error = capsys.readouterr().err
    assert f"the knowledge base {raw} ({len(records)} entities) is not the one trained with ({len(records)}" in error
    write(raw, [*records[:100]])
    assert predict(trained, data, "--kb", raw) == 0
    assert f"(100 entities) is not the one trained with ({len(records)} entities)" in capsys.readouterr().err


def test_a_knowledge_base_that_cannot_be_used_ends_a_prediction(
    trained: Path, data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    result = data / "result.json"
    assert "none: no such file" in refused(capsys, predict(trained, data, "--kb", data / "none", "-o", result))
    lines = (data / "kb_data").read_text(encoding="utf-8").splitlines()
    write(data / "kb_data", [*lines[:6], lines[6][:40]])
    assert "kb_data:7: is not JSON" in refused(capsys, predict(trained, data, "--kb", data / "kb_data", "-o", result))
    shutil.copytree(trained, data / "run")
    (data / "run" / "kb" / "names.arrow").unlink()
    assert "names.arrow: is missing" in refused(capsys, predict(data / "run", data, "-o", result))
    shutil.rmtree(data / "run" / "kb")
    assert "is no compiled knowledge base" in refused(capsys, predict(data / "run", data, "-o", result))
    assert not result.exists()


@pytest.mark.parametrize("name", ["annotations.jsonl", "characters.txt", "types.txt"])
def test_a_run_that_lacks_a_file_is_told(
    trained: Path, data: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    shutil.copytree(trained, data / "run")
    (data / "run" / name).unlink()
    error = refused(capsys, predict(data / "run", data))
    assert name in error and "→ train again, or copy the run folder whole" in error


@pytest.mark.parametrize("name", ["characters.txt", "types.txt"])
def test_a_file_of_another_run_is_told(
    trained: Path, data: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    shutil.copytree(trained, data / "run")
    lines = (data / "run" / name).read_text(encoding="utf-8").splitlines()
    (data / "run" / name).write_text("\n".join(lines[:-1]) + "\n", encoding="utf-8")
    assert f"{name}: does not fit the model beside it → train again" in refused(capsys, predict(data / "run", data))


@pytest.mark.parametrize(
    "line, message",
    [
        ('{"text_id": 5, "text": "云朵"}', 'test.json:2: text_id: is a number, a string is needed: "text_id": "5"'),
        ('{"text_id": "5"}', "test.json:2: text: is missing"),
        ('{"text_id": "5", "text": "云', "test.json:2: is not JSON"),
        (
            '{"text_id": "5", "text": "云朵", "mention_data": [{"mention": "云朵", "offset": 0}]}',
            "test.json:2: mention_data[0].offset: is a number",
        ),
    ],
)
def test_a_bad_text_to_predict_on_is_named(
    trained: Path, data: Path, capsys: pytest.CaptureFixture[str], line: str, message: str
) -> None:
    write(data / "test.json", ['{"text_id": "4", "text": "云朵"}', line])
    result = data / "result.json"
    error = refused(capsys, ietool(["predict", "--run", str(trained), str(data / "test.json"), "-o", str(result)]))
    assert message in error and not result.exists()


def test_texts_without_ids_or_characters_keep_their_line(
    trained: Path, data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(
        data / "test.json", ['{"text": "云朵"}', '{"text_id": "b", "text": ""}', '{"text_id": "c", "text": " \\u2028"}']
    )
    assert ietool(["predict", "--run", str(trained), str(data / "test.json")]) == 0
    found = [json.loads(line) for line in capsys.readouterr().out.split("\n") if line]
    assert [one["text_id"] for one in found] == ["1", "b", "c"]
    assert [one["text"] for one in found] == ["云朵", "", " \u2028"]
