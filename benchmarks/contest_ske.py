"""From one model to the best that the contest layer makes of DuIE 2.0: each step with what it gains on dev.

    python benchmarks/contest_ske.py --data DIR --more FILE --word-vectors VECTORS --encoder DIR --work DIR [--steps …]

Steps, in this order, each by the verbs that a user types; what is finished is not done again, what was cut is resumed:

single    one DGCNN (`ske`), of `--epochs` epochs, on train and the further file
tuned     its thresholds, by `tune`
folds     DGCNN of `--fold-epochs`, each without a part of train: an ensemble of them, and one with the single DGCNN
cascade   `ske-cascade` on the encoder, two epochs
gplinker  `ske-gplinker` on the encoder, `--link-epochs`
pair      an ensemble of the two on the encoder
heads     an ensemble of the single DGCNN and these two, as far as they are there
mixed     the same and the folds
longer    the single DGCNN goes on with an epoch of train as it is, to compare the next step with
cleaned   what all folds find is added to train, what none finds is dropped (`clean`); the single DGCNN goes on with an
          epoch of that
all       all of them together

Epochs, weights and thresholds are chosen on dev; of weights and thresholds the nested worth is told: chosen on four
fifths of dev, scored on the other. Prints a row a step, and writes `figures.json` into the work folder.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from trainings import ensemble_figures, group_once, ietool, train_once

from ietool.runs.entry import open_run

ENCODER = (
    "model.cut_vocabulary=true", "model.encoder.dropout=0", "training.learning_rate=1.5e-4", "training.batch_size=16",
    "training.epochs=2", "training.ema_decay=0.998", "training.checkpoint_steps=300", "training.patience=0",
    "training.evaluate_raw=false",
)  # fmt: skip
ON_ENCODER = ("cascade34", "gplinker34")
MORE_EPOCHS = 1


class Contest:
    """The runs of a work folder, and what was measured of them."""

    def __init__(self, arguments: argparse.Namespace) -> None:
        self.data, self.more, self.work = arguments.data, arguments.more, arguments.work
        self.vectors, self.encoder, self.device = arguments.word_vectors, arguments.encoder, arguments.device
        self.epochs, self.link_epochs = arguments.epochs, arguments.link_epochs
        self.count, self.fold_epochs = arguments.folds, arguments.fold_epochs

        self.on_encoder = [f"model.encoder={self.encoder}", *ENCODER]
        self.from_scratch = [f"data.word_vectors={self.vectors}", "training.checkpoint_steps=300"]

    # -- trainings

    def train(self, recipe: str, name: str, settings: list[str]) -> Path:
        """One run on train and the further file."""
        run: Path = self.work / name
        train_once(recipe, settings, run, files={"data": self.data, "extra": self.more}, device=self.device)
        return run

    def whole(self) -> Path:
        """Train and the further file as one, so that folds cut both; without texts of dev."""
        path: Path = self.work / "train.jsonl"
        if not path.is_file():
            path.parent.mkdir(parents=True, exist_ok=True)
            dev = {json.loads(line)["text"] for line in self.file("dev").open(encoding="utf-8")}
            lines = [line for file in (self.file("train"), self.more) for line in file.open(encoding="utf-8")]
            wanted = [line.rstrip("\n") + "\n" for line in lines if json.loads(line)["text"] not in dev]
            path.write_text("".join(wanted), encoding="utf-8")
        return path

    def file(self, role: str) -> Path:
        """A file of the folder, by role."""
        from ietool.tasks.ske.data.sources import locate

        return locate(self.data, (role,)).files[role]

    # -- steps

    def single(self) -> None:
        """One model."""
        run = self.train("ske", "dgcnn34", [*self.from_scratch, f"training.epochs={self.epochs}"])
        self.tell(f"one DGCNN, {self.epochs} epochs", open_run(run).info.best or {})

    def tuned(self) -> None:
        """Its thresholds; the run stays as it is."""
        for name in ("dgcnn34", *ON_ENCODER, "team-encoder", "team-heads", "team-mixed", "team-all"):
            if (self.work / name / "dev").is_dir():
                told = json.loads(ietool("tune", self.work / name, "--dry-run", "--json", capture=True))
                row = {"score": told["nested"]["score"], "gain": told["nested"]["gain"]}
                row |= {"interval of the gain": told["nested"]["interval"], "flattering": told["optimistic"]["score"]}
                row |= {"seconds": told["seconds"], "settings": {k: v["after"] for k, v in told["settings"].items()}}
                self.tell(f"{name}, tuned (nested)", row)

    def folds(self) -> None:
        """Folds as members."""
        files = {"train": self.whole(), "dev": self.file("dev"), "schema": self.file("schema")}
        group = self.work / "folds"
        settings = [*self.from_scratch, f"training.epochs={self.fold_epochs}"]
        group_once("ske", settings, group, files=files, folds=self.count, device=self.device)
        self.team(f"{self.count} folds of {self.fold_epochs} epochs, together", "team-folds", [group])
        if (self.work / "dgcnn34" / "dev").is_dir():
            self.team("the folds and the DGCNN", "team-four", [self.work / "dgcnn34", group])

    def cascade(self) -> None:
        """A cascade on the encoder."""
        run = self.train("ske-cascade", "cascade34", self.on_encoder)
        self.tell("one cascade on the encoder, two epochs", open_run(run).info.best or {})

    def gplinker(self) -> None:
        """GPLinker on the encoder."""
        run = self.train("ske-gplinker", "gplinker34", [*self.on_encoder, f"training.epochs={self.link_epochs}"])
        self.tell(f"one GPLinker on the encoder, epochs: {self.link_epochs}", open_run(run).info.best or {})

    def pair(self) -> None:
        """The models on the encoder together."""
        self.team("cascade and GPLinker", "team-encoder", [self.work / name for name in ON_ENCODER])

    def heads(self) -> None:
        """The single models together."""
        self.team("one DGCNN and the models on the encoder", "team-heads", self.there("dgcnn34", *ON_ENCODER))

    def mixed(self) -> None:
        """All heads together."""
        there = self.there("dgcnn34", *ON_ENCODER)
        self.team("the same with the folds", "team-mixed", [*there, self.work / "folds"])

    def longer(self) -> None:
        """On with train."""
        self.go_on("longer34", self.whole())

    def cleaned(self) -> None:
        """On with cleaned labels."""
        folder = self.work / "cleaned"
        if not (folder / "train.jsonl").is_file():
            ietool("clean", self.work / "folds", "--output", folder, "--device", self.device)
            ietool("clean", self.work / "folds", "--output", folder, "--apply", folder / "review.tsv")
        self.go_on("cleaned34", folder / "train.jsonl")

    def go_on(self, name: str, train: Path) -> None:
        """The single DGCNN, some epochs more."""
        run = self.work / name
        if not (run / "dev").is_dir():
            files = ["--train", train, "--dev", self.file("dev"), "--schema", self.file("schema")]
            settings = [f"training.epochs={MORE_EPOCHS}", "training.learning_rate=3e-4", "training.warmup_epochs=0.1"]
            words = [word for one in settings for word in ("--set", one)]
            begin = ["--from", self.work / "dgcnn34", *files, *words]
            resume = ["--resume"] if (run / "checkpoints").is_dir() else begin
            ietool("train", "--output", run, "--device", self.device, *resume)
        self.tell(f"{name}: an epoch more", open_run(run).info.best or {})

    def all(self) -> None:
        """Whatever there is of them, together."""
        there = self.there("dgcnn34", "longer34", "cleaned34", *ON_ENCODER)
        self.team("all together, those that went on too", "team-all", [*there, self.work / "folds"])

    # -- what is told

    def there(self, *names: str) -> list[Path]:
        """Those of some runs that are finished."""
        return [run for run in (self.work / name for name in names) if (run / "dev").is_dir()]

    def team(self, what: str, name: str, runs: list[Path]) -> None:
        """A row of an ensemble, which is made unless it is there."""
        figures = ensemble_figures(runs, self.work / name, "--device", self.device)
        keys = ("score", "equal", "nested", "optimistic", "gain", "used", "interval", "over_mean", "over_best")
        self.tell(what, {**{key: figures[key] for key in keys}, "members": len(figures["members"])})

    def tell(self, what: str, row: dict[str, Any]) -> None:
        """Print a row, and keep it beside those of other calls."""
        print(json.dumps({"step": what, **row}, ensure_ascii=False), flush=True)
        file = self.work / "figures.json"
        kept = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else []
        rows = [*(one for one in kept if one["step"] != what), {"step": what, **row}]
        file.write_text(json.dumps(rows, ensure_ascii=False, indent=1), encoding="utf-8")


STEPS: dict[str, Callable[[Contest], None]] = {
    "single": Contest.single, "tuned": Contest.tuned, "folds": Contest.folds, "cascade": Contest.cascade,
    "gplinker": Contest.gplinker, "pair": Contest.pair, "heads": Contest.heads, "mixed": Contest.mixed,
    "longer": Contest.longer, "cleaned": Contest.cleaned, "all": Contest.all,
}  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of train, dev and schema")
    parser.add_argument("--more", type=Path, required=True, help="further training records")
    parser.add_argument("--word-vectors", type=Path, required=True)
    parser.add_argument("--encoder", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--steps", default=",".join(STEPS))
    parser.add_argument("--epochs", type=int, default=10, help="of the single DGCNN")
    parser.add_argument("--link-epochs", type=int, default=2, help="of the single GPLinker")
    parser.add_argument("--folds", type=int, default=3)
    parser.add_argument("--fold-epochs", type=int, default=5)
    parser.add_argument("--device", default="auto")
    arguments = parser.parse_args()
    arguments.work.mkdir(parents=True, exist_ok=True)
    contest = Contest(arguments)
    for name in arguments.steps.split(","):
        STEPS[name](contest)


if __name__ == "__main__":
    main()
