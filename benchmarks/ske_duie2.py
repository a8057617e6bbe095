"""The figures of the SKE recipes on a DuIE 2.0 folder: train, predict dev, score with `duie2`.

    python benchmarks/ske_duie2.py --data DIR --word-vectors DIR --run runs/duie2 [--set KEY=VALUE] [--thresholds]
    python benchmarks/ske_duie2.py --recipe ske-gplinker --data DIR --set model.encoder=DIR --run runs/gplinker

Every step is the verb that a user types; a finished run is not trained again, an unfinished one is resumed. With
`--thresholds`, thresholds are also chosen on one half of dev and scored on the other, both ways round: the number that
comes of it is not tuned on what it reports. Prints one JSON line at the end.
"""

from __future__ import annotations

import argparse
import itertools
import json
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from trainings import ietool, train_once


def thresholds(*, linked: bool) -> Iterator[dict[str, float]]:
    """Settings of ``decode`` to choose among, by the head."""
    if linked:
        for entity, link, triple in itertools.product((0.2, 0.35, 0.5), (0.2, 0.35, 0.5), (0.0, 0.1, 0.2, 0.3)):
            yield {"entity": entity, "link": link, "triple": triple}
        return
    for (start, end), triple in itertools.product(
        ((0.5, 0.4), (0.4, 0.35), (0.3, 0.3)), (0.0, 0.1, 0.15, 0.2, 0.25, 0.3)
    ):
        yield {
            "subject_start": start, "subject_end": end, "object_start": start, "object_end": end, "triple": triple,
        }  # fmt: skip


def cross_fitted(run: Path, dev: Path) -> dict[str, Any]:
    """F1 over both halves of dev, each scored with the thresholds that are best on the other."""
    from ietool import load
    from ietool.core.candidates import Floor
    from ietool.files.lines import read_lines
    from ietool.scoring.prf import PRFScore
    from ietool.tasks.ske.data.example import Example
    from ietool.tasks.ske.data.reading import load_examples
    from ietool.tasks.ske.score.scorer import score

    loaded = load(run)
    gold = list(load_examples(dev))
    halves = (gold[::2], gold[1::2])
    reader, decoder, decode = loaded.predictor.reader, loaded.predictor.decoder, loaded.predictor.settings
    grid = list(thresholds(linked=hasattr(decode, "link")))
    lowest = {key: min(setting[key] for setting in grid) for key in grid[0]}
    # Texts are read once; what all thresholds find is among the candidates above the lowest.
    inputs = loaded.task.read_inputs(read_lines(dev))
    proposed = list(reader.propose(inputs, floor=Floor(parts=decoder.floor(decode.model_copy(update=lowest)).parts)))

    def counts(examples: Sequence[Example], found: dict[str, Any]) -> PRFScore:
        values = score({e.text: e.triples for e in examples}, found, metric="duie2", resamples=0).values
        hits, predicted, wanted = (int(values[key]) for key in ("right", "predicted", "gold"))
        return PRFScore(hits, predicted, hits, wanted)

    by_setting: list[tuple[dict[str, float], PRFScore, PRFScore]] = []
    for setting in grid:
        chosen = decode.model_copy(update=setting)
        predictions = [decoder.decode(example, candidates, chosen) for example, candidates in proposed]
        found = {p.text: [t.triple for t in p.triples] for p in predictions}
        by_setting.append((setting, counts(halves[0], found), counts(halves[1], found)))
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
    parser.add_argument("--recipe", default="ske")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--word-vectors", type=Path)
    parser.add_argument("--run", type=Path, required=True)
    parser.add_argument("--set", dest="settings", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--thresholds", action="store_true")
    arguments = parser.parse_args()

    from ietool.tasks.ske.data.sources import locate

    settings = list(arguments.settings)
    if arguments.word_vectors is not None:
        settings.append(f"data.word_vectors={arguments.word_vectors}")
    fresh, begin = not (arguments.run / "run.json").is_file(), time.monotonic()
    train_once(arguments.recipe, settings, arguments.run, files={"data": arguments.data})
    train_seconds = time.monotonic() - begin
    dev = locate(arguments.data, ("dev",)).files["dev"]
    result = arguments.run / "dev-result.json"
    begin = time.monotonic()
    ietool("predict", "--run", str(arguments.run), str(dev), "--output", str(result))
    seconds = time.monotonic() - begin
    told = arguments.run / "dev-explained.jsonl"
    score = ("score", "--recipe", arguments.recipe, dev, result, "--explain", told, "--json")
    scored = json.loads(ietool(*score, capture=True))
    line = {key: scored[key] for key in ("metric", "precision", "recall", "f1", "interval")}
    if fresh:  # of a training that was cut or is done already the time says nothing
        line["train_seconds"] = round(train_seconds, 1)
    line["predict_seconds"] = round(seconds, 1)
    rows = [json.loads(r) for r in (arguments.run / "metrics.jsonl").read_text(encoding="utf-8").splitlines()]
    line["epochs"] = [(row["stage"], row["epoch"], round((row["ema"] or row["raw"])["f1"], 4)) for row in rows]
    line["sentences_per_second"] = round(sum(r["sentences_per_second"] for r in rows) / len(rows), 1)
    if arguments.thresholds:
        line |= cross_fitted(arguments.run, dev)
    print(json.dumps(line, ensure_ascii=False))


if __name__ == "__main__":
    main()
