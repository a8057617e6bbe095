"""Every case by its number: the command on its files, in a process of its own, and what must come of it.

A case stands for its kind, and the tests of the kind lie beside the code that mends it; these hold the inputs
themselves. What needs more than files, 27 (a full disk) and 33 (a closed pipe), lies in ``tests/training``.
"""

from __future__ import annotations

import json
import os
import shutil
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.fuzz.hunt import MEGABYTES, Worker, fault_of
from tests.recorded.flows import copy_run

CASES = Path(__file__).parent
RUNS = {"ner": "ner-crf", "el": "el", "ske": "ske"}


@pytest.fixture(scope="module")
def worker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Worker]:
    work = tmp_path_factory.mktemp("cases")
    for task, name in RUNS.items():
        copy_run(name, work / "runs-of" / task)
    worker = Worker(work)
    yield worker
    worker.close()


class Case:
    """A case in a folder of its own."""

    def __init__(self, worker: Worker, name: str) -> None:
        self.worker = worker
        self.folder = worker.work / name
        if (CASES / name).is_dir() and not self.folder.exists():
            shutil.copytree(CASES / name, self.folder)
        self.folder.mkdir(exist_ok=True)

    def __truediv__(self, name: str) -> str:
        return str(self.folder / name)

    def run(self, *arguments: str, megabytes: int = MEGABYTES) -> dict[str, Any]:
        """What a command answers; whatever it says, it is no fault."""
        said = self.worker.run(arguments)
        assert fault_of(said, megabytes) is None, (fault_of(said, megabytes), said["err"])
        return said

    def refused(self, *arguments: str) -> str:
        """The one line that a command refuses with."""
        said = self.run(*arguments)
        assert said["code"] == 2, said["err"]
        (line,) = (line for line in said["err"].splitlines() if line.startswith("error: "))
        return str(line)

    def done(self, *arguments: str) -> str:
        """What a command that succeeds says on standard error."""
        said = self.run(*arguments)
        assert said["code"] == 0, said["err"]
        return str(said["err"])


Open = Callable[[str], Case]


@pytest.fixture
def case(worker: Worker) -> Open:
    return lambda name: Case(worker, name)


def settings(*pairs: str) -> list[str]:
    return [word for pair in pairs for word in ("--set", pair)]


def test_01_a_training_that_diverges_stops(case: Open) -> None:
    c = case("01-nan-training")
    small = settings(
        "model.hidden_size=16", "model.dilations=[1,2]", "training.epochs=3", "training.learning_rate=1e6",
        "training.head_learning_rate=1e6", "training.batch_size=4", "training.max_grad_norm=0",
        "training.precision=fp32",
    )  # fmt: skip
    line = c.refused(
        "train", "--recipe", "ner-crf", "--data", c / "data", "--output", c / "run", "--device", "cpu", *small
    )
    assert "not finite" in line and "learning_rate" in line
    assert json.loads(Path(c / "run/run.json").read_text())["state"] != "finished"


def test_02_names_behind_blanks_begin_at_their_letters(case: Open) -> None:
    c = case("02-token-offsets-with-leading-blank")
    said = c.done(
        "prepare", "--recipe", "ner-crf", "--data", c / "data", "--output", c / "out",
        *settings(f"model.encoder={c / 'encoder'}"),
    )  # fmt: skip
    assert "lost" not in said


def test_03_positions_are_those_of_the_model(case: Open) -> None:
    c = case("03-positions-counted-from-padding")
    short = settings(f"model.encoder={c / 'mpnet'}", "training.epochs=1", "training.batch_size=8")
    for recipe, data in (("qa-span", "qa"), ("ske-cascade", "ske")):
        out = c / f"out-{recipe}"
        c.done("train", "--recipe", recipe, "--data", c / data, "--output", out, "--device", "cpu", *short)


def test_04_an_encoder_that_knows_no_text_is_refused(case: Open) -> None:
    c = case("04-tokenizer-that-knows-no-text")
    for verb, *further in (("prepare",), ("train", "--device", "cpu")):
        given = settings(f"model.encoder={c / 'encoder'}")
        line = c.refused(
            verb, "--recipe", "ner-crf", "--data", c / "data", "--output", c / f"o-{verb}", *given, *further
        )
        assert "model.encoder" in line and "Tokenizer" in line


def vectors(c: Case, file: str, recipe: str = "ske", data: str = "data") -> list[str]:
    return [
        "prepare", "--recipe", recipe, "--data", c / data, "--output", c / f"o-{file}".replace("/", "-"),
        *settings(f"data.word_vectors={c / file}"),
    ]  # fmt: skip


def test_05_word_vectors_of_another_form(case: Open) -> None:
    c = case("05-word-vectors-misread")
    c.done(*vectors(c, "bom2.txt"))
    assert "comma" in c.refused(*vectors(c, "comma2.txt"))


def test_06_an_output_is_no_input(case: Open) -> None:
    c = case("06-output-over-input")
    run = str(c.worker.work / "runs-of" / "ner")
    mine, before = Path(c / "dev.jsonl"), Path(c / "dev.jsonl").read_bytes()
    os.link(mine, c / "hard.jsonl")
    os.symlink(mine, c / "soft.jsonl")
    for name in ("dev.jsonl", "hard.jsonl", "soft.jsonl", "../06-output-over-input/dev.jsonl"):
        c.refused("predict", "--run", run, str(mine), "--output", c / name)
        c.refused("score", "--recipe", "ner-crf", str(mine), str(mine), "--explain", c / name)
        assert mine.read_bytes() == before


def test_07_a_sentence_and_its_tags_on_one_line(case: Open) -> None:
    c = case("07-sentence-tab-tags")
    line = c.refused("prepare", "--recipe", "ner-crf", "--data", c / "data", "--output", c / "out")
    assert "train.txt:1: holds a whole sentence" in line and "a token and its tag a line" in line


def test_08_archives_as_systems_make_them(case: Open) -> None:
    c = case("08-zip-from-macos")
    c.done("score", "--recipe", "ske", c / "gold.json", c / "mac.zip")
    files = ("--dev", c / "data/dev.json", "--schema", c / "data/schema.json", "--output", c / "out")
    c.done("prepare", "--recipe", "ske", "--train", c / "train.zip", *files)
    assert "tar" in c.refused("score", "--recipe", "ske", c / "gold.json", c / "res.tar.gz")
    assert "empty" in c.refused("score", "--recipe", "ske", c / "gold.json", c / "emptyzip.zip")


def test_09_a_word_that_is_a_blank_is_skipped(case: Open) -> None:
    c = case("09-word-vectors-blank-word")
    c.done(*vectors(c, "spaceword2.txt"))


def test_10_a_file_without_blank_lines(case: Open) -> None:
    c = case("10-no-blank-lines")
    line = c.refused("prepare", "--recipe", "ner-crf", "--data", c / "train-alone", "--output", c / "a")
    assert "blank line" in line
    said = c.run("prepare", "--recipe", "ner-crf", "--data", c / "with-dev", "--output", c / "b")["err"]
    assert "blank line" in said


@pytest.mark.parametrize(
    ("encoder", "words"), [("tfonly", "TensorFlow"), ("lfs", "git lfs pull"), ("v-albert", "BertTokenizer")]
)
def test_11_encoder_folders_are_named_as_what_they_are(case: Open, encoder: str, words: str) -> None:
    c = case("11-encoder-folders")
    line = c.refused(
        "train",
        "--recipe",
        "ner-crf",
        "--data",
        c / "data",
        "--output",
        c / "x",
        *settings(f"model.encoder={c / encoder}"),
    )
    assert words in line and not Path(c / "x").exists()


def test_12_messages_say_what_is_the_matter(case: Open) -> None:
    c = case("12-messages")

    def prepared(recipe: str, data: str) -> str:
        return c.refused("prepare", "--recipe", recipe, "--data", c / data, "--output", c / "out")

    assert "UTF-16" in prepared("ske", "utf16")
    assert "comma behind the object" in prepared("ske", "trailing-commas")
    assert "without a list around them" in prepared("el", "kb-as-list")
    assert "is null" in prepared("qa", "answers-null")
    assert "is null" in c.refused("score", "--recipe", "ske", c / "gold.json", c / "nullspo.json")
    empty = prepared("ske", "empty-object")
    assert "is an empty string" in empty and "SKE 2019" not in empty
    assert "the last character is inclusive: write [0, 1]" in prepared("ner-crf", "exclusive-ends")
    tags = prepared("ner-crf", "underscore-tags")
    assert "write B-PER" in tags and "--skip-bad" not in tags
    schema = c.refused(
        "prepare", "--recipe", "ske", "--train", c / "trailing-commas/train.json", "--dev",
        c / "trailing-commas/dev.json", "--schema", c / "schema-as-list.json", "--output", c / "out",
    )  # fmt: skip
    assert "without a list around them" in schema
    out = c / "docstart-out"
    told = c.run("prepare", "--recipe", "ner-crf", "--data", c / "docstart", "--output", out)
    assert told["code"] == 0 and "DOCSTART" not in (Path(c / "docstart-out") / "train.jsonl").read_text(
        encoding="utf-8"
    )


def test_13_a_low_threshold_is_bounded(case: Open) -> None:
    c = case("13-no-cap-on-triples")
    few = settings(
        "training.epochs=1", "training.batch_size=4", "training.learning_rate=1e-2", "training.precision=fp32"
    )
    yes = settings("decode.entity=0", "decode.link=0", "decode.triple=0")
    train = ("train", "--recipe", "ske-gplinker", "--data", c / "data", "--output", c / "g", "--device", "cpu")
    said = c.run(*train, *settings(f"model.encoder={c / 'encoder'}"), *few, *yes, megabytes=2 * MEGABYTES)
    assert said["code"] == 0, said["err"]


def test_21_devices_pipes_and_links_stay_what_they_are(case: Open) -> None:
    c = case("21-output-device")
    run = str(c.worker.work / "runs-of" / "ner")
    text = ("predict", "--run", run, "--text", "方蓝在江城大学教书")
    os.symlink(c / "behind.json", c / "link.json")
    Path(c / "behind.json").write_text("before")
    Path(c / "in.json").write_text('{"text": "方蓝在江城大学教书"}\n', encoding="utf-8")
    c.done("predict", "--run", run, c / "in.json", "--output", c / "link.json")
    assert Path(c / "link.json").is_symlink() and "江城" in Path(c / "behind.json").read_text(encoding="utf-8")
    assert "No space left" in c.refused("predict", "--run", run, c / "in.json", "--output", "/dev/full")
    assert Path("/dev/full").is_char_device()
    c.done(*text)


def test_22_and_23_numbers_and_nesting_without_end(case: Open) -> None:
    c = case("22-ijson-segfault")
    train = ("prepare", "--recipe", "qa-dureader", "--dev", c / "d.json", "--output", c / "o", "--train")
    for file in ("many.zip", "n1.json"):
        c.run(*train, c / file, "--skip-bad")
    deep = case("23-ijson-deep-nesting")
    for file in ("deep.json", "deepl.json", "deep-two-lines.json"):
        line = deep.refused("prepare", "--recipe", "qa", "--train", deep / file, "--output", deep / "o")
        assert "nest" in line and "unpack" not in line


def test_24_push_sends_nothing_from_outside(case: Open) -> None:
    c = case("24-push-files-outside")
    copy_run("ner-crf", c.folder / "run")
    about = json.loads(Path(c / "run/run.json").read_text(encoding="utf-8"))
    Path(c / "victim.txt").write_text("secret")
    os.symlink(c / "victim.txt", c / "run/types.bin")
    about["files"] = ["../victim.txt", "/etc/passwd", "config.json", "types.bin"]
    Path(c / "run/run.json").write_text(json.dumps(about), encoding="utf-8")
    said = c.run("push", c / "run", "a/b", "--dry-run")
    assert said["code"] == 2 or not any(word in said["out"] for word in ("victim", "passwd", "types.bin"))


@pytest.mark.parametrize(
    "changes",
    [{"created": 5}, {"created": None}, {"best": "x"}, {"differences": []}, {"versions": 3}, {"extra": []}],
    ids=str,
)
def test_25_a_damaged_run_breaks_no_other_command(case: Open, changes: dict[str, Any]) -> None:
    c = case("25-run-json-types")
    for name in ("good", "bad"):
        shutil.rmtree(c / f"runs/{name}", ignore_errors=True)
        copy_run("ner-crf", c.folder / "runs" / name)
    path = Path(c / "runs/bad/run.json")
    path.write_text(json.dumps(json.loads(path.read_text(encoding="utf-8")) | changes), encoding="utf-8")
    said = c.run("runs", c / "runs")
    assert said["code"] == 0 and "good" in said["out"] and "damaged" in said["out"]
    c.refused("push", c / "runs/bad", "a/b", "--dry-run")


def test_26_a_line_without_end_in_an_archive(case: Open) -> None:
    c = case("26-zip-bomb-single-line")
    Path(c / "in.json").write_text('{"text": "a", "spo_list": []}\n')
    with zipfile.ZipFile(c / "b.zip", "w", zipfile.ZIP_DEFLATED) as archive, archive.open("a.json", "w") as out:
        for _ in range(300):
            out.write(b"0" * (1 << 20))
    assert "line" in c.refused("score", "--recipe", "ske", c / "in.json", c / "b.zip")


def test_28_34_35_word_vectors_that_are_damaged_or_hostile(case: Open) -> None:
    data = case("05-word-vectors-misread")
    for name, files in {
        "28-word-vectors-traceback": ("w1.txt", "npy-header-cut"),
        "34-vectors-not-finite": ("big64",),
        "35-pickle-bombs": ("hash.kv", "memo2.kv"),
    }.items():
        c = case(name)
        if name.startswith("35"):
            # Tuples within tuples, each twice the one before, as the key of a dictionary; and an index of 2^27.
            pairs = b"".join(b"h%c\x86q%c" % (n, n + 1) + b"0" for n in range(45))
            Path(c / "hash.kv").write_bytes(b"\x80\x02}q\x00()q\x010" + pairs + b"h\x2eK\x01s.")
            Path(c / "memo2.kv").write_bytes(b"\x80\x02Nr\x00\x00\x00\x08.")
        for file in files:
            out = c / f"o-{file}"
            given = settings(f"data.word_vectors={c / file}")
            c.refused("prepare", "--recipe", "ske", "--data", data / "data", "--output", out, *given)


def test_29_yaml_of_every_kind(case: Open) -> None:
    c = case("29-yaml-traceback")
    for file in ("bool.yaml", "timestamp.yaml", "control.yaml"):
        assert file in c.refused("recipes", "validate", c / file)
    c.refused("recipes", "validate", c / "bool.yaml", "--json")
    c.refused("train", "--recipe", "ske", *settings("data.window=!!bool maybe"))


def test_30_and_31_what_files_hold_is_shown_and_not_obeyed(case: Open) -> None:
    c, long = case("30-terminal-escapes"), case("31-long-errors")
    c.run("score", "--recipe", "ske", c / "a2.json", c / "a2.json")
    c.run("prepare", "--recipe", "ner-crf", "--train", c / "a3.json", "--dev", c / "a3.json", "--output", c / "out")
    c.run("score", "--recipe", "ske", c / "z.zip", c / "z.zip")
    said = long.run(
        "predict", "--run", str(c.worker.work / "runs-of" / "el"), long / "in.json", "--output", long / "o.json"
    )
    assert max(map(len, said["err"].splitlines()), default=0) < 1000


def test_32_limits(case: Open) -> None:
    c = case("32-limits")
    data = case("01-nan-training") / "data"
    name = "x" * 300
    train = ("train", "--recipe", "ner-crf", "--data", data, "--device", "cpu", "--output")
    c.refused(*train, c / "a", *settings("training.seed=99999999999999999999"))
    c.refused(*train, c / "b", *settings("model.hidden_size=100000000"))
    c.refused(*train, c / name)
    run = str(c.worker.work / "runs-of" / "ner")
    c.refused("predict", "--run", run, c / name)
    c.refused("predict", "--run", run, f"{data}/dev.jsonl", "--output", c / name)
    c.refused("score", "--recipe", "ner-crf", c / name, c / name)
