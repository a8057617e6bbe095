"""How much faster is batched decoding than the article's loop, and does it find the same?

    python benchmarks/ske_predict.py --run runs/ske/DIR --data DIR [--limit 500] [--device cpu] [--precision fp32]

Texts per second of the run's predictor and of the tests' ``reference_decode.py`` (one sentence and one subject at a
time), with the same weights on the same texts in the same process, taking turns; features are part of both, loading is
part of neither, the rule file is left out of both. ``--data`` is a file of texts, or a folder whose dev file is taken.

The triples of the two must be the same. In half precision and on GPUs a probability at a threshold
may fall to either side of it: up to one triple in a thousand may differ, and the number that do is printed.
Prints a table, then one JSON line; exit code 1 where too many differ.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from pathlib import Path

import torch

from ietool.files.lines import read_lines
from ietool.tasks.ske.data.example import Example
from ietool.tasks.ske.data.reading import read_inputs
from ietool.tasks.ske.data.sources import locate
from ietool.tasks.ske.heads.assembly import Extraction
from ietool.tasks.ske.heads.stages.reader import StageReader
from ietool.training.device import autocast, choose_precision
from ietool.workflow.predict import Loaded

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from tests.tasks.ske.reference_decode import ReferencePredictor

Predict = Callable[[Iterable[Example]], Iterator[Extraction]]


def read_texts(data: Path, limit: int) -> list[Example]:
    path = locate(data, ["dev"]).files["dev"] if data.is_dir() else data
    return list(islice(read_inputs(read_lines(path)), limit))


def measure(predict: Predict, texts: list[Example], device: torch.device) -> tuple[float, list[Extraction]]:
    """(seconds, what was found)."""
    begin = time.perf_counter()
    found = list(predict(texts))
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter() - begin, found


def strings(found: list[Extraction]) -> set[tuple[object, ...]]:
    """Every triple with its text's number and where it stands."""
    return {(n, t.triple, t.subject, t.slots) for n, e in enumerate(found) for t in e.triples}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", type=Path, required=True, help="a finished SKE run")
    parser.add_argument("--data", type=Path, required=True, help="file of texts, or folder with a dev file")
    parser.add_argument("--limit", type=int, default=500, help="texts")
    parser.add_argument("--rounds", type=int, default=3, help="turns of each; medians are printed")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--precision", default="fp32", choices=["fp32", "bf16", "fp16", "auto"])
    parser.add_argument("--batch-size", type=int, default=None)
    arguments = parser.parse_args()

    loaded = Loaded(arguments.run, arguments.device, arguments.batch_size)
    batched = loaded.predictor
    if not isinstance(batched.reader, StageReader):
        sys.exit(f"{arguments.run} is no run of SKE that finds subjects first")
    batched.settings = batched.settings.model_copy(update={"apply_rules": False})
    loop = ReferencePredictor(batched)
    loaded.recipe.training.precision = arguments.precision
    precision = choose_precision(loaded.recipe, loaded.device)
    texts = read_texts(arguments.data, arguments.limit)
    seconds: dict[str, list[float]] = {"loop": [], "batched": []}
    found: dict[str, list[Extraction]] = {}
    with autocast(loaded.device, precision):
        ways: dict[str, Predict] = {"loop": loop.predict, "batched": batched.predict}
        for predict in ways.values():  # kernels, caches and dictionaries are loaded before the clock runs
            list(predict(texts[:64]))
        for _ in range(arguments.rounds):
            for name, predict in ways.items():
                taken, found[name] = measure(predict, texts, loaded.device)
                seconds[name].append(taken)
    rates = {name: len(texts) / statistics.median(taken) for name, taken in seconds.items()}
    triples, other = strings(found["loop"]), strings(found["batched"])
    differ = len(triples ^ other)
    result = {
        "device": str(loaded.device),
        "threads": torch.get_num_threads(),
        "precision": precision,
        "texts": len(texts),
        "triples": len(triples),
        "differ": differ,
        "loop_texts_per_second": rates["loop"],
        "batched_texts_per_second": rates["batched"],
        "ratio": rates["batched"] / rates["loop"],
    }
    print(f"{'':10}{'texts/s':>10}")
    for name, rate in rates.items():
        print(f"{name:10}{rate:10.1f}")
    print(f"{'ratio':10}{result['ratio']:10.2f}")
    print(f"{len(triples):,} triples of {len(texts):,} texts, {differ} differ ({loaded.device}, {precision})")
    print(json.dumps(result))
    if differ > len(triples) // 1000:
        sys.exit("the two do not find the same")


if __name__ == "__main__":
    main()
