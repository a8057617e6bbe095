"""What ``prepare`` finds out without any network: the matcher, the candidates, and the floor that a model must beat."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ietool.core.survey import Lengths, OracleCounts, percent
from ietool.scoring.prf import PRFScore
from ietool.tables import Cell, Table
from ietool.tasks.el.data.example import Example
from ietool.tasks.el.features.featurizer import Featurizer
from ietool.tasks.el.heads.vocabulary import CUT
from ietool.text.matching import leftmost_longest
from ietool.text.windows import windows

NO_NAME = "its name is not in the knowledge base"
FILTERED = "its name is filtered out"
NO_CANDIDATE = "its id is no candidate of the name"
RESTRICTED = "its id is dropped by the restriction to ids linked before"
LEFT_OUT = "its id is not among the first decode.candidates of the name"
REASONS = (NO_NAME, FILTERED, NO_CANDIDATE, RESTRICTED, LEFT_OUT)
MENDS = {
    NO_NAME: "see that mentions and knowledge base belong together",
    FILTERED: "raise data.name_filter",
    NO_CANDIDATE: "see that ids and knowledge base belong together",
    RESTRICTED: "set decode.restrict=0",
    LEFT_OUT: "raise decode.candidates",
    CUT: "name another model.encoder",
}
"""What can be done about a reason."""

ORACLE_NOTE = "gold mentions that are among the dictionary matches, with the gold id among the candidates"

AUTHORS_FILTER = 5.0
"""Of kexue.fm 6919."""


@dataclass
class Rejected:
    """Bad records of the knowledge base."""

    rejected: int = 0


@dataclass
class Survey:
    """The counts of one split.

    Attributes:
        records: those that are used: of train each text once and without what is held out.
        matched: maximum matching before any filter, against the gold mentions.
        floors: filter threshold → (mentions, mentions with their entity) of maximum matching over the names that pass,
            each linked to the entity that train links the name to most often, else to the first candidate.
        windows_cut: windows with more tokens than the encoder has positions.
        unknown, units: tokens of the texts, and those of them that are unknown; 0 where no tokens are read.
        every: all matches that pass the recipe's filter, overlapping ones too: what the model chooses from.
    """

    filters: Sequence[float]
    records: int = 0
    rejected: int = 0
    duplicates: int = 0
    conflicting: int = 0
    gold: int = 0
    nil: int = 0
    unknown_ids: int = 0
    windows_cut: int = 0
    unknown: int = 0
    units: int = 0
    lengths: Lengths = field(default_factory=Lengths)
    oracle: OracleCounts = field(default_factory=lambda: OracleCounts(REASONS))
    matched: PRFScore = field(default_factory=PRFScore)
    every: PRFScore = field(default_factory=PRFScore)
    floors: dict[float, tuple[PRFScore, PRFScore]] = field(default_factory=dict)
    candidates: Counter[str] = field(default_factory=Counter)

    def add(self, example: Example, featurizer: Featurizer) -> None:
        """Count one text by the annotators' statistics as they stand."""
        self.lengths.add(example.text)
        kb, annotations, recipe = featurizer.kb, featurizer.annotations, featurizer.recipe
        gold = {(m.start, m.end): m.kb_id for m in example.mentions if not m.is_nil}
        self.nil += sum(m.is_nil for m in example.mentions)
        self.gold += len(gold)
        matches = kb.match(example.text)
        habits = {number: annotations.get(kb.name(number)) for _, _, number in matches}
        self.matched += _against([(s, e) for s, e, _ in leftmost_longest(matches)], gold)
        passed = [m for m in matches if habits[m[2]].reluctance < recipe.data.name_filter]
        self.every += _against([(s, e) for s, e, _ in passed], gold)
        for limit in self.filters:
            found = leftmost_longest(m for m in matches if habits[m[2]].reluctance < limit)
            linked = Counter((s, e, self._most_frequent(featurizer, number)) for s, e, number in found)
            right = sum(linked[(s, e, kb_id)] for (s, e), kb_id in gold.items())
            mentions, links = self.floors.get(limit, (PRFScore(), PRFScore()))
            self.floors[limit] = (
                mentions + _against([(s, e) for s, e, _ in found], gold),
                links + PRFScore(right, len(found), right, len(gold)),
            )
        self._oracle(example, featurizer, matches, passed)

    @staticmethod
    def _most_frequent(featurizer: Featurizer, number: int) -> str:
        rows = featurizer.candidates(number, limit=1)
        return featurizer.kb.kb_id(rows[0])

    def _oracle(
        self, example: Example, featurizer: Featurizer, matches: list[tuple[int, int, int]], passed: list[Any]
    ) -> None:
        numbers = {(s, e): number for s, e, number in matches}
        kept = {(s, e) for s, e, _ in passed}
        cut = self._cut(example, featurizer) if CUT in self.oracle.reasons else set()
        for m in example.mentions:
            if m.is_nil:
                continue
            self.oracle.gold += 1
            row = featurizer.kb.row(m.kb_id)
            self.unknown_ids += row is None
            number = numbers.get((m.start, m.end))
            if number is None:
                self.oracle.lost[NO_NAME] += 1
                continue
            rows = featurizer.candidates(number)
            restricted = featurizer.candidates(number, restrict=featurizer.recipe.decode.restrict)
            self.candidates["mentions"] += 1
            self.candidates["all"] += len(rows)
            self.candidates["restricted"] += len(restricted)
            self.candidates["ambiguous"] += len(rows) > 1
            if (m.start, m.end) in cut:
                self.oracle.lost[CUT] += 1
            elif (m.start, m.end) not in kept:
                self.oracle.lost[FILTERED] += 1
            elif row is None or row not in rows:
                self.oracle.lost[NO_CANDIDATE] += 1
            elif row not in restricted:
                self.oracle.lost[RESTRICTED] += 1
            elif row not in restricted[: featurizer.recipe.decode.candidates]:
                self.oracle.lost[LEFT_OUT] += 1

    def _cut(self, example: Example, featurizer: Featurizer) -> set[tuple[int, int]]:
        """The mentions that the units of no window express; counts windows that lose their end."""
        data, text, reader = featurizer.recipe.data, example.text, featurizer.reader
        spans = {(m.start, m.end) for m in example.mentions}
        pieces = windows(text, data.window, data.overlap)
        before = reader.cut
        for (a, b), units in zip(pieces, reader.units_all([text[a:b] for a, b in pieces]), strict=True):
            spans -= {(s, e) for s, e in spans if a <= s and e <= b and units.span_of(s - a, e - a)}
            self.units += int(units.inside.sum())
            self.unknown += int(np.count_nonzero(units.ids == reader.unknown))
        self.windows_cut += reader.cut - before
        return spans

    def numbers(self) -> dict[str, Any]:
        """For ``--json``."""
        mentions = max(self.candidates["mentions"], 1)
        return {
            "records": self.records,
            "rejected": self.rejected,
            "duplicates": self.duplicates,
            "lengths": self.lengths.numbers(),
            "mentions": self.gold,
            "nil": self.nil,
            "unknown_ids": self.unknown_ids,
            "windows_cut": self.windows_cut,
            "candidates_per_mention": self.candidates["all"] / mentions,
            "candidates_after_restriction": self.candidates["restricted"] / mentions,
            "ambiguous_mentions": self.candidates["ambiguous"] / mentions,
            "oracle": self.oracle.numbers(),
            "floor": {
                f"{limit:g}": {"mention_f1": mentions_.f1, "f1": links.f1}
                for limit, (mentions_, links) in self.floors.items()
            },
        }


def _against(spans: Sequence[tuple[int, int]], gold: dict[tuple[int, int], str]) -> PRFScore:
    hits = sum(span in gold for span in set(spans))
    return PRFScore(hits, len(spans), hits, len(gold))


def corpus_table(splits: dict[str, Survey]) -> Table:
    """Records, lengths, mentions, candidates."""
    all_ = list(splits.values())

    def row(name: str, *cells: Cell) -> list[Cell]:
        return [name, *cells]

    rows = [
        row("records", *(s.records for s in all_)),
        row("left out as bad", *(s.rejected for s in all_)),
        row("repeated", *(s.duplicates for s in all_)),
        row("length p50 / p95 / max", *(f"{n['p50']} / {n['p95']} / {n['max']}" for n in lengths(all_))),
        row("mentions with an id", *(s.gold for s in all_)),
        row("mentions that are NIL", *(s.nil for s in all_)),
        row("ids that the knowledge base lacks", *(s.unknown_ids for s in all_)),
        row("candidates per mention", *(_ratio(s.candidates, "all") for s in all_)),
        row("… after the restriction", *(_ratio(s.candidates, "restricted") for s in all_)),
        row("mentions with several candidates", *(f"{_ratio(s.candidates, 'ambiguous'):.2%}" for s in all_)),
    ]
    if any(s.units for s in all_):
        rows.append(row("unknown tokens", *(percent(s.unknown, s.units) for s in all_)))
    return Table("Corpus", ["", *splits], rows)


def lengths(splits: Sequence[Survey]) -> list[dict[str, int]]:
    """p50, p95 and max of each."""
    return [split.lengths.numbers() for split in splits]


def _ratio(counts: Counter[str], key: str) -> float:
    return counts[key] / max(counts["mentions"], 1)


def matcher_table(dev: Survey, limit: float) -> Table:
    """The matcher before and after the filter, and the floor without any network, on dev."""

    def row(name: str, score: PRFScore, linked: PRFScore | None = None) -> list[Cell]:
        return [name, score.precision, score.recall, score.f1, None if linked is None else linked.f1]

    rows = [row("maximum matching", dev.matched)]
    rows += [row(f"… names below {limit_:g}, most frequent id", *dev.floors[limit_]) for limit_ in sorted(dev.floors)]
    rows.append(row(f"all matches below {limit:g}, overlapping ones too", dev.every))
    note = (
        "a name passes the filter where (not annotated + 1) / (annotated + 1) in train is below the number; the rows "
        "with a most frequent id are the floor: no network"
    )
    return Table("Dictionary against gold mentions, dev", ["", "P", "R", "mention F1", "end-to-end F1"], rows, note)
