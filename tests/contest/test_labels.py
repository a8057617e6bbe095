"""What is written as gold is read as the same gold, and what an edit does not name stays as it is."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ietool.core.candidates import Layout
from ietool.core.labelled import Edits
from ietool.tasks.ner.data.example import Entity, Example, flatten
from ietool.tasks.ner.data.reading import load_examples
from ietool.tasks.ner.features.featurizer import Labels
from ietool.tasks.ner.labels import EntityLabels
from ietool.tasks.ske.data.example import Example as Text
from ietool.tasks.ske.data.example import Triple
from ietool.tasks.ske.data.reading import load_examples as load_texts
from ietool.tasks.ske.data.schema import Schema
from ietool.tasks.ske.labels import TripleLabels
from tests.contest.unread import check_left_out
from tests.tasks.ner.made import examples, write_tags

LAYOUT = Layout(("start", "end", "type"), ("probability",), ("probability",))
NAMES = st.text("云山林满=\"\\\t'", min_size=1, max_size=4).filter(str.strip)
QUICK = settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])


def labels_of(folder: Path, form: str) -> EntityLabels:
    Labels(("人物", "地点"), form).save(folder)
    return EntityLabels(folder, LAYOUT)


@QUICK
@given(st.text("云山林满，", min_size=1, max_size=9), st.sets(st.tuples(st.integers(0, 8), st.integers(1, 4))))
@pytest.mark.parametrize("form", ["cluener", "bio", "bmes"])
def test_entities_come_back(tmp_path: Path, form: str, text: str, places: set[tuple[int, int]]) -> None:
    entities = [Entity(a, a + n, ("人物", "地点")[n % 2]) for a, n in sorted(places) if a + n <= len(text)]
    entities = entities if form == "cluener" else flatten(entities)
    (tmp_path / "x").write_text(labels_of(tmp_path, form).written(Example(text), entities), "utf-8")
    (read,) = load_examples(tmp_path / "x", form=form)
    assert read.text == text and list(read.entities) == sorted(entities)


@QUICK
@given(st.text("云山 \u3000\n\r\t|0BO", min_size=1, max_size=9).filter(str.strip))
@pytest.mark.parametrize("form", ["cluener", "cmeee", "bio", "bmes"])
def test_texts_that_fit_come_back(tmp_path: Path, form: str, text: str) -> None:
    """And others are told, which ``distil`` leaves out: their labels would move, or no one could read the file."""
    labels = labels_of(tmp_path, form)
    if not labels.fits(Example(text)):
        assert form != "cluener" and any(c in text for c in "\n\r\t|")
        return
    (tmp_path / "x").write_bytes((labels.written(Example("云"), []) + labels.written(Example(text), [])).encode())
    assert [one.text for one in load_examples(tmp_path / "x", form=form)] == ["云", text]


@QUICK
@given(st.lists(st.tuples(NAMES, NAMES, NAMES), max_size=4, unique=True))
@pytest.mark.parametrize("competition", ["ske2019", "duie2"])
def test_triples_come_back(tmp_path: Path, competition: str, some: list[tuple[str, str, str]]) -> None:
    slots = ("@value",) if competition == "ske2019" else ("@value", "所在")
    schema = Schema(competition, {"成员": slots})
    (tmp_path / "schema.json").write_text(schema.to_json(), "utf-8")
    triples = [Triple(s, "成员", (("@value", o), ("所在", x))[: len(slots)]) for s, o, x in some]
    triples = list(dict.fromkeys(triples))
    labels = TripleLabels(tmp_path, LAYOUT)
    text = "".join(name for names in some for name in names) + "。"
    (tmp_path / "x").write_text(labels.written(Text(text), triples), "utf-8")
    (read,) = load_texts(tmp_path / "x", schema)
    assert (read.text, list(read.triples)) == (text, triples)
    assert [labels.item_of(read, labels.plain(read, triple)) for triple in triples] == triples


def test_sentences_without_an_edit_stay(tmp_path: Path) -> None:
    some = examples(12)
    train = write_tags(tmp_path / "train.txt", some, "bio")  # which leaves out blanks
    some = list(load_examples(train, form="bio"))
    labels = labels_of(tmp_path, "bio")
    assert "".join(labels.edited(train, {})) == train.read_text("utf-8")
    one = some[4]
    edits = {one.text: Edits([one.entities[0]], [Entity(0, 1, "地点")])}
    (tmp_path / "new.txt").write_text("".join(labels.edited(train, edits)), "utf-8")
    read = list(load_examples(tmp_path / "new.txt", form="bio"))
    wanted = {Entity(0, 1, "地点"), *one.entities[1:]}
    assert [set(e.entities) for e in read] == [wanted if n == 4 else set(e.entities) for n, e in enumerate(some)]
    assert edits[one.text].seen == 1


@pytest.mark.parametrize("numbered", [False, True])
def test_of_tokens_only_the_tags_of_a_changed_sentence_are_written_again(tmp_path: Path, numbered: bool) -> None:
    """Kept are blank lines, what begins a document, bad sentences, tabs, and the places of characters in words."""
    one, two = ("云0\tB-人物\n山1\tI-人物\n来0\tO \n", "林0 B-地点\n满1 I-地点\n") if numbered else (
        "云\tB-人物\n山\tI-人物\n来\tO \n", "-DOCSTART-\tO\n林 B-地点\n满 I-地点\n"
    )  # fmt: skip
    bad, last = "满0 X-坏\n", "满\tO\n" if not numbered else "满0\tO\n"
    text = f"{one}\n\n{two}\n{bad}\n{bad}云 B-人物 B-人物\n   \n\n{last}"
    train = tmp_path / "train.txt"
    train.write_text(text, "utf-8")
    labels = labels_of(tmp_path, "bio")
    assert "".join(labels.edited(train, {})) == text
    edits = {"云山来": Edits([Entity(0, 2, "人物")], [Entity(1, 3, "地点")]), "满": Edits([], [Entity(0, 1, "人物")])}
    wanted = one.replace("B-人物", "O").replace("I-人物", "B-地点").replace("O \n", "I-地点 \n")
    after = "".join(labels.edited(train, edits))
    assert after == text.replace(one, wanted).replace(last, last.replace("O", "B-人物"))
    assert [edit.seen for edit in edits.values()] == [1, 1]


def test_what_is_left_of_a_sentence_that_cannot_be_read_is_none(tmp_path: Path) -> None:
    train, told = tmp_path / "train.txt", list[str]()
    bad = "云 ".encode("gb18030")
    train.write_bytes(b"\n".join([bad, "山 O".encode(), bad, b"", "林 O".encode(), b"", "满 O".encode(), bad, b""]))
    pieces = labels_of(tmp_path, "bio").edited(train, {}, lambda error, line: told.append(str(error.line)))
    assert "".join(pieces) == "\n林 O\n\n" and told == ["1", "3", "8"]
    with zipfile.ZipFile(tmp_path / "train.zip", "w") as archive:  # of members without blank lines behind them
        for name, content in (("a", "山 O\n".encode()), ("b", bad + "\n云 O\n".encode()), ("c", "林 O\n".encode())):
            archive.writestr(name, content)
    pieces = labels_of(tmp_path, "bio").edited(tmp_path / "train.zip", {})
    assert "".join(pieces) == "山 O\n\n\n林 O\n"


def test_the_rest_of_a_changed_record_stays(tmp_path: Path) -> None:
    schema = Schema("duie2", {"成员": ("@value",)}, {"成员": ("组织",)})
    (tmp_path / "schema.json").write_text(schema.to_json(), "utf-8")
    spo = {"predicate": "成员", "subject": "云队", "object": {"@value": "林满"}, "subject_type": "球队"}
    wrong = {**spo, "object": {"@value": "云"}}
    first = {"postag": [1], "text": "云队有林满和云", "spo_list": [spo, wrong], "id": 7}
    lines = [first, {"text": "云", "spo_list": []}]
    source = tmp_path / "train.json"
    source.write_text("".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines), "utf-8")
    gone = Triple("云队", "成员", (("@value", "云"),))
    edits = {"云队有林满和云": Edits([gone])}
    after = "".join(TripleLabels(tmp_path, LAYOUT).edited(source, edits)).splitlines()
    assert json.loads(after[0]) == {**first, "spo_list": [spo]}
    assert after[1] == source.read_text("utf-8").splitlines()[1]


@pytest.mark.parametrize("form", ["cluener", "cmeee", "bio", "ske"])
def test_a_line_that_is_no_utf8_is_left_out_and_told(tmp_path: Path, form: str) -> None:
    """As --skip-bad leaves it out when the file is prepared."""
    (tmp_path / "schema.json").write_text(Schema("duie2", {"成员": ("@value",)}).to_json(), "utf-8")
    labels = TripleLabels(tmp_path, LAYOUT) if form == "ske" else labels_of(tmp_path, form)
    lines = [labels.written((Text if form == "ske" else Example)(text), []) for text in ("云山", "林满")]  # type: ignore[arg-type]
    check_left_out(labels, tmp_path / "train", lines)
