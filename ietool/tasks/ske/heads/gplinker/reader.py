"""What GPLinker says: spans first, then the labels that link two of them at both ends."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import partial

import numpy as np
import torch
from torch import Tensor

from ietool.core.candidates import PRODUCT, Floor, Parts, strongest_each
from ietool.core.pools import Reading
from ietool.nn.above import Above, AboveFloor, Hits, probability_of, score_near
from ietool.nn.global_pointer import NEVER
from ietool.nn.transfer import Asked, sent
from ietool.tasks.ske.features.featurizer import Features
from ietool.tasks.ske.heads.gplinker.decode import LAYOUT
from ietool.tasks.ske.heads.gplinker.model import OBJECT, SUBJECT, LinkModel, Links
from ietool.tasks.ske.heads.reader import Found, Integers, SkeReader, TextBatch

SPANS = 128
"""At most so many subjects, and objects, of a window are linked, the best: a model that has learnt nothing finds T²."""

SCORES = 4_000_000
"""At most so many (pairs, R) scores are computed at once."""

Marks = tuple[Integers, Integers]
"""Links that the index knows, at their first and at their last positions: (4, n) of (text, label, i, j) each."""


class LinkReader(SkeReader[LinkModel]):
    """No pair of positions is scored by label unless a subject and an object are found there."""

    layout = LAYOUT
    kind = LinkModel
    spans = SPANS

    def found(self, features: Sequence[Features], floor: Floor) -> Reading[Found]:
        batch = TextBatch(features, self.model.device)
        links = self.model.encode(batch.ids, batch.lengths, batch.words, batch.tags)
        floors = {SUBJECT: floor.of("subject"), OBJECT: floor.of("object")}
        best = [self._best(links, batch, kind, least) for kind, least in floors.items()]
        asked = Asked([tensor for highest, sought in best for tensor in (highest, *sought.tensors)])
        yield
        arrays = iter(asked.wait())
        found = []
        for (_, sought), least in zip(best, floors.values(), strict=True):
            self.highest_probability = max(self.highest_probability, float(next(arrays)))
            found.append(_more_probable(sought.found([next(arrays) for _ in sought.tensors]), least))
        subjects, objects = found
        linked = yield from self._linked(links, features, subjects, objects, floor)
        return self.together(linked, subjects.left_out + objects.left_out)

    def said(self, features: Sequence[Features], at: Integers, rows: Integers) -> Reading[Parts]:
        text, s0, s1, label, o0, o1 = np.concatenate([at[:, None], rows], 1).astype(np.int64).T
        places = np.stack([text, s0, s1 - 1, o0, o1 - 1])
        more = {"label": torch.from_numpy(label.copy()), **self._sent(self._marks(features), places)}
        batch = TextBatch(features, self.model.device, more)
        links = self.model.encode(batch.ids, batch.lengths, batch.words, batch.tags)
        head, tail = (x.gather(1, batch.more["label"][:, None])[:, 0] for x in self._links(links, batch.more))
        where, first, last, from_, to = batch.more["places"]
        subject = links.entity.at(where, first, last)[:, SUBJECT]
        object_ = links.entity.at(where, from_, to)[:, OBJECT]
        asked = Asked([probability_of(torch.stack([subject, object_, head, tail], 1))])
        yield
        (parts,) = asked.wait()
        return parts

    def _best(self, links: Links, batch: TextBatch, kind: int, floor: float) -> tuple[Tensor, AboveFloor]:
        """The highest probability, and scores a little below the floor and above; ``place`` is first · T + last."""
        every = torch.arange(len(batch.ids), device=batch.ids.device)
        scores = links.entity.dense(every, torch.full_like(every, kind))
        # Not even at a threshold of 0 does a span end before it begins.
        allowed = batch.inside.unsqueeze(1) & batch.inside.unsqueeze(2) & (links.entity.pair > NEVER / 2)
        scores = scores.masked_fill(~allowed, -math.inf).flatten(1)
        # Chosen by score: probabilities near 1 would be the same.
        return scores.max().sigmoid(), AboveFloor(scores, score_near(floor), self.spans, lambda: scores)

    def _linked(
        self, links: Links, features: Sequence[Features], subjects: Above, objects: Above, floor: Floor
    ) -> Reading[list[Found]]:
        # Every subject of a text with every object of it.
        texts, length = links.entity.pair.shape[:2]
        count = np.bincount(objects.text, minlength=texts)
        each = count[subjects.text]
        s = np.repeat(np.arange(len(each)), each)
        first = (np.cumsum(count) - count)[subjects.text[s]]
        o = np.arange(len(s)) - np.repeat(np.cumsum(each) - each, each) + first
        marks, device = self._marks(features), links.entity.pair.device
        least = (floor.of("head"), floor.of("tail"))
        found = []
        step = max(1, SCORES // self.labels)
        for low in range(0, len(s), step):
            left, right = s[low : low + step], o[low : low + step]
            text = subjects.text[left]
            s0, s1 = subjects.place[left] // length, subjects.place[left] % length
            o0, o1 = objects.place[right] // length, objects.place[right] % length
            places = np.stack([text, s0, s1, o0, o1])
            near = partial(_near, *self._links(links, sent(self._sent(marks, places), device)), least)
            hits = Hits(*near(), near)
            asked = Asked(hits.tensors)
            yield
            at, *scores = hits.found(asked.wait())
            pair, label = at.T
            h, t = (probability_of(torch.from_numpy(one)).numpy() for one in scores)
            values = [subjects.value[left[pair]], objects.value[right[pair]], h, t]
            probability = values[0].astype(np.float64) * values[1] * values[2] * values[3]
            likely = (h > np.float32(least[0])) & (t > np.float32(least[1])) & (probability >= floor.of(PRODUCT))
            pair, label = pair[likely], label[likely]
            rows = np.stack([text[pair], s0[pair], s1[pair] + 1, label, o0[pair], o1[pair] + 1], 1)
            parts = np.stack([value[likely] for value in values], 1)
            best, more = strongest_each(rows[:, 0], probability[likely], texts, self.most)
            found.append(Found(rows[best, 0], rows[best, 1:], parts[best], more))
        return found

    def _links(self, links: Links, there: Mapping[str, Tensor]) -> tuple[Tensor, Tensor]:
        """Scores of first to first and of last to last positions, for every label: (n, R) each.

        Args:
            there: what :meth:`_sent` gives, on the device.
        """
        text, s0, s1, o0, o1 = there["places"]
        head, tail = links.heads.at(text, s0, o0), links.tails.at(text, s1, o1)
        if self.model.known is not None and "heads" in there:
            head = head + self._known(there["heads"], len(text)) * self.model.known[0]
            tail = tail + self._known(there["tails"], len(text)) * self.model.known[1]
        return head, tail

    def _marks(self, features: Sequence[Features]) -> Marks | None:
        if not self.priors:
            return None
        s0, s1, label, o0, o1 = np.concatenate([f.prior for f in features]).astype(np.int64).T
        text = np.repeat(np.arange(len(features)), [len(f.prior) for f in features])
        return np.stack([text, label, s0, o0]), np.stack([text, label, s1 - 1, o1 - 1])

    @staticmethod
    def _sent(marks: Marks | None, places: Integers) -> dict[str, Tensor]:
        """What a device needs to score links: ``places`` (5, n) of text, a subject's first and last position and an
        object's; ``heads`` and ``tails`` (2, k), those of them and the labels that the index knows."""
        text, s0, s1, o0, o1 = places
        known = (
            {} if marks is None else {"heads": _found(marks[0], text, s0, o0), "tails": _found(marks[1], text, s1, o1)}
        )
        return {name: torch.from_numpy(x) for name, x in {"places": places, **known}.items()}

    def _known(self, at: Tensor, count: int) -> Tensor:
        """(count, R): 1 at (place, label)."""
        out = torch.zeros(count, self.labels, device=at.device)
        return out.index_put_((at[0], at[1]), out.new_ones(()))


def _more_probable(found: Above, floor: float) -> Above:
    """Of scores those whose probability exceeds the floor, and their probability."""
    probability = probability_of(torch.from_numpy(found.value)).numpy()
    kept = probability > np.float32(floor)
    return Above(found.text[kept], found.place[kept], probability[kept], found.left_out)


def _near(head: Tensor, tail: Tensor, least: tuple[float, float]) -> tuple[Tensor, Sequence[Tensor]]:
    """Where both scores may be above the floors, as :class:`Hits` takes it."""
    return (head > score_near(least[0])) & (tail > score_near(least[1])), (head, tail)


def _found(marks: Integers, text: Integers, i: Integers, j: Integers) -> Integers:
    """(2, k) of number and label: where a place (n,) is among the marks (4, m) of text, label and two positions."""
    width = int(max(x.max(initial=0) for x in (i, j, marks[2:]))) + 1
    place = (text * width + i) * width + j
    at = (marks[0] * width + marks[2]) * width + marks[3]
    order = np.argsort(at, kind="stable")
    low, high = (np.searchsorted(at[order], place, side=side) for side in ("left", "right"))
    count = high - low
    n = np.repeat(np.arange(len(place)), count)
    offset = np.arange(len(n)) - np.repeat(np.cumsum(count) - count, count)
    return np.stack([n, marks[1][order[low[n] + offset]]])
