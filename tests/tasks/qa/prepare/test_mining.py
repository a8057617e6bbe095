"""Passages of other questions that are learnt as ones without an answer. All sentences are invented."""

from __future__ import annotations

import json
import math
import tracemalloc
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from datasets import load_from_disk
from hypothesis import given
from hypothesis import strategies as st

from ietool.core.contract import PrepareReport
from ietool.core.intake import bare
from ietool.core.sources import Sources
from ietool.recipe_io import load_recipe
from ietool.tasks.qa import QaTask
from ietool.tasks.qa.data.question import Passage, Question
from ietool.tasks.qa.features.cooccurrence import telling_pairs
from ietool.tasks.qa.heads.mined import MINED, first_mined
from ietool.tasks.qa.heads.reader.sampling import QaTrainingSet
from ietool.tasks.qa.heads.span.sampling import SpanTrainingSet
from ietool.tasks.qa.prepare.mining import Passages, answers_of, mined
from ietool.text.characters import fold
from tests.tasks.qa.made import dump, recipe_of
from tests.tiny_encoder import make_encoder_folder

NAMES = "青砖石桥雨水山书云路林海风雪月花"


def asked(number: int) -> dict[str, Any]:
    """A question with its one passage, which answers."""
    town = NAMES[number % 16] + NAMES[number // 16 % 16]
    answer = f"{number}米"
    text = f"据县志记载，{town}塔建成于明代，高{answer}，塔前有古井。"
    return {
        "id": f"m{number}", "question": f"{town}塔建成后有多高？", "golden_answers": [answer],
        "passages": [{"passage": text, "answer": answer}],
    }  # fmt: skip


def prepare(
    folder: Path, train: list[dict[str, Any]] | dict[str, Any], *overrides: str, recipe: Any = None
) -> tuple[Any, Path, PrepareReport]:
    recipe = recipe or load_recipe("qa", ("data.min_char_count=1", "data.window=32", "data.overlap=8", *overrides))
    files = {"train": dump(folder / "train.json", train), "dev": dump(folder / "dev.json", [asked(250), asked(251)])}
    out = folder / "out"
    out.mkdir()
    report = QaTask().prepare(recipe, Sources(files), out, rejects=None, progress=lambda *_: None)
    return recipe, out, report


def encoder(folder: Path) -> Path:
    return make_encoder_folder(folder / "encoder", [NAMES, str(asked(10)), str(asked(2345678))])


def question(text: str, passages: list[str], *answers: str) -> Question:
    return Question("1", text, tuple(map(Passage, passages)), answers)


def passages_of(questions: list[Question], groups: list[int] | None = None, **more: int) -> Passages:
    numbers = np.array(range(len(questions)) if groups is None else groups, np.int32)
    return Passages(((q, range(len(q.passages))) for q in questions), numbers, **more)


# -- which passages


def nearest(questions: list[Question], at: int, groups: list[int], count: int) -> list[tuple[float, str]]:
    """The same by looking at every passage: (nearness, its letters) of the best."""
    every: dict[str, tuple[int, str]] = {}
    for group, one in zip(groups, questions, strict=True):
        for passage in one.passages:
            every.setdefault(bare(passage.text), (group, passage.text))
    pairs = {text: telling_pairs(fold(whole)) for text, (_, whole) in every.items()}
    held = Counter(pair for some in pairs.values() for pair in some)
    rarity = {pair: math.log((1 + len(every)) / n) for pair, n in held.items()}
    own = questions[at]
    found = []
    for text, (group, _) in every.items():
        shared = sum(rarity[p] ** 2 for p in telling_pairs(fold(own.text)) & pairs[text])
        is_own = any(bare(passage.text) == text for passage in own.passages)
        tells = any(bare(answer) in text for answer in answers_of(own))
        if shared and group != groups[at] and not is_own and not tells:
            found.append((shared / math.sqrt(sum(rarity[p] ** 2 for p in pairs[text])), text))
    return sorted(found, reverse=True)[:count]


texts = st.text("甲乙丙丁的A，", min_size=2, max_size=9).filter(lambda text: bool(text.strip()))


@given(
    st.lists(st.tuples(texts, st.lists(texts, min_size=1, max_size=3), texts), min_size=2, max_size=8),
    st.integers(1, 4),
    st.data(),
)
def test_the_nearest_are_those_that_looking_at_all_finds(
    given_: list[tuple[str, list[str], str]], count: int, data: st.DataObject
) -> None:
    questions = [question(text, passages, answer) for text, passages, answer in given_]
    groups = data.draw(st.lists(st.integers(0, 3), min_size=len(questions), max_size=len(questions)))
    index = passages_of(questions, groups)
    for at, one in enumerate(questions):
        found = index.near(one, groups[at], count)
        nearness = {bare(text): value for text, value in zip(index.texts, index.nearness(one.text), strict=True)}
        best = nearest(questions, at, groups, count)
        assert len(found) == len(best)
        # Where several are as near, either may be taken.
        assert [nearness[bare(text)] for text in found] == pytest.approx([value for value, _ in best])


@pytest.mark.parametrize("written", ["Ada Lin", "ADA LIN", "Ａｄａ　Ｌｉｎ", "Ada·Lin", "《Ada Lin》"])
def test_no_passage_that_holds_an_answer_is_taken(written: str) -> None:
    own = question("青砖塔是哪位工匠建成", ["青砖塔由Ada Lin建成"], "Ada Lin")
    other = question("石桥塔是哪位工匠建成", [f"{written}也是青砖塔的工匠", "青砖塔的工匠另有其人"], "另有其人")
    index = passages_of([own, other])
    assert index.near(own, 0, 5) == ["青砖塔的工匠另有其人"]
    assert len(index.near(own, 0, 5, answering=True)) == 2
    marked = Question("1", own.text, (Passage("…", ("ada lin",), (-1,)),))  # gold in the passage alone
    assert index.near(marked, 0, 5) == ["青砖塔的工匠另有其人"]


def test_an_answer_of_signs_alone_is_found_too() -> None:
    own = question("青砖塔的标记是什么", ["青砖塔的标记是√"], "√")
    other = question("石桥塔的标记是什么", ["石桥塔的标记也是√。", "青砖塔的标记不详"], "√")
    assert passages_of([own, other]).near(own, 0, 5) == ["青砖塔的标记不详"]


def test_no_passage_of_the_same_question_or_a_near_duplicate_is_taken() -> None:
    one = question("青砖塔多高", ["青砖塔高七米", "青砖塔很旧"], "七米")
    again = question("青砖塔多高？", ["青砖塔在村口"], "七米")
    other = question("石桥塔与青砖塔哪座高", ["石桥塔比青砖塔矮", "青砖塔很旧。"], "三米")
    index = passages_of([one, again, other], [0, 0, 2])
    assert index.near(one, 0, 9) == ["石桥塔比青砖塔矮"]  # the other one is its own but for a full stop
    assert sorted(index.near(other, 2, 9)) == ["青砖塔在村口", "青砖塔高七米"]


def test_questions_without_an_answer_get_none() -> None:
    questions = [question("青砖塔多高", ["青砖塔很旧"]), question("青砖塔多旧", ["青砖塔高七米"], "很旧")]
    index = passages_of(questions)
    found = list(mined(questions, index, np.arange(2), 3))
    assert [row for row, _ in found] == []  # what is nearest to the second answers it
    questions[1] = question("青砖塔多旧", ["青砖塔高七米"], "百年")
    ((row, one),) = mined(questions, index, np.arange(2), 3)
    assert row == 1 and [p.text for p in one.passages] == ["青砖塔很旧"] and not one.answers and not one.labels


@given(st.permutations(range(12)), st.integers(20, 120))
def test_of_too_many_the_same_are_drawn_in_any_order(order: list[int], room: int) -> None:
    questions = [question("塔", [f"第{n}座塔" + "砖" * n], "无") for n in range(12)]
    drawn = passages_of([questions[n] for n in order], room=room).texts
    assert sorted(drawn) == sorted(passages_of(questions, room=room).texts)
    assert sum(map(len, drawn)) <= room


def test_memory_does_not_grow_with_the_file() -> None:
    def peak(count: int) -> int:
        def stream() -> Any:
            for n in range(count):
                yield question("塔", [f"{n}" + "山石云水" * 20 + f"{n * n}"], "无"), [0]

        groups = np.zeros(count, np.int32)
        tracemalloc.start()
        Passages(stream(), groups, room=20_000)
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return most

    assert peak(4_000) < 1.2 * peak(1_000)


# -- a preparation


def test_passages_are_mined_where_lists_have_none(tmp_path: Path) -> None:
    train = [asked(n) for n in range(40)]
    _, out, report = prepare(tmp_path, train)
    rows = list(load_from_disk(str(out / "train")).with_format("numpy"))
    assert first_mined(out) == 40 and len(rows) == 40 + report.statistics["mined"] == 200
    assert all(len(row["spans"]) for row in rows[:40]) and not any(len(row["spans"]) for row in rows[40:])
    assert [int(row["record"]) for row in rows[40:]] == [n // 4 for n in range(160)]
    assert all(row["label"] == -1 for row in rows)
    assert any("160 passages of other questions, up to 4 a question" in note for note in report.notes)
    assert any("fewer than 5% of the data's own passages do not answer" in note for note in report.notes)


def test_the_same_passages_are_mined_each_time(tmp_path: Path) -> None:
    def mined_of(name: str) -> list[list[int]]:
        _, out, _ = prepare(tmp_path / name, [asked(n) for n in range(30)])
        rows = load_from_disk(str(out / "train")).with_format("numpy")[30:]
        return [characters.tolist() for characters in rows["characters"]]

    assert mined_of("a") == mined_of("b")


def test_no_mined_passage_tells_the_answer_or_comes_from_dev(tmp_path: Path) -> None:
    train = [asked(n) for n in range(60)]  # the answer of the first ones stands in others: 4米 in 14米
    recipe = recipe_of("span", encoder(tmp_path))
    _, out, _ = prepare(tmp_path, train, recipe=recipe)
    first, table = first_mined(out), load_from_disk(str(out / "train"))
    texts_ = {one["passages"][0]["passage"] for one in train}
    assert first == 60 and len(table) > 200
    for row in table.select(range(60, len(table))):
        own = train[row["record"]]
        assert own["golden_answers"][0] not in row["passage"]
        assert row["passage"] in texts_ - {own["passages"][0]["passage"]} and row["asked"] == own["question"]


@pytest.mark.parametrize(("asked_for", "count"), [("0", 0), ("2", 2)])
def test_as_many_as_are_asked_for(asked_for: str, count: int, tmp_path: Path) -> None:
    _, out, report = prepare(tmp_path, [asked(n) for n in range(20)], f"sampling.mined={asked_for}")
    assert len(load_from_disk(str(out / "train"))) == 20 * (1 + count)
    assert (out / MINED).exists() == bool(count) == ("mined" in report.statistics)


def test_where_questions_come_with_one_passage_it_is_only_told(tmp_path: Path) -> None:
    paragraphs = []
    for n in range(20):
        one = asked(n)
        (passage,), (answer,) = one["passages"], one["golden_answers"]
        gold = [{"text": answer, "answer_start": passage["passage"].index(answer)}]
        entry = {"id": one["id"], "question": one["question"], "answers": gold}
        paragraphs.append({"context": passage["passage"], "qas": [entry]})
    _, out, report = prepare(tmp_path, {"data": [{"title": "", "paragraphs": paragraphs}]})
    assert first_mined(out) is None and len(load_from_disk(str(out / "train"))) == 20
    assert any(note.endswith("set sampling.mined=4") for note in report.notes)


def test_data_that_has_passages_without_an_answer_keeps_to_them(tmp_path: Path) -> None:
    train = [asked(n) for n in range(20)]
    for one in train:
        one["passages"].append({"passage": f"{one['question']}不知道", "answer": ""})
    _, out, report = prepare(tmp_path, train)
    assert first_mined(out) is None and not any("sampling.mined" in note for note in report.notes)


# -- what an epoch has of them


def test_an_epoch_has_one_of_each_question(tmp_path: Path) -> None:
    recipe, out, _ = prepare(tmp_path, [asked(n) for n in range(20)])
    data = QaTrainingSet(recipe, out)
    assert len(data) == len(data.lengths) == 40
    places = []
    for epoch in range(40):
        data.set_epoch(epoch)
        places.append([data.place(n) for n in range(40)])
        assert places[-1][:20] == list(range(20))
        assert [(place - 20) // 4 for place in places[-1][20:]] == list(range(20))
    assert len({place[20] for place in places}) == 4
    data.set_epoch(0)
    assert [data.place(n) for n in range(40)] == places[0]
    batch = data.collate([data[n] for n in range(18, 22)])
    assert batch["has_answer"].tolist() == [1, 1, 0, 0]


@pytest.mark.parametrize("head", ["reader", "span"])
def test_what_is_left_out_of_a_training_takes_what_was_mined_for_it_along(head: str, tmp_path: Path) -> None:
    given_ = None if head == "reader" else recipe_of(head, encoder(tmp_path), "sampling.negatives=0.5")
    recipe, out, _ = prepare(tmp_path, [asked(n) for n in range(20)], recipe=given_)
    records = load_from_disk(str(out / "train")).with_format("numpy")["record"]
    data: Any = (QaTrainingSet if head == "reader" else SpanTrainingSet)(recipe, out, rows=range(5, 12))
    assert len(data) == 14
    for epoch in range(5):
        data.set_epoch(epoch)
        if head == "reader":
            seen = [int(records[data.place(n)]) for n in range(14)]
            assert seen == [*range(5, 12), *range(5, 12)]
        else:
            seen = [int(records[data[n]["row"]]) for n in range(14)]
            assert seen[:7] == list(range(5, 12)) and set(seen) <= set(range(5, 12))


def test_a_file_of_a_prepared_folder_says_where_they_begin(tmp_path: Path) -> None:
    _, out, _ = prepare(tmp_path, [asked(n) for n in range(8)])
    assert json.loads((out / MINED).read_text(encoding="utf-8")) == {"first": 8}
