"""From GPLinker's scores to label spans: spans first, then the labels that link two of them at both ends."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from ietool.nn.global_pointer import NEVER, Scores
from ietool.tasks.ske.features.featurizer import Features
from ietool.tasks.ske.heads.assembly import Scored
from ietool.tasks.ske.heads.gplinker.model import OBJECT, SUBJECT, LinkModel
from ietool.tasks.ske.heads.stages.decode import TextBatch
from ietool.tasks.ske.recipe import DecodeSection
from ietool.training.batches import columns

SPANS = 256
"""At most so many subjects, and objects, of a text are linked, the best: a model that has learnt nothing finds T²."""

SCORES = 4_000_000
"""At most so many (pairs, R) scores are computed at once."""


class LinkDecoder:
    """For GPLinker: no pair of positions is scored by label unless a subject and an object are found there."""

    def __init__(self, model: LinkModel, decode: DecodeSection, labels: int, *, priors: bool) -> None:
        self.model, self.decode, self.labels, self.priors = model, decode, labels, priors

    @torch.inference_mode()
    def rows(self, features: Sequence[Features]) -> tuple[list[list[Scored]], float]:
        """As in :class:`ietool.tasks.ske.heads.stages.decode.Decoder`."""
        batch = TextBatch(features, self.model.device)
        links = self.model.encode(batch.ids, batch.lengths, batch.words, batch.tags)
        every = torch.arange(len(features), device=self.model.device)
        spans, highest = [], 0.0
        for kind in (SUBJECT, OBJECT):
            scores = links.entity.dense(every, torch.full_like(every, kind))
            # Not even at a threshold of 0 does a span end before it begins.
            allowed = batch.inside.unsqueeze(1) & batch.inside.unsqueeze(2) & (links.entity.pair > NEVER / 2)
            scores = scores.masked_fill(~allowed, -math.inf)
            highest = max(highest, float(scores.max().sigmoid()))
            spans.append(self._best(scores))
        return self._linked(links.heads, links.tails, spans[0], spans[1], features), highest

    def _best(self, scores: Tensor) -> Tensor:
        """(n, 3) of (text, first, last) above the threshold, in that order, with at most SPANS of a text; and their
        probabilities."""
        at = torch.nonzero(scores > logit(self.decode.entity))
        score = scores[tuple(at.unbind(1))]
        counts = torch.bincount(at[:, 0], minlength=len(scores))
        if len(at) and int(counts.max()) > SPANS:
            # By text, then the highest score first: probabilities near 1 would be the same.
            order = torch.argsort(score, descending=True, stable=True)
            order = order[torch.argsort(at[order, 0], stable=True)]
            rank = torch.empty_like(order)
            first = counts.cumsum(0) - counts
            rank[order] = torch.arange(len(order), device=order.device) - first[at[order, 0]]
            at, score = at[rank < SPANS], score[rank < SPANS]
        return torch.cat([at.double(), score.sigmoid().double()[:, None]], 1)

    def _linked(
        self, heads: Scores, tails: Scores, subjects: Tensor, objects: Tensor, features: Sequence[Features]
    ) -> list[list[Scored]]:
        found: list[list[Scored]] = [[] for _ in features]
        text_s, text_o = subjects[:, 0].long(), objects[:, 0].long()
        # Every subject of a text with every object of it.
        count = torch.bincount(text_o, minlength=len(features))
        first = count.cumsum(0) - count
        each = count[text_s]
        s = torch.repeat_interleave(torch.arange(len(subjects), device=each.device), each)
        o = (
            torch.arange(len(s), device=s.device)
            - torch.repeat_interleave(each.cumsum(0) - each, each)
            + first[text_s[s]]
        )
        known = self._marks(features)
        step = max(1, SCORES // self.labels)
        for low in range(0, len(s), step):
            left, right = subjects[s[low : low + step]], objects[o[low : low + step]]
            text, s0, s1 = left[:, :3].long().unbind(1)
            _, o0, o1 = right[:, :3].long().unbind(1)
            head, tail = heads.at(text, s0, o0), tails.at(text, s1, o1)
            if known is not None and self.model.known is not None:
                head = head + self._known(known[0], text, s0, o0) * self.model.known[0]
                tail = tail + self._known(known[1], text, s1, o1) * self.model.known[1]
            least = logit(self.decode.link)
            pair, label = torch.nonzero((head > least) & (tail > least)).unbind(1)
            p = left[pair, 3] * right[pair, 3] * head[pair, label].sigmoid() * tail[pair, label].sigmoid()
            kept = p >= self.decode.triple
            pair, label, p = pair[kept], label[kept], p[kept]
            columns_ = (text[pair], s0[pair], s1[pair] + 1, label, o0[pair], o1[pair] + 1, p)
            for at, a, b, r, c, d, probability in zip(*(x.tolist() for x in columns_), strict=True):
                found[at].append((a, b, r, c, d, probability))
        return found

    def _marks(self, features: Sequence[Features]) -> tuple[Tensor, Tensor] | None:
        """Links that the index knows, at their first and at their last positions: (4, n) of (text, label, i, j)."""
        if not self.priors:
            return None
        marks = [
            (i, label, s0, s1 - 1, o0, o1 - 1)
            for i, f in enumerate(features)
            for s0, s1, label, o0, o1 in f.prior.tolist()
        ]
        text, label, s0, s1, o0, o1 = columns(marks, 6).to(self.model.device)
        return torch.stack([text, label, s0, o0]), torch.stack([text, label, s1, o1])

    def _known(self, marks: Tensor, text: Tensor, i: Tensor, j: Tensor) -> Tensor:
        """(n, R): 1 where the link at a place is among the marks."""
        width = int(max([1, *(int(x.max()) for x in (i, j, marks[2:]) if x.numel())])) + 1
        place = (text * width + i) * width + j
        at = (marks[0] * width + marks[2]) * width + marks[3]
        out = torch.zeros(len(text), self.labels, device=text.device)
        if len(at):
            order = torch.argsort(at)
            low = torch.searchsorted(at[order], place)
            high = torch.searchsorted(at[order], place, right=True)
            count = high - low
            n = torch.repeat_interleave(torch.arange(len(place), device=text.device), count)
            offset = torch.arange(len(n), device=text.device) - torch.repeat_interleave(count.cumsum(0) - count, count)
            out[n, marks[1][order[low[n] + offset]]] = 1.0
        return out


def logit(p: float) -> float:
    """The score of a probability; infinite at 0 and 1."""
    return float(np.log(p) - np.log1p(-p)) if 0.0 < p < 1.0 else (math.inf if p >= 1.0 else -math.inf)
