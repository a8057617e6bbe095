"""Question answering on pretrained encoders through the real commands. All sentences are invented."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import torch
from transformers import AutoConfig, AutoModel

import ietool.auto  # noqa: F401
from ietool.cli.app import run as command
from ietool.tasks.qa import QaTask
from ietool.workflow.predict import load
from tests.cli.conftest import complaint
from tests.cli.conftest import output_of as printed
from tests.tasks.qa.made import WEATHER, dump, encoder_folder, fact, small, squad, webqa

HEADS = ("span", "mlm")


class Trained(NamedTuple):
    folder: Path
    encoder: Path
    runs: dict[str, Path]


def settings(head: str, encoder: Path, *more: str) -> list[str]:
    return [part for setting in (*small(head), f"model.encoder={encoder}", *more) for part in ("--set", setting)]


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """Files of both forms, and a run of each head: span on questions of which some have no answer, mlm on lists."""
    folder = tmp_path_factory.mktemp("qa-encoders")
    encoder = encoder_folder(folder / "encoder", size=32)
    for name, count, first in (("train", 40, 0), ("dev", 8, 50), ("test", 6, 60)):
        dump(folder / "squad" / f"{name}.json", squad(count, first))
        dump(folder / "webqa" / f"{name}.json", webqa(count, first))
    runs = {"span": folder / "span", "mlm": folder / "mlm"}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("IETOOL_HOME", str(folder / "home"))
        for head, form, more in (
            ("span", "squad", ("training.r_drop=1", "model.cut_vocabulary=true")),
            ("mlm", "webqa", ("training.adversarial=0.5", "training.layer_decay=0.9")),
        ):
            arguments = ["train", "-r", f"qa-{head}", "--data", str(folder / form), "--output", str(runs[head])]
            assert command([*arguments, "--device", "cpu", *settings(head, encoder, *more)]) == 0
    return Trained(folder, encoder, runs)


@pytest.fixture(autouse=True)
def home(work: Trained, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IETOOL_HOME", str(work.folder / "home"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)


# -- the four verbs


def test_questions_with_and_without_an_answer(work: Trained, capsys: pytest.CaptureFixture[str]) -> None:
    run, gold, result = work.runs["span"], work.folder / "squad" / "test.json", work.folder / "span.json"
    recipe = load(run, "cpu").recipe
    # How sure an answer must be was found on dev, and is part of the run.
    assert recipe.decode.none == "no answer" and "no_answer" in (run / "recipe.yaml").read_text(encoding="utf-8")
    printed(capsys, "predict", "--run", run, gold, "-o", result)
    found = json.loads(result.read_text(encoding="utf-8"))
    assert list(found) == [f"s{number}" for number in range(60, 66)]
    for number, answer in enumerate(found.values(), 60):
        assert answer == "no answer" or answer in (fact(number)[1] + WEATHER + "没有人知道。")
    for metric in ("cmrc2018", "dureader_robust"):
        told = json.loads(printed(capsys, "score", "-r", "qa-span", gold, result, "--json", "--metric", metric))
        assert told["metric"] == metric and {"f1", "em"} <= set(told)


def test_lists_of_passages(work: Trained, capsys: pytest.CaptureFixture[str]) -> None:
    gold = work.folder / "webqa" / "test.json"
    for head in HEADS:
        result = work.folder / f"{head}-lists.json"
        printed(capsys, "predict", "--run", work.runs[head], gold, "-o", result)
        found = json.loads(result.read_text(encoding="utf-8"))
        assert list(found) == [f"w{number}" for number in range(60, 66)]
        told = json.loads(printed(capsys, "score", "-r", f"qa-{head}", gold, result, "--json"))
        assert told["metric"] == "sogouqa" and 0 <= told["f1"] <= 1


@pytest.mark.parametrize("head", HEADS)
def test_candidates_are_slices_of_their_passages(head: str, work: Trained, capsys: pytest.CaptureFixture[str]) -> None:
    gold = work.folder / "webqa" / "test.json"
    shown = printed(capsys, "predict", "--run", work.runs[head], gold, "--nbest", 4)
    found = [json.loads(line) for line in shown.splitlines()]
    assert len(found) == 6
    for one, record in zip(found, webqa(6, 60), strict=True):
        assert len(one["candidates"]) == 4 if head == "span" else len(one["candidates"]) <= 2
        scores = [c["score"] for c in one["candidates"]]
        assert scores == sorted(scores, reverse=True)
        for c in one["candidates"]:
            assert record["passages"][c["passage"]]["passage"][c["start"] : c["end"]] == c["answer"]


@pytest.mark.parametrize("head", HEADS)
def test_the_run_stands_alone(head: str, work: Trained, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither the encoder's folder nor that of the data is needed any more, and AutoModel opens it."""
    hidden = work.encoder.with_name("hidden")
    os.rename(work.encoder, hidden)
    try:
        text = f"{fact(60)[0]}\t{fact(60)[1]}"
        loaded = load(work.runs[head], "cpu")
        assert loaded.predict([text])[0].question == fact(60)[0]
        ours, theirs = QaTask().load_model(work.runs[head]), AutoModel.from_pretrained(work.runs[head])
    finally:
        os.rename(hidden, work.encoder)
    assert type(theirs) is type(ours)
    assert AutoConfig.from_pretrained(work.runs[head]).model_type == f"ietool-qa-{head}"
    assert all(torch.equal(a, b) for a, b in zip(theirs.parameters(), ours.parameters(), strict=True))


def test_python_gives_what_the_command_gives(work: Trained, capsys: pytest.CaptureFixture[str]) -> None:
    gold = work.folder / "squad" / "test.json"
    entries = squad(6, 60)["data"][0]["paragraphs"]
    loaded = load(work.runs["span"], "cpu")
    together = loaded.predict([f"{p['qas'][0]['question']}\t{p['context']}" for p in entries])
    shown = printed(capsys, "predict", "--run", work.runs["span"], gold)
    assert [one.answer for one in together] == list(json.loads(shown).values())


@pytest.mark.parametrize("head", HEADS)
def test_a_few_questions_are_learnt_by_heart(
    head: str, work: Trained, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    more = ("training.learning_rate=3e-3", "sampling.negatives=0.3", "training.max_grad_norm=1")
    printed(capsys, "train", "-r", f"qa-{head}", "--data", work.folder / "webqa", "--output", tmp_path / "run",
            "--overfit", 4, "--device", "cpu", *settings(head, work.encoder, *more))  # fmt: skip
    best = json.loads((tmp_path / "run" / "run.json").read_text(encoding="utf-8"))["best"]
    assert best["score"] > 0.9


# -- what prepare counts


def test_answers_that_tokens_cannot_express_are_counted(
    work: Trained, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    records = webqa(6)
    for record, answer in zip(records[:2], ("Ti", "2019年"), strict=True):  # tokens: Tir ##ol, 1 ##2 …
        record["passages"] = [{"passage": "由Tirol的人于12019年写成。", "answer": answer}]
        record["golden_answers"] = [answer]
    records[2]["passages"][1]["answer"] = records[2]["golden_answers"][0] = records[2]["passages"][1]["passage"][:12]
    source = dump(tmp_path / "train.json", records)
    told = {}
    for head, longest in (("span", 16), ("mlm", 16), ("span", 8)):
        shown = printed(capsys, "prepare", "-r", f"qa-{head}", "--train", source, "--dev", source, "--json", "--force",
                        *settings(head, work.encoder, f"decode.longest={longest}"))  # fmt: skip
        told[head, longest] = json.loads(shown)["statistics"]
    for split in ("train", "dev"):
        lost = told["span", 16][split]["oracle"]["lost"]
        assert lost["no token begins or ends there"] == 1 and lost["the answer is too long"] == 0
        assert told["span", 16][split]["oracle"]["recall"] == pytest.approx(5 / 6)
        assert told["span", 8][split]["oracle"]["lost"]["the answer is too long"] == 1
        # More tokens than there are masks.
        assert told["mlm", 16][split]["oracle"]["lost"]["the answer is too long"] == 1


# -- mistakes


@pytest.mark.parametrize(
    ("recipe", "more", "told"),
    [
        ("qa-span", ["model.encoder=characters"], "should be 'pretrained', not 'characters'"),
        ("qa-mlm", ["model.encoder=dgcnn"], "should be 'pretrained', not 'characters'"),
        ("qa", ["model.encoder=somebody/some-model"], "acts with model.head=span and mlm"),
        ("qa-span", ["model.encoder=somebody/some-model"], "the hub did not give"),
        ("qa-mlm", ["model.encoder=somebody/some-model"], "the hub did not give"),
        ("qa-mlm", ["model.head.masks=127"], "leave no room"),
        ("qa-span", ["model.head.masks=9"], "acts with model.head=mlm"),
        ("qa-mlm", ["decode.start=0.1"], "acts with model.head=reader and span"),
        ("qa-mlm", ["model.masks=0"], "model.head.masks"),
        ("qa-span", ["sampling.negatives=1"], "sampling.negatives"),
    ],
)
@pytest.mark.parametrize("verb", ["prepare", "train"])
def test_head_and_encoder_that_do_not_fit_are_told_in_one_line(
    verb: str, recipe: str, more: list[str], told: str, work: Trained, tmp_path: Path,
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    arguments: list[Any] = [verb, "-r", recipe, "--data", work.folder / "squad"]
    head = recipe.removeprefix("qa-")
    chosen = settings(head, work.encoder, *more) if recipe != "qa" else [part for m in more for part in ("--set", m)]
    error = complaint(capsys, *arguments, *chosen)
    assert told in error
    assert not any(tmp_path.iterdir())


def test_an_encoder_without_its_language_model_is_told_before_anything_is_read(
    work: Trained, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bare = encoder_folder(tmp_path / "bare", mlm=False)
    source = dump(tmp_path / "bad.json", [{"nothing": "of use"}])
    error = complaint(capsys, "train", "-r", "qa-mlm", "--train", source, *settings("mlm", bare))
    assert "lacks weights: cls.predictions" in error and "head of a masked language model" in error


def test_a_tokenizer_of_another_run_is_told(work: Trained, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    other = tmp_path / "other"
    encoder_folder(tmp_path / "wide", seed=3)
    for head in HEADS:
        shutil.copytree(work.runs[head], other)
        vocabulary = json.loads((other / "tokenizer.json").read_text(encoding="utf-8"))
        tokens = vocabulary["model"]["vocab"]
        vocabulary["model"]["vocab"] = tokens | {f"more{n}": len(tokens) + n for n in range(3)}
        (other / "tokenizer.json").write_text(json.dumps(vocabulary), encoding="utf-8")
        error = complaint(capsys, "predict", "--run", other, work.folder / "webqa" / "test.json")
        assert "tokenizer_config.json: does not fit the model beside it" in error
        shutil.rmtree(other)
