"""How much faster is batched reading than one passage at a time, and does memory grow with the number of questions?

    python benchmarks/qa_predict.py --run runs/qa/DIR --data FILE [--limit 200] [--device cpu]
    python benchmarks/qa_predict.py --work FOLDER [--sizes 1000 100000]

With ``--run``: passages per second of the run's predictor, and of a loop that reads one window of one passage at a time
with the same weights; both take turns in one process, and features are part of both. Answers must be the same.

With ``--work``: seconds and peak memory of ``prepare`` and ``predict`` on synthetic questions, each command in a
process of its own. The model is small and trained for one epoch: what is measured is not how well it reads.

Prints a table, then one JSON line; exit code 1 where answers differ.
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
from itertools import islice
from pathlib import Path
from typing import Any

SETTINGS = [
    "model.encoder.hidden_size=16",
    "model.encoder.passage_dilations=[1,2]",
    "training.epochs=1",
    "data.held_out=0.05",
]


def batching(run: Path, data: Path, limit: int, device: str) -> dict[str, Any]:
    """Rates of both ways, and how many answers differ."""
    import torch

    from ietool import load
    from ietool.tasks.qa.data.question import Question
    from ietool.tasks.qa.data.reading import load_questions
    from ietool.tasks.qa.heads.reading import QaReader

    loaded = load(run, device)
    predictor = loaded.predictor
    reader = predictor.reader
    assert isinstance(reader, QaReader)
    questions = list(islice(load_questions(data), limit))
    size = reader.batch_size

    def one_by_one() -> list[str]:
        reader.batch_size, reader.pool = 1, 1
        return [answered.answer for q in questions for answered in predictor.predict([q])]

    def batched(some: list[Question] = questions) -> list[str]:
        reader.batch_size, reader.pool = size, 16
        return [answered.answer for answered in predictor.predict(some)]

    batched(questions[:20])  # warms up
    seconds = {"one by one": 0.0, "batched": 0.0}
    found: dict[str, list[str]] = {}
    for _ in range(2):
        for name, way in (("one by one", one_by_one), ("batched", batched)):
            begin = time.perf_counter()
            found[name] = way()
            if loaded.device.type == "cuda":
                torch.cuda.synchronize()
            seconds[name] += time.perf_counter() - begin
    passages = 2 * sum(len(q.passages) for q in questions)
    rates = {name: passages / spent for name, spent in seconds.items()}
    differ = sum(a != b for a, b in zip(found["one by one"], found["batched"], strict=True))
    for name, rate in rates.items():
        print(f"{name:12} {rate:8.1f} passages/s")
    ratio = rates["batched"] / rates["one by one"]
    print(
        f"ratio {ratio:.2f}; {differ} of {len(questions)} answers differ ({device}, {torch.get_num_threads()} threads)"
    )
    return {"ratio": ratio, "rates": rates, "questions": len(questions), "differ": differ}


def write_questions(path: Path, count: int) -> None:
    """Questions of two passages, as one JSON list."""
    dice = random.Random(count)
    letters = [chr(0x4E00 + i) for i in range(2000)]
    with path.open("w", encoding="utf-8") as out:
        for number in range(count):
            words = ["".join(dice.choices(letters, k=4)) for _ in range(12)]
            passages = [
                {"passage": "，".join(words), "answer": words[5]},
                {"passage": "".join(words[6:]), "answer": ""},
            ]
            record = {"id": number, "question": f"{words[4]}之后是什么？", "passages": passages}
            out.write(("[" if not number else ",\n") + json.dumps(record | {"golden_answers": [words[5]]}))
        out.write("]\n")


def measure(*arguments: object) -> dict[str, float]:
    """Seconds and peak memory in MB of one command."""
    begin = time.perf_counter()
    with tempfile.TemporaryFile() as log:
        command = [sys.executable, "-m", "ietool", *map(str, arguments)]
        process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            log.seek(0)
            sys.exit(log.read().decode())
    unit = 1 if sys.platform == "darwin" else 1024
    return {"seconds": time.perf_counter() - begin, "peak_mb": usage.ru_maxrss * unit / 1e6}


def memory(work: Path, sizes: list[int]) -> dict[str, Any]:
    """Peak memory by number of questions."""
    work.mkdir(parents=True, exist_ok=True)
    settings = [part for setting in SETTINGS for part in ("--set", setting)]
    rows: dict[str, Any] = {}
    for size in sizes:
        data, prepared = work / f"{size}.json", work / f"prepared-{size}"
        write_questions(data, size)
        rows[f"prepare {size}"] = measure(
            "prepare", "--recipe", "qa", "--train", data, "--output", prepared, "--force", *settings
        )
        if size == sizes[0]:
            run = work / "run"
            measure("train", "--recipe", "qa", "--train", data, "--output", run, "--overwrite", *settings)
        rows[f"predict {size}"] = measure("predict", "--run", run, data, "--output", work / f"{size}-result.json")
    for name, row in rows.items():
        print(f"{name:16} {row['seconds']:8.1f} s {row['peak_mb']:8.0f} MB")
    return rows


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", type=Path)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--limit", type=int, default=200, help="questions")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--work", type=Path)
    parser.add_argument("--sizes", type=int, nargs="+", default=[1000, 100_000])
    arguments = parser.parse_args()
    if (arguments.run is None) == (arguments.work is None) or (arguments.run is not None and arguments.data is None):
        parser.error("give --run with --data, or --work")
    if arguments.work is not None:
        print(json.dumps({"memory": memory(arguments.work, arguments.sizes)}))
        return 0
    found = batching(arguments.run, arguments.data, arguments.limit, arguments.device)
    print(json.dumps({"batching": found}))
    return 1 if found["differ"] else 0


if __name__ == "__main__":
    sys.exit(main())
