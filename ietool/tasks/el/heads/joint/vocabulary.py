"""What the encoder of head ``joint`` reads: characters, and nothing besides."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from ietool.progress import Progress
from ietool.tasks.el.heads.joint.recipe import JointRecipe
from ietool.tasks.el.kb.knowledge_base import KnowledgeBase
from ietool.text.encoding import TextEncoder
from ietool.text.units import UnitReader


class CharacterVocabulary:
    """See :class:`ietool.tasks.el.heads.vocabulary.Vocabulary`."""

    reasons: Sequence[str] = ()

    def __init__(self, recipe: JointRecipe) -> None:
        pass

    def write(
        self, folder: Path, kb: KnowledgeBase, texts: Iterable[str], described: Counter[str], progress: Progress
    ) -> UnitReader:
        return TextEncoder.open(folder)
