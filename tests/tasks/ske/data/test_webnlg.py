"""WebNLG in CasRel's form: lists of triples, names at the borders of words, relations that only train lists. All
sentences are invented."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ietool.core.candidates import Candidates
from ietool.errors import UserError
from ietool.recipe_io import load_recipe
from ietool.tasks.ske import SkeTask
from ietool.tasks.ske.data.example import VALUE, Example, Triple
from ietool.tasks.ske.data.reading import load_examples
from ietool.tasks.ske.data.schema import infer_schema
from ietool.tasks.ske.data.sources import locate
from ietool.tasks.ske.features.labelling import at_words, label_rows, locate_names
from ietool.tasks.ske.score.scorer import score, score_paths
from ietool.tasks.ske.writing import format_line
from tests.cli.conftest import complaint, output_of

RECORDS = [
    {"text": "Ada Lin was born in Port Al , near Al .", "triple_list": [["Ada Lin", "birthPlace", "Port Al"]]},
    {"text": "Also Al lies on the river Lo .", "triple_list": [["Al", "river", "Lo"], ["Al", "river", "Lo"]]},
    {"text": "Nothing is known .", "triple_list": []},
]
Capture = pytest.CaptureFixture[str]


def triple(subject: str, relation: str, value: str) -> Triple:
    return Triple(subject, relation, ((VALUE, value),))


def write(path: Path, records: Any, indent: int | None = 4) -> Path:
    path.write_text(json.dumps(records, indent=indent), encoding="utf-8")
    return path


def test_lists_and_lines_say_the_same(tmp_path: Path) -> None:
    listed = write(tmp_path / "a.json", RECORDS)
    lines = tmp_path / "b.json"
    lines.write_text("".join(json.dumps(record) + "\n" for record in RECORDS), encoding="utf-8")
    wanted = [(triple("Ada Lin", "birthPlace", "Port Al"),), (triple("Al", "river", "Lo"),), ()]
    for path in (listed, lines):
        found = list(load_examples(path))
        assert [e.triples for e in found] == wanted
        assert [e.form for e in found] == ["webnlg", "webnlg", ""]
    assert [e.line for e in load_examples(listed)] == [2, 12, 27]
    schema = infer_schema(load_examples(listed))
    assert (schema.competition, list(schema.relations), schema.words) == ("webnlg", ["birthPlace", "river"], True)
    assert json.loads(format_line("x", wanted[0], schema)) == {
        "text": "x", "triple_list": [["Ada Lin", "birthPlace", "Port Al"]],
    }  # fmt: skip


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({}, "triple_list: is an object, a list is needed"),
        ([["a", "b"]], r"triple_list\[0\]: is no list of three names"),
        ([["a", "b", "c"], ["a", 1, "c"]], r"triple_list\[1\]: is no list of three names"),
        ([["a", "b", " "]], r"triple_list\[0\]: is no list of three names"),
        (["abc"], r"triple_list\[0\]: is no list of three names"),
    ],
)
def test_bad_triples_are_told_or_left_out(tmp_path: Path, value: Any, message: str) -> None:
    path = write(tmp_path / "a.json", [RECORDS[0], {"text": "a b c", "triple_list": value}])
    with pytest.raises(UserError, match="a.json:12: " + message):
        list(load_examples(path))
    assert len(list(load_examples(path, on_bad=lambda error, line: None))) == 1


def test_files_of_last_words_are_passed_over(tmp_path: Path) -> None:
    for name in ("train_triples.json", "val_triples.json", "test_triples.json", "star_train_triples.json"):
        write(tmp_path / name, RECORDS)
    write(tmp_path / "star_test_triples.json", RECORDS)
    assert {role: path.name for role, path in locate(tmp_path).files.items()} == {
        "train": "train_triples.json", "dev": "val_triples.json", "test": "test_triples.json",
    }  # fmt: skip


WORDS = st.lists(st.sampled_from(["Al", "al", "Also", "Lo", "Port", ",", "A", "l"]), min_size=1, max_size=8)


@settings(max_examples=60)
@given(WORDS, st.integers(0, 7), st.integers(1, 3))
def test_names_stand_where_words_do(words: list[str], first: int, count: int) -> None:
    """Every place of some words among the words, counted by words; nothing within a word, nothing in another case."""
    name = words[first % len(words) :][:count]
    text, wanted, at = " ".join(words), [], 0
    for n, word in enumerate(words):
        if words[n : n + len(name)] == name:
            wanted.append((at, at + len(" ".join(name))))
        at += len(word) + 1
    found = locate_names([" ".join(name)], text, words=True)
    assert found == {" ".join(name): wanted}
    assert all(at_words(text, *span) for span in wanted)
    assert not at_words("Also", 0, 2)
    assert locate_names(["also"], "Also", words=True) == {}
    assert locate_names(["also"], "Also") != {}


def test_what_is_taught_and_found_keeps_to_words(tmp_path: Path) -> None:
    text = RECORDS[1]["text"]
    assert isinstance(text, str)
    assert label_rows([("Al", 0, "Lo")], text, words=True) == [(5, 7, 0, 26, 28)]
    schema = infer_schema(load_examples(write(tmp_path / "a.json", RECORDS)))
    (tmp_path / "schema.json").write_text(schema.to_json(), encoding="utf-8")
    recipe = load_recipe("ske", ["decode.triple=0.2"])
    decoder = SkeTask().decoder(recipe, tmp_path).joined([])  # of rows whose probability alone is known
    number = schema.labels.index(("river", VALUE))
    rows = np.array([(0, 2, number, 26, 28, 0), (5, 7, number, 26, 28, 0), (5, 7, number, 26, 27, 0)], np.int32)
    parts = np.ones((3, 1), np.float32)
    found = decoder.decode(Example(text), Candidates(rows, parts, np.zeros(0, np.float32)), recipe.decode)
    assert [t.triple for t in found.triples] == [triple("Al", "river", "Lo")]


NAMES = st.sampled_from(["Al", "al", "《Al》", "Lo"])
TRIPLES = st.lists(st.builds(triple, NAMES, st.sampled_from(["river", "near"]), NAMES), max_size=5)


@settings(max_examples=60)
@given(st.lists(st.tuples(TRIPLES, TRIPLES), min_size=1, max_size=5))
def test_exact_triples_against_literal_loops(texts: list[tuple[list[Triple], list[Triple]]]) -> None:
    """As CasRel counts: sets of triples a text, strings as they stand."""
    right = predicted = wanted = 0
    for gold, found in texts:
        gold_set = {(t.subject, t.predicate, t.object[0][1]) for t in gold}
        found_set = {(t.subject, t.predicate, t.object[0][1]) for t in found}
        right += len(gold_set & found_set)
        predicted += len(found_set)
        wanted += len(gold_set)
    p = right / predicted if predicted else 0.0
    r = right / wanted if wanted else 0.0
    report = score(
        {str(n): gold for n, (gold, _) in enumerate(texts)}, {str(n): found for n, (_, found) in enumerate(texts)},
        metric="webnlg", resamples=0,
    )  # fmt: skip
    assert (report.values["precision"], report.values["recall"]) == (p, r)
    assert report.values["f1"] == pytest.approx(2 * p * r / (p + r) if p + r else 0.0)


def test_files_are_scored_by_exact_triples(tmp_path: Path) -> None:
    gold = write(tmp_path / "gold.json", RECORDS)
    found = tmp_path / "found.json"
    lines = [{**record, "triple_list": [[s.lower(), p, o] for s, p, o in record["triple_list"]]} for record in RECORDS]
    found.write_text("".join(json.dumps(line) + "\n" for line in [*lines[:1], *RECORDS[1:]]), encoding="utf-8")
    report = score_paths(gold, found)
    assert report.metric == "webnlg"
    assert (report.values["gold"], report.values["right"]) == (2, 1)
    with pytest.raises(UserError, match="webnlg has no dictionaries"):
        score({}, {}, metric="webnlg", alias={"a": {"b"}})


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Train, and a dev file with a relation that train lacks."""
    data = tmp_path_factory.mktemp("webnlg")
    places, people = ("Port Al", "Lo", "New Ry", "Os"), ("Ada Lin", "Bo", "Al Gray", "Cy Ash")
    some = [
        {"text": f"{who} was born in {where} , not in {other} .", "triple_list": [[who, "birthPlace", where]]}
        for who in people
        for where in places
        for other in places
        if where != other
    ]
    write(data / "train_triples.json", some)
    unknown = {"text": "Lo is the child of Os .", "triple_list": [["Lo", "child", "Os"]]}
    write(data / "val_triples.json", [*some[::6], unknown])
    return data


def test_through_the_commands(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    monkeypatch.setenv("IETOOL_HOME", str(tmp_path))
    settings = ("model.encoder.hidden_size=16", "model.encoder.dilations=[1,2]", "model.head.attention_heads=2",
                "model.head.attention_head_size=4", "training.epochs=1", "training.batch_size=8", "data.window=64",
                "data.overlap=24", "training.precision=fp32", "decode.triple=0")  # fmt: skip
    words = [word for one in settings for word in ("--set", one)]
    told = json.loads(output_of(capsys, "prepare", "-r", "ske", "--data", folder, "--json", *words))
    train, dev = told["statistics"]["train"]["oracle"], told["statistics"]["dev"]["oracle"]
    assert train["recall"] == 1.0
    assert {reason: count for reason, count in dev["lost"].items() if count} == {"train has no such relation": 1}
    assert told["statistics"]["labels"] == 1
    output_of(capsys, "train", "-r", "ske", "--data", folder, "--output", tmp_path / "run", *words, "--device", "cpu")
    result = tmp_path / "result.json"
    asked = ("predict", "--run", tmp_path / "run", folder / "val_triples.json", "--output", result, "--device", "cpu")
    output_of(capsys, *asked)
    lines = [json.loads(line) for line in result.read_text(encoding="utf-8").splitlines()]
    gold = json.loads((folder / "val_triples.json").read_text(encoding="utf-8"))
    assert [line["text"] for line in lines] == [record["text"] for record in gold]
    for line in lines:
        for subject, _, value in line["triple_list"]:
            assert f" {subject} " in f" {line['text']} " and f" {value} " in f" {line['text']} "
    scored = json.loads(output_of(capsys, "score", "-r", "ske", folder / "val_triples.json", result, "--json"))
    assert (scored["metric"], scored["gold"]) == ("webnlg", len(gold))
    said = complaint(capsys, "submit", result, "--input", folder / "val_triples.json", "--check")
    assert "is of WebNLG, which takes no submissions" in said
