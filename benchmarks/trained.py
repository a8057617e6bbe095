"""The figures of one recipe on a folder: train, perhaps find thresholds, predict a file with gold, score.

    python benchmarks/trained.py --recipe events --data DIR --run runs/duee --encoder DIR --tune
    python benchmarks/trained.py --recipe ner-globalpointer --data DIR --run runs/cmeee --set training.epochs=4
    python benchmarks/trained.py --recipe ner-crf --data DIR --run runs/msra --encoder DIR --split test
    python benchmarks/trained.py --recipe event-subject --data DIR --run runs/subject --encoder DIR

Every step is the verb that a user types; a finished run of the same settings is not trained again, an unfinished one is
resumed. Where the folder has no dev file the share of train that `train` holds out is what is told, by the score that
the run has kept of it. `--tune` tells what thresholds would gain, nested; they are not used. Prints a table and one
JSON line.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

from trainings import ietool, train_once

from ietool.recipe_io import load_recipe
from ietool.registry import get_task
from ietool.runs.entry import open_run


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--recipe", required=True)
    parser.add_argument("--data", type=Path, required=True, help="folder of the corpus")
    parser.add_argument("--run", type=Path, required=True, help="folder of the run, made or found")
    parser.add_argument("--encoder", type=Path, help="folder that AutoModel loads; default: characters, from scratch")
    parser.add_argument("--split", choices=["dev", "test"], default="dev", help="what is scored")
    parser.add_argument("--set", dest="settings", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--metric", action="append", default=[], help="further variants")
    parser.add_argument("--tune", action="store_true")
    parser.add_argument("--skip-bad", action="store_true", help="leave bad records out")
    parser.add_argument("--device", default="auto")
    arguments = parser.parse_args()
    own = (
        [] if arguments.encoder is None else [f"model.encoder={arguments.encoder}", "model.encoder.cut_vocabulary=true"]
    )
    settings = [*own, *arguments.settings]
    files = {"data": arguments.data}
    train_once(
        arguments.recipe, settings, arguments.run, files=files, device=arguments.device, skip_bad=arguments.skip_bad
    )
    info = open_run(arguments.run).info
    found: dict[str, Any] = {"recipe": arguments.recipe, "set": settings, "best": info.best}
    rows = [json.loads(r) for r in (arguments.run / "metrics.jsonl").read_text(encoding="utf-8").splitlines()]
    found["epochs"] = [(row["epoch"], round((row["ema"] or row["raw"])["score"], 4)) for row in rows]
    found["texts_per_second"] = round(sum(r["sentences_per_second"] for r in rows) / len(rows), 1)
    task = get_task(load_recipe(arguments.recipe).task)
    gold = task.locate(arguments.data, needed=["train"]).files.get(arguments.split)
    print("| file | variant | P | R | F1 | score | 95 % |\n|---|---|---|---|---|---|---|")
    if gold is not None:
        result = arguments.run / f"{arguments.split}-result{gold.suffix}"
        begin = time.monotonic()
        ietool("predict", "--run", arguments.run, gold, "--output", result, "--device", arguments.device)
        found["predict_seconds"] = round(time.monotonic() - begin, 1)
        for metric in [None, *arguments.metric]:
            words = [] if metric is None else ["--metric", metric]
            told = ietool("score", "--recipe", arguments.recipe, gold, result, "--json", *words, capture=True)
            row = json.loads(told)
            found[row["metric"]] = row
            parts = [f"{row[key]:.4f}" if key in row else "" for key in ("precision", "recall", "f1", row["primary"])]
            low, high = row["interval"]
            print(f"| {gold.name} | {row['metric']} | {' | '.join(parts)} | {low:.4f} – {high:.4f} |", flush=True)
    else:
        best = info.best or {}
        print(f"| held out of train | {best.get('metric')} | | | | {best.get('score')} | {best.get('interval')} |")
    if arguments.tune:
        told = json.loads(ietool("tune", arguments.run, "--dry-run", "--json", capture=True))
        found["tuned"] = {key: told[key] for key in ("before", "nested", "optimistic", "settings")}
        print(f"tuned, nested: {told['nested']}")
    print(json.dumps(found, ensure_ascii=False))


if __name__ == "__main__":
    main()
