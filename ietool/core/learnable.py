"""Whether anything could be learnt of train: told before hours of training would find nothing."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path

from ietool.core.sources import Sources
from ietool.core.survey import OracleCounts
from ietool.errors import UserError
from ietool.recipe import Recipe, pretrained_of
from ietool.text.units import UnitReader

MOST_UNKNOWN = 0.5
"""Share of train that may be unknown to a pretrained encoder."""

LEAST_RECALL = 0.02
"""Of the oracle on train: below, nothing worth the time is learnt."""

LOW_RECALL = 0.5
"""Of the oracle: below, the user is told why."""


def check_known(recipe: Recipe, reader: UnitReader, unknown: int, units: int) -> None:
    """Raise UserError where most of train is unknown to a pretrained encoder: a tokenizer of another kind, or of other
    languages. Of characters of our own the rare ones are meant to be unknown.

    Args:
        unknown, units: how much of train, in tokens or characters.
    """
    encoder = pretrained_of(recipe)
    if encoder is None or unknown <= MOST_UNKNOWN * units:
        return
    from ietool.text.encoder_folder import tokenizer_mend

    kind = type(getattr(reader, "tokenizer", reader)).__name__
    raise UserError(
        f"{unknown / units:.0%} of train is unknown to the tokenizer of {encoder.name!r} ({kind})",
        field="model.encoder",
        mend=tokenizer_mend(encoder.name, kind, "name an encoder with a tokenizer of the language of your texts"),
    )


def check_learnable(
    splits: Mapping[str, OracleCounts],
    what: str,
    mends: Mapping[str, str],
    file: Path | None,
    learnt_from: Collection[str] = (),
) -> list[str]:
    """What the user should know where perfect labels give back little of gold: one note a split.

    Args:
        splits: name → oracle counts, ``train`` among them.
        what: the gold items, in the plural.
        mends: reason of the counts → what can be done about it.
        file: train.
        learnt_from: reasons for which an item is lost, though training learns from it.

    Raises:
        UserError: of train next to nothing comes back.
    """
    notes = []
    for name, counts in splits.items():
        if counts.recall >= LOW_RECALL:
            continue
        reason, lost = max(counts.lost.items(), key=lambda item: item[1])
        able = counts.gold - counts.lost.total()
        of = f"{lost:,} of {counts.gold:,}"
        learnt = able + sum(counts.lost[known] for known in learnt_from)
        if name == "train" and learnt < LEAST_RECALL * counts.gold:
            message = f"of {counts.gold:,} {what} {able:,} can be learnt; mostly since: {reason} ({of})"
            raise UserError(message, file=file, mend=mends.get(reason, "mend the gold"))
        notes.append(
            f"{name}: of {counts.gold:,} {what} only {able:,} can be given back; mostly since: {reason} ({of})"
        )
    return notes


def nothing_to_learn(sources: Sources, what: str) -> UserError:
    """What is told where train, less what is held out of it, has no ``what``."""
    mend = "bring records with gold"
    if "dev" not in sources.files:
        mend += ", or name a dev file with --dev FILE: what is held out of it as dev is not learnt from"
    return UserError(f"has no {what} to learn from", file=sources.files["train"], mend=mend)
