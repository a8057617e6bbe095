"""The rows of the training table of models that read tokens: a question, one of its passages, where answers stand."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from ietool.tasks.qa.data.reading import Question
from ietool.tasks.qa.features.featurizer import asked
from ietool.tasks.qa.features.locate import annotated, locate
from ietool.tasks.qa.heads.reader.rows import label_class


def encode(question: Question, passages: Sequence[int], number: int, limit: int) -> Iterator[dict[str, Any]]:
    """The rows of a question, the ``number``-th of the table, of which ``limit`` characters are read."""
    label = label_class(question)
    marked = annotated(question)
    for index in passages:
        passage = marked[index]
        spans, _ = locate(passage)
        yield {
            "question": number,
            "length": len(passage.text),
            "label": label,
            "asked": asked(question.text, limit),
            "passage": passage.text,
            "spans": np.array(spans, np.int32).reshape(-1),
        }


def table_columns() -> Any:
    """The columns of the training table, as ``datasets`` wants them. ``spans``: half-open characters of the passage."""
    from datasets import Features as Columns
    from datasets import Sequence, Value

    numbers = {name: Value("int32") for name in ("question", "length", "label")}
    return Columns({**numbers, "asked": Value("string"), "passage": Value("string"), "spans": Sequence(Value("int32"))})
