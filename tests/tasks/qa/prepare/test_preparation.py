"""What a preparation writes, counts and says, from files of every form. All sentences are invented."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from datasets import load_from_disk

from ietool.core.contract import PrepareReport
from ietool.core.groups import GROUPS
from ietool.core.sources import Sources
from ietool.errors import UserError
from ietool.recipe_io import load_recipe
from ietool.tasks.qa import QaTask
from ietool.tasks.qa.data.question import Question
from ietool.tasks.qa.data.reading import load_questions
from ietool.tasks.qa.features.cooccurrence import COOCCURRENCE
from ietool.tasks.qa.features.featurizer import Featurizer
from ietool.tasks.qa.features.labels import LABELLED
from ietool.tasks.qa.heads.reader.recipe import ReaderRecipe
from ietool.tasks.qa.heads.reader.sampling import QaTrainingSet
from ietool.tasks.qa.prepare.preparation import KEPT

BOOKS = ("青砖巷", "云州旧事", "雨水经", "山中书")
PEOPLE = ("林满", "何舟", "Ada Lin")


def fact(number: int) -> tuple[str, str, str]:
    """(question, passage, answer)."""
    book, person = BOOKS[number % 4], PEOPLE[number % 3]
    return f"{book}是谁写的，第{number}问？", f"《{book}》由{person}写于云州，{person}后来离开了。", person


def webqa(number: int) -> dict[str, Any]:
    asked, passage, answer = fact(number)
    return {
        "id": f"w{number}", "question": asked, "golden_answers": [answer],
        "passages": [{"passage": "云州多雨。", "answer": ""}, {"passage": passage, "answer": answer}],
    }  # fmt: skip


def squad(number: int, *answers: tuple[str, int], context: str | None = None, **more: Any) -> dict[str, Any]:
    asked, passage, answer = fact(number)
    passage = passage if context is None else context
    found = answers or ((answer, passage.index(answer)),)
    entry = {"id": f"s{number}", "question": asked,
             "answers": [{"text": text, "answer_start": start} for text, start in found]}  # fmt: skip
    return {"context": passage, "qas": [entry | more]}


def dureader(number: int, label: str) -> dict[str, Any]:
    return {
        "question_id": number, "question_type": "YES_NO", "question": f"云州雨水多吗，第{number}问",
        "documents": [{"title": "云州", "is_selected": True, "most_related_para": 1,
                       "paragraphs": ["<p>云州&nbsp;在山中</p>", "云州雨水很多"],
                       "segmented_paragraphs": [["<p>"], ["云州", "雨水", "很", "多"]]}],
        "answers": ["雨水很多"], "yesno_answers": [label], "fake_answers": ["雨水很多"], "answer_spans": [[1, 3]],
        "answer_docs": [0],
    }  # fmt: skip


def write(path: Path, records: list[dict[str, Any]]) -> Path:
    """WebQA as a list, DuReader a line each, SQuAD as its document."""
    if "context" in records[0]:
        text = json.dumps({"data": [{"title": "云州", "paragraphs": records}]}, ensure_ascii=False)
    elif "documents" in records[0]:
        text = "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records)
    else:
        text = json.dumps(records, ensure_ascii=False)
    path.write_text(text, encoding="utf-8")
    return path


class Prepared(NamedTuple):
    recipe: ReaderRecipe
    folder: Path
    report: PrepareReport

    def rows(self) -> list[dict[str, Any]]:
        return list(load_from_disk(str(self.folder / "train")).with_format("numpy"))

    def numbers(self, split: str = "train") -> dict[str, Any]:
        found: dict[str, Any] = self.report.statistics[split]
        return found


def run(
    folder: Path,
    train: list[dict[str, Any]],
    dev: list[dict[str, Any]] | None = None,
    *overrides: str,
    skip_bad: bool = False,
) -> Prepared:
    folder.mkdir(parents=True, exist_ok=True)
    recipe = load_recipe("qa", ("data.window=32", "data.overlap=16", "data.min_char_count=1", *overrides))
    assert isinstance(recipe, ReaderRecipe)
    files = {"train": write(folder / "train.json", train)}
    if dev is not None:
        files["dev"] = write(folder / "dev.json", dev)
    out = folder / "out"
    out.mkdir()
    rejects = out / "rejects.jsonl" if skip_bad else None
    report = QaTask().prepare(recipe, Sources(files), out, rejects=rejects, progress=lambda *_: None)
    return Prepared(recipe, out, report)


def read_split(folder: Path, split: str, limit: int | None) -> list[Question]:
    return KEPT.split(folder, split, limit)


def spans(row: dict[str, Any]) -> list[list[int]]:
    """Start and inclusive end."""
    found: list[list[int]] = row["spans"].reshape(-1, 2).tolist()
    return found


# -- the table


def test_every_occurrence_is_labelled_and_others_are_negative(tmp_path: Path) -> None:
    prepared = run(tmp_path, [webqa(n) for n in range(6)], [webqa(99)])
    rows = prepared.rows()
    assert len(rows) == 12 and [int(row["record"]) for row in rows] == [n // 2 for n in range(12)]
    featurizer = Featurizer.open(prepared.recipe, prepared.folder)
    for number in range(6):
        asked, passage, answer = fact(number)
        blank, full = rows[2 * number : 2 * number + 2]
        assert spans(blank) == []
        starts = [at for at in range(len(passage)) if passage.startswith(answer, at)]
        assert len(starts) == 2 and spans(full) == [[at, at + len(answer) - 1] for at in starts]
        expected = featurizer.encode(featurizer.question(asked), passage)
        for name, values in zip(("characters", "words", "tags"), expected.passage, strict=True):
            np.testing.assert_array_equal(full[name], values)
        for name, values in zip(("characters", "words", "tags"), expected.question, strict=True):
            np.testing.assert_array_equal(full[f"question_{name}"], values)
        np.testing.assert_array_equal(full["shared"].reshape(-1, COOCCURRENCE), expected.shared)
        assert full["length"] == len(passage) and full["label"] == -1
    assert not (prepared.folder / LABELLED).exists()
    assert (expected.passage[0] > 1).all()  # every character of train is known


def test_a_position_counts_there_alone(tmp_path: Path) -> None:
    prepared = run(tmp_path, [squad(0), squad(1, ("何舟", -1))], [squad(9)])
    first, second = prepared.rows()
    assert spans(first) == [[6, 7]]  # 林满 stands twice
    assert len(spans(second)) == 2
    assert prepared.numbers()["positions_repaired"] == 0


def test_wrong_positions_are_mended_and_counted(tmp_path: Path) -> None:
    wrong = [squad(0, ("林满", 5)), squad(3, ("林满", 4_000)), squad(6, ("林满", -1)), squad(9)]
    prepared = run(tmp_path, wrong, [squad(12, ("林满", 0))])
    assert prepared.numbers()["positions_repaired"] == 2
    assert prepared.numbers("dev")["positions_repaired"] == 1
    found = [spans(row) for row in prepared.rows()]
    assert found[0] == [[6, 7]] and found[1] == [found[2][1]] and len(found[2]) == 2


def test_what_cannot_be_located_is_left_out_and_counted_by_reason(tmp_path: Path) -> None:
    long = "雨" * 60
    train = [
        squad(0),
        squad(1, ("无此人", 3)),
        squad(2, ("  ", 0)),
        squad(3, (long, 2), context=f"有人写{long}了"),
        squad(4, is_impossible=True),
    ]
    prepared = run(tmp_path, train, [squad(9)])
    lost = prepared.numbers()["oracle"]
    assert {reason: n for reason, n in lost["lost"].items() if n} == {
        "the answer is empty": 1,
        "the answer is not in the passage": 1,
        "the answer is too long": 1,
    }
    assert lost["recall"] == pytest.approx(1 / 4)
    assert prepared.report.statistics["unlocated"] == 2 and prepared.numbers()["impossible"] == 1
    assert [len(spans(row)) for row in prepared.rows()] == [1, 1, 0]
    assert any(note.startswith("2 training questions are left out") for note in prepared.report.notes)


def test_further_questions_whose_answer_stands_nowhere_are_not_learnt(tmp_path: Path) -> None:
    recipe = load_recipe("qa", ("data.window=32", "data.overlap=16", "data.min_char_count=1"))
    files = {"train": write(tmp_path / "train.json", [squad(n) for n in range(3)]),
             "dev": write(tmp_path / "dev.json", [squad(9)]),
             "extra": write(tmp_path / "extra.json", [squad(4), squad(5, ("绝无此文", 3))])}  # fmt: skip
    (tmp_path / "out").mkdir()
    report = QaTask().prepare(recipe, Sources(files), tmp_path / "out", rejects=None, progress=lambda *_: None)
    prepared = Prepared(recipe, tmp_path / "out", report)  # type: ignore[arg-type]
    assert [len(spans(row)) for row in prepared.rows()] == [1, 1, 1, 1]
    assert report.statistics["extra"]["oracle"]["lost"]["the answer is not in the passage"] == 1


def test_passages_that_answer_are_learnt_from_though_not_chosen(tmp_path: Path) -> None:
    one = webqa(0)
    asked = one["question"]
    one["passages"] = [{"passage": f"{asked}不知道{n}", "answer": ""} for n in range(4)] + [one["passages"][1]]
    prepared = run(tmp_path, [one], [webqa(1)], "data.paragraphs=2")
    assert [len(spans(row)) for row in prepared.rows()] == [0, 0, 2]
    assert prepared.numbers()["passages"] == 5 and prepared.numbers()["passages_read"] == 2
    assert prepared.numbers()["oracle"]["lost"]["its passage is not among those that are read"] == 1


def test_labels_and_spans_of_dureader(tmp_path: Path) -> None:
    prepared = run(tmp_path, [dureader(1, "Yes"), dureader(2, "Depends"), dureader(3, "No")], [dureader(9, "No")])
    rows = prepared.rows()
    assert [int(row["label"]) for row in rows] == [0, 0, 2, 2, 1, 1]
    assert [spans(row) for row in rows[:2]] == [[], [[2, 5]]]
    assert (prepared.folder / LABELLED).is_file()
    assert prepared.numbers()["passages_with_markup"] == 3
    assert any("HTML" in note for note in prepared.report.notes)


def test_raw_documents_are_labelled_where_a_reference_stands(tmp_path: Path) -> None:
    raw = dureader(1, "Yes")
    for key in ("fake_answers", "answer_spans", "answer_docs"):
        del raw[key]
    prepared = run(tmp_path, [raw], [dureader(9, "No")])
    assert [spans(row) for row in prepared.rows()] == [[], [[2, 5]]]
    assert prepared.numbers()["passages_with_an_answer"] == 1


# -- files


def test_questions_on_one_passage_are_held_out_together(tmp_path: Path) -> None:
    """Near-duplicates too, which differ in case and punctuation."""
    paragraphs = []
    for number in range(30):
        passage = f"第{number}座青砖塔由第{number}位工匠建成，工匠名叫王小{number}，时在秋天。"
        asked = (f"第{number}座塔是谁建的？", f"第{number}座塔是谁建的", f"第{number}位工匠叫什么？")
        answer = {"text": f"王小{number}", "answer_start": passage.index("王小")}
        qas = [{"id": f"{number}-{n}", "question": text, "answers": [answer]} for n, text in enumerate(asked)]
        paragraphs.append({"context": passage, "qas": qas})
    (tmp_path / "t").mkdir()
    prepared = run(tmp_path / "t", paragraphs, None, "data.held_out=0.3")
    ids = [
        {q.question_id.partition("-")[0] for q in read_split(prepared.folder, name, None)} for name in ("dev", "train")
    ]
    assert ids[0] and ids[1] and not ids[0] & ids[1]


def test_without_dev_the_same_share_is_held_out_each_time(tmp_path: Path) -> None:
    train = [webqa(n) for n in range(60)]
    repeated = [*train, webqa(3) | {"id": "again"}]  # on the same side as its equal
    first, second, other = (
        run(tmp_path / name, records, None, "data.held_out=0.3", f"data.held_out_seed={seed}")
        for name, records, seed in (("a", repeated, 1), ("b", train[::-1], 1), ("c", train, 2))
    )
    held = [{q.text for q in read_split(p.folder, "dev", None)} for p in (first, second, other)]
    assert held[0] == held[1] != held[2] and 8 <= len(held[0]) <= 30
    kept = {q.text for q in read_split(first.folder, "train", None)}
    assert not kept & held[0] and len(kept | held[0]) == 60
    assert first.numbers()["records"] + first.numbers("dev")["records"] == 61
    assert any("are held out (data.held_out=0.3, seed 1)" in note for note in first.report.notes)


def test_nothing_to_hold_out_is_told(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="gives no question to hold out as dev") as caught:
        run(tmp_path, [webqa(0)], None, "data.held_out=0")
    assert "--dev" in (caught.value.mend or "")


def test_more_files_of_any_form_are_learnt_from(tmp_path: Path) -> None:
    more = [write(tmp_path / "more.json", [squad(n) for n in range(20, 23)]),
            write(tmp_path / "further.jsonl", [dureader(1, "Yes")])]  # fmt: skip
    prepared = run(tmp_path / "run", [webqa(0), webqa(1)], [webqa(9)], f"data.more=[{more[0]}, {more[1]}]")
    assert prepared.numbers()["forms"] == {"webqa": 2, "squad": 3, "dureader2": 1}
    assert len(prepared.rows()) == 4 + 3 + 2
    with pytest.raises(UserError, match="no such file"):
        run(tmp_path / "other", [webqa(0)], [webqa(9)], f"data.more=[{tmp_path / 'gone.json'}]")


def test_repeated_ids_are_an_error_or_left_out(tmp_path: Path) -> None:
    train = [webqa(0), webqa(1), webqa(2) | {"id": "w0"}, webqa(3) | {"id": 7}, webqa(4) | {"id": "7"}]
    with pytest.raises(UserError, match="repeats the id w0"):
        run(tmp_path / "a", train, [webqa(9)])
    prepared = run(tmp_path / "b", train, [webqa(9)], skip_bad=True)
    assert prepared.numbers()["records"] == 3 and prepared.numbers()["rejected"] == prepared.report.rejected == 2
    assert len((prepared.folder / "rejects.jsonl").read_text(encoding="utf-8").splitlines()) == 2


def test_questions_of_dev_that_train_has_are_told(tmp_path: Path) -> None:
    prepared = run(tmp_path, [webqa(0), webqa(1)], [webqa(1) | {"id": "d1"}, webqa(2)])
    assert prepared.report.statistics["overlap"] == {"questions": 1}
    assert any("its score flatters" in note for note in prepared.report.notes)


def test_dev_and_the_head_of_train_come_back_whole(tmp_path: Path) -> None:
    train = [dureader(1, "Yes"), dureader(2, "No")]
    prepared = run(tmp_path, train, [dureader(3, "Depends"), dureader(4, "No")])
    assert read_split(prepared.folder, "train", None) == list(load_questions(tmp_path / "train.json"))
    assert read_split(prepared.folder, "dev", None) == list(load_questions(tmp_path / "dev.json"))
    assert [q.question_id for q in read_split(prepared.folder, "dev", 1)] == ["3"]


def test_all_of_train_is_kept_what_is_learnt_from_first(tmp_path: Path) -> None:
    train = [squad(0, ("无此人", 0)), squad(1), squad(2, is_impossible=True), squad(4, ("亦无", 0)), squad(5)]
    prepared = run(tmp_path, train, [squad(9)])
    kept = read_split(prepared.folder, "train", None)
    assert [q.question_id for q in kept] == ["s1", "s2", "s5", "s0", "s4"]
    assert [int(row["record"]) for row in prepared.rows()] == [0, 1, 2]
    assert [q.question_id for q in KEPT.read(prepared.folder / "train.jsonl", [0, 3])] == ["s1", "s0"]
    data = QaTrainingSet(prepared.recipe, prepared.folder, rows=[0, 2, 4])  # of the last there is nothing to learn
    assert len(data) == len(data.lengths) == 2
    whole = QaTrainingSet(prepared.recipe, prepared.folder)
    np.testing.assert_array_equal(data[1]["features"].passage[0], whole[2]["features"].passage[0])
    assert data[1]["label"] == whole[2]["label"]


def test_questions_that_share_a_passage_are_of_one_group(tmp_path: Path) -> None:
    same = squad(0)
    same["qas"].append(squad(1, ("林满", 6))["qas"][0])
    spaced = squad(2, ("林满", -1), context=same["context"].replace("，", " ,"))  # all but the same passage
    prepared = run(tmp_path / "a", [same, spaced, squad(3), squad(5)], [squad(9)])
    groups = np.load(prepared.folder / GROUPS)
    kept = read_split(prepared.folder, "train", None)
    assert [q.question_id for q in kept] == ["s0", "s1", "s2", "s3", "s5"]
    assert groups.tolist() == [0, 0, 0, 3, 4]
    # All lists have the short passage 云州多雨 in common, which tells nothing.
    lists = run(tmp_path / "b", [webqa(0), webqa(7), webqa(0) | {"id": "again"}], [webqa(9)])
    assert np.load(lists.folder / GROUPS).tolist() == [0, 1, 0]


def test_held_out_questions_keep_the_order_of_the_file(tmp_path: Path) -> None:
    train = [squad(n, ("无此人", 0)) if n % 3 else squad(n) for n in range(60)]
    prepared = run(tmp_path, train, None, "data.held_out=0.4")
    held = [int(q.question_id[1:]) for q in read_split(prepared.folder, "dev", None)]
    assert held == sorted(held) and any(n % 3 for n in held)


def test_nothing_to_learn_from_is_told(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="has no passage to learn from"):
        run(tmp_path, [squad(0, ("无此人", 0))], [squad(1)])


# -- long passages


LENGTH = 200_000


@pytest.fixture(scope="module")
def long(tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    """A passage with an answer at its end and one in its midst."""
    filler = "云州多雨，山中有书。" * (LENGTH // 10)
    text = filler[: LENGTH // 2] + "林满" + filler[LENGTH // 2 + 4 :] + "林满"
    record = {"id": 1, "question": "谁在云州？", "passages": [{"passage": text, "answer": "林满"}]}
    return run(tmp_path_factory.mktemp("long"), [record | {"golden_answers": ["林满"]}, webqa(1)], [webqa(9)])


def test_a_passage_of_200000_characters_is_kept_whole(long: Prepared) -> None:
    row = long.rows()[0]
    assert row["length"] == len(row["characters"]) == LENGTH
    assert spans(row) == [[LENGTH // 2, LENGTH // 2 + 1], [LENGTH - 2, LENGTH - 1]]
    assert any("are read in windows" in note for note in long.report.notes)


def test_windows_are_drawn_by_seed_epoch_and_index(long: Prepared) -> None:
    def drawn(seed: int, epochs: range) -> list[list[int]]:
        recipe = long.recipe.model_copy(deep=True)
        recipe.training.seed = seed
        data = QaTrainingSet(recipe, long.folder)
        found = []
        for epoch in epochs:
            data.set_epoch(epoch)
            found.append(data[0]["features"].passage[0].tolist() + data[0]["spans"].reshape(-1).tolist())
        return found

    assert drawn(1, range(8)) == drawn(1, range(8)) == [*drawn(1, range(4)), *drawn(1, range(4, 8))]
    assert drawn(1, range(8)) != drawn(2, range(8))
    assert len({tuple(one) for one in drawn(1, range(8))}) > 1


def test_windows_hold_the_answer_as_often_as_asked(long: Prepared) -> None:
    def shares(answer_windows: float, epochs: int) -> tuple[float, set[int]]:
        recipe = long.recipe.model_copy(deep=True)
        recipe.sampling.answer_windows = answer_windows
        data = QaTrainingSet(recipe, long.folder)
        hits, sizes = 0, set()
        name = data.data[0]["characters"][LENGTH // 2 : LENGTH // 2 + 2]
        for epoch in range(epochs):
            data.set_epoch(epoch)
            item = data[0]
            piece = item["features"].passage[0].tolist()
            sizes.add(len(piece))
            assert item["features"].shared.shape == (len(piece), COOCCURRENCE)
            hits += len(item["spans"]) > 0
            for start, end in item["spans"].tolist():
                assert piece[start : end + 1] == name
        return hits / epochs, sizes

    always, sizes = shares(1.0, 120)
    assert always == 1
    assert max(sizes) == 32 and min(sizes) >= 16 and len(sizes) > 5  # from half the window to the whole
    assert shares(0.0, 40)[0] < 0.1
    assert 0.6 < shares(0.8, 120)[0] < 0.95


def test_a_short_passage_is_seen_whole(long: Prepared) -> None:
    data = QaTrainingSet(long.recipe, long.folder)
    assert list(data.lengths) == [32, *(len(row["characters"]) for row in long.rows()[1:])]
    passage = fact(1)[1]
    for epoch in range(3):
        data.set_epoch(epoch)
        item = data[2]
        assert len(item["features"].passage[0]) == len(passage) and len(item["spans"]) == 2


def test_a_batch_holds_its_items_and_their_places(long: Prepared) -> None:
    data = QaTrainingSet(long.recipe, long.folder)
    items = [data[index] for index in range(3)]
    batch = data.collate(items)
    assert batch["characters"].shape == (3, max(len(item["features"].passage[0]) for item in items))
    assert batch["has_answer"].tolist() == [float(len(item["spans"]) > 0) for item in items]
    expected = {(row, at, side) for row, item in enumerate(items)
                for span in item["spans"].tolist() for side, at in enumerate(span)}  # fmt: skip
    assert sorted(map(tuple, batch["targets"].T.tolist())) == sorted(expected)
    for row, item in enumerate(items):
        features = item["features"]
        for name, values, size in (("characters", features.passage[0], "lengths"),
                                   ("question", features.question[0], "question_lengths")):  # fmt: skip
            assert batch[name][row, : batch[size][row]].tolist() == values.tolist()
            assert not batch[name][row, batch[size][row] :].any()
        assert not batch["shared"][row, len(features.passage[0]) :].any()
    assert data.collate(items[1:2])["targets"].shape == (3, 0)


def test_so_many_questions_are_those_of_the_head(tmp_path: Path) -> None:
    """``--overfit N`` must score on what it learns from."""
    prepared = run(tmp_path, [squad(5, ("无此人", 0)), squad(0), squad(1), squad(2)], [squad(9)])
    head = read_split(prepared.folder, "train", 2)
    assert [q.question_id for q in head] == ["s0", "s1"]
    data = QaTrainingSet(prepared.recipe, prepared.folder, rows=range(2))
    assert len(data) == len(data.lengths) == 2
    several = run(tmp_path / "several", [webqa(n) for n in range(4)], [webqa(9)])
    data = QaTrainingSet(several.recipe, several.folder, rows=range(2))
    assert len(data) == 4 and data.collate([data[n] for n in range(4)])["has_answer"].tolist() == [0, 1, 0, 1]
    assert len(QaTrainingSet(several.recipe, several.folder, rows=range(99))) == 8
