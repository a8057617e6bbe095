"""The model card of a run, and bringing the run to a hub."""

from __future__ import annotations

import json
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import yaml
from safetensors.numpy import save_file

from ietool.cli import app as app_module
from ietool.recipe_io import load_recipe, save_recipe
from ietool.report.card import card, write_card
from ietool.runs.folder import create_run, update_run


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A finished run, whose names are as awkward as they may be."""
    recipe = load_recipe("ske", ["training.epochs=2", "title=<script>alert(1)"])
    folder = create_run(recipe, tmp_path / "best of <b>", device="cpu")
    save_file({"a": np.zeros((3, 5), np.float32), "b": np.zeros(7, np.float32)}, folder / "model.safetensors")
    rows = [
        {"stage": 1, "epoch": 1, "loss": 0.5, "raw": {"score": 0.25}, "ema": None, "best": True},
        {"stage": 1, "epoch": 2, "loss": float("nan"), "raw": None, "ema": {"score": 0.5}, "best": True},
    ]
    (folder / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    corpus = {"files": {"train": "tr`ain|.json"}, "columns": ["", "train"], "rows": [["records", 1234], ["a|b", None]]}
    best = {"score": 0.5, "metric": "duie2", "stage": 1, "epoch": 2, "interval": [0.4, 0.6]}
    update_run(folder, state="finished", best=best, corpus=corpus, precision="fp32")
    return folder


def front_and_body(text: str) -> tuple[dict[str, Any], str]:
    _, front, body = text.split("---\n", 2)
    return yaml.safe_load(front), body


def test_card_tells_data_recipe_scores_and_use(run: Path) -> None:
    front, body = front_and_body(card(run))
    assert front["language"] == "zh" and front["library_name"] == "ietool" and "base_model" not in front
    metric = front["model-index"][0]["results"][0]["metrics"][0]
    assert metric == {"type": "duie2", "value": 0.5, "name": "duie2"}
    assert "`duie2` on dev: **0.5000** (95 % of resampled texts: 0.4000–0.6000), after epoch 2." in body
    assert "| 1 | 1 | 0.5000 | 0.2500 | best |" in body and "| 1 | 2 | – | 0.5000 | best |" in body
    assert "| records | 1,234 |" in body
    assert "22 numbers" in body
    assert "`training.epochs=2`" in body
    assert "ietool.load(" in body and "import ietool.auto" in body


def test_card_escapes_what_it_is_told(run: Path) -> None:
    text = card(run)
    assert "- train: ``tr`ain|.json``" in text
    assert "| a\\|b |  |" in text
    assert "# &lt;script>alert(1)" in text
    assert "ietool predict --run 'best of <b>' INPUT" in text
    assert yaml.safe_load(text.split("```yaml\n")[1].split("\n```")[0])["name"] == "ske"


def test_encoder_from_a_hub_is_the_base_model(run: Path) -> None:
    save_recipe(load_recipe("ske", ["model.encoder=some/encoder"]), run / "recipe.yaml")
    update_run(run, base_model="some/encoder")  # as the training knew it
    front, body = front_and_body(card(run))
    assert front["base_model"] == "some/encoder" and "`some/encoder`" in body
    save_recipe(load_recipe("ske", ["model.encoder=/my/encoder"]), run / "recipe.yaml")
    update_run(run, differences={"model.encoder": "/my/encoder"}, base_model=None)
    front, body = front_and_body(card(run))
    assert "base_model" not in front
    # Where it lies on this machine is nobody's business.
    assert "/my/encoder" not in body and "name: encoder\n" in body and "`model.encoder=encoder`" in body


HUBS_AND_LICENCES = ("https://huggingface.co/", "https://www.apache.org/licenses/", "https://creativecommons.org/")


def links_of(text: str) -> list[str]:
    """Where a text of Markdown leads to, its blocks of code left out."""
    prose = re.sub(r"^(`{3,})[^\n]*\n.*?^\1$", "", text, flags=re.DOTALL | re.MULTILINE)
    return re.findall(r"(?<=\]\()[^)\s]+|(?<![(\w])https?://[^\s)>]+", prose)


@pytest.mark.parametrize("encoder", ["characters", "some/encoder", "/my/encoder"])
def test_card_leads_to_pages_that_exist(run: Path, encoder: str) -> None:
    """The project lies on no index: a card names it, and leads nowhere but to files of the run, hubs and licences."""
    assert links_of("[a](b.md), <https://c.d/e> `f`\n```yaml\n# https://g.h\n```\n") == ["b.md", "https://c.d/e"]
    recipe = "ske" if encoder == "characters" else "ske-cascade"
    save_recipe(load_recipe(recipe, [] if recipe == "ske" else [f"model.encoder={encoder}"]), run / "recipe.yaml")
    update_run(run, base_model=encoder if encoder == "some/encoder" else None)
    text = card(run)
    assert "trained with ietool 0" in text
    for link in links_of(text):
        assert link.startswith(HUBS_AND_LICENCES) or (run / link).is_file(), link


def test_self_check_says_that_it_is_no_model(run: Path) -> None:
    update_run(run, overfit=32, corpus={})
    text = card(run)
    assert "no model to use" in text and "same 32 records" in text and "Not recorded" in text


def test_push_dry_run_lists_the_model_alone(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (run / "checkpoints" / "stage-1").mkdir(parents=True)
    (run / "checkpoints" / "stage-1" / "x.bin").write_bytes(b"x")
    assert app_module.run(["push", str(run), "me/model", "--dry-run", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["files"] == ["README.md", "metrics.jsonl", "model.safetensors", "recipe.yaml", "run.json"]
    assert told["url"] is None and told["bytes"] > 0
    # What was written into the folder after the training is not the model's.
    update_run(run, files=["model.safetensors", "recipe.yaml"])
    (run / "result.json").write_text("{}", encoding="utf-8")
    assert app_module.run(["push", str(run), "me/model", "--dry-run"]) == 0
    assert capsys.readouterr().out.splitlines() == ["README.md", "model.safetensors", "recipe.yaml"]


def test_push_uploads_one_commit(
    run: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    calls: list[tuple[str, dict[str, Any]]] = []

    class Api:
        def __init__(self, **kwargs: Any) -> None: ...

        def create_repo(self, name: str, **kwargs: Any) -> Any:
            calls.append((name, kwargs))
            return SimpleNamespace(repo_id=f"me/{name}")

        def repo_info(self, name: str) -> Any:
            return SimpleNamespace(private=name != "me/open")

        def create_commit(self, **kwargs: Any) -> Any:
            calls.append((kwargs["repo_id"], kwargs))
            return SimpleNamespace(commit_url="https://hub/me/model/commit/1")

    monkeypatch.setattr("huggingface_hub.HfApi", Api)
    assert app_module.run(["push", str(run), "model"]) == 0
    out = capsys.readouterr()
    assert "https://hub/me/model/commit/1" in out.err
    assert calls[0] == ("model", {"private": True, "exist_ok": True})
    sent = {operation.path_in_repo: operation for operation in calls[1][1]["operations"]}
    assert calls[1][0] == "me/model" and {"README.md", "model.safetensors"} <= set(sent)
    assert (run / "README.md").is_file()
    # One that is there and public is not made private: what was not meant for all does not go there.
    assert app_module.run(["push", str(run), "open"]) == 2
    assert "'me/open' is public → name another repository, or say --public" in capsys.readouterr().err
    assert len(calls) == 3
    assert app_module.run(["push", str(run), "open", "--public"]) == 0 and len(calls) == 5


def test_push_tells_nothing_of_the_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    encoder = tmp_path / "secret place" / "my-encoder"
    recipe = load_recipe("ske-cascade", [f"model.encoder={encoder}"])
    run = create_run(recipe, tmp_path / "run", device="cpu")
    save_file({"a": np.zeros(2, np.float32)}, run / "model.safetensors")
    (run / "config.json").write_text(json.dumps({"encoder": {"_name_or_path": str(encoder)}}), encoding="utf-8")
    update_run(run, state="finished", prepared=str(tmp_path / "secret place"))
    sent: dict[str, bytes] = {}

    class Api:
        def __init__(self, **kwargs: Any) -> None: ...

        def create_repo(self, name: str, **kwargs: Any) -> Any:
            return SimpleNamespace(repo_id=name)

        def repo_info(self, name: str) -> Any:
            return SimpleNamespace(private=True)

        def create_commit(self, **kwargs: Any) -> Any:
            for operation in kwargs["operations"]:
                with operation.as_file() as stream:
                    sent[operation.path_in_repo] = stream.read()
            return SimpleNamespace(commit_url="https://hub/x")

    monkeypatch.setattr("huggingface_hub.HfApi", Api)
    assert app_module.run(["push", str(run), "me/model"]) == 0
    assert {"README.md", "config.json", "model.safetensors", "recipe.yaml", "run.json"} == set(sent)
    assert not [name for name, content in sent.items() if b"secret place" in content]
    info = json.loads(sent["run.json"])
    assert info["recipe"] == "ske-cascade" and not {"host", "process", "command"} & set(info)
    assert "my-encoder" in sent["recipe.yaml"].decode()


def test_push_takes_finished_runs_alone(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert app_module.run(["push", str(run), "bad name!!", "--dry-run"]) == 2
    assert "is no name of a repository" in capsys.readouterr().err
    update_run(run, state="interrupted")
    assert app_module.run(["push", str(run), "me/model", "--dry-run"]) == 2
    assert "was interrupted" in capsys.readouterr().err
    update_run(run, state="finished", overfit=6)
    assert app_module.run(["push", str(run), "me/model", "--dry-run"]) == 2
    assert "self-check" in capsys.readouterr().err


def test_push_says_in_one_line_what_the_hub_refused(
    run: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Api:
        def __init__(self, **kwargs: Any) -> None: ...

        def create_repo(self, name: str, **kwargs: Any) -> Any:
            raise OSError("no\nnetwork")

    monkeypatch.setattr("huggingface_hub.HfApi", Api)
    assert app_module.run(["push", str(run), "me/model"]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and "no network" in error and "me/model" in error


def test_no_run_no_card(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert app_module.run(["push", str(tmp_path), "me/model"]) == 2
    assert "is no run" in capsys.readouterr().err
    with pytest.raises(Exception, match="is no run"):
        write_card(tmp_path)
