"""How often does the host wait for the GPU? Synchronisations a step of training, and for some texts of prediction.

    python benchmarks/gpu_syncs.py [--device cuda] [--recipe ske …] [--steps 8]

CUDA itself counts: in its debug mode torch warns at each operation that waits for the device (``.item()``, ``nonzero``,
a copy that blocks). Every recipe trains a tiny model by ``ietool train``'s step loop, of which the first steps are not
counted, logging at the end of an epoch is; and its recorded run predicts 20 texts. The places that wait most are told
by file and line. On a CPU nothing waits and all counts are 0. A recipe that fails is told, and the others go on. Prints
a table, then one JSON line; exit code 1 where a recipe failed.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import warnings
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import torch
from train_speed import fresh, step_loop
from transformers import TrainerCallback
from transformers.utils import logging

from ietool.errors import reason_of
from ietool.recipe_io import load_recipe
from ietool.registry import get_task
from ietool.workflow.predict import load
from ietool.workflow.prepare import prepare
from tests.acting import acting
from tests.recorded import doors, flows
from tests.recorded.settings import SETTINGS

SAID = "synchronizing CUDA operation"
WARM = 2
PLACES = 3


class Waits:
    """Places at which the host waited for the device, with how often."""

    def __init__(self) -> None:
        self.places: Counter[str] = Counter()

    @contextmanager
    def counted(self) -> Iterator[None]:
        """Within, count them."""
        with warnings.catch_warnings(record=True) as heard:
            warnings.simplefilter("always")
            watch("warn")
            try:
                yield
            finally:
                watch("default")
        for warning in heard:
            if SAID in str(warning.message):
                path = Path(warning.filename)
                self.places["/".join([*path.parts[-3:-1], f"{path.name}:{warning.lineno}"])] += 1

    def told(self, share: int) -> dict[str, Any]:
        """How many a step or batch, and the places of most."""
        return {"count": self.places.total() / share, "places": dict(self.places.most_common(PLACES))}


def watch(mode: str) -> None:
    """Torch's debug mode, where there is a device."""
    if torch.cuda.is_available():
        torch.cuda.set_sync_debug_mode(mode)


class Counting(TrainerCallback):
    """Counts between the end of one step and that of the next, from the end of step ``WARM`` to that of ``last``."""

    def __init__(self, waits: Waits, last: int) -> None:
        self.waits, self.last = waits, last
        self.open = ExitStack()

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        if state.global_step == WARM:
            self.open.enter_context(self.waits.counted())
        elif state.global_step == self.last:
            self.open.close()


def count(name: str, work: Path, device: torch.device, steps: int) -> dict[str, Any]:
    """One recipe."""
    flows.make_data(name, work)
    recipe_name, asked = flows.recipe_of(name), SETTINGS[name].small
    with doors.working_in(work):
        recipe = load_recipe(recipe_name, [*acting(recipe_name, asked, asked), "training.patience=0"])
        prepared = prepare(recipe, data=work / "data").folder
        data = get_task(recipe.task).training_set(recipe, prepared)
        training, reading = Waits(), Waits()
        trainer = step_loop(
            recipe, fresh(recipe, prepared, device), data, device, "fp32", work / "steps", steps + WARM
        )  # fmt: skip
        counting = Counting(training, steps + WARM)
        trainer.add_callback(counting)
        with counting.open:  # also where a step fails
            trainer.train()
        run, source = flows.old_run(name, work), work / "data" / f"few-{flows.FLOWS[name].inputs[0]}"
        loaded = load(run, device=str(device))
        inputs = list(loaded.task.open_inputs(str(source)))
        list(loaded.stream(iter(inputs)))
        with reading.counted():
            list(loaded.stream(iter(inputs)))
    return {"training": training.told(steps), "prediction": reading.told(1)}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--recipe", nargs="+", choices=sorted(flows.FLOWS), default=list(flows.FLOWS))
    parser.add_argument("--steps", type=int, default=8, help="that are counted")
    options = parser.parse_args()
    logging.disable_progress_bar()
    rows: dict[str, dict[str, Any]] = {}
    print(f"{'recipe':<18}{'a step':>8}{'20 texts':>10}  where most, in training")
    for name in options.recipe:
        try:
            with tempfile.TemporaryDirectory() as work:
                rows[name] = row = count(name, Path(work), torch.device(options.device), options.steps)
        except Exception as error:  # what one recipe stumbles over must not hide the others
            rows[name] = {"failed": f"{type(error).__name__}: {reason_of(error)}"}
            print(f"{name:<18}{rows[name]['failed']}", flush=True)
            continue
        places = ", ".join(f"{place} ×{times}" for place, times in row["training"]["places"].items())
        print(f"{name:<18}{row['training']['count']:8.2f}{row['prediction']['count']:10.0f}  {places}", flush=True)
    print(json.dumps({"device": options.device, "steps": options.steps, "recipes": rows}))
    return 1 if any("failed" in row for row in rows.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
