"""Passages without an answer: the recipes `qa` and `qa-span` with and without mined ones, on questions with one, 10 and
20 passages, voting off and by its two rules.

    python benchmarks/qa_multi.py --webqa FILE --cmrc DIR --work DIR [--word-vectors VECTORS] [--epochs 12]
        [--mined-epochs 6] [--variants own,mined] [--recipe qa] [--set KEY=VALUE …] [--seed 42] [--test 400]
        [--dev 100] [--device cpu]

Of a WebQA file with one passage a question, 400 questions are held out for the test and 100 to choose the epoch; the
others are learnt from, and with `--set 'data.more=[FILE]'` those of further files. Held-out questions get further
passages, which no training has seen: of the other held-out questions and of CMRC train, whose paragraphs are cut at
sentences into pieces of about a hundred characters, those nearest in words, found as `sampling.mined` finds them. Of
two kinds:

    alone   no further passage holds the answer's string
    among   44 % of the passages hold it, as in the full WebQA, where there are so many: its own passage, the nearest
            that hold it, whatever they say of it, and the nearest that do not; of the questions those with at least
            four passages that hold it, the others being as above

Budgets are equal in pairs of question and passage: with mined passages an epoch has two pairs where it has one without,
so there are half as many epochs. dev has 10 passages a question, `alone`, for both. Every training is the verb that a
user types; a finished one in the work folder is not trained again. Prints tables with paired intervals and one JSON
line.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from trainings import train_once

from ietool.core.intake import bare
from ietool.scoring.intervals import bootstrap
from ietool.tasks.qa.data.question import Passage, Question
from ietool.tasks.qa.data.reading import load_questions
from ietool.tasks.qa.heads.voting import Answered
from ietool.tasks.qa.prepare.mining import Passages, answers_of
from ietool.tasks.qa.score.files import Predicted
from ietool.tasks.qa.score.sogouqa import SogouQA
from ietool.workflow.predict import Loaded, load
from ietool.workflow.scores import floor_below

VARIANTS = {"own": 0, "mined": 4}
"""Name → sampling.mined."""

KINDS, COUNTS, ANSWERING, SEVERAL = ("alone", "among"), (10, 20), 0.44, 4
RULES: dict[str, dict[str, Any]] = {
    "off": {"voting": False},
    "squares": {"voting": True, "vote": "squares"},
    "sum": {"voting": True, "vote": "sum"},
}
"""How an answer is chosen: by the surest passage, or by one of the two rules of voting."""
PIECE = 100
_SENTENCE = re.compile(r"[^。！？；\n]+[。！？；\n]*")


def pieces(paragraph: str) -> list[str]:
    """A paragraph cut at sentences, as soon as a piece has ``PIECE`` characters."""
    found = [""]
    for sentence in _SENTENCE.findall(paragraph):
        if len(found[-1]) >= PIECE:
            found.append("")
        found[-1] += sentence
    return [text.strip() for text in found if text.strip()]


def pool_of(held: Sequence[Question], cmrc: Path) -> Passages:
    """What held-out questions get passages from; a held-out question's group is its number."""
    texts = dict.fromkeys(q.passages[0].text for q in load_questions(cmrc / "cmrc2018_train.json", lambda *_: None))
    rest = [Question("", "", (Passage(piece),)) for text in texts for piece in pieces(text)]
    every = [*held, *rest]
    return Passages(((q, range(len(q.passages))) for q in every), np.arange(len(every)), room=1 << 23)


def with_passages(question: Question, group: int, count: int, kind: str, pool: Passages, seed: int) -> Question:
    """A question with ``count`` passages, its own among them, in an order that tells nothing."""
    found = list(question.passages)
    if kind == "among":
        every = map(Passage, pool.near(question, group, len(pool), answering=True))
        found += [p for p in every if holds(question, p)][: max(0, round(ANSWERING * count) - len(found))]
    found += map(Passage, pool.near(question, group, count - len(found)))
    random.Random(f"{seed}/{question.question_id}").shuffle(found)
    return replace(question, passages=tuple(found))


def holds(question: Question, passage: Passage) -> bool:
    """Whether an answer's string stands in a passage."""
    return any(bare(answer) in bare(passage.text) for answer in answers_of(question))


def write(questions: Sequence[Question], path: Path) -> None:
    """A WebQA list."""
    records = [
        {
            "id": q.question_id,
            "question": q.text,
            "passages": [{"passage": p.text, "answer": q.answers[0] if holds(q, p) else ""} for p in q.passages],
            "golden_answers": list(q.answers),
        }
        for q in questions
    ]
    path.write_text(json.dumps(records, ensure_ascii=False, indent=1), encoding="utf-8")


def make_data(arguments: argparse.Namespace) -> dict[str, Path]:
    """The files: ``train``, ``dev``, and each test by its kind and number of passages."""
    work, seed = arguments.work, arguments.seed
    tests = {"alone 1": "test-alone-1", **{f"{kind} {n}": f"test-{kind}-{n}" for kind in KINDS for n in COUNTS}}
    files = {name: work / f"{stem}.json" for name, stem in {"train": "train", "dev": "dev", **tests}.items()}
    if all(path.is_file() for path in files.values()):
        return files
    questions = [q for q in load_questions(arguments.webqa, lambda *_: None) if q.answers]
    random.Random(seed).shuffle(questions)
    held = questions[: arguments.test + arguments.dev]
    pool = pool_of(held, arguments.cmrc)
    write(questions[len(held) :], files["train"])
    dev = range(arguments.test, len(held))
    write([with_passages(held[i], i, 10, "alone", pool, seed) for i in dev], files["dev"])
    write(held[: arguments.test], files["alone 1"])
    for kind in KINDS:
        for count in COUNTS:
            made = [with_passages(held[i], i, count, kind, pool, seed) for i in range(arguments.test)]
            if kind == "among":
                made = [q for q in made if sum(holds(q, p) for p in q.passages) >= SEVERAL]
            write(made, files[f"{kind} {count}"])
    return files


def answered(loaded: Loaded, questions: Sequence[Question]) -> dict[str, list[Answered]]:
    """Rule of ``RULES`` → the answers: the questions are read once."""
    reader, decoder, decode = loaded.predictor.reader, loaded.predictor.decoder, loaded.recipe.decode
    found = list(reader.propose(questions, floor=floor_below(reader, decoder, decode)))
    return {
        rule: [decoder.decode(q, some, decode.model_copy(update=settings)) for q, some in found]
        for rule, settings in RULES.items()
    }


def judged(questions: Sequence[Question], answers: Sequence[Answered]) -> npt.NDArray[np.float64]:
    """(questions, 2): exact match and F1 of ``sogouqa``."""
    metric = SogouQA()
    return np.array(
        [metric.judge(q, Predicted((a.answer,), ()))[0].sums[:2] for q, a in zip(questions, answers, strict=True)]
    )


def gain(a: npt.NDArray[np.float64], b: npt.NDArray[np.float64]) -> dict[str, Any]:
    """What b has more than a in exact match, with its paired interval, in points."""
    difference = 100 * (b[:, :1] - a[:, :1])
    low, high = bootstrap(difference, lambda sums: {"em": sums[:, 0] / len(a)})["em"]
    return {"gain": float(difference.mean()), "interval": [low, high]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--recipe", default="qa", choices=("qa", "qa-span"))
    parser.add_argument("--webqa", type=Path, required=True, help="list of questions with one passage each")
    parser.add_argument("--cmrc", type=Path, required=True, help="folder with cmrc2018_train.json")
    parser.add_argument("--work", type=Path, required=True, help="folder of the runs")
    parser.add_argument("--word-vectors", type=Path)
    parser.add_argument("--encoder", help="of qa-span: a folder or hub id")
    parser.add_argument("--epochs", type=int, default=12, help="of a training without mined passages")
    parser.add_argument("--mined-epochs", type=int, help="of one with them; default: half as many")
    parser.add_argument("--variants", default="own,mined", help=f"of {', '.join(VARIANTS)}")
    parser.add_argument("--test", type=int, default=400)
    parser.add_argument("--dev", type=int, default=100)
    parser.add_argument("--seed", type=int, default=42)
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="for every variant")
    parser.add_argument("--device", default="auto")
    arguments = parser.parse_args()
    arguments.work = arguments.work.resolve()
    arguments.work.mkdir(parents=True, exist_ok=True)
    files = make_data(arguments)
    base = [f"training.seed={arguments.seed}", "training.patience=0", *arguments.set]
    if arguments.word_vectors is not None:
        base.append(f"model.encoder.word_vectors={arguments.word_vectors.resolve()}")
    if arguments.encoder is not None:
        base.append(f"model.encoder={arguments.encoder}")
    runs = {variant: arguments.work / f"{arguments.recipe}-{variant}" for variant in arguments.variants.split(",")}
    for variant, run in runs.items():
        mined = VARIANTS[variant]
        epochs = (arguments.mined_epochs or arguments.epochs // 2) if mined else arguments.epochs
        settings = [*base, f"sampling.mined={mined}", f"training.epochs={epochs}"]
        train_once(
            arguments.recipe, settings, run, files={role: files[role] for role in ("train", "dev")},
            device=arguments.device, skip_bad=True,
        )  # fmt: skip
    rows, points = {}, {}
    for variant, run in runs.items():
        loaded = load(run, arguments.device)
        for name, path in files.items():
            if name in ("train", "dev"):
                continue
            questions = list(load_questions(path))
            for rule, answers in answered(loaded, questions).items():
                points[variant, name, rule] = judged(questions, answers)
            off = points[variant, name, "off"]
            rows[f"{variant}, {name}"] = {
                "questions": len(questions),
                "answering": float(np.mean([np.mean([bool(p.answers) for p in q.passages]) for q in questions])),
                **{rule: points[variant, name, rule].mean(0).tolist() for rule in RULES},
                "voting": gain(off, points[variant, name, "sum"]),
                "mined": gain(points["own", name, "off"], off) if variant != "own" and "own" in runs else None,
            }
    heads = (*(f"{rule}: EM, F1" for rule in RULES), "sum over off, points of EM", "over `own`, off")
    print(f"| what | questions | passages that answer | {' | '.join(heads)} |\n|{'---|' * (3 + len(heads))}")
    for name, row in rows.items():
        cells = [row["questions"], f"{100 * row['answering']:.0f} %"]
        cells += ["{:.3f}, {:.3f}".format(*row[rule]) for rule in RULES]
        print(f"| {' | '.join(map(str, [name, *cells, _gain(row['voting']), _gain(row['mined'])]))} |")
    print(json.dumps({"recipe": arguments.recipe, "set": base, "epochs": arguments.epochs, "rows": rows}))


def _gain(found: dict[str, Any] | None) -> str:
    if found is None:
        return ""
    return f"{found['gain']:+.1f} ({found['interval'][0]:+.1f} – {found['interval'][1]:+.1f})"


if __name__ == "__main__":
    sys.exit(main())
