"""Several runs as one, through the real commands: runs that were recorded, and others made of them by changing their
weights a little, or the numbers of their labels."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from ietool.contest.ensemble import build
from ietool.contest.ensemble.build import make_ensemble
from ietool.contest.ensemble.figures import Trial
from ietool.core.forms import reading
from ietool.errors import UserError
from ietool.recipe_io import load_recipe
from ietool.registry import get_task
from ietool.runs.entry import open_run
from ietool.runs.folder import LOCK, update_run
from ietool.runs.info import read_info, write_info
from ietool.runs.members import read_members, write_members
from ietool.tasks.ske.data.reading import load_examples as load_triples
from ietool.tasks.ske.heads.assembly import Extraction
from ietool.workflow.members import RunReaders, decoder_of_run
from ietool.workflow.predict import load
from ietool.workflow.scores import model_mark, open_scores
from tests.cli.conftest import Printed, complaint, output_of
from tests.recorded import flows
from tests.recorded.corpora import write_few

MIXES = {
    "ske": ("ske", "ske-gplinker", "test.json", "duie2"),
    "el": ("el", "el-cross", "test.json", "ccks2019"),
    "qa": ("qa", "qa-span", "test.json", "sogouqa"),
    "ner": ("ner-globalpointer", "ner-crf", "test.json", "span"),
}
"""Task → two heads of it, the main input of the first, and the variant it is scored by."""


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """``work("ner")``: a folder with a small gold file, and the runs ``one``, ``two`` of one head, ``other``."""
    made: dict[str, Path] = {}

    def folder(task: str) -> Path:
        if task not in made:
            first, other, gold, _ = MIXES[task]
            made[task] = place = tmp_path_factory.mktemp(f"ensemble-{task}")
            flows.make_data(first, place)
            write_few(place / "data" / gold, place / "gold.json", 10)
            flows.copy_run(first, place / "one")
            flows.copy_run(other, place / "other")
            shutil.copytree(place / "one", place / "two")
            shaken(place / "two")
        return made[task]

    return folder


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IETOOL_HOME", str(tmp_path))


@pytest.fixture
def printed(capsys: pytest.CaptureFixture[str]) -> Printed:
    """``printed("score", …)``: what a command that must succeed prints."""
    return partial(output_of, capsys)


def shaken(run: Path, seed: int = 5, by: float = 0.05) -> None:
    """Change the weights of a run a little, as another seed would."""
    weights = load_file(run / "model.safetensors")
    made = torch.Generator().manual_seed(seed)
    for value in weights.values():
        if value.is_floating_point():
            value += by * value.abs().mean() * torch.randn(value.shape, generator=made)
    save_file(weights, run / "model.safetensors", {"format": "pt"})


def renumbered(run: Path) -> None:
    """Number the types of a GlobalPointer the other way round: the same model, said otherwise."""
    path = run / "labels.json"
    labels = json.loads(path.read_text(encoding="utf-8"))
    count = len(labels["types"])
    labels["types"].reverse()
    path.write_text(json.dumps(labels), encoding="utf-8")
    weights = load_file(run / "model.safetensors")
    order = torch.cat([torch.arange(count).flip(0), torch.arange(count).flip(0) + count])
    for name in ("out.bias.weight", "out.bias.bias"):
        weights[name] = weights[name][order].contiguous()
    save_file(weights, run / "model.safetensors", {"format": "pt"})


def copied(run: Path, target: Path, change: Callable[[Path], None] = lambda run: None) -> Path:
    shutil.copytree(run, target)
    change(target)
    return target


def ensemble(printed: Printed, runs: Sequence[Path], output: Path, *more: object) -> dict[str, Any]:
    made: dict[str, Any] = json.loads(
        printed("ensemble", *runs, "--output", output, "--device", "cpu", "--json", *more)
    )
    return made


def predicted(printed: Printed, run: Path, source: Path, output: Path, *more: object) -> bytes:
    printed("predict", "--run", run, source, "--output", output, "--device", "cpu", *more)
    return output.read_bytes()


# -- every task: members of two heads, in turns and together


@pytest.mark.parametrize("task", MIXES)
def test_two_heads_together(task: str, work: Callable[[str], Path], tmp_path: Path, printed: Printed) -> None:
    folder, metric = work(task), MIXES[task][3]
    gold = folder / "gold.json"
    made = ensemble(printed, [folder / n for n in ("one", "two", "other")], tmp_path / "team", "--gold", gold)
    assert [len(group["members"]) for group in made["groups"]] in ([2, 1], [3])
    figures = made["figures"]
    assert len(figures["members"]) == 3 and figures["texts"] > 0
    own = sum(items for _, items, _, _ in figures["agreement"])
    assert own > 0 and all(0 <= value <= 1 for *_, value, _ in figures["agreement"])
    # What is told of dev is what the verbs say: the same predictions, the same score.
    in_turns = predicted(printed, tmp_path / "team", gold, tmp_path / "turns.json", "--scores", tmp_path / "kept")
    together = predicted(printed, tmp_path / "team", gold, tmp_path / "all.json", "--members-at-once", 3)
    assert in_turns == together
    scored = json.loads(printed("score", "-r", tmp_path / "team", gold, tmp_path / "turns.json", "--json"))
    chosen = figures["optimistic"] if figures["used"] else figures["equal"]
    assert scored["metric"] == figures["metric"] == metric
    assert scored[scored["primary"]] == pytest.approx(chosen, abs=1e-9)
    # The candidates that were kept are of this ensemble, and of no member.
    recipe = load_recipe(tmp_path / "team" / "recipe.yaml")
    stored = open_scores(tmp_path / "kept", recipe=recipe, model=model_mark(tmp_path / "team"), source=gold)
    assert len(stored) == figures["texts"] and max(one.models for one in stored) == 3
    # They decode to what was predicted, without any model.
    decoder, assets = decoder_of_run(tmp_path / "team")
    the_task = get_task(task)
    pairs = zip(reading(the_task, str(gold)), stored, strict=True)
    decoded = (decoder.decode(item, one, recipe.decode) for item, one in pairs)
    assert "".join(the_task.submission(decoded, assets, "r.json")).encode() == in_turns
    with pytest.raises(UserError, match="scores of another run"):
        open_scores(tmp_path / "kept", recipe=recipe, model=model_mark(folder / "one"))
    # `tune` reads them as the ensemble does, whatever heads it has.
    words = ("--scores", tmp_path / "kept", "--gold", gold, "--parts", 2, "--force", "--json")
    tuned = json.loads(printed("tune", tmp_path / "team", *words))
    predicted(printed, tmp_path / "team", gold, tmp_path / "tuned.json")
    scored = json.loads(printed("score", "-r", tmp_path / "team", gold, tmp_path / "tuned.json", "--json"))
    assert scored[scored["primary"]] == pytest.approx(tuned["optimistic"]["score"], abs=1e-9)


@pytest.mark.parametrize(("task", "join"), [("ske", "vote"), ("ske", "union"), ("ske", "intersection"), ("qa", "vote")])
def test_results_joined(task: str, join: str, work: Callable[[str], Path], tmp_path: Path, printed: Printed) -> None:
    """Triples as sets of strings, answers as single ones: what the members write alone tells what must come out."""
    folder = work(task)
    # Three of one head: each decides for itself.
    runs = [folder / "one", folder / "two", copied(folder / "one", tmp_path / "three", partial(shaken, seed=8, by=0.1))]
    weights = "1,1,1" if join == "vote" else "1,2,3"
    made = ensemble(printed, runs, tmp_path / "team", "--join", join, "--weights", weights, "--copy")
    assert made["figures"] is None and made["copied"] and len(made["groups"]) == 3
    source, output = folder / "gold.json", tmp_path / "x.json"
    *members, team = [_items(printed, task, run, source, output) for run in (*runs, tmp_path / "team")]
    differ = 0
    for text, items in team.items():
        count = {item: sum(item in m[text] for m in members) for m in members for item in m[text]}
        differ += any(n < 3 for n in count.values())
        if join == "intersection":
            assert items == {item for item, n in count.items() if n == 3}
        elif task == "ske":
            assert items == {item for item, n in count.items() if n >= (2 if join == "vote" else 1)}
        else:
            assert len(items) == bool(count) and all(count[item] == max(count.values()) for item in items)
    assert differ


def _items(printed: Printed, task: str, run: Path, source: Path, output: Path) -> dict[str, set[str]]:
    content = predicted(printed, run, source, output).decode()
    if task == "ske":
        return {
            line["text"]: {json.dumps(spo, sort_keys=True) for spo in line["spo_list"]}
            for line in map(json.loads, content.splitlines())
        }
    answers = json.loads(content)
    return {str(key): {value} if value else set() for key, value in answers.items()}


# -- numbers of labels


def test_labels_are_told_apart_by_name(work: Callable[[str], Path], tmp_path: Path, printed: Printed) -> None:
    """The same two models, of which the second numbers its types the other way round, find what they found."""
    folder = work("ner")
    turned = copied(folder / "two", tmp_path / "turned", renumbered)
    gold = folder / "gold.json"
    assert entities(printed, turned, gold, tmp_path / "t.json") == entities(
        printed, folder / "two", gold, tmp_path / "u.json"
    )
    for join in ("mean", "vote"):
        for name, second in (("a", folder / "two"), ("b", turned)):
            ensemble(printed, [folder / "one", second], tmp_path / f"{name}-{join}", "--join", join)
        found = [entities(printed, tmp_path / f"{n}-{join}", gold, tmp_path / f"{n}.json") for n in "ab"]
        assert found[0] == found[1] and len({kind for kind, *_ in found[0]}) > 2


def entities(printed: Printed, run: Path, source: Path, output: Path) -> set[tuple[Any, ...]]:
    """(type, text, name, places) of all that a run finds."""
    lines = map(json.loads, predicted(printed, run, source, output).decode().splitlines())
    return {
        (kind, line["text"], name, str(places))
        for line in lines
        for kind, names in line["label"].items()
        for name, places in names.items()
    }


def test_labels_that_one_lacks_are_left_out(
    work: Callable[[str], Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = work("ner")

    def renamed(run: Path) -> None:
        path = run / "labels.json"
        path.write_text(path.read_text(encoding="utf-8").replace('"movie"', '"film"'), encoding="utf-8")
        shaken(run)

    strange = copied(folder / "one", tmp_path / "strange", renamed)
    output_of(capsys, "ensemble", folder / "one", strange, "--output", tmp_path / "team", "--device", "cpu", "--json")
    output_of(capsys, "predict", "--run", tmp_path / "team", folder / "gold.json", "--device", "cpu")
    assert read_members(tmp_path / "team").base == 0
    model = load(tmp_path / "team", "cpu")
    assert "film" not in {e.type for p in model.predict(["《红楼梦》在北京上映。"]) for e in p.entities}


# -- one model twice is that model


def test_equal_members_change_nothing(work: Callable[[str], Path], tmp_path: Path, printed: Printed) -> None:
    """Weights that differ in nothing but their last bit: an ensemble of them predicts as each of them does."""
    folder = work("ske")
    same = copied(folder / "one", tmp_path / "same", lambda run: shaken(run, by=1e-9))
    ensemble(printed, [folder / "one", same], tmp_path / "team", "--weights", "1,3")
    gold = folder / "gold.json"
    assert predicted(printed, tmp_path / "team", gold, tmp_path / "a.json") == predicted(
        printed, folder / "one", gold, tmp_path / "b.json"
    )


def test_a_member_without_weight_does_not_count(work: Callable[[str], Path], tmp_path: Path, printed: Printed) -> None:
    """Also where members of one head do not stand together: weights are those of the runs as they are named."""
    folder = work("ner")
    runs = [folder / "two", folder / "other", folder / "one"]
    made = ensemble(printed, runs, tmp_path / "team", "--weights", "0,0,1")
    assert [[m["run"].rpartition("/")[2] for m in g["members"]] for g in made["groups"]] == [["two", "one"], ["other"]]
    gold = folder / "gold.json"
    alone = predicted(printed, folder / "one", gold, tmp_path / "b.json")
    assert predicted(printed, tmp_path / "team", gold, tmp_path / "a.json") == alone


# -- dev, and what comes after


@pytest.fixture
def with_dev(work: Callable[[str], Path], tmp_path: Path, printed: Printed) -> list[Path]:
    """Two runs of ner that know a prepared folder with a dev set."""
    folder = work("ner")
    told = json.loads(
        printed("prepare", "-r", "ner-globalpointer", "--data", folder / "data", "--json",
                "--set", f"model.encoder={folder / 'encoder'}")
    )  # fmt: skip
    runs = [copied(folder / name, tmp_path / name) for name in ("one", "other")]
    for run in runs:
        update_run(run, prepared=told["folder"])
    return runs


def test_dev_is_kept_as_a_run_keeps_it(with_dev: list[Path], tmp_path: Path, printed: Printed) -> None:
    made = ensemble(printed, with_dev, tmp_path / "team")
    team, figures = tmp_path / "team", made["figures"]
    info = read_info(team)
    assert info is not None and info.state == "finished" and info.best is not None
    assert info.best["score"] == pytest.approx(figures["score"])
    assert figures["source"] == "dev" and json.loads((team / "report.json").read_text())["equal"] == figures["equal"]
    prepared = Path(info.prepared)
    recipe = load_recipe(team / "recipe.yaml")
    stored = open_scores(team / "dev", recipe=recipe, model=model_mark(team), source=prepared / "dev.jsonl")
    counts = np.load(team / "dev" / "counts.npy")
    assert len(stored) == figures["texts"] == len(counts)
    assert (team / "dev" / "outcomes.jsonl").read_text(encoding="utf-8").strip()
    listed = json.loads(printed("runs", tmp_path, "--json"))
    assert ["ner-ensemble", "finished"] in [[run["recipe"], run["state"]] for run in listed]


def test_an_interrupted_ensemble_goes_on(
    with_dev: list[Path], tmp_path: Path, printed: Printed, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """What members said before is read from disk: only the rest is asked, and the result is the same."""
    whole = ensemble(printed, with_dev, tmp_path / "whole")
    asked: list[int] = []
    reading = RunReaders.reading

    def counted(self: RunReaders, number: int) -> AbstractContextManager[Any]:
        asked.append(number)
        if len(asked) == stop:
            raise MemoryError("as if the process were killed here")
        return reading(self, number)

    monkeypatch.setattr(RunReaders, "reading", counted)
    stop = 3
    from ietool.cli.app import run

    assert run([str(a) for a in ("ensemble", *with_dev, "--output", tmp_path / "team", "--device", "cpu")]) != 0
    capsys.readouterr()
    assert asked == [0, 1, 1] and not (tmp_path / "team").exists()
    asked.clear()
    stop = 0
    made = ensemble(printed, with_dev, tmp_path / "team")
    assert asked == [1, 0] and made["figures"] == whole["figures"]
    assert not [path.name for path in tmp_path.iterdir() if path.name.startswith(".team")]
    # What another ensemble left is of no use to this one.
    assert made["groups"][0]["weight"] == whole["groups"][0]["weight"]


def test_an_ensemble_that_was_killed_as_it_was_written_goes_on(
    with_dev: list[Path], tmp_path: Path, printed: Printed, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = ensemble(printed, with_dev, tmp_path / "whole")
    team, half = tmp_path / "team", tmp_path / "half"

    def killed(*_: Any) -> None:
        shutil.copytree(team, half)
        raise MemoryError("as if the process were killed here")

    from ietool.cli.app import run

    with monkeypatch.context() as patch:
        patch.setattr(build, "_keep", killed)
        assert run([str(a) for a in ("ensemble", *with_dev, "--output", team, "--device", "cpu")]) != 0
    shutil.move(half, team)  # what a kill would have left
    update_run(team, process=2**22 + 1)  # none has it
    assert open_run(team).state == "interrupted" and not open_run(team).can_go_on
    asked: list[int] = []
    monkeypatch.setattr(RunReaders, "reading", lambda self, number: asked.append(number))
    made = ensemble(printed, with_dev, team)
    assert made["figures"] == whole["figures"] and not asked
    assert open_run(team).state == "finished"


# -- elsewhere


def test_copied_members_go_along(
    work: Callable[[str], Path], tmp_path: Path, printed: Printed, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = work("ner")
    runs = [copied(folder / name, tmp_path / "here" / name) for name in ("one", "two")]
    for name, more in (("refers", ()), ("carries", ("--copy",))):
        ensemble(printed, runs, tmp_path / "here" / name, *more)
    gold = folder / "gold.json"
    before = predicted(printed, tmp_path / "here" / "refers", gold, tmp_path / "a.json")
    assert "--copy" in complaint(capsys, "push", tmp_path / "here" / "refers", "me/x", "--dry-run")
    # Moved together both work; alone only the one that carries its members does.
    shutil.move(tmp_path / "here", tmp_path / "there")
    assert predicted(printed, tmp_path / "there" / "refers", gold, tmp_path / "b.json") == before
    shutil.move(tmp_path / "there" / "carries", tmp_path / "carries")
    assert predicted(printed, tmp_path / "carries", gold, tmp_path / "c.json") == before
    names = printed("push", tmp_path / "carries", "me/x", "--dry-run").splitlines()
    assert {"ensemble.json", "recipe.yaml", "members/1-one/model.safetensors", "members/2-two/labels.json"} <= set(
        names
    )
    assert "numbers in its weights" in (tmp_path / "carries" / "README.md").read_text(encoding="utf-8")
    told = (tmp_path / "carries" / "members" / "1-one" / "run.json").read_text(encoding="utf-8")
    assert str(tmp_path) not in told
    shutil.move(tmp_path / "there" / "two", tmp_path / "gone")
    error = complaint(capsys, "predict", "--run", tmp_path / "there" / "refers", gold)
    assert "ensemble.json: member 2: the run '../two' is not there" in error


def test_a_stranger_cannot_lead_out_of_the_folder(
    work: Callable[[str], Path], tmp_path: Path, printed: Printed, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = work("ner")
    ensemble(printed, [folder / "one", folder / "two"], tmp_path / "team", "--copy")
    shutil.copytree(folder / "one", tmp_path / "outside")
    (tmp_path / "team" / "members" / "link").symlink_to(tmp_path / "outside")
    made = read_info(tmp_path / "team")
    assert made is not None
    made.host, made.process = "", None
    write_info(tmp_path / "team", made)
    info = read_members(tmp_path / "team")
    info.copied = False  # as a stranger would write it
    for place in ("../outside", "/etc", "members/../../outside", "members/link", "a\0b"):
        info.groups[0].members[1].run = place
        write_members(tmp_path / "team", info)
        error = complaint(capsys, "predict", "--run", tmp_path / "team", "--text", "北京")
        assert "member 2" in error and ("outside of the folder" in error or "no name of a folder" in error)


# -- what is refused


def test_traps(
    work: Callable[[str], Path], tmp_path: Path, printed: Printed, capsys: pytest.CaptureFixture[str]
) -> None:
    ner, ske = work("ner"), work("ske")
    one, two = ner / "one", ner / "two"

    def refused(*arguments: object) -> str:
        error = complaint(capsys, "ensemble", *arguments, "--output", tmp_path / "no", "--device", "cpu")
        assert not (tmp_path / "no").exists()
        return error

    assert "is of the task ske, the others are of ner" in refused(one, two, ske / "one")
    assert "is the same model as" in refused(one, copied(one, tmp_path / "same"))
    assert "needs two runs at least" in refused(one)
    assert "nothing is joined by 'votes'" in refused(one, two, "--join", "votes")
    assert "names 3 weights, the ensemble has 2 members" in refused(one, two, "--weights", "1,2,3")
    assert "not below 0" in refused(one, two, "--weights", "1,-2")
    for weights in ("inf,2", "1e308,1e308", "nan,1"):
        assert "must be finite" in refused(one, two, "--weights", weights)
    assert "is no list of numbers" in refused(one, two, "--weights", "a,b")
    assert "no such run folder" in refused(one, tmp_path / "nowhere")
    assert "is not finished (interrupted)" in refused(
        one, copied(two, tmp_path / "half", lambda run: update_run(run, state="interrupted") and None)
    )
    assert "self-check on 8 records" in refused(
        one, copied(two, tmp_path / "fit", lambda run: update_run(run, overfit=8) and None)
    )
    for gold_, message in (("-", "is read twice"), (tmp_path / "gone", "no such file")):
        asked = ("ensemble", one, two, "--output", tmp_path / "none", "--gold", gold_)
        assert f"--gold: {message}" in complaint(capsys, *asked) and not (tmp_path / "none").exists()
    ensemble(printed, [one, two], tmp_path / "team", "--copy")
    assert "holds a run already" in complaint(capsys, "ensemble", one, two, "--output", tmp_path / "team")
    # What would be deleted before it is read: a member, the members that an ensemble carries, gold.
    mine = copied(two, tmp_path / "mine")
    gold = mine / "gold.json"
    shutil.copyfile(ner / "gold.json", gold)
    for output, *arguments in ((mine, one, mine), (tmp_path / "team", tmp_path / "team", ner / "other"),
                               (mine, one, two, "--gold", gold)):  # fmt: skip
        standing = {path for path in output.rglob("*") if path.name != LOCK}
        error = complaint(capsys, "ensemble", *arguments, "--output", output, "--overwrite", "--copy")
        assert "holds a file that is read" in error and standing <= set(output.rglob("*"))


def test_a_member_that_changed_is_refused(
    work: Callable[[str], Path], tmp_path: Path, printed: Printed, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = work("ner")
    run = copied(folder / "two", tmp_path / "two")
    ensemble(printed, [folder / "one", run], tmp_path / "team")
    shaken(run, seed=9)
    error = complaint(capsys, "predict", "--run", tmp_path / "team", "--text", "北京")
    assert "is not the run that the ensemble was made of" in error


def test_another_knowledge_base_is_refused(
    work: Callable[[str], Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = work("el")

    def other_base(run: Path) -> None:
        path = run / "kb" / "kb.json"
        data = json.loads(path.read_text(encoding="utf-8"))
        path.unlink()
        path.write_text(json.dumps(data | {"fingerprint": "another"}), encoding="utf-8")

    run = copied(folder / "two", tmp_path / "two", other_base)
    error = complaint(capsys, "ensemble", folder / "one", run, "--output", tmp_path / "team")
    assert "has another knowledge base" in error


def test_an_ensemble_of_results_keeps_no_scores(
    work: Callable[[str], Path], tmp_path: Path, printed: Printed, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = work("ner")
    ensemble(printed, [folder / "one", folder / "two"], tmp_path / "team", "--join", "vote")
    error = complaint(
        capsys, "predict", "--run", tmp_path / "team", folder / "gold.json", "-o", tmp_path / "r.json",
        "--scores", tmp_path / "kept",
    )  # fmt: skip
    assert "keeps no scores" in error
    error = complaint(capsys, "tune", tmp_path / "team")
    assert "joins results by vote: there are no scores to tune on" in error
    again = ensemble(printed, [tmp_path / "team", folder / "other"], tmp_path / "larger")
    assert len([m for g in again["groups"] for m in g["members"]]) == 3  # an ensemble's members are taken one by one


@pytest.mark.parametrize("task", ["ner", "ske", "qa"])
def test_an_ensemble_of_results_labels_by_what_it_decides(
    task: str, work: Callable[[str], Path], tmp_path: Path, printed: Printed, capsys: pytest.CaptureFixture[str]
) -> None:
    """It has no probability of what it left out: no doubt, and no soft labels."""
    folder, team = work(task), tmp_path / "team"
    ensemble(printed, [folder / "one", folder / "two"], team, "--join", "union")
    words = ("distil", team, "--texts", folder / "gold.json", "--output", tmp_path / "extra", "--device", "cpu")
    made = json.loads(printed(*words, "--confidence", 0, "--json"))
    assert made["kept"] == made["texts"] > 0 and made["items"] > 0
    for option in ("--soft", "--doubt"):
        error = complaint(capsys, *words, option, *([] if option == "--soft" else [0.5]))
        assert f"{option}: " in error and "joins results" in error


def test_results_are_decided_once(with_dev: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What single members decide does not depend on how much they count."""
    trials: list[Trial] = []

    class Kept(Trial):
        def __init__(self, *arguments: Any, **more: Any) -> None:
            super().__init__(*arguments, **more)
            trials.append(self)

    monkeypatch.setattr(build, "Trial", Kept)
    make_ensemble(with_dev, output=tmp_path / "team", join="vote", device="cpu")
    (trial,) = trials
    assert len(trial._counts) > 5 and len(trial._kept_results) == 1


def test_near_duplicates_stay_together_where_a_scorer_takes_texts_for_one(work: Callable[[str], Path]) -> None:
    """A scorer's rows stand by where a text came first, and its copies may be far apart."""
    gold = list(load_triples(work("ske") / "gold.json"))[:6]
    like = replace(gold[1], text=gold[1].text + "。")
    task, recipe = get_task("ske"), load_recipe("ske")
    for items in ([gold[0], *gold, like], [*gold[:3], gold[0], *gold[3:], like]):
        said = [Extraction(item.text, ()) for item in items]
        trial = object.__new__(Trial)
        trial.predictor = SimpleNamespace(task=task)  # type: ignore[assignment]
        trial.recipe, trial._given_groups, trial._members = recipe, None, [said]
        trial.hearings = [SimpleNamespace(heard=[SimpleNamespace(item=item) for item in items])]  # type: ignore[list-item]
        trial.reports = [task.evaluate(recipe, items, said)]
        assert trial.texts == 7  # of eight
        assert trial.reports[0].keys[1] == gold[1].text
        groups = trial.groups.tolist()
        assert groups[-1] == groups[1] and len(set(groups)) == 6
