"""What a scoring adds up."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from ietool.scoring.prf import PRFScore
from ietool.tasks.el.score.ambiguity import Ambiguity
from ietool.tasks.el.score.judge import Error, Judged


@dataclass
class Sums:
    """What is added up over texts."""

    total: list[PRFScore] = field(default_factory=list)
    places: list[PRFScore] = field(default_factory=list)
    linked: list[PRFScore] = field(default_factory=list)
    ambiguity: Ambiguity | None = None
    left_out: int = 0
    missed: dict[str, list[tuple[str, Error]]] = field(default_factory=dict)
    wrong: dict[str, list[tuple[str, Error]]] = field(default_factory=dict)
    right_names: Counter[str] = field(default_factory=Counter)
    missed_names: Counter[str] = field(default_factory=Counter)
    wrong_names: Counter[str] = field(default_factory=Counter)

    def add(self, text: str, judged: Judged) -> None:
        self.total.append(judged.total)
        self.places.append(judged.places)
        self.linked.append(PRFScore(judged.linked, judged.places.hits, judged.linked, judged.places.hits))
        if self.ambiguity is not None:
            self.ambiguity.add(judged)
        self.left_out += judged.left_out
        self.right_names.update([mention.mention for mention, _ in judged.right])
        for errors, kinds, names in (
            (judged.missed, self.missed, self.missed_names),
            (judged.wrong, self.wrong, self.wrong_names),
        ):
            for error in errors:
                kinds.setdefault(error.kind, []).append((text, error))
                names[error.mention.mention] += 1
