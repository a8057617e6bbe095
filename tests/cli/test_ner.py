"""Named entities through the real commands: both heads, both kinds of encoder, both forms of files."""

from __future__ import annotations

import io
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from ietool.cli.app import run as ietool
from ietool.workflow.predict import load
from tests.cli.conftest import Ietool, Printed, complaint
from tests.tasks.ner.made import acting, encoder_folder, examples, write_json, write_tags

LEARNING = (
    "model.encoder.hidden_size=32", "model.encoder.dilations=[1,2]", "model.encoder.embedding_dropout=0.1",
    "model.head.size=16", "model.head.transition_scale=3", "data.window=32", "data.overlap=12",
    "data.min_char_count=1", "training.epochs=3", "training.batch_size=8", "training.learning_rate=5e-3",
    "training.head_learning_rate=1e-2", "training.schedule=constant_with_warmup", "training.warmup_epochs=0",
    "training.ema_decay=0.9", "training.evaluate_raw=false", "training.precision=fp32",
)  # fmt: skip

RUNS = {
    "crf-characters": ("ner-crf", "json", False),
    "crf-bert": ("ner-crf", "tags", True),
    "gp-characters": ("ner-globalpointer", "tags", False),
    "gp-bert": ("ner-globalpointer", "json", True),
}
"""Name → recipe, form of the files, on a pretrained encoder."""


def settings(recipe: str, *more: str) -> list[str]:
    return [part for setting in acting(recipe, LEARNING, *more) for part in ("--set", setting)]


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two data folders of the same texts, and an encoder."""
    folder = tmp_path_factory.mktemp("ner")
    parts = {"train": examples(160), "dev": examples(24, seed=2), "test": examples(30, seed=3)}
    (folder / "json").mkdir()
    (folder / "tags").mkdir()
    for name, some in parts.items():
        write_json(folder / "json" / f"{name}.json", some)
        write_tags(folder / "tags" / f"{name}.char.bmes", some)
    encoder_folder(folder / "tiny")
    return folder


@pytest.fixture(autouse=True)
def home(work: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IETOOL_HOME", str(work / "home"))


@pytest.fixture(scope="module")
def trained(work: Path) -> Callable[[str], Path]:
    """The run of a name, trained when it is first asked for."""

    def run(name: str) -> Path:
        recipe, form, pretrained = RUNS[name]
        folder = work / name
        if not folder.exists():
            more = [f"model.encoder={work / 'tiny'}"] if pretrained else []
            arguments = ["train", "-r", recipe, "--data", work / form, "--output", folder, "--device", "cpu"]
            assert ietool([*map(str, arguments), *settings(recipe, *more)]) == 0
        return folder

    return run


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


# -- the four verbs


@pytest.mark.parametrize("name", RUNS)
def test_train_predict_and_score(work: Path, trained: Callable[[str], Path], printed: Printed, name: str) -> None:
    recipe, form, _ = RUNS[name]
    run = trained(name)
    gold = next((work / form).glob("test*"))
    result = work / f"{name}-result"
    printed("predict", "--run", run, gold, "-o", result)
    metric = {"json": "span", "tags": "seqeval"}[form]
    scored = json.loads(printed("score", "-r", recipe, gold, result, "--json"))
    assert scored["metric"] == metric and scored["texts"] == 30
    assert 0.2 < scored["f1"] <= 1, scored
    for other in ("seqeval", "span", "cluener"):
        assert json.loads(printed("score", "-r", recipe, gold, result, "--json", "--metric", other))["f1"] > 0.1
    if form == "json":
        texts = [record["text"] for record in lines(gold)]
        found = lines(result)
        assert [record["text"] for record in found] == texts
        for record in found:
            for names in record["label"].values():
                for string, spans in names.items():
                    assert all(record["text"][a : b + 1] == string for a, b in spans)
    else:
        ours, theirs = (path.read_text(encoding="utf-8").split("\n") for path in (result, gold))
        assert [line.split(" ")[0] for line in ours] == [line.split(" ")[0] for line in theirs]
        letters = {line.split(" ")[1][0] for line in ours if line}
        assert letters <= set("OBMES") and "B" in letters


@pytest.mark.parametrize("name", RUNS)
def test_the_score_on_dev_is_that_of_the_training(
    work: Path, trained: Callable[[str], Path], printed: Printed, name: str
) -> None:
    recipe, form, _ = RUNS[name]
    dev = next((work / form).glob("dev*"))
    printed("predict", "--run", trained(name), dev, "-o", work / "dev-result")
    scored = json.loads(printed("score", "-r", recipe, dev, work / "dev-result", "--json"))
    best = json.loads((trained(name) / "run.json").read_text(encoding="utf-8"))["best"]
    assert best["metric"] == scored["metric"] and best["score"] == pytest.approx(scored["f1"], abs=1e-6)


def test_prepare_counts_names_the_form_and_is_instant_again(work: Path, printed: Printed) -> None:
    for form, name in (("json", "cluener"), ("tags", "bmes")):
        told = json.loads(printed("prepare", "-r", "ner-crf", "--data", work / form, "--json", *settings("ner-crf")))
        train = told["statistics"]["train"]
        assert train["texts"] == 160 and train["forms"] == {name: 160} and train["oracle"]["recall"] == 1.0
    assert (
        json.loads(printed("prepare", "-r", "ner-crf", "--data", work / "json", "--json", *settings("ner-crf")))[
            "fresh"
        ]
        is False
    )
    shown = printed("prepare", "-r", "ner-crf", "--data", work / "tags", *settings("ner-crf"))
    assert "Entities by type" in shown and "Oracle recall" in shown and "bmes" in shown


def test_overfitting(work: Path, printed: Printed) -> None:
    for recipe in ("ner-crf", "ner-globalpointer"):
        told = printed("train", "-r", recipe, "--data", work / "json", "--overfit", 8, "--device", "cpu",
                       *settings(recipe))  # fmt: skip
        assert "1.000 1.000 1.000" in told, told


# -- ways to ask


def test_a_text_is_shown_as_a_table(trained: Callable[[str], Path], printed: Printed) -> None:
    shown = printed("predict", "--run", trained("crf-characters"), "--text", "林满在云州工作。")
    assert "林满在云州工作。" in shown and "probability" in shown and "人物" in shown
    assert "no entity found" in printed("predict", "--run", trained("gp-bert"), "--text", "。",
                                        "--set", "decode.threshold=0.999")  # fmt: skip


@pytest.mark.parametrize("name", ["crf-characters", "gp-characters"])
def test_standard_streams(
    work: Path, trained: Callable[[str], Path], printed: Printed, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    gold = next((work / RUNS[name][1]).glob("test*"))
    printed("predict", "--run", trained(name), gold, "-o", work / "by-file")
    monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=io.BytesIO(gold.read_bytes())))
    assert printed("predict", "--run", trained(name), "-", "-o", "-") == (work / "by-file").read_text(encoding="utf-8")


def test_a_run_of_tags_reads_json_and_the_other_way(
    work: Path, trained: Callable[[str], Path], printed: Printed
) -> None:
    """The form of the input is kept; a run that learnt from JSON writes tags as BIO."""
    printed("predict", "--run", trained("gp-characters"), work / "json" / "test.json", "-o", work / "a.json")
    assert len(lines(work / "a.json")) == 30
    printed("predict", "--run", trained("crf-characters"), work / "tags" / "test.char.bmes", "-o", work / "b.bio")
    letters = {line.split(" ")[1][0] for line in (work / "b.bio").read_text(encoding="utf-8").split("\n") if line}
    assert letters == set("OBI")


def test_ids_are_kept_and_empty_texts_answered(
    work: Path, tmp_path: Path, trained: Callable[[str], Path], printed: Printed
) -> None:
    (tmp_path / "in").write_text('{"id": 0, "text": "林满在云州工作。"}\n{"id": "x", "text": ""}\n', encoding="utf-8")
    printed("predict", "--run", trained("crf-characters"), tmp_path / "in", "-o", tmp_path / "out")
    found = lines(tmp_path / "out")
    assert [record["id"] for record in found] == [0, "x"] and found[1]["label"] == {} and "text" not in found[0]
    assert found[0]["label"]


def test_python_gives_what_the_command_gives(
    work: Path, tmp_path: Path, trained: Callable[[str], Path], printed: Printed
) -> None:
    texts = [e.text for e in examples(10, seed=8)] + ["".join(e.text for e in examples(9, seed=9))]
    (tmp_path / "in").write_text("".join(json.dumps({"text": t}) + "\n" for t in texts), encoding="utf-8")
    for name in ("crf-characters", "gp-bert"):
        loaded = load(trained(name), "cpu")
        together = loaded.predict(texts)
        printed("predict", "--run", trained(name), tmp_path / "in", "-o", tmp_path / "out")
        for text, found, record in zip(texts, together, lines(tmp_path / "out"), strict=True):
            assert all(text[e.start : e.end] == e.text for e in found.entities)
            spans = {(kind, *at) for kind, names in record["label"].items() for all_ in names.values() for at in all_}
            assert spans == {(e.type, e.start, e.end - 1) for e in found.entities}
            (alone,) = loaded.predict([text])
            assert [e.text for e in alone.entities] == [e.text for e in found.entities]


def test_every_way_to_train_a_pretrained_encoder(work: Path, tmp_path: Path, printed: Printed) -> None:
    """Switches that meet the model in places of their own: cut vocabulary, FGM, R-Drop, layers, checkpointing."""
    small = write_json(tmp_path / "t", examples(24))
    lower = ("training.layer_decay=0.9", "training.frozen_layers=1", "model.head.tags=bio")
    for recipe, more in (("ner-crf", lower), ("ner-globalpointer", ("training.adversarial=0.5",))):
        run = tmp_path / recipe
        printed("train", "-r", recipe, "--train", small, "--dev", small, "--output", run, "--device", "cpu",
                *settings(recipe, f"model.encoder={work / 'tiny'}", "model.encoder.cut_vocabulary=true",
                          "training.r_drop=4", "training.gradient_checkpointing=true", "training.epochs=1",
                          *more))  # fmt: skip
        printed("predict", "--run", run, small, "-o", tmp_path / "out")
        assert len(lines(tmp_path / "out")) == 24


# -- mistakes and damage


@pytest.mark.parametrize(
    ("content", "told"),
    [("{}\n", "in:1: text: is missing"), ("林 O x\n", "in:1: has 3 columns"), ('{"text": "林', "in:1: is not JSON")],
)
def test_bad_input_to_predict_leaves_no_output(
    tmp_path: Path, trained: Callable[[str], Path], capsys: pytest.CaptureFixture[str], content: str, told: str
) -> None:
    (tmp_path / "in").write_text(content, encoding="utf-8")
    error = complaint(capsys, "predict", "--run", trained("crf-characters"), tmp_path / "in", "-o", tmp_path / "out")
    assert told in error and not (tmp_path / "out").exists()


@pytest.mark.parametrize("name", ["crf-characters", "crf-bert"])
def test_a_damaged_run_is_told(
    tmp_path: Path, trained: Callable[[str], Path], capsys: pytest.CaptureFixture[str], name: str
) -> None:
    run = trained(name)
    own = "characters.txt" if (run / "characters.txt").is_file() else "tokenizer.json"
    for at, (file, content) in enumerate(
        [("labels.json", None), ("labels.json", "{"), (own, ""), ("model.safetensors", "x"), ("config.json", "{}"),
         ("recipe.yaml", "name: ner-crf\ntask: ner\nmodel: {head: globalpointer}\n")]
    ):  # fmt: skip
        copy = shutil.copytree(run, tmp_path / f"{at}", ignore=shutil.ignore_patterns("checkpoints"))
        if content is None:
            (copy / file).unlink()
        else:
            assert (copy / file).is_file(), file
            (copy / file).write_text(content, encoding="utf-8")
        error = complaint(capsys, "predict", "--run", copy, "--text", "林满")
        assert str(copy) in error, (file, error)


def test_explained(work: Path, printed: Printed) -> None:
    gold = work / "tags" / "test.char.bmes"
    printed("score", "-r", "ner-crf", gold, gold, "--explain", work / "why.jsonl")
    rows = lines(work / "why.jsonl")
    assert {row["verdict"] for row in rows} == {"right"} and {"text", "entity", "type", "start", "end"} <= set(rows[0])


def test_commands_of_their_own_process(work: Path, ietool: Ietool) -> None:
    done = ietool(
        "score", "-r", "ner-crf", work / "tags" / "test.char.bmes", work / "tags" / "test.char.bmes", "--json"
    )
    assert done.returncode == 0 and json.loads(done.stdout)["f1"] == 1.0, done.stderr
    done = ietool("predict", "-r", "ner-crf", work / "gone.json")
    assert done.returncode == 2 and done.stdout == "" and done.stderr.count("\n") == 1
