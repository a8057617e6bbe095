"""Reading files of every form. All sentences are invented."""

from __future__ import annotations

import gzip
import json
import zipfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ietool.errors import UserError
from ietool.files.lines import read_lines
from ietool.tasks.ner.data.example import Entity, Example, flatten
from ietool.tasks.ner.data.forms.cluener import format_record, parse_record
from ietool.tasks.ner.data.forms.tokens import SentenceReader, format_sentence, make_example
from ietool.tasks.ner.data.reading import detect_form, load_examples, read_inputs
from ietool.tasks.ner.data.schemes import SCHEMES
from ietool.tasks.ner.data.sources import locate

BIO = "林 B-人物\n满 I-人物\n在 O\n云 B-地点\n州 I-地点\n\n雨 O\n停 O\n"


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8", newline="")
    return path


def record(text: str = "林满在云州", label: Any = None, **more: Any) -> str:
    label = {"人物": {"林满": [[0, 1]]}, "地点": {"云州": [[3, 4]]}} if label is None else label
    return json.dumps({"text": text, "label": label} | more, ensure_ascii=False) + "\n"


def plain(examples: Any) -> list[tuple[str, list[tuple[int, int, str]]]]:
    return [(e.text, [(x.start, x.end, x.type) for x in e.entities]) for e in examples]


WANTED = [("林满在云州", [(0, 2, "人物"), (3, 5, "地点")]), ("雨停", [])]


# -- forms


@pytest.mark.parametrize("name", ["bio", "bios", "bioes", "bmes", "bilou", "bmew"])
@pytest.mark.parametrize("separator", [" ", "\t", "   "])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_every_scheme_separator_and_line_end(tmp_path: Path, name: str, separator: str, end: str) -> None:
    written = "".join(
        format_sentence(Example(text, tuple(Entity(*e) for e in spans)), [Entity(*e) for e in spans],
                        SCHEMES[name], separator)
        for text, spans in [*WANTED, ("云州城高", [(0, 3, "地点"), (3, 4, "人物")])]
    )  # fmt: skip
    path = write(tmp_path / "train.txt", written.replace("\n", end))
    assert detect_form(path) == name
    examples = list(load_examples(path))
    assert plain(examples) == [*WANTED, ("云州城高", [(0, 3, "地点"), (3, 4, "人物")])]
    assert [e.line for e in examples] == [1, 7, 10]
    assert all(e.form == name and e.tokens == () and e.broken == 0 for e in examples)


def test_bmeo_and_iob1(tmp_path: Path) -> None:
    bmeo = BIO.replace("满 I", "满 E").replace("州 I", "州 E")
    assert plain(load_examples(write(tmp_path / "a.bmes", bmeo))) == WANTED
    iob1 = BIO.replace("B-", "I-")
    path = write(tmp_path / "b.txt", iob1)
    assert detect_form(path) == "iob1"
    assert plain(load_examples(path)) == WANTED
    # Told otherwise, every tag breaks the scheme: no entity, and counted.
    examples = list(load_examples(path, form="bio"))
    assert [e.entities for e in examples] == [(), ()] and [e.broken for e in examples] == [4, 0]


@pytest.mark.parametrize("kind", ["bom", "gz", "zip", "blanks", "no end", "many blank lines"])
def test_wrappings(tmp_path: Path, kind: str) -> None:
    for n, text in enumerate((BIO, record() + record("雨停", {}))):
        path = tmp_path / f"train{n}"
        if kind == "bom":
            path.write_bytes(b"\xef\xbb\xbf" + text.encode())
        elif kind == "gz":
            path.write_bytes(gzip.compress(text.encode()))
        elif kind == "zip":
            with zipfile.ZipFile(path, "w") as archive:
                archive.writestr("inner/train", text)
        elif kind == "blanks":
            write(path, text.replace("\n\n", "\n \t \n").replace("O\n", "O \n"))
        elif kind == "no end":
            write(path, text.rstrip("\n"))
        else:
            write(path, "\n\n" + text.replace("\n\n", "\n\n\n") + "\n\n")
        assert plain(load_examples(path)) == WANTED


def test_members_of_an_archive_do_not_run_into_one_another(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as archive:
        archive.writestr("a", "林 B-人物\n满 I-人物")
        archive.writestr("b", "云 B-地点\n州 I-地点\n")
    assert plain(load_examples(tmp_path / "all.zip")) == [("林满", [(0, 2, "人物")]), ("云州", [(0, 2, "地点")])]


def test_words_of_latin_letters_stand_apart(tmp_path: Path) -> None:
    path = write(tmp_path / "t", "Ada B-人物\nLin I-人物\n在 O\n2024 O\n年 O\nA\tO\n  \tO\nB\tO\n")
    (example,) = load_examples(path)
    assert example.text == "Ada Lin在2024年A  B"
    assert example.entities == (Entity(0, 7, "人物"),)
    assert [example.text[a:b] for a, b in example.tokens] == ["Ada", "Lin", "在", "2024", "年", "A", "  ", "B"]
    written = format_sentence(example, example.entities, SCHEMES["bioes"], "\t")
    assert written == "Ada\tB-人物\nLin\tE-人物\n在\tO\n2024\tO\n年\tO\nA\tO\n  \tO\nB\tO\n\n"


def test_braces_and_quotes_are_tokens_too(tmp_path: Path) -> None:
    path = write(tmp_path / "t", "{ O\n林 B-人物\n} O\n")
    assert plain(load_examples(path)) == [("{林}", [(1, 2, "人物")])]


def test_cluener_keeps_ids_and_nested_entities(tmp_path: Path) -> None:
    label = {"机构": {"云州大学": [[0, 3]]}, "地点": {"云州": [[0, 1], [5, 6]]}}
    path = write(tmp_path / "t", record("云州大学在云州", label, id=7))
    (example,) = load_examples(path)
    assert example.entities == (Entity(0, 2, "地点"), Entity(0, 4, "机构"), Entity(5, 7, "地点"))
    assert example.id == 7 and example.form == "cluener" and example.line == 1
    assert flatten(example.entities) == [Entity(0, 4, "机构"), Entity(5, 7, "地点")]
    assert json.loads(format_record(example, example.entities)) == {"id": 7, "label": label}


any_text = st.text(
    st.sampled_from('林满云州aB1🙂 \u3000\u2028"\\') | st.characters(exclude_categories=["Cs"]), min_size=1
)


@settings(max_examples=100)
@given(any_text.filter(str.strip), st.data())
def test_json_there_and_back(text: str, data: st.DataObject) -> None:
    ends = st.tuples(st.integers(0, len(text) - 1), st.integers(1, len(text))).filter(lambda e: e[0] < e[1])
    spans = data.draw(st.lists(st.tuples(ends, st.sampled_from(["甲", "乙 丙", "a.b"])), max_size=5))
    entities = tuple(sorted({Entity(*at, kind) for at, kind in spans}))
    line = format_record(Example(text), entities)
    assert "\n" not in line and "\r" not in line
    assert parse_record(line, "f", 1).entities == entities
    assert parse_record(line, "f", 1).text == text


tokens = st.text(
    st.sampled_from("林满ab1.🙂") | st.characters(exclude_categories=["Cs", "Cc", "Z"]), min_size=1, max_size=3
)


@settings(max_examples=100)
@given(st.lists(tokens, min_size=1, max_size=8), st.data())
def test_tokens_there_and_back(words: list[str], data: st.DataObject) -> None:
    scheme = SCHEMES[data.draw(st.sampled_from(sorted(SCHEMES)))]
    cuts = sorted(data.draw(st.sets(st.integers(0, len(words)), max_size=6)))
    kinds = data.draw(st.lists(st.sampled_from(["甲", "乙"]), min_size=7, max_size=7))
    spans = [(a, b, kind) for (a, b), kind in zip(zip(cuts[::2], cuts[1::2], strict=False), kinds, strict=False)]
    lines = [(word, tag) for word, tag in zip(words, scheme.tags(spans, len(words)), strict=True)]
    rows = [("f", n, f"{word}\t{tag}") for n, (word, tag) in enumerate(lines, 1)]
    (sentence,) = SentenceReader().read(rows)
    example = make_example(sentence, scheme)
    assert [example.text[a:b] for a, b in example.bounds] == words and example.broken == 0
    bounds = example.bounds
    assert [(e.start, e.end, e.type) for e in example.entities] == [
        (bounds[a][0], bounds[b - 1][1], k) for a, b, k in spans
    ]
    assert format_sentence(example, example.entities, scheme, "\t") == "".join(f"{w}\t{t}\n" for w, t in lines) + "\n"


# -- texts to predict on


def inputs(tmp_path: Path, text: str) -> list[Example]:
    return list(read_inputs(read_lines(write(tmp_path / "in", text))))


def test_inputs_need_no_gold_and_keep_none(tmp_path: Path) -> None:
    found = inputs(tmp_path, '{"id": 3, "text": "林满"}\n' + record() + '{"id": "x", "text": ""}\n')
    assert [(e.id, e.text, e.entities) for e in found] == [(3, "林满", ()), (None, "林满在云州", ()), ("x", "", ())]
    found = inputs(tmp_path, BIO)
    assert [(e.text, e.entities) for e in found] == [("林满在云州", ()), ("雨停", ())]
    assert inputs(tmp_path, BIO.replace(" B-人物", "").replace(" O", " ?")) == found  # tags are not looked at
    assert inputs(tmp_path, "") == []


def test_a_bad_input_is_told(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="in:2: text: is missing"):
        inputs(tmp_path, record() + '{"id": 1}\n')
    with pytest.raises(UserError, match="in:2: has 3 columns"):
        inputs(tmp_path, "林 O\n满 a b\n")


@pytest.mark.parametrize("text", ["雨停了。", "林满，云州人", "林满 住在云州，已有十年", "云州" * 13])
def test_plain_texts_are_not_taken_for_tokens(tmp_path: Path, text: str) -> None:
    with pytest.raises(UserError, match="in:3: holds a text, not a token"):
        inputs(tmp_path, f"雨\n停\n{text}\n")


@pytest.mark.parametrize("text", ["林满在云州\n云州城外大雨", "林满在云州城"])
def test_short_texts_without_punctuation_are_none_either(tmp_path: Path, text: str) -> None:
    with pytest.raises(UserError, match="in:1: holds a text, not a token"):
        inputs(tmp_path, text + "\n")


def test_a_blank_may_be_a_token(tmp_path: Path) -> None:
    """As texts with blanks are written by who joins each character and its tag by one."""
    wanted = [("林满 在云州", [(0, 2, "人物"), (4, 6, "地点")])]
    path = write(tmp_path / "train.txt", "林 B-人物\n满 I-人物\n  O\n在 O\n云 B-地点\n州 I-地点\n")
    examples = list(load_examples(path))
    assert plain(examples) == wanted
    # Written with blanks or tabs, what ietool writes it reads.
    for separator in (" ", "\t"):
        written = format_sentence(examples[0], examples[0].entities, SCHEMES["bio"], separator)
        assert plain(load_examples(write(tmp_path / "found.txt", written))) == wanted
    words = make_example(next(iter(SentenceReader().read([("f", 1, "New York\tB-地点")]))), SCHEMES["bio"])
    assert format_sentence(words, words.entities, SCHEMES["bio"], " ") == "New York\tB-地点\n\n"


@pytest.mark.parametrize("text", [record(), BIO])
def test_a_file_in_another_encoding_is_told(tmp_path: Path, text: str) -> None:
    (tmp_path / "gbk").write_bytes(text.encode("gbk"))
    with pytest.raises(UserError, match=r"gbk:1: is not UTF-8"):
        list(load_examples(tmp_path / "gbk"))


def test_odd_tokens_are_tokens(tmp_path: Path) -> None:
    tokens = ["。", "……", "云州市人民政府", "https://example.org/" + "a" * 40, "A，B"]
    (example,) = inputs(tmp_path, "\n".join(tokens))
    assert len(example.bounds) == len(tokens)


# -- names of files


@pytest.mark.parametrize(
    "names",
    [
        ("train.json", "dev.json", "test.json"),  # CLUENER
        ("train.char.bmes", "dev.char.bmes", "test.char.bmes"),  # Resume
        ("msra_train.bio", None, "msra_test.bio"),  # MSRA has no dev
        ("train.txt", "valid.txt", "test.txt"),
        ("train.bio.gz", "dev.bio.gz", "test1.bio"),
    ],
)
def test_files_are_found_under_their_names(tmp_path: Path, names: tuple[str | None, ...]) -> None:
    for name in names:
        if name:
            (tmp_path / name).touch()
    (tmp_path / "README.md").touch()
    files = locate(tmp_path).files
    wanted = {role: name for role, name in zip(("train", "dev", "test"), names, strict=True) if name}
    assert {role: path.name for role, path in files.items()} == wanted


# -- characters with their places in words behind them


NUMBERED = "科0\tO\n技1\tO\n，0\tO\n林0\tB-PER.NAM\n满1\tI-PER.NAM\n\n红0\tO\n2310\tO\n\ufffd\ufffd0\tO\n"


def test_places_in_words_are_taken_off(tmp_path: Path) -> None:
    """As Weibo's files have them; a digit has its place behind it as well, and tags have parts."""
    path = write(tmp_path / "weiboNER_2nd_conll.train", NUMBERED.replace("2310", "310"))
    (first, second) = load_examples(path)
    assert (first.text, first.entities) == ("科技，林满", (Entity(3, 5, "PER.NAM"),))
    assert second.text == "红3\ufffd\ufffd"
    assert [e.text for e in read_inputs(read_lines(path))] == [first.text, second.text]
    found = locate(tmp_path).files
    assert [found["train"].name] == ["weiboNER_2nd_conll.train"]


@pytest.mark.parametrize("tokens", ["H2 O1 C3 N4 S5", "a1 b2 c3 d4 e5", "x0 y1 z3 w4 v5", "科0 技1 林0 满1"])
def test_other_tokens_with_digits_stay(tmp_path: Path, tokens: str) -> None:
    """Numbers that do not count places, or too few of them to tell."""
    path = write(tmp_path / "t", "".join(f"{token} O\n" for token in tokens.split()) + "\n雨 B-人物\n")
    (first, _) = load_examples(path)
    assert first.text.replace(" ", "") == tokens.replace(" ", "")
