"""What does each part of the SKE recipe add? One training a variant, each scored on dev with its interval.

    python benchmarks/ske_ablation.py --data DIR --work DIR --set data.word_vectors=DIR
        [--set KEY=VALUE …] [--epochs N] [--limit N] [--variants full,no-priors]

``--set`` holds for every variant; a variant then changes one thing. One that would change nothing (no word vectors
where none are given) is left out. ``no-rules`` and ``rules`` are not trained: they are the full run, predicted without
or with the rule file. ``--limit`` trains on the first N records. Every step is the verb that a user types.

A variant whose finished run is in the work folder is not trained again, an unfinished one is resumed, so the script may
be stopped and started at will; a run of other settings is never reused. Writes ``ablation.md`` into the work folder
after each variant; prints it, then one JSON line.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from itertools import islice
from pathlib import Path
from typing import Any

from trainings import ietool, train_once

from ietool.files.lines import read_lines
from ietool.recipe_io import differences, load_recipe, save_recipe
from ietool.runs.entry import RECIPE_FILE, open_run
from ietool.tasks.ske.data.sources import locate

VARIANTS: dict[str, tuple[str, list[str]]] = {
    "full": ("everything", []),
    "no-word-vectors": ("without word vectors", ["data.word_vectors=null"]),
    "no-priors": ("without prior features", ["model.priors=false"]),
    "no-augmentation": ("without replacement of names", ["sampling.replacement=0"]),
    "one-subject": ("one subject a sentence and step", ["sampling.subjects=1"]),
    "no-part-of-speech": ("without parts of speech", ["model.encoder.part_of_speech=false"]),
    "no-rules": ("full, predicted without the rule file", ["decode.apply_rules=false"]),
    "rules": ("full, predicted with the rule file", ["decode.apply_rules=true"]),
}
"""Name → what it is, and what it changes."""

UNTRAINED = ("no-rules", "rules")
"""Variants that only predict otherwise."""


def find_files(data: Path, work: Path, limit: int | None) -> dict[str, Path]:
    """train, dev and schema; with a limit, train is the head of it."""
    found = {role: path.resolve() for role, path in locate(data).files.items() if role in ("train", "dev", "schema")}
    if limit is not None:
        head = work / f"train-{limit}.jsonl"
        with head.open("w", encoding="utf-8") as out:
            out.writelines(line + "\n" for _, _, line in islice(read_lines(found["train"]), limit))
        found["train"] = head
    return found


def copy_with(settings: list[str], full: Path, run: Path) -> None:
    """A copy of the full run whose recipe has other settings for predicting."""
    shutil.rmtree(run, ignore_errors=True)
    shutil.copytree(full, run)
    save_recipe(load_recipe(str(run / RECIPE_FILE), settings), run / RECIPE_FILE)


def score(run: Path, dev: Path, arguments: argparse.Namespace) -> dict[str, Any]:
    """Precision, recall, F1 and interval on dev, with the epoch that was kept."""
    result = run / "dev-predictions.json"
    ietool("predict", "--run", run, dev, "--output", result, "--device", arguments.device)
    scored = json.loads(ietool("score", "--recipe", arguments.recipe, dev, result, "--json", capture=True))
    numbers = {key: scored[key] for key in ("metric", "precision", "recall", "f1", "interval")}
    return {**numbers, "epoch": (open_run(run).info.best or {}).get("epoch")}


def table(rows: dict[str, dict[str, Any]]) -> str:
    """The rows as Markdown; the last column is the difference from the full recipe."""
    full = rows.get("full", {}).get("f1")
    lines = ["| variant | P | R | F1 | 95 % interval | epoch | against full |", "|---|---|---|---|---|---|---|"]
    for name, row in rows.items():
        low, high = row["interval"] or (float("nan"), float("nan"))
        against = f"{100 * (row['f1'] - full):+.2f}" if full is not None and name != "full" else ""
        numbers = f"{row['precision']:.4f} | {row['recall']:.4f} | {row['f1']:.4f} | {low:.4f} – {high:.4f}"
        lines.append(f"| {VARIANTS[name][0]} | {numbers} | {row['epoch']} | {against} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of SKE 2019 or DuIE 2.0 files")
    parser.add_argument("--work", type=Path, required=True, help="folder of the runs and the table")
    parser.add_argument("--recipe", default="ske")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="for every variant")
    parser.add_argument("--epochs", type=int, help="epochs of each training, all of them; default: the recipe's")
    parser.add_argument("--limit", type=int, help="train on the first N records")
    parser.add_argument("--variants", default=",".join(VARIANTS), help=f"of {', '.join(VARIANTS)}")
    parser.add_argument("--device", default="auto")
    arguments = parser.parse_args()
    wanted = [name for name in VARIANTS if name in arguments.variants.split(",")]
    unknown = set(arguments.variants.split(",")) - set(VARIANTS)
    if unknown:
        parser.error(f"no variant is called {', '.join(sorted(unknown))}")
    work: Path = arguments.work
    work.mkdir(parents=True, exist_ok=True)
    files = find_files(arguments.data, work, arguments.limit)
    base = list(arguments.set)
    if arguments.epochs is not None:
        base += [f"training.epochs={arguments.epochs}", "training.patience=0"]
    full = load_recipe(arguments.recipe, base)
    ending = "" if arguments.limit is None else f"-{arguments.limit}"
    rows: dict[str, dict[str, Any]] = {}
    for name in wanted:
        settings = [*base, *VARIANTS[name][1]]
        recipe = load_recipe(arguments.recipe, settings)
        idle = name in UNTRAINED and getattr(full.decode, "rules", None) is None
        if idle or (name != "full" and not differences(recipe, full)):
            print(f"{name}: changes nothing here, left out", file=sys.stderr)
            continue
        run = work / (name + ending)
        if name in UNTRAINED:
            train_once(arguments.recipe, base, work / f"full{ending}", files=files, device=arguments.device)
            copy_with(VARIANTS[name][1], work / f"full{ending}", run)
        else:
            train_once(arguments.recipe, settings, run, files=files, device=arguments.device)
        rows[name] = score(run, files["dev"], arguments)
        (work / "ablation.md").write_text(table(rows), encoding="utf-8")
    print(table(rows))
    print(json.dumps({"limit": arguments.limit, "epochs": arguments.epochs, "set": arguments.set, "variants": rows}))


if __name__ == "__main__":
    main()
