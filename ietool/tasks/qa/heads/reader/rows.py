"""The training table of the DGCNN reader: a question with one of its passages, as characters."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ietool.core.survey import OracleCounts
from ietool.tasks.qa.data.question import Question
from ietool.tasks.qa.features.cooccurrence import COOCCURRENCE
from ietool.tasks.qa.features.featurizer import Featurizer
from ietool.tasks.qa.features.labels import label_class
from ietool.tasks.qa.heads.reader.recipe import ReaderRecipe
from ietool.tasks.qa.heads.training_rows import Spans, TrainingRows
from ietool.text.characters import fold
from ietool.text.encoding import TextEncoder
from ietool.text.readers import write_reader
from ietool.text.windows import RECORD

COLUMNS = {
    "question_characters": ("int32", 1), "question_words": ("int32", 1), "question_tags": ("uint8", 1),
    "characters": ("int32", 1), "words": ("int32", 1), "tags": ("uint8", 1),
    "shared": ("uint8", COOCCURRENCE), "spans": ("int32", 2),
}  # fmt: skip
"""List columns of the training table, their type and the width of their rows. ``spans``: start and inclusive end."""


class CharacterRows(TrainingRows):
    """Features of whole passages, of which windows are cut when they are drawn."""

    def __init__(self, recipe: ReaderRecipe, folder: Path) -> None:
        self.recipe, self.folder = recipe, folder
        self.characters: Counter[str] = Counter()

    def units(self) -> tuple[int, int]:
        """Characters are not counted: the rare ones are meant to be unknown."""
        return 0, 0

    def count(self, question: Question) -> None:
        for text in (question.text, *(passage.text for passage in question.passages)):
            self.characters.update(fold(text))

    def survey(self, question: Question, passages: Sequence[int], answers: Spans, counts: OracleCounts) -> None:
        """Every span of characters can be given."""

    def flush(self) -> None:
        """Nothing waits."""

    def ready(self) -> None:
        """Raises UserError if the word vectors cannot be read."""
        reader = write_reader(self.folder, self.recipe.model.encoder, self.characters)
        assert isinstance(reader, TextEncoder)
        self.reader = reader
        self.featurizer = Featurizer(self.recipe, reader)

    def columns(self) -> Any:
        from datasets import Features as Columns
        from datasets import Sequence, Value

        lists = {name: Sequence(Value(kind)) for name, (kind, _) in COLUMNS.items()}
        return Columns({RECORD: Value("int32"), "length": Value("int32"), "label": Value("int32"), **lists})

    def encode(self, question: Question, passages: Spans, record: int) -> Iterator[dict[str, Any]]:
        read = self.featurizer.question(question.text)
        label = label_class(question)
        for index, spans in passages.items():
            text = question.passages[index].text
            features = self.featurizer.encode(read, text)
            yield {
                RECORD: record,
                "length": len(text),
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
