"""CMRC 2018 (``cmrc2018``), DuReader-robust and checklist (``dureader_robust``): one span, by its longest common run.

Rules of the organisers' scripts (ymcui/cmrc2018, version 5; DuReader-robust's ``evaluate.py``).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from ietool.scoring.overlap import longest_run, run_f1
from ietool.tasks.qa.data.question import Question
from ietool.tasks.qa.score.english import word_tokenize
from ietool.tasks.qa.score.judged import Judged, Sums, Values, answer_of, outcome, share

if TYPE_CHECKING:
    from ietool.tasks.qa.score.files import Predicted

NO_ANSWER = "no answer"
"""What a prediction must say of a question that its passage does not answer."""

_CMRC_DROPPED = frozenset("-:_*^/\\~`+=，。：？！“”；’《》·、「」（）－～『』")
_ROBUST_DROPPED = frozenset(":_`，。：？！()“”；’《》·、,「」（）－～『』|")

_IDEOGRAPHS = (
    (0x4E00, 0x9FFF), (0x3400, 0x4DBF), (0x20000, 0x2A6DF), (0x2A700, 0x2B73F),
    (0x2B740, 0x2B81F), (0x2B820, 0x2CEAF), (0xF900, 0xFAFF), (0x2F800, 0x2FA1F),
)  # fmt: skip
"""First and last code point of what ``dureader_robust`` takes for Chinese characters."""


def cmrc_normalise(text: str) -> str:
    """Lower case, stripped, without the punctuation of the script's list."""
    return "".join([char for char in text.lower().strip() if char not in _CMRC_DROPPED])


@lru_cache(maxsize=1 << 12)
def cmrc_tokens(text: str) -> list[str]:
    """Chinese characters (4E00–9FA5) one by one, what stands between them by NLTK's rules for words.

    Dropped punctuation does not end what stands between.
    """
    tokens: list[str] = []
    run: list[str] = []
    for char in cmrc_normalise(text):
        if "\u4e00" <= char <= "\u9fa5":
            if run:
                tokens += word_tokenize("".join(run))
                run.clear()
            tokens.append(char)
        else:
            run.append(char)
    if run:
        tokens += word_tokenize("".join(run))
    return tokens


def robust_normalise(text: str) -> str:
    """Lower case, without the punctuation of the script's list. Not stripped; ``…`` stays."""
    return "".join([char for char in text.lower() if char not in _ROBUST_DROPPED])


@lru_cache(maxsize=1 << 12)
def robust_tokens(text: str) -> list[str]:
    """Chinese characters and ``=`` one by one, what stands between them as one token."""
    tokens: list[str] = []
    run: list[str] = []
    for char in robust_normalise(text):
        if char == "=" or any(first <= ord(char) <= last for first, last in _IDEOGRAPHS):
            if run:
                tokens.append("".join(run))
                run.clear()
            tokens.append(char)
        else:
            run.append(char)
    return [*tokens, "".join(run)] if run else tokens


@dataclass(frozen=True)
class Squad:
    """A variant for questions with one span as answer. Columns: F1, exact matches, questions."""

    name: str
    definition: str
    normalise: Callable[[str], str]
    tokens: Callable[[str], Sequence[str]]
    unanswerable: bool
    """Whether questions without an answer count, and are answered by :data:`NO_ANSWER`."""
    primary: str = "f1"
    groups: str = "By whether the passage has the answer"

    def judge(self, question: Question, predicted: Predicted | None) -> list[Judged]:
        prediction = answer_of(predicted)
        if not question.answers:
            if not (self.unanswerable and question.is_impossible):
                return []
            exact = float(prediction == NO_ANSWER)
            return [self._judged(question, prediction, NO_ANSWER, exact, exact)]
        best, reference, exact = 0.0, question.answers[0], 0.0
        if predicted is not None and predicted.answers:
            wanted, given = self.normalise(prediction), self.tokens(prediction)
            for answer in dict.fromkeys(question.answers):
                f1 = run_f1(given, self.tokens(answer))
                same = float(self.normalise(answer) == wanted)
                if (f1, same) > (best, exact):
                    best, reference = f1, answer
                exact = max(exact, same)
        return [self._judged(question, prediction, reference, best, exact)]

    def _judged(self, question: Question, prediction: str, reference: str, f1: float, exact: float) -> Judged:
        group = "" if question.is_impossible is None else "unanswerable" if question.is_impossible else "answerable"
        found = outcome(prediction, exact > 0, f1)
        return Judged(prediction, reference, found, (f1, exact, 1.0), group, (("f1", f1), ("em", exact)))

    def values(self, sums: Sums) -> Values:
        f1, exact, count = sums[..., 0], sums[..., 1], sums[..., 2]
        return {"f1": share(f1, count), "em": share(exact, count), "average": share((f1 + exact) / 2, count)}

    def credit(self, judged: Judged) -> tuple[str, str]:
        given, wanted = self.tokens(judged.prediction), self.tokens(judged.reference)
        start, size = longest_run(given, wanted)
        credited = "".join(given[start : start + size])
        exact = dict(judged.measures)["em"] > 0
        rule = f"longest common run: {size} of {len(given)} tokens predicted, of {len(wanted)} in the reference"
        return credited, ("exact match; " if exact else "") + rule


CMRC2018 = Squad(
    "cmrc2018",
    "F1 is that of the longest contiguous run of tokens that prediction and reference share (a Chinese character is a "
    "token, what stands between is split by NLTK's rules), lower-cased and without listed punctuation, the best over "
    "the references, averaged over all questions; EM is equality with any reference; a question without a prediction "
    "scores 0; average is (EM + F1) / 2.",
    cmrc_normalise,
    cmrc_tokens,
    unanswerable=False,
)

DUREADER_ROBUST = Squad(
    "dureader_robust",
    "F1 is that of the longest contiguous run of tokens that prediction and reference share (a Chinese character or = "
    "is a token, anything between is one), lower-cased and without listed punctuation, the best over the references, "
    "averaged over all questions; EM is equality with any reference; a question without a prediction scores 0, and an "
    f"unanswerable one 1 for exactly {NO_ANSWER!r}, else 0.",
    robust_normalise,
    robust_tokens,
    unanswerable=True,
)
