"""Answers as labels: what a model finds, written as gold."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ietool.core.candidates import Candidates
from ietool.core.labelled import LabelWriter
from ietool.files.plain_json import dump_json
from ietool.tasks.qa.data.forms.webqa import NO_ANSWER
from ietool.tasks.qa.data.question import Question
from ietool.tasks.qa.heads.voting import AnswerCandidate, Answered


class AnswerLabels(LabelWriter[Question, AnswerCandidate]):
    """Of every form; written in that of WebQA, which says of each passage what it answers."""

    item = "answer"

    def identity(self, record: Question) -> str:
        return record.text

    def found(self, prediction: Answered) -> Sequence[tuple[AnswerCandidate, float]]:
        best = prediction.candidates[:1]
        return [(one, one.probability) for one in best if one.answer.strip() == prediction.answer]

    def plain(self, record: Question, item: AnswerCandidate) -> dict[str, Any]:
        return {"answer": item.answer, "passage": item.passage, "start": item.start}

    def written(self, record: Question, items: Sequence[AnswerCandidate]) -> str:
        answers = {item.passage: item.answer for item in items}
        passages = [
            {"passage": passage.text, "answer": answers.get(number, NO_ANSWER[0])}
            for number, passage in enumerate(record.passages)
        ]
        golden = [item.answer for item in items]
        line = {"id": record.question_id, "question": record.text, "passages": passages, "golden_answers": golden}
        return dump_json(line) + "\n"

    def doubt(self, found: Candidates) -> float:
        """What the best span lacks to certainty: all the others compete with it."""
        return 1.0 - float(self.layout.probability(found.parts).max(initial=0.0))
