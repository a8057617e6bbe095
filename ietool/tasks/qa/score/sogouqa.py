"""SogouQA (``sogouqa``): short answers, by equality and by their characters. Rules of Sogou's ``evaluate.py``."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from ietool.scoring.overlap import bag_f1
from ietool.tasks.qa.data.question import Question
from ietool.tasks.qa.score.judged import Judged, Sums, Values, answer_of, outcome, share

if TYPE_CHECKING:
    from ietool.tasks.qa.score.files import Predicted

# What the organisers' script takes for punctuation; other marks and symbols stay.
_PUNCTUATION = (
    "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"
    "¤§¨°±·×÷ˇˉ—‖‘’“”•…‰′″※№←↑→↓∈∑√∞∠∨∩∴∵∶≈≌≠≡≤≥≮≯⊙⊥⌒"
    "■□▲△◆◇◎●★☆♀♂、。〃々〈〉《》「」『』【】〓〔〕〖〗﹑！＄（），．：；？＿～￠￣￥"
)
_TO_SPACE = str.maketrans(dict.fromkeys(_PUNCTUATION, " "))
_TO_HALF = str.maketrans({0x3000: 0x20} | {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)})
_BLANK = re.compile(r"\s+")


@lru_cache(maxsize=1 << 14)
def form(text: str) -> str:
    """Full width → half width, lower case, without punctuation and whitespace."""
    return _BLANK.sub("", text.translate(_TO_HALF).lower().translate(_TO_SPACE))


def _pieces(text: str) -> set[str]:
    """The formed parts between spaces and (half or full width) punctuation."""
    return {form(piece) for piece in text.translate(_TO_SPACE).lower().split(" ")}


@dataclass(frozen=True)
class SogouQA:
    """Columns: right answers, F1, questions."""

    name: str = "sogouqa"
    primary: str = "score"
    definition: str = (
        "An answer is right if, in half width and lower case, without punctuation (dots and hyphens in numbers too) "
        "and whitespace, it is one of the accepted answers, or if its parts between spaces are those of the first, in "
        "any order; F1 is that of its characters in any order, the best over the accepted answers; both are averaged "
        "over all questions, an empty or missing answer scores 0, and score is (accuracy + F1) / 2."
    )
    groups: str = ""

    def judge(self, question: Question, predicted: Predicted | None) -> list[Judged]:
        if not question.answers:
            return []
        prediction = answer_of(predicted).strip()
        right, best, reference = 0.0, 0.0, question.answers[0]
        if prediction:
            formed = form(prediction)
            accepted = {answer: form(answer) for answer in question.answers}
            right = float(
                formed in accepted or formed in accepted.values() or _pieces(prediction) == _pieces(question.answers[0])
            )
            for answer, wanted in accepted.items():
                f1 = bag_f1(formed, wanted)
                if f1 > best:
                    best, reference = f1, answer
        found = outcome(prediction, right > 0, best)
        measures = (("right", right), ("f1", best))
        return [Judged(prediction, reference, found, (right, best, 1.0), measures=measures)]

    def values(self, sums: Sums) -> Values:
        right, f1, count = sums[..., 0], sums[..., 1], sums[..., 2]
        return {"score": share((right + f1) / 2, count), "accuracy": share(right, count), "f1": share(f1, count)}

    def credit(self, judged: Judged) -> tuple[str, str]:
        given, left = form(judged.prediction), list(form(judged.reference))
        wanted, credited = len(left), ""
        for char in given:
            if char in left:
                left.remove(char)
                credited += char
        rule = f"{len(credited)} of {len(given)} characters predicted, of {wanted} accepted, in any order"
        return credited, ("accepted; " if dict(judged.measures)["right"] > 0 else "") + rule


SOGOUQA = SogouQA()
