"""``ietool tune``: thresholds from kept scores into the run, told honestly; other scores are refused."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ietool.cli.app import run as command
from ietool.cli.tune import verdict
from ietool.contest.group import open_group
from ietool.contest.out_of_fold import group_mark
from ietool.contest.plot import plot
from ietool.contest.sources import open_source
from ietool.contest.tune import tune, write_settings
from ietool.core.candidate_files import read_candidates, write_candidates
from ietool.core.candidates import Candidates
from ietool.recipe_io import load_recipe
from ietool.registry import get_task
from ietool.runs.entry import open_run
from ietool.workflow.predict import load
from ietool.workflow.scores import decoded, file_mark
from tests.cli.conftest import complaint, output_of
from tests.contest.conftest import Runs
from tests.contest.made import triples

ASKED = [("ner-crf",), ("ner-globalpointer", "score.metric=cluener"), ("ske",), ("el",), ("qa",)]

SEED = 13
"""One with which chance looks like a gain on all texts together, and like none on those not chosen on."""

Capture = pytest.CaptureFixture[str]


def files_of(run: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in run.iterdir() if path.is_file()}


def tuned(capsys: Capture, *arguments: object) -> dict[str, Any]:
    value = json.loads(output_of(capsys, "tune", *arguments, "--json"))
    assert isinstance(value, dict)
    return value


@pytest.mark.parametrize("asked", ASKED, ids="-".join)
def test_of_every_task(copied: Runs, asked: tuple[str, ...], capsys: Capture) -> None:
    run = copied(*asked)
    before = files_of(run)
    said = tuned(capsys, run, "--dry-run", "--parts", 3)
    assert files_of(run) == before and said["written"] == []
    assert said["texts"] == len(read_candidates(run / "dev")) and said["parts"] == 3
    assert said["floor"] == 0.01 and said["optimistic"]["gain"] >= 0 and len(said["curve"]["points"]) > 2
    assert said["nested"]["score"] <= said["optimistic"]["score"] + 1e-9
    said = tuned(capsys, run, "--force", "--parts", 3)
    own = load(run, device="cpu")
    for key, value in said["settings"].items():
        assert getattr(own.recipe.decode, key.removeprefix("decode.")) == value["after"] != value["before"]
    # What the run predicts now scores what was promised on its own texts.
    gold = own.task.gold(Path(open_run(run).info.prepared))
    report = own.task.evaluate(own.recipe, gold, list(own.stream(gold)))
    assert float(report.values[report.primary]) == pytest.approx(said["optimistic"]["score"], abs=1e-9)
    assert (report.metric, report.primary) == (said["metric"], said["primary"])
    # Once more finds nothing.
    again = tuned(capsys, run, "--force", "--parts", 3)
    assert again["settings"] == {} and again["written"] == [] and again["before"] == said["optimistic"]["score"]


def test_triples_of_a_relation_that_has_its_own_threshold(copied: Runs, capsys: Capture) -> None:
    run = copied("ske")
    source = open_source(run)
    found, stored = triples(source), source.stored
    write_candidates(run / "made", stored.layout, stored.floor, found, stored.about)
    shutil.rmtree(run / "dev")
    (run / "made").rename(run / "dev")
    said = tuned(capsys, run, "--force", "--parts", 3)
    assert said["optimistic"]["gain"] > 0.02 and said["written"] == [str(run)]
    recipe = load_recipe(run)
    said_now = decoded(source.task, recipe, run, source.gold, found)
    report = source.task.evaluate(recipe, source.gold, list(said_now))
    assert report.values["f1"] == pytest.approx(said["optimistic"]["score"], abs=1e-9)
    assert tuned(capsys, run, "--force", "--parts", 3)["settings"] == {}


def blunt(run: Path, threshold: float) -> None:
    """Set a threshold that finds nothing, so that there is something to gain."""
    recipe = run / "recipe.yaml"
    text = recipe.read_text(encoding="utf-8")
    assert "  threshold: 0.5\n" in text
    recipe.write_text(text.replace("  threshold: 0.5\n", f"  threshold: {threshold}\n"), encoding="utf-8")


POINTER = ("ner-globalpointer", "score.metric=cluener")


def test_what_is_written_and_shown(copied: Runs, capsys: Capture) -> None:
    run = copied(*POINTER)
    blunt(run, 0.99)
    said = output_of(capsys, "tune", run)
    assert "decode.threshold" in said and "tuned, nested" in said and "The last line flatters." in said
    assert "f1 over decode.threshold, 40 texts (^ what is chosen)" in said
    assert "----^" in said and "o" in said.splitlines()[-5]
    decode: Any = load(run, device="cpu").recipe.decode
    assert decode.threshold < 0.9
    info = open_run(run).info
    assert f"decode.threshold={decode.threshold}" in info.tuned
    assert f"decode.threshold={decode.threshold}" in (run / "README.md").read_text(encoding="utf-8")
    # A later choice takes the place of the former one.
    blunted = (run / "recipe.yaml").read_text(encoding="utf-8")
    (run / "recipe.yaml").write_text(
        blunted.replace(f"threshold: {decode.threshold}", "threshold: 0.98"), encoding="utf-8"
    )
    output_of(capsys, "tune", run)
    assert sum(text.startswith("decode.threshold=") for text in open_run(run).info.tuned) == 1


def test_what_gains_nothing_is_not_written(copied: Runs, capsys: Capture) -> None:
    """Candidates of chance: what scores best on all of dev does so on no other texts."""
    run = copied(*POINTER)
    stored, gold = read_candidates(run / "dev"), get_task("ner").gold(Path(open_run(run).info.prepared))
    types = list(get_task("ner").decoder(load_recipe(run), run).label_names)  # type: ignore[attr-defined]
    dice = np.random.default_rng(SEED)
    found = []
    for example in gold:
        right = [(e.start, e.end, types.index(e.type)) for e in example.entities]
        rows = sorted({*right, *((a, b, 1 - kind) for a, b, kind in right)})
        parts = dice.uniform(0.3, 0.7, (len(rows), 1)).astype(np.float32)
        found.append(Candidates(np.array(rows, np.int32).reshape(-1, 3), parts, np.zeros(0, np.float32)))
    write_candidates(run / "noise", stored.layout, stored.floor, found, stored.about)
    shutil.rmtree(run / "dev")
    (run / "noise").rename(run / "dev")
    blunt(run, 0.03)
    before = files_of(run)
    said = tuned(capsys, run)
    assert said["settings"] and said["optimistic"]["gain"] > 0 >= said["nested"]["gain"]
    assert said["written"] == [] and files_of(run) == before
    output_of(capsys, "tune", run)
    assert "no gain on texts that it was not chosen on" in verdict_of(run)
    assert tuned(capsys, run, "--force")["written"] == [str(run)] and files_of(run) != before


def verdict_of(run: Path) -> str:
    return verdict(tune(run), dry=False)


def test_scores_of_a_file(copied: Runs, capsys: Capture, tmp_path: Path) -> None:
    """Those of ``predict --scores`` give what those of dev give, as it is the same file."""
    run = copied(*POINTER)
    blunt(run, 0.9)
    dev = shutil.copy(Path(open_run(run).info.prepared).parent / "dev.json", tmp_path / "dev.json")
    scores = tmp_path / "scores"
    output_of(capsys, "predict", "--run", run, dev, "--output", tmp_path / "out.json", "--scores", scores)
    one, two = tuned(capsys, run, "--dry-run"), tuned(capsys, run, "--scores", scores, "--gold", dev, "--dry-run")
    for key in ("settings", "before", "optimistic", "nested", "texts"):
        assert one[key] == two[key], key
    # Those of another file, of another run, and without their gold.
    other = shutil.copy(Path(dev).parent / "dev.json", tmp_path / "other.json")
    with Path(other).open("a", encoding="utf-8") as out:
        out.write('{"text": "云州下雨了", "label": {}}\n')
    assert "are scores of another input" in complaint(capsys, "tune", run, "--scores", scores, "--gold", other)
    assert "--scores and --gold go together" in complaint(capsys, "tune", run, "--scores", scores)
    weights = run / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"\1")
    assert "are scores of another run" in complaint(capsys, "tune", run, "--scores", scores, "--gold", dev)
    assert "are scores of another run" in complaint(capsys, "tune", run)


def test_what_cannot_be_tuned_is_told_in_one_line(copied: Runs, trained: Runs, capsys: Capture, tmp_path: Path) -> None:
    run = copied("ner-crf")
    other = trained(*POINTER)
    shutil.rmtree(run / "dev")
    assert "keeps no scores of dev → " in complaint(capsys, "tune", run)
    shutil.copytree(other / "dev", run / "dev")
    assert "the run is one of ner with the head 'crf'" in complaint(capsys, "tune", run)
    assert "no such run folder" in complaint(capsys, "tune", tmp_path / "nowhere")
    info = json.loads((run / "run.json").read_text(encoding="utf-8"))
    (run / "run.json").write_text(json.dumps({**info, "prepared": str(tmp_path / "gone")}), encoding="utf-8")
    assert "the prepared data of the run is gone → give --scores DIR" in complaint(capsys, "tune", run)


def test_out_of_fold_scores_tune_all_members(copied: Runs, capsys: Capture, tmp_path: Path) -> None:
    """A group of folds is tuned on all of train, and every member is told."""
    run = copied(*POINTER)
    prepared = Path(open_run(run).info.prepared)
    group = tmp_path / "folds"
    for name in ("fold-1", "fold-2"):
        shutil.copytree(run, group / name)
        blunt(group / name, 0.95)
    loaded = load(run, device="cpu")
    gold = loaded.task.gold(prepared, "train")
    stored = read_candidates(run / "dev")
    found = [one for _, one in loaded.predictor.reader.propose(gold, floor=stored.floor)]
    folds = {"format": 1, "recipe": POINTER[0], "task": "ner", "folds": 2, "seeds": [42], "state": "finished",
             "prepared": str(prepared), "base": "", "assignment": "", "files": {},
             "members": ["fold-1", "fold-2"]}  # fmt: skip
    (group / "folds.json").write_text(json.dumps(folds), encoding="utf-8")
    about = {**stored.about, "model": "of others", "input": file_mark(prepared / "train.jsonl"), "source": "train"}
    write_candidates(group / "oof", stored.layout, stored.floor, found, about)
    assert "are scores of another run" in complaint(capsys, "tune", group)  # a member was trained anew since
    about["model"] = group_mark(group, open_group(group).info)
    shutil.rmtree(group / "oof")
    write_candidates(group / "oof", stored.layout, stored.floor, found, about)
    (group / "folds.json").write_text(json.dumps({**folds, "state": "training"}), encoding="utf-8")
    assert "is not finished" in complaint(capsys, "tune", group)
    (group / "folds.json").write_text(json.dumps(folds), encoding="utf-8")
    said = tuned(capsys, group)
    assert said["texts"] == 60 and [Path(path).name for path in said["written"]] == ["fold-1", "fold-2"]
    for name in ("fold-1", "fold-2"):
        assert load(group / name, device="cpu").recipe.decode.threshold < 0.95  # type: ignore[attr-defined]
    # Whatever a fold had before, it has what was chosen, also where that is what the first has already.
    write_settings(group / "fold-2", ["decode.threshold=0.9"])
    capsys.readouterr()
    assert command(["tune", str(group)]) == 0
    told = capsys.readouterr().err
    assert "fold-2 had other settings than" in told and "fold-2 have them now too" in told
    chosen = [load(group / name, device="cpu").recipe.decode for name in ("fold-1", "fold-2")]
    assert chosen[0] == chosen[1]
    assert "holds folds" in complaint(capsys, "tune", group, "--scores", group / "oof", "--gold", run / "recipe.yaml")
    (group / "folds.json").write_text("{", encoding="utf-8")
    assert "folds.json: is damaged" in complaint(capsys, "tune", group)


def test_a_plot() -> None:
    lines = plot([(0.0, 0.5), (0.5, 0.7), (1.0, 0.6)], 0.5, x="t", y="f1")
    assert lines[0] == "f1 over t" and lines[1].startswith(" 0.7000 |") and lines[-3].startswith(" 0.5000 |o")
    top = lines[1]
    assert top.count("o") == 1 and top.index("o") == lines[-2].index("^")
    assert lines[-1].split() == ["0", "1"] and all(len(line) <= 70 for line in lines)
    assert plot([]) == [] and len(plot([(0.3, 0.0)], 0.9)) == 12
