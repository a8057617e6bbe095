"""Pairs of texts with masks before them: ``[CLS] [MASK]×n [SEP] question [SEP] passage [SEP]``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ietool.errors import UserError
from ietool.text.tokens import PairUnits, TokenReader

LEAST = 16
"""Positions that must be left to question and passage."""


class MaskTokens(TokenReader):
    """Reads pairs as :class:`TokenReader` does, with ``masks`` masks and a separator behind the first token.

    ``limit`` is that of question and passage, so that masks and all fit into the encoder's positions.

    Raises:
        UserError: the tokenizer has no such tokens, or the masks leave no room.
    """

    def __init__(self, tokenizer: Any, limit: int, masks: int) -> None:
        super().__init__(tokenizer, limit - masks - 1)
        self.masks = masks
        if None in (tokenizer.mask_token_id, tokenizer.sep_token_id, tokenizer.cls_token_id):
            raise UserError(
                "the tokenizer has no mask, no separator or no first token of its own",
                field="model.encoder",
                mend="name the encoder of a masked language model, as bert-base-chinese",
            )
        if self.limit < LEAST:
            raise UserError(
                f"{masks} masks leave no room for a passage in an encoder of {limit} positions",
                field="model.head.masks",
                mend=f"set model.head.masks to {max(limit - 1 - 4 * LEAST, 1)} or less",
            )
        self.stop = int(tokenizer.sep_token_id)
        """The id of the token that ends an answer."""

    @classmethod
    def of(cls, folder: Path, masks: int) -> MaskTokens:
        """From a prepared folder or run folder. Raises UserError if its tokenizer is damaged or will not do."""
        reader = TokenReader.open(folder)
        return cls(reader.tokenizer, reader.limit, masks)

    def pairs(self, first: Sequence[str], second: Sequence[str], *, cut: str = "only_second") -> list[PairUnits]:
        return [self._with_masks(pair) for pair in super().pairs(first, second, cut=cut)]

    def _with_masks(self, pair: PairUnits) -> PairUnits:
        added = [int(self.tokenizer.mask_token_id)] * self.masks + [self.stop]
        none = np.zeros(len(added), np.int32)

        def behind_first(values: np.ndarray, more: np.ndarray | list[int]) -> Any:
            return np.concatenate([values[:1], np.asarray(more, values.dtype), values[1:]])

        return PairUnits(
            behind_first(pair.ids, added),
            behind_first(pair.types, none),
            behind_first(pair.part, none - 1),
            behind_first(pair.starts, none),
            behind_first(pair.ends, none),
        )
