"""Is this checkout as fast as another one? Prediction and training of every recipe, the two taking turns.

    git worktree add --detach ../before COMMIT
    python benchmarks/before_after.py --before ../before --encoder FOLDER [--recipe ske …] [--turns 7] [--texts 100]

For each recipe the other checkout trains a run on a part of the corpus that ships, at the recipe's own sizes, a few
epochs long; both checkouts then open that very run and predict the same texts, in turns, each in a process of its own
that stays. Training is the same: each prepares the corpus, and draws, collates and learns from the same batches by
plain gradient descent. What counts is the processor's time of a turn, so that neighbours on the machine matter less;
the medians of both, the median of the ratios of neighbouring turns and the ratio of the fastest turns are printed, as a
table and as one JSON line. Neighbours only ever make a turn slower: where the ratios scatter, the fastest tell most.

``--encoder`` is the folder of a pretrained encoder for the recipes that want one. Without it, and for qa-mlm, which
wants a masked language model, a tiny one (4 layers × 64) is made here: then nearly all of the time is ours, and a
slower step of ours shows most. A recipe is within the bound where its ratio is at most 1.03.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parents[1]
RECIPES = {
    "ske": ("ske", ("training.epochs=6", "training.learning_rate=3e-3")),
    "ske-cascade": ("ske", ("training.epochs=40", "decode.triple=0.05")),
    "ske-gplinker": ("ske", ("training.epochs=40",)),
    "el": ("el", ("training.epochs=4",)),
    "el-cross": ("el", ("training.epochs=1",)),
    "qa": ("qa", ("training.epochs=2",)),
    "qa-span": ("qa", ("training.epochs=1", "data.window=128", "data.overlap=48")),
    "qa-mlm": ("qa", ("training.epochs=1", "data.window=96", "data.overlap=48", "model.masks=8")),
    "ner-crf": ("ner", ("training.epochs=6", "training.head_learning_rate=3e-3")),
    "ner-globalpointer": ("ner", ("training.epochs=6", "training.head_learning_rate=3e-3")),
}
"""Recipe → its task, and settings that make something to predict in little time. qa-dureader has the model of qa."""

ON_AN_ENCODER = {"ske-cascade", "ske-gplinker", "el-cross", "qa-span", "qa-mlm"}
RECORDS = {"ske": 400, "el": 300, "qa": 60, "ner": 400}
"""Of train, at most."""


# -- in a process of one checkout


def worker(task: str, recipe: str, settings: list[str], run: Path, source: Path, data: Path, batches: int) -> None:
    """Read commands from standard input: ``predict`` and ``train`` are answered with seconds of the processor."""
    import torch

    torch.set_num_threads(1)
    from ietool.recipe_io import load_recipe
    from ietool.workflow.predict import load
    from ietool.workflow.prepare import prepare

    try:
        from ietool.registry import get_task
    except ImportError:  # where it lay before
        from ietool.tasks.registry import get_task

    loaded = load(run, device="cpu")
    inputs = list(loaded.task.open_inputs(str(source)))
    chosen = load_recipe(recipe, settings)
    prepared = prepare(chosen, data=data).folder
    torch.manual_seed(1)
    items = get_task(task).training_set(chosen, prepared)
    model = get_task(task).build_model(chosen, prepared).train()
    optimiser = torch.optim.SGD(model.parameters(), lr=1e-3)
    size = min(8, len(items))

    def learn() -> None:
        for step in range(batches):
            items.set_epoch(step)
            batch = items.collate([items[(step * size + k) % len(items)] for k in range(size)])
            optimiser.zero_grad()
            model(**batch)["loss"].backward()
            optimiser.step()

    found = 0
    print("ready", flush=True)
    for line in sys.stdin:
        begin = time.process_time()
        if line.strip() == "predict":
            found = sum(loaded.task.found(p) > 0 for p in loaded.stream(iter(inputs)))
        else:
            learn()
        print(json.dumps([time.process_time() - begin, found]), flush=True)


# -- the other side


def environment(checkout: Path, home: Path) -> dict[str, str]:
    """In which a checkout's own code runs, on one thread, offline."""
    return os.environ | {
        "PYTHONPATH": str(checkout), "IETOOL_HOME": str(home), "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1",
    }  # fmt: skip


class Side:
    """A worker of one checkout."""

    def __init__(self, checkout: Path, home: Path, arguments: list[str]) -> None:
        command = [sys.executable, __file__, *arguments]
        self.process = subprocess.Popen(
            command, env=environment(checkout, home), cwd=home, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        assert self.process.stdout is not None
        while (line := self.process.stdout.readline().strip()) != "ready":
            if not line and self.process.poll() is not None:
                raise SystemExit(f"the worker of {checkout} failed")

    def turn(self, what: str) -> tuple[float, int]:
        """Seconds of one turn, and in how many texts something was found."""
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.write(what + "\n")
        self.process.stdin.flush()
        seconds, found = json.loads(self.process.stdout.readline())
        return float(seconds), int(found)

    def close(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait()


def part_of_corpus(task: str, folder: Path, texts: int) -> Path:
    """A folder with the first records of the corpus that ships; gives the file to predict on."""
    folder.mkdir()
    limits = {"train": RECORDS[task], "dev": 20, "test": texts}  # of others, such as the schema, all is taken
    for path in (HERE / "data" / task).iterdir():
        if path.suffix == ".jsonl":
            limit = limits.get(path.stem)
            lines = path.read_text(encoding="utf-8").splitlines(keepends=True)[:limit]
            (folder / path.name).write_text("".join(lines), encoding="utf-8")
        elif path.suffix == ".json" and isinstance(records := json.loads(path.read_text(encoding="utf-8")), list):
            limit = limits.get(path.stem)
            (folder / path.name).write_text(json.dumps(records[:limit], ensure_ascii=False), encoding="utf-8")
        elif path.suffix == ".json" and isinstance(records.get("data"), list):
            limit = limits.get(path.stem)
            short = records | {"data": records["data"][:limit]}
            (folder / path.name).write_text(json.dumps(short, ensure_ascii=False), encoding="utf-8")
        elif path.is_file() and path.suffix in ("", ".json"):
            (folder / path.name).write_bytes(path.read_bytes())
    return next(path for path in folder.iterdir() if path.stem == "test")


def tiny_encoder(folder: Path, data: Path, *, mlm: bool) -> Path:
    """A tiny encoder, perhaps with the head of a masked language model, that knows the characters of a corpus."""
    sys.path.insert(0, str(HERE))
    from tests.tiny_encoder import make_encoder_folder

    texts = (path.read_text(encoding="utf-8") for path in data.iterdir())
    return make_encoder_folder(folder, texts, mlm=mlm, size=64, layers=4, positions=512)


def compare(
    recipe: str, before: Path, encoder: Path | None, turns: int, texts: int, batches: int, work: Path
) -> dict[str, Any]:
    """Both checkouts on one recipe."""
    task, settings = RECIPES[recipe]
    source = part_of_corpus(task, work / "data", texts)
    changes = [*settings, "training.precision=fp32", "training.batch_size=8", "training.warmup_epochs=0.2"]
    if recipe in ON_AN_ENCODER:
        tiny = encoder is None or recipe == "qa-mlm"
        own = tiny_encoder(work / "encoder", work / "data", mlm=recipe == "qa-mlm") if tiny else encoder
        changes += [f"model.encoder={own}", f"training.learning_rate={'2e-3' if tiny else '2e-4'}"]
    homes = [work / "before", work / "after"]
    for home in homes:
        home.mkdir()
    run = work / "run"
    words = [word for change in changes for word in ("--set", change)]
    command = [sys.executable, "-m", "ietool", "train", "--recipe", recipe, "--data", str(work / "data")]
    command += ["--output", str(run), "--device", "cpu", *words]
    subprocess.run(command, env=environment(before, homes[0]), cwd=homes[0], check=True, capture_output=True)
    arguments = ["--batches", str(batches), "--worker", task, recipe, json.dumps(changes)]
    arguments += [str(run), str(source), str(work / "data")]
    sides = [Side(checkout, home, arguments) for checkout, home in zip((before, HERE), homes, strict=True)]
    result: dict[str, Any] = {"recipe": recipe}
    for what in ("predict", "train"):
        seconds: list[list[float]] = [[], []]
        found = [0, 0]
        for turn in range(turns + 1):  # the first is not counted
            for number in (0, 1) if turn % 2 else (1, 0):
                spent, found[number] = sides[number].turn(what)
                seconds[number] += [spent] if turn else []
        ratios = [after / before for before, after in zip(*seconds, strict=True)]
        result[what] = {
            "before": round(statistics.median(seconds[0]), 3), "after": round(statistics.median(seconds[1]), 3),
            "ratio": round(statistics.median(ratios), 3), "least": round(min(ratios), 3), "most": round(max(ratios), 3),
            "fastest": round(min(seconds[1]) / min(seconds[0]), 3),
        }  # fmt: skip
        if what == "predict":
            result["found"] = found
    for side in sides:
        side.close()
    return result


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--before", type=Path, help="the other checkout")
    parser.add_argument("--encoder", type=Path)
    parser.add_argument("--recipe", action="append", choices=sorted(RECIPES))
    parser.add_argument("--turns", type=int, default=7)
    parser.add_argument("--texts", type=int, default=100)
    parser.add_argument("--batches", type=int, default=4, help="of a turn of training")
    parser.add_argument("--worker", nargs=6, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        task, recipe, settings, run, source, data = options.worker
        worker(task, recipe, json.loads(settings), Path(run), Path(source), Path(data), options.batches)
        return 0
    if options.before is None:
        parser.error("name the other checkout with --before")
    heads = "".join(f"{what:>9}{'after':>9}{'ratio':>7}{'fastest':>9} " for what in ("predict", "train"))
    print(f"{'recipe':<18}{heads}  found")
    results = []
    encoder = options.encoder.resolve() if options.encoder else None
    for recipe in options.recipe or RECIPES:
        with tempfile.TemporaryDirectory() as work:
            row = compare(
                recipe, options.before.resolve(), encoder, options.turns, options.texts, options.batches, Path(work)
            )
        results.append(row)
        numbers = "".join(
            f"{row[what]['before']:9.3f}{row[what]['after']:9.3f}{row[what]['ratio']:7.3f}{row[what]['fastest']:9.3f} "
            for what in ("predict", "train")
        )
        print(f"{recipe:<18}{numbers}  {row['found'][0]} {row['found'][1]}", flush=True)
    print(json.dumps(results))
    return 0


if __name__ == "__main__":
    sys.exit(main())
