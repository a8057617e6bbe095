"""Does the command line answer at once? Wall time of ``ietool --help`` and of ``ietool score``.

    python benchmarks/cli.py [--texts 20000] [--rounds 7]

``ietool --help`` is set against ``python -c "import typer, rich"``, the two taking turns. ``ietool score`` compares a
gold file with predictions, made here from the corpus that ships: its sentences are numbered, so that all texts differ,
and the predictions leave out or change some triples. Everything is measured as a user would, a process each, medians.
Prints a table, then one JSON line.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import subprocess
import sys
import tempfile
import time
from itertools import cycle, islice
from pathlib import Path

from ietool import paths

HELP = [sys.executable, "-m", "ietool", "--help"]
IMPORTS = [sys.executable, "-c", "import typer, rich"]


def seconds(command: list[str], cwd: str) -> float:
    """Wall time of one process; its failure ends the benchmark."""
    begin = time.perf_counter()
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    taken = time.perf_counter() - begin
    if done.returncode:
        sys.exit(done.stderr)
    return taken


def write_files(folder: Path, texts: int) -> int:
    """``gold.json`` and ``result.json`` of so many texts; returns the number of gold triples."""
    records = [
        json.loads(line)
        for line in (paths.shipped_data("ske") / "train.jsonl").read_text(encoding="utf-8").splitlines()
    ]
    draw = random.Random(1)
    triples = 0
    with (
        (folder / "gold.json").open("w", encoding="utf-8") as gold,
        (folder / "result.json").open("w", encoding="utf-8") as result,
    ):
        for number, record in enumerate(islice(cycle(records), texts)):
            text, spo_list = f"{number}：{record['text']}", record["spo_list"]
            triples += len(spo_list)
            found = [dict(spo) for spo in spo_list if draw.random() < 0.8]
            for spo in found:
                if draw.random() < 0.2:
                    spo["subject"] += "们"
            for file, listed in ((gold, spo_list), (result, found)):
                file.write(json.dumps({"text": text, "spo_list": listed}, ensure_ascii=False) + "\n")
    return triples


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--texts", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=7)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as work:
        triples = write_files(Path(work), arguments.texts)
        score = [sys.executable, "-m", "ietool", "score", "--recipe", "ske", "gold.json", "result.json"]
        commands = {"ietool --help": HELP, "import typer, rich": IMPORTS, "ietool score": score}
        taken: dict[str, list[float]] = {name: [] for name in commands}
        for command in commands.values():  # compiled modules and the disk's cache are there before the clock runs
            seconds(command, work)
        for _ in range(arguments.rounds):
            for name, command in commands.items():
                taken[name].append(seconds(command, work))
    medians = {name: statistics.median(values) for name, values in taken.items()}
    ratio = medians["ietool --help"] / medians["import typer, rich"]
    for name, value in medians.items():
        print(f"{name:20}{value:8.3f} s")
    print(f"{'--help / imports':20}{ratio:8.2f}")
    print(f"score: {arguments.texts:,} texts, {triples:,} gold triples")
    print(json.dumps({"seconds": medians, "help_ratio": ratio, "texts": arguments.texts, "gold_triples": triples}))


if __name__ == "__main__":
    main()
