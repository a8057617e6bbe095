"""A whole competition in a minute, killed in its midst."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.tasks.ner.made import examples, write_json

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="processes are ended with their parent on Linux alone")


def compete(folder: Path, *arguments: str) -> subprocess.Popen[str]:
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "IETOOL_HOME": str(folder / "home")}
    return subprocess.Popen(
        [sys.executable, "-m", "ietool", "compete", "--device", "cpu", *arguments],
        cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


@pytest.mark.skipif("IETOOL_SLOW" not in os.environ, reason="takes a minute and a half: set IETOOL_SLOW=1")
def test_killed_it_goes_on_and_ends_with_a_submission(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    for name, count, seed in (("train", 60, 1), ("dev", 20, 2), ("test", 20, 3)):
        write_json(data / f"{name}.json", examples(count, seed=seed))
        known = (data / f"{name}.json").read_text("utf-8").replace("人物", "name").replace("地点", "address")
        (data / f"{name}.json").write_text(known, encoding="utf-8")
    tiny = (
        "model.encoder.hidden_size=16",
        "model.encoder.dilations=[1]",
        "training.head_learning_rate=0.03",
        "training.epochs=3",
    )
    settings = [part for key in tiny for part in ("--set", key)]
    first = compete(tmp_path, "--data", "data", "--hours", "0.03", "--recipe", "ner-globalpointer", "--folds", "0",
                    "--output", "mine", *settings)  # fmt: skip
    members = tmp_path / "mine" / "members"
    deadline = time.monotonic() + 150
    while not list(members.glob("*/metrics.jsonl")):
        assert first.poll() is None and time.monotonic() < deadline, first.communicate()[1]
        time.sleep(0.1)
    first.send_signal(signal.SIGKILL)
    first.communicate()
    before = json.loads((tmp_path / "mine" / "compete.json").read_text("utf-8"))
    second = compete(tmp_path, "--resume", "--output", "mine")
    _, said = second.communicate(timeout=240)
    assert second.returncode == 0, said
    after = json.loads((tmp_path / "mine" / "compete.json").read_text("utf-8"))
    assert after["plan"] == before["plan"] and after["spent"] > before["spent"]
    mine = tmp_path / "mine"
    assert (mine / "submission.zip").is_file() and (mine / "result.json").is_file()
    account = (mine / "README.md").read_text("utf-8")
    assert "What each step gained" in account and "ietool train --recipe mine/recipes/ner-globalpointer.yaml" in account
