"""The figures of the recipes `qa`, `qa-span` and `qa-mlm`: trained on CMRC 2018 train + trial and WebQA, scored on
files they never saw.

    python benchmarks/qa_reader.py --cmrc DIR --webqa FILE --dureader-robust FILE --word-vectors VECTORS --work DIR
        [--seed 42] [--held 300] [--variants full,no-cooccurrence] [--set KEY=VALUE …] [--device cpu]
    python benchmarks/qa_reader.py --recipe qa-span --encoder DIR --cmrc DIR [--webqa FILE] [--dureader-robust FILE]
        --work DIR [--set training.learning_rate=1e-4 …]

Held out of the WebQA file are 300 questions, drawn by the seed; of what is left and of CMRC train and trial a
twentieth (`data.held_out`) chooses the epoch. No dev file is seen in training. Every step is the verb that a user
types; a finished run in the work folder is not trained again, an unfinished one is resumed. Without a WebQA file
there is CMRC alone; `--set data.more=[]` leaves its trial out too. Beside the runs stand two baselines: the sentence
that shares most characters with the question, and a random span as long as the answers of CMRC trial. Prints a table
and one JSON line.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import sys
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from trainings import ietool, train_once

from ietool.runs.entry import open_run
from ietool.tasks.qa.data.question import Question
from ietool.tasks.qa.data.reading import load_questions

VARIANTS: dict[str, tuple[str, list[str]]] = {
    "full": ("the recipe", []),
    "no-cooccurrence": ("without co-occurrence features", ["model.head.cooccurrence=false"]),
    "no-aligned": ("without the aligned question", ["model.head.aligned=false"]),
    "article": (
        "as in the article: focal loss, neither",
        [
            "model.head.loss=focal",
            "model.head.aligned=false",
            "model.head.cooccurrence=false",
            "decode.start=0.1",
            "decode.end=0.1",
        ],
    ),
}
"""Name → what it is, and what it changes; all but the first are of the recipe `qa` alone."""

RECIPES = ("qa", "qa-span", "qa-mlm")

_SENTENCE = re.compile(r"[^。！？；!?;\n]+[。！？；!?;\n]*")


def split_webqa(path: Path, work: Path, seed: int, held: int) -> tuple[Path, Path]:
    """The file without some questions, and those."""
    questions = json.loads(path.read_text(encoding="utf-8"))
    chosen = set(random.Random(seed).sample(range(len(questions)), held))
    files = work / f"webqa-train-{seed}.json", work / f"webqa-held-{seed}.json"
    for file, inside in zip(files, (False, True), strict=True):
        some = [q for i, q in enumerate(questions) if (i in chosen) is inside]
        file.write_text(json.dumps(some, ensure_ascii=False), encoding="utf-8")
    return files


def nearest_sentence(question: Question) -> str:
    """Of all passages the sentence that shares most characters with the question; of several the shortest."""
    letters = Counter(question.text)
    sentences = [s.strip() for p in question.passages for s in _SENTENCE.findall(p.text) if s.strip()]
    return max(sentences, key=lambda s: (sum((Counter(s) & letters).values()), -len(s)), default="")


def random_span(question: Question, dice: random.Random, lengths: list[int]) -> str:
    """A span of a random passage, as long as a random one of train's answers."""
    text = dice.choice(question.passages).text
    size = min(dice.choice(lengths), len(text))
    start = dice.randint(0, len(text) - size)
    return text[start : start + size]


def baseline(questions: Iterable[Question], answer: Callable[[Question], str], file: Path) -> None:
    """Write a submission."""
    file.write_text(json.dumps({q.question_id: answer(q) for q in questions}, ensure_ascii=False), encoding="utf-8")


def scored(gold: Path, predictions: Path, metric: str) -> dict[str, Any]:
    """The official score of a submission."""
    report = json.loads(
        ietool("score", "--recipe", "qa", gold, predictions, "--metric", metric, "--json", capture=True)
    )
    return {key: report[key] for key in ("f1", "em", "accuracy", "score", "interval", "primary") if key in report}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--recipe", default="qa", choices=RECIPES)
    parser.add_argument("--encoder", help="of qa-span and qa-mlm: a folder or hub id")
    parser.add_argument("--cmrc", type=Path, required=True, help="folder with cmrc2018_train, _trial and _dev.json")
    parser.add_argument("--webqa", type=Path, help="list of questions with passages; without it there is CMRC alone")
    parser.add_argument("--dureader-robust", type=Path, help="its dev.json")
    parser.add_argument("--word-vectors", type=Path)
    parser.add_argument("--work", type=Path, required=True, help="folder of the runs and predictions")
    parser.add_argument("--seed", type=int, default=42)
    parser.add_argument("--held", type=int, default=300)
    parser.add_argument("--variants", default="full", help=f"of {', '.join(VARIANTS)}")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="for every variant")
    parser.add_argument("--device", default="auto")
    arguments = parser.parse_args()
    unknown = set(arguments.variants.split(",")) - set(VARIANTS)
    if unknown:
        parser.error(f"no variant is called {', '.join(sorted(unknown))}")
    if arguments.recipe != "qa" and (arguments.variants != "full" or arguments.word_vectors is not None):
        parser.error("--variants and --word-vectors are of the recipe qa")
    if arguments.recipe == "qa" and arguments.encoder is not None:
        parser.error("--encoder is of the recipes qa-span and qa-mlm")
    work: Path = arguments.work
    work.mkdir(parents=True, exist_ok=True)
    cmrc = {name: (arguments.cmrc / f"cmrc2018_{name}.json").resolve() for name in ("train", "trial", "dev")}
    tests = {"cmrc2018 dev": (cmrc["dev"], "cmrc2018")}
    further = [str(cmrc["trial"])]
    if arguments.webqa is not None:
        webqa, held = split_webqa(arguments.webqa.resolve(), work.resolve(), arguments.seed, arguments.held)
        further.append(str(webqa))
        tests["WebQA held out"] = (held, "sogouqa")
    if arguments.dureader_robust is not None:
        tests["dureader_robust dev"] = (arguments.dureader_robust, "dureader_robust")
    base = [f"data.more={json.dumps(further)}", "data.held_out=0.05", "score.metric=cmrc2018", *arguments.set]
    if arguments.word_vectors is not None:
        base.append(f"data.word_vectors={arguments.word_vectors}")
    if arguments.encoder is not None:
        base.append(f"model.encoder={arguments.encoder}")
    prefix = "" if arguments.recipe == "qa" else f"{arguments.recipe}-"
    base_encoder = Path(arguments.encoder or "its own encoder").name
    rows: dict[str, dict[str, Any]] = {}
    for name in arguments.variants.split(","):
        run = work / f"{prefix}{name}-{arguments.seed}"
        settings = [*base, *VARIANTS[name][1], f"training.seed={arguments.seed}"]
        train_once(
            arguments.recipe, settings, run, files={"train": cmrc["train"]}, device=arguments.device, skip_bad=True
        )
        found: dict[str, Any] = {"epoch": (open_run(run).info.best or {}).get("epoch")}
        for test, (gold, metric) in tests.items():
            result = run / f"{gold.stem}-predictions.json"
            ietool("predict", "--run", run, gold, "--output", result, "--device", arguments.device)
            found[test] = scored(gold, result, metric)
        rows[VARIANTS[name][0] if not prefix else f"{arguments.recipe} on {base_encoder}"] = found
    lengths = [len(q.answers[0]) for q in load_questions(cmrc["trial"], lambda *_: None) if q.answers]
    dice = random.Random(arguments.seed)
    for name, answer in (
        ("sentence with the largest overlap", nearest_sentence),
        ("random span", lambda q: random_span(q, dice, lengths)),
    ):
        rows[name] = {}
        for test, (gold, metric) in tests.items():
            file = work / f"{gold.stem}-{name.replace(' ', '-')}.json"
            baseline(load_questions(gold), answer, file)
            rows[name][test] = scored(gold, file, metric)
    print(f"| what | {' | '.join(tests)} |\n|---|{'---|' * len(tests)}")
    for name, found in rows.items():
        print(f"| {name} | {' | '.join(_cell(found[test]) for test in tests)} |")
    print(json.dumps({"recipe": arguments.recipe, "set": base, "rows": rows}, ensure_ascii=False))


def _cell(values: dict[str, Any]) -> str:
    numbers = [f"{key} {values[key]:.4f}" for key in ("f1", "em", "accuracy", "score") if key in values]
    low, high = values.get("interval") or (float("nan"), float("nan"))
    return f"{', '.join(numbers)} ({values.get('primary', '')} {low:.4f} – {high:.4f})"


if __name__ == "__main__":
    sys.exit(main())
