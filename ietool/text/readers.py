"""Opening, writing and copying the reader that a folder carries: characters of our own, or a tokenizer."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from ietool.text.units import TOKENIZER, UnitReader


def open_reader(folder: Path) -> UnitReader:
    """The reader of a prepared folder or run folder: tokens where it carries a tokenizer, else characters.

    Raises:
        UserError: its files are missing or damaged.
    """
    if (folder / TOKENIZER).is_file():
        from ietool.text.tokens import TokenReader

        return TokenReader.open(folder)
    from ietool.text.encoding import TextEncoder

    return TextEncoder.open(folder)


def write_reader(
    folder: Path, pretrained: str | None, characters: Counter[str], min_count: int, word_vectors: Path | None
) -> UnitReader:
    """Write what :func:`open_reader` reads, and give it.

    Args:
        folder: a prepared folder.
        pretrained: the folder or hub id of a pretrained encoder; None: the encoder reads characters.
        characters, min_count, word_vectors: as in :func:`ietool.text.encoding.write_vocabulary`, for characters.

    Raises:
        UserError: the word vectors or the tokenizer cannot be read.
    """
    if pretrained is None:
        from ietool.text.encoding import write_vocabulary

        write_vocabulary(folder, characters, min_count, word_vectors)
    else:
        from ietool.text.tokens import fetch_tokenizer

        fetch_tokenizer(pretrained).save(folder)
    return open_reader(folder)


def copy_reader(source: Path, target: Path) -> None:
    """Copy what :func:`open_reader` reads into a run folder."""
    from ietool.text.encoding import copy_vocabulary

    copy_vocabulary(source, target)
    if (source / TOKENIZER).is_file():
        from ietool.text.tokens import copy_tokenizer

        copy_tokenizer(source, target)
