"""Whether gold and predictions are about the same texts at all."""

from __future__ import annotations

from os import PathLike

from ietool.errors import UserError

LEAST = 0.05
"""The share of the smaller file's texts that the other must have too: below it the files belong to different data."""


def check_shared(
    gold: int, predicted: int, shared: int, *, file: str | PathLike[str], what: str = "texts", mend: str | None = None
) -> None:
    """Raise UserError if next to no text of gold has a prediction, and next to no prediction a text of gold.

    A submission of a part of gold, or of more than gold, is none of these; an empty one has nothing to compare.

    Args:
        gold, predicted, shared: how many texts each file has, and both.
        file: the predictions.
        mend: what to do; default: bring files of the same texts.
    """
    if not gold or not predicted or shared >= LEAST * min(gold, predicted):
        return
    both = f"only {shared:,} {'are' if shared > 1 else 'is'}" if shared else "none is"
    message = f"has predictions on {predicted:,} {what}, gold has {gold:,} {what}, and {both} in both"
    raise UserError(
        message, file=file, mend=mend or f"bring the predictions on gold's own {what}, unchanged to the character"
    )
