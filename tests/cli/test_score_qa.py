"""``ietool score --recipe qa`` as a user runs it. All questions are made up here."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from ietool.cli.app import app

SQUAD = {
    "data": [
        {
            "title": "云州湖",
            "paragraphs": [
                {
                    "context": "云州湖在青砖巷以北三公里。",
                    "qas": [
                        {"id": "q1", "question": "湖在哪里？", "answers": [{"text": "青砖巷以北", "answer_start": 4}]},
                        {"id": "q2", "question": "有多远？", "answers": [{"text": "三公里", "answer_start": -1}]},
                        {"id": "q3", "question": "湖叫什么？", "answers": [{"text": "云州湖", "answer_start": 0}]},
                    ],
                }
            ],
        }
    ]
}
WEBQA = [
    {"id": 7, "question": "谁写了《青砖巷》？", "passages": [{"passage": "林满写的。", "answer": "林满"}]},
    {"id": 8, "question": "哪一年？", "passages": [{"passage": "一九八五年。", "answer": "1985年"}]},
]
DUREADER = [
    {"question_id": 1, "question_type": "YES_NO", "question": "能去湖边吗", "documents": [],
     "answers": ["能去湖边"], "yesno_answers": ["Yes"], "entity_answers": [[]]},
    {"question_id": 2, "question_type": "DESCRIPTION", "question": "怎么去", "documents": [],
     "answers": ["坐船去 然后走路"], "yesno_answers": [], "entity_answers": [[]]},
]  # fmt: skip


def put(path: Path, value: Any) -> Path:
    path.write_text(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False), encoding="utf-8")
    return path


def lines(*records: Any) -> str:
    return "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records)


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["score", "--recipe", "qa", *map(str, arguments)])


def as_json(*arguments: object) -> dict[str, Any]:
    result = run(*arguments, "--json")
    assert result.exit_code == 0, result.stderr
    value: dict[str, Any] = json.loads(result.stdout)
    return value


def test_a_squad_file_and_its_result(tmp_path: Path) -> None:
    gold = put(tmp_path / "dev.json", SQUAD)
    result = put(tmp_path / "result.json", {"q1": "青砖巷", "q2": "三公里", "elsewhere": "甲"})
    told = run(gold, result)
    assert told.exit_code == 0, told.stderr
    assert "dureader_robust: F1 is that of the longest contiguous run" in " ".join(told.stdout.split())
    assert "1 of 3 questions have no prediction" in told.stderr
    assert "'elsewhere'" in told.stderr
    value = as_json(gold, result)
    assert value["metric"] == "dureader_robust"
    assert value["f1"] == pytest.approx((2 * 3 / 8 + 1) / 3)
    assert value["em"] == pytest.approx(1 / 3)
    assert (value["questions"], value["answered"], value["right"], value["unknown"]) == (3, 2, 1, 1)
    assert value["interval"][0] <= value["f1"] <= value["interval"][1]
    outcomes = {row["outcome"]: row["answers"] for row in value["tables"][-1]["rows"]}
    assert outcomes == {"right": 1, "partly": 1, "wrong": 0, "no answer given": 1, "unknown id": 1}


def test_explain_says_what_was_credited(tmp_path: Path) -> None:
    gold = put(tmp_path / "dev.json", SQUAD)
    result = put(tmp_path / "result.json", {"q1": "在青砖巷", "q2": "三公里"})
    assert run(gold, result, "--explain", tmp_path / "why.jsonl").exit_code == 0
    rows = [json.loads(line) for line in (tmp_path / "why.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [row["verdict"] for row in rows] == ["partly", "right", "no answer given"]
    assert [row["id"] for row in rows] == ["q1", "q2", "q3"]
    assert (rows[0]["question"], rows[0]["prediction"], rows[0]["reference"]) == (
        "湖在哪里？",
        "在青砖巷",
        "青砖巷以北",
    )
    assert rows[0]["credited"] == "青砖巷"
    assert "3 of 4 tokens predicted, of 5 in the reference" in rows[0]["rule"]
    assert rows[2]["rule"].startswith("the question has no prediction")


@pytest.mark.parametrize("name", ["result.tsv", "result.json"])
def test_webqa_by_sogouqa_and_by_webqa(tmp_path: Path, name: str) -> None:
    gold = put(tmp_path / "gold.json", WEBQA)
    text = "7\t《林满》\n8\t1986年\n" if name.endswith("tsv") else json.dumps({"7": "《林满》", "8": "1986年"})
    result = put(tmp_path / name, text)
    value = as_json(gold, result)
    assert (value["metric"], value["primary"]) == ("sogouqa", "score")
    assert value["accuracy"] == 0.5
    assert value["f1"] == pytest.approx((1 + 0.8) / 2)
    assert value["score"] == pytest.approx((0.5 + 0.9) / 2)
    assert as_json(gold, result, "--metric", "webqa")["f1"] == 0  # the brackets count there


def test_dureader_and_its_tasks(tmp_path: Path) -> None:
    with gzip.open(tmp_path / "gold.json.gz", "wt", encoding="utf-8") as gold:
        gold.write(lines(*DUREADER))
    result = put(
        tmp_path / "result.json",
        lines(
            {**DUREADER[0], "answers": ["能去湖边"], "yesno_answers": ["No"]},
            {**DUREADER[1], "answers": ["坐船去然后走路"]},
        ),
    )
    value = as_json(tmp_path / "gold.json.gz", result)
    assert (value["metric"], value["rouge_l"]) == ("dureader2", 1.0)
    assert value["bleu_4"] == pytest.approx(1.0)
    kinds = next(table for table in value["tables"] if table["title"] == "By kind of question")
    assert {row["kind"] for row in kinds["rows"]} == {"YES_NO", "DESCRIPTION"}
    assert as_json(tmp_path / "gold.json.gz", result, "--metric", "dureader2-yesno")["rouge_l"] == 0
    assert as_json(tmp_path / "gold.json.gz", result, "--metric", "dureader2-all")["rouge_l"] == 0.5
    assert as_json(tmp_path / "gold.json.gz", result, "--metric", "lic2019_mrc")["rouge_l"] == 1


def test_predictions_of_another_file_are_told(tmp_path: Path) -> None:
    gold = put(tmp_path / "dev.json", SQUAD)
    told = run(gold, put(tmp_path / "result.json", {"a": "甲", "b": "乙"}))
    assert told.exit_code == 2
    assert "has predictions on 2 questions, gold has" in told.stderr and "none is in both → bring" in told.stderr


@pytest.mark.parametrize(
    ("gold", "result", "said"),
    [
        (json.dumps(SQUAD), "", "holds no prediction"),
        (json.dumps(SQUAD), "no tab here\n", "result.json:1: has no tab"),
        (json.dumps(SQUAD), '{"q1": "甲"', "not JSON"),
        (json.dumps(SQUAD), '{"question_id": 1}\n{"question_id": 2}\n', "answers"),
        (json.dumps(SQUAD), '{"q1": {"start": 3}}', "q1"),
        (json.dumps(SQUAD), '{"q1": "甲", "q1": "乙"}', "again"),
        ("", '{"q1": "甲"}', "gold.json"),
        ('{"text": "云州湖"}\n', '{"q1": "甲"}', "gold.json"),
    ],
)
def test_bad_files_are_told_in_one_line(tmp_path: Path, gold: str, result: str, said: str) -> None:
    told = run(put(tmp_path / "gold.json", gold), put(tmp_path / "result.json", result))
    assert told.exit_code == 2, told.stdout
    assert said in told.stderr
    assert len(told.stderr.strip().splitlines()) == 1
    assert "Traceback" not in told.stderr


def test_gold_without_references_is_told(tmp_path: Path) -> None:
    test_file = [{"id": 7, "question": "谁？", "passages": [{"passage": "林满写的。"}]}]
    told = run(put(tmp_path / "gold.json", test_file), put(tmp_path / "result.json", {"7": "林满"}))
    assert told.exit_code == 2
    assert "none of the 1 questions of gold counts" in told.stderr


def test_an_unknown_variant_is_told_with_those_there_are(tmp_path: Path) -> None:
    told = run(put(tmp_path / "g", SQUAD), put(tmp_path / "r", {"q1": "甲"}), "--metric", "squad")
    assert told.exit_code == 2
    assert "dureader2-entity" in told.stderr


def test_scoring_needs_no_torch(tmp_path: Path) -> None:
    put(tmp_path / "gold.json", SQUAD)
    put(tmp_path / "result.json", {"q1": "青砖巷 u.s. team"})
    code = (
        "import sys; from typer.testing import CliRunner; from ietool.cli.app import app; "
        "arguments = 'score --recipe qa gold.json result.json --metric cmrc2018'.split(); "
        "done = CliRunner().invoke(app, arguments); "
        "assert done.exit_code == 0, done.stderr; "
        "assert not {'torch', 'transformers', 'datasets'} & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
