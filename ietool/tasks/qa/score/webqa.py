"""WebQA (``webqa``): right answers among those given and among those wanted, by Baidu's strict matching."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ietool.tasks.qa.data.question import Question
from ietool.tasks.qa.score.judged import Judged, Sums, Values, f1_of, outcome, share

if TYPE_CHECKING:
    from ietool.tasks.qa.score.files import Predicted

_BLANK = re.compile(r"\s+")
_NONE = frozenset({"", "no_answer", "no_result"})


def normalise(answer: str) -> str:
    """Lower case, without whitespace; empty for every way of saying that there is no answer."""
    text = _BLANK.sub("", answer).lower()
    return "" if text in _NONE else text


def vote(answers: Sequence[str]) -> str:
    """The most frequent of the passages' answers, the first given among equals; empty if none of them is one."""
    counts = Counter(text for text in map(normalise, answers) if text)
    return counts.most_common(1)[0][0] if counts else ""


@dataclass(frozen=True)
class WebQA:
    """Columns: right, given and wanted answers by question, then by passage; whether several passages were answered."""

    name: str = "webqa"
    primary: str = "f1"
    definition: str = (
        "An answer is right if, in lower case and without whitespace, it equals any golden answer; precision is right "
        "answers among those given, recall among the questions that have an answer; no_answer, no_result and nothing "
        "are no answers. A submission with one answer a passage is voted on by frequency (the first one among equals) "
        "and is also scored by passage, against what gold says that each passage answers; where it answers a question "
        "otherwise, what its passages answer counts as not found."
    )
    groups: str = ""

    def judge(self, question: Question, predicted: Predicted | None) -> list[Judged]:
        given = () if predicted is None else predicted.answers
        # The file may have blank passages, which are none here.
        numbers = [passage.document for passage in question.passages]
        if len(given) > len(numbers) > 0 and numbers == sorted(set(numbers)) and numbers[-1] < len(given):
            given = tuple(given[number] for number in numbers)
        by_passage = len(given) > 0 and len(given) == len(question.passages)
        prediction = vote(given) if by_passage else (given[0] if given else "")
        chunk = normalise(prediction)
        golden = {normalise(answer): answer for answer in reversed(question.answers)}
        golden.pop("", None)
        if not golden and not chunk:
            return []
        right = float(bool(chunk) and chunk in golden)
        sums = [right, float(bool(chunk)), float(bool(golden)), 0.0, 0.0, 0.0, float(by_passage and len(given) > 1)]
        answers = given if by_passage else [""] * len(question.passages)
        for answer, passage in zip(map(normalise, answers), question.passages, strict=True):
            wanted = {normalise(text) for text in passage.answers} - {""}
            sums[3] += bool(answer) and answer in wanted
            sums[4] += bool(answer)
            sums[5] += bool(wanted)
        reference = golden[chunk] if right else (question.answers[0] if question.answers else "")
        found = outcome(chunk, right > 0, right)
        return [Judged(prediction, reference, found, tuple(sums), measures=(("right", right),))]

    def values(self, sums: Sums) -> Values:
        right, given, wanted = sums[..., 0], sums[..., 1], sums[..., 2]
        precision, recall = share(right, given), share(right, wanted)
        values = {"f1": f1_of(precision, recall), "precision": precision, "recall": recall}
        if sums[..., 6].any():
            precision, recall = share(sums[..., 3], sums[..., 4]), share(sums[..., 3], sums[..., 5])
            values |= {"passage_f1": f1_of(precision, recall), "passage_precision": precision}
            values |= {"passage_recall": recall}
        return values

    def credit(self, judged: Judged) -> tuple[str, str]:
        if dict(judged.measures)["right"] > 0:
            return judged.prediction, "equals a golden answer"
        if judged.outcome == "no answer given":
            return "", "no answer: costs recall only"
        return "", "equals no golden answer" if judged.reference else "the question has no answer: costs precision"


WEBQA = WebQA()
