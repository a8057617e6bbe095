"""Decoding as the article's code does it: one sentence at a time, one subject at a time, in Python loops.

The twin of the reader and decoder of two stages: the tests compare what the two find,
``benchmarks/ske_predict.py`` how fast. It shares with it what is not decoding: features, the model's own layers,
windows and the assembly of triples.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from ietool.core.predicting import Predictor
from ietool.tasks.ske.data.example import Example
from ietool.tasks.ske.features.featurizer import Features
from ietool.tasks.ske.heads.assembly import Extraction, SpanRow, assemble
from ietool.text.windows import windows


class ReferencePredictor:
    """The loop, with the settings, the weights and the features of a predictor."""

    def __init__(self, predictor: Predictor[Example, Extraction]) -> None:
        reader: Any = predictor.reader
        self.reader, self.model, self.labels = reader, reader.model, reader.featurizer.schema.labels
        self.settings: Any = predictor.settings

    @torch.inference_mode()
    def predict(self, inputs: Iterable[Example]) -> Iterator[Extraction]:
        """Extractions in the order of the inputs, before rules."""
        for example in inputs:
            found: list[SpanRow] = []
            halves: list[tuple[SpanRow, int]] = []
            for begin, stop in windows(example.text, self.reader.size, self.reader.overlap) if example.text else ():
                features = self.reader.featurizer.encode(example.text[begin:stop])
                for s0, s1, label, o0, o1, p in self.sentence(features):
                    (a, b), (c, d) = features.units.text_span(s0, s1), features.units.text_span(o0, o1)
                    row = (a + begin, b + begin, label, c + begin, d + begin, p)
                    names = [example.text[x:y] for x, y in (row[:2], row[3:5])]
                    if not all(map(str.strip, names)) or re.search(r"[^\t\n\r\x20-\U0010ffff]", "".join(names)):
                        continue  # no submission takes a name of blanks, or with a control character
                    found.append(row)
                    if (a == 0 and begin > 0) or (begin + b == stop and stop < len(example.text)):
                        halves.append((row, 0))
                    if (c == 0 and begin > 0) or (begin + d == stop and stop < len(example.text)):
                        halves.append((row, 3))
            bad = [row for row, at in halves if self.is_half(row, at, found)]
            kept = [row for row in found if row not in bad]
            yield Extraction(example.text, tuple(assemble(example.text, kept, self.labels)))

    @staticmethod
    def is_half(row: SpanRow, at: int, found: list[SpanRow]) -> bool:
        """Whether another row differs in the span at one place alone, and has a longer one there."""
        for other in found:
            beside = row[2] == other[2] and row[3 - at : 5 - at] == other[3 - at : 5 - at]
            inside = other[at] <= row[at] and row[at + 1] <= other[at + 1]
            if beside and inside and other[at + 1] - other[at] > row[at + 1] - row[at]:
                return True
        return False

    def sentence(self, features: Features) -> Iterator[SpanRow]:
        """Label spans of one sentence, in units; none begins or ends in a special token."""
        decode, device = self.settings, self.model.device
        units = features.units
        length = len(units)
        prior = [tuple(row) for row in features.prior.tolist()]
        marks = None
        if self.reader.priors:
            known = sorted({(s0, 0) for s0, *_ in prior} | {(s1 - 1, 1) for _, s1, *_ in prior})
            marks = _columns([(0, *mark) for mark in known], device)
        encoded = self.model.encode(
            _row(units.ids, device),
            torch.tensor([length], device=device),
            _row(units.words, device),
            _row(units.tags, device),
            marks,
        )
        starts, ends = (F.logsigmoid(encoded["subject_logits"]) + encoded["entity"]).exp()[0].unbind(-1)
        starts, ends = starts.cpu().numpy(), ends.cpu().numpy()
        for start in range(length):
            if units.inside[start] and starts[start] > decode.subject_start:
                for end in range(start, length):
                    if units.inside[end] and ends[end] > decode.subject_end:
                        probability = float(starts[start]) * float(ends[end])
                        for label, o0, o1, p in self.objects(encoded, start, end, prior):
                            special = not (units.inside[o0] and units.inside[o1 - 1])
                            if not special and probability * p >= decode.triple:
                                yield start, end + 1, label, o0, o1, probability * p
                        break

    def objects(
        self, encoded: dict[str, Tensor], start: int, end: int, prior: list[tuple[int, ...]]
    ) -> Iterator[tuple[int, int, int, float]]:
        """(label, start, end, probability) of the objects of one subject, its end inclusive."""
        decode, device = self.settings, self.model.device
        marks = None
        if self.reader.priors:
            known = set()
            for s0, s1, label, o0, o1 in prior:
                if (s0, s1 - 1) == (start, end):
                    known |= {(o0, label), (o1 - 1, len(self.labels) + label)}
            marks = _columns([(0, *mark) for mark in sorted(known)], device)
        one = [torch.tensor([value], device=device) for value in (0, start, end)]
        logits, gates = self.model.objects(encoded, one[0], one[1], one[2], marks)
        joint = F.logsigmoid(logits)
        for gate in gates:
            joint = joint + gate
        starts, ends = joint.exp()[0].unbind(1)  # (L, R) each
        first, last = starts.cpu().numpy(), ends.cpu().numpy()
        start_at, start_label = (first > decode.object_start).nonzero()
        end_at, end_label = (last > decode.object_end).nonzero()
        for i, label in zip(start_at.tolist(), start_label.tolist(), strict=True):
            for j, other in zip(end_at.tolist(), end_label.tolist(), strict=True):
                if i <= j and label == other:
                    yield label, i, j + 1, float(first[i, label]) * float(last[j, label])
                    break


def _row(ids: object, device: torch.device) -> Tensor:
    return torch.as_tensor(ids, dtype=torch.int64, device=device)[None]


def _columns(marks: list[tuple[int, ...]], device: torch.device) -> tuple[Tensor, Tensor, Tensor]:
    first, second, third = torch.tensor(marks, dtype=torch.int64, device=device).reshape(-1, 3).unbind(1)
    return first, second, third
