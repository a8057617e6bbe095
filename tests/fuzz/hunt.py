"""Run mutated inputs through the commands in processes of their own, and judge what comes out.

An input is a fault where the command ends by a signal, by a traceback or with another code than 0 and 2, where it
refuses without exactly one line that says so, where control characters reach the screen, where it takes longer than
:data:`SECONDS` or more memory than :data:`MEGABYTES`.
"""

from __future__ import annotations

import json
import os
import random
import select
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.fuzz.doors import Door, make_doors
from tests.fuzz.mutations import mutate

SECONDS = 20.0
MEGABYTES = 1024
ROOT = Path(__file__).resolve().parents[2]


@dataclass
class Hunt:
    """What came of a hunt: how many inputs, their codes, the faults, and the highest memory and time met."""

    inputs: int = 0
    codes: Counter[int] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)
    megabytes: int = 0
    seconds: float = 0.0


class Worker:
    """A process that runs one command after another; a new one where the last was lost."""

    def __init__(self, work: Path) -> None:
        self.work = work
        self.process: subprocess.Popen[str] | None = None

    def run(self, arguments: tuple[str, ...]) -> dict[str, Any]:
        """``code``, ``err``, ``seconds``, ``megabytes``; ``lost`` says how the process was lost."""
        process = self.process or self._start()
        assert process.stdin is not None and process.stdout is not None
        process.stdin.write(json.dumps(arguments) + "\n")
        process.stdin.flush()
        ready, _, _ = select.select([process.stdout], [], [], SECONDS)
        line = process.stdout.readline() if ready else ""
        if line:
            answer: dict[str, Any] = json.loads(line)
            return answer
        lost = f"signal {-process.wait()}" if ready else f"more than {SECONDS:.0f} s"
        self.close()
        return {"code": -1, "err": "", "seconds": SECONDS, "megabytes": 0, "lost": lost}

    def _start(self) -> subprocess.Popen[str]:
        environment = os.environ | {
            "PYTHONPATH": os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]),
            "IETOOL_HOME": str(self.work), "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1",
        }  # fmt: skip
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.fuzz.worker"],
            cwd=self.work, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert self.process.stdout is not None
        self.process.stdout.readline()  # the libraries are imported, which is not the input's time
        return self.process

    def close(self) -> None:
        """End the process."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None


def fault_of(answer: dict[str, Any], megabytes: int = MEGABYTES) -> str | None:
    """What is wrong with an answer; None where all is well."""
    err = answer["err"]
    errors = [line for line in err.split("\n") if line.startswith("error: ")]
    if "lost" in answer:
        return str(answer["lost"])
    if "Traceback" in err or answer["code"] not in (0, 2):
        return f"code {answer['code']}"
    if answer["code"] == 2 and len(errors) != 1:
        return f"{len(errors)} lines of error"
    if any(not (c.isprintable() or c in "\n\t") and ord(c) < 0xA0 for c in err):
        return "control characters"
    if any(len(line) > 1500 for line in errors):
        return "an error of more than 1,500 characters"
    if answer["megabytes"] > megabytes:
        return f"{answer['megabytes']} MB"
    return None


def hunt(
    inputs: int, seed: int, *, keep: Path | None = None, first: int = 0, tell: Callable[[int, Hunt], None] | None = None
) -> Hunt:
    """Try ``inputs`` mutated files, door after door.

    Args:
        seed: with the number of an input it makes the input: the same ones in every hunt.
        keep: a folder for the inputs that are faults.
        first: number of the first input.
        tell: told after each input.
    """
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        doors = make_doors(work)
        worker = Worker(work)
        try:
            return hunt_with(worker, doors, range(first, first + inputs), seed, keep=keep, tell=tell)
        finally:
            worker.close()


def hunt_with(
    worker: Worker,
    doors: Sequence[Door],
    numbers: Iterable[int],
    seed: int,
    *,
    keep: Path | None = None,
    tell: Callable[[int, Hunt], None] | None = None,
) -> Hunt:
    """As :func:`hunt`, with a worker and doors that are there already."""
    result = Hunt()
    for number in numbers:
        _try(doors[number % len(doors)], number, seed, worker, result, keep)
        if tell is not None:
            tell(number + 1, result)
    return result


def _try(door: Door, number: int, seed: int, worker: Worker, result: Hunt, keep: Path | None) -> None:
    how, content = mutate(door.good, random.Random(f"{seed} {number}"))
    (worker.work / door.path).write_bytes(content)
    answer = worker.run(door.arguments)
    (worker.work / door.path).write_bytes(door.good)
    for left in ("out", "out.json", "out.jsonl", "out.txt"):
        path = worker.work / left
        shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink(missing_ok=True)
    result.inputs += 1
    result.codes[answer["code"]] += 1
    result.megabytes = max(result.megabytes, answer["megabytes"])
    result.seconds = max(result.seconds, answer["seconds"])
    fault = fault_of(answer)
    if fault is None:
        return
    result.faults.append(f"{number} ({door.name}, {how}): {fault}: ietool {' '.join(door.arguments)}\n{answer['err']}")
    if keep is not None:
        keep.mkdir(parents=True, exist_ok=True)
        (keep / f"{number}{Path(door.path).suffix}").write_bytes(content)
        (keep / f"{number}.said").write_text(result.faults[-1], encoding="utf-8", errors="backslashreplace")
