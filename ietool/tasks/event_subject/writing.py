"""Predictions as the competition takes them: a row of id and subject."""

from __future__ import annotations

from ietool.files.csv_rows import format_row
from ietool.tasks.event_subject.data.example import NONE
from ietool.tasks.event_subject.heads.decoder import Answered


def format_prediction(prediction: Answered) -> str:
    """``"id","subject"``, without line end; ``NaN`` where there is no subject."""
    return format_row([prediction.example.id, prediction.name or NONE])
