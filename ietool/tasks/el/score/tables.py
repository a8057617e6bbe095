"""The tables of a score."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from ietool.scoring.intervals import f1_interval
from ietool.scoring.prf import PRFScore
from ietool.tables import Cell, Table
from ietool.tasks.el.data.example import normalise
from ietool.tasks.el.score.ambiguity import COUNTED, PRIOR
from ietool.tasks.el.score.explain import in_context
from ietool.tasks.el.score.judge import ALWAYS, DICTIONARY, Error
from ietool.tasks.el.score.sums import Sums

PLACE = "exactly the same mention (upper and lower case count) at the same offset"
"""When a predicted mention stands where a gold one does, in words."""

_NAMES = 15  # rows of the table of names
_EXAMPLES = 2  # of each kind of error


def stage_table(metric: str, sums: Sums, resamples: int) -> Table:
    """One row a stage; the intervals are those of F1, or of the accuracy where there is one."""
    without = "without those of kb_id NIL" if metric == "ccks2019" else "NIL ones too"

    def prf(name: str, scores: Sequence[PRFScore], means: str) -> list[Cell]:
        total = sum(scores, PRFScore())
        interval = f1_interval(scores, resamples=resamples) or (None, None)
        return [name, total.precision, total.recall, total.f1, None, *interval,
                total.hits, total.predicted, total.gold, means]  # fmt: skip

    def accuracy(name: str, scores: Sequence[PRFScore], means: str) -> list[Cell]:
        # Of an accuracy precision, recall and F1 are the same number.
        total = sum(scores, PRFScore())
        interval = (f1_interval(scores, resamples=resamples) if total.gold else None) or (None, None)
        share = total.precision if total.gold else None
        return [name, None, None, None, share, *interval, total.hits, total.gold, None, means]

    rows = [
        prf("mention", sums.places, f"gold ({without}) has {PLACE}, whatever its kb_id"),
        accuracy(
            "linking",
            sums.linked,
            "the kb_id is right, given that the mention is: only mentions right in the first row are looked at",
        ),
    ]
    if (ambiguity := sums.ambiguity) is not None:
        rows.append(accuracy("linking, ambiguous", ambiguity.texts, COUNTED))
        if ambiguity.links is not None:
            every = sum(ambiguity.texts, PRFScore()).gold
            share = ambiguity.prior / every if every else None
            rows.append(["… by the prior", None, None, None, share, None, None, ambiguity.prior, every, None, PRIOR])
    rows.append(prf("end to end", sums.total, "mention and kb_id are right: the score of the competition"))
    columns = ["stage", "P", "R", "F1", "accuracy", "from", "to (95 %)", "right", "of", "gold", "right means"]
    return Table("Stages", columns, rows)


def error_table(
    title: str,
    found: Mapping[str, list[tuple[str, Error]]],
    kinds: Mapping[str, str],
    side: str,
    *,
    with_kb: bool = False,
) -> Table:
    """One row a kind, in the order of ``kinds``, with its first examples and what the other ``side`` has there."""
    every = sum(map(len, found.values()))
    rows: list[list[Cell]] = []
    for kind, meaning in kinds.items():
        errors = found.get(kind, [])
        if errors or (every and kind in ALWAYS) or (every and with_kb and kind == DICTIONARY):
            examples = "; ".join(in_context(text, error, side) for text, error in errors[:_EXAMPLES])
            rows.append([kind, len(errors), len(errors) / every, meaning, examples])
    return Table(title, ["kind", "count", "share", "meaning", "examples"], rows)


def name_table(sums: Sums) -> Table:
    missed, wrong, right = (_normalised(names) for names in (sums.missed_names, sums.wrong_names, sums.right_names))
    errors = missed + wrong
    worst = sorted(errors, key=lambda name: (-errors[name], name))[:_NAMES]
    rows = [(name, missed[name], wrong[name], right[name]) for name in worst]
    note = f"{len(errors):,} names have errors" if len(errors) > len(rows) else ""
    return Table("Names with most errors", ["name", "missed", "wrong", "right"], rows, note)


def _normalised(names: Counter[str]) -> Counter[str]:
    counts = Counter[str]()
    for name, count in names.items():
        counts[normalise(name)] += count
    return counts
