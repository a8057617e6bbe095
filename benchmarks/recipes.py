"""One row a trained run: parameters, texts a second in training and prediction, peak memory, and the dev score.

    python benchmarks/recipes.py --row RUN INPUT GOLD [RESULT] [--row …] [--steps 20] [--limit 400] [--device auto]

Each run is measured in processes of its own, one after another: ``--steps`` steps of its recipe's training loop from
fresh weights on the data it was trained on (texts a second without the first steps, peak memory of the process), then
``--limit`` texts of INPUT predicted (loading not counted in the time, but in the memory). The score is that of
``ietool score GOLD`` on all of INPUT, predicted by the verb, or on RESULT, which an earlier call predicted. Memory
is the process's highest resident size; on a GPU also what was allocated there. Prints a table, then one JSON line.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from itertools import islice
from pathlib import Path
from typing import Any

WARM = 4
"""Steps that are not counted."""


def peak(device: str) -> dict[str, float]:
    """GB of this process so far."""
    found = {"memory": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6}
    if device.startswith("cuda"):
        import torch

        found["gpu_memory"] = torch.cuda.max_memory_allocated() / 1e9
    return found


def train_steps(run: Path, steps: int, device_name: str) -> dict[str, Any]:
    """Some steps of the run's training."""
    from train_speed import Clock, fresh, step_loop

    from ietool.recipe_io import load_recipe
    from ietool.registry import get_task
    from ietool.runs.entry import open_run
    from ietool.training.device import choose_device, choose_precision

    info = open_run(run).info
    recipe = load_recipe(str(run / "recipe.yaml"), ["training.patience=0"])
    prepared = Path(info.prepared)
    device = choose_device(device_name)
    precision = choose_precision(recipe, device)
    data = get_task(recipe.task).training_set(recipe, prepared)
    clock = Clock(WARM, device)
    with tempfile.TemporaryDirectory() as work:
        trainer = step_loop(recipe, fresh(recipe, prepared, device), data, device, precision, Path(work), steps + WARM)
        trainer.add_callback(clock)
        trainer.train()
    texts = steps * recipe.training.batch_size * recipe.training.gradient_accumulation
    return {"texts_per_second": texts / clock.seconds, "precision": precision, **peak(str(device))}


def predict_texts(run: Path, source: Path, limit: int, device: str) -> dict[str, Any]:
    """Some texts predicted."""
    from ietool.workflow.predict import Loaded

    loaded = Loaded(run, device)
    inputs = list(islice(loaded.task.open_inputs(str(source)), limit))
    for _ in loaded.stream(iter(inputs[:8])):
        pass
    begin = time.perf_counter()
    for _ in loaded.stream(iter(inputs)):
        pass
    seconds = time.perf_counter() - begin
    return {"texts_per_second": len(inputs) / seconds, "texts": len(inputs), **peak(str(loaded.device))}


def alone(*arguments: object) -> dict[str, Any]:
    """One measurement in a process of its own."""
    command = [sys.executable, __file__, *map(str, arguments)]
    done = subprocess.run(command, text=True, stdout=subprocess.PIPE, check=False)
    if done.returncode:
        sys.exit(done.returncode)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def score(run: Path, source: Path, gold: Path, result: Path | None, device: str) -> dict[str, Any]:
    """The official score by the verbs."""
    from trainings import ietool

    from ietool.runs.entry import open_run

    recipe = open_run(run).info.recipe
    with tempfile.TemporaryDirectory() as work:
        if result is None:
            result = Path(work) / "result.json"
            ietool("predict", "--run", run, source, "--output", result, "--device", device)
        told: dict[str, Any] = json.loads(ietool("score", "--recipe", recipe, gold, result, "--json", capture=True))
    return told


def measure(
    given: argparse.Namespace, run: Path, source: Path, gold: Path, result: Path | None = None
) -> dict[str, Any]:
    """A row."""
    from ietool.runs.entry import open_run
    from ietool.runs.folder import count_parameters

    info = open_run(run).info
    told = score(run, source, gold, result, given.device)
    return {
        "recipe": info.recipe,
        "encoder": Path(str(info.differences.get("model.encoder", ""))).name,
        "parameters": count_parameters(run),
        "train": alone("--child-train", run, "--steps", given.steps, "--device", given.device),
        "predict": alone("--child-predict", run, source, "--limit", given.limit, "--device", given.device),
        "metric": told["metric"],
        "f1": told["f1"],
        "interval": told["interval"],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--row", nargs="+", action="append", type=Path, metavar="PATH", default=[],
                        help="RUN INPUT GOLD, and RESULT where INPUT is predicted already")  # fmt: skip
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--limit", type=int, default=400)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--child-train", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--child-predict", nargs=2, type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.child_train:
        print(json.dumps(train_steps(given.child_train, given.steps, given.device)))
        return
    if given.child_predict:
        print(json.dumps(predict_texts(*given.child_predict, given.limit, given.device)))
        return
    if any(len(row) not in (3, 4) for row in given.row):
        parser.error("a --row is RUN INPUT GOLD or RUN INPUT GOLD RESULT")
    rows = [measure(given, *row) for row in given.row]
    head = ("recipe", "parameters", "train /s", "predict /s", "GB train", "GB predict", "F1", "interval", "variant")
    print("".join(f"{name:>15}" for name in head))
    for row in rows:
        low, high = row["interval"] or (float("nan"),) * 2
        cells = (
            row["recipe"], f"{row['parameters']:,}", f"{row['train']['texts_per_second']:.1f}",
            f"{row['predict']['texts_per_second']:.1f}", f"{row['train']['memory']:.1f}",
            f"{row['predict']['memory']:.1f}", f"{row['f1']:.4f}", f"{low:.4f}–{high:.4f}", row["metric"],
        )  # fmt: skip
        print("".join(f"{cell:>15}" for cell in cells))
    print(json.dumps(rows, ensure_ascii=False))


if __name__ == "__main__":
    main()
