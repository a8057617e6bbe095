"""``ietool compare``: submissions of every task, runs, their seeds, and what cannot be compared."""

from __future__ import annotations

import csv
import io
import json
import shutil
import sys
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ietool import paths
from ietool.contest.group import new_group, write_group
from ietool.contest.tune import write_settings
from ietool.report import comparison
from ietool.runs.folder import update_run
from tests.cli.conftest import complaint, output_of
from tests.contest.conftest import Runs
from tests.in_process import command_here

Capture = pytest.CaptureFixture[str]
Change = Callable[[int, Any], Any]
"""(number of the record, record) → record, changed as a submission may be wrong."""


def lines_of(source: Path, count: int) -> list[Any]:
    with source.open(encoding="utf-8") as lines:
        return [json.loads(line) for line in islice(lines, count)]


def without(key: str, every: int) -> Change:
    """Leaves out one item of every n-th record."""
    return lambda n, record: record | {key: record[key][1:]} if n % every == 0 else record


def written(folder: Path, name: str, records: list[Any]) -> Path:
    path = folder / name
    path.write_text("".join(json.dumps(one, ensure_ascii=False) + "\n" for one in records), encoding="utf-8")
    return path


def of_lines(recipe: str, key: str, folder: Path) -> list[Path]:
    """(gold, one submission, another) of a corpus of one record a line, one list of items each."""
    records = lines_of(paths.shipped_data(recipe) / "dev.jsonl", 40)
    sides = [[without(key, every)(n, record) for n, record in enumerate(records)] for every in (2, 5)]
    return [written(folder, f"{n}.json", some) for n, some in enumerate((records, *sides))]


def of_entities(folder: Path) -> list[Path]:
    records = lines_of(paths.shipped_data("ner") / "dev.jsonl", 40)
    sides = [[one if n % every else one | {"label": {}} for n, one in enumerate(records)] for every in (2, 5)]
    return [written(folder, f"{n}.json", some) for n, some in enumerate((records, *sides))]


def of_subjects(folder: Path) -> list[Path]:
    with (paths.shipped_data("event_subject") / "dev.csv").open(encoding="utf-8", newline="") as lines:
        rows = list(islice(csv.reader(lines), 40))
    found = []
    for name, every in (("gold", 0), ("a", 2), ("b", 5)):
        out = io.StringIO()
        writer = csv.writer(out, quoting=csv.QUOTE_ALL)
        for n, (number, text, kind, subject) in enumerate(rows):
            said = subject if not every or n % every else "另一家"
            writer.writerow([number, said] if every else [number, text, kind, subject])
        found.append(folder / f"{name}.csv")
        found[-1].write_text(out.getvalue(), encoding="utf-8")
    return found


def of_answers(folder: Path) -> list[Path]:
    from tests.tasks.qa import made

    gold = made.dump(folder / "gold.json", made.squad(30, every=99))
    answers = {
        question["id"]: question["answers"][0]["text"]
        for article in json.loads(gold.read_text(encoding="utf-8"))["data"]
        for paragraph in article["paragraphs"]
        for question in paragraph["qas"]
    }
    sides = [{key: text if n % every else "别的" for n, (key, text) in enumerate(answers.items())} for every in (2, 5)]
    return [gold, *(made.dump(folder / f"{n}.json", side) for n, side in enumerate(sides))]


def of_queries(folder: Path) -> list[Path]:
    records = lines_of(paths.shipped_data("nl2sql") / "val.json", 40)
    sides = [
        [one["sql"] if n % every else one["sql"] | {"cond_conn_op": 2, "agg": [5]} for n, one in enumerate(records)]
        for every in (2, 5)
    ]
    return [written(folder, f"{n}.json", some) for n, some in enumerate((records, *sides))]


FILES: dict[str, Callable[[Path], list[Path]]] = {
    "ske": lambda folder: of_lines("ske", "spo_list", folder),
    "events": lambda folder: of_lines("events", "event_list", folder),
    "el": lambda folder: of_lines("el", "mention_data", folder),
    "ner-crf": of_entities,
    "event-subject": of_subjects,
    "qa": of_answers,
    "nl2sql": of_queries,
}


def compared(capsys: Capture, *arguments: object) -> dict[str, Any]:
    value = json.loads(output_of(capsys, "compare", *arguments, "--json"))
    assert isinstance(value, dict)
    return value


@pytest.mark.parametrize("recipe", FILES)
def test_submissions_of_every_task(recipe: str, tmp_path: Path, capsys: Capture) -> None:
    gold, a, b = FILES[recipe](tmp_path)
    found = compared(capsys, a, b, "--gold", gold, "--recipe", recipe)
    own = [json.loads(output_of(capsys, "score", "--recipe", recipe, gold, side, "--json")) for side in (a, b)]
    for side, said in zip("ab", own, strict=True):
        assert found[side]["score"] == pytest.approx(said[said["primary"]])
        assert found["metric"] == said["metric"] and found["primary"] == said["primary"]
    assert found["difference"] == pytest.approx(found["b"]["score"] - found["a"]["score"]) and found["difference"] > 0
    assert found["interval"][0] <= found["difference"] <= found["interval"][1] and found["probability"] > 0.7
    signs = found["sign_test"]
    assert signs["repaired"] > signs["broken"] and 0 < signs["p"] < 1 and signs["items"] >= signs["repaired"]
    assert len(found["repaired"]) == min(5, signs["repaired"]) and all(one["b"] > one["a"] for one in found["repaired"])
    assert found["texts"] >= found["groups"] > 10
    if recipe == "el":  # whose items are of no kind
        missed = [sum(one[side] for one in found["errors"] if one["kind"].startswith("missed: ")) for side in "ab"]
        assert missed == [side["gold"] - side["right"] for side in own] and found["moved"] == []
    else:
        assert found["errors"] == [] and sum(one["repaired"] for one in found["moved"]) >= signs["repaired"] > 0
    shown = output_of(capsys, "compare", a, b, "--gold", gold, "--recipe", recipe)
    assert "B against A" in shown and "Repaired: 5 of" in shown and max(map(len, shown.splitlines()[:9])) < 120


def test_swapped_sides_swap_the_answer(tmp_path: Path, capsys: Capture) -> None:
    gold, a, b = FILES["events"](tmp_path)
    there, back = (compared(capsys, *pair, "--gold", gold, "--recipe", "events") for pair in ((a, b), (b, a)))
    assert back["difference"] == -there["difference"] and back["a"] == there["b"]
    assert (
        back["sign_test"]["broken"] == there["sign_test"]["repaired"]
        and back["sign_test"]["p"] == there["sign_test"]["p"]
    )


def test_submissions_are_compared_without_torch(tmp_path: Path) -> None:
    import subprocess

    gold, a, b = FILES["ner-crf"](tmp_path)
    code = (
        "import sys\nfrom ietool.cli.app import run\n"
        f"assert run(['compare', {str(a)!r}, {str(b)!r}, '--gold', {str(gold)!r}, '--recipe', 'ner-crf']) == 0\n"
        "assert not {'torch', 'transformers', 'datasets'} & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stderr.splitlines()[-1].startswith("B is better by 0.")


def test_several_submissions_a_side(tmp_path: Path, capsys: Capture) -> None:
    gold, a, b = FILES["ske"](tmp_path)
    found = compared(capsys, "--a", a, b, "--b", b, "--gold", gold, "--recipe", "ske")
    scores = [run["f1"] for run in found["a"]["runs"]]
    assert len(scores) == 2 and found["a"]["score"] == pytest.approx(sum(scores) / 2)
    assert found["difference"] == pytest.approx(found["b"]["score"] - found["a"]["score"])
    assert {one["a"] for one in found["repaired"]} == {0.5}
    same = compared(capsys, "--a", a, "--b", b, "--gold", gold, "--recipe", "ske")
    assert same == compared(capsys, a, b, "--gold", gold, "--recipe", "ske")
    assert compared(capsys, "--a", a, "--a", b, "--b", b, "--gold", gold, "--recipe", "ske") == found


def test_tables_for_programs(tmp_path: Path, capsys: Capture) -> None:
    gold, a, b = FILES["ske"](tmp_path)
    shown = output_of(capsys, "compare", a, b, "--gold", gold, "--recipe", "ske", "--tsv")
    rows = [line.split("\t") for line in shown.splitlines()]
    score = compared(capsys, a, b, "--gold", gold, "--recipe", "ske")["a"]["score"]
    assert rows[0][0].startswith("# duie2 on ") and float(rows[2][1]) == score and rows[2][-1] == str(a)


def test_kinds_of_errors_without_end_are_cut(tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    sides = [*FILES["el"](tmp_path), "--recipe", "el"]
    gold, a, b, *more = sides
    count = len(compared(capsys, a, b, "--gold", gold, *more)["errors"])
    assert count
    for most in (count, count - 1):
        monkeypatch.setattr(comparison, "MOVED", most)
        assert ("further kinds: 1" in output_of(capsys, "compare", a, b, "--gold", gold, *more)) is (most < count)


# -- runs


@pytest.fixture
def pair(copied: Runs, tmp_path: Path) -> tuple[Path, Path]:
    """A run, and the same with another threshold: what it kept of dev says something else then."""
    one = copied("ner-globalpointer", "score.metric=cluener")
    other = shutil.copytree(one, tmp_path / "other")
    write_settings(other, ["decode.threshold=0.02"])
    return one, other


def test_runs_are_compared_with_the_thresholds_that_they_have(pair: tuple[Path, Path], capsys: Capture) -> None:
    one, other = pair
    found = compared(capsys, one, other)
    best = json.loads((one / "run.json").read_text(encoding="utf-8"))["best"]
    assert found["a"]["score"] == pytest.approx(best["score"]) and found["metric"] == best["metric"] == "cluener"
    assert found["texts"] == 40 and found["a"]["runs"][0]["name"] == str(one)
    assert found["difference"] != 0 and found["sign_test"]["repaired"] + found["sign_test"]["broken"] > 0
    span = compared(capsys, one, other, "--metric", "span")
    assert span["metric"] == "span" and span["difference"] != found["difference"]
    assert compared(capsys, one, one)["probability"] == 0.5
    assert "not told apart" in command_here(one.parent, "compare", one, one).stderr


def test_a_group_stands_for_its_members(pair: tuple[Path, Path], tmp_path: Path, capsys: Capture) -> None:
    one, _ = pair
    group = new_group("ner-globalpointer", "ner", 1, [1, 2], prepared="", base="", assignment="", files={})
    place = tmp_path / "seeds"
    for run, name in zip(pair, group.members, strict=True):
        shutil.copytree(run, place / name)
    write_group(place, group)
    found = compared(capsys, one, place)
    assert [run["name"] for run in found["b"]["runs"]] == [str(place / name) for name in group.members]
    assert found == compared(capsys, "--a", one, "--b", *(place / name for name in group.members))
    for name in group.members:
        update_run(place / name, state="interrupted")
    assert "has no finished member yet" in complaint(capsys, "compare", one, place)


def test_an_ensemble_that_keeps_no_scores_is_compared_by_what_it_wrote(
    pair: tuple[Path, Path], capsys: Capture
) -> None:
    one, other = pair
    before = compared(capsys, one, other)
    for name in ("candidates.json", "candidates.arrow"):
        (one / "dev" / name).unlink()
    found = compared(capsys, one, other)
    for key in ("difference", "interval", "probability", "sign_test", "moved"):
        assert found[key] == before[key], key
    np.save(one / "dev" / "counts.npy", np.zeros((3, 3)))
    assert "dev: is damaged (counts of 3 texts)" in complaint(capsys, "compare", one, other)
    (other / "dev" / "candidates.json").unlink()
    assert "keeps no scores of dev, and nor does what" in complaint(capsys, "compare", one, other)


def test_what_cannot_be_compared(pair: tuple[Path, Path], tmp_path: Path, capsys: Capture) -> None:
    one, other = pair
    gold, a, b = FILES["ner-crf"](tmp_path)
    update_run(other, task="ske")
    said = complaint(capsys, "compare", one, other)
    assert "is a run of the task ske" in said and "compare runs of one task" in said
    update_run(other, task="ner")
    write_settings(other, ["score.metric=span"])
    said = complaint(capsys, "compare", one, other)
    assert "is scored by span" in said and "--metric cluener" in said
    about = json.loads((other / "dev" / "candidates.json").read_text(encoding="utf-8"))
    about["about"]["input"] = "another"
    (other / "dev" / "candidates.json").write_text(json.dumps(about), encoding="utf-8")
    said = complaint(capsys, "compare", one, other)
    assert f"{other}: was scored on another dev than {one}" in said and "--gold FILE --recipe ner-globalpointer" in said
    update_run(one, prepared=str(tmp_path / "gone"))
    assert "the prepared data of its dev is gone" in complaint(capsys, "compare", one, one)
    shutil.rmtree(other / "dev")
    assert "keeps nothing of dev: it is of an older version" in complaint(capsys, "compare", one, other)
    update_run(other, state="interrupted", process=None)
    assert "has nothing of dev yet (interrupted)" in complaint(capsys, "compare", one, other)
    update_run(other, overfit=3)
    assert "is a self-check" in complaint(capsys, "compare", one, other)
    assert "no such run folder" in complaint(capsys, "compare", one, tmp_path / "nowhere")
    assert "is a file; runs are compared by their folders" in complaint(capsys, "compare", one, a)
    assert "is a folder; with --gold" in complaint(capsys, "compare", one, a, "--gold", gold, "--recipe", "ner-crf")
    for arguments, what in (
        ([a], "two are compared, 1 is named"),
        ([], "two are compared, 0 are named"),
        ([a, b, gold], "two are compared, 3 are named"),
        ([a, "--a", b], "stands beside --a and --b"),
        (["--a", a, b], "--b: is missing"),
        ([a, b, "--gold", gold], "--recipe: is missing"),
        ([one, one, "--recipe", "ske"], "--recipe: means something to submissions only"),
        ([a, b, "--gold", gold, "--recipe", "ner-crf", "--metric", "bleu"], "no scoring variant 'bleu'"),
        ([one, one, "--metric", "bleu"], "no scoring variant 'bleu'"),
        ([a, b, "--gold", tmp_path / "no", "--recipe", "ner-crf"], "no"),
        ([a, b, "--gold", "-", "--recipe", "ner-crf"], "--gold: is read more than once"),
        (["-", "-", "--gold", gold, "--recipe", "ner-crf"], "is read more than once"),
        ([a, b, "--gold", gold, "--recipe", "ner-crf", "--json", "--tsv"], "--json and --tsv"),
        ([a, b, "--gold", gold, "--recipe", "ner-crf", "--file", "kb=x"], "--kb: means nothing to the scorers"),
    ):
        assert what in complaint(capsys, "compare", *arguments), arguments


def test_near_duplicates_of_events_are_drawn_together(tmp_path: Path, capsys: Capture) -> None:
    """By their texts, not by their ids; and where nothing differs there are too few to draw."""
    text, event = "甲公司收购乙公司", {"event_type": "收购", "trigger": "收购", "trigger_start_index": 3}
    event = {**event, "arguments": [{"role": "收购方", "argument": "甲公司", "argument_start_index": 0}]}
    records = [{"id": f"{n}-1", "text": text + "。" * n, "event_list": [event]} for n in range(4)]
    records += [{"id": "01", "text": "丙公司裁员", "event_list": []}]
    gold = written(tmp_path, "gold.json", records)
    a = written(tmp_path, "a.json", [{**one, "event_list": []} for one in records])
    found = compared(capsys, a, gold, "--gold", gold, "--recipe", "events")
    assert (found["texts"], found["groups"]) == (5, 2)
    lone = written(tmp_path, "lone.json", records[:1])
    done = command_here(tmp_path, "compare", lone, lone, "--gold", lone, "--recipe", "events")
    assert "too few texts that differ for an interval" in done.stdout + done.stderr


def test_a_slip_goes_once_into_the_sign_test(tmp_path: Path, capsys: Capture) -> None:
    """A wrong boundary is a spurious and a missed item; what is tested are the items of gold."""
    texts = [
        f"{name}的妻子是{other}"
        for name, other in (("甲乙", "丙丁"), ("戊己", "庚辛"), ("壬癸", "子丑"), ("寅卯", "辰巳"))
    ]
    whole = [(text[:2], text[-2:]) for text in texts]

    def write(name: str, pairs: list[tuple[str, str]]) -> Path:
        lines = [
            {"text": text, "spo_list": [
                {"subject": a, "predicate": "妻子", "object": {"@value": b}, "subject_type": "人物",
                 "object_type": {"@value": "人物"}}]}
            for text, (a, b) in zip(texts, pairs, strict=True)
        ]  # fmt: skip
        path = tmp_path / name
        path.write_text("".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines), encoding="utf-8")
        return path

    gold, right, wrong = write("g.json", whole), write("b.json", whole), write("a.json", [(a[1:], b) for a, b in whole])
    found = json.loads(output_of(capsys, "compare", wrong, right, "--gold", gold, "--recipe", "ske", "--json"))
    assert found["sign_test"]["repaired"] == 8 and found["sign_test"]["p"] == pytest.approx(2 * 0.5**4)
