"""How long do the scorers of long answers take? ROUGE-L and BLEU-4 of 20,000 answers of 120 characters.

    python benchmarks/qa_score.py [--answers 20000] [--characters 120] [--references 1] [--rounds 3] [--twin 200]

Answers are made here, by seed: each reference is drawn character by character with frequencies that fall as in running
text, each prediction is a reference with some of its characters changed, left out or moved. Measures seconds of
``dureader2`` (without and with the 1,000 draws of its intervals) and of ``lic2019_mrc`` in this process, the best of
the rounds, and of ``ietool score`` as a user runs it, reading of both files included (wall time, and that of the
processor, which others on the machine do not lengthen much); and, over ``--twin`` answers, of
literal Python loops (the dynamic programme of the common subsequence, n-grams counted one by one), which must give the
same score. Prints a table, then one JSON line.
"""

from __future__ import annotations

import argparse
import itertools
import json
import math
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ietool.scoring.report import Report
from ietool.tasks.qa.data.question import Question
from ietool.tasks.qa.score.files import Predicted
from ietool.tasks.qa.score.scorer import score

_ALPHABET = [chr(0x4E00 + 5 * i) for i in range(3_000)]
_WEIGHTS = list(itertools.accumulate(1 / (rank + 20) for rank in range(len(_ALPHABET))))


def made(answers: int, characters: int, references: int, seed: int) -> tuple[list[Question], dict[str, Predicted]]:
    """(questions, predictions)."""
    rng = random.Random(seed)
    questions, predictions = [], {}
    for number in range(answers):
        texts = [_text(characters, rng) for _ in range(references)]
        questions.append(
            Question(str(number), "问", (), tuple(texts), kind="DESCRIPTION", form="dureader2", labels=(), entities=())
        )
        predictions[str(number)] = Predicted((_changed(texts[0], rng),))
    return questions, predictions


def _text(size: int, rng: random.Random) -> str:
    return "".join(rng.choices(_ALPHABET, cum_weights=_WEIGHTS, k=size))


def _changed(text: str, rng: random.Random) -> str:
    """A third of the characters drawn anew, then two halves perhaps exchanged: still as long."""
    chars = [other if rng.random() < 0.33 else char for char, other in zip(text, _text(len(text), rng), strict=True)]
    cut = rng.randrange(len(chars)) if rng.random() < 0.3 else 0
    return "".join(chars[cut:] + chars[:cut])


def twin(questions: list[Question], predictions: dict[str, Predicted]) -> tuple[float, float]:
    """(ROUGE-L, BLEU-4) by literal loops."""
    rouge, matches, guesses, length, wanted = 0.0, [0] * 4, [0] * 4, 0, 0
    for question in questions:
        given = predictions[question.question_id].answers[0]
        precisions, recalls = [], []
        for reference in question.answers:
            table = [[0] * (len(reference) + 1) for _ in range(len(given) + 1)]
            for i, one in enumerate(given):
                for j, other in enumerate(reference):
                    longer = max(table[i][j + 1], table[i + 1][j])
                    table[i + 1][j + 1] = table[i][j] + 1 if one == other else longer
            precisions.append(table[-1][-1] / len(given))
            recalls.append(table[-1][-1] / len(reference))
        best, most = max(precisions), max(recalls)
        rouge += (1 + 1.2**2) * best * most / (most + 1.2**2 * best) if best and most else 0.0
        for size in range(1, 5):
            grams = Counter(given[i : i + size] for i in range(len(given) - size + 1))
            for gram, count in grams.items():
                highest = max(
                    sum(reference[i : i + size] == gram for i in range(len(reference)))
                    for reference in question.answers
                )
                matches[size - 1] += min(count, highest)
            guesses[size - 1] += sum(grams.values())
        length += len(given)
        wanted += min((abs(len(reference) - len(given)), len(reference)) for reference in question.answers)[1]
    product = math.prod((m + 1e-15) / (g + 1e-9) for m, g in zip(matches, guesses, strict=True))
    ratio = (length + 1e-15) / (wanted + 1e-9)
    return rouge / len(questions), product**0.25 * (math.exp(1 - 1 / ratio) if ratio < 1 else 1.0)


Seconds = tuple[float, float]
"""(by the clock, of the processor)."""


def best_of(rounds: int, call: Callable[[], Any]) -> tuple[Seconds, Any]:
    """(seconds of the quickest round, what it gave)."""
    taken, given = [], None
    for _ in range(rounds):
        begin, worked = time.perf_counter(), time.process_time()
        given = call()
        taken.append((time.perf_counter() - begin, time.process_time() - worked))
    return (min(clock for clock, _ in taken), min(worked for _, worked in taken)), given


def command(questions: list[Question], predictions: dict[str, Predicted]) -> Seconds:
    """Time of ``ietool score`` on files of these answers."""
    with tempfile.TemporaryDirectory() as folder:
        with (Path(folder) / "gold.json").open("w", encoding="utf-8") as gold:
            for q in questions:
                record = {"question_id": int(q.question_id), "question_type": q.kind, "question": q.text}
                record |= {"answers": list(q.answers), "yesno_answers": [], "entity_answers": [[]], "documents": []}
                gold.write(json.dumps(record, ensure_ascii=False) + "\n")
        with (Path(folder) / "result.json").open("w", encoding="utf-8") as result:
            for key, given in predictions.items():
                record = {"question_id": int(key), "question_type": "DESCRIPTION", "answers": list(given.answers)}
                result.write(json.dumps(record | {"yesno_answers": [], "entity_answers": [[]]}) + "\n")
        arguments = ["score", "--recipe", "qa", "gold.json", "result.json", "--metric", "dureader2", "--json"]
        begin, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
        done = subprocess.run(
            [sys.executable, "-m", "ietool", *arguments], cwd=folder, capture_output=True, text=True, check=False
        )
        taken, after = time.perf_counter() - begin, resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        sys.exit(done.stderr)
    return taken, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--answers", type=int, default=20_000)
    parser.add_argument("--characters", type=int, default=120)
    parser.add_argument("--references", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--twin", type=int, default=200)
    parser.add_argument("--seed", type=int, default=42)
    given = parser.parse_args()
    questions, predictions = made(given.answers, given.characters, given.references, given.seed)

    def run(metric: str, resamples: int) -> Report:
        return score(questions, predictions, metric=metric, resamples=resamples)

    seconds: dict[str, Seconds] = {}
    seconds["dureader2"], report = best_of(given.rounds, lambda: run("dureader2", 0))
    seconds["dureader2, intervals"], _ = best_of(given.rounds, lambda: run("dureader2", 1000))
    seconds["lic2019_mrc"], _ = best_of(given.rounds, lambda: run("lic2019_mrc", 0))
    seconds["ietool score"] = command(questions, predictions)
    few = questions[: given.twin]
    begin = time.process_time()
    slow = twin(few, predictions)
    each = (time.process_time() - begin) / len(few)
    fast = score(few, predictions, metric="dureader2", resamples=0).values
    same = math.isclose(slow[0], fast["rouge_l"]) and math.isclose(slow[1], fast["bleu_4"])
    for name, (clock, worked) in seconds.items():
        print(f"{name:<24}{clock:>9.2f} s{worked:>9.2f} s of processor{given.answers / worked:>12,.0f} answers/s")
    print(f"{'literal loops':<24}{each * given.answers:>20.1f} s of processor, from {len(few)}; equal scores: {same}")
    figures = {
        **{key: getattr(given, key) for key in ("answers", "characters", "references", "seed", "rounds")},
        "cores": os.cpu_count(),
        "seconds": {name: [round(part, 3) for part in taken] for name, taken in seconds.items()},
        "loops_seconds": round(each * given.answers, 1),
        "equal": same,
        "rouge_l": round(report.values["rouge_l"], 6),
        "bleu_4": round(report.values["bleu_4"], 6),
    }
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
