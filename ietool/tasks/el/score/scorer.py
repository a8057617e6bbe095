"""The scorers of CCKS 2019 (``ccks2019``) and CCKS 2020 (``ccks2020``) entity linking.

Pure: mappings in, a report out. The rules are those of ``judge.py``; no heavy imports.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from ietool.errors import UserError
from ietool.progress import Progress, no_progress
from ietool.scoring.coverage import check_shared
from ietool.scoring.intervals import bootstrap, prf_counts, prf_measures
from ietool.scoring.prf import PRFScore
from ietool.scoring.report import Outcome, Report, coverage_notes
from ietool.tasks.el.data.example import Mention
from ietool.tasks.el.score.ambiguity import Ambiguity, IdsInKB, IdsOfNames, Links, links_of
from ietool.tasks.el.score.explain import explain_text
from ietool.tasks.el.score.files import TextKey, read_for_scoring
from ietool.tasks.el.score.judge import MISSED, WRONG, judge
from ietool.tasks.el.score.sums import Sums
from ietool.tasks.el.score.tables import PLACE, error_table, name_table, stage_table

METRICS = ("ccks2019", "ccks2020")
"""The variants there are, the default first."""

_TEXT = "if a text with the same text_id and characters has in gold"


def definition(metric: str) -> str:
    """The sentence that says what counts as correct under a variant, end to end."""
    if metric == "ccks2019":
        return (
            f"A predicted mention is right {_TEXT} {PLACE} with the same kb_id; gold mentions whose kb_id is NIL are "
            "left out, a predicted NIL is never right, repeated predictions count once, and predictions on texts that "
            "gold lacks cost nothing."
        )
    return (
        f"A predicted mention is right {_TEXT} {PLACE}, and a numeric kb_id equals gold's, any other (NIL_Type) is "
        "one of gold's a|b; gold NILs count, only the first prediction of a mention at an offset can be right, and "
        "predictions on texts that gold lacks are wrong."
    )


def score(
    gold: Mapping[TextKey, Sequence[Mention]],
    predictions: Mapping[TextKey, Sequence[Mention]],
    *,
    metric: str,
    kb: IdsOfNames | None = None,
    links: Links | None = None,
    explain: bool = False,
    notes: Sequence[str] = (),
    resamples: int = 2000,
) -> Report:
    """The score of predictions, micro over all texts, with what was lost at which stage.

    Args:
        gold: (text_id, text) → gold mentions, NIL ones too.
        predictions: (text_id, text) → predicted mentions; a missing text is an empty prediction.
        metric: ``ccks2019`` or ``ccks2020``.
        kb: the names of the knowledge base and what they may mean, to tell which misses are the dictionary's and how
            well ambiguous mentions are linked.
        links: what train links names to, to tell how well ambiguous mentions would be linked by that alone.
        explain: also tell of every mention how it was judged.
        notes: remarks to pass on in the report.
        resamples: draws of the bootstrap intervals; 0: none.

    Returns:
        values (0 to 1) ``precision recall f1`` end to end, ``mention_precision mention_recall mention_f1`` of mention
        and offset alone, ``linking_accuracy`` given the right mention, with ``kb`` also ``ambiguous_accuracy`` of those
        whose name has several candidates and, with ``links``, ``ambiguous_prior`` (an accuracy of no mention is 0); and
        the counts ``texts gold predicted right``, with ``kb`` also ``ambiguous_mentions``. Tables of the stages, of
        both sides' errors by kind, and of the names with most errors.

    Raises:
        UserError: unknown metric.
    """
    if metric not in METRICS:
        raise UserError(f"no scoring variant is called {metric!r}", field="metric", mend=f"use {' or '.join(METRICS)}")
    sums = Sums(ambiguity=None if kb is None else Ambiguity(kb, links))
    outcomes: list[Outcome] = []
    keys: list[TextKey] = list(gold)
    if metric == "ccks2020":
        # The organisers' script goes through all predictions; what is on other texts is wrong.
        keys += [key for key in predictions if key not in gold]
    for key in keys:
        judged = judge(gold.get(key, ()), predictions.get(key, ()), metric, kb, known=key in gold)
        sums.add(key[1], judged)
        if explain:
            outcomes += explain_text(key, judged, metric, answered=key in predictions)
    total, places = sum(sums.total, PRFScore()), sum(sums.places, PRFScore())
    per_text = prf_counts(sums.total)
    accuracies, counts = _ambiguous_values(sums.ambiguity)
    tables = [
        stage_table(metric, sums, resamples),
        error_table("Gold mentions missed, by kind", sums.missed, MISSED, "predicted", with_kb=kb is not None),
        error_table("Wrong predictions, by kind", sums.wrong, WRONG, "gold"),
        name_table(sums),
    ]
    return Report(
        metric=metric,
        definition=definition(metric),
        values={
            "precision": total.precision,
            "recall": total.recall,
            "f1": total.f1,
            "mention_precision": places.precision,
            "mention_recall": places.recall,
            "mention_f1": places.f1,
            "linking_accuracy": sum(sums.linked, PRFScore()).precision,
            **accuracies,
            "texts": len(gold),
            "gold": total.gold,
            "predicted": total.predicted,
            "right": total.hits,
            **counts,
        },
        tables=[table for table in tables if table.rows],
        interval=bootstrap(per_text, prf_measures, resamples=resamples).get("f1"),
        notes=[*notes, *_notes(gold, predictions, metric, sums)],
        keys=keys,
        counts=per_text,
        measures=prf_measures,
        outcomes=outcomes,
    )


def _notes(
    gold: Mapping[TextKey, Sequence[Mention]],
    predictions: Mapping[TextKey, Sequence[Mention]],
    metric: str,
    sums: Sums,
) -> list[str]:
    """What a user should know about texts and NILs."""
    price = "cost nothing" if metric == "ccks2019" else "count as wrong"
    notes = coverage_notes(gold.keys(), predictions.keys(), extra=price)
    texts = {key[1] for key in gold if key not in predictions}
    renamed = sum(key[1] in texts for key in predictions if key not in gold)
    if renamed:
        notes.append(f"{renamed:,} of the predicted texts stand in gold under another text_id, which counts")
    if metric == "ccks2019":
        nil = sum(error.mention.is_nil for errors in sums.wrong.values() for _, error in errors)
        if nil:
            notes.append(f"{nil:,} predicted mentions have NIL as kb_id and count as wrong: leave such mentions out")
        if sums.left_out:
            notes.append(f"{sums.left_out:,} gold mentions have NIL as kb_id and are left out")
    if sums.ambiguity is not None and sums.ambiguity.unreachable:
        notes.append(
            f"{sums.ambiguity.unreachable:,} of the ambiguous mentions have a gold id that the knowledge base does not "
            "give their name: nothing that chooses among its candidates can link them"
        )
    return notes


def _check_shared(gold: Collection[TextKey], predictions: Collection[TextKey], file: str | Path) -> None:
    """Raise UserError if the files are about different texts, or name the same ones by other ids."""
    shared = sum(key in gold for key in predictions)
    texts = {key[1] for key in gold}
    renamed = sum(key[1] in texts for key in predictions) - shared
    mend = f"keep gold's text_id: {renamed:,} texts stand in gold under another one" if renamed > shared else None
    check_shared(len(gold), len(predictions), shared, file=file, mend=mend)


def _ambiguous_values(ambiguity: Ambiguity | None) -> tuple[dict[str, float], dict[str, int]]:
    """(accuracies, counts) for :attr:`Report.values`."""
    if ambiguity is None:
        return {}, {}
    found = sum(ambiguity.texts, PRFScore())
    accuracies = {"ambiguous_accuracy": found.precision}
    if ambiguity.links is not None:
        accuracies["ambiguous_prior"] = ambiguity.prior / found.gold if found.gold else 0.0
    return accuracies, {"ambiguous_mentions": found.gold}


def score_paths(
    gold: str | Path,
    predictions: str | Path,
    *,
    metric: str | None = None,
    kb: str | Path | None = None,
    explain: bool = False,
    progress: Progress = no_progress,
) -> Report:
    """The score of a submission file: as :func:`score`, on files plain or packed.

    Args:
        gold: the gold file.
        predictions: the submission.
        metric: None: ``ccks2020`` if gold has a NIL with a type (``NIL_Person``), else ``ccks2019``.
        kb: a knowledge base, compiled or not, to tell which misses are the dictionary's and how well ambiguous mentions
            are linked; in a prepared folder or a run folder the annotators' statistics beside it tell what the prior
            would reach on these. A file is compiled once, and found again by its content.
        explain: also tell of every mention how it was judged.
        progress: told how far compiling is.

    Raises:
        UserError: a file cannot be read, is not of the form, or gold holds no record.
    """
    wanted = read_for_scoring(gold)
    if not wanted.records:
        raise UserError("holds no record", file=gold, mend="bring the gold file of the texts you predicted on")
    given = read_for_scoring(predictions)
    metric = metric or wanted.form
    _check_shared(wanted.mentions, given.mentions, predictions)
    notes = []
    if not given.records:
        notes.append(f"{predictions} holds no record: every prediction is empty")
    for name, scored in (("gold", wanted), ("predictions", given)):
        if scored.repeated:
            what = (
                f"{name}: {scored.repeated:,} lines have a text_id and text that stood before; their mentions are added"
            )
            notes.append(what)
    if metric == "ccks2020" and (odd := [key[0] for key in given.mentions if not key[0].isdigit()]):
        notes.append(f"{len(odd):,} text_ids are no numbers ({odd[0]!r}), which the organisers' checker refuses")
    candidates: IdsOfNames | None = None
    links: Links | None = None
    if kb is not None:
        from ietool.tasks.el.kb.knowledge_base import open_any
        from ietool.tasks.el.lookup import annotations_beside

        opened = open_any(Path(kb), progress=progress)
        if opened.compiled_now:
            notes.append(f"{kb} was compiled into {opened.folder}, from where it is opened the next time")
        candidates = IdsInKB(opened)
        annotations = annotations_beside(opened)
        links = None if annotations is None else links_of(annotations)
    return score(
        wanted.mentions, given.mentions, metric=metric, kb=candidates, links=links, explain=explain, notes=notes
    )
