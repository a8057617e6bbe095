"""Classes of errors of linked mentions: the kinds by which the scorer tells them apart."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any, ClassVar

from ietool.scoring.classes import DUPLICATE, RIGHT, UNANSWERED, ErrorClasses
from ietool.scoring.report import Outcome
from ietool.tasks.el.score.judge import MISSED, WRONG


class MentionClasses(ErrorClasses):
    """Mentions are of the kinds of :mod:`ietool.tasks.el.score.judge`."""

    label_name: ClassVar[str] = "entity"
    meanings: ClassVar[Mapping[str, str]] = {
        **MISSED,
        **{kind: said for kind, said in WRONG.items() if kind not in MISSED},
    }

    def of(self, outcomes: Sequence[Outcome]) -> list[str]:
        return [_kind(one) for one in outcomes]

    def label(self, outcome: Outcome) -> str:
        kb_id = str(outcome.item["kb_id"])
        return kb_id.partition("|")[0] if kb_id.startswith("NIL") else "of the knowledge base"

    def words(self, outcome: Outcome) -> str:
        return f"{outcome.item['mention']} → {outcome.item['kb_id']}"

    def names(self, outcome: Outcome) -> Sequence[str]:
        return [str(outcome.item["mention"])]

    def title(self, outcomes: Sequence[Outcome]) -> str:
        return str(outcomes[0].item.get("text_id", ""))

    def key_of(self, number: int, prediction: Any) -> Hashable:
        return prediction.text_id, prediction.text

    def chances(self, prediction: Any) -> Mapping[Hashable, float]:
        return {(str(m.start), m.mention, m.kb_id): m.probability for m in prediction.mentions}

    def item(self, outcome: Outcome) -> Hashable:
        return outcome.item["offset"], outcome.item["mention"], outcome.item["kb_id"]


def _kind(outcome: Outcome) -> str:
    if outcome.verdict in (RIGHT, DUPLICATE):
        return ""
    if outcome.kind.endswith("the text has no prediction"):
        return UNANSWERED
    return outcome.kind.partition(":")[0]
