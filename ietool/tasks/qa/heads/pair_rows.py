"""The training table of the heads that read pairs of texts: a question, one of its passages, where answers stand."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ietool.core.survey import OracleCounts
from ietool.recipe import PretrainedSection
from ietool.tasks.qa.data.question import Question
from ietool.tasks.qa.features.featurizer import asked
from ietool.tasks.qa.features.labels import label_class
from ietool.tasks.qa.heads.borders import TokenSurvey
from ietool.tasks.qa.heads.training_rows import Spans, TrainingRows
from ietool.tasks.qa.recipe import QaRecipe
from ietool.text.readers import write_reader
from ietool.text.tokens import TokenReader, write_kept_tokens
from ietool.text.windows import RECORD


class PairRows(TrainingRows):
    """Texts as they are: they become tokens when they are drawn.

    Args:
        encoder: of the recipe.
        longest: tokens of an answer, at most; None: any number.

    Raises:
        UserError: the encoder's tokenizer cannot be had.
    """

    def __init__(self, recipe: QaRecipe, folder: Path, encoder: PretrainedSection, longest: int | None = None) -> None:
        self.recipe, self.folder = recipe, folder
        # An encoder that cannot be had is told before everything is read.
        reader = write_reader(folder, encoder, Counter())
        assert isinstance(reader, TokenReader)
        self.reader, self.tokens = reader, TokenSurvey(reader, longest)

    def units(self) -> tuple[int, int]:
        return self.tokens.unknown, self.tokens.units

    def count(self, question: Question) -> None:
        """A tokenizer knows its vocabulary."""

    def survey(self, question: Question, passages: Sequence[int], answers: Spans, counts: OracleCounts) -> None:
        self.tokens.add(question, passages, answers, counts)

    def flush(self) -> None:
        self.tokens.flush()

    def ready(self) -> None:
        self.flush()
        write_kept_tokens(self.folder, self.tokens.reader, self.tokens.seen)

    def columns(self) -> Any:
        """``spans``: half-open characters of the passage."""
        from datasets import Features as Columns
        from datasets import Sequence, Value

        numbers = {name: Value("int32") for name in (RECORD, "length", "label")}
        return Columns(
            {**numbers, "asked": Value("string"), "passage": Value("string"), "spans": Sequence(Value("int32"))}
        )

    def encode(self, question: Question, passages: Spans, record: int) -> Iterator[dict[str, Any]]:
        label, text = label_class(question), asked(question.text, self.recipe.data.question)
        for index, spans in passages.items():
            passage = question.passages[index].text
            yield {
                RECORD: record,
                "length": len(passage),
                "label": label,
                "asked": text,
                "passage": passage,
                "spans": np.array(spans, np.int32).reshape(-1),
            }
