"""What a masked language model says of spans: the answer that it writes of each window."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from ietool.core.candidates import PRODUCT, Floor
from ietool.core.fit import check_fit
from ietool.core.pools import Reading
from ietool.nn.transfer import Asked, sent
from ietool.runs.entry import RECIPE_FILE
from ietool.tasks.qa.data.question import Question
from ietool.tasks.qa.heads.mlm.decode import LAYOUT
from ietool.tasks.qa.heads.mlm.model import MaskModel
from ietool.tasks.qa.heads.mlm.recipe import MaskRecipe
from ietool.tasks.qa.heads.mlm.tokens import MaskTokens
from ietool.tasks.qa.heads.pairs import PairWindow, batch_of, windows_of
from ietool.tasks.qa.heads.reading import QaReader, Said

Floats = npt.NDArray[np.floating]
Ints = npt.NDArray[np.integer]

_Masks = tuple[PairWindow, Ints, Floats, Floats]

_NONE = np.zeros(0, np.float32)
_NOTHING = Said(np.zeros((0, 2), np.int32), np.zeros((0, 1), np.float32), _NONE)


class MaskReader(QaReader[PairWindow]):
    """Proposes of each window the one answer that its masks hold, or none."""

    layout = LAYOUT

    def __init__(self, recipe: MaskRecipe, model: MaskModel, tokens: MaskTokens, *, pool: int = 16) -> None:
        super().__init__(recipe, pool=pool)
        self.model, self.tokens = model, tokens

    def windows(self, question: Question) -> Iterator[tuple[int, PairWindow]]:
        return windows_of(question, self.data, self.tokens)

    def size(self, window: PairWindow) -> int:
        return len(window.units)

    def found(self, windows: Sequence[PairWindow], floor: Floor) -> Reading[list[Said]]:
        least = max(floor.of("answer"), floor.of(PRODUCT))
        said = []
        for window, at, p, stops in (yield from self._read(windows)):
            units = window.units
            found = follow(p, stops, units.ids[at], units.starts[at], units.ends[at], self.longest)
            if found is None or found[2] <= least:
                said.append(_NOTHING)
                continue
            start, end, value = found
            spans = np.array([[start + window.start, end + window.start]], np.int32)
            said.append(Said(spans, np.array([[value]], np.float32), _NONE))
        return said

    def parts(self, windows: Sequence[PairWindow], spans: Sequence[npt.NDArray[np.int32]]) -> Reading[list[Said]]:
        said = []
        for (window, at, p, stops), wanted in zip((yield from self._read(windows)), spans, strict=True):
            tokens = window.units.of(1).spans_of(wanted - window.start)
            # Tokens of the passage as columns of p: those that stand for characters are all there, in order.
            first, last = np.searchsorted(at, tokens[:, 0]), np.searchsorted(at, tokens[:, 1])
            values = [
                written(p, stops, a, b) if known >= 0 else 0.0
                for known, a, b in zip(tokens[:, 0].tolist(), first.tolist(), last.tolist(), strict=True)
            ]
            said.append(Said(wanted, np.array(values, np.float32).reshape(-1, 1), _NONE))
        return said

    def _read(self, windows: Sequence[PairWindow]) -> Reading[Iterator[_Masks]]:
        """Each window with the places of its passage's K tokens, (n, K) their probabilities behind each mask, below
        zero for what no answer may hold, and (n,) those of the token that ends an answer."""
        batch = sent(batch_of(windows) | {"stop": torch.tensor([self.tokens.stop])}, self.model.device)
        stop = self.model.rows(batch.pop("stop")).long()
        p = self.model.read(**batch).softmax(-1)  # (B, n, V)
        rows = self.model.rows(batch["ids"]).long().unsqueeze(1).expand(-1, p.shape[1], -1)
        asked = Asked([p.gather(2, rows), p.index_select(2, stop)[..., 0]])  # (B, n, T) and (B, n)
        yield
        return self._masks(windows, *asked.wait())

    def _masks(self, windows: Sequence[PairWindow], of_tokens: Floats, of_stop: Floats) -> Iterator[_Masks]:
        for window, tokens, stops in zip(windows, of_tokens, of_stop, strict=True):
            at = np.flatnonzero(window.passage)
            p_at = tokens[:, at]
            p_at[:, window.units.ids[at] == self.tokens.stop] = -1  # a passage may spell it out
            self.highest_probability = max(self.highest_probability, float(p_at[0].max(initial=0.0)))
            yield window, at, p_at, stops


def follow(
    p: Floats, stops: Floats, ids: Ints, starts: Ints, ends: Ints, longest: int
) -> tuple[int, int, float] | None:
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


def written(p: Floats, stops: Floats, first: int, behind: int) -> float:
    """How probable it is that the tokens ``[first, behind)`` of a passage are written into the masks: the mean that
    :func:`follow` gives; 0 where they are more than there are masks, or hold what no answer may hold."""
    count = behind - first
    if count > len(stops):
        return 0.0
    values = p[np.arange(count), np.arange(first, behind)]
    if values.min() < 0:
        return 0.0
    rest = stops[count : count + 1]
    return float((values.sum(dtype=np.float64) + rest.sum(dtype=np.float64)) / (count + len(rest)))


def open_reader(recipe: MaskRecipe, model: MaskModel, assets: Path) -> MaskReader:
    """A reader with the tokenizer that a run folder or prepared folder carries. Raises UserError if it belongs to
    another model."""
    tokens = MaskTokens.of(assets, getattr(model.config, "masks", recipe.model.head.masks))
    check_fit(assets, tokens, model.config, {RECIPE_FILE: not isinstance(model, MaskModel)})
    return MaskReader(recipe, model, tokens)
