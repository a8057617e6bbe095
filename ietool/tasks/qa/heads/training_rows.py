"""How a head's training table is made: what the preparation asks of every head."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ietool.core.survey import OracleCounts
from ietool.tasks.qa.data.question import Question
from ietool.text.units import UnitReader

Spans = Mapping[int, Sequence[tuple[int, int]]]
"""Index of a passage → half-open spans of its characters."""


class TrainingRows(ABC):
    """Made with a recipe and the folder that is prepared, before any file is read; told of every question of train and
    dev while they are counted, then of every question that is learnt from."""

    reader: UnitReader
    """What the encoder reads with, from :meth:`ready` on."""

    @abstractmethod
    def units(self) -> tuple[int, int]:
        """How many units of the texts that were told so far are unknown, of how many; (0, 0) where they are not
        counted."""

    @abstractmethod
    def count(self, question: Question) -> None:
        """A question of train."""

    @abstractmethod
    def survey(self, question: Question, passages: Sequence[int], answers: Spans, counts: OracleCounts) -> None:
        """A question of train or dev, of which the ``passages`` are read; ``counts`` are told if none of its
        ``answers`` can be given."""

    @abstractmethod
    def flush(self) -> None:
        """The questions of a file have been told."""

    @abstractmethod
    def ready(self) -> None:
        """All of train has been counted: write what the encoder reads with."""

    @abstractmethod
    def columns(self) -> Any:
        """The columns of the table, as ``datasets`` wants them."""

    @abstractmethod
    def encode(self, question: Question, passages: Spans, record: int) -> Iterator[dict[str, Any]]:
        """The rows of a question.

        Args:
            passages: those that it is learnt with, and where answers stand in them.
            record: its row number.
        """
