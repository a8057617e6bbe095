"""Scorers of entities: ``seqeval`` in strict mode, exact spans, and the organisers' rule of CLUENER.

Pure: entities in, a report out; no heavy imports.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ietool.errors import UserError
from ietool.scoring.intervals import bootstrap, prf_measures
from ietool.scoring.prf import PRFScore
from ietool.scoring.report import Counts, Outcome, Report
from ietool.scoring.tables import prf_table
from ietool.tasks.ner.data.example import Entity, flatten
from ietool.tasks.ner.data.forms.recognise import RECORDS
from ietool.tasks.ner.data.reading import LONGEST
from ietool.tasks.ner.data.schemes import SCHEMES
from ietool.tasks.ner.score.explain import Names, explain_text, names_of
from ietool.tasks.ner.score.files import pair_up, read_for_scoring

METRICS = ("seqeval", "span", "cluener")
"""The variants there are."""

_SEQEVAL = (
    "A predicted entity is right if gold has one of the same type with the same first and last token; entities are "
    "read from the tags by seqeval in strict mode under {scheme}, so that tags which break the scheme are no entity; "
    "micro over all entities."
)
_SPAN = (
    "A predicted entity is right if gold has one of the same type with the same first and last character in the same "
    "text, nested and overlapping ones included; each counts once; micro over all entities."
)
_CLUENER = (
    "A predicted name is right if gold has the same string under the same type in the same text, wherever it stands "
    "and however often; precision, recall and F1 are means over the types (macro), as in CLUENER's own score.py."
)

Item = tuple[str, Sequence[Entity]]
"""A text and its gold."""

Key = tuple[str | tuple[int, int], str]
"""What must agree: the name or the place, and the type."""


def metric_of(form: str) -> str:
    """The variant for a form of gold: ``span`` for a text a line, which tags cannot always state, else ``seqeval``."""
    return "span" if form in ("", *RECORDS) else "seqeval"


def score(
    gold: Sequence[Item],
    predictions: Sequence[Iterable[Entity]],
    *,
    metric: str,
    scheme: str = "bio",
    explain: bool = False,
    notes: Sequence[str] = (),
    resamples: int = 2000,
    unanswered: Sequence[bool] = (),
    names: Sequence[tuple[Names, Names]] = (),
) -> Report:
    """The score of predicted entities.

    Args:
        gold: the texts and their entities.
        predictions: those predicted for each.
        metric: one of ``METRICS``. Under ``seqeval`` entities are those that tags can state, on both sides: of such
            that overlap the longest.
        scheme: of the tags, for the definition.
        explain: also give a verdict on every entity.
        notes: remarks to pass on in the report.
        resamples: draws of the bootstrap interval; 0: no interval.
        unanswered: true for texts without any prediction.
        names: under which strings the files have the entities of gold and of predictions; default: those of the text.

    Returns:
        values ``precision recall f1`` (0 to 1) and the counts ``texts gold predicted right found``, a table of types,
        worst F1 first.

    Raises:
        UserError: unknown metric.
    """
    if metric not in METRICS:
        raise UserError(f"no scoring variant is called {metric!r}", field="metric", mend=f"use {' or '.join(METRICS)}")
    remarks = list(notes)
    sides = [[list(entities) for _, entities in gold], [list(entities) for entities in predictions]]
    if metric == "seqeval":
        sides = _stated(sides, remarks)
    names = names or [({}, {})] * len(gold)
    types, counts = _counted(
        [
            (_keys(a, text, metric, own), _keys(b, text, metric, theirs))
            for (text, _), a, b, (own, theirs) in zip(gold, *sides, names, strict=True)
        ]
    )
    by_type = {
        name: PRFScore(right, predicted, right, wanted)
        for name, (right, predicted, wanted) in zip(types, counts.sum(0).tolist(), strict=True)
    }
    values = sum(by_type.values(), PRFScore()).values(len(gold))
    flat, measures = counts.sum(1), prf_of_three
    if metric == "cluener":
        known = [n for n, name in enumerate(types) if by_type[name].gold]
        flat, measures = counts[:, known].reshape(len(gold), 3 * len(known)), _macro
        values |= {name: float(x) for name, x in _macro(flat.sum(0)).items()}
        if extra := [name for name in types if not by_type[name].gold]:
            remarks.append(f"predictions have types that gold lacks, which the mean leaves out: {', '.join(extra)}")
    flat = flat.astype(np.float64)
    definition = {"seqeval": _SEQEVAL.format(scheme=scheme.upper()), "span": _SPAN, "cluener": _CLUENER}[metric]
    outcomes: list[Outcome] = []
    keys = list(enumerate(text for text, _ in gold))
    if explain:
        for n, ((text, _), a, b) in enumerate(zip(gold, *sides, strict=True)):
            answered = not (unanswered and unanswered[n])
            outcomes += explain_text(keys[n], text, a, b, metric, names=names[n], answered=answered)
    return Report(
        metric=metric,
        definition=definition,
        values=values,
        tables=[prf_table("Types, worst first", "type", by_type)],
        interval=bootstrap(flat, measures, resamples=resamples).get("f1"),
        notes=remarks,
        keys=keys,
        counts=flat,
        measures=measures,
        outcomes=outcomes,
    )


def _stated(sides: list[list[list[Entity]]], remarks: list[str]) -> list[list[list[Entity]]]:
    """What tags can state of gold and of predictions; ``remarks`` is told how many entities they cannot."""
    flat = [[flatten(set(entities)) for entities in side] for side in sides]
    for name, side, kept in zip(("gold", "predictions"), sides, flat, strict=True):
        if lost := sum(len(set(a)) - len(b) for a, b in zip(side, kept, strict=True)):
            remarks.append(f"{name}: {lost:,} entities overlap a longer one and are left out: tags cannot state both")
    return flat


def _counted(pairs: Sequence[tuple[set[Key], set[Key]]]) -> tuple[list[str], npt.NDArray[np.int64]]:
    """The types of gold and predictions of each text, and (texts, types, 3) of right, predicted, gold."""
    types = sorted({key[1] for pair in pairs for side in pair for key in side})
    number = {name: n for n, name in enumerate(types)}
    counts = np.zeros((len(pairs), len(types), 3), np.int64)
    for n, (wanted, found) in enumerate(pairs):
        for column, keys in enumerate((wanted & found, found, wanted)):
            for key in keys:
                counts[n, number[key[1]], column] += 1
    return types, counts


def _keys(entities: Iterable[Entity], text: str, metric: str, names: Names) -> set[Key]:
    if metric == "cluener":
        return {(name, e.type) for e in entities for name in names_of(e, text, names)}
    return {((e.start, e.end), e.type) for e in entities}


def prf_of_three(sums: Counts) -> dict[str, Counts]:
    """Micro precision, recall and F1 from sums (…, 3) of right, predicted, gold."""
    return prf_measures(sums[..., [0, 1, 0, 2]])


def _macro(sums: Counts) -> dict[str, Counts]:
    """Means of precision, recall and F1 over the types of gold, from sums (…, types × 3) of right, predicted, gold."""
    by_type = sums.reshape(*sums.shape[:-1], -1, 3)
    known = by_type[..., 2] > 0  # a draw of texts may lack a rare type
    count = np.maximum(known.sum(-1), 1)
    return {name: np.where(known, values, 0.0).sum(-1) / count for name, values in prf_of_three(by_type).items()}


def score_paths(
    gold: str | Path, predictions: str | Path, *, metric: str | None = None, explain: bool = False
) -> Report:
    """The score of a submission file: as :func:`score`, on files plain or packed.

    Raises:
        UserError: a file cannot be read, is not of gold's form, or gold holds no record.
    """
    wanted = read_for_scoring(gold)
    if not len(wanted):
        raise UserError("holds no record", file=gold, mend="bring the gold file of the texts you predicted on")
    given = read_for_scoring(predictions)
    pairs, notes = pair_up(wanted, given)
    if len(wanted.sentences) == 1 and (tokens := len(wanted.sentences[0].tokens)) > LONGEST:
        notes.append(f"gold is one sentence of {tokens:,} tokens: blank lines divide sentences")
    if not len(given):
        notes.insert(0, f"{predictions} holds no record: every prediction is empty")
    return score(
        [(pair.text, sorted(pair.gold)) for pair in pairs],
        [sorted(pair.entities or ()) for pair in pairs],
        metric=metric or metric_of(wanted.form),
        scheme=wanted.form if wanted.form in SCHEMES else "bio",
        explain=explain,
        notes=notes,
        unanswered=[pair.entities is None for pair in pairs],
        names=[(pair.gold, pair.entities or {}) for pair in pairs],
    )
