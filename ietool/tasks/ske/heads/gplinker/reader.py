"""What GPLinker says: spans first, then the labels that link two of them at both ends."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Tensor

from ietool.core.candidates import PRODUCT, Floor, Parts
from ietool.nn.above import Above, above
from ietool.nn.global_pointer import NEVER
from ietool.tasks.ske.features.featurizer import Features
from ietool.tasks.ske.heads.gplinker.decode import LAYOUT
from ietool.tasks.ske.heads.gplinker.model import OBJECT, SUBJECT, LinkModel, Links
from ietool.tasks.ske.heads.reader import Found, Integers, SkeReader, TextBatch, strongest_each
from ietool.training.batches import columns

SPANS = 128
"""At most so many subjects, and objects, of a window are linked, the best: a model that has learnt nothing finds T²."""

SCORES = 4_000_000
"""At most so many (pairs, R) scores are computed at once."""

Marks = tuple[Tensor, Tensor]
"""Links that the index knows, at their first and at their last positions: (4, n) of (text, label, i, j) each."""


class LinkReader(SkeReader[LinkModel]):
    """No pair of positions is scored by label unless a subject and an object are found there."""

    layout = LAYOUT
    kind = LinkModel
    spans = SPANS

    def found(self, features: Sequence[Features], floor: Floor) -> Found:
        batch = TextBatch(features, self.model.device)
        links = self.model.encode(batch.ids, batch.lengths, batch.words, batch.tags)
        subjects = self._best(links, batch, SUBJECT, floor.of("subject"))
        objects = self._best(links, batch, OBJECT, floor.of("object"))
        left_out = (subjects.left_out + objects.left_out).cpu().numpy()
        return self.together(list(self._linked(links, features, subjects, objects, floor)), left_out)

    def said(self, features: Sequence[Features], at: Integers, rows: Integers) -> Parts:
        batch = TextBatch(features, self.model.device)
        links = self.model.encode(batch.ids, batch.lengths, batch.words, batch.tags)
        text, s0, s1, label, o0, o1 = torch.from_numpy(
            np.concatenate([at[:, None], rows], 1).astype(np.int64).T.copy()
        ).to(self.model.device)
        s1, o1 = s1 - 1, o1 - 1
        subject, object_ = links.entity.at(text, s0, s1)[:, SUBJECT], links.entity.at(text, o0, o1)[:, OBJECT]
        head, tail = (
            x.gather(1, label[:, None])[:, 0] for x in self._links(links, self._marks(features), text, s0, s1, o0, o1)
        )
        parts: Parts = _probability(torch.stack([subject, object_, head, tail], 1)).cpu().numpy()
        return parts

    def _best(self, links: Links, batch: TextBatch, kind: int, floor: float) -> Above:
        """Spans above the floor, with their probability; ``place`` is first · T + last."""
        every = torch.arange(len(batch.ids), device=batch.ids.device)
        scores = links.entity.dense(every, torch.full_like(every, kind))
        # Not even at a threshold of 0 does a span end before it begins.
        allowed = batch.inside.unsqueeze(1) & batch.inside.unsqueeze(2) & (links.entity.pair > NEVER / 2)
        scores = scores.masked_fill(~allowed, -math.inf)
        self.highest_probability = max(self.highest_probability, float(scores.max().sigmoid()))
        # Chosen by score: probabilities near 1 would be the same.
        text, place, value, left_out = above(scores.flatten(1), _score_near(floor), self.spans)
        probability = _probability(value)
        kept = probability > floor
        return Above(text[kept], place[kept], probability[kept], left_out)

    def _linked(
        self, links: Links, features: Sequence[Features], subjects: Above, objects: Above, floor: Floor
    ) -> Iterator[Found]:
        # Every subject of a text with every object of it.
        texts, length = links.entity.pair.shape[:2]
        count = torch.bincount(objects.text, minlength=texts)
        first = count.cumsum(0) - count
        each = count[subjects.text]
        s = torch.repeat_interleave(torch.arange(len(each), device=each.device), each)
        o = (
            torch.arange(len(s), device=s.device)
            - torch.repeat_interleave(each.cumsum(0) - each, each)
            + first[subjects.text[s]]
        )
        marks = self._marks(features)
        step = max(1, SCORES // self.labels)
        for low in range(0, len(s), step):
            left, right = s[low : low + step], o[low : low + step]
            text = subjects.text[left]
            s0, s1 = subjects.place[left] // length, subjects.place[left] % length
            o0, o1 = objects.place[right] // length, objects.place[right] % length
            head, tail = self._links(links, marks, text, s0, s1, o0, o1)
            least = (floor.of("head"), floor.of("tail"))
            near = (head > _score_near(least[0])) & (tail > _score_near(least[1]))
            pair, label = torch.nonzero(near).unbind(1)
            h, t = _probability(head[pair, label]), _probability(tail[pair, label])
            values = [subjects.value[left[pair]], objects.value[right[pair]], h, t]
            probability = values[0].double() * values[1] * values[2] * values[3]
            likely = torch.nonzero((h > least[0]) & (t > least[1]) & (probability >= floor.of(PRODUCT)))[:, 0]
            pair, label = pair[likely], label[likely]
            rows = torch.stack([text[pair], s0[pair], s1[pair] + 1, label, o0[pair], o1[pair] + 1], 1).cpu().numpy()
            parts = torch.stack([value[likely] for value in values], 1).float().cpu().numpy()
            best, more = strongest_each(rows[:, 0], probability[likely].cpu().numpy(), texts, self.most)
            yield Found(rows[best, 0], rows[best, 1:], parts[best], more)

    def _links(
        self, links: Links, marks: Marks | None, text: Tensor, s0: Tensor, s1: Tensor, o0: Tensor, o1: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Scores of first to first and of last to last positions, for every label: (n, R) each."""
        head, tail = links.heads.at(text, s0, o0), links.tails.at(text, s1, o1)
        if marks is not None and self.model.known is not None:
            head = head + self._known(marks[0], text, s0, o0) * self.model.known[0]
            tail = tail + self._known(marks[1], text, s1, o1) * self.model.known[1]
        return head, tail

    def _marks(self, features: Sequence[Features]) -> Marks | None:
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


def _score_near(probability: float) -> float:
    """A score a little below that of a probability: what exceeds that lies above this. Infinite near 0."""
    p = probability - 1e-6
    return math.log(p) - math.log1p(-p) if p > 0.0 else -math.inf


def _probability(scores: Tensor) -> Tensor:
    """float32, to the last digit the same wherever a score stands among others: sigmoids of single precision are
    not."""
    return scores.double().sigmoid().float()
