"""``ietool submit`` as a user runs it, on the beginnings of the corpora that ship."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ietool import paths
from tests.cli.conftest import complaint, output_of
from tests.in_process import command_here

FILES = {
    "ske": ("ske/test.jsonl", "ske/schema.jsonl"),
    "ske2019": ("ske2019/test1_data.json", "ske2019/all_50_schemas"),
    "el": ("el/test.jsonl", "el/kb_data"),
    "el2020": ("el2020/test.json", "el2020/kb.json"),
    "ner": ("ner/test.jsonl",),
    "qa": ("qa/test.json",),
}
GOLD = ("spo_list", "mention_data", "label")

Lines = list[str]


@pytest.fixture(scope="module")
def corpora(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder a corpus: ``input.json`` without gold, ``right.json``, a submission without a fault, and the rest."""
    root = tmp_path_factory.mktemp("submit")
    for name, (test, *others) in FILES.items():
        folder = root / name
        folder.mkdir()
        for other in others:
            (folder / Path(other).name).write_bytes((paths.shipped_root() / "data" / other).read_bytes())
        if name == "qa":
            questions = json.loads((paths.shipped_root() / "data" / test).read_text(encoding="utf-8"))[:6]
            answers = "".join(f"{q['id']}\t{q['golden_answers'][0]}\n" for q in questions)
            (folder / "input.json").write_text(json.dumps(questions), encoding="utf-8")
            (folder / "right.json").write_text(answers, encoding="utf-8")
            continue
        lines = (paths.shipped_root() / "data" / test).read_text(encoding="utf-8").splitlines(keepends=True)[:8]
        bare = [{key: v for key, v in json.loads(line).items() if key not in GOLD} for line in lines]
        if name == "el2020":  # whose test files give the mentions
            for record, line in zip(bare, lines, strict=True):
                given = json.loads(line)["mention_data"]
                record["mention_data"] = [{key: m[key] for key in ("mention", "offset")} for m in given]
        (folder / "input.json").write_text("".join(json.dumps(r) + "\n" for r in bare), encoding="utf-8")
        (folder / "right.json").write_text("".join(_submitted(line) for line in lines), encoding="utf-8")
    return root


def _submitted(line: str) -> str:
    """A line of gold as a submission has it: one type of those that a NIL may have."""
    record = json.loads(line)
    for mention in record.get("mention_data", ()):
        mention["kb_id"] = mention["kb_id"].partition("|")[0]
    return json.dumps(record, ensure_ascii=False) + "\n"


@pytest.fixture
def here(corpora: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Lines]:
    """Goes to a corpus; gives the lines of its right submission."""

    def go(name: str) -> Lines:
        monkeypatch.chdir(corpora / name)
        for left in Path().glob("*-*"):
            left.unlink()
        return Path("right.json").read_text(encoding="utf-8").splitlines(keepends=True)

    return go


def written(lines: Lines | str | bytes, name: str = "wrong.json") -> str:
    content = "".join(lines) if not isinstance(lines, bytes) else lines
    Path(name).write_bytes(content.encode() if isinstance(content, str) else content)
    return name


TITLES = {
    "ske": ("DuIE 2.0", "right-duie2.zip", "duie.json"),
    "ske2019": ("SKE 2019", "right-ske2019.zip", "result.json"),
    "el": ("CCKS 2019", "right-ccks2019.json", ""),
    "el2020": ("CCKS 2020", "right-ccks2020.json", ""),
    "ner": ("CLUENER", "right-cluener.zip", "cluener_predict.json"),
    "qa": ("SogouQA", "right-sogouqa.tsv", ""),
}


@pytest.mark.parametrize("name", TITLES)
def test_the_competition_is_told_and_the_archive_written(
    name: str, here: Callable[[str], Lines], capsys: pytest.CaptureFixture[str]
) -> None:
    here(name)
    title, archive, inside = TITLES[name]
    shown = output_of(capsys, "submit", "right.json", "--input", "input.json").splitlines()
    content = Path(archive).read_bytes()
    assert shown[0].startswith(f"right.json is a submission of {title}") and len(shown) == 2
    assert shown[1] == f"{archive}: {len(content):,} bytes, SHA-256 {hashlib.sha256(content).hexdigest()}"
    plain = Path("right.json").read_bytes()
    if not inside:
        assert content == plain
        return
    with zipfile.ZipFile(archive) as packed:
        (member,) = packed.infolist()
        assert (member.filename, member.date_time) == (inside, (1980, 1, 1, 0, 0, 0))
        assert packed.read(member) == plain
    # The same bytes from a packed submission, at another time, and the archive is a submission itself.
    Path("again.json.gz").write_bytes(gzip.compress(plain))
    os.utime("again.json.gz", (0, 0))
    output_of(capsys, "submit", "again.json.gz", "--input", "input.json", "--output", "again-x.zip")
    output_of(capsys, "submit", archive, "--input", "input.json", "--check", "--competition", _named(archive))
    assert Path("again-x.zip").read_bytes() == content


def _named(archive: str) -> str:
    return archive.partition("-")[2].partition(".")[0]


def edit(line: str, change: Callable[[dict[str, Any]], object]) -> str:
    record = json.loads(line)
    change(record)
    return json.dumps(record, ensure_ascii=False) + "\n"


def shift(record: dict[str, Any]) -> None:
    mention = record["mention_data"][0]
    mention["offset"] = str(int(mention["offset"]) + 1)


def swap(lines: Lines) -> Lines:
    return [lines[0], lines[4], *lines[2:4], lines[1], *lines[5:]]


TRAPS: dict[str, tuple[str, Callable[[Lines], Lines | str | bytes], str]] = {
    "twice": ("ske", lambda x: [*x[:5], x[2], *x[5:]], "wrong.json:6: text: is answered again, first in line 3"),
    "missing": ("ske", lambda x: [*x[:3], *x[4:]], "wrong.json: text: is not answered: "),
    "reordered": ("ske", swap, "wrong.json:3: stands behind what comes later in input.json"),
    "extra": ("ske", lambda x: [*x, edit(x[0], lambda r: r.update(text="别处"))], "wrong.json:9: text: is not in "),
    "one character": (
        "ske",
        lambda x: [*x[:2], edit(x[2], lambda r: r.update(text=r["text"][:5] + "戊" + r["text"][6:])), *x[3:]],
        "wrong.json:3: text: differs at character 6: '戊",
    ),
    "relation": (
        "ske",
        lambda x: [edit(x[0], lambda r: r["spo_list"][0].update(predicate="岳母")), *x[1:]],
        "wrong.json:1: spo_list[0].predicate: '岳母' is not a predicate of the schema",
    ),
    "objects of the other": (
        "ske2019",
        lambda x: [edit(x[0], lambda r: r["spo_list"][0].update(object={"@value": "甲"})), *x[1:]],
        "wrong.json:1: spo_list[0].object: is an object with slots",
    ),
    "mark": ("ske", lambda x: "\ufeff" + "".join(x), "wrong.json:1: begins with a byte order mark"),
    "zero": ("ske", lambda x: [*x[:2], x[2][:9] + "\0" + x[2][9:], *x[3:]], "wrong.json:3: has a zero byte"),
    "escaped zero": (
        "ske",
        lambda x: [edit(x[0], lambda r: r["spo_list"][0].update(subject="甲\0")), *x[1:]],
        "wrong.json:1: spo_list[0].subject: has a control character (\\u0000)",
    ),
    "encoding": ("ske", lambda x: "".join(x).encode("gb18030"), "is not UTF-8"),
    "blank line": ("ske", lambda x: [*x[:2], "\n", *x[2:]], "wrong.json:3: is blank"),
    "cut": ("ske", lambda x: "".join(x)[:-20], "wrong.json:8: is not JSON"),
    "empty": ("ske", lambda x: [], "wrong.json: is empty"),
    "the input": ("ske", lambda x: [json.dumps({"text": json.loads(y)["text"]}) + "\n" for y in x],
                  "wrong.json:1: spo_list: is missing (and the 7 records behind it"),
    "offset": ("el", lambda x: [edit(x[0], shift), *x[1:]], "wrong.json:1: mention_data[0].offset: at "),
    "id": (
        "el",
        lambda x: [edit(x[0], lambda r: r["mention_data"][0].update(kb_id="404")), *x[1:]],
        "wrong.json:1: mention_data[0].kb_id: '404' is no id of",
    ),
    "text_id": ("el", lambda x: [edit(x[0], lambda r: r.update(text_id="7")), *x[1:]], "text_id: is '7', where '13"),
    "NIL": (
        "el2020",
        lambda x: [edit(x[0], lambda r: r["mention_data"][0].update(kb_id="NIL_Persona")), *x[1:]],
        "wrong.json:1: mention_data[0].kb_id: has an unknown type: 'Persona'",
    ),
    "a given mention": (
        "el2020",
        lambda x: [edit(x[0], lambda r: r["mention_data"].pop()), *x[1:]],
        "wrong.json:1: mention_data: lacks the mention ",
    ),
    "span": (
        "ner",
        lambda x: [x[0].replace("[[0, ", "[[1, ", 1), *x[1:]],
        "wrong.json:1: label.movie.《末代大营救》: the span [1, 6] holds ",
    ),
    "type": ("ner", lambda x: [x[0].replace('"movie"', '"film"'), *x[1:]], "wrong.json:1: label.film: is no type"),
    "question id": ("qa", lambda x: ["Q9\t甲\n", *x[1:]], "wrong.json:1: question_id: is 'Q9', where 'Q1301' stands"),
    "JSON for columns": ("qa", lambda x: '{"Q1301": "甲"}\n', "wrong.json:1: is JSON, but SogouQA takes id and answer"),
    "another task": ("ske", lambda x: '{"text_id": "1", "text": "甲", "mention_data": []}\n', "looks like entity"),
}  # fmt: skip


@pytest.mark.parametrize("trap", TRAPS)
def test_one_fault_is_refused_in_one_line(
    trap: str, here: Callable[[str], Lines], capsys: pytest.CaptureFixture[str]
) -> None:
    name, change, message = TRAPS[trap]
    lines = here(name)
    asked = "input.json"
    if trap == "another task":  # bare texts are of no task: gold tells it
        asked = written(lines, "gold.json")
    competition = {"ske": "duie2", "ske2019": "ske2019", "el": "ccks2019"}.get(name)
    named = ("--competition", competition) if competition else ()
    error = complaint(capsys, "submit", written(change(lines)), "--input", asked, *named)
    assert message in error and " → " in error
    assert not list(Path().glob("wrong-*"))


class TestOtherFiles:
    def test_files_that_are_swapped(self, here: Callable[[str], Lines], capsys: pytest.CaptureFixture[str]) -> None:
        here("ske")
        error = complaint(capsys, "submit", "input.json", "--input", "right.json")
        assert "has texts without answers, and the input has answers → name the submission first" in error
        here("qa")
        written("".join(Path("right.json").read_text(encoding="utf-8")), "r.tsv")
        error = complaint(capsys, "submit", "input.json", "--input", "input.json")
        assert "input.json: looks like the input: questions with passages" in error

    def test_a_submission_of_another_file(
        self, here: Callable[[str], Lines], capsys: pytest.CaptureFixture[str]
    ) -> None:
        lines = here("ske")
        other = written([edit(line, lambda r: r.update(text="一" + r["text"][::-1])) for line in lines])
        error = complaint(capsys, "submit", other, "--input", "input.json")
        assert "not one of its records answers one of input.json → name the input" in error

    def test_many_faults_are_counted(self, here: Callable[[str], Lines]) -> None:
        lines = here("ske")
        wrong = [edit(x, lambda r: [s.update(subject="") for s in r["spo_list"]]) for x in lines]
        count = sum(len(json.loads(line)["spo_list"]) for line in lines)
        written(wrong)
        done = command_here(Path(), "submit", "wrong.json", "--input", "input.json", "--json")
        told = done.stderr.splitlines()
        assert done.returncode == 2 and len(told) == 11 and count > 10
        assert told[0].startswith("wrong.json:1: spo_list[0].subject: is empty → ")
        assert told[-1].startswith("error: wrong.json: is no submission of DuIE 2.0: ")
        assert f"{count} faults, {count - 10} more than are told above" in told[-1]
        value = json.loads(done.stdout)
        assert (value["accepted"], value["fault_count"], len(value["faults"])) == (False, count, 10)
        assert (value["faults"][0]["line"], value["faults"][0]["field"]) == (1, "spo_list[0].subject")
        assert value["archive"] is None

    def test_a_text_that_the_input_has_twice_is_answered_twice(
        self, here: Callable[[str], Lines], capsys: pytest.CaptureFixture[str]
    ) -> None:
        lines = here("ske")
        written([*lines, lines[1]], "twice.json")
        output_of(capsys, "submit", "twice.json", "--input", "twice.json", "--check")
        assert "is not answered" in complaint(capsys, "submit", "right.json", "--input", "twice.json")

    def test_another_order_can_be_allowed(
        self, here: Callable[[str], Lines], capsys: pytest.CaptureFixture[str]
    ) -> None:
        lines = here("ske")
        output_of(capsys, "submit", written(swap(lines)), "--input", "input.json", "--any-order", "--check")
        written("甲 O\n\n乙 O\n", "tags.txt")
        assert "--any-order: the order" in complaint(
            capsys, "submit", "tags.txt", "--input", "tags.txt", "--any-order", "--competition", "tags"
        )

    def test_an_archive_of_several_files(
        self, here: Callable[[str], Lines], capsys: pytest.CaptureFixture[str]
    ) -> None:
        lines = here("ske")
        with zipfile.ZipFile("two.zip", "w") as packed:
            packed.writestr("a.json", "".join(lines[:4]))
            packed.writestr("__MACOSX/._a.json", b"\0")
            packed.writestr("b.json", "".join(lines[4:]))
        error = complaint(capsys, "submit", "two.zip", "--input", "input.json")
        assert "two.zip: holds several files: a.json, b.json" in error


class TestOptions:
    def test_the_list(self, capsys: pytest.CaptureFixture[str]) -> None:
        listed = json.loads(output_of(capsys, "submit", "--list", "--json"))
        assert [one["name"] for one in listed] == [
            *("ske2019", "duie2", "ccks2019", "ccks2020", "sogouqa", "cmrc2018", "dureader_robust", "dureader2"),
            *("cluener", "cmeee", "ccks2019-subject", "duee1", "fewfc", "tableqa", "tags"),
        ]
        assert "cluener_predict.json in a zip" in output_of(capsys, "submit", "--list")

    def test_json(self, here: Callable[[str], Lines], capsys: pytest.CaptureFixture[str]) -> None:
        here("ner")
        value = json.loads(output_of(capsys, "submit", "right.json", "--input", "input.json", "--json"))
        assert value["accepted"] and value["competition"] == "cluener" and value["archive"] == "right-cluener.zip"
        assert value["counts"]["texts"] == 8 and value["bytes"] == Path("right-cluener.zip").stat().st_size

    def test_a_schema_is_looked_for_beside_the_input_alone(
        self, here: Callable[[str], Lines], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        here("ske")
        done = command_here(Path(), "submit", "right.json", "--input", "input.json", "--check")
        assert f"note: schema: {Path.cwd() / 'schema.jsonl'}, which lies beside the input" in done.stderr
        for name in ("right.json", "input.json"):
            (tmp_path / name).write_bytes(Path(name).read_bytes())
        (tmp_path / "other").mkdir()
        (tmp_path / "other" / "schema.jsonl").write_text("of another competition", encoding="utf-8")
        monkeypatch.chdir(tmp_path)
        done = command_here(tmp_path, "submit", "right.json", "--input", "input.json", "--check")
        assert done.returncode == 0 and "note: no schema is named or lies beside the input" in done.stderr

    def test_a_limit(self, here: Callable[[str], Lines], capsys: pytest.CaptureFixture[str]) -> None:
        here("ske")
        error = complaint(capsys, "submit", "right.json", "--input", "input.json", "--limit", "0.0001")
        assert "right-duie2.zip: would be " in error and "more than the limit of 100" in error
        assert not Path("right-duie2.zip").exists()
        assert complaint(capsys, "submit", "right.json", "--input", "input.json", "--limit", "0.0001", "--check")
        output_of(capsys, "submit", "right.json", "--input", "input.json", "--limit", "1", "--check")
        assert not Path("right-duie2.zip").exists()
        output_of(capsys, "submit", "right.json", "--input", "input.json", "--limit", "1")

    def test_another_name_inside(self, here: Callable[[str], Lines], capsys: pytest.CaptureFixture[str]) -> None:
        here("el")
        output_of(capsys, "submit", "right.json", "--input", "input.json", "-o", "e-l.zip", "--inside", "el.json")
        plain = ("submit", "right.json", "--input", "input.json", "-o", "x.json", "--inside", "el.json")
        assert "--inside: names what lies in an archive, and x.json is none" in complaint(capsys, *plain)
        with zipfile.ZipFile("e-l.zip") as packed:
            assert packed.namelist() == ["el.json"]

    def test_texts_stand_as_they_are_where_they_have_no_escapes(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        monkeypatch.chdir(tmp_path)
        text = "患者出现\x0b发热,\r三天"
        Path("input.txt").write_text(f"{text}\n", encoding="utf-8")
        handed = ("submit", "result.txt", "--input", "input.txt", "--competition", "cmeee")
        Path("result.txt").write_bytes(f"{text}|||5    6    sym|||\n".encode())
        output_of(capsys, *handed)
        for behind, told in (("5    6    sym|||\x0b", "\\u000b"), ("5    6    sym|||\r", "\\r")):
            Path("result.txt").write_bytes(f"{text}|||{behind}|||\n".encode())
            assert f"has a control character ({told}) behind the text" in complaint(capsys, *handed)

    def test_mentions_are_answered_as_they_are_given(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(tmp_path)
        record = {"text_id": "1", "text": "ABC公司", "mention_data": [{"mention": "abc", "offset": "0"}]}
        written([json.dumps(record) + "\n"], "input.json")
        for name, right in (("abc", True), ("ABC", False), ("公司", False)):
            entry = {"mention": name, "offset": "0", "kb_id": "NIL_Brand"}
            written([json.dumps({**record, "mention_data": [entry]}) + "\n"])
            handed = ("submit", "wrong.json", "--input", "input.json")
            assert command_here(Path(), *handed).returncode == (0 if right else 2)

    def test_answers_that_are_entities_have_no_control_characters(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        monkeypatch.chdir(tmp_path)
        question = {"question_id": 1, "question_type": "ENTITY", "question": "谁", "documents": []}
        written([json.dumps(question) + "\n"], "input.json")
        for names, right in ((["甲"], True), (["甲\0"], False)):
            answer = {"question_id": 1, "question_type": "ENTITY", "answers": ["甲"], "yesno_answers": []}
            written([json.dumps({**answer, "entity_answers": [names]}) + "\n"])
            handed = ("submit", "wrong.json", "--input", "input.json", "--competition", "dureader2")
            if right:
                output_of(capsys, *handed)
            else:
                assert "entity_answers[0][0]: has a control character (\\u0000)" in complaint(capsys, *handed)

    def test_types_of_ones_own(self, here: Callable[[str], Lines], capsys: pytest.CaptureFixture[str]) -> None:
        lines = here("ner")
        written("movie\nname\n", "types.txt")
        error = command_here(Path(), "submit", "right.json", "--input", "input.json", "--schema", "types.txt")
        assert error.returncode == 2 and "label.position: is no type of the competition" in error.stderr
        kinds = {kind for line in lines for kind in json.loads(line)["label"]}
        written("\n".join(kinds), "types.txt")
        output_of(capsys, "submit", "right.json", "--input", "input.json", "--schema", "types.txt", "--check")

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            ((), "RESULT is missing"),
            (("right.json",), "--input FILE is missing"),
            (("right.json", "--input", "-"), "a pipe can be read but once"),
            (("gone.json", "--input", "input.json"), "gone.json: no such file"),
            (("right.json", "--input", "."), "is a folder"),
            (("right.json", "--input", "input.json", "--competition", "duie"), "did you mean duie2?"),
            (("right.json", "--input", "input.json", "--competition", "ske2019"), "is a schema of duie2"),
            (
                ("right.json", "--input", "input.json", "--kb", "kb"),
                "--kb: means nothing to submissions of the task ske",
            ),
            (("right.json", "--input", "input.json", "-o", "right.json"), "is what is read"),
            (("right.json", "--input", "input.json", "-o", "-"), "--output: is a pipe"),
            (("right.json", "--input", "input.json", "-o", "x.tar"), "ends like an archive that is not written here"),
        ],
    )
    def test_mistakes(
        self, arguments: tuple[str, ...], message: str, here: Callable[[str], Lines], capsys: pytest.CaptureFixture[str]
    ) -> None:
        here("ske")
        assert message in complaint(capsys, "submit", *arguments)
