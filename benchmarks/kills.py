"""Trainings killed by kill -9 at random moments and resumed: are they, to the last digit, what they would have been?

    python benchmarks/kills.py [--kills 50] [--seed 1] [--recipe ske …] [--work FOLDER]

Every recipe trains on a small piece of a corpus that ships, from scratch or on a tiny encoder made here (dropout and
all else as in the recipes; ske in two stages with R-Drop, ske-gplinker with FGM, two of them also by torchrun in two
processes), once without interruption. Then it is killed at random moments, also before the first checkpoint and while
files are written, and resumed by the command that a user would type, until it is finished: some are killed twice. The
epoch table (without what the clock decides) and all weights must be equal. With the same ``--work`` it goes on.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(HERE))

import psutil  # noqa: E402
from safetensors.torch import load_file  # noqa: E402

from tests.acting import acting  # noqa: E402
from tests.recorded import flows  # noqa: E402
from tests.recorded.settings import SETTINGS  # noqa: E402

FURTHER = ("training.epochs=4", "training.checkpoint_steps=3", "training.patience=0")
BY_TORCHRUN = ("ske", "ner-globalpointer")
LIMIT = 600
"""Seconds of a training."""


def kinds(wanted: Sequence[str] | None) -> list[tuple[str, bool]]:
    """(flow, whether torchrun starts it) of all trainings."""
    names = [name for name in flows.FLOWS if not wanted or name in wanted]
    return [(name, False) for name in names] + [(name, True) for name in BY_TORCHRUN if name in names]


def command(name: str, torchrun: bool, *words: str) -> list[str]:
    """A training into ``run/``."""
    start = [sys.executable]
    if torchrun:
        start += ["-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2"]
    return [*start, "-m", "ietool", "train", "--recipe", flows.recipe_of(name), "--output", "run", *words]


def first(name: str) -> list[str]:
    """The words of a training from the beginning."""
    asked = (*SETTINGS[name].small, *SETTINGS[name].short, *FURTHER)
    settings = acting(flows.recipe_of(name), asked, asked)
    return ["--data", "data", "--device", "cpu", *(word for setting in settings for word in ("--set", setting))]


def start(arguments: Sequence[str], work: Path) -> subprocess.Popen[bytes]:
    """A command in a session of its own, so that all of its processes can be killed at once."""
    environment = os.environ | {
        "PYTHONPATH": str(HERE), "IETOOL_HOME": str(work), "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1",
        "CUDA_VISIBLE_DEVICES": "",
    }  # fmt: skip
    with (work / "log").open("ab") as log:
        return subprocess.Popen(arguments, cwd=work, env=environment, stdout=log, stderr=log, start_new_session=True)


def killed(process: subprocess.Popen[bytes], after: float) -> bool:
    """Kill the processes of a command after so many seconds; whether they still ran."""
    try:
        process.wait(after)
        return False
    except subprocess.TimeoutExpired:
        # The workers of torchrun are in sessions of their own.
        below = psutil.Process(process.pid).children(recursive=True)
        os.killpg(process.pid, signal.SIGKILL)
        for one in below:
            with contextlib.suppress(psutil.NoSuchProcess):
                one.kill()
        psutil.wait_procs(below, timeout=20)
        process.wait()
        return True


def outcome(run: Path) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """The rows of a run without what the clock decides, and its weights."""
    rows = [json.loads(line) for line in (run / "metrics.jsonl").read_text(encoding="utf-8").splitlines()]
    for row in rows:
        del row["seconds"], row["sentences_per_second"]
    return rows, load_file(run / "model.safetensors")


def same(run: Path, other: Path) -> bool:
    """Whether two runs are equal to the last digit."""
    (rows, weights), (rows_too, weights_too) = outcome(run), outcome(other)
    return rows == rows_too and weights.keys() == weights_too.keys() and all(
        bool((weights[name] == weights_too[name]).all()) for name in weights
    )  # fmt: skip


def whole(name: str, torchrun: bool, work: Path) -> float:
    """Train without interruption; gives the seconds it takes. Prepares first, which is not counted."""
    done = work / "seconds"
    if done.is_file():
        return float(done.read_text())
    flows.make_data(name, work)
    settings = first(name)
    del settings[2:4]  # prepare knows no device
    prepare = [sys.executable, "-m", "ietool", "prepare", "--recipe", flows.recipe_of(name), *settings]
    if start(prepare, work).wait(LIMIT):
        raise SystemExit(f"{name} cannot be prepared: see {work / 'log'}")
    begin = time.monotonic()
    if start(command(name, torchrun, *first(name)), work).wait(LIMIT):
        raise SystemExit(f"{name} cannot be trained: see {work / 'log'}")
    (work / "run").rename(work / "whole")
    done.write_text(str(time.monotonic() - begin))
    return float(done.read_text())


def interrupted(name: str, torchrun: bool, work: Path, seconds: float, rng: random.Random) -> tuple[int, str]:
    """Train with kills at random moments; gives their number, and what was wrong in the end."""
    kills = 0
    for _ in range(rng.choice((1, 1, 2))):
        begun = (work / "run" / "run.json").is_file()
        words = ["--resume"] if begun else first(name)
        # The first seconds go to imports; a kill within them is no news.
        kills += killed(start(command(name, torchrun, *words), work), rng.uniform(0.3, 1.0) * seconds)
    begun = (work / "run" / "run.json").is_file()
    finished = begun and json.loads((work / "run" / "run.json").read_text(encoding="utf-8"))["state"] == "finished"
    if not finished and (
        code := start(command(name, torchrun, *(["--resume"] if begun else first(name))), work).wait(LIMIT)
    ):
        return kills, f"resumed: exit code {code}"
    return kills, "" if same(work / "run", work / "whole") else "other numbers"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--recipe", action="append", choices=sorted(flows.FLOWS))
    parser.add_argument("--work", type=Path, default=Path("bench-out/kills"))
    options = parser.parse_args()
    trainings = kinds(options.recipe)
    kills = number = faults = 0
    while kills < options.kills:
        name, torchrun = trainings[number % len(trainings)]
        what = f"{name} by torchrun" if torchrun else name
        work = options.work.resolve() / what.replace(" ", "-")
        work.mkdir(parents=True, exist_ok=True)
        seconds = whole(name, torchrun, work)
        told = work / f"{options.seed}-{number}.json"
        if not told.is_file():
            if (work / "run").is_dir():
                (work / "run").rename(work / f"left-{time.time_ns()}")
            done = interrupted(name, torchrun, work, seconds, random.Random(f"{options.seed} {number}"))
            if (work / "run").is_dir():
                (work / "run").rename(work / f"run-{options.seed}-{number}")
            told.write_text(json.dumps(done))
        some, wrong = json.loads(told.read_text())
        kills, number, faults = kills + some, number + 1, faults + bool(wrong)
        print(f"{number}: {what}: {some} killed, {wrong or 'identical'} ({kills} kills so far)", flush=True)
    print(f"{kills} kills in {number} trainings, {faults} not identical")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
