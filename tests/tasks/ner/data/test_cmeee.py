"""CMeEE: texts with spans behind them are read, written, scored and checked; its traps. All sentences are invented."""

from __future__ import annotations

import json
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ietool.core.checking import Check
from ietool.errors import UserError
from ietool.files.lines import read_lines
from ietool.tasks.ner.data.example import Entity, Example
from ietool.tasks.ner.data.forms.cmeee import format_line, parse_line, read_line
from ietool.tasks.ner.data.reading import detect_form, load_examples, load_inputs, read_inputs
from ietool.tasks.ner.data.sources import locate
from ietool.tasks.ner.score.checking import check, competition_of
from ietool.tasks.ner.score.scorer import score_paths
from tests.cli.conftest import complaint, output_of
from tests.tasks.ner.made import SMALL, acting, examples, write_json

TEXT = "林满咳嗽三日，服止咳糖浆后好转。"
LINE = f"{TEXT}|||2    3    sym|||8    11    dru|||8    9    sym|||"
ENTITIES = (Entity(2, 4, "sym"), Entity(8, 10, "sym"), Entity(8, 12, "dru"))


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def test_nested_entities_with_inclusive_ends(tmp_path: Path) -> None:
    path = write(tmp_path / "train_data.txt", LINE + "\n雨停了，无不适。\n天晴了。|||\n")
    assert detect_form(path) == "cmeee"
    found = list(load_examples(path))
    assert [(e.text, e.entities, e.form) for e in found] == [
        (TEXT, ENTITIES, "cmeee"), ("雨停了，无不适。", (), "cmeee"), ("天晴了。", (), "cmeee"),
    ]  # fmt: skip
    assert [TEXT[e.start : e.end] for e in ENTITIES] == ["咳嗽", "止咳", "止咳糖浆"]


@settings(max_examples=40)
@given(
    st.text(alphabet="林满 咳嗽a|", min_size=1, max_size=12).filter(lambda t: "|||" not in t + "||" and t.strip()),
    st.data(),
)
def test_there_and_back(text: str, data: st.DataObject) -> None:
    spans = st.tuples(st.integers(0, len(text) - 1), st.integers(0, len(text) - 1), st.sampled_from(["dis", "bod"]))
    entities = {Entity(min(a, b), max(a, b) + 1, kind) for a, b, kind in data.draw(st.lists(spans, max_size=5))}
    line = format_line(text, sorted(entities))
    assert line.startswith(text) and line.endswith("|||")
    assert parse_line(line, "f", 1) == Example(text, tuple(sorted(entities)), "cmeee", None, file="f", line=1)
    assert parse_line(line, "f", 1, labels=False).text == text


def test_entities_that_end_before_they_begin_are_none() -> None:
    line = f"{TEXT}|||5    4    sym|||2    3    sym|||"
    assert read_line(line, "f", 1) == (TEXT, [Entity(2, 4, "sym")], 1)
    assert parse_line(line, "f", 1).broken == 1


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("  |||0    1    sym|||", "t:2: text: is empty"),
        ("咳嗽|||0 1|||", r"t:2: entity 1: '0 1' has 2 fields, 3 are needed → write begin, end and type"),
        ("咳嗽|||0    1    sym    x|||", "t:2: entity 1: '0 1 sym x' has 4 fields"),
        ("咳嗽|||0    1    sym|||a    1    sym|||", "t:2: entity 2: 'a 1 sym' has no place"),
        ("咳嗽|||-1    1    sym|||", "t:2: entity 1: '-1 1 sym' has no place"),
        ("咳嗽|||1.0    1    sym|||", "t:2: entity 1: '1.0 1 sym' has no place"),
        ("咳嗽咳嗽|||3    1    sym|||", "t:2: entity 1: '3 1 sym' has no place"),
        ("咳嗽|||0    " + "9" * 5000 + "    sym|||", "t:2: entity 1: .* has no place"),
        ("咳嗽|||0    2    sym|||", "t:2: entity 1: ends at 2, outside the text, which has 2 characters → the end is"),
    ],
)
def test_bad_lines_are_told_or_left_out(tmp_path: Path, line: str, message: str) -> None:
    path = write(tmp_path / "t", LINE + "\n" + line + "\n" + LINE + "\n")
    with pytest.raises(UserError, match=message) as told:
        list(load_examples(path))
    assert "\n" not in str(told.value)
    bad: list[str] = []
    assert len(list(load_examples(path, lambda error, text: bad.append(text)))) == 2
    assert bad == [line]


def test_a_test_file_of_texts_alone_is_read(tmp_path: Path) -> None:
    texts = [TEXT, "云州下雨，路滑。", "复诊"]
    path = write(tmp_path / "test1.txt", "\n".join(texts) + "\n")
    assert [(e.text, e.form) for e in load_inputs(path)] == [(text, "cmeee") for text in texts]
    path.write_text("北\n京\n\u3000\n天\n \t\n上\n", encoding="utf-8")
    assert [e.text for e in load_inputs(path)] == ["北京\u3000天", "上"]  # a token may be a blank
    assert [e.text for e in read_inputs(read_lines(write(tmp_path / "gold", LINE + "\n")))] == [TEXT]
    # A token that looks like the divider is one still.
    tokens = write(tmp_path / "tokens", "林 O\n||| O\n满 O\na|||b O\n")
    assert [e.form for e in load_inputs(tokens)] == ["bio"]


def test_published_names_are_found(tmp_path: Path) -> None:
    for name in ("train_data.txt", "val_data.txt", "test1.txt"):
        write(tmp_path / name, LINE + "\n")
    found = locate(tmp_path).files
    assert {role: path.name for role, path in found.items()} == {
        "train": "train_data.txt", "dev": "val_data.txt", "test": "test1.txt",
    }  # fmt: skip


def test_scores_are_those_of_the_same_entities_as_json(tmp_path: Path) -> None:
    gold, found = examples(20, nested=True), examples(20, seed=1)
    found = [Example(e.text, other.entities[:-1]) for e, other in zip(gold, found, strict=True)]
    values = []
    for form in ("json", "txt"):
        paths = []
        for name, some in (("gold", gold), ("found", found)):
            path = tmp_path / f"{name}.{form}"
            lines = "".join(format_line(e.text, e.entities) + "\n" for e in some)
            paths.append(write_json(path, some) if form == "json" else write(path, lines))
        report = score_paths(*paths)
        assert report.metric == "span"
        values.append(dict(report.values))
    assert values[0] == values[1]
    assert 0 < values[0]["f1"] < 1
    # A span outside its text is merely wrong.
    bad = write(tmp_path / "bad", "".join(f"{e.text}|||0    99    地点|||\n" for e in gold))
    assert score_paths(tmp_path / "gold.txt", bad).values["right"] == 0
    with pytest.raises(UserError, match="holds texts with spans, but gold tokens and tags"):
        score_paths(write(tmp_path / "tags", "林 B-人物\n满 I-人物\n"), bad)


def faults_of(folder: Path, text: str) -> list[str]:
    source, result = write(folder / "in", f"{TEXT}\n雨停了，无不适。\n"), write(folder / "r", text)
    assert competition_of(source) == "cmeee"
    faults: list[str] = []
    with TemporaryDirectory(dir=folder) as scratch:
        check(Check("cmeee", source, result, lambda error: faults.append(str(error)), Path(scratch)))
    return faults


def test_submissions_are_checked(tmp_path: Path) -> None:
    last = "雨停了，无不适。|||\n"
    assert faults_of(tmp_path, LINE + "\n" + last) == []
    for wrong, message in (
        (f"{TEXT}|||2    3    PER|||\n" + last, "'PER' is no type of the competition"),
        (f"{TEXT}|||2    99    sym|||\n" + last, "ends at 99, outside the text"),
        (f"{TEXT}|||2    3    sym|||2    3    sym|||\n" + last, "stands twice"),
        (f"{TEXT}|||3    2    sym|||\n" + last, "ends before it begins"),
        (LINE + "\n", "is not answered"),
        (last + LINE + "\n", "stands behind what comes later"),
    ):
        (fault,) = faults_of(tmp_path, wrong)
        assert message in fault


def test_through_the_commands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Trained, predicted on texts alone and scored, and a file without any entity is no train."""
    monkeypatch.setenv("IETOOL_HOME", str(tmp_path))
    data = tmp_path / "data"
    data.mkdir()
    for name, count, seed in (("train_data.txt", 60, 1), ("val_data.txt", 12, 2)):
        some = examples(count, seed=seed, nested=True)
        write(data / name, "".join(format_line(e.text, e.entities) + "\n" for e in some))
    write(data / "test1.txt", "".join(e.text + "\n" for e in examples(12, seed=2, nested=True)))
    more = ("training.epochs=3", "training.head_learning_rate=0.02", "training.warmup_epochs=0", "decode.threshold=0.2")
    some_settings = [word for one in acting("ner-globalpointer", (*SMALL, *more)) for word in ("--set", one)]
    arguments = ("train", "-r", "ner-globalpointer", "--data", data, "--output", tmp_path / "run", *some_settings)
    output_of(capsys, *arguments, "--device", "cpu")
    result = tmp_path / "result.txt"
    output_of(capsys, "predict", "--run", tmp_path / "run", data / "test1.txt", "--output", result, "--device", "cpu")
    told = json.loads(output_of(capsys, "score", "-r", "ner-globalpointer", data / "val_data.txt", result, "--json"))
    assert told["metric"] == "span"
    assert told["f1"] > 0.3
    types = write(tmp_path / "types", "人物\n地点\n机构\n")
    shown = output_of(capsys, "submit", result, "--input", data / "test1.txt", "--schema", types, "--check")
    assert "CMeEE" in shown
    said = complaint(capsys, "prepare", "-r", "ner-globalpointer", "--train", data / "test1.txt", *some_settings)
    assert "test1.txt" in said
