"""How long a report of 20,000 texts takes, and how large its page is. The target: under 15 seconds and 10 MB.

    python benchmarks/report_speed.py            # triples, from the corpus that ships
    python benchmarks/report_speed.py --two      # of two predictions, side by side

Texts are those of the shipped corpus, numbered so that all differ; a third of the triples of a prediction is wrong, in
every way. The time is that of the whole command, in a process of its own.
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
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ietool import paths

SECONDS, MEGABYTES = 15, 10


def texts(count: int) -> Iterator[dict[str, Any]]:
    """So many gold records."""
    with (paths.shipped_data("ske") / "train.jsonl").open(encoding="utf-8") as lines:
        corpus = [json.loads(line) for line in lines]
    for n in range(count):
        one = corpus[n % len(corpus)]
        yield {"text": f"{n}、{one['text']}", "spo_list": one["spo_list"]}


def spoilt(record: dict[str, Any], draw: random.Random) -> dict[str, Any]:
    """A prediction of a record, in which a third of the triples is wrong in some way."""
    found = []
    for triple in record["spo_list"]:
        one, value = dict(triple), dict(triple["object"])
        way = draw.randrange(18)
        if way == 0:
            value["@value"] = value["@value"][:-1] or "无"
        elif way == 1:
            one["subject"] = one["subject"][1:] or "无"
        elif way == 2:
            one["predicate"] = "无此关系"
        elif way == 3:
            one["subject"], value["@value"] = value["@value"], one["subject"]
        elif way == 4:
            value["@value"] = record["text"][:3]
        elif way == 5:
            continue
        found.append({**one, "object": value})
    return {"text": record["text"], "spo_list": found}


def main() -> int:
    parser = argparse.ArgumentParser(description="Time and size of a report.")
    parser.add_argument("--texts", type=int, default=20_000)
    parser.add_argument("--two", action="store_true", help="two predictions, side by side")
    parser.add_argument(
        "--all", action="store_true", help="ask for all texts; the page takes as many as it has room for"
    )
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        files = [folder / "gold.json", folder / "one.json", *([folder / "two.json"] if asked.two else [])]
        records = list(texts(asked.texts))
        for number, path in enumerate(files):
            draw = random.Random(number)
            with path.open("w", encoding="utf-8") as out:
                for record in records:
                    row = record if number == 0 else spoilt(record, draw)
                    out.write(json.dumps(row, ensure_ascii=False) + "\n")
        page = folder / "page.html"
        more = ["--texts", str(asked.texts)] if asked.all else []
        command = [sys.executable, "-m", "ietool", "report", *map(str, files), "--output", str(page), *more]
        began, before = time.perf_counter(), os.times()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        seconds, after = time.perf_counter() - began, os.times()
        processor = after.children_user + after.children_system - before.children_user - before.children_system
        size = page.stat().st_size / 1e6
    met = seconds < SECONDS and size < MEGABYTES
    print(f"{asked.texts:,} texts, {len(files) - 1} prediction(s)")
    print(f"{seconds:.1f} s, of which a core computed {processor:.1f} s; the page has {size:.1f} MB")
    print(f"target: under {SECONDS} s and {MEGABYTES} MB: {'met' if met else 'missed'}")
    row = {"texts": asked.texts, "predictions": len(files) - 1, "all": asked.all, "seconds": round(seconds, 2)}
    print(json.dumps(row | {"cpu_seconds": round(processor, 2), "megabytes": round(size, 2), "met": met}))
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
