"""From what stands behind the masks to spans of the passage."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from ietool.errors import UserError
from ietool.tasks.qa.features.labels import LABELS
from ietool.tasks.qa.heads.mlm.model import MaskModel
from ietool.tasks.qa.heads.mlm.reader import MaskReader
from ietool.tasks.qa.heads.span.decode import TokenPredictor
from ietool.tasks.qa.heads.span.pieces import Piece, batch_of
from ietool.tasks.qa.heads.voting import Scored
from ietool.tasks.qa.recipe import QaRecipe


class MaskPredictor(TokenPredictor):
    """Reads questions with the windows of their passages as pairs behind masks."""

    reader: MaskReader

    def __init__(self, recipe: QaRecipe, model: MaskModel, reader: MaskReader, *, pool_batches: int = 16) -> None:
        super().__init__(recipe, reader, has_labels=False, pool_batches=pool_batches)
        self.model = model

    @torch.inference_mode()
    def spans(self, pieces: Sequence[Piece]) -> tuple[list[list[Scored]], np.ndarray]:
        batch = {name: value.to(self.model.device) for name, value in batch_of(pieces).items()}
        p = self.model.read(**batch).softmax(-1)  # (B, n, V)
        rows = self.model.rows(batch["ids"]).long().unsqueeze(1).expand(-1, p.shape[1], -1)
        of_tokens = p.gather(2, rows).cpu().numpy()  # (B, n, T)
        stop = self.model.rows(torch.tensor(self.reader.stop, device=p.device))
        of_stop = p[:, :, int(stop)].cpu().numpy()
        found = []
        for piece, tokens, stops in zip(pieces, of_tokens, of_stop, strict=True):
            units, at = piece.units, np.flatnonzero(piece.passage)
            p_at = tokens[:, at]
            p_at[:, units.ids[at] == self.reader.stop] = -1  # a passage may spell it out
            span = follow(p_at, stops, units.ids[at], units.starts[at], units.ends[at], self.recipe.decode.longest)
            found.append([] if span is None else [span])
            self.highest_probability = max(self.highest_probability, float(p_at[0].max(initial=0.0)))
        return found, np.zeros((len(pieces), len(LABELS)))


def follow(
    p: npt.NDArray[np.floating],
    stops: npt.NDArray[np.floating],
    ids: npt.NDArray[np.integer],
    starts: npt.NDArray[np.integer],
    ends: npt.NDArray[np.integer],
    longest: int,
) -> Scored | None:
    """The answer that is found mask by mask, each time the likeliest token of those that go on with an n-gram of the
    passage, until the end is likelier than all of them.

    Args:
        p: (n, K) probabilities of the passage's K tokens behind each mask; below zero for what no answer may hold.
        stops: (n,) those of the token that ends an answer.
        ids, starts, ends: (K,) of the tokens; ``[starts[k], ends[k])`` are characters.
        longest: characters of an answer, at most.

    Returns:
        The first span of the passage that reads so, with the mean probability of its tokens and, where there was a mask
        left for it, of its end; None where the end comes first.
    """
    begins = np.arange(len(ids))  # where the n-gram so far begins, as indices into K
    total, count, length = 0.0, len(stops), 0
    for mask in range(count):
        on = begins[begins + mask < len(ids)]
        on = on[ends[on + mask] - starts[on] <= longest]
        values = p[mask, on + mask]
        if not len(on) or values.max() <= stops[mask]:
            total, count = total + float(stops[mask]), mask + 1
            break
        total += float(values.max())
        begins = on[ids[on + mask] == ids[on[values.argmax()] + mask]]
        length = mask + 1
    if not length:
        return None
    first = begins[0]
    return int(starts[first]), int(ends[first + length - 1]), total / count


def open_predictor(recipe: QaRecipe, model: MaskModel, assets: Path) -> MaskPredictor:
    """A predictor with the tokenizer that a run folder or prepared folder carries. Raises UserError if it belongs to
    another model."""
    reader = MaskReader.of(assets, model.config.masks)
    if reader.size > (model.config.encoder or {}).get("vocab_size", 0):
        raise UserError("its tokenizer does not fit the model beside it", file=assets, mend="train again")
    return MaskPredictor(recipe, model, reader)
