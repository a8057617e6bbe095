"""Does ``ietool prepare`` scale? Time and peak memory on a user's files and on some times as many sentences.

The larger corpus is made here, in a temporary folder: each further copy of train exchanges half of the common
characters for others, the same everywhere in the copy, so that sentences and names are new and triples stay true.

    python benchmarks/prepare.py --data DIR [--factor 10]

Prints a table, then one JSON line.
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
from collections import Counter
from pathlib import Path

from ietool.files.lines import read_lines
from ietool.tasks.ske.data.sources import locate


def enlarge(source: Path, target: Path, factor: int) -> int:
    """Write ``factor`` times the records of ``source``, all distinct; returns their number."""
    counts: Counter[str] = Counter()
    records = 0
    for _, _, line in read_lines(source):
        records += 1
        counts.update(c for c in json.loads(line)["text"] if "\u4e00" <= c <= "\u9fff")
    common = [c for c, _ in counts.most_common(3000)]
    with target.open("w", encoding="utf-8") as out:
        for copy in range(factor):
            rng = random.Random(copy)
            chosen = rng.sample(common, len(common) // 2) if copy else []
            table = str.maketrans(dict(zip(chosen, rng.sample(chosen, len(chosen)), strict=True)))
            for _, _, line in read_lines(source):
                record = json.loads(line)
                record["text"] = record["text"].translate(table)
                for spo in record["spo_list"]:
                    spo["subject"] = spo["subject"].translate(table)
                    value = spo["object"]
                    slots = (
                        {slot: v.translate(table) for slot, v in value.items()} if isinstance(value, dict) else value
                    )
                    spo["object"] = slots if isinstance(slots, dict) else value.translate(table)
                out.write(json.dumps(record, ensure_ascii=False) + "\n")
    return records * factor


def measure(files: dict[str, Path], work: Path) -> dict[str, float]:
    """Seconds (wall and processor) and peak memory in MiB of one preparation in a process of its own."""
    options = [part for role in ("train", "dev", "schema") if role in files for part in (f"--{role}", str(files[role]))]
    command = [sys.executable, "-m", "ietool", "prepare", "--recipe", "ske", *options, "--output", str(work / "out")]
    began = time.perf_counter()
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(command, cwd=work, stdout=log, stderr=subprocess.STDOUT)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            log.seek(0)
            sys.exit(log.read().decode())
    # ru_maxrss is in KiB on Linux and in bytes on macOS.
    peak = usage.ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)
    seconds = time.perf_counter() - began
    return {"seconds": seconds, "processor_seconds": usage.ru_utime + usage.ru_stime, "peak_mib": peak}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of SKE 2019 or DuIE 2.0 files")
    parser.add_argument("--factor", type=int, default=10, help="how many times the larger corpus is the smaller")
    arguments = parser.parse_args()
    found = {role: path.resolve() for role, path in locate(arguments.data).files.items()}
    rows = []
    for factor in (1, arguments.factor):
        with tempfile.TemporaryDirectory() as name:
            work = Path(name)
            records = enlarge(found["train"], work / "train.json", factor)
            rows.append({"records": records, **measure({**found, "train": work / "train.json"}, work)})
    small, large = rows
    ratios = {key: large[key] / small[key] for key in small}
    print(f"{'':20}{'records':>10}{'seconds':>10}{'processor s':>13}{'peak MiB':>10}")
    for name, row in (("given", small), (f"times {arguments.factor}", large)):
        cells = f"{row['seconds']:10.1f}{row['processor_seconds']:13.1f}{row['peak_mib']:10.0f}"
        print(f"{name:20}{row['records']:10}{cells}")
    cells = f"{ratios['seconds']:10.2f}{ratios['processor_seconds']:13.2f}{ratios['peak_mib']:10.2f}"
    print(f"{'ratio':20}{ratios['records']:10.1f}{cells}")
    print(json.dumps({"given": small, "larger": large, "ratios": ratios}))


if __name__ == "__main__":
    main()
