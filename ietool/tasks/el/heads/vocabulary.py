"""What the encoder of a head reads, as a preparation writes it: each head has its own in ``vocabulary.py``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Protocol

from ietool.progress import Progress
from ietool.tasks.el.kb.knowledge_base import KnowledgeBase
from ietool.text.units import UnitReader

CUT = "a token of the encoder lies across its border"
"""Why a mention cannot be expressed by what an encoder reads."""


class Vocabulary(Protocol):
    """Made before anything else is prepared: it raises UserError where the encoder cannot be had or will not do."""

    reasons: Sequence[str]
    """Why mentions may be lost, besides what holds for all heads."""

    def write(
        self, folder: Path, kb: KnowledgeBase, texts: Iterable[str], described: Counter[str], progress: Progress
    ) -> UnitReader:
        """Write what the encoder reads besides the characters, which are there already, and give its reader.

        Args:
            texts: of train and of further mentions, folded or not.
            described: counts of descriptions, to which ``tokens`` and ``tokens_cut`` may be added.
        """
        ...
