"""A text as the tokens of a pretrained encoder, each with the characters that it stands for."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from transformers import AutoConfig, AutoTokenizer

from ietool.errors import WHOLE, UserError, reason_of
from ietool.quiet import quiet
from ietool.text.characters import whole
from ietool.text.encoder_folder import COMPLETE, CONFIG, check_encoder_config, check_encoder_files, tokenizer_mend
from ietool.text.offsets import without_blanks
from ietool.text.positions import positions_of
from ietool.text.units import TOKENIZER, Units

FILES = (TOKENIZER, "tokenizer.json", "vocab.txt", "special_tokens_map.json", "added_tokens.json", "token_limit.txt")
"""What a folder with a tokenizer may hold."""

KEPT = "kept_tokens.npy"
"""Of a prepared folder: the tokens that its training texts hold, and the special ones."""

_LIMIT = "token_limit.txt"
NO_LIMIT = 1 << 20


@dataclass(frozen=True)
class PairUnits:
    """Two texts as one input of T tokens: ``types`` (T,) as the encoder wants them, ``part`` (T,) 0 or 1 for the text
    that a token is of and −1 for special tokens; ``starts`` and ``ends`` count characters of that text."""

    ids: npt.NDArray[np.int32]
    types: npt.NDArray[np.int32]
    part: npt.NDArray[np.int8]
    starts: npt.NDArray[np.int32]
    ends: npt.NDArray[np.int32]

    def __len__(self) -> int:
        return len(self.ids)

    def of(self, part: int) -> Units:
        """One of the two texts as units of the whole input: tokens of the other one count as special."""
        mine = self.part == part
        zeros = np.zeros(len(self), np.int32)
        return Units(
            self.ids,
            zeros,
            zeros.astype(np.uint8),
            np.where(mine, self.starts, 0).astype(np.int32),
            np.where(mine, self.ends, 0).astype(np.int32),
        )


class TokenReader:
    """Turns texts into tokens, by the tokenizer's own mapping of offsets.

    Args:
        tokenizer: one that knows offsets (``is_fast``).
        limit: tokens that the encoder has positions for, special ones included.
    """

    def __init__(self, tokenizer: Any, limit: int) -> None:
        self.tokenizer, self.limit = tokenizer, limit
        self.cut = 0
        """Texts so far whose tokens were more than the encoder has positions for, and lost the rest."""

    @classmethod
    def open(cls, folder: Path) -> TokenReader:
        """From a prepared folder or run folder. Raises UserError if its tokenizer is damaged."""
        try:
            limit = int((folder / _LIMIT).read_text(encoding="ascii"))
            with quiet():  # it would wonder at the config.json of our own models
                tokenizer = AutoTokenizer.from_pretrained(str(folder), local_files_only=True, trust_remote_code=False)
        # Whatever a damaged file makes of the library: many kinds, one cause.
        except Exception as error:
            raise UserError(f"has no usable tokenizer ({reason_of(error)})", file=folder, mend=WHOLE) from None
        return cls(tokenizer, limit)

    def save(self, folder: Path) -> None:
        """Write what :meth:`open` reads."""
        self.tokenizer.save_pretrained(str(folder))
        (folder / _LIMIT).write_text(f"{self.limit}\n", encoding="ascii")

    @property
    def size(self) -> int:
        return len(self.tokenizer)

    @property
    def unknown(self) -> int:
        """The id of all unknown tokens; −1 where there are none (a tokenizer of bytes)."""
        unknown = self.tokenizer.unk_token_id
        return -1 if unknown is None else int(unknown)

    def units(self, text: str) -> Units:
        return self.units_all([text])[0]

    def units_all(self, texts: Sequence[str]) -> list[Units]:
        if not texts:
            return []
        out = self.tokenizer([whole(text) for text in texts], **self._options())
        found = []
        for text, ids, offsets in zip(texts, out["input_ids"], out["offset_mapping"], strict=True):
            at = np.array(offsets, np.int32).reshape(-1, 2)
            zeros = np.zeros(len(ids), np.int32)
            starts, ends = without_blanks(text, at[:, 0], at[:, 1])
            found.append(Units(np.array(ids, np.int32), zeros, zeros.astype(np.uint8), starts, ends))
        self.cut += sum(len(u) == self.limit and _rest(t, int(u.ends.max())) for t, u in zip(texts, found, strict=True))
        return found

    def pairs(self, first: Sequence[str], second: Sequence[str], *, cut: str = "only_second") -> list[PairUnits]:
        """Pairs of texts as one input each; where there are more tokens than positions, ``cut`` says which text loses
        its end (``only_first``, ``only_second``, ``longest_first``)."""
        if not first:
            return []
        out = self.tokenizer(
            [whole(text) for text in first], [whole(text) for text in second], **{**self._options(), "truncation": cut}
        )
        found = []
        for at, ids in enumerate(out["input_ids"]):
            starts, ends = np.array(out["offset_mapping"][at], np.int32).reshape(-1, 2).T
            part = np.array([-1 if p is None else p for p in out.sequence_ids(at)], np.int8)
            types = out["token_type_ids"][at] if "token_type_ids" in out else [0] * len(ids)
            for text, mine in ((first[at], part == 0), (second[at], part == 1)):
                starts[mine], ends[mine] = without_blanks(text, starts[mine], ends[mine])
            found.append(PairUnits(np.array(ids, np.int32), np.array(types, np.int32), part, starts, ends))
        return found

    def _options(self) -> dict[str, Any]:
        return {"return_offsets_mapping": True, "truncation": True, "max_length": self.limit, "verbose": False}


def fetch_tokenizer(encoder: str) -> TokenReader:
    """The tokenizer of an encoder named by folder or hub id.

    Raises:
        UserError: there is none, or it does not know which characters its tokens stand for.
    """
    config = fetch_config(encoder)
    try:
        with quiet():
            tokenizer = AutoTokenizer.from_pretrained(encoder, trust_remote_code=False)
    except Exception as error:
        raise _not_loaded(encoder, "tokenizer", error) from None
    kind = type(tokenizer).__name__
    # Where a folder has none, the library makes one of the special tokens alone, to which every text is unknown.
    if len(tokenizer) <= len(set(tokenizer.all_special_ids)):
        raise UserError(
            f"the tokenizer of {encoder!r} ({kind}) knows no token", field="model.encoder",
            mend=tokenizer_mend(encoder, kind, COMPLETE),
        )  # fmt: skip
    if len(tokenizer) > getattr(config, "vocab_size", len(tokenizer)):
        raise UserError(
            f"the tokenizer of {encoder!r} has {len(tokenizer):,} tokens, its weights {config.vocab_size:,}",
            field="model.encoder",
            mend=tokenizer_mend(encoder, kind, "name an encoder with its own tokenizer"),
        )
    if not getattr(tokenizer, "is_fast", False):
        raise UserError(
            f"the tokenizer of {encoder!r} does not tell where its tokens stand in the text",
            field="model.encoder",
            mend="use an encoder with a tokenizer.json",
        )
    known = [n for n in (positions_of(config), tokenizer.model_max_length) if n and n > 0]
    return TokenReader(tokenizer, int(min([*known, NO_LIMIT])))


def fetch_config(encoder: str) -> Any:
    """The configuration of an encoder named by folder or hub id. Raises UserError if there is none, if a decoder
    belongs to it, or if what the folder holds besides could not be loaded."""
    check_encoder_config(encoder)
    try:
        with quiet():
            config = AutoConfig.from_pretrained(encoder, trust_remote_code=False)
    except Exception as error:
        raise _not_loaded(encoder, CONFIG, error) from None
    if getattr(config, "is_encoder_decoder", False):
        raise UserError(
            f"{encoder!r} is an encoder with a decoder ({config.model_type})",
            field="model.encoder",
            mend="name a model that is an encoder alone, such as a BERT",
        )
    if any(getattr(config, size, None) is None for size in ("hidden_size", "vocab_size")):
        raise UserError(
            f"{encoder!r} is no encoder of tokens alone ({config.model_type})",
            field="model.encoder",
            mend="name an encoder of texts, such as a BERT",
        )
    check_encoder_files(encoder)
    return config


def token_limit(folder: Path) -> int | None:
    """Tokens that the encoder of a prepared folder or run folder has positions for; None where it reads characters."""
    path = folder / _LIMIT
    return int(path.read_text(encoding="ascii")) if path.is_file() else None


def write_kept_tokens(folder: Path, reader: TokenReader, seen: Iterable[int]) -> None:
    """Write the tokens that a cut vocabulary keeps: those seen, and the special ones."""
    kept = sorted({*seen, *reader.tokenizer.all_special_ids})
    np.save(folder / KEPT, np.array(kept, np.int64), allow_pickle=False)


def kept_tokens(prepared: Path) -> npt.NDArray[np.int64]:
    """What :func:`write_kept_tokens` wrote: token ids, ascending."""
    kept: npt.NDArray[np.int64] = np.load(prepared / KEPT, allow_pickle=False)
    return kept


def copy_tokenizer(source: Path, target: Path) -> None:
    """Copy what :meth:`TokenReader.open` reads into a run folder; nothing where there is no tokenizer."""
    for name in FILES:
        if (source / name).is_file():
            shutil.copyfile(source / name, target / name)


def _not_loaded(encoder: str, what: str, error: Exception) -> UserError:
    if Path(encoder).is_dir():
        mend = tokenizer_mend(encoder, "", COMPLETE) if what == "tokenizer" else COMPLETE
        return UserError(f"holds no {what} that transformers can load ({reason_of(error)})", file=Path(encoder),
                         field="model.encoder", mend=mend)  # fmt: skip
    return UserError(
        f"{encoder!r} is no folder, and the hub did not give its {what} ({reason_of(error)})",
        field="model.encoder",
        mend="check the name and the connection, or download it and name the folder",
    )


def _rest(text: str, end: int) -> bool:
    return bool(text[end:].strip())
