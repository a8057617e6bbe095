"""Scores kept by ``predict --scores``: they decode to the submission, and only those of the right run and input do."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from ietool.cli.app import run as command
from ietool.core.candidate_files import ABOUT, read_candidates
from ietool.errors import UserError
from ietool.workflow.predict import load
from ietool.workflow.prepare import prepare
from ietool.workflow.scores import LEAST, decoded, model_mark, open_scores, proposing
from ietool.workflow.train import train
from tests.cli.conftest import complaint
from tests.tasks.ner.made import TASK, examples, small_recipe, write_json

LEARNING = ("training.epochs=3", "training.head_learning_rate=0.03", "training.warmup_epochs=0",
            "training.ema_decay=0.8", "training.schedule=constant_with_warmup", "training.patience=0")  # fmt: skip


@pytest.fixture(scope="module", params=["ner-crf", "ner-globalpointer"])
def run(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("scores")
    recipe = small_recipe(request.param, *LEARNING)
    write_json(folder / "train.json", examples(120))
    write_json(folder / "dev.json", examples(20, seed=2))
    write_json(folder / "test.json", examples(30, seed=3))
    prepared = prepare(recipe, data=folder, output=folder / "prepared").folder
    return train(recipe, prepared=prepared, output=folder / "run", device="cpu").run


def test_they_decode_to_the_submission(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    test, plain, kept = run.parent / "test.json", tmp_path / "plain.json", tmp_path / "kept.json"
    for output, further in ((plain, ()), (kept, ("--scores", str(tmp_path / "scores")))):
        assert command(["predict", "--run", str(run), str(test), "--output", str(output), *further]) == 0
    assert plain.read_bytes() == kept.read_bytes() and b"label" in plain.read_bytes()
    said = capsys.readouterr().err
    assert f"MB, all above {LEAST}" in said and str(tmp_path / "scores") in said
    loaded = load(run, device="cpu")
    stored = open_scores(tmp_path / "scores", recipe=loaded.recipe, model=model_mark(run), source=test)
    items = list(TASK.open_inputs(str(test)))
    again = list(decoded(TASK, loaded.recipe, run, items, stored))
    assert "".join(TASK.submission(again, run, "x.json")) == plain.read_text("utf-8")
    assert sum(map(len, stored)) > sum(len(one.entities) for one in again) > 20
    # Of other settings too, without the model.
    low = load(run, device="cpu", overrides=["decode.threshold=0.02"])
    assert list(decoded(TASK, low.recipe, run, items, stored)) == list(low.stream(items))
    with pytest.raises(UserError, match="30 texts have scores, 29 are read"):
        list(decoded(TASK, loaded.recipe, run, items[1:], stored))


def test_those_of_something_else_are_refused(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    test, scores = run.parent / "test.json", tmp_path / "scores"
    arguments = ("predict", "--run", run, "--output", tmp_path / "out.json", "--scores")
    assert command([str(x) for x in (*arguments, scores, test)]) == 0
    recipe = load(run, device="cpu").recipe
    with pytest.raises(UserError, match="are scores of another run"):
        open_scores(scores, recipe=recipe, model="0" * 64)
    with pytest.raises(UserError, match="are scores of another input"):
        open_scores(scores, recipe=recipe, source=run.parent / "dev.json")
    other = small_recipe("ner-globalpointer" if recipe.name == "ner-crf" else "ner-crf")
    with pytest.raises(UserError, match="the run is one of ner with the head"):
        open_scores(scores, recipe=other)
    words = ("--set", "decode.batch_size=3", "--set", "decode.threshold=0.9")
    assert command([str(x) for x in (*arguments, scores, test, *words)]) == 0
    open_scores(scores, recipe=recipe, source=test)  # what is chosen on kept scores makes no others
    assert proposing(recipe.decode, recipe.decode) == {}
    about = json.loads((scores / ABOUT).read_text(encoding="utf-8"))
    about["about"]["decode"] = "decode.given_mentions=true"
    (scores / ABOUT).write_text(json.dumps(about), encoding="utf-8")
    with pytest.raises(UserError, match="other settings than the run's own: decode"):
        open_scores(scores, recipe=recipe)
    # A folder of something else is never replaced, one of scores is.
    assert "holds no scores" in complaint(capsys, *arguments, run, test)
    assert "is a file" in complaint(capsys, *arguments, test, test)
    assert "can be read again" in complaint(capsys, *arguments, scores, "-")
    os.mkfifo(tmp_path / "pipe")
    assert "can be read again" in complaint(capsys, *arguments, scores, tmp_path / "pipe")
    before = len(read_candidates(scores))
    assert command([str(x) for x in (*arguments, scores, run.parent / "dev.json")]) == 0
    assert (before, len(read_candidates(scores))) == (30, 20)
    assert not [path.name for path in tmp_path.iterdir() if path.name.startswith(".")]


def test_a_folder_that_cannot_be_replaced_is_told_before(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is replaced as a whole, with all that would lie in it."""
    monkeypatch.chdir(tmp_path)
    test, own = run.parent / "test.json", tmp_path / "own"
    own.mkdir()
    words = ("predict", "--run", run, test, "--output")
    assert "would hold the predictions" in complaint(capsys, *words, own / "r.json", "--scores", own)
    monkeypatch.chdir(own)
    assert "is the working folder" in complaint(capsys, *words, tmp_path / "r.json", "--scores", ".")
    monkeypatch.chdir(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(os.path, "ismount", lambda path: path == own)
        error = complaint(capsys, *words, "r.json", "--scores", own)
        assert "is a mount point" in error and f"name a folder in it: {own}/scores" in error
    # A link is followed, each time.
    (tmp_path / "link").symlink_to(own)
    for _ in range(2):
        assert command([str(x) for x in (*words, "r.json", "--scores", "link")]) == 0
        assert Path("link").is_symlink() and (own / "candidates.json").is_file()
    (own / "notes.txt").touch()
    assert "replaced as a whole: notes.txt" in complaint(capsys, *words, "r.json", "--scores", "link")


def test_predictions_stay_whatever_becomes_of_their_scores(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(made: Path, place: Path) -> None:
        raise OSError(16, "Device or resource busy")

    monkeypatch.setattr("ietool.workflow.predict.replace_folder", broken)
    words = ["predict", "--run", run, run.parent / "test.json", "--output", tmp_path / "r.json"]
    assert command([str(x) for x in (*words, "--scores", tmp_path / "scores")]) != 0
    assert (tmp_path / "r.json").read_bytes()
