"""What is said of bad files of entities, and how they are left out. All sentences are invented."""

from __future__ import annotations

from pathlib import Path

import pytest

from ietool.errors import UserError
from ietool.tasks.ner.data.forms import tokens
from ietool.tasks.ner.data.reading import load_examples
from tests.tasks.ner.data.test_reading import WANTED, plain, record, write

BAD_RECORDS = {
    '{"text": "林满", "label": {': r"t:2: is not JSON at character \d+ .* cut in half\) → mend the line",
    '["text"]': "t:2: is JSON but no object: list → write each record on one line",
    '{"label": {}}': 't:2: text: is missing → write one {"text"',
    '{"text": 7, "label": {}}': "t:2: text: is a number, a string is needed → ",
    '{"text": null, "label": {}}': "t:2: text: is null, a string is needed",
    '{"text": "", "label": {}}': "t:2: text: is empty → mend the record, or leave it out with --skip-bad",
    '{"text": " \u3000", "label": {}}': "t:2: text: is empty",
    '{"text": "林满"}': "t:2: label: is missing → is this a test file[?] training needs gold entities",
    '{"text": "林满", "label": []}': "t:2: label: is a list, an object is needed",
    '{"text": "林满", "label": {"人物": ["林满"]}}': "t:2: label.人物: is a list, an object is needed",
    '{"text": "林满", "label": {"": {"林满": [[0, 1]]}}}': "t:2: label: has a type without a name",
    '{"text": "林满", "label": {"人物": {"林满": []}}}': r"t:2: label.人物.林满: is empty, a list of \[start, last\]",
    '{"text": "林满", "label": {"人物": {"林满": "01"}}}': r"t:2: label.人物.林满: is a string, a list of",
    '{"text": "林满", "label": {"人物": {"林满": [[0, 1, 2]]}}}': r"t:2: label.人物.林满: \[0, 1, 2\] is no span",
    '{"text": "林满", "label": {"人物": {"林满": [["0", 1]]}}}': r't:2: label.人物.林满: \["0", 1\] is no span',
    '{"text": "林满", "label": {"人物": {"林满": [[1, 0]]}}}': r"t:2: label.人物.林满: \[1, 0\] is no span",
    '{"text": "林满", "label": {"人物": {"林满": [[-1, 0]]}}}': r"t:2: label.人物.林满: \[-1, 0\] is no span",
    '{"text": "林满", "label": {"人物": {"林满": [[true, 1]]}}}': r"t:2: label.人物.林满: \[true, 1\] is no span",
    '{"text": "林满", "label": {"人物": {"林满": [[1, 2]]}}}':
        r"t:2: label.人物.林满: the span \[1, 2\] lies outside the text, which has 2 characters",
    '{"text": "林满", "label": {"人物": {"林": [[1, 1]]}}}': r"t:2: label.人物.林: the span \[1, 1\] holds '满'",
    '{"text": "林满", "label": {}, "id": []}': "t:2: id: is a list, a number or a string is needed",
    '{"text": "\\ud83d", "label": {}}': "t:2: has half of a surrogate pair",
}  # fmt: skip


@pytest.mark.parametrize("line", BAD_RECORDS)
def test_a_bad_record_is_told_in_one_line_or_left_out(tmp_path: Path, line: str) -> None:
    path = write(tmp_path / "t", record() + line + "\n" + record("雨停", {}))
    with pytest.raises(UserError, match=BAD_RECORDS[line]) as told:
        list(load_examples(path))
    assert str(told.value).startswith(str(path)) and "\n" not in str(told.value)
    bad: list[tuple[UserError, str]] = []
    assert plain(load_examples(path, lambda error, text: bad.append((error, text)))) == WANTED
    assert [(error.line, text) for error, text in bad] == [(2, line)]


BAD_SENTENCES = {
    "林 B-人物\n满 X-人物\n": "t:5: 'X-人物' is no tag: O, or one of B I M E L S U W, a dash and a type",
    "林 B-人物\n满 人物\n": "t:5: '人物' is no tag",
    "林 B-人物\n满 o\n": "t:5: 'o' is no tag",
    "林 B-人物\n满 E-人物\n": "t:5: the tag 'E-人物' is not of the scheme BIO → write all tags in one scheme, or set",
    "林 B-人物\n满\n": "t:5: has a token and no tag → write a token and its tag a line",
    "林 B-人物\n满\t\n": "t:5: lacks its token or tag",
    "\tO\n满\tO\n": "t:4: lacks its token or tag",
    "林 nr B-人物\n": "t:4: has 3 columns → write a token and its tag a line, and a blank line between sentences",
    "林\tnr\tB-人物\n": "t:4: has 3 columns",
}


@pytest.mark.parametrize("lines", BAD_SENTENCES)
def test_a_bad_sentence_is_told_in_one_line_or_left_out(tmp_path: Path, lines: str) -> None:
    path = write(tmp_path / "t", f"林 B-人物\n满 I-人物\n\n{lines}\n雨 O\n停 O\n")
    with pytest.raises(UserError, match=BAD_SENTENCES[lines]) as told:
        list(load_examples(path, form="bio"))
    assert str(told.value).startswith(str(path)) and "\n" not in str(told.value)
    bad: list[UserError] = []
    good = plain(load_examples(path, lambda error, text: bad.append(error), form="bio"))
    assert good == [("林满", [(0, 2, "人物")]), ("雨停", [])] and len(bad) == 1


def test_bytes_that_are_no_text_spoil_their_sentence_alone(tmp_path: Path) -> None:
    path = tmp_path / "t"
    path.write_bytes("林 B-人物\n满 I-人物\n\n云 ".encode() + b"\xb5\xd8\n" + "州 O\n\n雨 O\n停 O\n".encode())
    with pytest.raises(UserError, match=r"t:4: is not UTF-8 \(byte 0xb5 .*iconv"):
        list(load_examples(path, form="bio"))
    bad: list[UserError] = []
    assert plain(load_examples(path, lambda error, text: bad.append(error))) == [
        ("林满", [(0, 2, "人物")]), ("雨停", []),
    ]  # fmt: skip
    assert [error.line for error in bad] == [4]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", 'holds no record → bring a file with {"text": …, "label": {…}} a line'),
        ("\n \n", "holds no record"),
        ("林 B-甲\n满 M-甲\n山 L-甲\n", "has tags of several schemes: the letters B, L, M → write all tags"),
        ('[\n{"text": "林满", "label": {}}\n]\n', r"t:1: is only the beginning of something \(\[\) → write"),
        ('[{"text": "林满", "label": {}}]\n', "t:1: is JSON but no object: list → write each record on one line"),
    ],
)  # fmt: skip
def test_files_that_hold_nothing_usable(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(UserError, match=message) as told:
        list(load_examples(write(tmp_path / "t", text)))
    assert "\n" not in str(told.value)


def test_where_all_is_bad_the_first_reason_is_told(tmp_path: Path) -> None:
    bad: list[UserError] = []
    with pytest.raises(UserError, match="text: is empty"):
        list(load_examples(write(tmp_path / "t", record("") * 3), lambda error, text: bad.append(error)))
    assert len(bad) == 3


def test_a_file_that_is_not_utf8_is_told_early(tmp_path: Path) -> None:
    path = tmp_path / "train.txt"
    path.write_bytes("字 B-名\n\n".encode("gb18030") * 5000)
    left: list[UserError] = []
    with pytest.raises(UserError, match=r"is not UTF-8 .*none of the 1001 records") as caught:
        list(load_examples(path, lambda error, line: left.append(error)))
    assert caught.value.line == 1


def test_bad_lines_are_told_in_their_order(tmp_path: Path) -> None:
    path = tmp_path / "train.txt"
    good, bad = b"a B-x\nb O\n\n", "字 B-名\n\n".encode("gb18030")
    path.write_bytes(bad + good + bad * 2 + good + bad[:-1] + good + bad)
    left: list[int | None] = []
    examples = list(load_examples(path, lambda error, line: left.append(error.line), form="bio"))
    assert [example.line for example in examples] == [3, 10] and left == [1, 6, 8, 13, 17]


def test_a_sentence_without_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tokens, "_LONGEST", 50)
    path = tmp_path / "train.txt"
    path.write_text("a O\n" * 50 + "\n" + "a O\n" * 50 + "\n", encoding="utf-8")
    assert len(list(load_examples(path))) == 2
    path.write_text("a O\n\n" + "a O\n" * 51, encoding="utf-8")
    with pytest.raises(UserError, match=":3: begins a sentence of more than 50 tokens"):
        list(load_examples(path))
