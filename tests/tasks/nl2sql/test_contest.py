"""What is done with several runs, through the real commands: thresholds, ensembles, further labels, folds."""

from __future__ import annotations

import json
import shutil
from functools import partial
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from ietool.recipe_io import load_recipe
from ietool.tasks.nl2sql.data.reading import load_examples
from tests.cli.conftest import Printed, complaint, output_of
from tests.recorded import flows
from tests.recorded.corpora import write_few
from tests.tasks.nl2sql.made import SMALL, examples, write_examples


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a small gold file, and two runs that differ a little."""
    folder = tmp_path_factory.mktemp("nl2sql")
    flows.make_data("nl2sql", folder)
    write_few(folder / "data" / "test.json", folder / "data" / "gold.json", 14)
    flows.copy_run("nl2sql", folder / "one")
    shutil.copytree(folder / "one", folder / "two")
    weights = load_file(folder / "two" / "model.safetensors")
    made = torch.Generator().manual_seed(5)
    for value in weights.values():
        if value.is_floating_point():
            value += 0.1 * value.abs().mean() * torch.randn(value.shape, generator=made)
    save_file(weights, folder / "two" / "model.safetensors", {"format": "pt"})
    return folder


@pytest.fixture
def printed(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Printed:
    monkeypatch.setenv("IETOOL_HOME", str(tmp_path / "home"))
    return partial(output_of, capsys)


@pytest.mark.parametrize("join", ["mean", "vote"])
def test_two_runs_as_one(place: Path, tmp_path: Path, printed: Printed, join: str) -> None:
    gold, team = place / "data" / "gold.json", tmp_path / "team"
    made = json.loads(
        printed("ensemble", place / "one", place / "two", "--output", team, "--join", join, "--gold", gold, "--json",
                "--device", "cpu")
    )  # fmt: skip
    assert len(made["figures"]["members"]) == 2 and made["figures"]["texts"] == 14
    results = {}
    for name, run in (("one", place / "one"), ("two", place / "two"), ("team", team)):
        results[name] = tmp_path / f"{name}.json"
        printed("predict", "--run", run, gold, "--output", results[name], "--device", "cpu")
    lines = {name: path.read_text(encoding="utf-8").splitlines() for name, path in results.items()}
    assert len(lines["team"]) == 14 and lines["one"] != lines["two"]
    if join == "vote":  # of two that differ the surer one
        for mine, one, two in zip(lines["team"], lines["one"], lines["two"], strict=True):
            assert mine in (one, two)
    told = json.loads(printed("score", "--recipe", "nl2sql", gold, results["team"], "--json"))
    assert told["metric"] == "tableqa" and 0 <= told["mean"] <= 1


def test_thresholds_are_chosen_on_kept_scores(place: Path, tmp_path: Path, printed: Printed) -> None:
    run, gold, kept = tmp_path / "run", place / "data" / "gold.json", tmp_path / "kept"
    shutil.copytree(place / "one", run)
    printed("predict", "--run", run, gold, "--output", tmp_path / "before.json", "--scores", kept, "--device", "cpu")
    said = json.loads(printed("tune", run, "--scores", kept, "--gold", gold, "--parts", 2, "--force", "--json"))
    assert said["texts"] == 14 and said["optimistic"]["gain"] >= 0 and said["curve"]["key"] == "decode.threshold"
    decode = load_recipe(run / "recipe.yaml").decode
    for key, value in said["settings"].items():
        assert getattr(decode, key.removeprefix("decode.")) == value["after"]
    printed("predict", "--run", run, gold, "--output", tmp_path / "after.json", "--device", "cpu")
    told = json.loads(printed("score", "--recipe", "nl2sql", gold, tmp_path / "after.json", "--json"))
    assert told["mean"] == pytest.approx(said["optimistic"]["score"], abs=1e-9)


def test_labels_of_a_run_are_learnt_beside_train(place: Path, tmp_path: Path, printed: Printed) -> None:
    """Their tables come with them."""
    extra = tmp_path / "extra"
    arguments = ("--texts", place / "data" / "test.json", "--output", extra, "--confidence", "0.2", "--doubt", "9")
    done = json.loads(printed("distil", place / "one", *arguments, "--device", "cpu", "--json"))
    written = list(load_examples(extra / "extra.jsonl"))
    assert done["kept"] + done["unsure"] == 50 and 0 < done["items"] == done["kept"] == len(written) < 50
    data = tmp_path / "data"
    data.mkdir()
    write_examples(data / "train.json", examples(20))
    write_examples(data / "dev.json", examples(24)[20:])
    told = json.loads(
        printed("prepare", "--recipe", "nl2sql", "--data", data, "--extra", extra / "extra.jsonl", "--json")
    )
    assert told["statistics"]["extra"]["questions"] == len(written)


def test_tables_may_lie_elsewhere(place: Path, tmp_path: Path, printed: Printed) -> None:
    """As ``predict --file tables=FILE``: every verb that reads questions takes it, with the same outcome."""
    gold, kept = tmp_path / "gold.json", tmp_path / "kept"
    tables = tmp_path / "elsewhere" / "t.json"
    tables.parent.mkdir()
    shutil.copyfile(place / "data" / "gold.json", gold)
    shutil.copyfile(place / "data" / "tables.json", tables)
    named = ("--file", f"tables={tables}")
    device = ("--device", "cpu")
    run = tmp_path / "run"
    shutil.copytree(place / "one", run)
    printed("predict", "--run", run, gold, *named, "--output", tmp_path / "r.json", "--scores", kept, *device)
    said = json.loads(
        printed("tune", run, "--scores", kept, "--gold", gold, *named, "--parts", 2, "--dry-run", "--json")
    )
    assert said["texts"] == 14
    team = ("ensemble", place / "one", place / "two", "--json", *device)
    beside, elsewhere = (
        json.loads(printed(*team, "--gold", file, *more, "--output", tmp_path / name))["figures"]
        for name, file, more in (("a", place / "data" / "gold.json", ()), ("b", gold, named))
    )
    assert {**elsewhere, "source": ""} == {**beside, "source": ""}
    arguments = ("--texts", gold, *named, "--output", tmp_path / "extra", "--confidence", "0.2", "--doubt", "9")
    assert json.loads(printed("distil", run, *arguments, "--json", *device))["texts"] == 14


def test_further_files_that_mean_nothing(place: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    gold, run = place / "data" / "gold.json", place / "one"
    tables = ("--file", f"tables={gold.with_name('tables.json')}")
    pair = ("ensemble", run, place / "two", "--output", tmp_path / "t")
    assert "--file: goes with --gold" in complaint(capsys, "tune", run, *tables)
    assert "--file: goes with --gold" in complaint(capsys, *pair, *tables)
    texts = ("--texts", gold, "--output", tmp_path / "d")
    assert "--file kb: means nothing" in complaint(capsys, "distil", run, *texts, "--file", f"kb={gold}")


def test_folds_and_their_wrong_labels(tmp_path: Path, printed: Printed) -> None:
    """What models disagree with is told, and a new training file has what is ticked."""
    data = tmp_path / "data"
    data.mkdir()
    write_examples(data / "train.json", examples(24))
    write_examples(data / "dev.json", examples(24)[:4])
    small = [word for one in SMALL for word in ("--set", one)]
    group = tmp_path / "group"
    printed("train", "--recipe", "nl2sql", "--data", data, "--folds", 2, "--output", group, "--device", "cpu", *small)
    printed("clean", group, "--output", tmp_path / "review", "--device", "cpu", "--add", "0", "--drop", "1")
    review = (tmp_path / "review" / "review.tsv").read_text(encoding="utf-8-sig").splitlines()
    assert len(review) > 1  # a model that knows nothing disagrees
    printed("clean", group, "--apply", tmp_path / "review" / "review.tsv", "--output", tmp_path / "cleaned")
    changed = (tmp_path / "cleaned" / "train.jsonl").read_text(encoding="utf-8").splitlines()
    assert len(changed) == 24
    shutil.copyfile(data / "train.tables.json", tmp_path / "cleaned" / "train.tables.json")
    again = list(load_examples(tmp_path / "cleaned" / "train.jsonl"))
    assert [one.question for one in again] == [one.question for one in examples(24)]
    assert [one.query for one in again] != [one.query for one in examples(24)]
