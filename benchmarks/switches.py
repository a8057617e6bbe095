"""What does each switch of training do to its speed and memory?

    python benchmarks/switches.py --data DIR --switch training.workers=4 --switch training.compile=true [--recipe ske]
    python benchmarks/switches.py --prepared prepared/ske/DIR --switch training.precision=fp32,training.tf32=false

Texts a second of ``ietool train``'s step loop with the recipe as it is (``--set`` changes that) and with every switch
set besides, several settings of one switch joined by commas; all in one process, from the same fresh weights, taking
turns; medians. The first ``--warm`` steps of a turn are not counted, but told (``first``, seconds): compiling lies in
them. A switch that the recipe has not, or that fails, is told and the others go on. On a GPU the most memory that torch
had there is told too. Prints a table, then one JSON line; exit code 1 where a switch failed.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import torch
from train_speed import Clock, fresh, step_loop

from ietool.errors import UserError, reason_of
from ietool.recipe import Recipe
from ietool.recipe_io import load_recipe
from ietool.registry import get_task
from ietool.training.device import choose_device, choose_precision
from ietool.workflow.prepare import prepare

PLAIN = "as it is"


def turn(recipe: Recipe, prepared: Path, steps: int, warm: int, device: torch.device, work: Path) -> dict[str, float]:
    """One turn of a recipe's step loop: texts a second, seconds before the clock ran, GB on the GPU."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    begin = time.perf_counter()
    precision = choose_precision(recipe, device)
    data = get_task(recipe.task).training_set(recipe, prepared)
    trainer = step_loop(recipe, fresh(recipe, prepared, device), data, device, precision, work, steps)
    clock = Clock(warm, device)
    trainer.add_callback(clock)
    trainer.train()
    texts = recipe.training.batch_size * recipe.training.gradient_accumulation * (steps - warm)
    found = {"texts_per_second": texts / clock.seconds, "first": time.perf_counter() - begin - clock.seconds}
    if device.type == "cuda":
        found["gpu_memory"] = torch.cuda.max_memory_allocated(device) / 1e9
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--data", type=Path, help="folder of competition files")
    source.add_argument("--prepared", type=Path, help="a prepared folder")
    parser.add_argument("--recipe", default=None, help="name or file; default: ske, or that of the prepared folder")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="in all turns")
    parser.add_argument("--switch", action="append", default=[], metavar="KEY=VALUE[,KEY=VALUE]")
    parser.add_argument("--steps", type=int, default=60, help="steps of a turn")
    parser.add_argument("--warm", type=int, default=10, help="of these the first are not counted")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--device", default="auto")
    options = parser.parse_args()
    if not 0 < options.warm < options.steps:
        parser.error("--warm must lie between 0 and --steps")
    base = options.recipe or (str(options.prepared) if options.prepared else "ske")
    plain = [*options.set, "training.patience=0"]
    told: dict[str, Any] = {}
    turns: dict[str, list[dict[str, float]]] = {}
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        recipes = {PLAIN: load_recipe(base, plain)}
        for switch in options.switch:
            try:
                recipes[switch] = load_recipe(base, [*plain, *switch.split(",")])
            except UserError as error:
                told[switch] = {"not there": reason_of(error)}
        prepared = options.prepared
        if prepared is None:
            os.environ["IETOOL_HOME"] = str(work)
            prepared = prepare(recipes[PLAIN], data=options.data.resolve(), output=work / "prepared").folder
        device = choose_device(options.device)
        for _ in range(options.rounds):
            for switch, recipe in list(recipes.items()):
                try:
                    found = turn(recipe, prepared, options.steps, options.warm, device, work / "run")
                except Exception as error:  # what a switch wants may not be there: a compiler, processes, memory
                    told[switch] = {"failed": f"{type(error).__name__}: {reason_of(error)}"}
                    del recipes[switch]
                    turns.pop(switch, None)
                else:
                    turns.setdefault(switch, []).append(found)
    for switch, mine in turns.items():
        told[switch] = {key: statistics.median(each[key] for each in mine) for key in mine[0]}
        told[switch]["first"] = mine[0]["first"]
    if PLAIN not in turns:
        sys.exit(told[PLAIN]["failed"])
    rate = told[PLAIN]["texts_per_second"]
    print(f"{'switch':<50}{'texts/s':>10}{'ratio':>8}{'first s':>9}{'GB':>8}")
    for switch, row in told.items():
        if "texts_per_second" in row:
            row["ratio"] = row["texts_per_second"] / rate
            memory = f"{row['gpu_memory']:8.2f}" if "gpu_memory" in row else f"{'–':>8}"
            print(f"{switch:<50}{row['texts_per_second']:10.1f}{row['ratio']:8.3f}{row['first']:9.1f}{memory}")
        else:
            print(f"{switch:<50}{'  '.join(f'{what}: {why}' for what, why in row.items())}")
    print(json.dumps({"device": str(device), "steps": options.steps - options.warm, "switches": told}))
    return 1 if any("failed" in row for row in told.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
