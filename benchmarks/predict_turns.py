"""Which of several runs predicts faster?

    python benchmarks/predict_turns.py --run RUN --run RUN [--run …] --input FILE [--limit 400] [--rounds 3]

Texts per second of each run on the same texts, in one process, taking turns round by round; features, decoding and
rules are part of it, loading is not. The ratio is to the first run, of the medians. Prints a table, then one JSON line.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from itertools import islice
from pathlib import Path

WARM = 16
"""Texts before the clock runs."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", type=Path, action="append", required=True)
    parser.add_argument("--input", type=Path, required=True)
    parser.add_argument("--limit", type=int, default=400)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--device", default="auto")
    given = parser.parse_args()

    from ietool.workflow.predict import Loaded

    loaded = [Loaded(run, given.device) for run in given.run]
    inputs = [list(islice(one.task.open_inputs(str(given.input)), given.limit)) for one in loaded]
    rates: list[list[float]] = [[] for _ in loaded]
    found = [0] * len(loaded)
    for one, texts in zip(loaded, inputs, strict=True):
        list(one.stream(iter(texts[:WARM])))
    for _ in range(given.rounds):
        for at, (one, texts) in enumerate(zip(loaded, inputs, strict=True)):
            begin = time.perf_counter()
            found[at] = sum(1 for _ in one.stream(iter(texts)))
            rates[at].append(len(texts) / (time.perf_counter() - begin))
    middle = [statistics.median(some) for some in rates]
    width = max(len(str(run)) for run in given.run)
    print(f"{'run':{width}}  texts  texts/s  slowest  fastest  ratio")
    for run, number, rate, some in zip(given.run, found, middle, rates, strict=True):
        print(f"{run!s:{width}}  {number:5}  {rate:7.1f}  {min(some):7.1f}  {max(some):7.1f}  {rate / middle[0]:5.3f}")
    print(
        json.dumps(
            {str(run): {"median": m, "rounds": some} for run, m, some in zip(given.run, middle, rates, strict=True)}
        )
    )


if __name__ == "__main__":
    main()
