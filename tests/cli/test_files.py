"""Files at the edges of what a disk holds, through the real commands: one line tells of them, and nothing is lost."""

from __future__ import annotations

import gzip
import json
import os
import stat
import threading
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from filelock import FileLock

from ietool import paths
from ietool.cli.app import run
from ietool.files import json_stream
from ietool.files import lines as files
from ietool.recipe_io import load_recipe
from ietool.workflow.prepare import prepare
from tests.cli.conftest import complaint, output_of
from tests.files.test_outputs import WAYS

SMALL = [
    *("--set", "model.hidden_size=8", "--set", "model.dilations=[1]", "--set", "model.attention_heads=1"),
    *("--set", "training.batch_size=8", "--set", "training.epochs=1", "--device", "cpu"),
]
GOLD = {
    "ske": {"text": "甲乙", "spo_list": [{"subject": "甲", "predicate": "作者", "object": {"@value": "乙"}}]},
    "el": {"text_id": "1", "text": "甲乙丙", "mention_data": [{"kb_id": "7", "mention": "甲乙", "offset": "0"}]},
    "qa": {"question_id": 1, "question": "谁", "question_type": "ENTITY", "answers": ["甲"],
           "documents": [{"title": "丙", "paragraphs": ["甲乙丙"]}]},
    "ner-crf": {"text": "甲乙丙", "label": {"名": {"甲乙": [[0, 1]]}}},
}  # fmt: skip
"""Recipe → a record with gold."""


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with a gold file for each recipe, ``kb`` and ``schema``."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("IETOOL_HOME", str(tmp_path / "home"))
    for recipe, record in GOLD.items():
        (tmp_path / f"gold.{recipe}").write_text(json.dumps(record, ensure_ascii=False) + "\n", encoding="utf-8")
    (tmp_path / "kb").write_text('{"subject_id": "7", "subject": "甲乙", "data": []}\n', encoding="utf-8")
    return tmp_path


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that has learnt next to nothing."""
    folder = tmp_path_factory.mktemp("trained")
    data = paths.shipped_data("ske")
    for name in ("train", "dev"):
        with (data / f"{name}.jsonl").open(encoding="utf-8") as lines:
            (folder / name).write_text("".join(next(lines) for _ in range(8)), encoding="utf-8")
    given = ["--train", folder / "train", "--dev", folder / "dev", "--schema", data / "schema.jsonl"]
    given += ["--output", folder / "run", *SMALL]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("IETOOL_HOME", str(folder))
        assert run(["train", "--recipe", "ske", *map(str, given)]) == 0
    return folder / "run"


def texts(path: Path, count: int = 3) -> Path:
    path.write_text("".join(f'{{"text": "甲乙{n}"}}\n' for n in range(count)), encoding="utf-8")
    return path


# -- what is written


@pytest.mark.parametrize("way", WAYS)
def test_predictions_never_replace_their_input(
    here: Path, model: Path, way: Callable[[Path], Path | str], capsys: pytest.CaptureFixture[str]
) -> None:
    source = texts(here / "in.json")
    before = source.read_bytes()
    assert "read" in complaint(capsys, "predict", "--run", model, source, "--output", way(source))
    assert source.read_bytes() == before


def test_predictions_never_replace_their_run(here: Path, model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source, before = texts(here / "in.json"), (model / "schema.json").read_bytes()
    assert "read" in complaint(capsys, "predict", "--run", model, source, "--output", model / "schema.json")
    assert (model / "schema.json").read_bytes() == before
    for _ in range(2):  # predictions beside the model are no part of it
        output_of(capsys, "predict", "--run", model, source, "--output", model / "result.json")
    (model / "result.json").unlink()


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("role", ["gold", "predictions", "alias", "recipe"])
def test_verdicts_never_replace_what_is_scored(
    here: Path, role: str, way: Callable[[Path], Path | str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["recipes", "copy", "ske", "recipe.yaml"]) == 0
    named = {"gold": here / "gold.ske", "predictions": here / "p", "alias": here / "a", "recipe": here / "recipe.yaml"}
    named["predictions"].write_bytes(named["gold"].read_bytes())
    named["alias"].write_text("甲\t乙\n", encoding="utf-8")
    before = {path: path.read_bytes() for path in named.values()}
    given = ["--recipe", named["recipe"], named["gold"], named["predictions"], "--alias", named["alias"]]
    assert "read" in complaint(capsys, "score", *given, "--explain", way(named[role]))
    assert {path: path.read_bytes() for path in named.values()} == before
    output_of(capsys, "score", *given, "--explain", here / "verdicts")


def test_a_recipe_is_not_copied_onto_itself(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output_of(capsys, "recipes", "copy", "ske", "mine.yaml")
    (here / "link.yaml").symlink_to("mine.yaml")
    assert "read" in complaint(capsys, "recipes", "copy", "mine.yaml", "link.yaml", "--force")
    assert "there is no folder" in complaint(capsys, "recipes", "copy", "ske", "no/mine.yaml")


def test_a_pipe_gets_predictions_and_verdicts(here: Path, model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source, pipe = texts(here / "in.json"), here / "pipe"
    os.mkfifo(pipe)
    for verb, lines in ((["predict", "--run", model, source, "--output"], 3), (["score", "--recipe", "ske"], 1)):
        arguments = [*verb, pipe] if lines == 3 else [*verb, "gold.ske", "gold.ske", "--explain", pipe]
        got: list[bytes] = []
        reader = threading.Thread(target=lambda got=got: got.append(pipe.read_bytes()), daemon=True)
        reader.start()
        output_of(capsys, *arguments)
        reader.join(10)
        assert got[0].count(b"\n") == lines and stat.S_ISFIFO(pipe.stat().st_mode)


def test_packed_predictions_are_those_of_a_plain_file(
    here: Path, model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = texts(here / "in.json")
    for name in ("r.json", "r.json.gz", "r.zip"):
        output_of(capsys, "predict", "--run", model, source, "--output", name)
    plain = (here / "r.json").read_bytes()
    assert plain.count(b"\n") == 3 and gzip.decompress((here / "r.json.gz").read_bytes()) == plain
    with zipfile.ZipFile(here / "r.zip") as archive:
        assert archive.namelist() == ["r.json"] and archive.read("r.json") == plain
    assert "ends like an archive" in complaint(capsys, "predict", "--run", model, source, "--output", "r.7z")
    assert "there is no folder" in complaint(capsys, "predict", "--run", model, source, "--output", "no/r.json")
    assert not (here / "no").exists()


# -- what is read


@pytest.mark.parametrize("content", [b"", b"\n \n\r\n", b"\xef\xbb\xbf"])
def test_files_without_a_record(here: Path, content: bytes, capsys: pytest.CaptureFixture[str]) -> None:
    empty = here / "empty"
    empty.write_bytes(content)
    said = []
    for recipe in GOLD:
        kb = ["--file", "kb=kb"] if recipe == "el" else []
        said += [complaint(capsys, "score", "--recipe", recipe, empty, f"gold.{recipe}")]
        said += [complaint(capsys, "prepare", "--recipe", recipe, "--train", empty, "--dev", f"gold.{recipe}", *kb)]
    said += [complaint(capsys, "kb", "stats", empty)]
    assert all("empty: holds no" in line or "empty: has no triple" in line for line in said), said


BAD = {
    "deep list": ("[" * 100_000, "nested too deeply|has a token and no tag"),
    "deep object": ('{"text": ' + '{"a": ' * 3000 + "1" + "}" * 3001 + "\n", "nested too deeply"),
    "three hundred levels": ('{"text": "甲", "x": ' + "[" * 300 + "]" * 300 + "}\n", "nested too deeply"),
    "deep in the first of two lines": ('{"text": ' + "[" * 3000 + "\n" + "]" * 3000 + "}\n", "nested too deeply"),
    "number": ('{"text_id": ' + "1" * 5000 + "}\n", "number too long"),
    "number in a list": ("[" + "1" * 5000 + "]\n", "number too long|has a token and no tag"),
    "line": ('{"text": "' + "a" * 40_000, "more than|longer than"),
    "zeros": ("\0" * 40_000, "more than|longer than"),
}


@pytest.mark.parametrize("kind", BAD)
def test_what_no_reader_can_hold(
    here: Path, kind: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    content, reason = BAD[kind]
    if kind in ("line", "zeros"):
        monkeypatch.setattr(files, "LONGEST_LINE", 1 << 15)
        monkeypatch.setattr(json_stream, "LONGEST_LINE", 1 << 15)
    (here / "bad").write_text(content, encoding="utf-8")
    said = [complaint(capsys, "kb", "stats", "bad")]
    for recipe in GOLD:
        gold = f"gold.{recipe}"
        train = ["--train", "bad", "--dev", gold, *(["--file", "kb=kb"] if recipe == "el" else [])]
        said += [complaint(capsys, "score", "--recipe", recipe, "bad", gold)]
        said += [complaint(capsys, "prepare", "--recipe", recipe, *train, "--skip-bad")]
    said += [complaint(capsys, "score", "--recipe", "qa", "gold.qa", "bad")]  # a reader of its own
    ske = ["--train", "gold.ske", "--dev", "gold.ske", "--schema", "bad"]
    said += [complaint(capsys, "prepare", "--recipe", "ske", *ske)]
    assert all("bad:1: " in line and any(word in line for word in reason.split("|")) for line in said), said


@pytest.mark.parametrize("recipe", GOLD)
def test_files_of_another_encoding_are_told_even_where_bad_records_are_left_out(
    here: Path, recipe: str, capsys: pytest.CaptureFixture[str]
) -> None:
    gold = here / f"gold.{recipe}"
    (here / "gbk").write_bytes(gold.read_text(encoding="utf-8").encode("gb18030") * 3)
    train = ["--train", "gbk", "--dev", gold, *(["--file", "kb=kb"] if recipe == "el" else [])]
    for verb in (["prepare", *train, "--skip-bad"], ["score", "gbk", gold]):
        assert "gbk:1: is not UTF-8" in complaint(capsys, verb[0], "--recipe", recipe, *verb[1:])


def test_numbers_of_thousands_of_digits_in_many_members(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A library that was used here once fell over them, with the whole process."""
    number = '{"question_id":' + "1" * 5000 + "}\n"
    with zipfile.ZipFile(here / "many.zip", "w") as archive:
        for name in range(60):
            archive.writestr(f"{name}.json", number)
        archive.writestr("good.json", (here / "gold.qa").read_text(encoding="utf-8"))
    given = ["--recipe", "qa-dureader", "--train", "many.zip", "--dev", "gold.qa"]
    assert "many.zip!0.json:1: has a number too long" in complaint(capsys, "prepare", *given)
    found = json.loads(output_of(capsys, "prepare", *given, "--skip-bad", "--json"))
    assert found["rejected"] == 60


@pytest.mark.parametrize("recipe", GOLD)
def test_archives_of_macos_are_read_by_every_task(here: Path, recipe: str, capsys: pytest.CaptureFixture[str]) -> None:
    gold = here / f"gold.{recipe}"
    with zipfile.ZipFile(here / "mac.zip", "w") as archive:
        for name in ("__MACOSX/._a.json", ".DS_Store", "._a.json", "Thumbs.db"):
            archive.writestr(name, b"\0\5\x16\7")
        archive.write(gold, "a.json")
    output_of(capsys, "score", "--recipe", recipe, "mac.zip", gold)
    output_of(capsys, "score", "--recipe", recipe, gold, "mac.zip")


def test_a_data_folder_with_an_archive_that_is_not_read(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "data").mkdir()
    (here / "data" / "train.tar.gz").touch()
    said = complaint(capsys, "prepare", "--recipe", "ske", "--data", "data")
    assert "→ unpack train.tar.gz, or name it with --train FILE" in said


# -- preparations beside one another


def prepared(folder: Path, *settings: str) -> None:
    files = {"train": Path("gold.ske"), "dev": Path("gold.ske")}
    prepare(load_recipe("ske", ["data.min_char_count=1", *settings]), files=files, output=folder)


def test_a_preparation_waits_for_another_of_the_same_folder(here: Path) -> None:
    (here / "link").symlink_to("there")
    other = FileLock(here / ".preparing.lock")
    with other:
        waiting = [
            threading.Thread(target=prepared, args=(here / name, f"data.min_char_count={number}"), daemon=True)
            for number, name in ((1, "there"), (2, "link"))
        ]
        for thread in waiting:
            thread.start()
        waiting[0].join(0.5)
        assert all(thread.is_alive() for thread in waiting) and not (here / "there").exists()
    for thread in waiting:
        thread.join(60)
    assert not any(thread.is_alive() for thread in waiting) and (here / "link").is_symlink()
    done = json.loads((here / "there" / "prepared.json").read_text(encoding="utf-8"))
    assert done["fingerprint"] and not [path for path in here.iterdir() if path.name.startswith(".preparing-")]


def test_what_a_killed_preparation_left_is_in_nobodys_way(here: Path) -> None:
    prepared(here / "there")
    for name in (".preparing-abc", ".preparing-abc-before"):
        (here / name).mkdir()
        (here / name / "rejects.jsonl").write_text("half")
    prepared(here / "there", "data.window=99")
    assert not [path for path in here.iterdir() if path.name.startswith(".preparing-")]


def test_a_preparation_never_deletes_what_it_reads(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    prepared(here / "out")
    (here / "out" / "mended.jsonl").write_bytes((here / "gold.ske").read_bytes())
    given = ["--recipe", "ske", "--train", "out/mended.jsonl", "--dev", "gold.ske", "--output", "out"]
    assert "out: holds a file that is read: out/mended.jsonl" in complaint(capsys, "prepare", *given)
    assert (here / "out" / "mended.jsonl").is_file()


def test_a_training_never_deletes_what_it_reads(here: Path, model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    inside = texts(model / "train.json")
    given = ["--recipe", "ske", "--train", inside, "--dev", "gold.ske", "--output", model, "--overwrite"]
    assert "holds a file that is read" in complaint(capsys, "train", *given)
    inside.unlink()


# -- names, folders, memory


def test_names_that_are_too_long(here: Path, model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    long = "x" * 300
    for arguments in (
        ["predict", "--run", model, long],
        ["predict", "--run", model, "gold.ske", "--output", long],
        ["predict", "--run", long, "gold.ske"],
        ["score", "--recipe", "ske", long, "gold.ske"],
        ["score", "--recipe", "ske", "gold.ske", long],
        ["score", "--recipe", "ske", "gold.ske", "gold.ske", "--explain", long],
        ["score", "--recipe", f"{long}.yaml", "gold.ske", "gold.ske"],
        ["prepare", "--recipe", "ske", "--train", long, "--dev", "gold.ske"],
        ["prepare", "--recipe", "ske", "--data", long],
        ["prepare", "--recipe", "ske", "--train", "gold.ske", "--dev", "gold.ske", "--output", long],
        ["train", "--recipe", "ske", "--output", long],
        ["kb", "stats", long],
        ["recipes", "copy", "ske", long],
        ["push", long, "me/x"],
    ):
        assert "name too long" in complaint(capsys, *arguments)


def test_a_working_folder_that_is_gone(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("IETOOL_HOME")
    (here / "gone").mkdir()
    monkeypatch.chdir(here / "gone")
    (here / "gone").rmdir()
    for arguments in (["train", "--recipe", "ske"], ["env"], ["score", "--recipe", "ske", "a", "b"]):
        assert "the working folder is gone" in complaint(capsys, *arguments)
    assert run(["--help"]) == 0


@pytest.mark.parametrize(
    ("raised", "said"),
    [
        (MemoryError(), "there is not enough memory"),
        (RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried"), "not enough memory"),
        (FileNotFoundError(2, "No such file or directory", "part.arrow"), "part.arrow: No such file or directory"),
        (PermissionError(13, "Permission denied", "a"), "a: Permission denied"),
    ],
)
def test_what_the_machine_refuses_is_told_in_a_line(
    here: Path, raised: Exception, said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*arguments: object, **options: object) -> None:
        raise raised

    monkeypatch.setattr("ietool.workflow.score.score_files", fail)
    assert said in complaint(capsys, "score", "--recipe", "ske", "gold.ske", "gold.ske")


def test_depth_is_told_as_a_bug_only_where_the_program_went_deep(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("ietool.workflow.score.score_files", lambda *a, **b: json.loads("[" * 100_000))
    assert "nested too deeply" in complaint(capsys, "score", "--recipe", "ske", "gold.ske", "gold.ske")

    def deep(*arguments: object, **options: object) -> None:
        deep()

    monkeypatch.setattr("ietool.workflow.score.score_files", deep)
    assert run(["score", "--recipe", "ske", "gold.ske", "gold.ske"]) == 1
    assert "This is a bug" in capsys.readouterr().err
