"""Does an epoch take time in step with the data? Seconds of one epoch of training, at several sizes of the corpus.

    python benchmarks/ske_epoch.py --data DIR [--sizes 6500 13000] [--rounds 2] [--set KEY=VALUE]

Of each size a part of the training file is drawn (the smaller parts lie within the larger) and prepared by itself, so
that what is known beforehand about names grows too. An epoch is what ``ietool train`` does: opening the prepared data
and the Trainer's step loop over all of it, from the same fresh weights; without scoring dev, which does not grow with
the training data. The sizes take turns, after one turn of the smallest that does not count. Wall time and time on the
processor are measured; the latter stands firm where another program takes turns on the core, but counts all threads.
``of linear`` is the time a record over that of the smallest size in the same round: 1 is linear, more is worse.
Medians over rounds, lowest and highest behind. ``padding`` is the share of an epoch's positions that hold no character:
batches of like length need some 6,000 records to choose from, so smaller parts pay for more padding, which is a matter
of the sampler and not of growth. Prints a table, then one JSON line.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import torch
from train_speed import fresh, now, padding, step_loop

from ietool.files.lines import read_lines
from ietool.recipe import Recipe
from ietool.recipe_io import load_recipe
from ietool.registry import get_task
from ietool.tasks.ske.data.sources import locate
from ietool.training.device import choose_device, choose_precision
from ietool.workflow.prepare import prepare

SEED = 42


def write_parts(source: Path, folder: Path, sizes: Sequence[int]) -> dict[int, Path]:
    """A training file of each size, drawn from ``source``; in all of them the records stand in an order by chance."""
    lines = [line for _, _, line in read_lines(source)]
    if max(sizes) > len(lines):
        raise SystemExit(f"{source} has {len(lines):,} records only")
    random.Random(SEED).shuffle(lines)
    parts = {}
    for size in sizes:
        parts[size] = folder / f"{size}.json"
        parts[size].write_text("".join(line.rstrip("\n") + "\n" for line in lines[:size]), encoding="utf-8")
    return parts


def epoch(recipe: Recipe, prepared: Path, device: torch.device, precision: str, run: Path) -> dict[str, float]:
    """Wall and processor seconds of one epoch, its steps, and its share of padding."""
    model = fresh(recipe, prepared, device)
    wall, processor = now(device), time.process_time()
    data = get_task(recipe.task).training_set(recipe, prepared)
    trainer = step_loop(recipe, model, data, device, precision, run)
    trainer.train()
    return {
        "seconds": now(device) - wall,
        "processor_seconds": time.process_time() - processor,
        "steps": trainer.state.global_step,
        "padding": padding(recipe, data.lengths),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of competition files")
    parser.add_argument("--sizes", type=int, nargs="+", default=[6500, 13000], help="records of the training file")
    parser.add_argument("--rounds", type=int, default=2, help="turns of each")
    parser.add_argument("--recipe", default="ske", help="name or file")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="as in ietool train")
    parser.add_argument("--device", default="auto")
    arguments = parser.parse_args()
    sizes = sorted(set(arguments.sizes))
    if sizes[0] < 1 or arguments.rounds < 1:
        parser.error("--sizes and --rounds must be positive")
    recipe = load_recipe(arguments.recipe, [*arguments.set, "training.patience=0", f"training.seed={SEED}"])
    device = choose_device(arguments.device)
    precision = choose_precision(recipe, device)
    taken: dict[int, list[dict[str, float]]] = {size: [] for size in sizes}
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        os.environ["IETOOL_HOME"] = str(work)
        found = {role: path.resolve() for role, path in locate(arguments.data).files.items()}
        folders = {
            size: prepare(recipe, files={**found, "train": part}, output=work / f"prepared-{size}").folder
            for size, part in write_parts(found["train"], work, sizes).items()
        }
        epoch(recipe, folders[sizes[0]], device, precision, work / "run")  # the first turn pays for what is loaded once
        for _ in range(arguments.rounds):
            for size in sizes:
                taken[size].append(epoch(recipe, folders[size], device, precision, work / "run"))
    rows = []
    print(
        f"{'records':>8}{'steps':>7}{'padding':>9}{'seconds':>9}{'of linear':>20}{'processor s':>13}{'of linear':>20}"
    )
    for size in sizes:
        row: dict[str, object] = {"records": size, "steps": taken[size][0]["steps"]}
        row["padding"] = taken[size][0]["padding"]
        cells = f"{size:8}{row['steps']:7}{row['padding']:9.2%}"
        for kind, width in (("seconds", 9), ("processor_seconds", 13)):
            seconds = [turn[kind] for turn in taken[size]]
            ratios = [
                (mine / size) / (turn[kind] / sizes[0]) for mine, turn in zip(seconds, taken[sizes[0]], strict=True)
            ]
            row[kind], row[f"{kind}_of_linear"] = seconds, ratios
            spread = f"{statistics.median(ratios):.3f} ({min(ratios):.3f}–{max(ratios):.3f})"
            cells += f"{statistics.median(seconds):{width}.1f}{spread:>20}"
        rows.append(row)
        print(cells)
    print(f"{device}, {precision}, {torch.get_num_threads()} threads, batches of {recipe.training.batch_size}")
    setting = {"device": str(device), "precision": precision, "threads": torch.get_num_threads(), "seed": SEED}
    print(json.dumps({**setting, "batch_size": recipe.training.batch_size, "sizes": rows}))


if __name__ == "__main__":
    main()
