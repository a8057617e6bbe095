"""Run folders that somebody else made, or damaged: listed as such, and no command falls over them."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file

from ietool.cli.app import run as ietool
from ietool.errors import UserError
from ietool.recipe_io import load_recipe
from ietool.registry import get_task
from ietool.runs.finding import latest_run, unfinished_run
from ietool.runs.folder import create_run, update_run
from ietool.workflow.push import push
from tests.cli.conftest import complaint, output_of


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("IETOOL_HOME", raising=False)


def finished(*, overrides: tuple[str, ...] = (), **changes: Any) -> Path:
    """A finished run with weights."""
    folder = create_run(load_recipe("ske", overrides))
    save_file({"a": np.zeros((2, 3), np.float32)}, folder / "model.safetensors")
    best = {"score": 0.5, "metric": "duie2", "stage": 1, "epoch": 1}
    update_run(folder, **{"state": "finished", "best": best, **changes})
    return folder


def change(folder: Path, **changes: Any) -> None:
    """Change ``run.json`` as no version of ours would."""
    path = folder / "run.json"
    path.write_text(json.dumps(json.loads(path.read_text(encoding="utf-8")) | changes), encoding="utf-8")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"created": 5}, "created: is damaged"),
        ({"created": None}, "created: is damaged"),
        ({"extra": None}, "run.json: is damaged (extra is null, an object is needed)"),
        ({"extra": []}, "run.json: is damaged (extra is a list, an object is needed)"),
        ({"best": "x"}, "best: is damaged"),
        ({"best": {"score": "high", "metric": "duie2"}}, "best.score: is damaged"),
        ({"best": {"score": float("nan"), "metric": "duie2"}}, "NaN is no number of JSON"),
        ({"best": {"score": 0.5, "metric": 3}}, "best.metric: is damaged"),
        ({"best": {"score": 0.5, "metric": "f1", "interval": ["a", "b"]}}, "best.interval.0: is damaged"),
        ({"differences": []}, "differences: is damaged"),
        ({"corpus": {"files": ["a"]}}, "corpus.files: is damaged"),
        ({"corpus": {"rows": 3}}, "corpus.rows: is damaged"),
        ({"versions": [1]}, "versions: is damaged"),
        ({"files": {"a": 1}}, "files: is damaged"),
        ({"process": -1}, "process: is damaged"),
        ({"overfit": 0}, "overfit: is damaged"),
        ({"format": 99}, "is a run of format 99"),
    ],
)
def test_a_damaged_run_is_listed_and_breaks_nothing(
    changes: dict[str, Any], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    good, bad = finished(), finished()
    change(bad, **changes)
    assert ietool(["runs"]) == 0
    shown = capsys.readouterr()
    assert {str(bad), str(good), "damaged"} <= set(shown.out.split())
    assert said in shown.err and shown.err.count("\n") == 1
    listed = json.loads(output_of(capsys, "runs", "--json"))
    assert [entry["state"] for entry in listed] == ["finished", "damaged"] and said in listed[1]["reason"]
    assert latest_run("ske") == good
    with pytest.raises(UserError, match="no unfinished run"):
        unfinished_run("ske")
    for command in (["push", bad, "me/model", "--dry-run"], ["predict", "--run", bad, "--text", "字"]):
        assert said in complaint(capsys, *command)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("recipe.yaml", "name: [\n"),
        ("recipe.yaml", "- a list\n"),
        ("recipe.yaml", "name: ske\ntask: ske\nmodel: 3\n"),
        ("recipe.yaml", None),
        ("metrics.jsonl", '{"stage": 1, "epoch": 1, "best": true}\n{"stage"'),
        ("metrics.jsonl", '{"stage": "x", "epoch": 1, "best": true}\n'),
        ("metrics.jsonl", "[" * 100_000),
        ("config.json", "[1]"),
        ("config.json", "[" * 100_000),
        ("config.json", '{"model_type": "ietool-ske", "hidden_size": 1e999}'),
        ("config.json", '{"model_type": "ietool-ske", "hidden_size": 99999999999999}'),
        ("config.json", '{"encoder": {"num_hidden_layers": 99999999}}'),
        ("model.safetensors", None),
        ("run.json", "[" * 100_000),
        ("run.json", "\x00"),
        ("run.json", "[]"),
    ],
)
def test_other_files_of_a_run(name: str, content: str | None, capsys: pytest.CaptureFixture[str]) -> None:
    good, bad = finished(), finished()
    if content is None:
        (bad / name).unlink()
    else:
        (bad / name).write_text(content, encoding="utf-8")
    listed = json.loads(output_of(capsys, "runs", "--json"))
    assert [(entry["folder"], entry["state"]) for entry in listed] == [(str(good), "finished"), (str(bad), "damaged")]
    assert name in listed[1]["reason"]
    if name != "config.json":  # which only opening the model reads
        complaint(capsys, "push", bad, "me/model", "--dry-run")
    if name not in ("metrics.jsonl", "config.json"):
        complaint(capsys, "predict", "--run", bad, "--text", "字")
    elif name == "config.json":
        with pytest.raises(UserError, match=r"config\.json: is damaged"):
            get_task("ske").load_model(bad)
    if name.startswith("re"):
        assert latest_run("ske") == good


@pytest.mark.parametrize(
    "header", [b"", b"\xff" * 8, b"\x02" + bytes(7) + b"[]", b"\x0f" + bytes(7) + b'{"a":{"b":[1]}}']
)
def test_weights_that_are_none(header: bytes, capsys: pytest.CaptureFixture[str]) -> None:
    run = finished()
    (run / "model.safetensors").write_bytes(header)
    assert "model.safetensors: is damaged" in complaint(capsys, "push", run, "me/model", "--dry-run")


def test_push_sends_nothing_from_elsewhere(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = finished()
    (tmp_path / "victim.txt").write_text("secret", encoding="utf-8")
    (run / "link.json").symlink_to(tmp_path / "victim.txt")
    (run / "within").symlink_to(tmp_path)
    (run / ".hidden").write_text("x", encoding="utf-8")
    (run / "dev").mkdir()
    (run / "dev" / "outcomes.jsonl").write_text("{}\n", encoding="utf-8")
    os.mkfifo(run / "pipe")
    (run / "config.json").write_text("{}\n", encoding="utf-8")
    (run / "README.md").symlink_to(tmp_path / "victim.txt")
    names = ["../victim.txt", "../../victim.txt", "/etc/passwd", "link.json", "within/victim.txt", ".hidden", "pipe",
             "./config.json", "dev/outcomes.jsonl", "", ".", "a\x00b", "\x1b[31m", "none", "config.json"]  # fmt: skip
    change(run, files=[*names, str(tmp_path / "victim.txt")])
    assert ietool(["push", str(run), "me/model", "--dry-run"]) == 0
    told = capsys.readouterr()
    assert told.out.splitlines() == ["README.md", "config.json"]
    assert "'/etc/passwd' stays here" in told.err and "\x1b" not in told.err
    assert (tmp_path / "victim.txt").read_text(encoding="utf-8") == "secret"


def test_push_tells_no_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Absolute, relative and home paths, in the recipe, in what differs from it, and in settings of the model."""
    (tmp_path / "encoders" / "tiny").mkdir(parents=True)
    settings = ("model.encoder=encoders/tiny", "decode.rules=../secret/own.yaml", "title=~/secret/title")
    run = finished(overrides=settings, members=["../secret/runs/a", "/home/secret/b"], prepared=str(tmp_path / "p"))
    (run / "config.json").write_text(json.dumps({"_name_or_path": "encoders/tiny", "kept": 1}), encoding="utf-8")
    (run / "tokenizer_config.json").write_text(json.dumps({"name_or_path": str(tmp_path)}), encoding="utf-8")
    sent: dict[str, bytes] = {}

    class Api:
        def __init__(self, **kwargs: Any) -> None: ...

        def create_repo(self, name: str, **kwargs: Any) -> Any:
            return type("Repository", (), {"repo_id": name})

        def repo_info(self, name: str) -> Any:
            return type("Repository", (), {"private": True})

        def create_commit(self, *, operations: Any, **kwargs: Any) -> Any:
            for operation in operations:
                held = operation.path_or_fileobj
                sent[operation.path_in_repo] = held if isinstance(held, bytes) else Path(held).read_bytes()
            return type("Commit", (), {"commit_url": "u"})

    monkeypatch.setattr("huggingface_hub.HfApi", Api)
    push(run, "me/model")
    assert {"run.json", "recipe.yaml", "README.md", "config.json", "tokenizer_config.json"} <= sent.keys()
    for name, content in sent.items():
        for part in (b"secret", b"encoders/", str(tmp_path).encode()):
            assert part not in content, (name, content.decode("utf-8", "replace"))
    assert b"name: tiny\n" in sent["recipe.yaml"] and b'"kept": 1' in sent["config.json"]
    assert json.loads(sent["run.json"])["differences"]["decode.rules"] == "own.yaml"


def test_a_resumed_run_with_a_damaged_checkpoint(tmp_path: Path) -> None:
    from ietool.training.reached import read_progress

    for content in ("{", "[]", "{}", '{"rows": [{"a": 1}]}', '{"rows": 3}'):
        (tmp_path / "progress.json").write_text(content, encoding="utf-8")
        with pytest.raises(UserError, match=r"progress\.json: is damaged .* → delete"):
            read_progress(tmp_path)
