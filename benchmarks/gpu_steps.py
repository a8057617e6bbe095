"""What ``gpu.py`` measures: its steps in order of worth, each a script of this folder with what it is held to."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from ietool.errors import cut

HERE = Path(__file__).resolve().parent
SEED = 42
"""Of the recipes, as they ship."""


@dataclass(frozen=True)
class Day:
    """What a day with a GPU has to work with.

    Attributes:
        work: folder for runs, prepared data and logs.
        data: of DuIE 2.0 files; None: there are none.
        dry: on the CPU with the corpora that ship, tiny models and few steps.
        settings: ``key=value`` for all trainings on these data.
        tiny: recipe → settings that make its model tiny, for ``dry``.
        recorded: a finished run that finds something, for ``dry``.
    """

    work: Path
    data: Path | None = None
    word_vectors: Path | None = None
    encoder: Path | None = None
    dry: bool = False
    settings: Sequence[str] = ()
    tiny: dict[str, list[str]] = field(default_factory=dict)
    recorded: Path | None = None

    def run(self, recipe: str) -> Path:
        """The folder of the run that a step trains."""
        return self.work / "runs" / recipe

    def trained(self, recipe: str) -> bool:
        """Whether it has weights yet."""
        return (self.run(recipe) / "model.safetensors").is_file()


@dataclass(frozen=True)
class Target:
    """What a figure should be at least, or ``most`` at most; ``dry``: on the CPU and with tiny models too."""

    figure: str
    least: float | None = None
    most: float | None = None
    dry: bool = False

    def reached(self, figures: dict[str, Any]) -> bool | None:
        """None where there is no such figure."""
        value = figures.get(self.figure)
        if value is None:
            return None
        return (self.least is None or value >= self.least) and (self.most is None or value <= self.most)

    def __str__(self) -> str:
        return f"{self.figure} {f'≥ {self.least:g}' if self.least is not None else f'≤ {self.most:g}'}"


Command = Callable[[Day], list[str]]
Figures = Callable[[Day, dict[str, Any]], dict[str, Any]]


@dataclass(frozen=True)
class Step:
    """One thing to measure.

    Attributes:
        name: as ``--only`` takes it.
        what: for the row.
        command: the words behind ``python``.
        figures: of the last JSON line that the script prints ({} where it printed none) and what it has left.
        targets: what the figures are held to.
        seconds: that it is thought to take on a GPU; left out where fewer are left.
        limit: seconds after which it is killed.
        lacks: why it cannot be done, "" if it can.
    """

    name: str
    what: str
    command: Command
    figures: Figures
    seconds: float
    limit: float
    targets: tuple[Target, ...] = ()
    lacks: Callable[[Day], str] = lambda day: ""


def script(name: str, *words: object) -> list[str]:
    """The words behind ``python`` that call a script of this folder."""
    return [str(HERE / name), *map(str, words)]


def sets(settings: Sequence[str], option: str = "--set") -> list[str]:
    """Settings as options."""
    return [word for setting in settings for word in (option, setting)]


def picked(*keys: str) -> Figures:
    """These keys of the JSON line, as far as it has them."""
    return lambda day, line: {key: line[key] for key in keys if key in line}


# -- tests, and the same on both devices


def _tests(day: Day) -> list[str]:
    (day.work / "tests.xml").unlink(missing_ok=True)
    folder = HERE.parent / "tests" / "cuda"
    words = ["-m", "pytest", "-q", "-p", "no:cacheprovider", "-m", "cuda", f"--junitxml={day.work / 'tests.xml'}"]
    # A device is shared by processes, and most of a tiny test is the processor's work.
    if not day.dry and find_spec("xdist") is not None and (spare := min(4, (os.cpu_count() or 1) // 2)) > 1:
        words += ["-n", str(spare)]
    return [*words, "--rootdir", str(HERE.parent), str(folder)]


def _tested(day: Day, line: dict[str, Any]) -> dict[str, Any]:
    path = day.work / "tests.xml"
    if not path.is_file():
        return {}
    counts = dict.fromkeys(("tests", "failures", "errors", "skipped"), 0)
    wrong = []
    for suite in ElementTree.parse(path).getroot().iter("testsuite"):
        for key in counts:
            counts[key] += int(suite.get(key, 0))
        for case in suite.iter("testcase"):
            name = f"{case.get('classname', '').rpartition('.')[2]}::{case.get('name')}"
            faults = [part.get("message", "") for part in case if part.tag in ("failure", "error")]
            wrong += [f"{name}: {cut(fault)}" for fault in faults]
    passed = counts["tests"] - counts["failures"] - counts["errors"] - counts["skipped"]
    return {"passed": passed, "failed": counts["failures"] + counts["errors"], "skipped": counts["skipped"]} | (
        {"wrong": wrong} if wrong else {}
    )


def _equal(day: Day) -> list[str]:
    return script("gpu_equal.py", "--device", "cpu" if day.dry else "cuda", *(["--few"] if day.dry else []))


def _syncs(day: Day) -> list[str]:
    few = ["--device", "cpu", "--recipe", "ner-crf", "--steps", "2"]
    return script("gpu_syncs.py", *(few if day.dry else []))


def _synchronised(day: Day, line: dict[str, Any]) -> dict[str, Any]:
    """Synchronisations a step of training by recipe; the places are in ``recipes``."""
    rows = line.get("recipes", {})
    counts = {name: row["training"]["count"] for name, row in rows.items() if "failed" not in row}
    return {"a_step": counts, **_failed(rows), "recipes": rows}


def _failed(rows: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """What recipes failed of."""
    failed = {name: row["failed"] for name, row in rows.items() if "failed" in row}
    return {"failed": failed} if failed else {}


def _equals(day: Day, line: dict[str, Any]) -> dict[str, Any]:
    recipes = line.get("recipes", {})
    found = picked("texts", "differ", "highest", "recipes")(day, line) | _failed(recipes)
    for precision in ("tf32", "bf16", "fp16"):
        differ = [row[precision]["differ"] for row in recipes.values() if precision in row]
        if differ:
            found[f"{precision}_differ"] = sum(differ)
    return found


# -- trainings by the verbs


def _train(recipe: str, *more: str) -> Command:
    def command(day: Day) -> list[str]:
        words = script("ske_duie2.py", "--recipe", recipe, "--data", day.data or HERE.parent / "data" / "ske")
        words += ["--run", str(day.run(recipe))]
        if day.dry:
            return [*words, *sets(day.tiny[recipe])]
        settings = [*more, *day.settings]
        if recipe != "ske":
            settings.append(f"model.encoder={day.encoder}")
        elif day.word_vectors is not None:
            words += ["--word-vectors", str(day.word_vectors)]
        return [*words, *sets(settings)]

    return command


def _trained(recipe: str) -> Figures:
    """What the script tells, and what the run does, also of a training that was cut."""

    def figures(day: Day, line: dict[str, Any]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        path = day.run(recipe) / "metrics.jsonl"
        if path.is_file():
            rows = [json.loads(row) for row in path.read_text(encoding="utf-8").splitlines()]
            found["epochs"] = len(rows)
            found["seconds_an_epoch"] = sum(row["seconds"] for row in rows) / max(1, len(rows))
            found["best_epoch_f1"] = max(((row["ema"] or row["raw"])["f1"] for row in rows), default=0.0)
        keys = ("train_seconds", "predict_seconds", "f1", "interval", "metric", "sentences_per_second")
        found |= picked(*keys)(day, line)
        if recipe == "ske" and day.word_vectors is None and "f1" in found:  # not what the CPU's F1 was measured with
            found["f1_without_word_vectors"] = found.pop("f1")
        return found

    return figures


def _needs(*names: str) -> Callable[[Day], str]:
    def lacks(day: Day) -> str:
        missing = [f"--{name.replace('_', '-')}" for name in names if getattr(day, name) is None]
        return f"needs {' and '.join(missing)}" if missing and not day.dry else ""

    return lacks


def _only_without_data(day: Day) -> str:
    return "" if day.data is None and not day.dry else "needed only where there is no --data"


def _needs_run(day: Day) -> str:
    return "" if day.trained("ske") or (day.dry and day.recorded) else "needs the run of ske, which is not there"


def _needs_encoder(day: Day) -> str:
    return "is done as `gplinker` is" if day.dry else _needs("data", "encoder")(day)


def _needs_linked(day: Day) -> str:
    if day.dry:
        return "is done as `training` is"
    return "" if day.trained("ske-gplinker") else "needs the run of ske-gplinker, which is not there"


# -- speed


def _source(day: Day, recipe: str = "ske") -> list[str]:
    """The prepared folder of the trained run, which saves preparing again; else the corpus that ships."""
    path = day.run(recipe) / "run.json"
    prepared = json.loads(path.read_text(encoding="utf-8"))["prepared"] if path.is_file() else None
    if prepared and Path(prepared).is_dir():
        return ["--prepared", prepared]
    data = day.data or HERE.parent / "data" / "ske"
    return ["--data", str(data), "--recipe", recipe, *sets(day.tiny.get(recipe, []))]


def _speed(recipe: str) -> Command:
    few, many = ["--steps", "4", "--warm", "1", "--rounds", "1"], ["--steps", "150", "--warm", "30"]
    return lambda day: script("train_speed.py", *_source(day, recipe), *(few if day.dry else many))


def _predict(day: Day) -> list[str]:
    words = ["--run", day.recorded if day.dry and day.recorded else day.run("ske")]
    words += ["--data", day.data or HERE.parent / "data" / "ske"]
    return script("ske_predict.py", *words, "--limit", 20 if day.dry else 300, "--rounds", 1 if day.dry else 2)


SWITCHES = (
    "training.precision=fp32,training.tf32=false",
    "training.precision=fp32,training.tf32=true",
    "training.precision=bf16",
    "training.precision=fp16",
    "training.workers=0",
    "training.workers=2",
    "training.workers=4",
    "training.workers=8",
    "training.bucket=32",
    "training.bucket=32,training.compile=true",
)
"""Of training; the last compiles, which may take longest. One that the recipe does not know is told."""
DRY_SWITCHES = ("training.precision=fp32", "training.workers=1", "training.no_such_switch=1")


def _switches(day: Day) -> list[str]:
    steps = ["--steps", "4", "--warm", "1", "--rounds", "1"] if day.dry else ["--steps", "100", "--warm", "30"]
    switches = sets(DRY_SWITCHES if day.dry else SWITCHES, "--switch")
    return script("switches.py", *_source(day), *steps, *switches)


def _memory(day: Day) -> list[str]:
    words: list[object] = ["--steps", 2 if day.dry else 20, "--limit", 20 if day.dry else 400]
    for recipe in ("ske", "ske-cascade", "ske-gplinker")[: 1 if day.dry else 3]:
        result = day.run(recipe) / "dev-result.json"
        if result.is_file():
            dev = _dev(day)
            words += ["--row", day.run(recipe), dev, dev, result]
    return script("recipes.py", *words)


def _dev(day: Day) -> Path:
    folder = day.data or HERE.parent / "data" / "ske"
    return next(path for path in sorted(folder.iterdir()) if path.stem in ("dev", "dev_data"))


def _remembered(day: Day, line: Any) -> dict[str, Any]:
    """GB of the GPU (of the process, where there is none) by recipe."""
    found: dict[str, Any] = {}
    for row in line if isinstance(line, list) else ():
        for side in ("train", "predict"):
            found[f"{row['recipe']}_{side}_gb"] = row[side].get("gpu_memory", row[side]["memory"])
    return found


def _has_result(day: Day) -> str:
    return "" if (day.run("ske") / "dev-result.json").is_file() else "needs a finished training of ske"


SPEEDS = ("trainer_texts_per_second", "bare_texts_per_second", "ratio_to_bare", "padding", "precision", "gpu_memory")

STEPS: tuple[Step, ...] = (
    Step("tests", "tests marked `cuda`", _tests, _tested, 75, 240,
         (Target("failed", most=0, dry=True), Target("skipped", most=0))),
    Step("equal", "predictions of every recipe, CPU against GPU", _equal, _equals, 60, 150,
         (Target("differ", most=0, dry=True), Target("highest", most=1e-3, dry=True))),
    Step("ske", "`ske` to its full schedule", _train("ske"), _trained("ske"), 240, 420,
         (Target("train_seconds", most=300), Target("f1", least=.6192)), _needs("data")),
    Step("shipped", "`ske` on the corpus that ships", _train("ske"), _trained("ske"), 60, 180,
         lacks=_only_without_data),
    Step("training", "training against the bare step", _speed("ske"), picked(*SPEEDS),
         45, 120, (Target("ratio_to_bare", least=.85),)),
    Step("prediction", "batched prediction against one text at a time", _predict,
         picked("loop_texts_per_second", "batched_texts_per_second", "ratio", "triples", "differ"),
         60, 150, (Target("ratio", least=25),), _needs_run),
    Step("cascade", "`ske-cascade`, 3 epochs", _train("ske-cascade", "training.epochs=3"), _trained("ske-cascade"),
         90, 200, lacks=_needs_encoder),
    Step("gplinker", "`ske-gplinker`, 3 epochs", _train("ske-gplinker", "training.epochs=3"), _trained("ske-gplinker"),
         90, 200, lacks=_needs("data", "encoder")),
    Step("encoder", "training against the bare step, `ske-gplinker`", _speed("ske-gplinker"),
         picked(*SPEEDS, "ratio_to_encoder"), 45, 120, (Target("ratio_to_bare", least=.85),), _needs_linked),
    Step("syncs", "synchronisations of training, by recipe", _syncs, _synchronised, 60, 150),
    Step("switches", "switches of training, texts/s", _switches, picked("switches"), 90, 240),
    Step("memory", "most memory in training and prediction, GB", _memory, _remembered, 100, 240, lacks=_has_result),
)  # fmt: skip
"""In order of worth."""
