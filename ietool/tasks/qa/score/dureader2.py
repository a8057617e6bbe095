"""DuReader 2.0 (``dureader2`` and its tasks) and LIC 2019 (``lic2019_mrc``): long answers by ROUGE-L and BLEU-4.

Rules of the organisers' scripts: DuReader 2.0's ``dureader_eval.py`` over coco-caption's BLEU and ROUGE, and LIC 2019's
``mrc_eval.py``. Tokens are characters; whitespace is left out.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ietool.scoring.overlap import ORDER, clipped_matches, common_subsequence, subsequence
from ietool.tasks.qa.data.question import Question
from ietool.tasks.qa.score.judged import Judged, Sums, Values, answer_of, f1_of, outcome, share

if TYPE_CHECKING:
    from ietool.tasks.qa.score.files import Predicted

_GAMMA = 1.2
"""How much more recall weighs in ROUGE-L than precision."""

_TINY, _SMALL = 1e-15, 1e-9  # what coco-caption adds to numerators and denominators

_MATCHES, _GUESSES = slice(2, 2 + ORDER), slice(2 + ORDER, 2 + 2 * ORDER)
_LENGTH, _REFERENCE = 2 + 2 * ORDER, 3 + 2 * ORDER
COLUMNS = 4 + 2 * ORDER
"""Answers, ROUGE-L, matches and n-grams predicted (1 to ORDER each), characters predicted, of the closest reference."""


def characters(text: str) -> str:
    """The text without whitespace."""
    return "".join(text.split())


def rouge_l(precision: float, recall: float) -> float:
    """ROUGE-L of the best precision and the best recall."""
    if not precision or not recall:
        return 0.0
    return (1 + _GAMMA**2) * precision * recall / (recall + _GAMMA**2 * precision)


def closest_length(size: int, references: Sequence[str]) -> int:
    """The length of the reference nearest in length, the shorter of two equally near."""
    return min((abs(len(reference) - size), len(reference)) for reference in references)[1]


def bleu(sums: Sums, *, smoothed: bool) -> Sums:
    """Corpus BLEU-4, float [...], from sums [..., COLUMNS].

    ``smoothed``: coco-caption's way; otherwise an order without matches makes it 0.
    """
    matches, guesses = sums[..., _MATCHES], sums[..., _GUESSES]
    length, reference = sums[..., _LENGTH], sums[..., _REFERENCE]
    if smoothed:
        precision = (matches + _TINY) / (guesses + _SMALL)
        ratio = (length + _TINY) / (reference + _SMALL)
        penalty = np.exp(np.minimum(1 - 1 / ratio, 0))
    else:
        precision = share(matches, guesses)
        penalty = np.where(length > 0, np.exp(np.minimum(1 - reference / np.maximum(length, 1), 0)), 0.0)
    return np.prod(precision, axis=-1) ** (1 / ORDER) * penalty


@dataclass(frozen=True, slots=True)
class _Answer:
    """A prediction and its references, without whitespace; as they are written for people."""

    written: str
    references_written: Sequence[str]
    prediction: str
    references: Sequence[str]

    @classmethod
    def of(cls, prediction: str, references: Sequence[str]) -> _Answer:
        return cls(prediction, references, characters(prediction), [characters(text) for text in references])

    def rouge(self, pairs: Sequence[tuple[float, float]]) -> tuple[float, str]:
        """(ROUGE-L, the reference that alone gives the highest) from precision and recall of each reference."""
        best = max(range(len(pairs)), key=lambda i: rouge_l(*pairs[i]))
        # The best precision and the best recall may come from different references.
        return rouge_l(max(p for p, _ in pairs), max(r for _, r in pairs)), self.references_written[best]

    def sums(self, rouge: float, bonus: Sequence[int] = (0,) * ORDER) -> tuple[float, ...]:
        matches = clipped_matches(self.prediction, self.references)
        size = len(self.prediction)
        guesses = [max(0, size - n) for n in range(ORDER)]
        return (
            1.0,
            rouge,
            *(many + more for many, more in zip(matches, bonus, strict=True)),
            *(many + more for many, more in zip(guesses, bonus, strict=True)),
            float(size),
            float(closest_length(size, self.references)),
        )


def _judged(answer: _Answer, rouge: float, reference: str, sums: tuple[float, ...], group: str, remark: str) -> Judged:
    right = answer.prediction in answer.references and bool(answer.prediction)
    found = outcome(answer.prediction, right, rouge)
    return Judged(answer.written, reference, found, sums, group, (("rouge_l", rouge),), remark)


def _credit(judged: Judged) -> tuple[str, str]:
    given, wanted = characters(judged.prediction), characters(judged.reference)
    credited = common_subsequence(given, wanted)
    many = subsequence(given, wanted)
    rule = f"longest common subsequence: {many} of {len(given)} characters predicted, of {len(wanted)} in the reference"
    return credited, rule + (f"; {judged.remark}" if judged.remark else "")


@dataclass(frozen=True)
class DuReader2:
    """A task of DuReader 2.0. Columns: :data:`COLUMNS`; for entities also right, predicted and wanted ones."""

    name: str
    task: str
    definition: str
    groups: str = "By kind of question"
    primary: str = "rouge_l"

    def judge(self, question: Question, predicted: Predicted | None) -> list[Judged]:
        labelled = self.task in ("yesno", "all") and question.kind == "YES_NO"
        if labelled:
            return self._by_label(question, predicted)
        if self.task == "entity":
            return self._entities(question, predicted)
        if self.task == "yesno" or (self.task == "description" and question.kind != "DESCRIPTION"):
            return []
        return self._main(answer_of(predicted), question.answers, question.kind)

    def _main(self, prediction: str, references: Sequence[str], group: str, remark: str = "") -> list[Judged]:
        if not references or list(references) == [""]:
            return []
        answer = _Answer.of(prediction, references)
        # coco-caption splits at spaces, and nothing split is one empty word: two empty answers have it in common.
        pairs = []
        for text in answer.references:
            common = subsequence(answer.prediction, text) or int(not text and not answer.prediction)
            pairs.append((common / max(1, len(answer.prediction)), common / max(1, len(text))))
        rouge, best = answer.rouge(pairs)
        return [_judged(answer, rouge, best, answer.sums(rouge), group, remark)]

    def _by_label(self, question: Question, predicted: Predicted | None) -> list[Judged]:
        references: dict[str, list[str]] = {}
        for label, text in zip(question.labels, question.answers, strict=False):
            references.setdefault(label, []).append(text)
        given: dict[str, str] = {}
        if predicted is not None:
            for label, text in zip(predicted.labels, predicted.answers, strict=False):
                given.setdefault(label, text)
        judged = []
        for label, texts in references.items():
            group = label if self.task == "yesno" else question.kind
            judged += self._main(given.get(label, ""), texts, group, f"the answer labelled {label}")
        return judged

    def _entities(self, question: Question, predicted: Predicted | None) -> list[Judged]:
        given = predicted.entities[0] if predicted is not None and predicted.entities else ()
        wanted = closest_entities(given, question.entities)
        right = len(set(given) & set(wanted))
        counts = (float(right), float(len(set(given))), float(len(set(wanted))))
        answers = []
        if question.kind == "ENTITY":
            answers = self._main(answer_of(predicted), question.answers, question.kind)
        if not answers and not any(counts):
            return []
        remark = f"entities: {right} of {len(set(given))} predicted, of {len(set(wanted))} wanted"
        base = answers[0] if answers else Judged("", "", outcome("", False, 0), (0.0,) * COLUMNS, question.kind)
        return [
            Judged(
                base.prediction, base.reference, base.outcome, (*base.sums, *counts), base.group, base.measures, remark
            )
        ]

    def values(self, sums: Sums) -> Values:
        values: dict[str, Sums] = {
            "rouge_l": share(sums[..., 1], sums[..., 0]),
            "bleu_4": bleu(sums[..., :COLUMNS], smoothed=True),
        }
        if self.task == "entity":
            right, given, wanted = (sums[..., COLUMNS + i] for i in range(3))
            precision, recall = share(right, given), share(right, wanted)
            values |= {"f1": f1_of(precision, recall), "precision": precision, "recall": recall}
        return values

    def credit(self, judged: Judged) -> tuple[str, str]:
        return _credit(judged)


def closest_entities(given: Sequence[str], lists: Sequence[Sequence[str]]) -> Sequence[str]:
    """The reference list whose F1 with the predicted entities is best; the shortest if none shares any."""
    best, found = 0.0, None
    for wanted in lists:
        same = (Counter(given) & Counter(wanted)).total()
        f1 = 2 * same / (len(given) + len(wanted)) if same else 0.0
        if f1 > best:
            best, found = f1, wanted
    return found if found is not None else min(lists, key=len, default=())


@dataclass(frozen=True)
class Lic2019:
    """LIC 2019 with its bonus (α = β = 1) for labels and entities. Columns: :data:`COLUMNS`."""

    name: str = "lic2019_mrc"
    primary: str = "rouge_l"
    groups: str = "By kind of question"
    definition: str = (
        "The first answer of each question that has references, character by character without whitespace. ROUGE-L: "
        "longest common subsequence, the best precision and the best recall over the references, recall weighing 1.2² "
        "times; for YES_NO a reference whose label is the predicted one adds its common subsequence to both numerator "
        "and denominator, for ENTITY every reference entity in the answer adds its length; averaged over questions. "
        "BLEU-4: over all answers at once, clipped, with the same two kinds of bonus on n-grams, closest length; not "
        "smoothed."
    )

    def judge(self, question: Question, predicted: Predicted | None) -> list[Judged]:
        if not question.answers:
            return []
        answer = _Answer.of(answer_of(predicted), question.answers)
        common = [subsequence(answer.prediction, text) for text in answer.references]
        extra = [0] * len(common)
        credited: Sequence[str] = ()
        remark = ""
        if question.kind == "YES_NO" and predicted is not None and predicted.labels:
            label = predicted.labels[0]
            # A reference without a label beside it has none that could be right.
            hits = [wanted == label for wanted in (*question.labels, *("",) * len(common))]
            extra = [many if hit else 0 for many, hit in zip(common, hits, strict=False)]
            credited = [text for text, hit in zip(answer.references, hits, strict=False) if hit]
            remark = f"the label {label} is " + ("right and counts as much again" if credited else "wrong")
        elif question.kind == "ENTITY":
            wanted = {characters(entity) for entities in question.entities for entity in entities}
            found = [entity for entity in wanted if entity in answer.prediction]
            extra = [sum(map(len, found))] * len(common)
            credited = list(wanted)
            remark = f"{len(found)} of {len(wanted)} entities found" if wanted else ""
        pairs = []
        for many, more, text in zip(common, extra, answer.references, strict=True):
            given, wanted_size = len(answer.prediction) + more, len(text) + more
            pairs.append(((many + more) / given if given else 0.0, (many + more) / wanted_size if wanted_size else 0.0))
        rouge, best = answer.rouge(pairs)
        bonus = clipped_matches(answer.prediction, credited)
        return [_judged(answer, rouge, best, answer.sums(rouge, bonus), question.kind, remark)]

    def values(self, sums: Sums) -> Values:
        return {"rouge_l": share(sums[..., 1], sums[..., 0]), "bleu_4": bleu(sums, smoothed=False)}

    def credit(self, judged: Judged) -> tuple[str, str]:
        return _credit(judged)
