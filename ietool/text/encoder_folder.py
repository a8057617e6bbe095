"""What a folder that is named as an encoder holds, looked at before anything is prepared with it.

People bring what they have: checkpoints of TensorFlow, pointers of Git LFS, adapters, halves of a download. Each is
named as what it is; the libraries say something else, an hour later.
"""

from __future__ import annotations

import contextlib
import json
import re
from pathlib import Path
from typing import Any, NoReturn

from ietool.errors import UserError, reason_of
from ietool.quiet import quiet

_FIELD = "model.encoder"
COMPLETE = "name a folder that save_pretrained wrote"
_DOWNLOAD = "download it again"

CONFIG = "config.json"
SAFE, PICKLED = "model.safetensors", "pytorch_model.bin"
_INDEX = ".index.json"

TOKENIZERS = ("tokenizer.json", "vocab.txt", "vocab.json", "spiece.model", "sentencepiece.bpe.model",
              "tokenizer.model", "spm.model", "bpe.codes")  # fmt: skip
"""Files, one of which a tokenizer is made of."""

LFS = b"version https://git-lfs"
"""How a pointer begins that Git LFS leaves in place of a file."""

_FOREIGN: tuple[tuple[str, str, str], ...] = (
    ("adapter_config.json", "is an adapter (LoRA), which holds changes of a model alone",
     "merge it into its model (merge_and_unload of peft), save that, and name its folder"),
    ("*.ckpt.index", "is a checkpoint of TensorFlow", "take the same model for PyTorch, or convert it"),
    ("*.ckpt.meta", "is a checkpoint of TensorFlow", "take the same model for PyTorch, or convert it"),
    ("bert_config.json", "is a checkpoint of TensorFlow", "take the same model for PyTorch, or convert it"),
    ("tf_model.h5", "has weights of TensorFlow alone", "take the same model for PyTorch, or convert it"),
    ("saved_model.pb", "is a model saved by TensorFlow", "take the same model for PyTorch, or convert it"),
    ("flax_model.msgpack", "has weights of Flax alone", "take the same model for PyTorch, or convert it"),
    ("*.pdparams", "has weights of PaddlePaddle alone", "take the same model for PyTorch, or convert it"),
    ("*.gguf", "has weights of llama.cpp (GGUF), which cannot be trained", "take the same model for PyTorch"),
    ("*.onnx", "has weights of ONNX, which cannot be trained", "take the same model for PyTorch"),
)  # fmt: skip
"""File by which a folder of another kind is known, what it is, and the mend; looked at where ours are missing."""


def check_encoder_config(name: str) -> None:
    """Raise UserError unless a folder holds a configuration that could be loaded, and no files that were never
    fetched. A hub id is not looked at."""
    folder = Path(name)
    if folder.is_file():
        _refuse(folder, "is a file, a folder is needed", "name the folder of the model")
    if not name.strip() or not folder.is_dir():  # no name would be the working folder
        return
    for path in sorted(path for path in folder.iterdir() if _is_read(path.name)):
        with contextlib.suppress(OSError):  # what may not be read is told where it is needed
            if path.is_file() and path.stat().st_size < 1024 and path.read_bytes().startswith(LFS):
                _refuse(path, "is a Git LFS pointer, not the file itself", "fetch the files: git lfs pull")
    if not (folder / CONFIG).is_file():
        _check_foreign(folder)
        what = "there is none" if any(folder.iterdir()) else "it is empty"
        _refuse(folder, f"holds no {CONFIG} that transformers can load ({what})", COMPLETE)
    if "model_type" not in _read_json(folder / CONFIG):
        _refuse(folder / CONFIG, "holds no model_type, by which transformers knows a model", COMPLETE)


def _is_read(name: str) -> bool:
    """Whether a file of an encoder's folder is read, by its name: not those of other libraries."""
    return name.endswith((".json", ".txt", ".model")) or name in ("model.safetensors", "pytorch_model.bin") or (
        name.startswith(("model-", "pytorch_model-"))
    )  # fmt: skip


def check_encoder_files(name: str) -> None:
    """Raise UserError unless a folder holds whole weights and a tokenizer. Nothing is loaded: of weights the header is
    read. A hub id is not looked at."""
    folder = Path(name)
    if not name.strip() or not folder.is_dir():
        return
    _check_weights(folder)
    if not any((folder / file).is_file() for file in TOKENIZERS):
        _refuse(folder, "has no tokenizer", "copy tokenizer.json or vocab.txt of the same model into it")


def tokenizer_mend(name: str, kind: str, otherwise: str) -> str:
    """The mend where the library makes of what a folder holds a tokenizer that will not do, of class ``kind``, or none.

    Many Chinese encoders of other kinds come with the ``vocab.txt`` of a BERT, which must be said.
    """
    folder = Path(name)
    words, config = folder / "vocab.txt", folder / "tokenizer_config.json"
    if kind.startswith("Bert") or not words.is_file() or (folder / "tokenizer.json").is_file():
        return otherwise
    with words.open("rb") as stream:
        if b"[UNK]" not in stream.read(1 << 20):
            return otherwise
    if not config.is_file() or b"BertTokenizer" not in config.read_bytes():
        return f'put {{"tokenizer_class": "BertTokenizer"}} into {config}'
    # Of a few kinds the library goes by the model and not by what the folder says.
    code = f"from transformers import BertTokenizer as T; T.from_pretrained('{name}').save_pretrained('{name}')"
    return f'write its tokenizer.json: python -c "{code}"'


def _refuse(path: Path, what: str, mend: str) -> NoReturn:
    raise UserError(what, file=path, field=_FIELD, mend=mend)


def _check_foreign(folder: Path) -> None:
    for pattern, what, mend in _FOREIGN:
        if next(folder.glob(pattern), None) is not None:
            _refuse(folder, what, mend)


def _read_json(path: Path) -> dict[str, Any]:
    try:
        read = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        _refuse(path, f"cannot be read ({reason_of(error)})", _DOWNLOAD)
    if not isinstance(read, dict):
        _refuse(path, "holds no JSON object", _DOWNLOAD)
    return read


def _check_weights(folder: Path) -> None:
    """The file that transformers would read, in its order."""
    for name, check in ((SAFE, _check_safe), (PICKLED, _check_pickled)):
        if (folder / name).is_file():
            check(folder / name)
            return
        index = folder / (name + _INDEX)
        if index.is_file():
            read = _read_json(index)
            shards = read.get("weight_map")
            if not isinstance(shards, dict) or not shards or "metadata" not in read:
                _refuse(index, "is no index of weights", _DOWNLOAD)
            for shard in sorted({str(file) for file in shards.values()}):
                if not (folder / shard).is_file():
                    _refuse(folder / shard, f"is missing, {index.name} names it", _DOWNLOAD)
                check(folder / shard)
            return
    _check_foreign(folder)
    _refuse(folder, f"has no weights: neither {SAFE} nor {PICKLED}", COMPLETE)


def _check_safe(path: Path) -> None:
    from safetensors import safe_open

    try:
        with safe_open(path, framework="numpy") as weights:
            names = weights.keys()
    # Of a kind of its own, which the package does not always name.
    except Exception as error:
        _refuse(path, f"is damaged or cut off ({reason_of(error)})", _DOWNLOAD)
    if not len(names):
        _refuse(path, "holds no weights", _DOWNLOAD)


def _check_pickled(path: Path) -> None:
    """Tensors alone are fine; what would run code is refused, and never run."""
    import pickle

    import torch

    try:
        with path.open("rb") as stream:
            packed = stream.read(4) == b"PK\x03\x04"
        with quiet():
            torch.load(path, map_location="meta", weights_only=True, mmap=packed)
    except pickle.UnpicklingError as error:
        named = re.search(r"GLOBAL ([\w.]+)", str(error))
        if named is None:
            _refuse(path, f"is damaged or cut off ({reason_of(error)})", _DOWNLOAD)
        what = f"is a pickle that holds more than weights ({named[1]}) and could run code"
        _refuse(path, what, f"take the same model with {SAFE}")
    except Exception as error:
        _refuse(path, f"is damaged or cut off ({reason_of(error)})", _DOWNLOAD)
