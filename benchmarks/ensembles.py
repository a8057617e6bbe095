"""What an ensemble of seeds gains over the mean of its members: trained, joined, measured on dev.

    python benchmarks/ensembles.py --recipe ner-crf --data DIR --work DIR [--seeds 3] [--set KEY=VALUE …]
    python benchmarks/ensembles.py --recipe qa --train cmrc2018_train.json --dev cmrc2018_dev.json --work DIR
        --set training.epochs=3

Every step is the verb that a user types: ``train --seeds`` (a finished group is not trained again, an unfinished one
is resumed), ``ensemble``. All members have one budget, which ``--set`` gives. The epoch of each member, the weights
and the threshold of the ensemble are chosen on dev; of what is chosen for the ensemble the nested worth is told. Prints
a row and one JSON line.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from trainings import ensemble_figures, group_once


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--recipe", required=True)
    parser.add_argument("--data", type=Path, help="folder of the corpus; or --train and --dev")
    parser.add_argument("--train", type=Path)
    parser.add_argument("--dev", type=Path)
    parser.add_argument("--work", type=Path, required=True, help="folder of the group and the ensemble")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--set", dest="settings", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--join", default="mean")
    parser.add_argument("--device", default="auto")
    arguments = parser.parse_args()
    if (arguments.data is None) == (arguments.train is None):
        parser.error("name either --data, or --train and --dev")
    group, team = arguments.work / "seeds", arguments.work / f"team-{arguments.join}"
    named = (("data", arguments.data), ("train", arguments.train), ("dev", arguments.dev))
    files = {role: path for role, path in named if path is not None}
    group_once(arguments.recipe, arguments.settings, group, files=files, seeds=arguments.seeds, device=arguments.device)
    figures = ensemble_figures([group], team, "--join", arguments.join, "--device", arguments.device)
    scores = [score for _, score, _ in figures["members"]]
    gain, interval = figures["over_mean"]
    between = "" if interval is None else f"{interval[0]:+.4f} – {interval[1]:+.4f}"
    told = ", ".join(f"{score:.4f}" for score in scores)
    print("| members | mean | equal weights | what is used, honest | over the mean | 95 % |\n|---|---|---|---|---|---|")
    print(
        f"| {told} | {sum(scores) / len(scores):.4f} | {figures['equal']:.4f} | {figures['score']:.4f} "
        f"| {gain:+.4f} | {between} |"
    )
    print(json.dumps({"recipe": arguments.recipe, "set": arguments.settings, **figures}, ensure_ascii=False))


if __name__ == "__main__":
    main()
