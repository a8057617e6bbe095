"""A training file of questions with some answers changed: of every form an edit changes those alone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ietool.core.labelled import Edits
from ietool.errors import UserError
from ietool.tasks.qa.data.answers import UNKNOWN, WHOLE, Answer
from ietool.tasks.qa.data.question import Question
from ietool.tasks.qa.data.reading import load_questions
from tests.tasks.qa.made import dump
from tests.tasks.qa.test_labels import LABELS, SQUAD, WEBQA, rows_of


def edited(file: Path, changes: dict[int, tuple[list[Answer], list[Answer]]]) -> tuple[str, list[Question]]:
    """A file after edits of some of its questions, by number: (without, added); and its questions."""
    questions = list(load_questions(file))
    edits = {LABELS.same(questions[n]): Edits(list(gone), list(new)) for n, (gone, new) in changes.items()}
    text = "".join(LABELS.edited(file, edits))
    assert all(edit.seen == 1 for edit in edits.values())
    after = file.with_name(f"after-{file.name}")
    after.write_text(text, "utf-8")
    return text, list(load_questions(after))


@pytest.mark.parametrize("layout", ["list", "lines", "objects"])
def test_a_list_of_questions(tmp_path: Path, layout: str) -> None:
    dumped = [json.dumps(one, ensure_ascii=False) for one in WEBQA]
    indented = [json.dumps(one, ensure_ascii=False, indent=1) for one in WEBQA]
    text = {"list": f"\ufeff[{', '.join(dumped)}]", "lines": "\r\n".join(dumped), "objects": "\n".join(indented)}
    file = tmp_path / "train.json"
    file.write_text(text[layout], "utf-8", newline="")
    first, second, third = load_questions(file)
    assert [[a.passage for a in LABELS.gold(q)] for q in (first, second, third)] == [[0, 0], [WHOLE], [0]]
    assert all(a.start == UNKNOWN for q in (first, second, third) for a in LABELS.gold(q))
    changes = {
        0: ([Answer("林满", 0)], [Answer("何舟", 0), Answer("何舟", 1)]),
        1: ([Answer("云州")], [Answer("雨山")]),
        2: ([Answer("昨天", 0)], []),
    }
    text_after, after = edited(file, changes)
    if layout == "lines":
        records = [json.loads(line) for line in text_after.splitlines()]
    else:
        records = json.loads(text_after) if layout == "list" else [json.loads(x) for x in text_after.splitlines()]
    passages = [WEBQA[0]["passages"][0], {**WEBQA[0]["passages"][1], "answer": ["Ada", "何舟"]},
                {**WEBQA[0]["passages"][2], "answer": "何舟"}]  # fmt: skip
    assert records[0] == {**WEBQA[0], "passages": passages, "golden_answers": ["Ada", "何舟"]}
    assert records[1] == {**WEBQA[1], "answer": "雨山"}
    assert records[2] == {**WEBQA[2], "passages": [{"passage": "昨天", "answer": "no_answer"}]}
    assert [q.answers for q in after] == [("Ada", "何舟"), ("雨山",), ()]
    # Without edits lines stay the same bytes, and documents the same values.
    plain = "".join(LABELS.edited(file, {}))
    assert plain == "\n".join(dumped) + "\n" if layout != "list" else json.loads(plain) == WEBQA


def test_a_squad_document(tmp_path: Path) -> None:
    file = dump(tmp_path / "train.json", SQUAD)
    assert json.loads("".join(LABELS.edited(file, {}))) == SQUAD
    gold = [LABELS.gold(q) for q in load_questions(file)]
    assert gold == [[Answer("云州", 0, 3)], [], [Answer("北边", 0, 6)]]
    changes = {0: ([Answer("云州", 0, 3)], [Answer("云州", 0, 0)]), 1: ([], [Answer("北边", 0, 6)]),
               2: ([Answer("北边", 0, 6)], [])}  # fmt: skip
    text, after = edited(file, changes)
    document = json.loads(text)
    entries = document["data"][0]["paragraphs"][0].pop("qas")
    kept = json.loads(json.dumps(SQUAD))
    before = kept["data"][0]["paragraphs"][0].pop("qas")
    assert document == kept
    assert entries == [
        {**before[0], "answers": [{"text": "云州", "answer_start": 0}]},
        {**before[1], "answers": [{"text": "北边", "answer_start": 6}], "is_impossible": False},
        {**before[2], "answers": {"text": [], "answer_start": []}, "is_impossible": True},
    ]
    assert [LABELS.gold(q) for q in after] == [[Answer("云州", 0, 0)], [Answer("北边", 0, 6)], []]


def test_the_first_release_of_cmrc(tmp_path: Path) -> None:
    entry = {"query_id": "q", "query_text": "哪里？", "answers": ["云州", "北边"]}
    some = [{"context_id": "c", "context_text": "云州在云州的北边", "qas": [entry], "title": "t"}]
    file = dump(tmp_path / "train.json", some)
    text, _ = edited(file, {0: ([Answer("北边", 0)], [Answer("的北边", 0)])})
    assert json.loads(text) == [{**some[0], "qas": [{**entry, "answers": ["云州", "的北边"]}]}]


def documents(**more: Any) -> dict[str, Any]:
    return {
        "question_id": 5, "question": "多高？", "question_type": "ENTITY", "fact_or_opinion": "FACT",
        "answers": ["约三百米高", "三百米"], "entity_answers": [["三百米"], ["三百米"]], "yesno_answers": [],
        "documents": [
            {"title": "塔", "paragraphs": ["塔高 三百米 。", "旧塔高九十米。"], "is_selected": True},
            {"title": "桥", "paragraphs": ["桥长十米。"], "is_selected": False}], **more}  # fmt: skip


def test_references_of_dureader(tmp_path: Path) -> None:
    record = documents()
    file = tmp_path / "train.json"
    file.write_text(json.dumps(record, ensure_ascii=False) + "\n", "utf-8")
    (question,) = load_questions(file)
    assert LABELS.gold(question) == [Answer("约三百米高"), Answer("三百米")]
    assert LABELS.asked(question, rows_of(question), LABELS.gold(question)) == [False, True]
    text, _ = edited(file, {0: ([Answer("三百米")], [Answer("九十米")])})
    assert json.loads(text) == {
        **record,
        "answers": ["约三百米高", "九十米"],
        "entity_answers": [["三百米"], ["九十米"]],
    }
    text, _ = edited(file, {0: ([Answer("约三百米高")], [])})
    assert json.loads(text) == {**record, "answers": ["三百米"], "entity_answers": [["三百米"]]}


def test_spans_of_dureader(tmp_path: Path) -> None:
    record = documents(fake_answers=["三百米"], answer_spans=[[2, 3]], answer_docs=[0], match_scores=[0.9])
    first, second = record["documents"]
    first |= {"segmented_paragraphs": [["塔", "高", "三百", "米", "。"], ["旧塔", "高", "九十", "米", "。"]]}
    first["most_related_para"] = 0
    second |= {"segmented_paragraphs": [["桥", "长", "十", "米", "。"]], "most_related_para": 0}
    file = tmp_path / "train.json"
    file.write_text(json.dumps(record, ensure_ascii=False) + "\n", "utf-8")
    (question,) = load_questions(file)
    old = Answer("三百米", 0, 3)
    assert LABELS.gold(question) == [old]
    text, (after,) = edited(file, {0: ([old], [Answer("九十米", 1, 3)])})
    new = json.loads(text)
    assert new["documents"] == [{**first, "most_related_para": 1}, second]
    told = {"fake_answers": ["九十米"], "answer_spans": [[2, 3]], "answer_docs": [0], "match_scores": [1.0]}
    assert new == {**record, **told, "documents": new["documents"]}
    assert LABELS.gold(after) == [Answer("九十米", 1, 3)]
    _, (after,) = edited(file, {0: ([], [Answer("十米", 2, 2)])})
    assert LABELS.gold(after) == [old, Answer("十米", 2, 2)]
    with pytest.raises(UserError, match="document 0 has an answer in paragraph 0 already, and can have none in para"):
        edited(file, {0: ([], [Answer("九十米", 1, 3)])})


def test_what_is_no_question_stays(tmp_path: Path) -> None:
    """Bad records, a repeated id with other passages, and one that is the very same, which changes too."""
    good = {"id": "g", "question": "谁？", "passages": [{"passage": "林满", "answer": "林满"}]}
    other = {**good, "passages": [{"passage": "何舟", "answer": "何舟"}]}
    some: list[Any] = [7, {"question": 3, "passages": []}, good, other, good, None]
    file = dump(tmp_path / "train.json", some)
    question = next(load_questions(dump(tmp_path / "good.json", [good])))
    edits = {LABELS.same(question): Edits([Answer("林满", 0)], [])}
    after = json.loads("".join(LABELS.edited(file, edits)))
    changed = {**good, "passages": [{"passage": "林满", "answer": "no_answer"}]}
    assert after == [7, some[1], changed, other, changed, None]
    assert edits[LABELS.same(question)].seen == 2


def test_memory_does_not_grow_with_a_document(tmp_path: Path) -> None:
    """The first piece is written before the last record is read."""
    good = [
        {"id": str(n), "question": "谁？", "passages": [{"passage": "林满" * 2000, "answer": ""}]} for n in range(60)
    ]
    file = dump(tmp_path / "train.json", good)
    cut = file.read_text("utf-8")[:-100]
    file.write_text(cut, "utf-8")
    pieces = LABELS.edited(file, {})
    assert len(next(pieces)) > 4000 and len(next(pieces)) > 4000
    with pytest.raises(UserError, match="is cut off"):
        list(pieces)
