"""The figure of the `ske` recipe on a DuIE 2.0 folder: train, predict dev, score with `duie2`.

    python benchmarks/ske_duie2.py --data DIR --word-vectors DIR --run runs/duie2 [--set KEY=VALUE] [--thresholds]

Every step is the verb that a user types; a finished run is not trained again, an unfinished one is resumed. With
`--thresholds`, thresholds are also chosen on one half of dev and scored on the other, both ways round: the number that
comes of it is not tuned on what it reports. Prints one JSON line at the end.
"""

from __future__ import annotations

import argparse
import itertools
import json
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any


def ietool(*arguments: str, capture: bool = False) -> str:
    """One command; its failure ends the benchmark."""
    done = subprocess.run([sys.executable, "-m", "ietool", *arguments], check=True, text=True, capture_output=capture)
    return done.stdout or ""


def state(run: Path) -> str:
    if not (run / "run.json").is_file():
        return "absent"
    return str(json.loads((run / "run.json").read_text(encoding="utf-8"))["state"])


def train(arguments: argparse.Namespace) -> None:
    run = arguments.run
    if state(run) == "finished":
        return
    if state(run) != "absent":
        ietool("train", "--recipe", "ske", "--output", str(run), "--resume")
        return
    settings = list(arguments.settings)
    if arguments.word_vectors is not None:
        settings.append(f"data.word_vectors={arguments.word_vectors}")
    changes = [word for setting in settings for word in ("--set", setting)]
    ietool("train", "--recipe", "ske", "--data", str(arguments.data), "--output", str(run), *changes)


def cross_fitted(run: Path, dev: Path) -> dict[str, Any]:
    """F1 over both halves of dev, each scored with the thresholds that are best on the other."""
    from ietool import load
    from ietool.files import read_lines
    from ietool.scoring import PRFScore
    from ietool.tasks.ske.data import Example, load_examples
    from ietool.tasks.ske.score import score

    loaded = load(run)
    gold = list(load_examples(dev))
    halves = (gold[::2], gold[1::2])
    decode = loaded.predictor.recipe.decode  # type: ignore[attr-defined]
    grid = list(itertools.product(((0.5, 0.4), (0.4, 0.35), (0.3, 0.3)), (0.0, 0.1, 0.15, 0.2, 0.25, 0.3)))

    def counts(examples: Sequence[Example], found: dict[str, Any]) -> PRFScore:
        values = score({e.text: e.triples for e in examples}, found, metric="duie2", resamples=0).values
        hits, predicted, wanted = (int(values[key]) for key in ("right", "predicted", "gold"))
        return PRFScore(hits, predicted, hits, wanted)

    by_setting: list[tuple[tuple[float, float, float], PRFScore, PRFScore]] = []
    for (start, end), triple in grid:
        decode.subject_start = decode.object_start = start
        decode.subject_end = decode.object_end = end
        decode.triple = triple
        inputs = loaded.task.read_inputs(read_lines(dev))
        found = {p.text: [t.triple for t in p.triples] for p in loaded.stream(inputs)}
        by_setting.append(((start, end, triple), counts(halves[0], found), counts(halves[1], found)))
    best_a = max(by_setting, key=lambda s: s[1].f1)
    best_b = max(by_setting, key=lambda s: s[2].f1)
    total = best_b[1] + best_a[2]
    whole = max(by_setting, key=lambda s: (s[1] + s[2]).f1)
    return {
        "cross_fitted_f1": total.f1,
        "thresholds_from_each_half": [best_a[0], best_b[0]],
        "best_on_all_of_dev": {"thresholds": whole[0], "f1": (whole[1] + whole[2]).f1, "tuned_on": "the same dev file"},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--word-vectors", type=Path)
    parser.add_argument("--run", type=Path, required=True)
    parser.add_argument("--set", dest="settings", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--thresholds", action="store_true")
    arguments = parser.parse_args()

    from ietool.tasks.ske.sources import locate

    train(arguments)
    dev = locate(arguments.data, ("dev",)).files["dev"]
    result = arguments.run / "dev-result.json"
    begin = time.monotonic()
    ietool("predict", "--run", str(arguments.run), str(dev), "--output", str(result))
    seconds = time.monotonic() - begin
    ietool("score", "--recipe", "ske", str(dev), str(result), "--explain", str(arguments.run / "dev-explained.jsonl"))
    scored = json.loads(ietool("score", "--recipe", "ske", str(dev), str(result), "--json", capture=True))
    line = {key: scored[key] for key in ("metric", "precision", "recall", "f1", "interval")}
    line["predict_seconds"] = round(seconds, 1)
    rows = [json.loads(r) for r in (arguments.run / "metrics.jsonl").read_text(encoding="utf-8").splitlines()]
    line["epochs"] = [(row["stage"], row["epoch"], round((row["ema"] or row["raw"])["f1"], 4)) for row in rows]
    line["sentences_per_second"] = round(sum(r["sentences_per_second"] for r in rows) / len(rows), 1)
    if arguments.thresholds:
        line |= cross_fitted(arguments.run, dev)
    print(json.dumps(line, ensure_ascii=False))


if __name__ == "__main__":
    main()
