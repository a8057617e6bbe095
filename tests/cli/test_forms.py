"""Files of another kind than a command wants are named, whatever the pair: of another task, another file of the same
one, an export of an annotation tool, a list, another encoding."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ietool.core.forms import TEXTS, beginning, explained
from ietool.errors import UserError
from ietool.files.charset import wide_encoding
from ietool.registry import get_task
from tests.cli.conftest import complaint

RECIPES = {"ske": "ske", "el": "el", "qa": "qa", "ner": "ner-crf"}
TITLES = {
    "ske": "triple extraction", "el": "entity linking", "qa": "question answering", "ner": "named entities",
    "tags": "named entities",
}  # fmt: skip
SPO = {"text": "林满写了青砖巷", "spo_list": [{"subject": "青砖巷", "predicate": "作者", "object": "林满"}]}
MENTIONS = {"text_id": "1", "text": "林满写书", "mention_data": [{"kb_id": "7", "mention": "林满", "offset": "0"}]}
LABELS = {"text": "林满写书", "label": {"人物": {"林满": [[0, 1]]}}}
QUESTION = {"id": "1", "question": "谁写书？", "passages": [{"passage": "林满写书", "answer": "林满"}]}
PARAGRAPH = {"context": "林满写书", "qas": [{"id": "1", "question": "谁？", "answers": [{"text": "林满"}]}]}
SQUAD = {"version": "1", "data": [{"paragraphs": [PARAGRAPH] * 3}]}
DUREADER = {"question_id": 1, "question": "谁？", "documents": [{"paragraphs": ["林满写书"]}], "answers": ["林满"]}
KB = {"subject_id": "7", "subject": "林满", "alias": [], "type": ["人物"], "data": [{"predicate": "a", "object": "b"}]}
SCHEMA = {"subject_type": "书", "predicate": "作者", "object_type": "人物"}
TAGS = "林 B-人物\n满 I-人物\n写 O\n\n书 O\n"
DOCCANO = [
    {"id": 1, "text": "林满写书", "label": [[0, 2, "人物"]]},
    {"id": 1, "text": "林满写书", "labels": [[0, 2, "人物"]]},
    {"id": 1, "data": "林满写书", "label": [[0, 2, "人物"]]},
    {"id": 1, "text": "林满写书", "entities": [{"id": 1, "label": "人物", "start_offset": 0, "end_offset": 2}]},
    {"id": 1, "text": "林满写书", "annotations": [{"label": 1, "start_offset": 0, "end_offset": 2}]},
    {"id": 1, "text": "林满写书", "label": []},
]
LABEL_STUDIO = [
    {"id": 1, "annotations": [{"result": []}], "data": {"text": "林满写书"}},
    {
        "id": 1,
        "text": "林满写书",
        "label": [{"start": 0, "end": 2, "text": "林满", "labels": ["人物"]}],
        "annotator": 1,
    },
]


def text_of(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


FILES = {"ske": [SPO], "el": [MENTIONS], "qa": [QUESTION, [QUESTION], SQUAD, DUREADER], "ner": [LABELS], "tags": [TAGS]}
LAYOUTS = {
    "a line": lambda value: text_of(value) + "\n",
    "lines": lambda value: text_of(value) + "\n" + text_of(value) + "\n",
    "a list": lambda value: text_of([value, value]),
    "a list of lines": lambda value: f"[{text_of(value)},\n{text_of(value)}]\n",
    "drawn out": lambda value: json.dumps([value, value], ensure_ascii=False, indent=2),
}


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("IETOOL_HOME", str(tmp_path / "home"))
    Path("kb").write_text(text_of(KB) + "\n", encoding="utf-8")


def put(name: str, content: str) -> Path:
    Path(name).write_text(content, encoding="utf-8")
    return Path(name)


PAIRS = [
    (mine, theirs, value) for mine in RECIPES for theirs, values in FILES.items() for value in values
    if TITLES[mine] != TITLES[theirs]
]  # fmt: skip


def said(theirs: str) -> str:
    task = "ner" if theirs == "tags" else theirs
    return f"looks like {TITLES[theirs]} (", f"→ use --recipe {RECIPES[task]}, or bring a file of"  # type: ignore[return-value]


@pytest.mark.parametrize(("mine", "theirs", "value"), PAIRS, ids=lambda value: str(value)[:12])
def test_a_file_of_another_task_is_named(
    mine: str, theirs: str, value: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    path = put("data.json", text_of(value) + "\n")
    further = ["--file", "kb=kb"] if mine == "el" else []
    for options in ((), ("--skip-bad",)):
        error = complaint(capsys, "prepare", "-r", RECIPES[mine], "--train", path, "--dev", path, *further, *options)
        assert all(part in error for part in said(theirs)), error
    error = complaint(capsys, "score", "-r", RECIPES[mine], path, path)
    assert all(part in error for part in said(theirs)), error


@pytest.mark.parametrize("task", RECIPES)
def test_an_export_is_named_in_every_layout(task: str, capsys: pytest.CaptureFixture[str]) -> None:
    further = ["--file", "kb=kb"] if task == "el" else []
    for tool, values in {"doccano": DOCCANO, "Label Studio": LABEL_STUDIO}.items():
        wanted = f"export.json: looks like an export of {tool} → write {{"
        for value in values:
            for layout in LAYOUTS.values():
                path = put("export.json", layout(value))
                told = explained(UserError("bad", file=path), get_task(task), {TEXTS: path})
                assert wanted in str(told), (value, told)
        for layout in LAYOUTS.values():  # what the commands say of it leads there
            path = put("export.json", layout(values[0]))
            assert wanted in complaint(capsys, "prepare", "-r", RECIPES[task], "--train", path, "--dev", path, *further)


@pytest.mark.parametrize("layout", [layout for layout in LAYOUTS if "list" in layout or layout == "drawn out"])
@pytest.mark.parametrize("task", ["ske", "el", "ner"])
def test_a_list_of_ones_own_records(task: str, layout: str, capsys: pytest.CaptureFixture[str]) -> None:
    path = put("data.json", LAYOUTS[layout](FILES[task][0]))
    further = ["--file", "kb=kb"] if task == "el" else []
    error = complaint(capsys, "prepare", "-r", RECIPES[task], "--train", path, "--dev", path, *further)
    assert "data.json:1: is" in error and "without a list around them (for example: jq -c '.[]' OLD > NEW)" in error
    assert "without a list" in complaint(capsys, "score", "-r", RECIPES[task], path, path)


@pytest.mark.parametrize("layout", [layout for layout in LAYOUTS if "list" in layout or layout == "drawn out"])
def test_a_list_as_knowledge_base_or_schema(layout: str, capsys: pytest.CaptureFixture[str]) -> None:
    kb, schema = put("kb", LAYOUTS[layout](KB)), put("schema", LAYOUTS[layout](SCHEMA))
    texts, triples = put("el.json", text_of(MENTIONS)), put("ske.json", text_of(SPO))
    error = complaint(capsys, "prepare", "-r", "el", "--file", f"kb={kb}", "--train", texts, "--dev", texts)
    assert "kb:1: is" in error and "without a list around them" in error
    assert "without a list around them" in complaint(capsys, "kb", "stats", kb)
    error = complaint(
        capsys, "prepare", "-r", "ske", "--file", f"schema={schema}", "--train", triples, "--dev", triples
    )
    assert "schema:1: is" in error and "without a list around them" in error


def test_another_file_of_the_same_task_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    texts, triples = put("el.json", text_of(MENTIONS)), put("ske.json", text_of(SPO))
    schema = put("schema", text_of(SCHEMA))
    error = complaint(capsys, "prepare", "-r", "el", "--file", "kb=el.json", "--train", texts, "--dev", texts)
    assert "el.json: looks like texts with mentions; a knowledge base" in error
    error = complaint(capsys, "prepare", "-r", "el", "--file", "kb=kb", "--train", "kb", "--dev", texts)
    assert "kb: looks like a knowledge base; texts with mentions" in error
    error = complaint(capsys, "prepare", "-r", "ske", "--file", "schema=ske.json", "--train", triples, "--dev", triples)
    assert "ske.json: looks like texts with triples; a schema" in error
    assert "schema: looks like a schema;" in complaint(capsys, "score", "-r", "ske", schema, triples)
    assert "kb: looks like entity linking (a knowledge base)" in complaint(capsys, "score", "-r", "ske", triples, "kb")


def test_what_only_reads_as_one_of_ours_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    """Texts of another task can be predicted on; a remark names them."""
    from ietool.core.forms import reading, told_apart

    for mine in ("ske", "ner"):
        for theirs, value in {"el": MENTIONS, "ske": SPO, "ner": LABELS}.items():
            path = put("data.json", text_of(value) + "\n")
            assert len(list(reading(get_task(mine), str(path)))) == 1
            remark = told_apart(get_task(mine), str(path))
            assert (remark is None) == (mine == theirs)
            assert remark is None or f"data.json looks like {TITLES[theirs]}" in remark
    for mine, theirs, value in PAIRS:
        path = put("data.json", text_of(value) + "\n")
        try:
            list(reading(get_task(mine), str(path)))
        except UserError as error:
            assert all(part in str(error) for part in said(theirs)), error


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le"])
@pytest.mark.parametrize("task", RECIPES)
def test_wide_encodings(task: str, encoding: str, capsys: pytest.CaptureFixture[str]) -> None:
    further = ["--file", "kb=kb"] if task == "el" else []
    for value in FILES[task] + (FILES["tags"] if task == "ner" else []):
        path = Path("wide.json")
        path.write_bytes((text_of(value) + "\n").encode(encoding))
        name = encoding.upper().replace("-LE", "LE").replace("-BE", "BE")
        wanted = f"wide.json: is {name[:6]}, not UTF-8 → convert the file, for example: iconv -f {name} -t UTF-8"
        arguments = ["prepare", "-r", RECIPES[task], "--train", path, "--dev", path, *further]
        assert wanted in complaint(capsys, *arguments)
        if encoding == "utf-16":
            assert wanted in complaint(capsys, *arguments, "--skip-bad")
            assert wanted in complaint(capsys, "score", "-r", RECIPES[task], path, path)


@given(
    st.text("林满写青砖巷, 12ab\t", min_size=4),
    st.sampled_from(["utf-16", "utf-32"]),
    st.sampled_from(["", "-le", "-be"]),
)
def test_wide_encodings_are_told_from_their_bytes(text: str, kind: str, order: str) -> None:
    line = '{"text": "' + text + '"}\n'
    assert wide_encoding(line.encode()) is None and wide_encoding(line.encode("gb18030")) is None
    assert wide_encoding(line.encode(kind + order)) == kind.upper() + order.strip("-").upper()


@pytest.mark.parametrize(
    "content", ["", "\n", "{", "[", "{}", "[]", "null", "[[[", '{"a', "\x00", "一", "[1]", "[" * 5000]
)
def test_looking_never_fails(content: str) -> None:
    path = put("odd", content)
    beginning(path)
    error = UserError("as it was", file=path)
    for name in RECIPES:
        assert explained(error, get_task(name), {TEXTS: path}) is error
    assert explained(error, get_task("ske"), {TEXTS: "other"}) is error
    assert beginning("missing") is None and beginning("-") is None
