"""``ietool report``: pages of files of every task and of runs, what they say, and what is refused."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Callable
from html import unescape
from pathlib import Path
from typing import Any

import pytest

from ietool import paths
from tests.cli.conftest import Ietool, Printed, complaint

DATA = paths.shipped_root() / "data"


def page_of(path: Path) -> str:
    return path.read_text("utf-8")


def records_of(path: Path) -> dict[str, Any]:
    """The records that lie in a page."""
    text = page_of(path)
    begin = text.index('id="items">') + len('id="items">')
    found: dict[str, Any] = json.loads(text[begin : text.index("</script>", begin)])
    return found


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def write(path: Path, rows: list[Any]) -> Path:
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), "utf-8")
    return path


# -- a gold file and a poor prediction of every task, from the corpora that ship


def ske(folder: Path) -> tuple[Path, Path, Path]:
    rows = lines(DATA / "ske" / "dev.jsonl")[:40]
    gold = write(folder / "gold.json", rows)
    for row in rows[::3]:
        for triple in row["spo_list"]:
            triple["object"]["@value"] = triple["object"]["@value"][:-1] or "无"
    return gold, write(folder / "result.json", rows), DATA / "ske" / "test.jsonl"


def ner(folder: Path) -> tuple[Path, Path, Path]:
    rows = lines(DATA / "ner" / "dev.jsonl")[:40]
    gold = write(folder / "gold.json", rows)
    for row in rows[::3]:
        row["label"] = {f"{kind}2": names for kind, names in row["label"].items()}
    return gold, write(folder / "result.json", rows), DATA / "ner" / "test.jsonl"


def el(folder: Path) -> tuple[Path, Path, Path]:
    rows = lines(DATA / "el" / "dev.jsonl")[:40]
    gold = write(folder / "gold.json", rows)
    for row in rows[::3]:
        for mention in row["mention_data"]:
            mention["kb_id"] = "1"
    return gold, write(folder / "result.json", rows), DATA / "el" / "test.jsonl"


def qa(folder: Path) -> tuple[Path, Path, Path]:
    questions = json.loads((DATA / "qa" / "dev.json").read_text("utf-8"))[:40]
    gold = folder / "gold.json"
    gold.write_text(json.dumps(questions, ensure_ascii=False), "utf-8")
    answers = {q["id"]: next((p["answer"] for p in q["passages"] if p["answer"]), "") for q in questions}
    answers = {key: answer[:-1] if n % 3 == 0 else answer for n, (key, answer) in enumerate(answers.items())}
    result = folder / "result.json"
    result.write_text(json.dumps(answers, ensure_ascii=False), "utf-8")
    return gold, result, DATA / "qa" / "test.json"


def events(folder: Path) -> tuple[Path, Path, Path]:
    rows = lines(DATA / "events" / "dev.jsonl")[:40]
    gold = write(folder / "gold.json", rows)
    for row in rows[::3]:
        for event in row["event_list"]:
            event["event_type"] = "解散"
    return gold, write(folder / "result.json", rows), DATA / "events" / "test.jsonl"


def event_subject(folder: Path) -> tuple[Path, Path, Path]:
    with (DATA / "event_subject" / "dev.csv").open(encoding="utf-8", newline="") as source:
        rows = list(csv.reader(source))[:40]
    for name, columns in (("gold.csv", (0, 1, 2, 3)), ("result.csv", (0, 3))):
        with (folder / name).open("w", encoding="utf-8", newline="") as out:
            writer = csv.writer(out, quoting=csv.QUOTE_ALL)
            for n, row in enumerate(rows):
                found = [row[column] for column in columns]
                writer.writerow([*found[:-1], found[-1][:-1]] if name == "result.csv" and n % 3 == 0 else found)
    return folder / "gold.csv", folder / "result.csv", DATA / "event_subject" / "test.csv"


def nl2sql(folder: Path) -> tuple[Path, Path, None]:
    shutil.copy(DATA / "nl2sql" / "val.tables.json", folder / "gold.tables.json")
    rows = lines(DATA / "nl2sql" / "val.json")[:30]
    gold = write(folder / "gold.json", rows)
    for row in rows[::3]:
        row["sql"]["cond_conn_op"] = (row["sql"]["cond_conn_op"] + 1) % 3
    return gold, write(folder / "result.json", [row["sql"] for row in rows]), None


MADE: dict[str, tuple[Callable[[Path], tuple[Path, Path, Path | None]], str]] = {
    "ske": (ske, "boundary of the object"),
    "ner": (ner, "type"),
    "el": (el, "wrong entity"),
    "qa": (qa, "boundary"),
    "events": (events, "wrong type of event"),
    "event_subject": (event_subject, "boundary"),
    "nl2sql": (nl2sql, "wrong connector"),
}


@pytest.mark.parametrize("task", MADE)
def test_a_page_of_every_task_has_the_score_the_classes_and_the_texts(
    task: str, tmp_path: Path, printed: Printed
) -> None:
    make, expected = MADE[task]  # the test files stand for train: they are shorter
    gold, result, train = make(tmp_path)
    output = tmp_path / "page.html"
    more = () if train is None else ("--train", train)
    found = json.loads(printed("report", gold, result, "--output", output, "--json", *more))
    one = found["predictions"][0]
    scored = json.loads(printed("score", "--recipe", RECIPES[task], gold, result, "--json"))
    assert {name: one[name] for name in scored} == scored
    worst = max(one["classes"], key=lambda name: one["classes"][name]["items"])
    assert worst == expected
    text, kept = unescape(page_of(output)), records_of(output)
    assert scored["definition"] in text and f"{scored[scored['primary']]:.4f}" in text
    for heading in ("Errors by class", "Texts", *(["Names seen and unseen in train"] if train else [])):
        assert f"<h2>{heading}</h2>" in text
    counted = sum(expected in item[5][0] for item in kept["items"])
    assert 0 < counted <= one["classes"][expected]["items"]
    for item in kept["items"]:  # marks are of places that the text has
        size = sum(len(piece[0]) for piece in item[2])
        assert all(0 <= mark[1] <= size for side in item[3] for mark in side)


RECIPES = {
    "ske": "ske", "ner": "ner-crf", "el": "el", "qa": "qa", "events": "events", "event_subject": "event-subject",
    "nl2sql": "nl2sql",
}  # fmt: skip


def test_two_predictions_stand_side_by_side_with_what_was_repaired_and_broken(tmp_path: Path, printed: Printed) -> None:
    gold, result, _ = ske(tmp_path)
    output = tmp_path / "page.html"
    shown = printed("report", gold, result, gold, "--output", output)
    assert "boundary of the object" in shown
    data = records_of(output)
    assert data["facets"] == ["class", "relation", "change"] and data["sides"] == ["result.json", "gold.json"]
    changes = [item[5][2] for item in data["items"]]
    assert ["repaired"] in changes and not any("broken" in own for own in changes)
    side = next(item for item in data["items"] if item[5][2])
    assert len(side[3]) == 3 and len(side[4]) == 2  # gold and two predictions; the items of each
    assert "Repaired and broken" in page_of(output)


def test_another_wrong_answer_repairs_nothing(tmp_path: Path, printed: Printed) -> None:
    gold, result, _ = qa(tmp_path)
    answers = json.loads(result.read_text("utf-8"))
    first = next(iter(answers))  # wrong in both, in other ways; the second is wrong in the other alone
    second = next(key for n, key in enumerate(answers) if n == 1)
    other = tmp_path / "other.json"
    other.write_text(json.dumps(answers | {first: "别的", second: "别的"}), "utf-8")
    output = tmp_path / "page.html"
    printed("report", gold, result, other, "--output", output)
    changes = {item[1].split(" ")[0]: item[5][1] for item in records_of(output)["items"]}
    assert changes[first] == [] and changes[second] == ["broken"]
    assert sum(map(len, changes.values())) == 1


def test_fewer_texts_than_there_are_are_drawn_by_class_and_the_page_says_so(tmp_path: Path, printed: Printed) -> None:
    gold, result, _ = ner(tmp_path)
    output = tmp_path / "page.html"
    printed("report", gold, result, "--output", output, "--texts", 6)
    data = records_of(output)
    assert len(data["items"]) == 6 and {value for item in data["items"] for value in item[5][0]} == {"right", "type"}
    assert "6 of the" in page_of(output) and "drawn by class" in page_of(output)


def test_a_page_stands_whole_or_not_at_all(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    gold, result, _ = ske(tmp_path)
    output = tmp_path / "page.html"
    output.write_text("before", "utf-8")
    with result.open("a", encoding="utf-8") as out:
        out.write("{\n")
    said = complaint(capsys, "report", gold, result, "--output", output)
    assert f"{result}:41" in said and output.read_text("utf-8") == "before"
    assert "gold.json: is what is read" in complaint(capsys, "report", gold, result, "--output", gold)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "names neither files nor a run"),
        (("gold.json",), "names no submission"),
        (("missing.json", "result.json"), "missing.json: no such file"),
        (("odd.json", "result.json"), "odd.json: is of no form that is known"),
        (("gold.json", "missing.json"), "missing.json: no such file"),
        (("gold.json", "result.json", "--output", "-"), "is a file to look at"),
        (("gold.json", "-"), "RESULT: is read more than once"),
        (("gold.json", "result.json", "--output", "no/page.html"), "there is no folder"),
        (("gold.json", "result.json", "--texts", "0"), "--texts"),
        (("gold.json", "result.json", "--metric", "bleu"), "no scoring variant 'bleu'"),
        (("gold.json", "result.json", "--recipe", "el"), "gold.json"),
        (("gold.json", "result.json", "--schema", "odd.json"), "odd.json"),
        (("gold.json", "result.json", "--train", "odd.json"), "odd.json"),
        (("gold.json", "result.json", "--file", "kb=odd.json"), "--kb"),
        (("gold.json", "--run", "odd"), "GOLD: goes with files"),
        (("--run", "odd", "--train", "gold.json"), "no such run folder"),
        (("--run", "a", "--run", "b", "--run", "c"), "--run: is given more than twice"),
        (("--run", "odd", "--metric", "duie2"), "--metric: goes with files"),
    ],
)
def test_what_is_refused_is_told_in_one_line(
    arguments: tuple[str, ...], said: str, tmp_path: Path, ietool: Ietool
) -> None:
    ske(tmp_path)
    (tmp_path / "odd.json").write_text('{"odd": 1}\n', "utf-8")
    result = ietool("report", *arguments)
    assert result.returncode == 2 and result.stdout == ""
    error = result.stderr
    assert error.startswith("error: ") and error.count("\n") == 1 and said in error, error
    assert not (tmp_path / "report.html").exists()


def test_nothing_wrong_is_a_page_too(tmp_path: Path, printed: Printed) -> None:
    gold, _, _ = ner(tmp_path)
    output = tmp_path / "page.html"
    assert "there is no error" in printed("report", gold, gold, "--output", output)
    assert "There is no error." in page_of(output)
    assert {value for item in records_of(output)["items"] for value in item[5][0]} == {"right"}


def test_predictions_of_nothing(tmp_path: Path, printed: Printed) -> None:
    gold, _, _ = ske(tmp_path)
    empty = write(tmp_path / "empty.json", [{**row, "spo_list": []} for row in lines(gold)])
    output = tmp_path / "page.html"
    found = json.loads(printed("report", gold, empty, "--output", output, "--json"))["predictions"][0]
    assert found["classes"]["nothing like it"]["missed"] == found["gold"] and found["f1"] == 0
