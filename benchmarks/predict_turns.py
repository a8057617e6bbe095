"""Which of several runs predicts faster?

    python benchmarks/predict_turns.py --run RUN --run RUN [--run …] --input FILE [--limit 64] [--rounds 9]

Texts per second of each run on the same texts, in one process, taking turns round by round, each round in the other
order; features, decoding and rules are part of it, loading is not. The ratio to the first run is the median over
rounds, by the clock and by processor time, which other work on the machine disturbs less. Prints a table, then one JSON
line.
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
    parser.add_argument("--limit", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--device", default="auto")
    given = parser.parse_args()

    from ietool.workflow.predict import Loaded

    loaded = [Loaded(run, given.device) for run in given.run]
    inputs = [list(islice(one.task.open_inputs(str(given.input)), given.limit)) for one in loaded]
    times: list[list[tuple[float, float]]] = [[] for _ in loaded]
    for one, texts in zip(loaded, inputs, strict=True):
        list(one.stream(iter(texts[:WARM])))
    for turn in range(given.rounds):
        for at in range(len(loaded))[:: 1 if turn % 2 else -1]:
            clock, processor = time.perf_counter(), time.process_time()
            list(loaded[at].stream(iter(inputs[at])))
            times[at].append((time.perf_counter() - clock, time.process_time() - processor))
    width = max(len(str(run)) for run in given.run)
    print(f"{'run':{width}}  texts  texts/s  ratio  ratio of processor time")
    rows = {}
    for run, texts, mine in zip(given.run, inputs, times, strict=True):
        rate = len(texts) / statistics.median(clock for clock, _ in mine)
        ratios = [statistics.median(a[i] / b[i] for a, b in zip(times[0], mine, strict=True)) for i in (0, 1)]
        print(f"{run!s:{width}}  {len(texts):5}  {rate:7.1f}  {ratios[0]:5.3f}  {ratios[1]:5.3f}")
        rows[str(run)] = {"texts_per_second": rate, "ratio": ratios[0], "processor_ratio": ratios[1], "seconds": mine}
    print(json.dumps(rows))


if __name__ == "__main__":
    main()
