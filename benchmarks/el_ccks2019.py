"""The figures of `el` and `el-cross` on a CCKS 2019 folder: several seeds of each variant, scored on dev.

    python benchmarks/el_ccks2019.py --data DIR --word-vectors VECTORS --work DIR [--seeds 42,43,44]
        [--variants full,pair] [--set KEY=VALUE …] [--device cpu] [--thresholds]
    python benchmarks/el_ccks2019.py --recipe el-cross --encoder DIR --data DIR --work DIR --seeds 42

Every step is the verb that a user types; a finished run in the work folder is not trained again, an unfinished one is
resumed. With `--thresholds`, thresholds are also chosen on one half of dev and scored on the other, both ways round:
that number is not tuned on what it reports. Writes `figures.md` (of another recipe than `el` `figures-RECIPE.md`) into
the work folder after each run; prints it, then one JSON line.
"""

from __future__ import annotations

import argparse
import itertools
import json
import statistics
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from trainings import ietool, train_once

from ietool.errors import UserError
from ietool.recipe_io import load_recipe
from ietool.runs.entry import open_run

VARIANTS: dict[str, tuple[str, list[str]]] = {
    "full": ("the recipe", []),
    "no-further-mentions": ("without the further mentions", ["data.extra_mentions=false"]),
    "pair": ("one random candidate a mention and step, as in the article", ["sampling.loss=pair"]),
    "pointers": ("start and end marks instead of matches", ["model.head.mentions=pointers"]),
    "no-habits": ("without signals and priors", ["model.head.habits=false"]),
    "no-borders": ("without learning all mentions' borders", ["model.head.borders=false"]),
    "front": ("descriptions cut at the front", ["model.head.description_choice=front"]),
    "no-word-vectors": ("without word vectors", ["data.word_vectors=null"]),
}
"""Name → what it is, and what it changes."""

KEYS = ("f1", "precision", "recall", "mention_f1", "linking_accuracy", "interval")


def score(run: Path, dev: Path, device: str) -> dict[str, Any]:
    """The figures of a run, with the epoch that was kept."""
    result = run / "dev-predictions.json"
    ietool("predict", "--run", run, dev, "--output", result, "--device", device)
    scored = json.loads(ietool("score", "--recipe", "el", dev, result, "--json", capture=True))
    stages = {row["stage"]: (row["from"], row["to (95 %)"]) for row in scored["tables"][0]["rows"]}
    best = open_run(run).info.best or {}
    return {**{key: scored[key] for key in KEYS}, "mention_interval": stages["mention"], "epoch": best.get("epoch")}


def cross_fitted(run: Path, dev: Path) -> dict[str, Any]:
    """End-to-end F1 over both halves of dev, each scored with the thresholds that are best on the other."""
    from ietool import load
    from ietool.core.candidates import Floor
    from ietool.files.lines import read_lines
    from ietool.scoring.prf import PRFScore
    from ietool.tasks.el.data.reading import load_examples
    from ietool.tasks.el.score.scorer import score as judge

    loaded = load(run)
    gold = list(load_examples(dev))
    halves = (gold[::2], gold[1::2])
    predictor = loaded.predictor
    decode = predictor.settings.model_copy()
    # What the model says is asked for once: thresholds change no candidate.
    proposed = list(predictor.reader.propose(loaded.task.read_inputs(read_lines(dev)), floor=Floor(0.2)))
    grid = list(itertools.product((0.25, 0.3, 0.35, 0.4, 0.45, 0.5), (0.0, 0.3, 0.35, 0.4)))

    def counts(examples: Sequence[Any], found: dict[Any, Any], prefix: str) -> PRFScore:
        values = judge(
            {(e.text_id, e.text): e.mentions for e in examples}, found, metric="ccks2019", resamples=0
        ).values
        p, r = values[f"{prefix}precision"], values[f"{prefix}recall"]
        wanted, predicted = int(values["gold"]), int(values["predicted"])
        hits = round(p * predicted) if predicted else round(r * wanted)
        return PRFScore(hits, predicted, hits, wanted)

    rows = []
    for mention, joint in grid:
        decode.mention, decode.joint = mention, joint  # type: ignore[attr-defined]
        decided = (predictor.decoder.decode(item, mine, decode) for item, mine in proposed)
        found = {(p.text_id, p.text): p.submission() for p in decided}
        kept = [{key: found[key] for key in found if key in {(e.text_id, e.text) for e in half}} for half in halves]
        rows.append(
            ((mention, joint), *(counts(h, k, p) for p in ("", "mention_") for h, k in zip(halves, kept, strict=True)))
        )
    best_a, best_b = max(rows, key=lambda row: row[1].f1), max(rows, key=lambda row: row[2].f1)
    return {
        "cross_fitted_f1": (best_b[1] + best_a[2]).f1,
        "cross_fitted_mention_f1": (best_b[3] + best_a[4]).f1,
        "thresholds_from_each_half": [best_a[0], best_b[0]],
    }


def table(rows: dict[str, dict[int, dict[str, Any]]]) -> str:
    """Mean and best over seeds as Markdown."""
    lines = [
        "| variant | seeds | mention F1, mean (best) | end-to-end F1, mean (best) | 95 % interval of the best "
        "| linking accuracy | epochs kept |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, by_seed in rows.items():
        runs = list(by_seed.values())
        best = max(runs, key=lambda run: run["f1"])

        def mean(key: str, runs: Sequence[dict[str, Any]] = runs) -> float:
            return statistics.fmean(run[key] for run in runs)

        mentions = max(run["mention_f1"] for run in runs)
        low, high = best["interval"]
        lines.append(
            f"| {VARIANTS[name][0]} | {', '.join(map(str, by_seed))} | {mean('mention_f1'):.4f} ({mentions:.4f}) "
            f"| {mean('f1'):.4f} ({best['f1']:.4f}) | {low:.4f} – {high:.4f} | {mean('linking_accuracy'):.4f} "
            f"| {', '.join(str(run['epoch']) for run in runs)} |"
        )
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--recipe", default="el", help="el or el-cross")
    parser.add_argument("--encoder", help="of el-cross: a folder or hub id")
    parser.add_argument("--data", type=Path, required=True, help="folder with kb_data, train.json and dev.json")
    parser.add_argument("--work", type=Path, required=True, help="folder of the runs and the table")
    parser.add_argument("--word-vectors", type=Path)
    parser.add_argument("--seeds", default="42,43,44")
    parser.add_argument("--variants", default="full", help=f"of {', '.join(VARIANTS)}")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="for every variant")
    parser.add_argument("--device", default="auto")
    parser.add_argument(
        "--thresholds", action="store_true", help="fit thresholds across halves of dev, full recipe only"
    )
    arguments = parser.parse_args()
    unknown = set(arguments.variants.split(",")) - set(VARIANTS)
    if unknown:
        parser.error(f"no variant is called {', '.join(sorted(unknown))}")
    from ietool.tasks.el.data.sources import locate

    dev = locate(arguments.data, ("dev",)).files["dev"]
    arguments.work.mkdir(parents=True, exist_ok=True)
    base = list(arguments.set)
    if arguments.word_vectors is not None:
        base.append(f"data.word_vectors={arguments.word_vectors}")
    if arguments.encoder is not None:
        base.append(f"model.encoder={arguments.encoder}")
    prefix = "" if arguments.recipe == "el" else f"{arguments.recipe}-"
    figures_file = arguments.work / (f"figures-{arguments.recipe}.md" if prefix else "figures.md")
    try:
        for name in arguments.variants.split(","):
            load_recipe(arguments.recipe, [*base, *VARIANTS[name][1]])
    except UserError as error:
        parser.error(str(error))
    rows: dict[str, dict[int, dict[str, Any]]] = {}
    for name in arguments.variants.split(","):
        for seed in map(int, arguments.seeds.split(",")):
            run = arguments.work / f"{prefix}{name}-{seed}"
            settings = [*base, *VARIANTS[name][1], f"training.seed={seed}"]
            train_once(arguments.recipe, settings, run, files={"data": arguments.data}, device=arguments.device)
            figures = score(run, dev, arguments.device)
            if arguments.thresholds and name == "full":
                figures |= cross_fitted(run, dev)
            rows.setdefault(name, {})[seed] = figures
            figures_file.write_text(table(rows), encoding="utf-8")
            print(f"{name}, seed {seed}: {json.dumps(figures)}", file=sys.stderr)
    print(table(rows))
    print(json.dumps({"recipe": arguments.recipe, "set": base, "variants": rows}))


if __name__ == "__main__":
    main()
