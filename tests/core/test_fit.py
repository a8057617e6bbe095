"""Files of a folder that belong to the model beside them, or do not."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from ietool.core.fit import check_fit
from ietool.errors import UserError
from ietool.text.characters import CharVocabulary
from ietool.text.encoding import TextEncoder

CHARACTERS = CharVocabulary.from_counts(Counter("山水人"), 1)


class Tokens:
    def __init__(self, size: int) -> None:
        self.size = size


def config(**changes: Any) -> Any:
    return SimpleNamespace(**({"characters": len(CHARACTERS), "words": 0, "encoder": None} | changes))


@pytest.mark.parametrize(
    ("reader", "own", "wrong"),
    [
        (TextEncoder(CHARACTERS, None), config(), None),
        (TextEncoder(CHARACTERS, {"山": 1, "水": 2}), config(words=3), None),
        (TextEncoder(CHARACTERS, {"山": 1}), config(words=3), None),  # words without a vector may be left out
        (TextEncoder(CHARACTERS, None), config(characters=9), "characters.txt"),
        (TextEncoder(CHARACTERS, None), config(encoder={"vocab_size": 9}), "characters.txt"),
        (TextEncoder(CHARACTERS, {"山": 1, "水": 2}), config(words=2), "words.txt"),
        (TextEncoder(CHARACTERS, {"山": 1}), config(), "words.txt"),
        (TextEncoder(CHARACTERS, None), config(words=3), "words.txt"),
        (Tokens(9), config(encoder={"vocab_size": 9}), None),
        (Tokens(8), config(encoder={"vocab_size": 9}), None),  # some encoders have rows to spare
        (Tokens(8), config(encoder={}), None),
        (Tokens(10), config(encoder={"vocab_size": 9}), "tokenizer_config.json"),
        (Tokens(9), config(), "tokenizer_config.json"),
    ],
)
def test_the_vocabulary(tmp_path: Path, reader: Any, own: Any, wrong: str | None) -> None:
    if wrong is None:
        check_fit(tmp_path, reader, own)
        check_fit(tmp_path, reader, own, {"labels.json": False})
        with pytest.raises(UserError) as told:
            check_fit(tmp_path, reader, own, {"labels.json": False, "schema.json": True, "recipe.yaml": True})
        assert str(told.value).startswith(f"{tmp_path / 'schema.json'}: does not fit the model beside it → ")
        return
    with pytest.raises(UserError) as told:
        check_fit(tmp_path, reader, own, {"labels.json": True})  # the vocabulary comes first
    assert str(told.value).startswith(f"{tmp_path / wrong}: does not fit the model beside it → ")
