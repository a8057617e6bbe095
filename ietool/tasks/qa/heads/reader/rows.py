"""The rows of the training table: a question with one of its passages."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from ietool.tasks.qa.data.reading import Question
from ietool.tasks.qa.features.cooccurrence import COOCCURRENCE
from ietool.tasks.qa.features.featurizer import Featurizer
from ietool.tasks.qa.features.labels import LABELS
from ietool.tasks.qa.features.locate import annotated, locate

COLUMNS = {
    "question_characters": ("int32", 1), "question_words": ("int32", 1), "question_tags": ("uint8", 1),
    "characters": ("int32", 1), "words": ("int32", 1), "tags": ("uint8", 1),
    "shared": ("uint8", COOCCURRENCE), "spans": ("int32", 2),
}  # fmt: skip
"""List columns of the training table, their type and the width of their rows. ``spans``: start and inclusive end."""


def encode(
    featurizer: Featurizer, question: Question, passages: Sequence[int], number: int
) -> Iterator[dict[str, Any]]:
    """The rows of a question, the ``number``-th of the table, with those of its passages."""
    read = featurizer.question(question.text)
    label = label_class(question)
    marked = annotated(question)
    for index in passages:
        passage = marked[index]
        features = featurizer.encode(read, passage.text)
        spans, _ = locate(passage)
        yield {
            "question": number,
            "length": len(passage.text),
            "label": label,
            "question_characters": features.question[0],
            "question_words": features.question[1],
            "question_tags": features.question[2],
            "characters": features.passage[0],
            "words": features.passage[1],
            "tags": features.passage[2],
            "shared": features.shared.reshape(-1),
            "spans": np.array([(start, end - 1) for start, end in spans], np.int32).reshape(-1),
        }


def label_class(question: Question) -> int:
    """Class of a YES_NO question's label, that of most of its answers; −1 where there is none."""
    known = [LABELS.index(label) for label in question.labels if label in LABELS]
    return max(set(known), key=lambda label: (known.count(label), -label)) if known else -1


def table_columns() -> Any:
    """The columns of the training table, as ``datasets`` wants them."""
    from datasets import Features as Columns
    from datasets import Sequence, Value

    lists = {name: Sequence(Value(kind)) for name, (kind, _) in COLUMNS.items()}
    return Columns({"question": Value("int32"), "length": Value("int32"), "label": Value("int32"), **lists})
