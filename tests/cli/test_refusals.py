"""Slips in competition files, each told as what it is, with a mend that works. All sentences are made up here."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ietool.errors import UserError
from ietool.files.lines import parse_json, read_lines
from ietool.files.plain_json import dump_json, load_json
from ietool.tasks.el.data.reading import load_examples as mentions
from ietool.tasks.ner.data.forms.tokens import SentenceReader
from ietool.tasks.ner.data.reading import load_examples, read_inputs
from ietool.tasks.ner.data.schemes import is_tag, respelt, split_tag
from ietool.tasks.qa.data.reading import load_questions
from ietool.tasks.ske.data.reading import load_examples as triples
from tests.cli.conftest import complaint, output_of

TAGGED = "林 B-PER\n满 I-PER\n在 O\n\n云 B-LOC\n州 I-LOC\n\n"


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("IETOOL_HOME", str(tmp_path / "home"))


def put(name: str, *records: Any) -> Path:
    lines = [r if isinstance(r, str) else json.dumps(r, ensure_ascii=False) for r in records]
    Path(name).write_text("\n".join(lines) + "\n", encoding="utf-8")
    return Path(name)


def preparing(capsys: pytest.CaptureFixture[str], recipe: str, path: Path, *options: object) -> str:
    return complaint(capsys, "prepare", "-r", recipe, "--train", path, "--dev", path, *options)


# -- tokens and tags

NO_TAG = "is no tag: O, or one of B I M E L S U W, a dash and a type"
IN_ALL = "(so it is in all of the first 2 records)"
WHOLE = "holds a whole sentence and all its tags"
ONE_A_LINE = "write a token and its tag a line, and a blank line between sentences"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (TAGGED.replace("-", "_"), f"t:1: 'B_PER' {NO_TAG} {IN_ALL} → write B-PER in its place"),
        (TAGGED.replace("-", ":"), "→ write B-PER in its place"),
        (TAGGED.replace("B-PER", "PER-B").replace("I-PER", "PER-I"), "'PER-B' is no tag"),
        (TAGGED.lower(), f"'b-per' {NO_TAG} {IN_ALL} → write B-per in its place"),
        (TAGGED.replace(" O", " 0"), f"t:3: '0' {NO_TAG} → write O in its place"),
        (TAGGED.replace("-PER", "").replace("-LOC", ""), f"'B' {NO_TAG} {IN_ALL} → write its type behind it: B-PER"),
        ("林 满 在\tB-PER I-PER O\n云 州\tB-LOC I-LOC\n", f"t:1: {WHOLE} → {ONE_A_LINE}"),
        ("林满在\tB-PER I-PER O\n云州\tB-LOC I-LOC\n", f"t:1: {WHOLE} → {ONE_A_LINE}"),
        ("林\x02满\tB-PER\x02I-PER\n", f"t:1: {WHOLE} → {ONE_A_LINE}"),
        ("林\tB-PER I-P\x01\n", "is no tag: O, or one of"),
        (TAGGED.replace(" ", " -X- _ "), f"t:1: has 4 columns {IN_ALL} → {ONE_A_LINE} (for example: awk '{{print $1"),
        (TAGGED.replace("\n\n", "\n") * 120, "t: is one sentence of 600 tokens, from its first line to its last → put"),
    ],
)  # fmt: skip
def test_tags_that_are_none(content: str, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    error = preparing(capsys, "ner-crf", put("t", content.removesuffix("\n")))
    assert said in error
    # Where all records are so, leaving them out is no mend.
    assert "--skip-bad" not in error


@given(st.sampled_from("BIMELSUW"), st.text(st.characters(categories=["L", "N"]), min_size=2), st.sampled_from("_:/.|"))
def test_tags_in_another_spelling(letter: str, kind: str, mark: str) -> None:
    tag = f"{letter}-{kind}"
    assert split_tag(tag) == (letter, kind)
    for other in (f"{letter}{mark}{kind}", f"{letter.lower()}-{kind}", f"{letter.lower()}_{kind}"):
        assert not is_tag(other) and respelt(other) == tag
    assert not is_tag(f"{kind}_{letter}") and respelt(f"{kind}_{letter}") in (tag, f"{kind[0]}-{letter}")


@given(st.text(min_size=1))
def test_no_tag_holds_blanks_or_controls(kind: str) -> None:
    assert is_tag(f"B-{kind}") == (kind.isprintable() and not any(map(str.isspace, kind)))


def test_what_stands_around_tokens_is_no_text(capsys: pytest.CaptureFixture[str]) -> None:
    """Tabs at the ends of lines, and the lines that begin documents in files of CoNLL."""
    plain = list(load_examples(put("plain", TAGGED)))
    tabs = TAGGED.replace(" ", "\t").replace("\n\n", "\n#").replace("\n", "\t\n").replace("#", "\n")
    for content in (tabs, f"-DOCSTART- O\n\n{TAGGED}", f"-DOCSTART- -X- O O\n{TAGGED}-DOCSTART-\n\n"):
        path = put("t", content)
        read = list(load_examples(path))
        assert [(e.text, e.entities) for e in read] == [(e.text, e.entities) for e in plain]
        assert [e.text for e in read_inputs(read_lines(path))] == [e.text for e in plain]
        assert json.loads(output_of(capsys, "score", "-r", "ner-crf", path, "plain", "--json"))["f1"] == 1.0
    tokens = put("tokens", "-DOCSTART-\t\n\n林\t\n满\t\n")
    assert [e.text for e in read_inputs(read_lines(tokens))] == ["林满"]
    with pytest.raises(UserError, match="holds a whole sentence"):
        list(SentenceReader(tags=None).read([("f", 1, "林 满\tB-PER I-PER")]))


def test_a_file_of_one_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    path = put("t", TAGGED.replace("\n\n", "\n") * 3)
    error = complaint(capsys, "prepare", "-r", "ner-crf", "--train", path)
    assert "t: is one sentence of 15 tokens, from its first line to its last → put a blank line" in error
    notes = json.loads(output_of(capsys, "prepare", "-r", "ner-crf", "--train", path, "--dev", path, "--json"))["notes"]
    assert "train is a single text, 15 characters in one sentence: blank lines divide sentences" in notes
    path = put("t", TAGGED.replace("\n\n", "\n") * 150)
    notes = json.loads(output_of(capsys, "score", "-r", "ner-crf", path, path, "--json"))["notes"]
    assert "gold is one sentence of 750 tokens: blank lines divide sentences" in notes
    assert len(list(read_inputs(read_lines(path)))) == 1  # a single long text may be predicted on


# -- places


@pytest.mark.parametrize(
    ("text", "span", "said"),
    [
        ("林满在", [0, 2], "holds '林满在' → the last character is inclusive: write [0, 1]"),
        ("在林满", [1, 3], "lies outside the text, which has 3 characters → the last character is inclusive"),
        ("😀😀林满在", [4, 5], "→ offsets count characters, not units of UTF-16; the name stands at [2, 3]"),
        ("😀😀😀林满", [6, 7], "→ offsets count characters, not units of UTF-16; the name stands at [3, 4]"),
        ("在林满", [0, 1], "holds '在林' → offsets count characters from 0; the name stands at [1, 2]"),
        ("林满林满在", [3, 4], "→ offsets count characters from 0; the name stands at [2, 3]"),
        ("林云满在", [0, 1], "→ the name does not stand in the text: mend the record"),
    ],
)  # fmt: skip
def test_spans_counted_otherwise(text: str, span: list[int], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    error = preparing(capsys, "ner-crf", put("t", {"text": text, "label": {"人物": {"林满": [span]}}}))
    assert said in error and "--skip-bad" not in error


@pytest.mark.parametrize(
    ("text", "offset", "said"),
    [
        ("😀林满在", "2", "→ offsets count characters, not units of UTF-16; '林满' stands at 1"),
        ("😀😀林满", "4", "4 is outside the text of 4 characters → offsets count characters, not units of UTF-16"),
        ("在林满", "0", "→ offsets count characters from 0; '林满' stands at 1"),
    ],
)  # fmt: skip
def test_offsets_counted_otherwise(text: str, offset: str, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    kb = put("kb_data", {"subject_id": "1", "subject": "林满"})
    mention = {"mention": "林满", "offset": offset, "kb_id": "1"}
    path = put("t", {"text_id": "1", "text": text, "mention_data": [mention]})
    assert said in preparing(capsys, "el", path, "--file", f"kb={kb}")


# -- JSON


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('{"a": 1},', "has a comma behind the object → take the commas off the ends of the lines"),
        ('{"a": 1} ,  ', "has a comma behind the object"),
        ('{"a": 1}{"a": 2}', "holds several objects → write one object a line"),
        ('[{"a": 1},', "is the beginning of a JSON list → write each record on one line"),
        ('[{"a": 1}]', "is JSON but no object: list → write each record on one line"),
        (
            "{",
            "is only the beginning of something ({) → write each record on one line (for example: jq -c . OLD > NEW)",
        ),
        ("null", "is JSON but no object: null → write one object a line"),
        ('{"a": NaN}', "has the number NaN, which JSON does not know → write null, or leave the field out"),
        ('{"a": [-Infinity]}', "has the number -Infinity, which JSON does not know"),
        ('{"a": 1e999}', "has the number 1e999, which JSON does not know"),
        ('{"a": ' + "9" * 5_000 + "}", "has a number too long to read"),
        ('{"a": ', "is not JSON at character 7 (6 characters, perhaps cut in half)"),
        ('{"a": 1 "b": 2}', "is not JSON at character 9 (15 characters)"),
    ],
)
def test_lines_that_are_no_record(line: str, said: str) -> None:
    with pytest.raises(UserError) as told:
        parse_json(line, "f", 3)
    assert str(told.value).startswith("f:3: ") and said in str(told.value)


_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.floats() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
)


@given(_VALUES)
def test_what_is_written_is_json_and_comes_back(value: Any) -> None:
    def known(part: Any) -> Any:
        if isinstance(part, dict):
            return {key: known(inner) for key, inner in part.items()}
        if isinstance(part, list):
            return [known(inner) for inner in part]
        return None if isinstance(part, float) and part - part != 0 else part

    assert load_json(dump_json(value)) == known(value)


SPO = {"text": "林满写书", "spo_list": [{"subject": "书", "predicate": "作者", "object": {"@value": "林满"}}]}
MENTIONS = {"text_id": "1", "text": "林满写书", "mention_data": [{"kb_id": "7", "mention": "林满", "offset": "0"}]}
LABELS = {"text": "林满写书", "label": {"人物": {"林满": [[0, 1]]}}}
QUESTION = {"id": "1", "question": "谁写书？", "passages": [{"passage": "林满写书", "answer": "林满"}]}
DUREADER = {"question_id": 1, "question": "谁？", "documents": [{"paragraphs": ["林满写书"]}], "answers": ["林满"]}
SQUAD = {"context": "林满写书", "qas": [{"id": "1", "question": "谁？", "answers": [{"text": "林满"}]}]}
READERS = [
    (triples, SPO), (mentions, MENTIONS), (load_examples, LABELS), (load_questions, QUESTION),
    (load_questions, DUREADER), (load_questions, SQUAD),
]  # fmt: skip


def places(value: Any) -> list[list[Any]]:
    """Where something stands in plain data, outer places first."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    found: list[list[Any]] = []
    for key, part in items:
        found += [[key], *([key, *rest] for rest in places(part))]
    return found


def changed(record: Any, place: list[Any], value: Any) -> Any:
    copy = json.loads(json.dumps(record))
    at = copy
    for key in place[:-1]:
        at = at[key]
    at[place[-1]] = value
    return copy


# What a value may be without harm: ids, dates and types are free, and some fields may be missing.
_FREE = {"id", "question_id", "answer", "answers", "kb_id"}


@pytest.mark.parametrize(("read", "record"), READERS, ids=["ske", "el", "ner", "webqa", "dureader2", "squad"])
def test_null_and_objects_in_place_of_lists(read: Callable[[Path], Iterable[Any]], record: Any) -> None:
    """Whatever stands in a wrong place: one line that names the place, or the record is read; null is said as null."""
    for place in places(record):
        for value in (None, {}, {"a": 1}, [], [[]], 3, "", True):
            path = put("t", changed(record, place, value))
            try:
                list(read(path))
            except UserError as error:
                assert str(error).startswith(("t:1: ", "t: is of no known form", "t: holds no question")) and error.mend
                if value is None and place[-1] not in _FREE and isinstance(place[-1], str):
                    assert "is missing" not in str(error) or "or empty" in str(error), (place, error)


def test_null_in_scored_files(capsys: pytest.CaptureFixture[str]) -> None:
    for recipe, record in (("ske", SPO), ("el", MENTIONS), ("ner-crf", LABELS)):
        gold = put("gold", record)
        for place in places(record):
            if isinstance(place[-1], str) and place[-1] not in ("人物", "林满", "@value"):
                error = complaint(capsys, "score", "-r", recipe, gold, put("t", changed(record, place, None)))
                assert "is null" in error, (place, error)


def test_an_empty_object_among_those_with_slots(capsys: pytest.CaptureFixture[str]) -> None:
    path = put("t", SPO, changed(SPO, ["spo_list", 0, "object"], ""))
    assert "t:2: spo_list[0].object: is an empty string, an object with @value is needed" in preparing(
        capsys, "ske", path
    )


def test_all_bad_or_one(capsys: pytest.CaptureFixture[str]) -> None:
    """Leaving bad records out is offered where others are good."""
    bad = changed(SPO, ["spo_list", 0, "subject"], 3)
    error = preparing(capsys, "ske", put("t", bad, SPO))
    assert error.endswith("is a number, a string is needed → mend the record, or leave it out with --skip-bad\n")
    for count in (1, 2, 80):
        path = put("t", *[bad] * count)
        for options in ((), ("--skip-bad",)):
            assert "→ mend the record\n" in preparing(capsys, "ske", path, *options)


def test_leaving_out_is_advised_where_it_can_be_done(capsys: pytest.CaptureFixture[str]) -> None:
    good, bad = {"text": "林满", "label": {}}, "\x00"
    gold = put("gold.json", good, bad)
    said = complaint(capsys, "score", "--recipe", "ner-crf", gold, gold)
    assert "gold.json:2: has a zero byte" in said and "→ mend the record" in said and "--skip-bad" not in said
    assert "--skip-bad" in preparing(capsys, "ner-crf", gold)
    # Where bad records are left out already, one that cannot be is none of those.
    asked = put("asked.json", {"question": "几年?", "table_id": "t", "sql": {}})
    put("asked.tables.json", bad)
    assert "--skip-bad" not in preparing(capsys, "nl2sql", asked, "--skip-bad")
