"""Classes of errors of subjects of events."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any, ClassVar

from ietool.scoring.classes import MISSED, SPURIOUS, UNANSWERED, ErrorClasses, overlapping
from ietool.scoring.report import Outcome

BOUNDARY, ANOTHER, NONE, EMPTY = "boundary", "another subject", "gold has none", "no answer given"


class SubjectClasses(ErrorClasses):
    """A record has one subject at most: what is predicted is held against what gold has."""

    label_name: ClassVar[str] = "type"
    meanings: ClassVar[Mapping[str, str]] = {
        BOUNDARY: "a longer or shorter name than gold's",
        ANOTHER: "another name than gold's",
        NONE: "a name is predicted, and gold has none",
        EMPTY: "gold has a name, and none is predicted",
    }

    def of(self, outcomes: Sequence[Outcome]) -> list[str]:
        wanted = [str(one.item["subject"]) for one in outcomes if one.verdict == MISSED]
        given = [str(one.item["subject"]) for one in outcomes if one.verdict == SPURIOUS]
        classes = []
        for one in outcomes:
            if one.verdict not in (MISSED, SPURIOUS):
                classes.append("")
            elif wanted and given:
                classes.append(BOUNDARY if overlapping(wanted[0], given[0]) else ANOTHER)
            elif given:
                classes.append(NONE)
            else:
                classes.append(UNANSWERED if one.kind.endswith("no prediction") else EMPTY)
        return classes

    def words(self, outcome: Outcome) -> str:
        return f"{outcome.item['type']}: {outcome.item['subject']}"

    def names(self, outcome: Outcome) -> Sequence[str]:
        return [str(outcome.item["subject"])]

    def title(self, outcomes: Sequence[Outcome]) -> str:
        return f"{outcomes[0].item['id']} · {outcomes[0].item['type']}"

    def chances(self, prediction: Any) -> Mapping[Hashable, float]:
        found = prediction.subject
        return {} if found is None else {found.text: found.probability}

    def key_of(self, number: int, prediction: Any) -> Hashable:
        return number, prediction.example.text

    def item(self, outcome: Outcome) -> Hashable:
        return outcome.item["subject"]
