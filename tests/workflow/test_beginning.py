"""``train --from``: beginning with the weights of a run, on other data."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

import numpy as np
import pytest
import torch

from ietool.core.candidates import Floor
from ietool.recipe_io import load_recipe
from ietool.registry import get_task
from ietool.report.card import CARD
from ietool.runs.entry import RECIPE_FILE, open_run
from ietool.text.encoding import TextEncoder
from ietool.workflow.beginning import _kept_fresh, begin_with
from ietool.workflow.predict import load
from ietool.workflow.prepare import prepare
from tests.contest.corpora import settings, write_corpus
from tests.in_process import command_here
from tests.killing import killed
from tests.tiny_encoder import make_encoder_folder


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A working folder with two corpora and a run on the first."""
    folder = tmp_path_factory.mktemp("begin")
    with mock.patch.dict(os.environ, {"IETOOL_HOME": str(folder)}):
        write_corpus("ner", folder / "data")
        write_other(folder / "data", folder / "other")
        done = command_here(folder, "train", *settings("ner"), "--data", "data", "--output", "run")
        assert done.returncode == 0, done.stderr
        yield folder


def write_other(data: Path, other: Path, more: str = "address") -> None:
    """Twelve of the sentences, and one with new characters; types are as frequent as they were not."""
    other.mkdir()
    lines = (data / "train.jsonl").read_text(encoding="utf-8").splitlines()[:12]
    text = "鑫鑫淼淼，焱焱垚垚，" * 4
    spans = [[at, at + 1] for at in range(0, len(text), 5)]
    lines.append(json.dumps({"text": text, "label": {more: {"鑫鑫": spans[0::2], "焱焱": spans[1::2]}}}))
    (other / "train.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    (other / "dev.jsonl").write_text((data / "dev.jsonl").read_text(encoding="utf-8"), encoding="utf-8")


def begun(run: Path, data: Path) -> tuple[torch.nn.Module, Path]:
    """A fresh model for some data, with the weights of a run."""
    recipe = load_recipe(run / RECIPE_FILE)
    task = get_task(recipe.task)
    folder = prepare(recipe, data=data, like=run, remembered=False).folder
    torch.manual_seed(1)
    model = task.build_model(recipe, folder)
    begin_with(task, model, run, folder)
    return model.eval(), folder


def assert_says_the_same(run: Path, data: Path, texts: list[str]) -> None:
    """What a model says that has only begun is what the run says of texts whose characters both know."""
    old = load(run, "cpu")
    model, folder = begun(run, data)
    new = old.task.reader(old.recipe, model, folder)  # type: ignore[arg-type]
    asked = [old.task.input_of(text) for text in texts]
    floor = Floor(0.001)
    for (_, one), (_, two) in zip(
        old.predictor.reader.propose(asked, floor=floor), new.propose(asked, floor=floor), strict=True
    ):
        assert len(one)
        np.testing.assert_array_equal(one.rows, two.rows)
        np.testing.assert_allclose(one.parts, two.parts, atol=1e-5)


def shared_texts(run: Path, folder: Path) -> list[str]:
    known = set(TextEncoder.open(run).vocabulary.characters) & set(TextEncoder.open(folder).vocabulary.characters)
    return ["".join(sorted(known))[at : at + 12] for at in range(0, 36, 12)]


def test_characters_and_types_are_matched_by_name(work: Path) -> None:
    run, data = work / "run", work / "other"
    _, folder = begun(run, data)
    old, new = (TextEncoder.open(place).vocabulary.characters for place in (run, folder))
    assert "鑫" in new and "鑫" not in old and [c for c in old if c in new] != [c for c in new if c in old]
    task = get_task("ner")
    assert task.label_names(folder) == task.label_names(run)
    assert task.label_names(prepare(load_recipe(run / RECIPE_FILE), data=data, remembered=False).folder) != (
        task.label_names(run)
    )
    assert_says_the_same(run, data, shared_texts(run, folder))


def test_rows_of_new_characters_stay_fresh(work: Path) -> None:
    model, folder = begun(work / "run", work / "other")
    recipe = load_recipe(work / "run" / RECIPE_FILE)
    torch.manual_seed(1)
    fresh = get_task("ner").build_model(recipe, folder).state_dict()
    (name,) = (key for key in fresh if key.endswith("character.weight"))
    row = int(TextEncoder.open(folder).vocabulary.encode("鑫")[0])
    torch.testing.assert_close(model.state_dict()[name][row], fresh[name][row])
    assert not torch.equal(model.state_dict()[name][5], fresh[name][5])


def test_tokens_of_a_cut_vocabulary_are_matched(work: Path) -> None:
    texts = [(work / name / "train.jsonl").read_text(encoding="utf-8") for name in ("data", "other")]
    make_encoder_folder(work / "encoder", texts)
    words = (
        "model.encoder.kind=pretrained",
        f"model.encoder.name={work / 'encoder'}",
        "model.encoder.cut_vocabulary=true",
    )
    given = [part for word in (*words, "training.batch_size=8", "training.epochs=1") for part in ("--set", word)]
    done = command_here(work, "train", "--recipe", "ner-crf", *given, "--data", "data", "--output", "tokens")
    assert done.returncode == 0, done.stderr
    run = work / "tokens"
    model, _ = begun(run, work / "other")
    sizes = [m.encoder.backbone.config.vocab_size for m in (model, load(run, "cpu").model)]
    assert sizes[0] != sizes[1]
    text = json.loads(texts[1].splitlines()[3])["text"]
    assert_says_the_same(run, work / "other", [text])


def test_a_run_goes_on_from_another(work: Path) -> None:
    given = ["train", "--from", "run", "--data", "other", "--set", "training.epochs=1"]
    done = command_here(work, *given, "--output", "longer")
    assert done.returncode == 0, done.stderr
    info = open_run(work / "longer").info
    assert info.base_run == "run" and info.recipe == "ner-crf" and not (work / "longer" / "checkpoints").exists()
    assert str(work) not in (work / "longer" / CARD).read_text(encoding="utf-8")
    # Killed before the first epoch is saved, it still begins with those weights.
    killed(work, (work / "again" / "checkpoints" / "begin").is_dir, *given, "--output", "again")
    done = command_here(work, "train", "--resume", "--output", "again")
    assert done.returncode == 0, done.stderr
    weights = [(work / name / "model.safetensors").read_bytes() for name in ("longer", "again")]
    assert weights[0] == weights[1]


def test_what_does_not_fit_is_told_in_one_line(work: Path) -> None:
    write_other(work / "data", work / "typed", more="flower")
    short = ["--set", "training.epochs=1", "--output", "none"]

    def error(*arguments: object) -> str:
        done = command_here(work, "train", *arguments, *short)
        assert done.returncode == 2 and not (work / "none").exists(), done.stderr
        (line,) = (line for line in done.stderr.splitlines() if line.startswith("error: "))
        return line

    known = ("--from", "run")
    assert "its labels and those of the data differ: 'flower' is of one of them alone" in error(
        *known, "--data", "typed"
    )
    assert "its sizes are others: " in error(*known, "--data", "other", "--set", "model.encoder.hidden_size=8")
    assert "has the head 'crf', the recipe has 'globalpointer'" in error(
        "--recipe", "ner-globalpointer", *known, "--data", "other", "--set", "model.encoder.hidden_size=16"
    )
    assert "is a run of the task ner, the recipe is one of ske" in error("--recipe", "ske", *known)
    assert "no such run folder" in error("--recipe", "ner-crf", "--from", "nowhere", "--data", "other")
    assert "does not go with --from" in error(*known, "--data", "other", "--overfit", 4)
    assert "--recipe: is missing" in error("--data", "other")
    twice = ("--extra", "a.jsonl", "--extra", "b.jsonl")
    assert "--extra: is given several times → join them first" in error("--recipe", "ner-crf", *twice)


def test_what_it_begins_with_is_not_overwritten(work: Path) -> None:
    """Nor what holds it: stopped early, such a training would leave no weights at all."""
    weights = (work / "run" / "model.safetensors").read_bytes()
    shutil.copytree(work / "run", work / "outer")
    shutil.copytree(work / "run", work / "outer" / "inner")
    for start, output, said in (
        ("run", "run", "run: is what --from names: its weights would be lost"),
        ("outer/inner", "outer", "outer: holds outer/inner, which --from names"),
    ):
        given = ("--from", start, "--output", output, "--overwrite", "--data", "other")
        done = command_here(work, "train", *given, "--set", "training.epochs=1")
        assert done.returncode == 2 and said in done.stderr, done.stderr
        assert (work / start / "model.safetensors").read_bytes() == weights


def test_stopped_at_once_it_can_be_resumed(work: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What it begins with is kept before dev is read, and before anything else that takes time."""
    given = ("train", "--from", "run", "--data", "other", "--set", "training.epochs=1", "--output", "early")

    def stop(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("ietool.workflow.train.DevScorer", stop)
        assert command_here(work, *given).returncode == 130
    done = command_here(work, "train", "--resume", "--output", "early")
    assert done.returncode == 0, done.stderr


def test_word_vectors_stay_fresh_wherever_they_are() -> None:
    """They go with the new list of words, in an embedding or in a head."""
    model, inner = torch.nn.Module(), torch.nn.Module()
    model.register_buffer("word_vectors", torch.zeros(2, 2))
    model.register_buffer("other", torch.zeros(2, 2))
    inner.register_buffer("word_vectors", torch.zeros(2, 2))
    model.inner, model.none = inner, torch.nn.Module()
    model.none.register_buffer("word_vectors", None)
    assert _kept_fresh(model) == {"word_vectors", "inner.word_vectors"}
