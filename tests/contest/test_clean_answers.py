"""``ietool clean`` of questions: every head, every form; planted errors are found, and nothing else changes."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest

from ietool.cli.app import run as command
from ietool.contest.clean.review import mark_of
from ietool.tasks.qa.data.answers import Answer, answers_of
from ietool.tasks.qa.data.answers import mark_of as mark
from ietool.tasks.qa.data.question import Question
from ietool.tasks.qa.data.reading import load_questions
from tests.cli.conftest import complaint, output_of
from tests.tasks.qa import made

QUICK = ("training.epochs=1", "training.ema_decay=0", "training.patience=0", "sampling.mined=0")
DGCNN = ("model.encoder.hidden_size=16", "model.encoder.question_dilations=[1]", "model.encoder.min_char_count=1",
         "model.encoder.passage_dilations=[1,2]")  # fmt: skip


def group_of(folder: Path, head: str, *more: str, train: tuple[str, ...] = ("train.json",)) -> Path:
    """Two folds; train, or both halves of it, was written by the caller."""
    made.dump(folder / "dev.json", made.webqa(4, 90))
    settings = (*made.SMALL, *DGCNN)
    if head != "reader":
        settings = (*made.small(head), f"model.encoder={made.encoder_folder(folder / 'encoder')}")
    recipe = "qa" if head == "reader" else f"qa-{head}"
    changes = [word for one in (*settings, *QUICK, *more) for word in ("--set", one)]
    halves = [word for name in train[1:] for word in ("--file", f"train+zhidao={folder / name}")]
    arguments = ["train", "--recipe", recipe, "--train", folder / train[0], *halves, "--dev", folder / "dev.json",
                 *changes, "--folds", "2", "--output", folder / "folds", "--device", "cpu"]  # fmt: skip
    assert command([str(one) for one in arguments]) == 0
    return folder / "folds"


def keys(question: Question) -> set[Any]:
    return {answer.key for answer in answers_of(question)}


def rows(review: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(review.read_text("utf-8-sig"), newline=""), dialect=csv.excel_tab))


@pytest.mark.parametrize(("head", "form"), [("reader", "webqa"), ("span", "squad"), ("mlm", "dureader2")])
def test_every_head_and_form(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], head: str, form: str
) -> None:
    """What a review accepts stands in the new file, which is of the same form, and all else is as it was."""
    monkeypatch.setenv("IETOOL_HOME", str(tmp_path))
    names: tuple[str, ...] = ("train.json",)
    if form == "dureader2":
        names, lines = (
            ("search.train.json", "zhidao.train.json"),
            [json.dumps(one) + "\n" for one in made.documents(20)],
        )
        for name, some in zip(names, (lines[:12], lines[12:]), strict=True):
            (tmp_path / name).write_text("".join(some), "utf-8")
    else:
        made.dump(tmp_path / "train.json", made.squad(20) if form == "squad" else made.webqa(20))
    before = [(tmp_path / name).read_bytes() for name in names]
    further = made.dump(tmp_path / "further.json", made.webqa(3, 70))
    group = group_of(tmp_path, head, *([f"data.more=[{further}]"] if form == "webqa" else []), train=names)
    output = tmp_path / "cleaned"
    capsys.readouterr()
    done = json.loads(output_of(capsys, "clean", group, "--output", output, "--add", "0", "--drop", "1", "--json"))
    # Records of further files are learnt from, and not looked at: the new file would lack them.
    assert done["elsewhere"] == (3 if form == "webqa" else 0)
    assert done["records"] == 20 and done["items"] == {"webqa": 20, "squad": 15, "dureader2": 20}[form]
    table = rows(output / "review.tsv")
    old = {mark(q): q for name in names for q in load_questions(tmp_path / name)}
    questions = {mark_of(name): q for name, q in old.items()}
    kinds = {row["kind"] for row in table}
    assert kinds <= {"missing answer", "doubtful answer", "extra answer", "wrong answer", "wrong boundary"} and kinds
    asked = [row for row in table if row["gold"]]
    assert asked and all(0 < float(row["gold score"]) < 1 for row in asked)  # also what no model would propose
    assert all(questions[row["mark"]].text == row["text"].split("\\n")[0] for row in table)
    assert any("⟦" in row["text"] for row in table)

    after = json.loads(
        output_of(capsys, "clean", group, "--output", output, "--apply", output / "review.tsv", "--json")
    )
    assert [(tmp_path / name).read_bytes() for name in names] == before
    assert sum(after["changes"].values()) == sum(row["accept"] == "x" for row in table)
    changed = {mark(q): q for name in names for q in load_questions(output / name)}
    assert list(old) == list(changed) and {q.form for q in changed.values()} == {form}
    expected = {name: keys(q) for name, q in old.items()}
    of_text = {q.text: name for name, q in old.items()}
    for line in (output / "provenance.jsonl").read_text("utf-8").splitlines():
        entry = json.loads(line)
        for name, change in (("gold", set.discard), ("proposed", set.add)):
            if (plain := entry[name]) is not None:
                answer = Answer(plain["answer"], plain.get("passage", -1), plain.get("start", -1))
                change(expected[of_text[entry["text"]]], answer.key)
    assert {name: keys(q) for name, q in changed.items()} == expected
    told = [name for name, q in old.items() if expected[name] != keys(q)]
    assert told or not after["changes"]
    if form == "squad":
        for question in changed.values():
            (passage,) = question.passages
            starts = zip(passage.answers, passage.starts, strict=True)
            assert all(passage.text.startswith(answer, start) for answer, start in starts)


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, str]]:
    """A group of folds that know their texts, and question → what was done to it."""
    folder = tmp_path_factory.mktemp("answers")
    records, done = made.webqa(64), {}
    for number, record in enumerate(records):
        if number % 8:
            continue
        how = ("wrong answer", "wrong boundary", "missing answer")[number // 8 % 3]
        answering, answer = record["passages"][1], record["golden_answers"][0]
        # What the models say is that some person is right: a place, a name cut short, or nothing at all is not.
        wrong = {"wrong answer": "后来", "wrong boundary": f"由{answer}", "missing answer": ""}[how]
        answering["answer"], record["golden_answers"] = wrong, [wrong] if wrong else []
        done[record["question"]] = how
    made.dump(folder / "train.json", records)
    patch = pytest.MonkeyPatch()
    patch.setenv("IETOOL_HOME", str(folder))
    learning = ("training.epochs=8", "training.head_learning_rate=1e-2", "training.schedule=constant_with_warmup",
                "training.ema_decay=0.8")  # fmt: skip
    group = group_of(folder, "reader", *learning)
    patch.undo()
    return group, done


def test_planted_errors_are_ticked(
    planted: tuple[Path, dict[str, str]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    group, done = planted
    output = tmp_path / "cleaned"
    assert command(["clean", str(group), "--output", str(output), "--add", "0.4", "--drop", "0.2"]) == 0
    questions = {mark_of(mark(q)): q.text for q in load_questions(group.parent / "train.json")}
    ticked = [row for row in rows(output / "review.tsv") if row["accept"]]
    right = {questions[row["mark"]] for row in ticked if done.get(questions[row["mark"]]) == row["kind"]}
    assert len(right) >= 0.8 * len(ticked) and len(right) >= 0.5 * len(done), ([r["kind"] for r in ticked], done)


def test_what_a_person_writes_is_held_against_the_passage(
    planted: tuple[Path, dict[str, str]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    group, _ = planted
    output = tmp_path / "cleaned"
    assert command(["clean", str(group), "--output", str(output), "--add", "0", "--drop", "1"]) == 0
    review = output / "review.tsv"
    table = rows(review)
    at = next(n for n, row in enumerate(table) if row["accept"] and row["proposed"])
    mine = json.dumps({"answer": "从未有过", "passage": 1}, ensure_ascii=False)
    text = review.read_text("utf-8").replace(table[at]["proposed"].replace('"', '""'), mine.replace('"', '""'))
    review.write_text(text, "utf-8")
    error = complaint(capsys, "clean", group, "--output", output, "--apply", review)
    assert f"{review}:" in error and "proposed: answer: '从未有过' does not stand in passage 1" in error
    assert not (output / "train.json").exists()
