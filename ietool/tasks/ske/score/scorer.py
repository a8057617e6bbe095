"""The official scorers of SKE 2019 (``ske2019``) and DuIE 2.0 (``duie2``), and exact triples (``webnlg``).

Pure: mappings in, a report out. What matches follows the organisers' scripts, see ``judge.py``. No heavy imports.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from ietool.errors import UserError
from ietool.scoring.coverage import check_shared
from ietool.scoring.intervals import bootstrap, prf_counts, prf_measures
from ietool.scoring.prf import PRFScore
from ietool.scoring.report import Outcome, Report, coverage_notes
from ietool.scoring.tables import prf_table
from ietool.tasks.ske.data.example import Triple
from ietool.tasks.ske.data.schema import WEBNLG
from ietool.tasks.ske.score.explain import explain_text
from ietool.tasks.ske.score.files import detect_metric, read_for_scoring, read_names
from ietool.tasks.ske.score.judge import Judged, Matching, Names, judge

METRICS = ("duie2", "ske2019", WEBNLG)
"""The variants there are, the default first."""

_NORMALISED = (
    "after lower-casing and taking one 《…》 pair off a name that has both ends "
    "(spaces, width and punctuation count, types do not)"
)


def definition(metric: str, *, alias: bool = False, locations: bool = False) -> str:
    """The sentence that says what counts as correct under a variant and the dictionaries in use."""
    if metric == WEBNLG:
        parts = [
            "A predicted triple is right if a gold triple of exactly the same text has the same subject, relation and "
            "object, to the character and in the same case; each counts once a text, as in CasRel's exact match"
        ]
    elif metric == "ske2019":
        parts = [
            "A predicted triple is right if a gold triple of exactly the same text has the same subject, predicate and "
            f"object, {_NORMALISED}"
        ]
        if alias:
            parts.append("an alias of the predicted subject or object counts as that name")
        if locations:
            parts.append("an object that is a location name of the gold object counts as that object")
    else:
        parts = [
            "A predicted triple is right if a gold triple of exactly the same text has the same subject, predicate and "
            f"slots of the object, with the same value in every slot, {_NORMALISED}"
        ]
        if alias:
            parts.append("two names that are aliases of each other, in both directions, count as the same")
    if alias:
        parts.append("predictions that are aliases of an earlier one count once")
    return "; ".join(parts) + "."


def score(
    gold: Mapping[str, Sequence[Triple]],
    predictions: Mapping[str, Sequence[Triple]],
    *,
    metric: str,
    alias: Names | None = None,
    locations: Names | None = None,
    explain: bool = False,
    notes: Sequence[str] = (),
    resamples: int = 2000,
) -> Report:
    """The official score of predictions, micro over all texts of gold.

    Args:
        gold: exact text → gold triples.
        predictions: exact text → predicted triples; a missing text is an empty prediction, extra texts cost nothing.
        metric: ``ske2019``, ``duie2`` or ``webnlg``.
        alias: lower-cased name → its aliases; looked up from the prediction (``ske2019``) or both ways (``duie2``).
        locations: lower-cased gold object → place names that count for it; ``ske2019`` only.
        explain: also give a verdict on every triple.
        notes: remarks to pass on in the report.
        resamples: draws of the bootstrap interval; 0: no interval.

    Returns:
        values ``precision recall f1`` (0 to 1) and the counts ``texts gold predicted right found`` (``found``: gold
        triples hit, other than ``right`` only under dictionaries), a table of relations, worst F1 first.

    Raises:
        UserError: unknown metric, or locations under ``duie2``.
    """
    if metric not in METRICS:
        raise UserError(f"no scoring variant is called {metric!r}", field="metric", mend=f"use {' or '.join(METRICS)}")
    if locations and metric == "duie2":
        raise UserError("duie2 has no location dictionary", field="locations", mend="leave --locations out")
    if metric == WEBNLG and (alias or locations):
        mend = "leave --alias and --locations out"
        raise UserError("webnlg has no dictionaries: names count as they stand", field="alias", mend=mend)
    matching = Matching(metric, alias or {}, locations or {})
    per_text: list[PRFScore] = []
    counts = tuple[Counter[str], Counter[str], Counter[str], Counter[str]]((Counter(), Counter(), Counter(), Counter()))
    outcomes: list[Outcome] = []
    for text, triples in gold.items():
        judged = judge(triples, predictions.get(text, ()), matching)
        per_text.append(_count(judged, counts))
        if explain:
            outcomes += explain_text(text, judged, matching, answered=text in predictions)
    by_text = prf_counts(per_text)
    hits, predicted, found, wanted = counts
    total = PRFScore(hits.total(), predicted.total(), found.total(), wanted.total())
    by_relation = {
        name: PRFScore(hits[name], predicted[name], found[name], wanted[name]) for name in {**wanted, **predicted}
    }
    return Report(
        metric=metric,
        definition=definition(metric, alias=bool(alias), locations=bool(locations)),
        values=total.values(len(gold)),
        tables=[prf_table("Relations, worst first", "relation", by_relation, found=not matching.plain)],
        interval=bootstrap(by_text, prf_measures, resamples=resamples).get("f1"),
        notes=[*notes, *coverage_notes(gold.keys(), predictions.keys())],
        keys=list(gold),
        counts=by_text,
        measures=prf_measures,
        outcomes=outcomes,
    )


def _count(judged: Judged, counts: tuple[Counter[str], ...]) -> PRFScore:
    """Add one text to the counts per predicate (right, predicted, found, gold), and give its own."""
    parts = [list(keys) for keys in (judged.right, judged.predicted, judged.found, judged.gold)]
    for counter, keys in zip(counts, parts, strict=True):
        for key in keys:
            counter[key[1]] += 1
    return PRFScore(*(len(keys) for keys in parts))


def score_paths(
    gold: str | Path,
    predictions: str | Path,
    *,
    metric: str | None = None,
    alias: str | Path | None = None,
    locations: str | Path | None = None,
    explain: bool = False,
) -> Report:
    """The official score of a submission file: as :func:`score`, on files plain or packed.

    Raises:
        UserError: a file cannot be read, is not of the variant's form, or gold holds no record.
    """
    if metric is None:
        if str(gold) == "-" or (Path(gold).exists() and not Path(gold).is_file()):  # it can be read but once
            what = "gold on standard input" if str(gold) == "-" else f"gold from a pipe ({gold})"
            raise UserError(f"{what} needs the variant", field="metric", mend="add --metric duie2")
        metric = detect_metric(gold)
    wanted = read_for_scoring(gold, metric)
    if not wanted.records:
        raise UserError("holds no record", file=gold, mend="bring the gold file of the texts you predicted on")
    given = read_for_scoring(predictions, metric)
    shared = len(wanted.triples.keys() & given.triples.keys())
    check_shared(len(wanted.triples), len(given.triples), shared, file=predictions)
    notes = []
    if not given.records:
        notes.append(f"{predictions} holds no record: every prediction is empty")
    for name, scored in (("gold", wanted), ("predictions", given)):
        if scored.repeated:
            notes.append(f"{name}: {scored.repeated:,} lines have a text that stands again further down; the last wins")
    return score(
        wanted.triples,
        given.triples,
        metric=metric,
        alias=None if alias is None else read_names(alias),
        locations=None if locations is None else read_names(locations),
        explain=explain,
        notes=notes,
    )
