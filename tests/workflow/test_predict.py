"""Predicting through the real verb and from Python, in this process: streams, packed files, faults, hostile runs."""

from __future__ import annotations

import errno
import gzip
import io
import json
import os
import pickle
import shutil
import sys
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from ietool import load
from ietool.cli.app import run as ietool
from ietool.errors import UserError
from ietool.tasks.ske.heads.assembly import Extraction
from ietool.workflow.predict import Loaded, predict_file
from tests.tasks.ske.made import head_of_corpus, loud_model, make_run, prepare_small, small_recipe

Said = Callable[[], tuple[str, str]]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a run in ``run/`` and competition files."""
    folder = tmp_path_factory.mktemp("predict")
    recipe = small_recipe("model.part_of_speech=true")
    prepared = prepare_small(recipe, head_of_corpus(folder), folder)
    make_run(recipe, prepared, loud_model(recipe, prepared, seed=2), folder / "run")
    return folder


@pytest.fixture(scope="module")
def loaded(made: Path) -> Loaded:
    return load(made / "run", device="cpu")


@pytest.fixture
def texts(made: Path) -> list[str]:
    lines = (made / "test.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line)["text"] for line in lines]


def predict(made: Path, source: Path | str, output: Path | str) -> int:
    return ietool(["predict", "--run", str(made / "run"), "--device", "cpu", str(source), "--output", str(output)])


def answers(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


# -- what goes in and comes out


def test_from_stdin_to_stdout(
    made: Path,
    tmp_path: Path,
    texts: list[str],
    monkeypatch: pytest.MonkeyPatch,
    capfdbinary: pytest.CaptureFixture[bytes],
) -> None:
    given = (made / "test.jsonl").read_bytes()
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(given)))
    assert predict(made, "-", "-") == 0
    out, err = capfdbinary.readouterr()
    lines = out.decode().splitlines()
    assert [json.loads(line)["text"] for line in lines] == texts
    assert "20 texts" in err.decode()
    assert predict(made, made / "test.jsonl", tmp_path / "result.json") == 0
    assert (tmp_path / "result.json").read_bytes() == out


@pytest.mark.parametrize("kind", ["gz", "zip"])
def test_packed_input(made: Path, tmp_path: Path, texts: list[str], kind: str) -> None:
    path = tmp_path / f"test.{kind}"
    if kind == "gz":
        path.write_bytes(gzip.compress((made / "test.jsonl").read_bytes()))
    else:
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.write(made / "test.jsonl", "folder/test.jsonl")
    assert predict(made, path, tmp_path / "result.json") == 0
    assert [answer["text"] for answer in answers(tmp_path / "result.json")] == texts


def test_order_copies_and_empty_texts_are_kept(made: Path, tmp_path: Path, texts: list[str]) -> None:
    given = [*texts, "", texts[0] * 30, *reversed(texts), texts[3], ""]
    source = tmp_path / "many.jsonl"
    source.write_text(
        "".join(json.dumps({"text": t}, ensure_ascii=False) + "\r\n" for t in given), encoding="utf-8-sig"
    )
    assert predict(made, source, tmp_path / "result.json") == 0
    found = answers(tmp_path / "result.json")
    assert [answer["text"] for answer in found] == given
    assert found[len(texts)]["spo_list"] == []


@pytest.mark.parametrize("content", [b"", b"\n\n", b"\xef\xbb\xbf"])
def test_an_empty_file_gives_an_empty_file(
    made: Path, tmp_path: Path, content: bytes, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "empty.json").write_bytes(content)
    assert predict(made, tmp_path / "empty.json", tmp_path / "result.json") == 0
    assert (tmp_path / "result.json").read_bytes() == b""
    assert "empty.json holds no text: nothing is predicted" in capfd.readouterr().err


def test_the_scorer_takes_the_output(made: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert predict(made, made / "test.jsonl", tmp_path / "result.json") == 0
    entry = next(answer["spo_list"][0] for answer in answers(tmp_path / "result.json") if answer["spo_list"])
    assert entry.keys() == {"subject", "predicate", "object", "subject_type", "object_type"}
    assert "@value" in entry["object"] and entry["subject_type"]
    capfd.readouterr()
    assert ietool(["score", "--recipe", "ske", str(made / "test.jsonl"), str(tmp_path / "result.json"), "--json"]) == 0
    scored = json.loads(capfd.readouterr().out)
    assert scored["metric"] == "duie2" and scored["predicted"] > 0


def test_texts_given_as_options(made: Path, texts: list[str], capfd: pytest.CaptureFixture[str]) -> None:
    arguments = ["predict", "--run", str(made / "run"), "--device", "cpu", "--text", texts[0], "--text", ""]
    assert ietool(arguments) == 0
    out = capfd.readouterr().out
    assert "subject" in out and "probability" in out and "no triple found" in out
    assert texts[0][:10] in out


# -- from Python


def test_typed_results_with_offsets(loaded: Loaded, texts: list[str]) -> None:
    results = loaded.predict(texts)
    assert all(isinstance(result, Extraction) for result in results)
    assert [result.text for result in results] == texts
    triples = [(result, t) for result in results for t in result.triples]
    assert triples
    for result, t in triples:
        assert t.subject is not None and result.text[t.subject.start : t.subject.end] == t.triple.subject
        assert all(result.text[span.start : span.end] == span.text for _, span in t.slots)
        assert 0 < t.probability <= 1
    assert loaded.predict([]) == []
    assert [result.text for result in loaded.predict(iter(texts[:2]))] == texts[:2]


@pytest.mark.parametrize("wrong", ["一段文字", b"bytes", ["好", 3], ["好", None]])
def test_what_is_no_list_of_texts(loaded: Loaded, wrong: Any) -> None:
    with pytest.raises(TypeError, match=r"\[text\]|texts\[1\] is"):
        loaded.predict(wrong)


def test_reading_is_streamed(loaded: Loaded, texts: list[str]) -> None:
    """Never more than a pool of texts is read ahead, however long the file."""
    pulled = 0

    def endless() -> Iterator[Any]:
        nonlocal pulled
        while True:
            pulled += 1
            yield loaded.task.input_of(texts[pulled % 5][:10])

    pool = loaded.recipe.decode.batch_size * loaded.predictor.reader.pool  # type: ignore[attr-defined]
    stream = loaded.stream(endless())
    for number in range(1, 2 * pool + 2):
        next(stream)
        assert pulled <= (number - 1) // pool * pool + pool
    assert pulled == 3 * pool


def test_a_stream_leaves_the_precision_of_its_reader_alone(made: Path, texts: list[str]) -> None:
    other = load(made / "run", device="cpu")
    other.precision = "bf16"
    stream = other.stream(other.task.input_of(text) for text in texts)
    next(stream)
    assert not torch.is_autocast_enabled("cpu")
    assert torch.ones(2, 2).matmul(torch.ones(2, 2)).dtype == torch.float32


# -- faults


def test_a_bad_line_in_the_middle(made: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    lines = (made / "test.jsonl").read_bytes().splitlines(keepends=True)
    lines[11] = lines[11][: len(lines[11]) // 2].rstrip(b"\xe0\xff") + b"\n"
    (tmp_path / "bad.json").write_bytes(b"".join(lines))
    (tmp_path / "result.json").write_text("old", encoding="utf-8")
    assert predict(made, tmp_path / "bad.json", tmp_path / "result.json") == 2
    err = capfd.readouterr().err
    assert f"{tmp_path / 'bad.json'}:12" in err and "Traceback" not in err
    assert (tmp_path / "result.json").read_text(encoding="utf-8") == "old"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["bad.json", "result.json"]


@pytest.mark.parametrize("where", ["write", "fsync"])
def test_a_full_disk(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str) -> None:
    (tmp_path / "result.json").write_text("old", encoding="utf-8")

    def full(*arguments: Any) -> Any:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    if where == "fsync":
        monkeypatch.setattr(os, "fsync", full)
    else:
        (tmp_path / ".result.json.x.part").touch()
        made_there = (os.open("/dev/full", os.O_WRONLY), str(tmp_path / ".result.json.x.part"))
        monkeypatch.setattr("tempfile.mkstemp", lambda **options: made_there)
    with pytest.raises(UserError, match="No space left") as caught:
        predict_file(made / "run", str(made / "test.jsonl"), str(tmp_path / "result.json"), device="cpu")
    monkeypatch.undo()
    assert "nothing under that name was changed" in str(caught.value)
    assert [p.name for p in tmp_path.iterdir()] == ["result.json"]
    assert (tmp_path / "result.json").read_text(encoding="utf-8") == "old"


def test_an_output_folder_is_refused(made: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="is a folder"):
        predict_file(made / "run", str(made / "test.jsonl"), str(tmp_path), device="cpu")
    assert list(tmp_path.iterdir()) == []


# -- runs that are damaged, or come from a stranger


@pytest.fixture
def stranger(made: Path, tmp_path: Path) -> Path:
    """A copy of the run, to be spoilt."""
    return Path(shutil.copytree(made / "run", tmp_path / "stranger"))


def refused(run: Path, capfd: pytest.CaptureFixture[str]) -> str:
    """What the verb says of a run, once it is sure that it says so in one line."""
    capfd.readouterr()
    assert ietool(["predict", "--run", str(run), "--device", "cpu", "--text", "山"]) == 2
    out, err = capfd.readouterr()
    assert out == "" and err.startswith("error: ") and len(err.strip().splitlines()) == 1, err
    with pytest.raises(UserError):
        load(run, device="cpu")
    return err


class Bomb:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.path,)


def test_a_pickle_is_never_read(stranger: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    mark = tmp_path / "code was run"
    for name in ("pytorch_model.bin", "training_args.bin", "optimizer.pt"):
        (stranger / name).write_bytes(pickle.dumps(Bomb(mark)))
    assert len(load(stranger, device="cpu").predict(["山"])) == 1  # beside safetensors it is not looked at
    (stranger / "model.safetensors").unlink()
    refused(stranger, capfd)
    shutil.copyfile(stranger / "pytorch_model.bin", stranger / "model.safetensors")
    assert "damaged" in refused(stranger, capfd)
    assert not mark.exists()


def test_python_tags_in_a_recipe_are_refused(stranger: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    mark = tmp_path / "code was run"
    recipe = (stranger / "recipe.yaml").read_text(encoding="utf-8")
    bomb = f"title: !!python/object/apply:os.system ['touch \"{mark}\"']\n"
    (stranger / "recipe.yaml").write_text(bomb + recipe.replace("title:", "was:"), encoding="utf-8")
    assert "recipe.yaml" in refused(stranger, capfd)
    assert not mark.exists()


def test_code_named_by_a_config_is_not_run(stranger: Path, tmp_path: Path) -> None:
    mark = tmp_path / "code was run"
    config = json.loads((stranger / "config.json").read_text())
    config["auto_map"] = {"AutoConfig": "bomb.Config", "AutoModel": "bomb.Model"}
    (stranger / "config.json").write_text(json.dumps(config))
    (stranger / "bomb.py").write_text(f"open({str(mark)!r}, 'w')\n")
    assert len(load(stranger, device="cpu").predict(["山"])) == 1
    assert not mark.exists()


def test_objects_in_an_array_are_not_loaded(stranger: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    import numpy as np

    mark = tmp_path / "code was run"
    np.save(stranger / "prior.npy", np.array([Bomb(mark)], object), allow_pickle=True)
    assert "prior.npy" in refused(stranger, capfd)
    assert not mark.exists()


@pytest.mark.parametrize("content", [b"", b"\x00" * 100, b"{", None])
def test_damaged_weights(stranger: Path, capfd: pytest.CaptureFixture[str], content: bytes | None) -> None:
    path = stranger / "model.safetensors"
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2] if content is None else content)
    err = refused(stranger, capfd)
    assert "damaged" in err and "train again" in err


@pytest.mark.parametrize("harm", ["missing", "more", "shape"])
def test_weights_that_do_not_fit(stranger: Path, capfd: pytest.CaptureFixture[str], harm: str) -> None:
    path = stranger / "model.safetensors"
    tensors = load_file(path)
    if harm == "missing":
        del tensors["subject_out.weight"]
    elif harm == "more":
        tensors["subject_out.other"] = torch.zeros(2)
    else:
        tensors["subject_out.weight"] = torch.zeros(3, 5)
    save_file(tensors, path, metadata={"format": "pt"})
    assert "subject_out" in refused(stranger, capfd) or harm == "shape"


@pytest.mark.parametrize(
    "content",
    ["", "{", "[]", "null", '"text"', '{"hidden_size": "wide"}', '{"labels": -3}', '{"hidden_size": 64}', "\udcff"],
)
def test_damaged_config(stranger: Path, capfd: pytest.CaptureFixture[str], content: str) -> None:
    path = stranger / "config.json"
    if content.startswith('{"'):
        content = json.dumps(json.loads(path.read_text()) | json.loads(content))
    path.write_bytes(content.encode("utf-8", "surrogateescape"))
    refused(stranger, capfd)


@pytest.mark.parametrize(
    "name", ["characters.txt", "schema.json", "prior.npy", "prior_names.txt", "recipe.yaml", "config.json", "run.json"]
)
@pytest.mark.parametrize("harm", ["gone", "empty", "cut", "binary"])
def test_any_damaged_file(stranger: Path, capfd: pytest.CaptureFixture[str], name: str, harm: str) -> None:
    path = stranger / name
    content = path.read_bytes()
    if harm == "gone":
        path.unlink()
    else:
        cut = content[: len(content) // 2]
        if name == "recipe.yaml":  # within a key: behind a value half a recipe is a whole one, the rest by default
            cut = cut[: cut.rindex(b":")]
        path.write_bytes({"empty": b"", "cut": cut, "binary": b"\xff\xfe\x00\x01" * 40}[harm])
    said = refused(stranger, capfd)
    assert name in said or "stranger" in said
