"""Reading questions of every form, locating the files that hold them. All sentences are made up here."""

from __future__ import annotations

import gzip
import io
import json
import sys
import tracemalloc
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ietool.errors import UserError
from ietool.tasks.qa.data.forms.recognise import FORMS
from ietool.tasks.qa.data.question import Question, check_start
from ietool.tasks.qa.data.reading import detect_form, has_markup, input_of, load_questions, read_inputs_file
from ietool.tasks.qa.data.sources import files_of, locate

WEBQA = {
    "id": 7,
    "question": "青砖巷是谁写的?",
    "passages": [
        {"passage": "《青砖巷》的作者是林满。", "answer": "林满"},
        {"passage": "巷子里下雨了。", "answer": ""},
    ],
    "golden_answers": ["林满", "林满女士"],
}
CONTEXT = "林满写了《青砖巷》,林满是北湖人。"
QA = {"id": "DEV_0_QUERY_0", "question": "青砖巷是谁写的?", "answers": [{"text": "林满", "answer_start": 0}]}
DUREADER = {
    "question_id": 31,
    "question": "怎么洗茶壶",
    "question_type": "DESCRIPTION",
    "documents": [
        {"title": "甲", "is_selected": False, "paragraphs": ["先倒水。"]},
        {
            "title": "乙",
            "is_selected": True,
            "paragraphs": ["很多 人问。", "用 热水 泡一夜, 再用 布 擦。"],
            "segmented_paragraphs": [
                ["很多", "人", "问", "。"],
                ["用", "热水", "泡一夜", ",", "再", "用", "布", "擦", "。"],
            ],
            "most_related_para": 1,
        },
    ],
    "answers": ["热水泡一夜再擦", "用布擦"],
    "yesno_answers": [],
    "entity_answers": [[], []],
    "fake_answers": ["热水泡一夜,再用布擦"],
    "answer_spans": [[1, 7]],
    "answer_docs": [1],
}


def squad(*qas: dict[str, Any], **paragraph: Any) -> dict[str, Any]:
    return {"data": [{"title": "巷", "paragraphs": [{"context": CONTEXT, "qas": list(qas or [QA]), **paragraph}]}]}


def dump(value: Any, **options: Any) -> str:
    return json.dumps(value, ensure_ascii=False, **options)


def without(record: dict[str, Any], *keys: str, **changes: Any) -> dict[str, Any]:
    return {**{key: value for key, value in record.items() if key not in keys}, **changes}


@pytest.fixture
def write(tmp_path: Path) -> Any:
    def make(value: Any, name: str = "file.json") -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(
            value if isinstance(value, bytes) else (value if isinstance(value, str) else dump(value)).encode()
        )
        return path

    return make


def read(path: Path, **options: Any) -> list[Question]:
    return list(load_questions(path, **options))


def refused(path: Path, **options: Any) -> str:
    with pytest.raises(UserError) as error:
        read(path, **options)
    text = str(error.value)
    assert "\n" not in text and "→" in text
    return text


def skipped(path: Path, **options: Any) -> tuple[list[Question], list[UserError]]:
    errors: list[UserError] = []
    return read(path, on_bad=lambda error, line: errors.append(error), **options), errors


# -- forms


@pytest.mark.parametrize("lay", [dump, lambda r: dump([r]), lambda r: dump([r], indent=1), lambda r: dump(r, indent=2)])
def test_webqa_is_read_as_a_list_and_as_lines(write: Any, lay: Any) -> None:
    path = write(lay(WEBQA))
    (question,) = read(path)
    assert (question.question_id, question.form, question.answers) == ("7", "webqa", ("林满", "林满女士"))
    assert [p.answers for p in question.passages] == [("林满",), ()]
    assert [p.starts for p in question.passages] == [(-1,), ()]
    assert detect_form(path) == "webqa"


def test_webqa_takes_references_from_the_passages_and_numbers_questions_without_id(write: Any) -> None:
    (first, second) = read(write([without(WEBQA, "golden_answers", "id"), without(WEBQA, "golden_answers", "id")]))
    assert (first.question_id, second.question_id) == ("1", "2")
    assert first.answers == ("林满",)


@pytest.mark.parametrize("indent", [None, 2])
@pytest.mark.parametrize("newline", ["", "\n\n"])
def test_squad_is_read_on_one_line_and_on_many(write: Any, indent: int | None, newline: str) -> None:
    path = write("\ufeff" + newline + dump({"version": "v1", **squad()}, indent=indent))
    (question,) = read(path)
    assert (question.form, question.answers, question.is_impossible) == ("squad", ("林满",), None)
    (passage,) = question.passages
    assert (passage.text, passage.answers, passage.starts, passage.title) == (CONTEXT, ("林满",), (0,), "巷")
    assert detect_form(path) == "squad"


def test_squad_references_stay_three_and_a_passage_knows_each_answer_once(write: Any) -> None:
    answers = [
        {"text": "林满", "answer_start": 10},
        {"text": "林满", "answer_start": 0},
        {"text": "林", "answer_start": 0},
    ]
    (question,) = read(write(squad({**QA, "answers": answers})))
    assert question.answers == ("林满", "林满", "林")
    assert (question.passages[0].answers, question.passages[0].starts) == (("林满", "林"), (10, 0))


def test_the_checklist_has_impossible_questions_whose_empty_answer_is_none(write: Any) -> None:
    empty = {**QA, "is_impossible": True, "answers": [{"text": "", "answer_start": -1}]}
    possible = {**QA, "id": "2", "is_impossible": False}
    none, some = read(write(squad(empty, possible)))
    assert (none.is_impossible, none.answers, none.passages[0].answers) == (True, (), ())
    assert (some.is_impossible, some.answers) == (False, ("林满",))


def test_the_first_release_of_cmrc_is_squad_too(write: Any) -> None:
    old = {
        "context_id": "T_1",
        "context_text": CONTEXT,
        "qas": [{"query_id": "T_1_Q_0", "query_text": "谁写的?", "answers": ["林满", "林满"]}],
    }
    (question,) = read(write([old]))
    assert (question.question_id, question.text, question.form) == ("T_1_Q_0", "谁写的?", "squad")
    assert (question.answers, question.passages[0].starts) == (("林满", "林满"), (-1,))


def test_a_list_of_articles_and_a_paragraph_a_line_are_squad(write: Any) -> None:
    assert [q.question_id for q in read(write(squad()["data"]))] == [QA["id"]]
    assert [q.question_id for q in read(write(dump(squad()["data"][0]["paragraphs"][0])))] == [QA["id"]]


def test_dureader_has_a_passage_a_paragraph_and_its_span_is_a_slice_of_it(write: Any) -> None:
    path = write(dump(DUREADER) + "\n" + dump({**DUREADER, "question_id": 32}))
    question, other = read(path)
    assert (question.question_id, question.kind, question.form, question.line) == ("31", "DESCRIPTION", "dureader2", 1)
    assert (other.question_id, other.line) == ("32", 2)
    assert [(p.document, p.paragraph, p.title) for p in question.passages] == [(0, 0, "甲"), (1, 0, "乙"), (1, 1, "乙")]
    passage = question.passages[2]
    assert passage.answers == ("热水 泡一夜, 再用 布 擦",)  # with the blanks that the words have lost
    assert check_start(passage.text, passage.answers[0], passage.starts[0]) == (2, "")
    assert not question.segmented
    assert detect_form(path) == "dureader2"


def test_dureader_without_paragraphs_joins_the_words(write: Any) -> None:
    documents = [without(d, "paragraphs") for d in DUREADER["documents"]]  # type: ignore[attr-defined]
    (question,) = read(write(dump({**DUREADER, "documents": documents})))
    assert question.segmented
    assert [(p.document, p.paragraph, p.text) for p in question.passages] == [
        (1, 0, "很多人问。"),
        (1, 1, "用热水泡一夜,再用布擦。"),
    ]
    assert (question.passages[1].answers, question.passages[1].starts) == (("热水泡一夜,再用布擦",), (1,))


def test_dureader_keeps_labels_and_entities(write: Any) -> None:
    record = {**DUREADER, "question_type": "YES_NO", "yesno_answers": ["Yes", "No"], "entity_answers": [["壶"], []]}
    (question,) = read(write(dump(record)))
    assert (question.kind, question.labels, question.entities) == ("YES_NO", ("Yes", "No"), (("壶",), ()))


@pytest.mark.parametrize(
    "changes",
    [{"answer_docs": [9]}, {"answer_spans": [[1, 99]], "fake_answers": []}, {"answer_spans": [], "fake_answers": []}],
)
def test_annotations_of_dureader_that_fit_nothing_are_no_gold(write: Any, changes: dict[str, Any]) -> None:
    (question,) = read(write(dump({**DUREADER, **changes})))
    assert not any(p.answers for p in question.passages)
    assert len(question.answers) == 2


def test_a_file_of_references_has_no_passages(write: Any) -> None:
    path = write(dump(without(DUREADER, "documents", "question", "fake_answers", "answer_docs", "answer_spans")))
    assert "documents" in refused(path) or "question" in refused(path)
    (question,) = read(path, needs_passages=False)
    assert (question.passages, question.answers) == ((), ("热水泡一夜再擦", "用布擦"))


def test_the_form_can_be_said(write: Any) -> None:
    path = write([WEBQA])
    assert len(read(path, form="webqa")) == 1
    assert "qas" in refused(path, form="squad")
    assert "choose one of webqa, squad, dureader2" in refused(path, form="drcd")


def test_test_files_are_read_without_gold(write: Any) -> None:
    for record, form in (
        ([without(WEBQA, "golden_answers", passages=["一段话。", "又一段。"])], "webqa"),
        (squad(without(QA, "answers")), "squad"),
        (without(DUREADER, "answers", "fake_answers", "answer_docs", "answer_spans"), "dureader2"),
    ):
        path = write(record)
        (question,) = read_inputs_file(str(path))
        assert (question.form, question.answers) == (form, ())
        assert "is this a test file?" in refused(path)


def test_text_of_the_command_line() -> None:
    question = input_of("谁写的?\t林满写的。\t\t别的。")
    assert (question.text, [p.text for p in question.passages]) == ("谁写的?", ["林满写的。", "别的。"])
    for text in ("", "谁写的?", "谁写的?\t ", "\t林满写的。"):
        with pytest.raises(UserError):
            input_of(text)


# -- what carries the file


def test_packed_files_and_standard_input(write: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = dump(squad())
    packed = tmp_path / "a.json.gz"
    packed.write_bytes(gzip.compress(plain.encode()))
    with zipfile.ZipFile(tmp_path / "b.zip", "w") as archive:
        archive.writestr("one.json", plain)
        archive.writestr("two.json", dump([WEBQA]))
    assert [q.question_id for q in read(packed)] == [QA["id"]]
    with pytest.raises(UserError):  # two forms in one file: the first one counts
        read(tmp_path / "b.zip")
    packed.write_bytes(gzip.compress(plain.encode())[:-20])
    assert "damaged archive" in refused(packed)
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(plain.encode())))
    assert [q.question_id for q in load_questions("-")] == [QA["id"]]


def test_a_long_line_and_a_long_passage(write: Any) -> None:
    passage = "很长的一段话。" * 30_000
    (question,) = read(write(dump(squad(context=passage + "林满"))))
    assert len(question.passages[0].text) == 210_002
    (question,) = read(write([{**WEBQA, "passages": [{"passage": passage, "answer": ""}]}]))
    assert len(question.passages[0].text) == 210_000


def test_html_stays_as_it_is(write: Any) -> None:
    text = "<p>林满&nbsp;写的</p><br/>"
    (question,) = read(write(squad(context=text)))
    assert question.passages[0].text == text
    assert has_markup(text) and has_markup("a&#160;b") and not has_markup("1 < 2 > 1 & 3")


@pytest.mark.slow
@pytest.mark.parametrize("form", FORMS)
def test_memory_does_not_grow_with_the_file(tmp_path: Path, form: str) -> None:
    def records(count: int) -> Iterator[str]:
        filler = "这里有很多字。" * 10
        for n in range(count):
            if form == "webqa":
                yield dump({**WEBQA, "id": n, "passages": [{"passage": filler, "answer": ""}]})
            elif form == "squad":
                yield dump({"context": filler, "qas": [{**QA, "id": str(n)}]})
            else:
                yield dump({**DUREADER, "question_id": n, "documents": [{"paragraphs": [filler]}]})

    def peak(count: int) -> int:
        path = tmp_path / f"{count}.json"
        with path.open("w", encoding="utf-8") as out:
            before, between, behind = {
                "webqa": ("[", ",", "]"),
                "squad": ('{"data":[{"paragraphs":[', ",", "]}]}"),
                "dureader2": ("", "\n", "\n"),
            }[form]
            out.write(before)
            for number, record in enumerate(records(count)):
                out.write((between if number else "") + record)
            out.write(behind)
        tracemalloc.start()
        assert sum(1 for _ in load_questions(path)) == count
        highest = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return highest

    small, large = peak(2_000), peak(20_000)
    assert large < small * 1.25 + 200_000


# -- bad input


@pytest.mark.parametrize(
    ("record", "field", "what"),
    [
        (without(WEBQA, "passages"), "passages", "no passage"),
        ({**WEBQA, "passages": []}, "passages", "no passage"),
        ({**WEBQA, "passages": [{"passage": "  "}]}, "passages", "no passage"),
        ({**WEBQA, "passages": {"a": 1}}, "passages", "a list is needed"),
        ({**WEBQA, "passages": [7]}, "passages[0]", "an object is needed"),
        ({**WEBQA, "passages": [{"passage": 7}]}, "passages[0].passage", "a string is needed"),
        ({**WEBQA, "passages": [{"answer": "甲"}]}, "passages[0].passage", "is missing"),
        ({**WEBQA, "golden_answers": [3]}, "golden_answers[0]", "a string is needed"),
        ({**WEBQA, "question": ""}, "question", "is empty"),
        (without(WEBQA, "question"), "question", "is missing"),
        ({**WEBQA, "id": 1.5}, "id", "a string or an integer"),
        ({**WEBQA, "id": "a\tb"}, "id", "tab"),
        (without(DUREADER, "question_id"), "question_id", "is missing"),
        ({**DUREADER, "documents": []}, "documents", "no passage"),
        ({**DUREADER, "documents": [{"paragraphs": "x"}, 5]}, "documents[1]", "an object is needed"),
        ({**DUREADER, "answers": [5]}, "answers[0]", "a string is needed"),
        ({**DUREADER, "question_type": 5}, "question_type", "a string is needed"),
        ({**DUREADER, "entity_answers": [5]}, "entity_answers[0]", "a list is needed"),
    ],
)
def test_a_bad_question_is_named_by_line_and_field_or_left_out(
    write: Any, record: dict[str, Any], field: str, what: str
) -> None:
    good = {**(DUREADER if "documents" in record else WEBQA), "question_id": 99, "id": 99}
    lines = write(dump(good) + "\n" + dump(record))
    assert f"file.json:2: {field}: " in refused(lines) and what in refused(lines)
    questions, errors = skipped(lines)
    assert [q.question_id for q in questions] == ["99"] and [e.field for e in errors] == [field]
    whole = write([good, record])
    assert f"[1].{field}: " in refused(whole)
    questions, errors = skipped(whole)
    assert len(questions) == len(errors) == 1


@pytest.mark.parametrize(
    ("entry", "field"),
    [
        (without(QA, "id"), "id"),
        ({**QA, "question": " "}, "question"),
        ({**QA, "answers": "林满"}, "answers"),
        ({**QA, "answers": []}, "answers"),
        ({**QA, "answers": [{"answer_start": 3}]}, "answers[0].text"),
        ({**QA, "is_impossible": "no"}, "is_impossible"),
    ],
)
def test_a_bad_question_of_a_paragraph_does_not_take_its_neighbours_along(
    write: Any, entry: dict[str, Any], field: str
) -> None:
    path = write(squad({**QA, "id": "first"}, entry, {**QA, "id": "last"}))
    assert f"data[0].paragraphs[0].qas[1].{field}: " in refused(path)
    questions, errors = skipped(path)
    assert [q.question_id for q in questions] == ["first", "last"] and len(errors) == 1


@pytest.mark.parametrize(
    "answer", [{"text": "林满"}, {"text": "林满", "answer_start": "1"}, {"text": "", "answer_start": -1}]
)
def test_answers_without_place_or_text_are_kept_to_be_counted(write: Any, answer: dict[str, Any]) -> None:
    (question,) = read(write(squad({**QA, "answers": [answer]})))
    assert (question.passages[0].answers, question.passages[0].starts) == ((answer["text"],), (-1,))


@pytest.mark.parametrize(
    ("starts", "wanted"), [([0], (0, -1)), ([], (-1, -1)), (None, (-1, -1)), ([0, 5, 9], (0, 5)), (["x"], (-1, -1))]
)
def test_answers_in_columns_keep_those_without_a_start(write: Any, starts: Any, wanted: tuple[int, ...]) -> None:
    answers = {"text": ["林满", "《青"], "answer_start": starts}
    (question,) = read(write(squad({**QA, "answers": answers})))
    assert (question.answers, question.passages[0].starts) == (("林满", "《青"), wanted)


@pytest.mark.parametrize("starts", [3, "0", {"a": 1}])
def test_starts_in_columns_are_a_list(write: Any, starts: Any) -> None:
    path = write(squad({**QA, "answers": {"text": ["林满"], "answer_start": starts}}, {**QA, "id": "2"}))
    assert "data[0].paragraphs[0].qas[0].answers.answer_start: is " in refused(path)
    questions, errors = skipped(path)
    assert [q.question_id for q in questions] == ["2"] and len(errors) == 1


@pytest.mark.parametrize("lay", ["data", "articles", "lines"])
def test_what_is_no_question_takes_no_other_along(write: Any, lay: str) -> None:
    some = [{"context": CONTEXT, "qas": [{**QA, "id": "1"}, None, {**QA, "id": "2"}]}, "x", {"context": CONTEXT},
            {"context": CONTEXT, "qas": [{**QA, "id": "3"}]}]  # fmt: skip
    last = {"paragraphs": [{"context": CONTEXT, "qas": [{**QA, "id": "4"}]}]}
    articles: list[Any] = [{"paragraphs": some}, 7, last]
    path = write({"data": articles} if lay == "data" else articles if lay == "articles"
                 else "\n".join(dump(article) for article in articles))  # fmt: skip
    questions, errors = skipped(path)
    assert [q.question_id for q in questions] == ["1", "2", "3", "4"] and len(errors) == 4
    assert any("paragraphs[0].qas[1]: is null, an object is needed" in str(error) for error in errors)
    assert any("paragraphs[1]: is a string, an object is needed" in str(error) for error in errors)
    assert any("paragraphs[2].qas: is missing" in str(error) for error in errors)
    assert "qas[1]: is null" in refused(path)


def test_of_questions_with_one_id_the_first_is_kept(write: Any) -> None:
    path = write(squad(QA, {**QA, "question": "还有谁?"}, {**QA, "id": "2"}))
    assert "repeats the id DEV_0_QUERY_0" in refused(path)
    questions, errors = skipped(path)
    assert [q.text for q in questions] == [QA["question"], QA["question"]] and len(errors) == 1
    path = write([WEBQA, {**WEBQA, "id": "7"}])
    assert "repeats the id 7" in refused(path)


@pytest.mark.parametrize("content", ["", "\n \n", "[]", '{"data": []}', '{"data": [{"paragraphs": []}]}'])
def test_files_without_questions(write: Any, content: str) -> None:
    assert "holds no question" in refused(write(content))
    with pytest.raises(UserError):
        detect_form(write(content))


@pytest.mark.parametrize("content", ['{"a": 1}', '[{"a": 1}]', "[1]", '{"text": "x"}\n{"text": "y"}'])
def test_files_of_no_known_form(write: Any, content: str) -> None:
    assert "form" in refused(write(content)) or "object" in refused(write(content))
    assert "none of the" in refused(write(content), on_bad=lambda error, line: None)
    with pytest.raises(UserError, match="no known form"):
        detect_form(write(content))


def test_damaged_files(write: Any) -> None:
    for whole in (dump([WEBQA, {**WEBQA, "id": 8}]), dump(squad(), indent=1), dump([WEBQA], indent=1)):
        assert "cut off" in refused(write(whole[: len(whole) * 3 // 4]))
    assert "is not JSON" in refused(write(dump([WEBQA])[:-1] + ",,]"))
    assert "is not UTF-8" in refused(write(dump([WEBQA]).encode("gb18030")))
    assert "is not UTF-8" in refused(write((dump(WEBQA) + "\n").encode("gb18030")))
    assert "is not JSON" in refused(write("question\tpassage\n"))
    assert "no such file" in refused(Path("nowhere.json"))
    questions, errors = skipped(write(dump(WEBQA)[:40] + "\n" + dump(WEBQA)))
    assert len(questions) == len(errors) == 1


def test_half_of_a_surrogate_pair_never_gets_in(write: Any) -> None:
    for value in ({**WEBQA, "question": "?\ud800?"}, [{**WEBQA, "question": "?\ud800?"}]):
        try:
            questions = read(write(json.dumps(value)))
        except UserError:
            continue
        assert all(q.text.encode() for q in questions)


# -- places


def test_starts_are_checked_and_mended() -> None:
    assert check_start(CONTEXT, "林满", 0) == (0, "")
    assert check_start(CONTEXT, "林满", 10) == (10, "")
    assert check_start(CONTEXT, "林满", 8) == (10, "repaired")
    assert check_start(CONTEXT, "林满", 2) == (0, "repaired")
    assert check_start(CONTEXT, "林满", -1) == (0, "repaired")
    assert check_start(CONTEXT, "林满", 10**9) == (10, "repaired")
    assert check_start(CONTEXT, "林海", 0) == (-1, "not in the passage")
    assert check_start(CONTEXT, " ", 0) == (-1, "empty")


@given(st.text("甲乙", max_size=12), st.text("甲乙", min_size=1, max_size=3), st.integers(-1, 14))
def test_the_nearest_place_is_taken(passage: str, answer: str, start: int) -> None:
    places = [n for n in range(len(passage)) if passage.startswith(answer, n)]
    found, reason = check_start(passage, answer, start)
    if not places:
        assert (found, reason) == (-1, "not in the passage")
    else:
        target = min(max(start, 0), len(passage))
        assert abs(found - target) == min(abs(place - target) for place in places)
        assert (reason == "") == (start in places)


TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
SOLID = TEXT.map(lambda text: f"问{text}答")


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(SOLID, st.lists(SOLID, min_size=1, max_size=3), SOLID), min_size=1, max_size=4), st.booleans()
)
def test_what_is_written_is_read_again(
    tmp_path_factory: pytest.TempPathFactory, examples: list[tuple[str, list[str], str]], pretty: bool
) -> None:
    folder = tmp_path_factory.mktemp("round")
    indent = 1 if pretty else None
    lists = [
        {"id": n, "question": q, "passages": [{"passage": p, "answer": a} for p in ps], "golden_answers": [a]}
        for n, (q, ps, a) in enumerate(examples)
    ]
    articles = [
        {
            "paragraphs": [
                {"context": ps[0], "qas": [{"id": n, "question": q, "answers": [{"text": a, "answer_start": 3}]}]}
            ]
        }
        for n, (q, ps, a) in enumerate(examples)
    ]
    lines = [
        {"question_id": n, "question": q, "documents": [{"paragraphs": ps}], "answers": [a]}
        for n, (q, ps, a) in enumerate(examples)
    ]
    (folder / "webqa.json").write_text(dump(lists, indent=indent), encoding="utf-8")
    (folder / "squad.json").write_text(dump({"data": articles}, indent=indent), encoding="utf-8")
    (folder / "dureader2.json").write_text("\n".join(map(dump, lines)), encoding="utf-8", newline="\n")
    for form in FORMS:
        questions = read(folder / f"{form}.json")
        assert {q.form for q in questions} == {form}
        assert [(q.question_id, q.text, q.answers) for q in questions] == [
            (str(n), q, (a,)) for n, (q, _, a) in enumerate(examples)
        ]
        assert [[p.text for p in q.passages] for q in questions] == [
            ps[:1] if form == "squad" else ps for _, ps, _ in examples
        ]


# -- where the files are


def test_files_are_found_under_their_names(tmp_path: Path) -> None:
    def folder(name: str, *files: str) -> Path:
        for file in files:
            path = tmp_path / name / file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("{}")
        return tmp_path / name

    def found(path: Path) -> dict[str, str]:
        return {role: file.name for role, file in locate(path).files.items()}

    cmrc = folder("cmrc", "cmrc2018_train.json", "cmrc2018_dev.json", "cmrc2018_trial.json")
    assert found(cmrc) == {"train": "cmrc2018_train.json", "dev": "cmrc2018_dev.json"}
    robust = folder("robust", "robust-data/train.json", "robust-data/dev.json", "robust-data/test1.json", "README.md")
    assert found(robust) == {"train": "train.json", "dev": "dev.json", "test": "test1.json"}
    drcd = folder("drcd", "DRCD_training.json", "DRCD_dev.json", "DRCD_test.json")
    assert found(drcd) == {"train": "DRCD_training.json", "dev": "DRCD_dev.json", "test": "DRCD_test.json"}
    assert found(folder("webqa", "WebQA.json")) == {"train": "WebQA.json"}
    halves = folder(
        "dureader", *(f"{part}set/{half}.{part}.json" for part in ("train", "dev") for half in ("search", "zhidao"))
    )
    sources = locate(halves)
    assert [path.name for path in files_of(sources, "train")] == ["search.train.json", "zhidao.train.json"]
    assert [path.name for path in files_of(sources, "dev")] == ["search.dev.json", "zhidao.dev.json"]
    assert files_of(sources, "test") == []
    assert [path.name for path in files_of(locate(halves, needed=()), "train")] == ["search.train.json"]
    with pytest.raises(UserError, match="several files could be the train file") as error:
        locate(folder("both", "WebQA.json", "SogouQA.json"))
    assert "data.more" in str(error.value)
    with pytest.raises(UserError, match="several files could be the train file"):
        locate(folder("two", "cmrc2018_train.json", "DRCD_training.json"))
    with pytest.raises(UserError, match="has no train file"):
        locate(folder("none", "dev.json"))
    with pytest.raises(UserError, match="no such folder"):
        locate(tmp_path / "nowhere")
