"""``ietool runs``: what is listed, in which order, and what is removed."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from ietool.contest.group import new_group, write_group
from ietool.prepared import DONE
from ietool.recipe_io import load_recipe
from ietool.runs.folder import create_run, training_in, update_run
from ietool.runs.members import EnsembleInfo, GroupInfo, MemberInfo, reference, write_members
from ietool.workflow.listing import span_of
from tests.cli.conftest import complaint, output_of
from tests.in_process import command_here

Capture = pytest.CaptureFixture[str]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("IETOOL_HOME", raising=False)
    return tmp_path


def made(name: str, score: float | None = None, *, state: str = "finished", seconds: float = 3.0, **facts: Any) -> Path:
    """A run under runs/, with no weights, of two epochs."""
    folder = create_run(load_recipe("ske"), Path("runs") / name)
    row = {"stage": 1, "best": True, "loss": 1.0, "raw": None, "ema": None, "seconds": seconds}
    rows = (json.dumps(row | {"epoch": epoch}) + "\n" for epoch in (1, 2))
    (folder / "metrics.jsonl").write_text("".join(rows), encoding="utf-8")
    best = None
    if score is not None:
        best = {"score": score, "metric": "duie2", "epoch": 1, "interval": [score - 0.05, score + 0.05]}
        (folder / "model.safetensors").write_bytes(b"")
    update_run(folder, best=best, state=state, **facts)
    return folder


def order(capsys: Capture, *more: object) -> list[str]:
    return [Path(run["folder"]).name for run in json.loads(output_of(capsys, "runs", "--json", *more))]


def test_what_is_listed(home: Path, capsys: Capture) -> None:
    prepared = home / "prepared" / "x"
    prepared.mkdir(parents=True)
    (prepared / DONE).write_text(json.dumps({"sources": {"train": str(home / "corpus" / "train.json")}}), "utf-8")
    made("good", 0.9, prepared=str(prepared), differences={"training.epochs": 2})
    made("begun", state="interrupted", prepared=str(home / "gone"), members=["a", "b"])
    shown = output_of(capsys, "runs")
    for words in ("0.9000 duie2", ".850 – .950", "1 of 2", "6 s", "corpus", "training.epochs=2", "gone"):
        assert words in shown, words
    value = {Path(run["folder"]).name: run for run in json.loads(output_of(capsys, "runs", "--json"))}
    assert value["good"]["data"] == "corpus" and value["good"]["seconds"] == 6.0 and value["good"]["epochs"] == 2
    assert value["begun"]["members"] == ["a", "b"] and value["begun"]["best"] is None
    rows = [line.split("\t") for line in output_of(capsys, "runs", "--tsv").splitlines()]
    assert rows[0][:5] == ["where", "best dev score", "95 % low", "95 % high", "state"]
    assert {len(row) for row in rows} == {len(rows[0])}
    assert rows[0][-1] == "score of" and {row[-1] for row in rows[1:]} == {"duie2", ""}
    assert "score of" not in shown
    assert "--json and --tsv" in complaint(capsys, "runs", "--tsv", "--json")


def test_orders(home: Path, capsys: Capture) -> None:
    made("a", 0.5, seconds=9.0)
    made("b", 0.9, seconds=1.0)
    made("c", state="interrupted", seconds=5.0)
    assert order(capsys) == ["c", "b", "a"] == order(capsys, "--sort", "when")
    assert order(capsys, "--sort", "score") == ["b", "a", "c"]
    assert order(capsys, "--sort", "duration") == ["a", "c", "b"]
    assert order(capsys, "--sort", "where") == ["a", "b", "c"] == order(capsys, "runs", "--sort", "where")
    assert order(capsys, "--sort", "state")[-1] == "c"
    assert order(capsys, "--sort=score", "runs") == ["b", "a", "c"]
    said = complaint(capsys, "runs", "--sort", "scor")
    assert "--sort: knows no order 'scor' → did you mean score?" in said
    assert "no such folder" in complaint(capsys, "runs", "nowhere")


def test_a_group_is_sorted_by_its_mean_and_stays_together(home: Path, capsys: Capture) -> None:
    group = new_group("ske", "ske", 1, [1, 2], prepared="", base="", assignment="", files={}, state="finished")
    for name, score in zip(group.members, (0.4, 0.8), strict=True):
        made(f"seeds/{name}", score)
    write_group(Path("runs/seeds"), group)
    made("a", 0.7)
    found = json.loads(output_of(capsys, "runs", "--json", "--sort", "score"))
    assert [Path(run["folder"]).name for run in found] == ["a", *group.members, "seeds"]
    assert "0.6000 duie2, mean of 2" in output_of(capsys, "runs")


# -- rm


def left(home: Path) -> set[str]:
    return {path.parent.relative_to(home).as_posix() for path in (home / "runs").rglob("run.json")}


def test_it_asks_first(home: Path) -> None:
    made("old", 0.5)
    for answer, gone in (("\n", False), ("n\n", False), ("yes\n", True)):
        done = command_here(home, "runs", "rm", "runs/old", stdin=answer)
        assert done.returncode == 0 and "remove 1 folder, " in done.stderr, done.stderr
        assert ("removed: 1 folder" in done.stderr) is gone and (home / "runs" / "old").exists() is not gone
    made("old", 0.5)
    done = command_here(home, "runs", "rm", "old", stdin="")
    assert done.returncode == 2 and "nobody answered, and nothing was removed → give --yes" in done.stderr
    assert left(home) == {"runs/old"}


def test_what_was_interrupted_is_removed_where_nothing_is_named(home: Path, capsys: Capture) -> None:
    made("a", 0.5)
    made("deep/b", state="interrupted")
    made("c", 0.3, state="interrupted")
    made("d", state="diverged")
    output_of(capsys, "runs", "rm", "--yes")
    assert left(home) == {"runs/a", "runs/d"} and not (home / "runs" / "deep").exists()
    assert "no run was interrupted; nothing is removed" in command_here(home, "runs", "rm").stderr


def test_damaged_runs_and_whole_groups_are_removed_by_name(home: Path, capsys: Capture) -> None:
    (made("bad") / "run.json").write_text("{", encoding="utf-8")
    group = new_group("ske", "ske", 1, [1], prepared="", base="", assignment="", files={}, state="finished")
    made(f"seeds/{group.members[0]}", 0.4)
    write_group(Path("runs/seeds"), group)
    output_of(capsys, "runs", "rm", "bad", "runs/seeds", "seeds", "--yes")
    assert left(home) == set() and list((home / "runs").iterdir()) == []


def test_nothing_outside_of_runs_is_removed(home: Path, capsys: Capture) -> None:
    elsewhere = shutil.move(made("x", 0.5), home / "elsewhere")
    made("ske/one", 0.5)
    (home / "runs" / "link").symlink_to(elsewhere)
    (home / "runs" / "file").write_text("", encoding="utf-8")
    (home / "runs" / "up").symlink_to(home)
    for name, said in (
        ("elsewhere", "is not below"),
        ("runs/../elsewhere", "is not below"),
        (str(elsewhere), "is not below"),
        ("runs/link", "is not below"),
        ("link", "is not below"),
        ("up", "is not below"),
        ("runs/up/elsewhere", "is not below"),
        ("runs", "is not below"),
        (".", "is not below"),
        ("/", "is not below"),
        ("ske", "is no run: run.json is missing → name the runs in it: "),
        ("file", "is a file, no run"),
        ("nowhere", "no such run"),
    ):
        assert said in complaint(capsys, "runs", "rm", "ske/one", name, "--yes"), name
    assert (elsewhere / "run.json").is_file() and (home / "runs" / "ske" / "one" / "run.json").is_file()
    made("within", 0.5)
    (home / "runs" / "within" / "checkpoints").symlink_to(elsewhere)  # a link is removed, not what it leads to
    output_of(capsys, "runs", "rm", "within", "--yes")
    assert (elsewhere / "run.json").is_file() and not (home / "runs" / "within").exists()


def test_a_run_in_training_is_left_alone(home: Path, capsys: Capture) -> None:
    run = made("now", state="training")
    assert "is being trained" in complaint(capsys, "runs", "rm", "now", "--yes")
    update_run(run, state="interrupted")
    with training_in(run):
        assert "is being trained by another process" in complaint(capsys, "runs", "rm", "--yes")
    assert left(home) == {"runs/now"}


def test_members_of_an_ensemble_stay_unless_it_goes_too(home: Path, capsys: Capture) -> None:
    member, team = made("member", 0.5), made("team", 0.6)
    members = [MemberInfo(reference(team, member), "mark")]
    write_members(team, EnsembleInfo("mean", [GroupInfo("cascade", members)]))
    said = complaint(capsys, "runs", "rm", "member", "--yes")
    assert "is made of it" in said and "ietool ensemble --copy" in said and left(home) == {"runs/member", "runs/team"}
    output_of(capsys, "runs", "rm", "member", "team", "--yes")
    assert left(home) == set()


def test_lengths_of_time() -> None:
    told = {None: None, 0.4: "0 s", 59.4: "59 s", 59.6: "1:00 min", 3599.0: "59:59 min", 12_000.0: "3:20 h"}
    assert {seconds: span_of(seconds) for seconds in told} == told
    assert span_of(float("nan")) is None


def test_rm_takes_no_other_folder(home: Path, capsys: Capture) -> None:
    kept = made("a", state="interrupted")
    for more in (("other",), ("--in", "runs"), ("--sort", "score"), ("--tsv",)):
        assert "before it" in complaint(capsys, "runs", *more, "rm", "--yes")
    assert (kept / "run.json").is_file()


def test_members_of_a_group_at_work_stay(home: Path, capsys: Capture) -> None:
    """Its next member may be one that was interrupted, or is finished already."""
    members = [made(f"g/fold-{n}-seed-42", state=state) for n, state in ((1, "finished"), (2, "interrupted"))]
    write_group(members[0].parent, new_group("ske", "ske", 2, [42], prepared="", base="", assignment="", files={}))
    assert "no run was interrupted" in command_here(home, "runs", "rm", "--yes").stderr
    assert "is being trained" in complaint(capsys, "runs", "rm", members[0], "--yes")
    assert all((one / "run.json").is_file() for one in members)


def test_a_run_within_a_run_that_is_trained_stays(home: Path, capsys: Capture) -> None:
    made("o", 0.5)
    inner = made("o/inner", state="interrupted")
    with training_in(inner):
        assert complaint(capsys, "runs", "rm", "o", "--yes")
    assert (inner / "run.json").is_file() and (inner.parent / "run.json").is_file()


def test_links_to_runs_elsewhere_are_left_alone(home: Path, capsys: Capture) -> None:
    made("ske/a", state="interrupted")
    outside = made("../elsewhere/out", state="interrupted")
    (home / "runs" / "zlink").symlink_to(outside.resolve())
    output_of(capsys, "runs", "rm", "--yes")
    assert not (home / "runs" / "ske" / "a").exists() and (outside / "run.json").is_file()


def test_what_has_changed_since_the_question_stays(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = made("a", state="interrupted")

    def finish(question: str) -> bool:
        update_run(run, state="finished")
        return True

    monkeypatch.setattr("ietool.cli.runs._agreed", finish)
    done = command_here(home, "runs", "rm")
    assert done.returncode == 2 and "has changed meanwhile" in done.stderr
    assert (run / "run.json").is_file()
