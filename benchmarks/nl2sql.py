"""The figures of the recipe `nl2sql` on a folder of TableQA's form: train, predict val and test, score by parts; speed.

    python benchmarks/nl2sql.py --data DIR --run runs/retqa [--encoder DIR] [--set KEY=VALUE …] [--speed 200]
    python benchmarks/nl2sql.py --damaged DIR/val.json

Every step is the verb that a user types; a finished run of the same settings is not trained again. With `--speed N` the
first N questions of val are predicted together and one at a time, in turns; the queries must be the same. With
`--damaged` a file of queries is scored against itself and against itself with one part of every third query changed at
random: the scorer's check and time, without a model. Prints a table and one JSON line.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
import time
from itertools import islice
from pathlib import Path
from typing import Any

from trainings import ietool, train_once

PARTS = (
    "logical",
    "execution",
    "mean",
    "select",
    "aggregate",
    "connector",
    "conditions",
    "column",
    "operator",
    "value",
)


def scored(gold: Path, result: Path) -> dict[str, Any]:
    """What ``score`` says."""
    return dict(json.loads(ietool("score", "--recipe", "nl2sql", gold, result, "--json", capture=True)))


def figures(arguments: argparse.Namespace) -> dict[str, Any]:
    """Train, predict, score."""
    settings = [*([f"model.encoder={arguments.encoder}"] if arguments.encoder else []), *arguments.settings]
    train_once("nl2sql", settings, arguments.run, files={"data": arguments.data}, device=arguments.device)
    found: dict[str, Any] = {"set": settings}
    print("| file | " + " | ".join(PARTS) + " | 95 % of the mean | questions/s |\n|" + "---|" * (len(PARTS) + 3))
    for split in ("val", "test"):
        gold, result = arguments.data / f"{split}.json", arguments.run / f"{split}-result.json"
        begin = time.monotonic()
        ietool("predict", "--run", arguments.run, gold, "--output", result, "--device", arguments.device)
        seconds = time.monotonic() - begin
        row = found[split] = scored(gold, result)
        low, high = row["interval"]
        shares = " | ".join(f"{row[part]:.4f}" for part in PARTS)
        print(f"| {split} | {shares} | {low:.4f} – {high:.4f} | {row['questions'] / seconds:.0f} |", flush=True)
    return found


def speed(run: Path, data: Path, count: int, device: str) -> dict[str, Any]:
    """Questions a second together and one at a time, by processor time."""
    from ietool import load
    from ietool.core.forms import reading

    loaded = load(run, device)
    questions = list(islice(reading(loaded.task, str(data / "val.json")), count))

    def one_by_one() -> list[Any]:
        return [one.query for question in questions for one in loaded.predictor.predict([question])]

    def together() -> list[Any]:
        return [one.query for one in loaded.predictor.predict(questions)]

    together()  # tables are read, thresholds found
    seconds, queries = {"one by one": 0.0, "together": 0.0}, {}
    for _ in range(2):
        for name, way in (("one by one", one_by_one), ("together", together)):
            begin = time.process_time()
            queries[name] = way()
            seconds[name] += time.process_time() - begin
    ratio = seconds["one by one"] / seconds["together"]
    differ = sum(a != b for a, b in zip(queries["one by one"], queries["together"], strict=True))
    for name, spent in seconds.items():
        print(f"{name:12} {1000 * spent / 2 / len(questions):8.2f} ms of the processor a question")
    print(f"ratio {ratio:.2f}; {differ} of {len(questions)} queries differ")
    return {"ratio": ratio, "differ": differ}


def damaged(gold: Path, seed: int = 1) -> dict[str, Any]:
    """The scorer against itself, and against damage."""
    chance = random.Random(seed)
    found: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        for name in ("itself", "damaged"):
            result = Path(folder) / f"{name}.json"
            with result.open("w", encoding="utf-8") as out:
                for line in gold.read_text(encoding="utf-8").splitlines():
                    query = json.loads(line)["sql"]
                    if name == "damaged" and chance.random() < 1 / 3:
                        change(query, chance)
                    out.write(json.dumps(query, ensure_ascii=False) + "\n")
            begin = time.monotonic()
            row = found[name] = scored(gold, result)
            shown = f"{row[row['primary']]:.4f}, {row['interval']}, {time.monotonic() - begin:.1f} s"
            print(f"{name:12} {row['primary']} {shown}", flush=True)
    return found


def change(query: dict[str, Any], chance: random.Random) -> None:
    """Change one part of a query."""
    condition = chance.choice(query["conds"])
    match chance.randrange(4):
        case 0:
            query["sel"] = [column + 1 for column in query["sel"]]
        case 1:
            query["agg"] = [(one + 1) % 6 for one in query["agg"]]
        case 2:
            condition[1] = (condition[1] + 1) % 4
        case _:
            condition[2] = f"{condition[2]}0"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="folder with train, val, test and their tables")
    parser.add_argument("--run", type=Path)
    parser.add_argument("--encoder", type=Path)
    parser.add_argument("--set", dest="settings", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--speed", type=int, default=0, metavar="N")
    parser.add_argument("--damaged", type=Path, metavar="FILE")
    parser.add_argument("--device", default="auto")
    arguments = parser.parse_args()
    if arguments.damaged is not None:
        print(json.dumps(damaged(arguments.damaged), ensure_ascii=False))
        return
    if arguments.data is None or arguments.run is None:
        sys.exit("name --data and --run, or --damaged")
    found = figures(arguments)
    if arguments.speed:
        found["speed"] = speed(arguments.run, arguments.data, arguments.speed, arguments.device)
    print(json.dumps(found, ensure_ascii=False))


if __name__ == "__main__":
    main()
