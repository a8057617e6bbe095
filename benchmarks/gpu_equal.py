"""Do the recipes predict on a GPU what they predict on the CPU?

    python benchmarks/gpu_equal.py [--device cuda] [--recipe ske …] [--few]

The runs that lie under ``tests/recorded/runs``, one a recipe and one more for el-cross, read 50 texts each of the
corpora that ship, with the same weights on both devices: in fp32, and on the GPU besides in tf32, bf16 and fp16, which
are for comparison. A text ``differs`` where anything but a number with a fraction is not the same; ``highest`` is the
greatest difference of a probability or score among the others. Also per recipe: texts a second and the most memory
that torch had on the GPU. A recipe that fails is told, and the others go on. Prints a table, then one JSON line; exit
code 1 where texts differ in fp32 or a recipe failed.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from itertools import islice
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import torch
from transformers.utils import logging

from ietool.errors import reason_of
from tests.cuda.sides import apart, predicted
from tests.recorded import doors, flows
from tests.recorded.plain import differences

LESS = ("tf32", "bf16", "fp16")
"""Precisions of a GPU that are compared besides."""
SHOWN = 3
"""Differences of a recipe that are told (``first``), with the place in the predictions."""


def compare(name: str, work: Path, device: str, few: bool) -> dict[str, Any]:
    """One recipe on both devices."""
    flows.make_data(name, work)
    run = flows.old_run(name, work)
    source = work / "data" / (f"few-{flows.FLOWS[name].inputs[0]}" if few else flows.FLOWS[name].inputs[0])
    gpu = torch.device(device).type == "cuda"
    with doors.working_in(work):
        here = predicted(name, run, source, "cpu", "fp32")
        if gpu:
            predicted(name, run, source, device, "fp32")  # kernels are loaded before the clock runs
            torch.cuda.reset_peak_memory_stats(device)
        begin = time.perf_counter()
        there = predicted(name, run, source, device, "fp32")
        seconds = time.perf_counter() - begin
        told = apart(here, there)
        row: dict[str, Any] = {"texts": told.texts, "differ": told.differ, "highest": told.highest}
        if told.differ:
            row["first"] = list(islice(differences(here, there), SHOWN))
        row["texts_per_second"] = told.texts / seconds
        if gpu:
            row["gpu_memory"] = torch.cuda.max_memory_allocated(device) / 1e9
        for precision in LESS if gpu else ():
            other = apart(here, predicted(name, run, source, device, precision))
            row[precision] = {"differ": other.differ, "highest": other.highest}
    return row


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cuda", help="compared with the CPU")
    parser.add_argument("--recipe", nargs="+", choices=sorted(flows.FLOWS), default=list(flows.FLOWS))
    parser.add_argument("--few", action="store_true", help="20 texts a recipe")
    options = parser.parse_args()
    logging.disable_progress_bar()
    rows: dict[str, dict[str, Any]] = {}
    print(f"{'recipe':<18}{'texts':>6}{'differ':>8}{'highest':>10}" + "".join(f"{p + ' differ':>13}" for p in LESS))
    for name in options.recipe:
        try:
            with tempfile.TemporaryDirectory() as work:
                rows[name] = row = compare(name, Path(work), options.device, options.few)
        except Exception as error:  # what one recipe stumbles over must not hide the others
            rows[name] = {"failed": f"{type(error).__name__}: {reason_of(error)}"}
            print(f"{name:<18}{rows[name]['failed']}", flush=True)
            continue
        others = "".join(f"{row[p]['differ'] if p in row else '–':>13}" for p in LESS)
        print(f"{name:<18}{row['texts']:6}{row['differ']:8}{row['highest']:10.1e}{others}", flush=True)
    good = [row for row in rows.values() if "failed" not in row]
    result: dict[str, Any] = {"device": options.device, "recipes": rows, "failed": len(rows) - len(good)}
    if good:
        result["texts"], result["differ"] = (sum(row[key] for row in good) for key in ("texts", "differ"))
        result["highest"] = max(row["highest"] for row in good)
    print(json.dumps(result))
    return 1 if result["failed"] or result.get("differ") else 0


if __name__ == "__main__":
    sys.exit(main())
