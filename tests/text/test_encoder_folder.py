"""What people have in the folder of an encoder: named as what it is, in one line, before anything is prepared."""

from __future__ import annotations

import io
import json
import os
import pickle
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import (
    AlbertConfig,
    AlbertModel,
    AutoConfig,
    AutoModel,
    BertTokenizer,
    DebertaV2Config,
    DebertaV2Model,
)

from ietool import paths
from ietool.errors import UserError
from ietool.nn.encoder import fetch
from ietool.text.tokens import fetch_tokenizer
from tests.cli.conftest import complaint, output_of
from tests.tiny_encoder import make_encoder_folder, vocabulary_of

LFS = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a2146\nsize 409\n"
SAFE, PICKLED, INDEX = "model.safetensors", "pytorch_model.bin", "model.safetensors.index.json"


class Evil:
    """Pickled, it asks for a command to be run."""

    def __reduce__(self) -> Any:
        return os.system, ("touch struck",)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    for role in ("train", "dev"):
        lines = (paths.shipped_data("ner") / f"{role}.jsonl").read_text(encoding="utf-8").splitlines(keepends=True)
        (folder / f"{role}.jsonl").write_text("".join(lines[:30]), encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def texts(data: Path) -> list[str]:
    return [json.loads(line)["text"] for line in (data / "train.jsonl").read_text(encoding="utf-8").splitlines()]


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory, texts: list[str]) -> Path:
    return make_encoder_folder(tmp_path_factory.mktemp("sound") / "bert", texts, layers=1)


@pytest.fixture
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("IETOOL_HOME", str(tmp_path / "home"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def without(*names: str) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        for name in names:
            (folder / name).unlink()

    return change


def instead(name: str, content: bytes, *gone: str) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        without(*gone)(folder)
        (folder / name).write_bytes(content)

    return change


def sharded(folder: Path) -> None:
    """Two shards, of which one is missing."""
    names = list(load_file(folder / SAFE))
    (folder / INDEX).write_text(
        json.dumps({"metadata": {}, "weight_map": {n: f"model-{i % 2}.safetensors" for i, n in enumerate(names)}})
    )
    (folder / SAFE).rename(folder / "model-0.safetensors")


def pickled(thing: Callable[[Path], Any]) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        torch.save(thing(folder), folder / PICKLED)
        (folder / SAFE).unlink()

    return change


def cut(name: str, size: int) -> Callable[[Path], None]:
    return lambda folder: (folder / name).write_bytes((folder / name).read_bytes()[:size])


def only(**files: bytes) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        shutil.rmtree(folder)
        folder.mkdir()
        for name, content in files.items():
            (folder / name.replace("__", ".").replace("_0", "-0")).write_bytes(content)

    return change


def tensorflow(folder: Path) -> None:
    without("config.json", SAFE, "tokenizer.json", "tokenizer_config.json")(folder)
    for name in (
        "bert_config.json",
        "bert_model.ckpt.index",
        "bert_model.ckpt.meta",
        "bert_model.ckpt.data-00000-of-1",
    ):
        (folder / name).write_bytes(b"{}")


def zipped(content: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("archive/data.pkl", content)
        archive.writestr("archive/version", "3\n")
    return out.getvalue()


FOLDERS: dict[str, tuple[Callable[[Path], None], str, str]] = {
    "a checkpoint of TensorFlow": (tensorflow, "is a checkpoint of TensorFlow", "PyTorch"),
    "weights of TensorFlow": (instead("tf_model.h5", b"x", SAFE), "weights of TensorFlow alone", "PyTorch"),
    "weights of Flax": (instead("flax_model.msgpack", b"x", SAFE), "weights of Flax alone", "PyTorch"),
    "a pointer for weights": (instead(SAFE, LFS), f"{SAFE}: model.encoder: is a Git LFS pointer", "git lfs pull"),
    "a pointer for a tokenizer": (instead("tokenizer.json", LFS), "tokenizer.json: model.encoder: is a Git", "pull"),
    "a pointer for pickled weights": (instead(PICKLED, LFS, SAFE), "is a Git LFS pointer", "git lfs pull"),
    "a pickle that runs code": (pickled(lambda folder: {"x": Evil()}), "system) and could run code", SAFE),
    "an old pickle that runs code": (instead(PICKLED, pickle.dumps(Evil(), 2), SAFE), "could run code", SAFE),
    "a whole model pickled": (pickled(lambda folder: AutoModel.from_pretrained(folder)), "could run code", SAFE),
    "a pickle cut off": (instead(PICKLED, b"PK\x03\x04" + b"\0" * 50, SAFE), "damaged or cut off", "download"),
    "a zip of something": (instead(PICKLED, zipped(b"x"), SAFE), "damaged or cut off", "download"),
    "weights cut off": (cut(SAFE, 9000), f"{SAFE}: model.encoder: is damaged or cut off", "download"),
    "weights of eight bytes": (cut(SAFE, 8), "is damaged or cut off", "download"),
    "no bytes of weights": (cut(SAFE, 0), "is damaged or cut off", "download"),
    "no weights": (without(SAFE), "has no weights", "save_pretrained"),
    "no tokenizer": (without("vocab.txt", "tokenizer.json", "tokenizer_config.json") , "has no tokenizer", "vocab.txt"),
    "no configuration": (without("config.json"), "holds no config.json", "save_pretrained"),
    "a configuration of nothing": (instead("config.json", b"{}"), "holds no model_type", "save_pretrained"),
    "a configuration cut off": (cut("config.json", 50), "config.json: model.encoder: cannot be read", "download"),
    "a list as configuration": (instead("config.json", b"[]"), "holds no JSON object", "download"),
    "a shard too few": (sharded, "model-1.safetensors: model.encoder: is missing", "download"),
    "an index of nothing": (instead(INDEX, b"{}", SAFE), "is no index of weights", "download"),
    "an adapter": (only(adapter_config__json=b"{}", adapter_model__safetensors=b"x"), "is an adapter (LoRA)", "merge"),
    "a model of llama.cpp": (only(model__gguf=b"GGUF"), "GGUF", "PyTorch"),
    "a model of ONNX": (instead("model.onnx", b"x", SAFE), "ONNX", "PyTorch"),
    "a model of PaddlePaddle": (instead("model_state.pdparams", b"x", SAFE), "PaddlePaddle", "PyTorch"),
    "nothing": (only(), "it is empty", "save_pretrained"),
    "a vocabulary alone": (only(vocab__txt=b"[UNK]\n"), "holds no config.json", "save_pretrained"),
}  # fmt: skip
"""Name → what is done to a sound folder, what is told, and a word of the mend."""


@pytest.mark.parametrize("name", FOLDERS)
def test_folders_are_named_as_what_they_are(
    work: Path, data: Path, sound: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    change, told, mend = FOLDERS[name]
    folder = work / "encoder"
    shutil.copytree(sound, folder)
    change(folder)
    error = complaint(capsys, "prepare", "-r", "ner-crf", "--data", data, "--set", "model.encoder=encoder")
    assert told in error and mend in error.partition(" → ")[2] and "\x1b" not in error and len(error) < 500
    assert "model.encoder" in error and not (work / "struck").exists()
    left = [path for path in (work / "home").rglob("*") if path.is_file()]
    assert [path.name for path in left] == [".preparing.lock"]


@pytest.mark.parametrize("recipe", ["ske-cascade", "qa-span", "qa-mlm", "el-cross"])
def test_every_task_looks_before_it_reads(
    work: Path, sound: Path, recipe: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Train is no record at all, which would be told otherwise."""
    shutil.copytree(sound, work / "encoder")
    cut(SAFE, 9000)(work / "encoder")
    (work / "bad.json").write_text("no record\n", encoding="utf-8")
    files = ["--train", "bad.json", "--dev", "bad.json"]
    files += {"el-cross": ["--file", "kb=bad.json"], "ske-cascade": ["--schema", "bad.json"]}.get(recipe, [])
    error = complaint(capsys, "train", "-r", recipe, *files, "--set", "model.encoder=encoder")
    assert "is damaged or cut off" in error and SAFE in error


def test_a_file_is_no_folder(work: Path, data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (work / "model.gguf").write_bytes(b"GGUF")
    error = complaint(capsys, "prepare", "-r", "ner-crf", "--data", data, "--set", "model.encoder=model.gguf")
    assert "is a file, a folder is needed" in error


@pytest.mark.parametrize("old", [False, True])
def test_pickled_tensors_are_read(work: Path, sound: Path, old: bool) -> None:
    folder = work / "encoder"
    shutil.copytree(sound, folder)
    weights = load_file(folder / SAFE)
    torch.save(weights, folder / PICKLED, _use_new_zipfile_serialization=not old)
    (folder / SAFE).unlink()
    assert fetch_tokenizer("encoder").size
    found = fetch("encoder").state_dict()
    assert all(torch.equal(found[name], value) for name, value in weights.items() if "pooler" not in name)


def test_shards_are_read(work: Path, sound: Path) -> None:
    folder = work / "encoder"
    shutil.copytree(sound, folder)
    weights = load_file(folder / SAFE)
    sharded(folder)
    for i in range(2):
        some = {name: value for n, (name, value) in enumerate(weights.items()) if n % 2 == i}
        save_file(some, folder / f"model-{i}.safetensors", {"format": "pt"})
    assert fetch_tokenizer("encoder").size
    assert torch.equal(fetch("encoder").get_input_embeddings().weight, weights["embeddings.word_embeddings.weight"])


# -- tokenizers to which texts are unknown


@pytest.mark.parametrize(("kind", "verb"), [("albert", "prepare"), ("deberta-v2", "train")])
def test_a_vocabulary_of_bert_under_another_model(
    work: Path, data: Path, texts: list[str], kind: str, verb: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """As many Chinese ones have: the library makes of it a tokenizer that knows nothing. The mend mends it."""
    folder, words = work / "encoder", vocabulary_of(texts)
    size: dict[str, Any] = {
        "vocab_size": len(words), "hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2,
        "intermediate_size": 16, "max_position_embeddings": 128,
    }  # fmt: skip
    model = (
        AlbertModel(AlbertConfig(embedding_size=8, **size))
        if kind == "albert"
        else DebertaV2Model(DebertaV2Config(**size))
    )
    model.save_pretrained(folder)
    (folder / "vocab.txt").write_text("".join(f"{word}\n" for word in words), encoding="utf-8")
    command = ["--recipe", "ner-crf", "--data", data, "--set", "model.encoder=encoder"]
    command += ["--set", "training.epochs=1", "--device", "cpu"] if verb == "train" else []
    error = complaint(capsys, verb, *command)
    assert "model.encoder" in error and "Tokenizer)" in error
    mend = '{"tokenizer_class": "BertTokenizer"}'
    assert mend in error and "tokenizer_config.json" in error
    (folder / "tokenizer_config.json").write_text(mend, encoding="utf-8")
    output_of(capsys, verb, *command)


@pytest.mark.parametrize("kind", ["roberta", "mpnet", "markuplm", "modernbert"])
def test_what_is_told_mends_it(work: Path, texts: list[str], kind: str) -> None:
    """Until the tokenizer knows the texts; of some kinds the library needs two steps."""
    folder, words = work / "encoder", vocabulary_of(texts)
    size = {"vocab_size": len(words), "hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    config = AutoConfig.for_model(kind, **size, intermediate_size=16, max_position_embeddings=64, pad_token_id=0)
    AutoModel.from_config(config).save_pretrained(folder)
    (folder / "vocab.txt").write_text("".join(f"{word}\n" for word in words), encoding="utf-8")
    for _ in range(2):
        try:
            fetch_tokenizer("encoder")
        except UserError as error:
            assert error.mend is not None
            if error.mend.startswith("put "):
                mend = '{"tokenizer_class": "BertTokenizer"}'
                assert mend in error.mend
                (folder / "tokenizer_config.json").write_text(mend, encoding="utf-8")
            else:
                assert "BertTokenizer as T; T.from_pretrained('encoder').save_pretrained('encoder')" in error.mend
                BertTokenizer.from_pretrained("encoder").save_pretrained("encoder")
    reader = fetch_tokenizer("encoder")
    units = reader.units(texts[0])
    assert units.inside.sum() > 10 and not (units.ids == reader.unknown).any()
