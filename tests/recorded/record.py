"""Write down what the code gives now: ``python -m tests.recorded.record [--runs] [RECIPE …]``.

``--runs`` trains the folders under ``runs/`` anew. They stand for the runs that users have, so that is not to be done
to make a test pass: what cannot read them cannot read those either.
"""

from __future__ import annotations

import gzip
import json
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

from tests.recorded import flows
from tests.recorded.settings import SETTINGS

EXPECTED = Path(__file__).parent / "expected"


def expected_of(name: str) -> Path:
    """The file of a recipe."""
    return EXPECTED / f"{name}.json"


def make_run(name: str, work: Path) -> None:
    """Train a model that finds something, and keep its run folder without what tells of this machine."""
    asked = SETTINGS[name]
    flows.make_data(name, work, asked.records)
    flows.train(name, work, asked.well)
    run, kept = work / "run", flows.kept_run(name)
    shutil.rmtree(kept, ignore_errors=True)
    shutil.copytree(run, kept, ignore=shutil.ignore_patterns(".*", "checkpoints"))
    for path in list(kept.rglob("names.daac")):
        path.with_name(path.name + flows.PACKED).write_bytes(gzip.compress(path.read_bytes(), mtime=0))
        path.unlink()
    path = kept / "run.json"
    about = json.loads(path.read_text(encoding="utf-8"))
    about |= {"command": ["ietool", "train", "--recipe", flows.recipe_of(name)], "process": None, "host": ""}
    about["prepared"] = "prepared"
    path.write_text(json.dumps(about, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")


def record(name: str, work: Path) -> dict[str, Any]:
    """All that is recorded of a recipe, by station."""
    flows.make_data(name, work)
    found = {
        "first_steps": flows.first_steps(name, work),
        "other_models": flows.other_models(name, work),
        "short_training": flows.short_training(name, work),
        "predictions": flows.predictions(name, work),
        "submissions": flows.digests(flows.submissions(name, work)),
        "scores": flows.scores(name, work),
    }
    kept: dict[str, Any] = flows.recorded(found)
    return kept


def write(path: Path, found: dict[str, Any]) -> None:
    """JSON with a line an entry, so that a difference of two versions can be read."""
    parts = []
    for station, value in found.items():
        entries = [f"{_json(key)}: {_json(part)}" for key, part in value.items()]
        parts.append(f"{_json(station)}: {{\n " + ",\n ".join(entries) + "\n}")
    path.parent.mkdir(exist_ok=True)
    path.write_text("{\n" + ",\n".join(parts) + "\n}\n", encoding="utf-8")


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def main(arguments: list[str]) -> None:
    names = [name for name in arguments if name != "--runs"] or list(flows.FLOWS)
    for name in names:
        with tempfile.TemporaryDirectory() as folder:
            if "--runs" in arguments:
                make_run(name, Path(folder) / "run")
            write(expected_of(name), record(name, Path(folder) / "flow"))
        print(name, expected_of(name).stat().st_size, flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
