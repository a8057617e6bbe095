"""Entity linking through the real commands, on a slice of the corpus that ships."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from ietool.cli.app import run as ietool
from ietool.paths import shipped_data
from ietool.workflow.predict import load
from tests.cli.conftest import complaint

TINY = (
    "model.encoder.hidden_size=32",
    "model.head.attention_heads=2",
    "model.head.attention_head_size=4",
    "model.head.description=24",
    "training.epochs=8",
    "training.schedule=constant_with_warmup",
    "training.batch_size=16",
    "training.ema_decay=0.9",
    "training.learning_rate=1e-2",
    "training.warmup_epochs=0",
)


def settings(*more: str) -> list[str]:
    return [part for setting in (*TINY, *more) for part in ("--set", setting)]


def head(source: Path, target: Path, lines: int) -> None:
    rows = source.read_text(encoding="utf-8").splitlines(keepends=True)[:lines]
    target.write_text("".join(rows), encoding="utf-8")


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder, and a run trained on it."""
    folder = tmp_path_factory.mktemp("el")
    corpus = shipped_data("el")
    shutil.copy(corpus / "kb_data", folder / "kb_data")
    head(corpus / "train.jsonl", folder / "train.jsonl", 160)
    head(corpus / "dev.jsonl", folder / "dev.jsonl", 40)
    head(corpus / "test.jsonl", folder / "test.jsonl", 30)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("IETOOL_HOME", str(folder / "home"))
        arguments = ["train", "-r", "el", "--data", str(folder), "--output", str(folder / "run"), "--device", "cpu"]
        assert ietool([*arguments, *settings()]) == 0
    return folder


@pytest.fixture(autouse=True)
def home(work: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IETOOL_HOME", str(work / "home"))


def read(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_predictions_are_of_the_form_and_are_scored(work: Path, capsys: pytest.CaptureFixture[str]) -> None:
    result = work / "result.json"
    assert ietool(["predict", "--run", str(work / "run"), str(work / "test.jsonl"), "-o", str(result)]) == 0
    gold, found = read(work / "test.jsonl"), read(result)
    assert [(r["text_id"], r["text"]) for r in found] == [(r["text_id"], r["text"]) for r in gold]
    for record in found:
        for mention in record["mention_data"]:
            at = int(mention["offset"])
            assert record["text"][at : at + len(mention["mention"])] == mention["mention"]
            assert mention["kb_id"].isdigit()
    capsys.readouterr()
    arguments = ["score", "-r", "el", str(work / "test.jsonl"), str(result), "--json", "--kb", str(work / "run")]
    assert ietool(arguments) == 0
    scored = json.loads(capsys.readouterr().out)
    assert scored["metric"] == "ccks2019"
    assert 0.1 < scored["f1"] <= scored["mention_f1"] <= 1


def test_prepare_reports_the_floor_and_is_instant_again(work: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert ietool(["prepare", "-r", "el", "--data", str(work), "--json", *settings()]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["fresh"] is False
    dev = told["statistics"]["dev"]
    assert set(dev["floor"]) == {"2", "5", "10"}  # usual ones and the recipe's
    assert 0.3 < dev["floor"]["5"]["f1"] <= dev["floor"]["5"]["mention_f1"] < 1
    assert 0.5 < dev["oracle"]["recall"] < 1


def test_without_dev_a_share_of_train_is_held_out(
    work: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("kb_data", "train.jsonl"):
        shutil.copy(work / name, tmp_path / name)
    arguments = ["prepare", "-r", "el", "--data", str(tmp_path), "--json", *settings()]
    assert ietool([*arguments, "--set", "data.held_out=0.25"]) == 0
    told = json.loads(capsys.readouterr().out)
    train, dev = told["statistics"]["train"]["records"], told["statistics"]["dev"]["records"]
    assert train + dev + told["statistics"]["train"]["duplicates"] == 160
    assert 20 <= dev <= 60
    assert ietool([*arguments, "--set", "data.held_out=0"]) == 2
    assert "held_out" in capsys.readouterr().err


def test_batches_give_what_single_texts_give(work: Path) -> None:
    loaded = load(work / "run", "cpu", ["decode.mention=0.2", "decode.joint=0.1"])
    texts = [record["text"] for record in read(work / "test.jsonl")]
    together = loaded.predict(texts)
    for text, expected in zip(texts, together, strict=True):
        (alone,) = loaded.predict([text])
        assert [(m.start, m.end, m.kb_id) for m in alone.mentions] == [
            (m.start, m.end, m.kb_id) for m in expected.mentions
        ]
    assert any(result.mentions for result in together)


def test_a_long_text_is_read_to_its_end(work: Path) -> None:
    loaded = load(work / "run", "cpu", ["decode.mention=0.05", "decode.joint=0.05", "decode.link=0"])
    texts = [record["text"] for record in read(work / "test.jsonl")]
    joined = "。".join(texts * 20)
    (result,) = loaded.predict([joined])
    assert result.mentions
    assert all(joined[m.start : m.end] == m.mention for m in result.mentions)
    assert result.mentions[-1].end > len(joined) - 300
    assert all(a.end <= b.start for a, b in zip(result.mentions, result.mentions[1:], strict=False))


def test_another_knowledge_base_is_used_and_told(
    work: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    records = read(work / "kb_data")
    kept = [record for record in records if int(record["subject_id"]) % 2]
    other = tmp_path / "kb_data"
    other.write_text("".join(json.dumps(r, ensure_ascii=False) + "\n" for r in kept), encoding="utf-8")
    arguments = ["predict", "--run", str(work / "run"), str(work / "test.jsonl"), "--kb", str(other)]
    assert ietool(arguments) == 0
    shown = capsys.readouterr()
    assert "is not the one trained with" in shown.err
    ids = {m["kb_id"] for line in shown.out.splitlines() for m in json.loads(line)["mention_data"]}
    assert ids
    assert ids <= {record["subject_id"] for record in kept}
    assert ietool([*arguments[:-1], str(tmp_path / "none")]) == 2
    assert "none" in capsys.readouterr().err
    before = other.read_bytes()
    for kb in (other, tmp_path):  # a file, and the folder that it lies in
        assert "is the file that is read" in complaint(capsys, *arguments[:-1], kb, "--output", f"{tmp_path}/./kb_data")
        assert other.read_bytes() == before


def test_bad_records_are_told_or_left_out(work: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("kb_data", "dev.jsonl"):
        shutil.copy(work / name, tmp_path / name)
    good = (work / "train.jsonl").read_text(encoding="utf-8")
    bad = '{"text_id": "x", "text": "云朵之歌", "mention_data": [{"kb_id": "1", "mention": "云朵", "offset": 0}]}\n'
    wrong = '{"text_id": "y", "text": "云朵之歌", "mention_data": [{"kb_id": "1", "mention": "之歌", "offset": "1"}]}\n'
    (tmp_path / "train.jsonl").write_text(good + bad + wrong, encoding="utf-8")
    arguments = ["prepare", "-r", "el", "--data", str(tmp_path), *settings()]
    assert ietool(arguments) == 2
    error = capsys.readouterr().err
    assert "train.jsonl" in error and "161" in error and "mention_data[0].offset" in error
    assert ietool([*arguments, "--skip-bad", "--output", str(tmp_path / "out")]) == 0
    capsys.readouterr()
    assert [r["line"] for r in read(tmp_path / "out" / "rejects.jsonl")] == [161, 162]


@pytest.mark.parametrize("extra", ["model.head.mentions=pointers", "sampling.loss=pair", "data.nil=keep"])
def test_variants_train_and_predict(work: Path, tmp_path: Path, extra: str) -> None:
    corpus = shipped_data("el2020") if extra == "data.nil=keep" else work
    run = tmp_path / "run"
    given = ["--set", "decode.given_mentions=true"] if extra == "data.nil=keep" else []
    arguments = ["train", "-r", "el", "--data", str(corpus), "--output", str(run), "--device", "cpu"]
    assert ietool([*arguments, *settings(extra, "training.epochs=1"), *given]) == 0
    test = corpus / ("test.json" if given else "test.jsonl")
    assert ietool(["predict", "--run", str(run), str(test), "-o", str(tmp_path / "result.json")]) == 0
    found, gold = read(tmp_path / "result.json"), read(test)
    assert len(found) == len(gold)
    if given:  # every given mention is answered, with an id or a type
        assert [len(r["mention_data"]) for r in found] == [len(r["mention_data"]) for r in gold]
        assert {m["kb_id"].split("_")[0] for r in found for m in r["mention_data"]} - {"NIL"}
