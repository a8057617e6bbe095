"""Whether the files of a folder belong to the model beside them: better told than wrong predictions."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ietool.errors import WHOLE, UserError
from ietool.text.encoding import CHARACTERS, WORDS, TextEncoder
from ietool.text.units import TOKENIZER


def check_fit(assets: Path, reader: Any, config: Any, further: Mapping[str, bool] | None = None) -> None:
    """Raise UserError where files of a run folder or prepared folder belong to another model.

    Args:
        reader: of characters (:class:`TextEncoder`) or of tokens.
        config: of the model: ``characters`` and ``words`` rows, ``encoder`` the pretrained one's settings or None.
        further: name of a file → whether it is wrong; looked at after the vocabulary.
    """
    own = getattr(config, "encoder", None)
    wrong: dict[str, bool] = {}
    if isinstance(reader, TextEncoder):
        words = reader.word_rows
        wrong[CHARACTERS] = own is not None or reader.size != config.characters
        wrong[WORDS] = words > config.words or (words > 0) != (config.words > 0)
    else:
        wrong[TOKENIZER] = own is None or reader.size > int(own.get("vocab_size", reader.size))
    for name, is_wrong in (wrong | dict(further or {})).items():
        if is_wrong:
            raise UserError("does not fit the model beside it", file=assets / name, mend=WHOLE)
