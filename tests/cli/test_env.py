"""``ietool env`` and ``ietool runs``."""

from __future__ import annotations

import json
from importlib import metadata
from pathlib import Path

import pytest

from ietool import environment
from ietool.recipe_io import load_recipe
from ietool.runs.entry import WEIGHTS_FILE
from ietool.runs.folder import create_run, update_run
from tests.cli.conftest import Ietool


def test_env_json(ietool: Ietool, tmp_path: Path) -> None:
    done = ietool("env", "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["versions"]["torch"] == metadata.version("torch")
    assert found["devices"][0]["name"] == "cpu"
    assert found["cpu"]["bf16"] in ("amx", "avx512", "neon", "no", "unknown")
    assert found["paths"]["runs"] == str(tmp_path / "runs")


def test_env_table(ietool: Ietool) -> None:
    done = ietool("env")
    assert done.returncode == 0, done.stderr
    assert "transformers" in done.stdout


def test_env_survives_a_broken_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    def version(name: str) -> str:
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(environment, "_import_torch", lambda: (None, "OSError: libcudart.so"))
    monkeypatch.setattr(metadata, "version", version)
    missing = "\n".join(environment.report()["missing"])
    assert "libcudart" in missing
    assert "pip install transformers" in missing


def test_runs_of_an_empty_folder(ietool: Ietool) -> None:
    done = ietool("runs")
    assert (done.returncode, done.stdout) == (0, "")
    assert "ietool train" in done.stderr
    assert json.loads(ietool("runs", "--json").stdout) == []


def test_runs(ietool: Ietool, tmp_path: Path) -> None:
    folder = create_run(load_recipe("ske", ["training.seed=7"]), tmp_path / "runs" / "seven")
    (folder / WEIGHTS_FILE).touch()
    update_run(folder, state="finished", best={"score": 0.5, "metric": "duie2", "epoch": 3})
    table = ietool("runs").stdout
    assert "training.seed=7" in table
    assert "0.5000 duie2" in table
    found = json.loads(ietool("runs", "--json").stdout)
    assert [(run["recipe"], run["differences"], run["folder"]) for run in found] == [
        ("ske", {"training.seed": 7}, "runs/seven")
    ]


def test_home_moves_the_working_folders(ietool: Ietool, tmp_path: Path) -> None:
    create_run(load_recipe("ske"), tmp_path / "elsewhere" / "runs" / "one")
    found = json.loads(ietool("runs", "--json", env={"IETOOL_HOME": str(tmp_path / "elsewhere")}).stdout)
    assert len(found) == 1
