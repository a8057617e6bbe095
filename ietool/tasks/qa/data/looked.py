"""What a question holds, for those who look at a corpus."""

from __future__ import annotations

from ietool.core.looked import Gold, Looked, Name, Words
from ietool.tasks.qa.data.question import Question

ANSWER, NONE, ELSEWHERE = "answer in a passage", "no answer", "answer in no passage"

WORDS = Words(
    labels="kinds of answer",
    kinds="kinds of question",
    further="passages",
    kin="they ask the same, or share a passage, but for case, width, blanks and punctuation",
)


def looked(question: Question) -> Looked:
    """The references, each as an item; that of yes or no questions has its own label beside it."""
    passages = [passage.text for passage in question.passages]
    marked = dict.fromkeys(answer for passage in question.passages for answer in passage.answers if answer.strip())
    answers = list(dict.fromkeys(a for a in question.answers if a.strip())) or list(marked)
    gold = []
    for answer in answers:
        found = any(answer in passage for passage in passages)
        gold.append(Gold(ANSWER if found else ELSEWHERE, (Name("answer", answer, lost=not found),)))
    if not gold and question.is_impossible:
        gold.append(Gold(NONE))
    gold += [Gold(label) for label in dict.fromkeys(question.labels) if label]
    return Looked(question.text, gold, question.kind, passages)
