"""What is told of strangers' files: on one line, without control codes, and never longer than one can read."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ietool.cli.common import say
from ietool.errors import SHOWN, UserError, cut, told, visible
from ietool.files import yaml_io
from ietool.recipe_io import load_recipe
from ietool.report.render import plain
from ietool.tables import Table
from ietool.tasks.ske.rules.files import load_rules
from tests.cli.conftest import complaint

ESCAPE = "\x1b[41mPWN\x1b]0;title\x07"
LONG = "长" * 20_000


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("IETOOL_HOME", str(tmp_path / "home"))


@given(st.text(), st.text(), st.text(), st.text())
def test_an_error_is_one_printable_line(message: str, file: str, field: str, mend: str) -> None:
    line = str(UserError(message, file=file, line=3, field=field, mend=mend))
    assert all(c.isprintable() or c in "\u3000\xa0" or c.isspace() for c in line) and "\n" not in line
    assert line.splitlines() == [line] or not line


@pytest.mark.parametrize(
    ("message", "said"),
    [
        (f"the mention is {LONG!r}", f"the mention is '{'长' * SHOWN}…'"),
        (f"{'a b' * 999!r} is no predicate", f"'{cut('a b' * 999)}' is no predicate"),
        (f"{LONG} is none", f"{cut(LONG)} is none"),
        (f"gold's own {LONG!r}, and gold's", f"gold's own '{cut(LONG)}', and gold's"),
        ("is short", "is short"),
        (f"line\n{ESCAPE}\r\u202e", "line \\x1b[41mPWN\\x1b]0;title\\x07\\r\\u202e"),
        ("folder/" * 60 + "file: is missing", "folder/" * 60 + "file: is missing"),
    ],
)
def test_what_is_quoted_is_cut(message: str, said: str) -> None:
    assert told(message) == said
    assert str(UserError(message)) == said


def test_a_message_has_an_end_and_a_path_stays_whole() -> None:
    assert len(told("so many words " * 10_000)) < 2_100
    path = "/" + "folder/" * 200 + "file.json"
    assert str(UserError("is none", file=path, line=7)) == f"{path}:7: is none"
    member = str(UserError("is none", file=f"a.zip!{LONG}"))
    assert member == f"a.zip!{cut(LONG)}: is none"
    assert str(UserError("is none", field=LONG)) == f"{cut(LONG)}: is none"
    assert visible("全\u3000角\t字") == "全\u3000角 字"


def test_notes_and_titles(capsys: pytest.CaptureFixture[str]) -> None:
    say(f"note: {ESCAPE} {LONG!r}\nand more")
    shown = capsys.readouterr().err
    assert "\x1b" not in shown and "\\x1b[41m" in shown and len(shown) < 300 and shown.count("\n") == 2
    table = plain(Table(ESCAPE + LONG, ("a",), [(ESCAPE,)], note=ESCAPE))
    assert "\x1b" not in table and "".join(table.split()).startswith("".join(visible(cut(ESCAPE + LONG)).split()))


@pytest.mark.parametrize("value", [ESCAPE, LONG])
def test_commands_tell_what_files_hold(value: str, capsys: pytest.CaptureFixture[str]) -> None:
    """One bad value in every place where a stranger's file can have one."""

    def check(error: str) -> None:
        assert "\x1b" not in error and len(error) < 1_500, error[:2_000]
        assert "\\x1b" in error or "长" * 150 in error

    def put(name: str, *records: object) -> Path:
        lines = [r if isinstance(r, str) else json.dumps(r, ensure_ascii=False) for r in records]
        Path(name).write_text("\n".join(lines) + "\n", encoding="utf-8")
        return Path(name)

    spo = {"subject": "a", "predicate": "p", "object": {"@value": "b", value: 3}}
    path = put("ske.json", {"text": "ab", "spo_list": [spo]})
    check(complaint(capsys, "score", "-r", "ske", path, path))
    check(complaint(capsys, "prepare", "-r", "ske", "--train", path, "--dev", path))
    path = put("el.json", {"text_id": "1", "text": "ab", "mention_data": [{"mention": value, "offset": "0"}]})
    kb = put("kb", {"subject_id": "1", "subject": "b"})
    check(complaint(capsys, "prepare", "-r", "el", "--train", path, "--dev", path, "--file", f"kb={kb}"))
    kb = put("kb", {"subject_id": value, "subject": "b"}, {"subject_id": value, "subject": "b"})
    check(complaint(capsys, "kb", "stats", kb))
    path = put("ner.json", {"text": "方", "label": {value: {"方": [[0, 3]]}}})
    check(complaint(capsys, "prepare", "-r", "ner-crf", "--train", path, "--dev", path))
    path = put("tags", f"方 {value}")
    check(complaint(capsys, "prepare", "-r", "ner-crf", "--train", path, "--dev", path))
    check(complaint(capsys, "score", "-r", "ner-crf", path, path))
    path = put("answers", f"{value}\ta", f"{value}\tb")
    check(complaint(capsys, "score", "-r", "qa", path, path))
    check(complaint(capsys, "train", "-r", "ske", "--set", f"training.epochs={json.dumps(value)}"))
    check(complaint(capsys, "train", "-r", "ske", "--set", f"{value}=3"))
    quoted = json.dumps(value)
    path = put("r.yaml", "name: r\ntask: ske\n" + f"{json.dumps(value[:900], ensure_ascii=False)}: 3")
    check(complaint(capsys, "recipes", "validate", path))
    path = put("r.yaml", "name: r\n" + f"task: {quoted}")
    check(complaint(capsys, "recipes", "validate", path))
    path = put("rules.yaml", f"rules:\n- kind: {quoted}")
    with pytest.raises(UserError) as told:
        load_rules(path)
    check(str(told.value))
    with zipfile.ZipFile("z.zip", "w") as archive:
        archive.writestr(value[:5_000] + ".json", "[")
    check(complaint(capsys, "score", "-r", "ske", "z.zip", "z.zip"))


BAD_YAML = {
    "a: !!bool maybe": ":1: is not a YAML file of ours: 'maybe' is no bool",
    "a: 1\nb: !!timestamp abc": ":2: is not a YAML file of ours: 'abc' is no timestamp",
    "a: 2026-13-45": ":1: is not a YAML file of ours: '2026-13-45' is no timestamp",
    "a: !!int x": "'x' is no int",
    "a: !!float x": "'x' is no float",
    "a: !!binary 一": "is not a YAML file of ours",
    "a: !!python/object/apply:os.system [ls]": ":1: is not a YAML file of ours: could not determine a constructor",
    "a: 1\nb: \x01": ":2: is not YAML: the character U+0001 is not allowed",
    "a: 1\n# \x00": ":2: is not YAML: the character U+0000 is not allowed",
    "a: &x [1]\nb: *x": ":2: is not a YAML file of ours: aliases (*name) are not allowed",
    "a: &x\n  b: *x": "aliases (*name) are not allowed",
    "<<: {a: 1}": ":1: is not a YAML file of ours",
    "a: " + "[" * 9_000: "it is nested deeper than 50 levels",
    "a: " + "{b: " * 9_000: "it is nested deeper than 50 levels",
    "- " * 9_000 + "a": "it is nested deeper than 50 levels",
    "a: 1\na: 2": ":2: is not a YAML file of ours: the key 'a' occurs twice",
    "1: 2": ":1: is not a YAML file of ours: the key '1' is read as int",
    "? [a]\n: 2": ":1: is not a YAML file of ours: the key is read as list",
    "a: " + "9" * 5_000: f"'{'9' * SHOWN}…' is no int",
    "a: .nan": ":1: is not a YAML file of ours: '.nan' is no number that can be used",
    "a: 1e999": "'1e999' is no number that can be used",
    "a: -.inf": "is no number that can be used",
    "a: {": ":1: is not a YAML file of ours",
    "a: 1\n---\nb: 2": "is not a YAML file of ours",
    "a: @b": ":1: is not a YAML file of ours",
    "%YAML 9.9\n---\na: 1": "is not a YAML file of ours",
}


@pytest.mark.parametrize("text", BAD_YAML, ids=lambda text: text[:20].encode("unicode_escape").decode())
def test_bad_yaml_is_told_in_one_line(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    Path("bad.yaml").write_text(text, encoding="utf-8")
    for command in (
        ("recipes", "validate", "bad.yaml"),
        ("recipes", "show", "bad.yaml"),
    ):
        error = complaint(capsys, *command)
        assert "bad.yaml:" in error and BAD_YAML[text] in error
    with pytest.raises(UserError) as told:
        load_rules("bad.yaml")
    assert str(told.value).startswith("bad.yaml:") and BAD_YAML[text] in str(told.value)
    with pytest.raises(UserError) as told:
        load_recipe("ske", [f"training.epochs={text}"])
    assert "training.epochs: the value" in str(told.value) or "--set training.epochs: " in str(told.value)


def test_yaml_that_is_no_text(capsys: pytest.CaptureFixture[str]) -> None:
    for content, said in (
        ("name: 名\n标: 题".encode("gb18030"), "bad.yaml:1: is not UTF-8 (byte 7)"),
        ("name: 名\n".encode("utf-16"), "bad.yaml: is UTF-16, not UTF-8 → convert the file"),
        (b"# x\n" * (2 << 20), "bad.yaml: is larger than 4 MB"),
    ):
        Path("bad.yaml").write_bytes(content)
        for command in (("recipes", "validate"), ("recipes", "show")):
            assert said in complaint(capsys, *command, "bad.yaml")
        assert said in complaint(capsys, "recipes", "copy", "bad.yaml", "copy.yaml")
        assert not Path("copy.yaml").exists()


@given(st.text(max_size=60))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        yaml_io.parse(text, "f")
    except UserError as error:
        assert "\n" not in str(error)
