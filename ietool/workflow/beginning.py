"""Beginning with the weights of a finished run, on other data: what both have names for is matched by name."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from ietool.core.contract import Task
from ietool.errors import UserError
from ietool.nn.embedding import MixedEmbedding
from ietool.nn.encoder import PretrainedEncoder
from ietool.text.encoding import TextEncoder
from ietool.text.tokens import TokenReader, kept_tokens
from ietool.training.saving import sync

_BEGIN = "begin"
"""Among the checkpoints of a run: what it began with, until it is finished."""

_Rows = tuple[Tensor, Tensor]
"""(rows of the new table, rows of the old one that go there)."""


def begin_with(task: Task[Any], model: PreTrainedModel, start: Path, prepared: Path) -> None:
    """Put the weights of a run into a fresh model.

    Rows of characters and tokens go where the new vocabulary has them; those that the run does not know stay fresh, and
    so do word vectors.

    Args:
        model: of the recipe's sizes.
        start: a run folder with weights.
        prepared: the data to be learnt from.

    Raises:
        UserError: heads, sizes, labels or tokenizers differ.
    """
    other = task.load_model(start)
    if type(other) is not type(model):
        heads = [task.head_of(one.config.to_dict()) for one in (other, model)]
        old, new = ("" if head is None else head.name for head in heads)
        message = f"has the head {old!r}, the recipe has {new!r}" if old != new else "is of an older version"
        raise UserError(message, file=start, mend="leave out --recipe, or name another run")
    for what, (mine, theirs) in _numbered(task, start, prepared).items():
        if list(mine) != list(theirs):
            odd = next((name for name in (*theirs, *mine) if (name in theirs) != (name in mine)), None)
            how = "are in another order" if odd is None else f"differ: {odd!r} is of one of them alone"
            raise UserError(f"its {what} and those of the data {how}", file=start, mend="train without --from")
    known, rows, fresh = other.state_dict(), dict(_rows(model, other, start, prepared)), _kept_fresh(model)
    target = model.state_dict()
    with torch.no_grad():
        for name in dict.fromkeys((*target, *known)):
            if name in fresh or name.endswith("row_of"):
                continue
            source, place = known.get(name), target.get(name)
            if name in rows and source is not None and place is not None and source.shape[1:] == place.shape[1:]:
                to, of = rows[name]
                place[to] = source[of]
            elif source is None or place is None or source.shape != place.shape:
                sizes = [None if one is None else tuple(one.shape) for one in (source, place)]
                message = (
                    f"its sizes are others: {name} is {sizes[0] or 'missing'}, the recipe has {sizes[1] or 'none'}"
                )
                raise UserError(message, file=start, mend="leave out --recipe and --set model.…")
            else:
                place.copy_(source)


def _numbered(task: Task[Any], start: Path, prepared: Path) -> dict[str, tuple[Any, Any]]:
    old, new = task.numbered(start), task.numbered(prepared)
    return {what: (old.get(what, ()), new.get(what, ())) for what in (*old, *new)}


def _kept_fresh(model: nn.Module) -> set[str]:
    """Names of word vectors, which go with the new data's list of words."""
    return {name for name, _ in model.named_buffers() if name.rpartition(".")[2] == "word_vectors"}


def _rows(model: nn.Module, other: nn.Module, start: Path, prepared: Path) -> Iterator[tuple[str, _Rows]]:
    """The tables of characters and tokens in a model by name, each with the rows that are known."""
    olds = dict(other.named_modules())
    for name, module in model.named_modules():
        old = olds.get(name)
        if isinstance(module, MixedEmbedding):
            yield f"{name}.character.weight".lstrip("."), _characters(start, prepared)
        elif isinstance(module, PretrainedEncoder) and isinstance(old, PretrainedEncoder):
            readers = [TokenReader.open(folder) for folder in (start, prepared)]
            if readers[0].tokenizer.get_vocab() != readers[1].tokenizer.get_vocab():
                raise UserError("has another tokenizer", file=start, mend="leave out --set model.encoder.name")
            rows = _tokens(module, old, prepared, max(readers[0].unknown, 0))
            size = module.backbone.config.vocab_size
            for inner, weight in module.backbone.state_dict().items():
                if weight.dim() and len(weight) == size:  # the embedding, and what a head has of its size
                    yield f"{name}.backbone.{inner}".lstrip("."), rows


def _characters(start: Path, prepared: Path) -> _Rows:
    old, new = (TextEncoder.open(folder).vocabulary for folder in (start, prepared))
    special = len(old) - len(old.characters)
    row_of = {c: row for row, c in enumerate(old.characters, special)}
    known = [(row, row_of[c]) for row, c in enumerate(new.characters, special) if c in row_of]
    pairs = torch.tensor([*((row, row) for row in range(special)), *known], dtype=torch.int64)
    return pairs[:, 0], pairs[:, 1]


def _tokens(new: PretrainedEncoder, old: PretrainedEncoder, prepared: Path, unknown: int) -> _Rows:
    size = new.backbone.config.vocab_size
    tokens = torch.arange(size) if new.row_of is None else torch.from_numpy(kept_tokens(prepared))
    if old.row_of is None:
        return torch.arange(size), tokens
    rows = old.row_of[tokens].long()
    known = (rows != old.row_of[unknown]) | (tokens == unknown)  # what was cut reads the row of the unknown token
    return torch.arange(size)[known], rows[known]


def keep_start(model: PreTrainedModel, run: Path) -> None:
    """Keep what a training begins with, so that it can be resumed before its first checkpoint."""
    folder = run / "checkpoints" / _BEGIN
    part = folder.with_name(f"{_BEGIN}.part")
    model.save_pretrained(part)
    sync(part)
    os.replace(part, folder)


def begin_again(task: Task[Any], model: PreTrainedModel, run: Path) -> None:
    """Put what :func:`keep_start` kept into a fresh model. Raises UserError where the training stopped before."""
    folder = run / "checkpoints" / _BEGIN
    if not folder.is_dir():
        message = "was stopped before the weights that it was to begin with were kept"
        raise UserError(message, file=run, mend="start it again, without --resume and with --overwrite")
    model.load_state_dict(task.load_model(folder).state_dict())
