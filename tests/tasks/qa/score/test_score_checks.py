"""The check values of the organisers' scripts, to the digit, on the competitions' own files.

These may not be redistributed: the folder that holds them is named by ``IETOOL_QA_DATA`` (with ``scorer_checks``,
``cmrc2018`` and ``dureader_robust`` in it), which ``.ci/run`` sets where it finds one; elsewhere they are skipped.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from ietool.scoring.report import Report
from ietool.tasks.qa.data.reading import load_questions
from ietool.tasks.qa.score.files import read_predictions
from ietool.tasks.qa.score.scorer import score, score_paths

DATA = Path(os.environ.get("IETOOL_QA_DATA", "not set"))
CHECKS = DATA / "scorer_checks"
REFERENCES = CHECKS / "dureader2_demo_dev.ref.json"

pytestmark = pytest.mark.skipif(not CHECKS.is_dir(), reason="the competitions' files are not here (IETOOL_QA_DATA)")


def percent(report: Report, name: str, digits: int) -> str:
    return f"{report.values[name] * 100:.{digits}f}"


@pytest.mark.parametrize(
    ("system", "f1", "em"),
    [("ernie_base", "72.658", "60.833"), ("nezha_base", "61.897", "45.801"), ("wwm_ext_pytorch", "84.603", "73.606")],
)
def test_dureader_robust(system: str, f1: str, em: str) -> None:
    gold = DATA / "dureader_robust" / "dev.json"
    report = score_paths(gold, CHECKS / f"dureader_robust_dev.{system}.json", resamples=50)
    assert report.metric == "dureader_robust"
    assert report.values["questions"] == 1417
    assert (percent(report, "f1", 3), percent(report, "em", 3)) == (f1, em)
    low, high = report.interval or (1.0, 0.0)
    assert low < report.values["f1"] < high


@pytest.mark.parametrize(
    ("system", "average", "f1", "em"),
    [("sunlanchang", "10.601", "17.878", "3.324"), ("synthetic", "65.485", "88.161", "42.808")],
)
def test_cmrc2018(system: str, average: str, f1: str, em: str) -> None:
    gold = DATA / "cmrc2018" / "cmrc2018_dev.json"
    report = score_paths(gold, CHECKS / f"cmrc2018_dev_predictions.{system}.json", resamples=0)
    assert report.metric == "cmrc2018"
    assert report.values["questions"] == 3219
    assert [percent(report, name, 3) for name in ("average", "f1", "em")] == [average, f1, em]


def official() -> list[tuple[str, str, str, dict[str, float]]]:
    """(predictions, task, part, values): what the organisers' script printed."""
    found = []
    path = CHECKS / "dureader2_official_scores.txt"
    for line in path.read_text(encoding="utf-8").splitlines() if path.is_file() else ():
        name, _, printed = line.partition(": ")
        predictions, task = name.split()
        parts: dict[str, dict[str, float]] = {}
        for entry in json.loads(printed.removeprefix("b'").removesuffix("'"))["data"]:
            parts.setdefault(entry["type"], {})[entry["name"]] = entry["value"]
        found += [(predictions, task, part, values) for part, values in parts.items()]
    return found


MEASURES = {"Bleu-4": "bleu_4", "Rouge-L": "rouge_l", "F1": "f1", "Precision": "precision", "Recall": "recall"}


@pytest.mark.parametrize(("predictions", "task", "part", "values"), official())
def test_dureader2(predictions: str, task: str, part: str, values: dict[str, float]) -> None:
    metric = "dureader2" if task == "main" else f"dureader2-{task}"
    given = CHECKS / f"dureader2_demo_dev.{predictions}.json"
    if part in ("Yes", "No", "Depends"):
        report = score_paths(REFERENCES, given, metric=metric, resamples=0)
        table = next(table for table in report.tables if table.title == "By label")
        rows = {row[0]: dict(zip(table.columns, row, strict=True)) for row in table.rows}
        if part not in rows:  # no reference has this label: the script divides nothing by nothing
            assert values["Rouge-L"] != values["Rouge-L"]
            return
        assert {name: round(float(rows[part][MEASURES[name]] or 0) * 100, 2) for name in values} == values
        return
    if part in ("search", "zhidao"):
        records = [json.loads(line) for line in REFERENCES.read_text(encoding="utf-8").splitlines()]
        wanted = {str(record["question_id"]) for record in records if record["source"] == part}
        questions = load_questions(REFERENCES, needs_answers=False, needs_passages=False)
        gold = [question for question in questions if question.question_id in wanted]
        report = score(gold, read_predictions(given), metric=metric, resamples=0)
    else:
        report = score_paths(REFERENCES, given, metric=metric, resamples=0)
    assert {name: round(report.values[MEASURES[name]] * 100, 2) for name in values} == values


def test_a_submission_in_sogous_form() -> None:
    predictions = read_predictions(CHECKS / "sogouqa_predictions.perturbed.txt")
    assert len(predictions) == 8000
