"""The figures of the recipes for named entities on a folder of CLUENER, MSRA or Resume: train, predict a file, score.

    python benchmarks/ner.py --data DIR --run runs/cluener --encoder FOLDER_OR_HUB_ID [--recipe ner-globalpointer]
        [--split test] [--set KEY=VALUE …] [--device cpu]

Every step is the verb that a user types; a finished run of the same settings is not trained again, an unfinished one is
resumed. Where the folder has no dev file, a share of train is held out to choose the epoch by (`data.held_out`), and
`--split test` scores the test file. Scored with the variant that the form of the gold file has and, for JSON lines,
CLUENER's own beside it. Prints a table and one JSON line.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

from trainings import ietool, train_once

from ietool.runs.entry import open_run
from ietool.tasks.ner.data.reading import detect_form
from ietool.tasks.ner.data.sources import locate
from ietool.tasks.ner.score.scorer import metric_of


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--recipe", default="ner-crf")
    parser.add_argument("--data", type=Path, required=True, help="folder of the corpus")
    parser.add_argument("--run", type=Path, required=True, help="folder of the run, made or found")
    parser.add_argument("--encoder", default="dgcnn", help="dgcnn, or a folder or hub id that AutoModel loads")
    parser.add_argument("--split", choices=["dev", "test"], default="dev", help="what is scored")
    parser.add_argument("--set", dest="settings", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--device", default="auto")
    arguments = parser.parse_args()
    gold = locate(arguments.data).files.get(arguments.split)
    if gold is None:
        parser.error(f"{arguments.data} has no {arguments.split} file")
    settings = [f"model.encoder={arguments.encoder}", *arguments.settings]
    train_once(arguments.recipe, settings, arguments.run, files={"data": arguments.data}, device=arguments.device)
    result = arguments.run / f"{arguments.split}-result"
    begin = time.monotonic()
    ietool("predict", "--run", arguments.run, gold, "--output", result, "--device", arguments.device)
    seconds = time.monotonic() - begin
    metric = metric_of(detect_form(gold))
    rows: dict[str, dict[str, Any]] = {}
    for name in (metric, "cluener") if metric == "span" else (metric,):
        score = ["score", "--recipe", arguments.recipe, gold, result, "--metric", name]
        rows[name] = json.loads(ietool(*score, "--json", capture=True))
    ietool("score", "--recipe", arguments.recipe, gold, result)  # with the types, for the eye
    print("| variant | P | R | F1 | 95 % |\n|---|---|---|---|---|")
    for name, row in rows.items():
        low, high = row["interval"]
        print(f"| `{name}` | {row['precision']:.4f} | {row['recall']:.4f} | {row['f1']:.4f} | {low:.4f} – {high:.4f} |")
    found = {
        "recipe": arguments.recipe, "set": settings, "data": arguments.data.name, "file": gold.name,
        "epoch": (open_run(arguments.run).info.best or {}).get("epoch"), "predict_seconds": round(seconds, 1),
        "scores": {
            name: {key: row[key] for key in ("precision", "recall", "f1", "interval", "texts", "gold")}
            for name, row in rows.items()
        },
    }  # fmt: skip
    print(json.dumps(found, ensure_ascii=False))


if __name__ == "__main__":
    sys.exit(main())
