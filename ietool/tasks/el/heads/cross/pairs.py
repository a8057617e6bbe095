"""Query and description as one input of the encoder, and what is known of the pair besides."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch

from ietool.tasks.el.features.candidates import OVERLAPS, PRIORS
from ietool.tasks.el.heads.cross.marking import mark
from ietool.tasks.el.heads.linkable import Linkable
from ietool.text.tokens import PairUnits, TokenReader
from ietool.training.batches import LONGEST, Width, columns, pad

PAIR_FEATURES = PRIORS + 2 * OVERLAPS
"""Columns of :func:`pair_features`."""

Link = tuple[str, Linkable]
"""A text as given, and a mention of it with its candidates."""


def pair_features(linked: Linkable) -> npt.NDArray[np.float32]:
    """(candidates, PAIR_FEATURES): the priors; what the text outside the mention shares with each record, see
    :func:`~ietool.tasks.el.features.candidates.overlap_features`: logarithms of the characters, and their shares
    of the text."""
    outside = np.ones(linked.overlaps.shape[1], np.float32)
    outside[linked.start : linked.end] = 0
    shared = np.einsum("clo,l->co", linked.overlaps.astype(np.float32), outside)
    return np.concatenate([linked.priors, np.log1p(shared), shared / max(float(outside.sum()), 1.0)], 1)


def cut_second(pair: PairUnits, size: int) -> PairUnits:
    """A pair of which the second text has at most ``size`` tokens."""
    second = pair.part == 1
    kept = ~second | (np.cumsum(second) <= size)
    return PairUnits(pair.ids[kept], pair.types[kept], pair.part[kept], pair.starts[kept], pair.ends[kept])


def pair_batch(
    reader: TokenReader, links: Sequence[Link], query: int, description: int, width: Width = LONGEST
) -> dict[str, torch.Tensor]:
    """The tensors of all (mention, candidate) pairs.

    Args:
        reader: of the tokens.
        links: m mentions.
        query: characters around a mention that are read.
        description: tokens of a description that are read.
        width: of the pairs.

    Returns:
        For P pairs of up to T tokens, ordered by mention: ``pair_ids`` and ``pair_types`` (P, T), ``pair_lengths``
        (P,), ``pair_mentions`` (P,) of m, ``pair_spans`` (2, P) first and last token of the mention, ``entity_types``
        (P,) and ``pair_features`` (P, PAIR_FEATURES).
    """
    queries, descriptions, mentions, marks = [], [], [], []
    for number, (text, linked) in enumerate(links):
        marked = mark(text, linked.start, linked.end, query)
        for entity in linked.entities:
            queries.append(marked.text)
            descriptions.append(entity.description)
            mentions.append(number)
            marks.append((marked.start, marked.end))
    pairs = [cut_second(pair, description) for pair in reader.pairs(queries, descriptions, cut="longest_first")]
    spans = []
    for pair, (start, end) in zip(pairs, marks, strict=True):
        # The first token, which stands for the whole, where the marks do not keep the mention's tokens apart.
        first, last = pair.of(0).span_of(start, end) or (0, 1)
        spans.append((first, last - 1))
    lengths = [len(pair) for pair in pairs]
    longest = width.of(pairs)
    features = [pair_features(linked) for _, linked in links]
    return {
        "pair_ids": pad([pair.ids for pair in pairs], longest),
        "pair_types": pad([pair.types for pair in pairs], longest),
        "pair_lengths": torch.tensor(lengths, dtype=torch.int64),
        "pair_mentions": torch.tensor(mentions, dtype=torch.int64),
        "pair_spans": columns(spans, 2),
        "entity_types": torch.tensor([e.type for _, linked in links for e in linked.entities], dtype=torch.int64),
        "pair_features": torch.from_numpy(
            np.concatenate([*features, np.zeros((0, PAIR_FEATURES), np.float32)]).astype(np.float32)
        ),
    }
