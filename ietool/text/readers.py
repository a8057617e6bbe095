"""Opening, writing and copying the reader that a folder carries: characters of our own, or a tokenizer."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from ietool.recipe import PretrainedSection, VocabularySection
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


def write_reader(folder: Path, encoder: VocabularySection | PretrainedSection, characters: Counter[str]) -> UnitReader:
    """Write what :func:`open_reader` reads, and give it.

    A tokenizer that is there already is that of the encoder: what an encoder's folder lacks is told before files are
    read.

    Args:
        folder: a prepared folder.
        encoder: of the recipe.
        characters: of train, as in :func:`ietool.text.encoding.write_vocabulary`; a pretrained encoder has its own.

    Raises:
        UserError: the word vectors or the tokenizer cannot be read.
    """
    if isinstance(encoder, PretrainedSection):
        from ietool.text.tokens import fetch_tokenizer

        if not (folder / TOKENIZER).is_file():
            fetch_tokenizer(encoder.name).save(folder)
    else:
        from ietool.text.encoding import write_vocabulary

        write_vocabulary(folder, characters, encoder.min_char_count, encoder.word_vectors)
    return open_reader(folder)


def keep_tokens(folder: Path, reader: UnitReader, seen: Iterable[int]) -> None:
    """Write which tokens train holds, for a cut vocabulary; of characters there is nothing to cut.

    Args:
        folder: a prepared folder, which carries the reader.
        seen: ids of units.
    """
    if (folder / TOKENIZER).is_file():  # characters need no transformers
        from ietool.text.tokens import TokenReader, write_kept_tokens

        assert isinstance(reader, TokenReader)
        write_kept_tokens(folder, reader, seen)


def copy_reader(source: Path, target: Path) -> None:
    """Copy what :func:`open_reader` reads into a run folder."""
    from ietool.text.encoding import copy_vocabulary

    copy_vocabulary(source, target)
    if (source / TOKENIZER).is_file():
        from ietool.text.tokens import copy_tokenizer

        copy_tokenizer(source, target)
