"""``--recipe el-cross`` through the real commands, on a small flow and an encoder made on the spot."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from transformers import AutoModel

import ietool.auto
from ietool.cli.app import run as ietool
from ietool.tasks.el.heads.cross.model import CrossModel
from ietool.workflow.predict import load
from tests.tasks.el.made import make_data, make_encoder, settings_for


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An encoder, data of both forms, and a run trained on the first."""
    folder = tmp_path_factory.mktemp("el-cross")
    make_data(folder / "data")
    make_data(folder / "data2020", "ccks2020")
    make_encoder(folder / "encoder", dropout=0.0)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("IETOOL_HOME", str(folder / "home"))
        assert train(folder, "training.epochs=8", "training.batch_size=4") == 0
    return folder


@pytest.fixture(autouse=True)
def home(work: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IETOOL_HOME", str(work / "home"))


def train(work: Path, *settings: str, data: str = "data", run: str = "run", more: tuple[str, ...] = ()) -> int:
    arguments = ["train", "-r", "el-cross", "--data", work / data, "--output", work / run, "--device", "cpu", *more]
    return ietool([*map(str, arguments), *settings_for(work / "encoder", *settings)])


def read(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def scored(capsys: pytest.CaptureFixture[str], gold: Path, result: Path, kb: Path) -> dict[str, Any]:
    capsys.readouterr()
    assert ietool(["score", "-r", "el-cross", str(gold), str(result), "--json", "--kb", str(kb)]) == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def test_train_predict_score(work: Path, capsys: pytest.CaptureFixture[str]) -> None:
    gold, result = work / "data" / "dev.json", work / "result.json"
    assert ietool(["predict", "--run", str(work / "run"), str(gold), "-o", str(result)]) == 0
    found = read(result)
    assert [(r["text_id"], r["text"]) for r in found] == [(r["text_id"], r["text"]) for r in read(gold)]
    for record in found:
        for mention in record["mention_data"]:
            at = int(mention["offset"])
            assert record["text"][at : at + len(mention["mention"])] == mention["mention"]
            assert mention["kb_id"].isdigit()
    report = scored(capsys, gold, result, work / "run")
    assert report["metric"] == "ccks2019"
    # Names that mean several things, told apart by the text: the first of each alone would not do.
    assert report["f1"] > 0.6 and report["mention_f1"] > 0.8
    best = json.loads((work / "run" / "run.json").read_text(encoding="utf-8"))["best"]
    assert best["score"] == pytest.approx(report["f1"], abs=1e-6)


def test_prepare_tells_what_the_encoder_can_express(work: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["prepare", "-r", "el-cross", "--data", str(work / "data"), *settings_for(work / "encoder")]
    capsys.readouterr()
    assert ietool([*arguments, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["fresh"] is False  # train prepared the same
    assert told["statistics"]["dev"]["oracle"]["lost"]["a token of the encoder lies across its border"] == 0
    assert any("tokens, none of more than 20" in note for note in told["notes"])
    assert ietool([*arguments, "--set", "model.encoder.cut_vocabulary=true", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["fresh"] is True
    assert ietool([*arguments, "--set", "model.head.dropout=0.3", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["folder"] == told["folder"]


def test_batches_give_what_single_texts_give(work: Path) -> None:
    loaded = load(work / "run", "cpu", ["decode.mention=0.2", "decode.joint=0.1"])
    texts = [record["text"] for record in read(work / "data" / "test.json")]
    together = loaded.predict(texts)
    for text, expected in zip(texts, together, strict=True):
        (alone,) = loaded.predict([text])
        assert [(m.start, m.end, m.kb_id) for m in alone.mentions] == [
            (m.start, m.end, m.kb_id) for m in expected.mentions
        ]
    assert sum(len(result.mentions) for result in together) > 15


def test_a_run_opens_as_any_model_does(work: Path) -> None:
    model = AutoModel.from_pretrained(work / "run")
    assert isinstance(model, CrossModel)
    own = load(work / "run", "cpu").predictor.reader.model  # type: ignore[attr-defined]
    for name, tensor in model.state_dict().items():
        assert tensor.equal(own.state_dict()[name]), name


def test_the_2020_form_with_given_mentions(work: Path, capsys: pytest.CaptureFixture[str]) -> None:
    settings = ("data.nil=keep", "decode.given_mentions=true", "training.epochs=5", "training.batch_size=4")
    assert train(work, *settings, data="data2020", run="run2020") == 0
    test, dev = work / "data2020" / "test.json", work / "data2020" / "dev.json"
    result = work / "result2020.json"
    assert ietool(["predict", "--run", str(work / "run2020"), str(test), "-o", str(result)]) == 0
    found, given = read(result), read(test)
    assert [[(m["mention"], m["offset"]) for m in r["mention_data"]] for r in found] == [
        [(m["mention"], m["offset"]) for m in r["mention_data"]] for r in given
    ]
    answers = {m["kb_id"] for r in found for m in r["mention_data"]}
    assert {"NIL_Location"} <= answers and any(a.isdigit() for a in answers)
    assert all(a.isdigit() or a in ("NIL_Location", "NIL_Other") for a in answers)
    assert ietool(["predict", "--run", str(work / "run2020"), str(dev), "-o", str(result)]) == 0
    report = scored(capsys, dev, result, work / "run2020")
    assert report["metric"] == "ccks2020" and report["f1"] > 0.6


def test_nil_is_found_too(work: Path) -> None:
    """Kept, with no mention given: a mention whose entity the knowledge base lacks has a type."""
    run = work / "run2020"
    loaded = load(run, "cpu", ["decode.given_mentions=false", "decode.mention=0", "decode.joint=0"])
    found = loaded.predict([r["text"] for r in read(work / "data2020" / "test.json")])
    ids = {m.kb_id for linking in found for m in linking.mentions}
    assert ids - {"NIL_Other", "NIL_Location"} and all(i.isdigit() or i.startswith("NIL_") for i in ids)


def test_overfit_fits(work: Path, capsys: pytest.CaptureFixture[str]) -> None:
    settings = ("decode.restrict=0", "decode.mention=0.5", "decode.joint=0", "training.patience=0")
    assert train(work, *settings, run="overfit", more=("--overfit", "20")) == 0
    assert "self-check: the records are fitted" in capsys.readouterr().err


@pytest.mark.parametrize(
    "setting",
    ["training.r_drop=2", "training.adversarial=0.5", "model.encoder.cut_vocabulary=true", "training.frozen_layers=1",
     "training.gradient_checkpointing=true", "data.word_vectors=VECTORS", "model.head.habits=false",
     "model.head.ranked=every"],
)  # fmt: skip
def test_variants_train_and_predict(work: Path, tmp_path: Path, setting: str) -> None:
    if "VECTORS" in setting:
        path = tmp_path / "vectors.txt"
        path.write_text("2 4\n云朵 1 0 0.5 1\n林满 0 1 1 0.25\n", encoding="utf-8")
        setting = setting.replace("VECTORS", str(path))
    assert train(work, setting, "training.layer_decay=0.9", run=str(tmp_path / "run")) == 0
    result = tmp_path / "result.json"
    options = ["--set", "decode.mention=0", "--set", "decode.joint=0"]
    arguments = [
        "predict",
        "--run",
        str(tmp_path / "run"),
        str(work / "data" / "test.json"),
        "-o",
        str(result),
        *options,
    ]
    assert ietool(arguments) == 0
    assert sum(len(r["mention_data"]) for r in read(result)) > 15
    AutoModel.from_pretrained(tmp_path / "run")


@pytest.mark.parametrize(
    "settings, message",
    [
        (("sampling.loss=pair",), "--set sampling.loss: there is no such key → it acts with model.head=joint; "),
        (("model.mentions=pointers",),
         "--set model.head.mentions: there is no such key → it acts with model.head=joint; model.head has: "),
        (("data.nil=keep", "model.ranked=several"),
         "--set model.head.ranked: must be every or auto where data.nil is keep, not 'several'"),
        (("model.encoder=dgcnn",), "--set model.encoder.kind: should be 'pretrained', not 'characters'"),
        (("model.head=joint",), "--set model.head.size: there is no such key (and 2 more problems) → it acts with "),
        (("model.encoder=no/such/folder/or/id",), "model.encoder: 'no/such/folder/or/id' is no folder"),
        (("model.head.query=100", "model.head.description=100"),
         "model.encoder: the encoder reads 128 tokens, a mention and a description may have 208"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_told_before_anything_is_prepared(
    work: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch,
    settings: tuple[str, ...], message: str,
) -> None:  # fmt: skip
    monkeypatch.setenv("IETOOL_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    for verb in ("prepare", "train"):
        capsys.readouterr()
        arguments = [verb, "-r", "el-cross", "--data", str(work / "data"), "-o", str(tmp_path / verb)]
        assert ietool([*arguments, *settings_for(work / "encoder", *settings)]) == 2
        error = capsys.readouterr().err
        assert error.startswith(f"error: {message}") and error.count("\n") == 1 and " → " in error
        assert not (tmp_path / verb).exists() or not any((tmp_path / verb).iterdir())


def test_a_folder_that_is_no_encoder_is_told(work: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "empty").mkdir()
    arguments = ["prepare", "-r", "el-cross", "--data", str(work / "data"), *settings_for(tmp_path / "empty")]
    capsys.readouterr()
    assert ietool(arguments) == 2
    error = capsys.readouterr().err
    assert "model.encoder: holds no config.json that transformers can load" in error and error.count("\n") == 1


def test_the_head_of_the_other_recipe(work: Path, capsys: pytest.CaptureFixture[str]) -> None:
    told = ("--set model.encoder.name: there is no such key", "model.encoder.kind: should be 'pretrained'")
    for settings, message in zip((["model.encoder=somewhere"], ["model.head=cross"]), told, strict=True):
        changes = [part for setting in settings for part in ("--set", setting)]
        assert ietool(["prepare", "-r", "el", "--data", str(work / "data"), *changes]) == 2
        error = capsys.readouterr().err
        assert message in error and error.count("\n") == 1
