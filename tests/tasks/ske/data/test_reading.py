"""Reading, validating, locating and writing SKE 2019 and DuIE 2.0 files. All sentences are made up here."""

from __future__ import annotations

import contextlib
import gzip
import json
import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ietool.errors import UserError
from ietool.files.lines import read_lines
from ietool.tasks.ske.data.example import VALUE, Example, Triple
from ietool.tasks.ske.data.reading import load_examples, read_examples, read_inputs
from ietool.tasks.ske.data.schema import Schema, infer_schema, read_schema
from ietool.tasks.ske.data.sources import locate
from ietool.tasks.ske.writing import format_line

SKE_SCHEMA = [
    {"object_type": "人物", "predicate": "作者", "subject_type": "图书作品"},
    {"object_type": "Date", "predicate": "成立日期", "subject_type": "机构"},
    {"object_type": "Date", "predicate": "成立日期", "subject_type": "企业"},
]
DUIE_SCHEMA = [
    {"object_type": {"@value": "人物"}, "predicate": "作者", "subject_type": "图书作品"},
    {"object_type": {"inArea": "地点", "@value": "Date"}, "predicate": "上映时间", "subject_type": "影视作品"},
]
SKE_RECORD = {
    "postag": [{"word": "甲", "pos": "nr"}],
    "text": "《青砖巷》的作者是林满",
    "spo_list": [
        {"subject": "青砖巷", "predicate": "作者", "object": "林满", "subject_type": "图书作品", "object_type": "人物"}
    ],
}
DUIE_RECORD = {
    "text": "《夜航船长》1999年在挪威上映",
    "spo_list": [
        {
            "subject": "夜航船长",
            "predicate": "上映时间",
            "object": {"inArea": "挪威", "@value": "1999年"},
            "subject_type": "影视作品",
            "object_type": {"inArea": "地点", "@value": "Date"},
        }
    ],
}


def write(path: Path, records: Iterable[Any]) -> Path:
    path.write_text("".join(json.dumps(r, ensure_ascii=False) + "\n" for r in records), encoding="utf-8")
    return path


def lines(*records: Any) -> list[tuple[str, int, str]]:
    return [
        ("data.json", number, record if isinstance(record, str) else json.dumps(record, ensure_ascii=False))
        for number, record in enumerate(records, 1)
    ]


def with_triple(record: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """The record with a second triple that has some fields changed; None removes a field."""
    spo = {**record["spo_list"][0], **changes}
    return {**record, "spo_list": [record["spo_list"][0], {k: v for k, v in spo.items() if v is not ...}]}


def error_of(*records: Any, schema: Schema | None = None) -> UserError:
    with pytest.raises(UserError) as caught:
        list(read_examples(lines(*records), schema))
    return caught.value


class TestReading:
    def test_both_forms(self) -> None:
        (ske,) = read_examples(lines(SKE_RECORD))
        assert ske.triples == (Triple("青砖巷", "作者", ((VALUE, "林满"),)),)
        assert (ske.form, ske.file, ske.line) == ("ske2019", "data.json", 1)
        (duie,) = read_examples(lines(DUIE_RECORD))
        # @value first whatever the order in the file
        assert duie.triples == (Triple("夜航船长", "上映时间", ((VALUE, "1999年"), ("inArea", "挪威"))),)
        assert duie.form == "duie2"

    def test_postag_may_be_absent_and_types_too(self) -> None:
        spo = {"subject": "青砖巷", "predicate": "作者", "object": "林满"}
        (example,) = read_examples(lines({"text": "林满写青砖巷", "spo_list": [spo]}))
        assert len(example.triples) == 1

    def test_empty_list_of_triples_is_fine(self) -> None:
        assert next(read_examples(lines({"text": "无事发生", "spo_list": []}))).triples == ()

    def test_repeated_triples_are_merged(self) -> None:
        assert len(next(read_examples(lines(with_triple(SKE_RECORD)))).triples) == 1

    def test_surrounding_spaces_are_kept(self) -> None:
        (example,) = read_examples(lines(with_triple(SKE_RECORD, subject=" 青砖巷 ")))
        assert example.triples[1].subject == " 青砖巷 "

    def test_empty_slots_are_dropped(self) -> None:
        (example,) = read_examples(lines(with_triple(DUIE_RECORD, object={"@value": "2000年", "inArea": ""})))
        assert example.triples[1].object == ((VALUE, "2000年"),)

    def test_a_triple_with_an_empty_object_is_dropped_and_counted(self) -> None:
        (example,) = read_examples(lines(with_triple(DUIE_RECORD, object={"@value": ""})))
        assert len(example.triples) == 1
        assert example.dropped == 1

    def test_names_outside_the_text_are_no_error(self) -> None:
        assert len(next(read_examples(lines(with_triple(SKE_RECORD, subject="别处")))).triples) == 2

    def test_a_very_long_text(self) -> None:
        record = {**SKE_RECORD, "text": "长" * 100_000}
        assert len(next(read_examples(lines(record))).text) == 100_000

    def test_is_lazy(self) -> None:
        stream = read_examples(lines(SKE_RECORD, "{broken"))
        assert next(stream).text
        with pytest.raises(UserError):
            next(stream)


class TestBadRecords:
    @pytest.mark.parametrize(
        ("record", "field", "says"),
        [
            ({"spo_list": []}, "text", "missing"),
            ({"text": "", "spo_list": []}, "text", "empty"),
            ({"text": " \u3000", "spo_list": []}, "text", "empty"),
            ({"text": 7, "spo_list": []}, "text", "a number"),
            ({"text": None, "spo_list": []}, "text", "null"),
            ({"text": "甲"}, "spo_list", "missing"),
            ({"text": "甲", "spo_list": {}}, "spo_list", "an object"),
            ({"text": "甲", "spo_list": ["乙"]}, "spo_list[0]", "a string"),
            (with_triple(SKE_RECORD, subject=...), "spo_list[1].subject", "missing"),
            (with_triple(SKE_RECORD, subject=""), "spo_list[1].subject", "empty"),
            (with_triple(SKE_RECORD, subject=["甲"]), "spo_list[1].subject", "a list"),
            (with_triple(SKE_RECORD, predicate=...), "spo_list[1].predicate", "missing"),
            (with_triple(SKE_RECORD, predicate=True), "spo_list[1].predicate", "true or false"),
            (with_triple(SKE_RECORD, object=...), "spo_list[1].object", "missing"),
            (with_triple(SKE_RECORD, object=3), "spo_list[1].object", "a number"),
            (with_triple(SKE_RECORD, object={"@value": "甲"}), "spo_list[1].object", "DuIE 2.0"),
            (with_triple(DUIE_RECORD, object="甲"), "spo_list[1].object", "SKE 2019"),
            (with_triple(DUIE_RECORD, object={"inArea": "甲"}), "spo_list[1].object.@value", "missing"),
            (with_triple(DUIE_RECORD, object={"@value": "甲", "inArea": 1}), "spo_list[1].object.inArea", "a number"),
        ],
    )
    def test_names_file_line_field_and_mend(self, record: Any, field: str, says: str) -> None:
        error = error_of({"text": "好的一行", "spo_list": []}, record)
        assert (error.file, error.line, error.field) == ("data.json", 2, field)
        assert says in error.message
        assert error.mend
        assert str(error).startswith(f"data.json:2: {field}: ")

    @pytest.mark.parametrize(
        "line", ['{"text": "甲", "spo_li', "[1, 2]", '"甲"', '{"text": "\\ud83d"}', '{"text": ' + "1" * 5000 + "}"]
    )
    def test_lines_that_are_no_record(self, line: str) -> None:
        error = error_of(SKE_RECORD, line)
        assert (error.file, error.line) == ("data.json", 2)
        assert error.mend

    def test_a_mixed_file_names_the_first_line_of_the_other_form(self) -> None:
        error = error_of(SKE_RECORD, SKE_RECORD, DUIE_RECORD)
        assert error.line == 3
        assert "what came before" in error.message

    def test_on_bad_gets_the_error_and_the_raw_line(self) -> None:
        rejected: list[tuple[UserError, str]] = []
        data = lines(SKE_RECORD, '{"cut', {"text": "", "spo_list": []}, SKE_RECORD)
        good = list(read_examples(data, on_bad=lambda error, line: rejected.append((error, line))))
        assert [example.line for example in good] == [1, 4]
        assert [(error.line, line) for error, line in rejected] == [(2, data[1][2]), (3, data[2][2])]

    def test_when_every_record_is_bad_it_says_so_once(self) -> None:
        with pytest.raises(UserError, match="none of the 2 records"):
            list(read_examples(lines("x", "y"), on_bad=lambda error, line: None))


class TestFiles:
    def test_bom_crlf_and_blank_lines(self, tmp_path: Path) -> None:
        path = tmp_path / "train.json"
        text = json.dumps(SKE_RECORD, ensure_ascii=False)
        path.write_bytes(b"\xef\xbb\xbf" + f"{text}\r\n\r\n{text}\r\n".encode())
        assert [example.line for example in load_examples(path)] == [1, 3]

    def test_not_utf8_names_the_line(self, tmp_path: Path) -> None:
        path = tmp_path / "train.json"
        text = json.dumps(SKE_RECORD, ensure_ascii=False)
        path.write_bytes(text.encode() + b"\n" + text.encode("gb18030") + b"\n")
        with pytest.raises(UserError) as caught:
            list(load_examples(path))
        assert caught.value.line == 2
        assert "UTF-8" in str(caught.value)

    @pytest.mark.parametrize("content", ["", "\n \n"])
    def test_empty_file(self, tmp_path: Path, content: str) -> None:
        path = tmp_path / "train.json"
        path.write_text(content)
        with pytest.raises(UserError, match="no record"):
            list(load_examples(path))

    def test_missing_file(self, tmp_path: Path) -> None:
        with pytest.raises(UserError, match="no such file"):
            list(load_examples(tmp_path / "none.json"))


class TestInputs:
    def test_everything_but_the_text_is_ignored(self) -> None:
        records = [{"text": "甲乙", "spo_list": "nonsense", "id": 3}, {"text": ""}]
        assert [example.text for example in read_inputs(lines(*records))] == ["甲乙", ""]
        assert all(not example.triples for example in read_inputs(lines(SKE_RECORD)))

    @pytest.mark.parametrize("record", [{"txt": "甲"}, {"text": 5}])
    def test_no_text(self, record: Any) -> None:
        with pytest.raises(UserError) as caught:
            list(read_inputs(lines({"text": "好"}, record)))
        assert (caught.value.line, caught.value.field) == (2, "text")


class TestSchema:
    def test_ske2019_merges_a_predicate_that_stands_twice(self, tmp_path: Path) -> None:
        schema = read_schema(write(tmp_path / "all_50_schemas", SKE_SCHEMA))
        assert schema.competition == "ske2019"
        assert schema.relations == {"作者": (VALUE,), "成立日期": (VALUE,)}
        assert schema.subject_types["成立日期"] == ("机构", "企业")

    def test_duie2_puts_the_value_first(self, tmp_path: Path) -> None:
        schema = read_schema(write(tmp_path / "schema.json", DUIE_SCHEMA))
        assert schema.competition == "duie2"
        assert schema.labels == [("作者", VALUE), ("上映时间", VALUE), ("上映时间", "inArea")]
        assert schema.slot_type("上映时间", "inArea") == "地点"

    def test_round_trip(self, tmp_path: Path) -> None:
        for records in (SKE_SCHEMA, DUIE_SCHEMA):
            schema = read_schema(write(tmp_path / "s.json", records))
            again = Schema.from_json(schema.to_json())
            assert again == schema
            assert again.labels == schema.labels

    @pytest.mark.parametrize("text", ["", "[]", "{}", '{"competition": "x", "relations": []}', '{"relations": 3}'])
    def test_from_json_refuses_what_is_none(self, text: str) -> None:
        with pytest.raises(UserError, match=r"schema\.json"):
            Schema.from_json(text)

    @pytest.mark.parametrize(
        ("record", "field"),
        [
            ({"object_type": "人物", "subject_type": "图书作品"}, "predicate"),
            ({"object_type": "人物", "predicate": "作者"}, "subject_type"),
            ({"object_type": 3, "predicate": "作者", "subject_type": "甲"}, "object_type"),
            ({"object_type": {"inArea": "地点"}, "predicate": "作者", "subject_type": "甲"}, "object_type"),
            ({"object_type": {"@value": 1}, "predicate": "作者", "subject_type": "甲"}, "object_type.@value"),
            (DUIE_SCHEMA[0], "object_type"),
        ],
    )
    def test_bad_lines(self, tmp_path: Path, record: Any, field: str) -> None:
        path = write(tmp_path / "schema.json", [SKE_SCHEMA[0], record])
        with pytest.raises(UserError) as caught:
            read_schema(path)
        assert (caught.value.file, caught.value.line, caught.value.field) == (str(path), 2, field)

    def test_empty_schema(self, tmp_path: Path) -> None:
        with pytest.raises(UserError, match="no relation"):
            read_schema(write(tmp_path / "schema.json", []))

    def test_unknown_predicate_names_the_nearest(self, tmp_path: Path) -> None:
        schema = read_schema(write(tmp_path / "schema.json", SKE_SCHEMA))
        error = error_of(with_triple(SKE_RECORD, predicate="成立时期"), schema=schema)
        assert error.field == "spo_list[1].predicate"
        assert "成立日期" in error.message
        assert "--schema" in str(error.mend)

    def test_unknown_slot(self, tmp_path: Path) -> None:
        schema = read_schema(write(tmp_path / "schema.json", DUIE_SCHEMA))
        error = error_of(with_triple(DUIE_RECORD, object={"@value": "甲", "onDate": "乙"}), schema=schema)
        assert error.field == "spo_list[1].object.onDate"
        assert "inArea" in error.message

    def test_schema_of_the_other_form(self, tmp_path: Path) -> None:
        schema = read_schema(write(tmp_path / "schema.json", DUIE_SCHEMA))
        error = error_of(SKE_RECORD, schema=schema)
        assert "schema.json" in error.message
        assert "--schema" in str(error.mend)
        seen: list[UserError] = []
        with pytest.raises(UserError, match="none of the 3 records"):
            list(read_examples(lines(*[SKE_RECORD] * 3), schema, lambda e, _: seen.append(e)))
        assert len(seen) == 3

    def test_inferred_from_data(self) -> None:
        schema = infer_schema(read_examples(lines({"text": "空", "spo_list": []}, DUIE_RECORD)))
        assert schema.competition == "duie2"
        assert schema.labels == [("上映时间", VALUE), ("上映时间", "inArea")]
        assert schema.subject_type("上映时间") == "影视作品"
        assert schema.slot_type("上映时间", "inArea") == "地点"
        assert infer_schema(read_examples(lines(SKE_RECORD))).competition == "ske2019"

    def test_nothing_to_infer_from(self) -> None:
        with pytest.raises(UserError, match="no triple"):
            infer_schema([Example("甲")])


class TestFormat:
    def test_ske2019_form(self) -> None:
        schema = infer_schema(read_examples(lines(SKE_RECORD)))
        line = format_line(SKE_RECORD["text"], [Triple("青砖巷", "作者", ((VALUE, "林满"),))], schema)
        assert json.loads(line) == {k: v for k, v in SKE_RECORD.items() if k != "postag"}
        assert "\\u" not in line

    def test_duie2_form_types_only_the_slots_there_are(self) -> None:
        schema = infer_schema(read_examples(lines(DUIE_RECORD)))
        (entry,) = json.loads(format_line("甲", [Triple("甲", "上映时间", ((VALUE, "乙"),))], schema))["spo_list"]
        assert entry["object"] == {"@value": "乙"}
        assert entry["object_type"] == {"@value": "Date"}

    names = st.text(st.characters(exclude_categories=("Cs",)), min_size=1).filter(str.strip)

    @given(
        form=st.sampled_from(["ske2019", "duie2"]),
        text=names,
        raw=st.lists(st.tuples(names, st.sampled_from("甲乙"), names, st.none() | names), max_size=4),
    )
    def test_what_is_written_reads_back(
        self, form: str, text: str, raw: list[tuple[str, str, str, str | None]]
    ) -> None:
        schema = Schema(form, {"甲": (VALUE, "inArea"), "乙": (VALUE, "inArea")})
        triples = []
        for subject, predicate, value, area in raw:
            slots = ((VALUE, value), ("inArea", area)) if area is not None and form == "duie2" else ((VALUE, value),)
            triples.append(Triple(subject, predicate, slots))
        line = format_line(text, triples, schema)
        assert "\n" not in line
        (example,) = read_examples([("f", 1, line)], schema)
        assert (example.text, example.triples) == (text, tuple(dict.fromkeys(triples)))


class TestLocate:
    @pytest.mark.parametrize(
        "names",
        [
            ("train_data.json", "dev_data.json", "all_50_schemas", "test1_data_postag.json"),
            ("duie_train.json", "duie_dev.json", "duie_schema.json", "duie_test2.json"),
            ("train.jsonl", "dev.jsonl", "schema.jsonl", "test.jsonl"),
            ("train.json", "dev.json", "schema.json", "test1.json"),
            ("train.json.gz", "dev.json.zip", "schema.json", "test.json.gz"),
            (
                "duie_train.json/duie_train.json",
                "duie_dev.json/duie_dev.json",
                "duie_schema/duie_schema.json",
                "test.json",
            ),
        ],
    )
    def test_published_names(self, tmp_path: Path, names: tuple[str, ...]) -> None:
        for name in names:
            (tmp_path / name).parent.mkdir(exist_ok=True)
            (tmp_path / name).touch()
        for stranger in ("README.md", "train_sample.json", "result.json", ".train.json.part"):
            (tmp_path / stranger).touch()
        found = locate(tmp_path).files
        assert found == dict(zip(("train", "dev", "schema", "test"), (tmp_path / name for name in names), strict=True))

    def test_packed_files_read(self, tmp_path: Path) -> None:
        line = json.dumps(SKE_RECORD, ensure_ascii=False).encode()
        (tmp_path / "train_data.json.gz").write_bytes(gzip.compress(line))
        with zipfile.ZipFile(tmp_path / "dev_data.json.zip", "w") as archive:
            archive.writestr("dev_data.json", line)
        files = locate(tmp_path).files
        assert [len(list(load_examples(files[role]))) for role in ("train", "dev")] == [1, 1]

    def test_unpacked_beside_packed_is_one_file(self, tmp_path: Path) -> None:
        for name in ("duie_train.json.zip", "duie_train.json", "duie_dev.json"):
            (tmp_path / name).touch()
        assert locate(tmp_path).files["train"] == tmp_path / "duie_train.json"

    def test_test_gold_is_told_from_test(self, tmp_path: Path) -> None:
        for name in ("train.json", "dev.json", "test.json", "test_gold.json"):
            (tmp_path / name).touch()
        files = locate(tmp_path).files
        assert (files["test"].name, files["test_gold"].name) == ("test.json", "test_gold.json")

    def test_missing_says_what_was_looked_for(self, tmp_path: Path) -> None:
        (tmp_path / "train.json").touch()
        with pytest.raises(UserError) as caught:
            locate(tmp_path, needed=("train", "dev"))
        message = str(caught.value)
        assert "dev_data.json" in message
        assert "--dev" in message
        assert "train_data.json" not in message
        assert "dev" not in locate(tmp_path).files  # a share of train is held out then

    def test_ambiguous_names_the_candidates(self, tmp_path: Path) -> None:
        for name in ("train.json", "train_data.json", "dev.json"):
            (tmp_path / name).touch()
        with pytest.raises(UserError) as caught:
            locate(tmp_path)
        assert "train.json, train_data.json" in str(caught.value)
        assert "--train" in str(caught.value)

    def test_no_folder(self, tmp_path: Path) -> None:
        with pytest.raises(UserError, match="no such folder"):
            locate(tmp_path / "none")
        (tmp_path / "file").touch()
        with pytest.raises(UserError, match="is a file"):
            locate(tmp_path / "file")


def test_reads_through_read_lines(tmp_path: Path) -> None:
    path = write(tmp_path / "train.json", [SKE_RECORD, SKE_RECORD])
    assert [example.line for example in read_examples(read_lines(path))] == [1, 2]


KEYS = st.sampled_from(["text", "spo_list", "subject", "predicate", "object", "object_type", VALUE, "postag"])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=5),
    max_leaves=12,
)


@settings(max_examples=200, deadline=None)
@given(record=JSON, metric=st.sampled_from(["ske2019", "duie2"]))
def test_whatever_json_comes_only_user_errors_leave(record: Any, metric: str) -> None:
    from ietool.tasks.ske.score import files as submission

    line = json.dumps(record)
    with contextlib.suppress(UserError):
        (example,) = read_examples([("f", 1, line)])
        assert example.text.strip()
    with contextlib.suppress(UserError):
        list(read_inputs([("f", 1, line)]))
    with pytest.MonkeyPatch.context() as patch, contextlib.suppress(UserError):
        patch.setattr(submission, "read_lines", lambda path: [("f", 1, line)])
        submission.read_for_scoring("f", metric)
    with pytest.MonkeyPatch.context() as patch, contextlib.suppress(UserError):
        patch.setattr(submission, "read_lines", lambda path: [("f", 1, line)])
        submission.detect_metric("f")
