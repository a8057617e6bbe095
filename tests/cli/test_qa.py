"""Question answering through the real commands, on a slice of the corpus that ships."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ietool.cli.app import run as ietool
from ietool.core.candidate_files import read_candidates
from ietool.paths import shipped_data
from ietool.runs.entry import RECIPE_FILE
from ietool.runs.folder import DEV
from ietool.workflow.predict import load
from tests.cli.conftest import Ietool, Printed, complaint

TINY = (
    "model.hidden_size=32",
    "model.question_dilations=[1]",
    "model.passage_dilations=[1,2,4]",
    "decode.longest=16",
    "data.window=96",
    "data.overlap=48",
    "training.epochs=2",
    "training.schedule=constant_with_warmup",
    "training.batch_size=16",
    "training.ema_decay=0.9",
    "training.learning_rate=5e-3",
    "training.warmup_epochs=0",
)


def settings(*more: str) -> list[str]:
    return [part for setting in (*TINY, *more) for part in ("--set", setting)]


def dump(path: Path, value: Any) -> Path:
    path.write_text(json.dumps(value, ensure_ascii=False), encoding="utf-8")
    return path


def questions(path: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))
    return found


def lines(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def as_squad(records: list[dict[str, Any]]) -> dict[str, Any]:
    """Each question on the first passage that answers it, every fourth on one that does not."""
    paragraphs = []
    for number, record in enumerate(records):
        passages = {bool(p["answer"]): p for p in reversed(record["passages"])}
        passage = passages.get(number % 4 != 3) or record["passages"][0]
        text, answer = passage["passage"], passage["answer"]
        entry = {"id": f"DEV_{number}", "question": record["question"], "is_impossible": not answer,
                 "answers": [{"text": answer, "answer_start": text.index(answer) if answer else -1}]}  # fmt: skip
        paragraphs.append({"context": text, "qas": [entry]})
    return {"version": "1", "data": [{"title": "", "paragraphs": paragraphs}]}


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder, and a run trained on it."""
    folder = tmp_path_factory.mktemp("qa")
    corpus = shipped_data("qa")
    for name, count in (("train", 200), ("dev", 20), ("test", 30)):
        dump(folder / f"{name}.json", questions(corpus / f"{name}.json")[:count])
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("IETOOL_HOME", str(folder / "home"))
        assert ietool(["prepare", "-r", "qa", "--data", str(folder), *settings()]) == 0
        arguments = ["train", "-r", "qa", "--data", str(folder), "--output", str(folder / "run"), "--device", "cpu"]
        assert ietool([*arguments, *settings()]) == 0
    return folder


@pytest.fixture(autouse=True)
def home(work: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IETOOL_HOME", str(work / "home"))


# -- the four verbs


def test_answers_are_written_and_scored(work: Path, printed: Printed) -> None:
    result = work / "result.json"
    printed("predict", "--run", work / "run", work / "test.json", "-o", result)
    gold = questions(work / "test.json")
    found = json.loads(result.read_text(encoding="utf-8"))
    assert list(found) == [record["id"] for record in gold]
    for record in gold:
        assert any(found[record["id"]] in passage["passage"] for passage in record["passages"])
    scored = json.loads(printed("score", "-r", "qa", work / "test.json", result, "--json"))
    assert scored["metric"] == "sogouqa"
    assert 0.1 < scored["f1"] <= 1
    for metric in ("webqa", "cmrc2018", "dureader_robust"):
        other = json.loads(printed("score", "-r", "qa", work / "test.json", result, "--json", "--metric", metric))
        assert other["metric"] == metric


def test_the_form_of_sogouqa_scores_the_same(work: Path, printed: Printed) -> None:
    scores = []
    for name in ("same.json", "same.tsv"):
        printed("predict", "--run", work / "run", work / "test.json", "-o", work / name)
        scored = json.loads(printed("score", "-r", "qa", work / "test.json", work / name, "--json"))
        scores.append({key: value for key, value in scored.items() if isinstance(value, float)})
    rows = [line.split("\t") for line in (work / "same.tsv").read_text(encoding="utf-8").splitlines()]
    assert [row[0] for row in rows] == [record["id"] for record in questions(work / "test.json")]
    assert all(len(row) == 2 for row in rows)
    assert scores[0] == scores[1]


def test_the_best_candidates_come_with_scores_and_places(work: Path, printed: Printed) -> None:
    found = lines(printed("predict", "--run", work / "run", work / "test.json", "--nbest", 3))
    gold = questions(work / "test.json")
    assert [one["id"] for one in found] == [record["id"] for record in gold]
    for one, record in zip(found, gold, strict=True):
        assert len(one["candidates"]) == 3 and one["answer"] == one["candidates"][0]["answer"]
        scores = [c["score"] for c in one["candidates"]]
        assert scores == sorted(scores, reverse=True)
        for c in one["candidates"]:
            assert record["passages"][c["passage"]]["passage"][c["start"] : c["end"]] == c["answer"]
    printed("predict", "--run", work / "run", work / "test.json", "--nbest", 1, "-o", work / "one.json")
    assert json.loads((work / "one.json").read_text(encoding="utf-8")) == {one["id"]: one["answer"] for one in found}


def test_prepare_counts_and_is_instant_again(work: Path, printed: Printed) -> None:
    told = json.loads(printed("prepare", "-r", "qa", "--data", work, "--json", *settings()))
    assert told["fresh"] is False
    train = told["statistics"]["train"]
    assert train["records"] == 200 and train["forms"] == {"webqa": 200}
    assert train["passages"] == sum(len(record["passages"]) for record in questions(work / "train.json"))
    assert train["oracle"]["recall"] > 0.9
    shorter = json.loads(printed("prepare", "-r", "qa", "--data", work, "--json", *settings("decode.longest=2")))
    assert shorter["fresh"] and shorter["statistics"]["train"]["oracle"]["recall"] < train["oracle"]["recall"]


def test_without_dev_a_share_of_train_is_held_out(
    work: Path, tmp_path: Path, printed: Printed, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["prepare", "-r", "qa", "--train", str(work / "train.json"), "--json"]
    told = json.loads(printed(*arguments, *settings("data.held_out=0.2")))["statistics"]
    assert told["train"]["records"] + told["dev"]["records"] == 200
    assert 20 <= told["dev"]["records"] <= 70
    assert "held_out" in complaint(capsys, *arguments, *settings("data.held_out=0"))


def test_a_question_given_in_words_is_shown_as_a_table(
    work: Path, printed: Printed, capsys: pytest.CaptureFixture[str]
) -> None:
    record = questions(work / "test.json")[0]
    text = "\t".join([record["question"], *(passage["passage"] for passage in record["passages"])])
    shown = printed("predict", "--run", work / "run", "--text", text)
    assert record["question"] in shown and "probability" in shown
    error = complaint(capsys, "predict", "--run", work / "run", "--text", record["question"])
    assert "--text" in error and "no passage" in error


def test_python_gives_what_the_command_gives(work: Path, printed: Printed) -> None:
    gold = questions(work / "test.json")[:10]
    texts = ["\t".join([record["question"], *(p["passage"] for p in record["passages"])]) for record in gold]
    loaded = load(work / "run", "cpu")
    together = loaded.predict(texts)
    dump(work / "ten.json", gold)
    printed("predict", "--run", work / "run", work / "ten.json", "-o", work / "ten-result.json")
    found = json.loads((work / "ten-result.json").read_text(encoding="utf-8"))
    assert [one.answer for one in together] == list(found.values())
    for text, expected in zip(texts, together, strict=True):
        (alone,) = loaded.predict([text])
        assert [c.answer for c in alone.candidates[:3]] == [c.answer for c in expected.candidates[:3]]
        assert alone.candidates[0].probability == pytest.approx(expected.candidates[0].probability, rel=1e-4)
    assert load(work / "run", "cpu", ["decode.no_answer=1", "decode.none=无"]).predict(texts[:1])[0].answer == "无"


def test_a_long_passage_is_read_to_its_end(work: Path) -> None:
    record = next(r for r in questions(work / "test.json") if r["golden_answers"][0] in r["passages"][0]["passage"])
    passage = record["passages"][0]["passage"]
    filler = "天气一直很好，大家都很高兴。" * 60
    loaded = load(work / "run", "cpu")
    for text in (passage + filler, filler + passage):
        (found,) = loaded.predict([f"{record['question']}\t{text}"])
        assert all(text[c.start : c.end] == c.answer for c in found.candidates)
    assert any(c.start >= len(filler) for c in found.candidates)


def test_a_run_keeps_what_it_says_of_dev(work: Path) -> None:
    loaded, gold = load(work / "run", "cpu"), questions(work / "dev.json")
    found = read_candidates(work / "run" / DEV)
    assert found.layout.rows == ("passage", "start", "end") and len(found) == len(gold)
    decoder = loaded.task.decoder(loaded.recipe, work / "run")
    asked = list(loaded.task.open_inputs(str(work / "dev.json")))
    for question, kept, answered in zip(asked, found, loaded.stream(asked), strict=True):
        again = decoder.decode(question, kept, loaded.recipe.decode)
        assert again.answer == answered.answer
        for ours, theirs in zip(again.candidates, answered.candidates, strict=True):
            assert ours.score == pytest.approx(theirs.score, rel=1e-3)
    outcomes = lines((work / "run" / DEV / "outcomes.jsonl").read_text(encoding="utf-8"))
    assert [one["id"] for one in outcomes] == [record["id"] for record in gold]
    right, f1, count = np.load(work / "run" / DEV / "counts.npy").sum(0)
    best = json.loads((work / "run" / "run.json").read_text(encoding="utf-8"))["best"]
    assert (right + f1) / 2 / count == pytest.approx(best["score"])


# -- other forms


def test_questions_with_one_passage_and_some_without_an_answer(
    work: Path, tmp_path: Path, printed: Printed, capsys: pytest.CaptureFixture[str]
) -> None:
    dump(tmp_path / "train.json", as_squad(questions(work / "train.json")[:160]))
    dev = dump(tmp_path / "dev.json", as_squad(questions(work / "dev.json")))
    run = tmp_path / "run"
    printed("train", "-r", "qa", "--data", tmp_path, "--output", run, "--device", "cpu",
            *settings("model.loss=focal", "training.epochs=1"))  # fmt: skip
    # How sure an answer must be was found on dev, and is part of the run.
    assert load(run, "cpu").recipe.decode.none == "no answer"
    assert "no_answer" in (run / RECIPE_FILE).read_text(encoding="utf-8")
    printed("predict", "--run", run, dev, "-o", tmp_path / "result.json")
    found = json.loads((tmp_path / "result.json").read_text(encoding="utf-8"))
    assert list(found) == [f"DEV_{number}" for number in range(20)]
    scored = json.loads(printed("score", "-r", "qa", dev, tmp_path / "result.json", "--json"))
    assert scored["metric"] == "cmrc2018"
    scored = json.loads(printed("score", "-r", "qa", dev, tmp_path / "result.json", "--json", "--metric",
                                "dureader_robust"))  # fmt: skip
    assert {"f1", "em"} <= set(scored)


def test_documents_get_answers_and_labels(tmp_path: Path, printed: Printed) -> None:
    source = shipped_data("qa") / "dureader2.jsonl"
    run, result = tmp_path / "run", tmp_path / "result.jsonl"
    printed("train", "-r", "qa-dureader", "--train", source, "--dev", source, "--output", run, "--device", "cpu",
            *settings("training.epochs=1", "data.window=96", "decode.longest=48"))  # fmt: skip
    printed("predict", "--run", run, source, "-o", result)
    gold, found = lines(source.read_text(encoding="utf-8")), lines(result.read_text(encoding="utf-8"))
    assert [r["question_id"] for r in found] == [r["question_id"] for r in gold]
    for theirs, ours in zip(gold, found, strict=True):
        assert ours["question_type"] == theirs["question_type"]
        assert len(ours["yesno_answers"]) == (theirs["question_type"] == "YES_NO")
        assert set(ours["yesno_answers"]) <= {"Yes", "No", "Depends"}
        paragraphs = [p for document in theirs["documents"] for p in document["paragraphs"]]
        assert len(ours["answers"]) == 1 and any(ours["answers"][0] in p for p in paragraphs)
    scored = json.loads(printed("score", "-r", "qa-dureader", source, result, "--json"))
    assert scored["metric"] == "dureader2"


def test_the_bare_article_trains_and_predicts(work: Path, tmp_path: Path, printed: Printed) -> None:
    bare = ("model.aligned=false", "model.cooccurrence=false", "model.part_of_speech=false", "model.loss=focal")
    small = dump(tmp_path / "small.json", questions(work / "train.json")[:40])
    printed("train", "-r", "qa", "--train", small, "--dev", work / "dev.json", "--output", tmp_path / "run",
            "--device", "cpu", *settings(*bare, "training.epochs=1"))  # fmt: skip
    printed("predict", "--run", tmp_path / "run", work / "dev.json", "-o", tmp_path / "result.json")
    assert len(json.loads((tmp_path / "result.json").read_text(encoding="utf-8"))) == 20


# -- bad input

GOOD = {"id": 1, "question": "谁写了《青砖巷》？", "passages": [{"passage": "林满写了《青砖巷》。", "answer": "林满"}]}


@pytest.mark.parametrize(
    "bad, told",
    [
        (GOOD | {"id": 2, "passages": []}, ("passages", "no passage")),
        (GOOD, ("repeats the id 1",)),
        ({"id": 3, "passages": GOOD["passages"]}, ("question", "missing")),
        (GOOD | {"id": 4, "question": 5}, ("question", "a number")),
        (GOOD | {"id": 5, "passages": ["林满"] * 2}, ("golden_answers", "missing")),
    ],
)
def test_a_bad_question_is_told_in_one_line_or_left_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], bad: dict[str, Any], told: tuple[str, ...]
) -> None:
    records = [GOOD, *(GOOD | {"id": f"x{n}"} for n in range(3)), bad]
    source = dump(tmp_path / "train.json", records)
    arguments = ["prepare", "-r", "qa", "--train", source, "--dev", dump(tmp_path / "dev.json", [GOOD])]
    error = complaint(capsys, *arguments)
    assert "train.json" in error and "[4]" in error and all(part in error for part in told)
    out = tmp_path / "out"
    assert ietool([*map(str, arguments), "--skip-bad", "--output", str(out)]) == 0
    (reject,) = lines((out / "rejects.jsonl").read_text(encoding="utf-8"))
    assert all(part in f"{reject['field']} {reject['reason']}" for part in told)


def test_bad_input_to_predict_leaves_no_output(work: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    result = tmp_path / "result.json"
    for name, content in (("empty.json", ""), ("list.json", "[]"), ("other.json", '[{"text": "林满"}]'),
                          ("cut.json", '[{"id": 1, "question": "谁'), ("no.json", "谁写了书")):  # fmt: skip
        (tmp_path / name).write_text(content, encoding="utf-8")
        error = complaint(capsys, "predict", "--run", work / "run", tmp_path / name, "-o", result)
        assert name in error and not result.exists()


def test_positions_and_answers_that_are_wrong_are_counted(tmp_path: Path, printed: Printed) -> None:
    text = "林满在云州写了《青砖巷》，林满很高兴。"
    answers = [("林满", 0), ("林满", 3), ("林满", -1), ("无此人", 2), ("", 0), ("青砖巷", 10_000)]
    qas = [{"id": n, "question": f"第{n}问", "answers": [{"text": a, "answer_start": s}]}
           for n, (a, s) in enumerate(answers)]  # fmt: skip
    source = dump(tmp_path / "train.json", {"data": [{"paragraphs": [{"context": text, "qas": qas}]}]})
    told = json.loads(printed("prepare", "-r", "qa", "--train", source, "--dev", source, "--json"))["statistics"]
    assert told["train"]["positions_repaired"] == 2 and told["unlocated"] == 2
    assert told["train"]["oracle"]["lost"]["the answer is empty"] == 1
    assert told["train"]["oracle"]["recall"] == pytest.approx(4 / 6)


def test_predictions_for_unknown_and_missing_questions_are_told(tmp_path: Path, printed: Printed) -> None:
    gold = dump(tmp_path / "gold.json", [GOOD, GOOD | {"id": 2}])
    result = dump(tmp_path / "result.json", {"1": "林满", "99": "何舟"})
    scored = json.loads(printed("score", "-r", "qa", gold, result, "--json"))
    assert scored["metric"] == "sogouqa" and scored["f1"] == pytest.approx(0.5)
    assert len(scored["notes"]) == 2


def test_windows_that_overlap_whole_are_refused(work: Path, capsys: pytest.CaptureFixture[str]) -> None:
    error = complaint(capsys, "prepare", "-r", "qa", "--data", work, *settings("data.overlap=96"))
    assert "data.overlap" in error


def test_a_command_of_its_own_process(work: Path, ietool: Ietool) -> None:
    done = ietool("predict", "--run", work / "run", work / "gone.json")
    assert done.returncode == 2 and done.stdout == ""
    assert done.stderr.startswith("error: ") and done.stderr.count("\n") == 1
