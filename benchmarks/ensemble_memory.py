"""Peak memory of an ensemble against that of its largest member, over texts made for it.

    python benchmarks/ensemble_memory.py runs/a runs/b runs/c runs/d --texts 10000

Texts are sentences of the corpora that ship, put together anew. Prints peak memory and seconds of each; the ensemble
holds one member in memory at a time, unless ``--members-at-once`` says otherwise.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from ietool import paths


def texts(count: int, seed: int = 0) -> list[str]:
    """Texts of one to three sentences of the shipped corpora."""
    lines = (paths.shipped_data("ner") / "train.jsonl").read_text(encoding="utf-8").splitlines()
    sentences = [json.loads(line)["text"] for line in lines]
    chance = random.Random(seed)
    return ["".join(chance.sample(sentences, chance.randint(1, 3))) for _ in range(count)]


def measured(*arguments: object) -> tuple[float, float]:
    """(peak memory in MB, seconds) of a command."""
    begin = time.monotonic()
    process = subprocess.Popen([sys.executable, "-m", "ietool", *map(str, arguments)], stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"failed: ietool {' '.join(map(str, arguments))}")
    return usage.ru_maxrss / 1024, time.monotonic() - begin


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("runs", nargs="+", type=Path)
    parser.add_argument("--texts", type=int, default=10_000)
    parser.add_argument("--members-at-once", type=int, default=1)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        source = place / "texts.json"
        lines = (json.dumps({"text": text}, ensure_ascii=False) + "\n" for text in texts(given.texts))
        source.write_text("".join(lines), encoding="utf-8")
        weights = ",".join("1" for _ in given.runs)
        measured("ensemble", *given.runs, "--output", place / "team", "--weights", weights, "--device", "cpu")
        rows = []
        for run in (*given.runs, place / "team"):
            more = ("--members-at-once", given.members_at_once) if run == place / "team" else ()
            peak, seconds = measured("predict", "--run", run, source, "-o", place / "r.json", "--device", "cpu", *more)
            rows.append(peak)
            print(f"{run.name:20} {peak:8,.0f} MB {seconds:8.1f} s", flush=True)
        print(f"the ensemble has {rows[-1] / max(rows[:-1]):.2f} times the peak of its largest member")


if __name__ == "__main__":
    main()
