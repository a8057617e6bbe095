"""`ietool compete` on the corpora that ship: does it end in time, with a submission that the organisers would take; and
killed by kill -9 at random moments, does it go on to the same submission?

    python benchmarks/compete_kills.py --work DIR [--tasks ner,qa,el,ske] [--hours 0.2] [--kills 3] [--seed 1]

A task is done twice: once without interruption, and once with the plan of the first (speeds that are measured anew
would plan otherwise), killed so many times and resumed. Prints a row a task; what a work folder has already is not done
again.
"""

from __future__ import annotations

import argparse
import hashlib
import itertools
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from ietool import paths

TASKS = ("ner", "qa", "el", "ske")


def start(folder: Path, *words: object) -> subprocess.Popen[bytes]:
    """``ietool compete`` into a folder, in a process group of its own; what it says goes to a log beside it."""
    log = folder.with_suffix(".log").open("ab")
    command = [sys.executable, "-m", "ietool", "compete", "--output", folder, *words]
    return subprocess.Popen(list(map(str, command)), stdout=log, stderr=log, start_new_session=True)


def whole(task: str, folder: Path, hours: float, device: str) -> float:
    """Compete without interruption; gives its seconds."""
    told = folder.with_suffix(".json")
    if not told.is_file():
        shutil.rmtree(folder, ignore_errors=True)
        begin = time.monotonic()
        code = start(folder, "--data", paths.shipped_data(task), "--hours", hours, "--device", device).wait()
        told.write_text(json.dumps({"code": code, "seconds": time.monotonic() - begin}), encoding="utf-8")
    came = json.loads(told.read_text(encoding="utf-8"))
    if came["code"]:
        sys.exit(f"compete ended with exit code {came['code']}: see {folder.with_suffix('.log')}")
    return float(came["seconds"])


def planned(first: Path, folder: Path) -> None:
    """A folder in which the plan of another is made and nothing is done."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    shutil.copytree(first / "recipes", folder / "recipes")
    state = json.loads((first / "compete.json").read_text(encoding="utf-8"))
    state["spent"], state["done"] = 0.0, {"ground": state["done"]["ground"]}
    (folder / "compete.json").write_text(json.dumps(state), encoding="utf-8")


def killed(folder: Path, moments: list[float], limit: float) -> int:
    """Kill it after so many seconds each, then let it end; gives how often it could be killed."""
    kills = 0
    for moment in [*moments, None]:
        process = start(folder, "--resume")
        try:
            code = process.wait(timeout=limit if moment is None else moment)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            if moment is None:
                sys.exit(f"{folder} did not end")
            kills += 1
            time.sleep(1.0)  # its children end with it
            continue
        if code:
            sys.exit(f"resuming ended with exit code {code}: see {folder.with_suffix('.log')}")
        break
    return kills


def submission(folder: Path) -> tuple[str, str]:
    """(name, SHA-256) of what was packed; of the predictions where nothing was."""
    for pattern in ("submission*", "result*"):
        for path in sorted(folder.glob(pattern)):
            return path.name, hashlib.sha256(path.read_bytes()).hexdigest()
    return "none", ""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--tasks", default=",".join(TASKS))
    parser.add_argument("--hours", type=float, default=0.2)
    parser.add_argument("--kills", type=int, default=3)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--device", default="auto")
    arguments = parser.parse_args()
    arguments.work.mkdir(parents=True, exist_ok=True)
    print("| task | seconds of | members | score of dev | submission | kills | the same after them |", flush=True)
    print("|---|---|---|---|---|---|---|", flush=True)
    rows: list[dict[str, Any]] = []
    for task in arguments.tasks.split(","):
        first, second = arguments.work / task, arguments.work / f"{task}-killed"
        seconds = whole(task, first, arguments.hours, arguments.device)
        chance = random.Random(f"{arguments.seed} {task}")
        moments = sorted(chance.uniform(3.0, 0.6 * seconds) for _ in range(arguments.kills))
        planned(first, second)
        # Moments are of all its work: each attempt goes on where the last was killed.
        waits = [moments[0], *(b - a for a, b in itertools.pairwise(moments))]
        kills = killed(second, waits, 3 * seconds)
        state = json.loads((first / "compete.json").read_text(encoding="utf-8"))
        best = state["done"]["tune"]["after"].get("best") or {}
        one, two = submission(first), submission(second)
        row = {"task": task, "seconds": round(seconds), "limit": round(arguments.hours * 3600)}
        row |= {"members": len(state["plan"]["members"]), "score": best.get("score"), "metric": best.get("metric")}
        rows.append(row | {"submission": one[0], "kills": kills, "same": one == two})
        shown = [
            f"`{task}`",
            f"{seconds:.0f} of {row['limit']}",
            row["members"],
            row["score"],
            one[0],
            kills,
            one == two,
        ]
        print(f"| {' | '.join(map(str, shown))} |", flush=True)
    print(json.dumps(rows, ensure_ascii=False))


if __name__ == "__main__":
    main()
