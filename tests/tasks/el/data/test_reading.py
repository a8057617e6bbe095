"""Reading, validating, locating and writing CCKS entity-linking files. All sentences are made up here."""

from __future__ import annotations

import gzip
import json
import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ietool.errors import UserError
from ietool.files.lines import read_lines
from ietool.tasks.el.data.example import Example, Mention, normalise
from ietool.tasks.el.data.reading import load_examples, read_examples, read_inputs
from ietool.tasks.el.data.sources import locate
from ietool.tasks.el.writing import format_line

RECORD = {
    "text_id": "7",
    "text": "《青砖巷》是林满写的",
    "mention_data": [
        {"kb_id": "501", "mention": "青砖巷", "offset": "1"},
        {"kb_id": "NIL", "mention": "林满", "offset": "6"},
    ],
}


def line(**changes: Any) -> str:
    """The record with some fields changed; None leaves a field out."""
    record = {**RECORD, **changes}
    return json.dumps({key: value for key, value in record.items() if value is not None}, ensure_ascii=False)


def mention(**changes: Any) -> str:
    """The record with one mention, some of whose fields are changed."""
    entry = {"kb_id": "501", "mention": "青砖巷", "offset": "1", **changes}
    return line(mention_data=[{key: value for key, value in entry.items() if value is not None}])


def read(*lines: str, **options: Any) -> list[Example]:
    return list(read_examples([("f", number, text) for number, text in enumerate(lines, 1)], **options))


def refused(*lines: str, **options: Any) -> str:
    with pytest.raises(UserError) as error:
        read(*lines, **options)
    return str(error.value)


def inputs(*lines: str) -> list[Example]:
    return list(read_inputs(("f", number, text) for number, text in enumerate(lines, 1)))


class TestRecords:
    def test_a_record(self) -> None:
        (example,) = read(line())
        assert example == Example(
            "7", "《青砖巷》是林满写的", (Mention("青砖巷", 1, "501"), Mention("林满", 6, "NIL")), "f", 1, "ccks2019"
        )
        assert [(m.end, m.is_nil) for m in example.mentions] == [(4, False), (8, True)]

    def test_no_mention_is_a_record_too(self) -> None:
        (example,) = read(line(mention_data=[]))
        assert example.mentions == () and example.form == ""

    @pytest.mark.parametrize(
        ("kb_id", "nil", "form"),
        [
            ("NIL", True, "ccks2019"),
            ("NIL_Person", True, "ccks2020"),
            ("NIL_Person|NIL_Work", True, "ccks2020"),
            ("501", False, ""),
            ("NILS", False, ""),
        ],
    )
    def test_nil_tells_the_form(self, kb_id: str, nil: bool, form: str) -> None:
        (example,) = read(mention(kb_id=kb_id))
        assert example.mentions[0].is_nil is nil
        assert example.form == form

    def test_repeated_mentions_are_merged(self) -> None:
        entry = {"kb_id": "501", "mention": "青砖巷", "offset": "1"}
        (example,) = read(line(mention_data=[entry, entry, {**entry, "kb_id": "502"}]))
        assert [m.kb_id for m in example.mentions] == ["501", "502"]

    def test_case_may_differ_from_the_text(self) -> None:
        (example,) = read(line(text="看GoLand", mention_data=[{"kb_id": "1", "mention": "goland", "offset": "1"}]))
        assert example.mentions == (Mention("goland", 1, "1"),)

    def test_offsets_count_characters(self) -> None:
        (example,) = read(line(text="🎬青砖巷", mention_data=[{"kb_id": "1", "mention": "青砖巷", "offset": "1"}]))
        assert example.mentions[0].start == 1

    def test_mentions_without_ids(self) -> None:
        (example,) = read(mention(kb_id=None), need_ids=False)
        assert example.mentions == (Mention("青砖巷", 1, ""),)
        assert not example.mentions[0].is_nil


@pytest.mark.parametrize(
    ("bad", "told"),
    [
        (line(text=None), "f:1: text: is missing"),
        (line(text=3), 'f:1: text: is a number, a string is needed: "text": "3" → write it as a string'),
        (line(text=["甲"]), "f:1: text: is a list, a string is needed"),
        (line(text=""), "f:1: text: is empty"),
        (line(text=" "), "f:1: text: is empty"),
        (line(text_id=None), "f:1: text_id: is missing"),
        (line(text_id=7), 'text_id: is a number, a string is needed: "text_id": "7" → write it as a string'),
        (line(text_id=True), "text_id: is true or false, a string is needed → mend the record"),
        (line(text_id=""), "text_id: is empty"),
        (line(mention_data=None), "f:1: mention_data: is missing → is this a test file?"),
        (line(mention_data={}), "mention_data: is an object, a list is needed"),
        (line(mention_data=["青砖巷"]), "mention_data[0]: is a string, an object is needed"),
        (mention(mention=None), "mention_data[0].mention: is missing"),
        (mention(mention=5), 'mention_data[0].mention: is a number, a string is needed: "mention": "5"'),
        (mention(mention=""), "mention_data[0].mention: is empty"),
        (mention(offset=None), "mention_data[0].offset: is missing"),
        (mention(offset=1), 'mention_data[0].offset: is a number, a string is needed: "offset": "1"'),
        (mention(offset="eins"), "mention_data[0].offset: is no number of characters: 'eins'"),
        (mention(offset="-1"), "mention_data[0].offset: is no number of characters: '-1'"),
        (mention(offset="１"), "mention_data[0].offset: is no number of characters: '１'"),
        (mention(offset=""), "mention_data[0].offset: is empty"),
        (mention(offset="10"), "mention_data[0].offset: 10 is outside the text of 10 characters"),
        (mention(offset="9" * 5000), "mention_data[0].offset: 9999999999 is outside the text of 10 characters"),
        (
            mention(offset="2"),
            "mention_data[0].offset: at 2 stands '砖巷》', but the mention is '青砖巷' → "
            "offsets count characters from 0; '青砖巷' stands at 1",
        ),
        (
            mention(mention="白砖巷"),
            "at 1 stands '青砖巷', but the mention is '白砖巷' → offsets count characters from 0",
        ),
        (mention(mention="林满写的书", offset="6"), "at 6 stands '林满写的', but the mention is '林满写的书'"),
        (mention(kb_id=None), "mention_data[0].kb_id: is missing"),
        (mention(kb_id=501), 'mention_data[0].kb_id: is a number, a string is needed: "kb_id": "501"'),
        (mention(kb_id=["501"]), "mention_data[0].kb_id: is a list, a string is needed"),
        (mention(kb_id=""), "mention_data[0].kb_id: is empty"),
        (mention(kb_id="NIL_A\nB"), "mention_data[0].kb_id: has a line break"),
        (line()[:40], "f:1: is not JSON"),
        ('["甲"]', "f:1: is JSON but no object: list"),
        (line().replace("林满写", "\\ud83d"), "f:1: has half of a surrogate pair (\\ud83d)"),
    ],
)
def test_bad_records_are_named(bad: str, told: str) -> None:
    assert told in refused(bad)
    assert told.replace("f:1", "f:2") in refused(line(), bad)


def test_bad_records_are_left_out_and_told() -> None:
    bad: list[tuple[UserError, str]] = []
    found = read(mention(offset=1), line(), on_bad=lambda error, text: bad.append((error, text)))
    assert [e.line for e in found] == [2]
    assert bad[0][0].line == 1 and bad[0][1] == mention(offset=1)
    assert "none of the 1 records" in refused(mention(offset=1), on_bad=lambda error, text: None)


def test_an_empty_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "train.json").write_text("\n\n")
    with pytest.raises(UserError, match="holds no record"):
        list(load_examples(tmp_path / "train.json"))


def test_plain_and_packed(tmp_path: Path) -> None:
    plain = tmp_path / "train.json"
    plain.write_text(line() + "\r\n", encoding="utf-8-sig")
    (tmp_path / "train.gz").write_bytes(gzip.compress(plain.read_bytes()))
    with zipfile.ZipFile(tmp_path / "train.zip", "w") as archive:
        archive.write(plain, "train.json")
    first, *others = ([e.mentions for e in load_examples(tmp_path / name)] for name in ("train.json", "train.gz"))
    assert first == others[0] == [e.mentions for e in load_examples(tmp_path / "train.zip")]


class TestInputs:
    def test_texts(self) -> None:
        assert inputs(line(mention_data=None)) == [Example("7", "《青砖巷》是林满写的", (), "f", 1)]

    def test_a_missing_id_is_the_number_of_the_line(self) -> None:
        assert [e.text_id for e in inputs('{"text": "甲"}', '{"text": "乙"}')] == ["1", "2"]

    def test_an_empty_text_is_let_through(self) -> None:
        assert inputs('{"text_id": "1", "text": ""}') == [Example("1", "", (), "f", 1)]

    def test_given_mentions_are_kept_without_ids(self) -> None:
        entry = {"mention": "青砖巷", "offset": "1"}
        expected = (Mention("青砖巷", 1),)
        assert inputs(line(mention_data=[entry]))[0].mentions == expected
        assert inputs(line(mention_data=[{**entry, "kb_id": "501"}, {**entry, "kb_id": ""}]))[0].mentions == expected
        assert inputs(line(mention_data=[{**entry, "kb_id": 501}]))[0].mentions == expected

    @pytest.mark.parametrize(
        ("bad", "told"),
        [
            ('{"text_id": "1"}', 'f:1: text: is missing → write one {"text_id": "1", "text": …} a line'),
            ('{"text_id": 1, "text": "甲"}', 'text_id: is a number, a string is needed: "text_id": "1" → write it as'),
            ('{"text_id": null, "text": "甲"}', "text_id: is null, a string is needed"),
            ('{"text_id": "1", "text": 5}', "text: is a number"),
            (mention(offset=1), 'offset: is a number, a string is needed: "offset": "1"'),
            (mention(offset="3"), "at 3 stands '巷》是', but the mention is '青砖巷'"),
        ],
    )
    def test_bad_ones_are_named(self, bad: str, told: str) -> None:
        with pytest.raises(UserError) as error:
            inputs(bad)
        assert told in str(error.value)


def test_the_form_of_a_submission() -> None:
    mentions = [Mention("林满", 6, "77"), Mention("青砖", 1, "9"), Mention("青砖巷", 1, "501")]
    assert format_line("7", "《青砖巷》是林满写的", mentions) == (
        '{"text_id": "7", "text": "《青砖巷》是林满写的", "mention_data": ['
        '{"kb_id": "9", "mention": "青砖", "offset": "1"}, {"kb_id": "501", "mention": "青砖巷", "offset": "1"}, '
        '{"kb_id": "77", "mention": "林满", "offset": "6"}]}'
    )


@st.composite
def examples(draw: st.DrawFn) -> Example:
    text = draw(st.text("甲乙丙AbC《》 🎬İ\u2028", min_size=1, max_size=20).filter(str.strip))
    mentions: dict[Mention, None] = {}
    for _ in range(draw(st.integers(0, 5))):
        start = draw(st.integers(0, len(text) - 1))
        name = text[start : draw(st.integers(start + 1, len(text)))]
        if name.strip():
            mentions[Mention(name, start, draw(st.sampled_from(["1", "20", "NIL", "NIL_Work|NIL_Other"])))] = None
    return Example(draw(st.text("0123456789", min_size=1, max_size=5)), text, tuple(mentions))


@given(examples())
def test_what_is_written_is_read_again(example: Example) -> None:
    (again,) = read(format_line(example.text_id, example.text, example.mentions))
    assert (again.text_id, again.text) == (example.text_id, example.text)
    assert again.mentions == tuple(sorted(example.mentions, key=lambda m: (m.start, m.end)))


@pytest.mark.parametrize(
    ("name", "key"),
    [("《ABC》", "abc"), ("《abc", "《abc"), ("《《甲》》", "《甲》"), ("Ａ b", "ａ b"), ("《》", ""), ("İ", "İ")],
)
def test_names_are_compared_folded_and_without_book_marks(name: str, key: str) -> None:
    assert normalise(name) == key


class TestLocate:
    def touch(self, folder: Path, names: Iterable[str]) -> Path:
        for name in names:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).touch()
        return folder

    def names(self, folder: Path) -> dict[str, str]:
        return {role: path.name for role, path in locate(folder).files.items()}

    def test_the_official_names(self, tmp_path: Path) -> None:
        names = ["ccks/kb_data", "ccks/train.json", "ccks/develop.json", "ccks/eval722.json", "ccks/readme.txt"]
        assert self.names(self.touch(tmp_path, names)) == {
            "kb": "kb_data", "train": "train.json", "test": "develop.json",
        }  # fmt: skip

    def test_develop_is_no_dev_file(self, tmp_path: Path) -> None:
        names = [
            "kb_data.json.gz",
            "train_data.json",
            "dev.json",
            "develop.json",
            "mention_spans.json",
            "test_gold.json",
        ]
        assert self.names(self.touch(tmp_path, names)) == {
            "kb": "kb_data.json.gz", "train": "train_data.json", "dev": "dev.json", "test": "develop.json",
            "mentions": "mention_spans.json", "test_gold": "test_gold.json",
        }  # fmt: skip

    def test_mentions_of_training_texts_are_no_training_file(self, tmp_path: Path) -> None:
        files = self.names(self.touch(tmp_path, ["kb.json", "train.json", "train_mentions.json"]))
        assert (files["train"], files["mentions"]) == ("train.json", "train_mentions.json")

    def test_several_that_could_be_one_are_named(self, tmp_path: Path) -> None:
        self.touch(tmp_path, ["kb_data", "train.json", "train_old.json"])
        with pytest.raises(UserError, match=r"several files could be the train file: train.json, train_old.json"):
            locate(tmp_path)

    def test_what_is_missing_is_named(self, tmp_path: Path) -> None:
        self.touch(tmp_path, ["train.json"])
        with pytest.raises(UserError, match=r"has no kb file .*kb_data.* → name it with --file kb=FILE"):
            locate(tmp_path)


def test_lines_are_streamed(tmp_path: Path) -> None:
    path = tmp_path / "train.json"
    path.write_text(line() + "\n" + line(text=None) + "\n", encoding="utf-8")
    stream = read_examples(read_lines(path))
    assert next(stream).text_id == "7"
    with pytest.raises(UserError, match=r"train\.json:2"):
        next(stream)
