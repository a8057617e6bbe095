"""The scorers of CCKS 2019 (``ccks2019``) and CCKS 2020 (``ccks2020``) entity linking.

Pure: mappings in, a report out. The rules are those of ``judge.py``; no heavy imports.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ietool.errors import UserError
from ietool.intervals import f1_interval
from ietool.report.tables import Cell, Table
from ietool.scoring import PRFScore, Report, Verdict, coverage_notes
from ietool.tasks.base import Progress, no_progress
from ietool.tasks.el.ambiguity import COUNTED, PRIOR, Ambiguity, Candidates, KBCandidates, Links, links_of
from ietool.tasks.el.data import Mention, normalise
from ietool.tasks.el.explain import explain_text, in_context
from ietool.tasks.el.judge import ALWAYS, DICTIONARY, MISSED, WRONG, Error, Judged, judge
from ietool.tasks.el.submission import TextKey, read_for_scoring

__all__ = ["METRICS", "definition", "read_for_scoring", "score", "score_paths"]

METRICS = ("ccks2019", "ccks2020")
"""The variants there are, the default first."""

_PLACE = "exactly the same mention (upper and lower case count) at the same offset"
_TEXT = "if a text with the same text_id and characters has in gold"
_NAMES = 15  # rows of the table of names
_EXAMPLES = 2  # of each kind of error


def definition(metric: str) -> str:
    """The sentence that says what counts as correct under a variant, end to end."""
    if metric == "ccks2019":
        return (
            f"A predicted mention is right {_TEXT} {_PLACE} with the same kb_id; gold mentions whose kb_id is NIL are "
            "left out, a predicted NIL is never right, repeated predictions count once, and predictions on texts that "
            "gold lacks cost nothing."
        )
    return (
        f"A predicted mention is right {_TEXT} {_PLACE}, and a numeric kb_id equals gold's, any other (NIL_Type) is "
        "one of gold's a|b; gold NILs count, only the first prediction of a mention at an offset can be right, and "
        "predictions on texts that gold lacks are wrong."
    )


@dataclass
class _Sums:
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


def score(
    gold: Mapping[TextKey, Sequence[Mention]],
    predictions: Mapping[TextKey, Sequence[Mention]],
    *,
    metric: str,
    kb: Candidates | None = None,
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
        explain: also give a verdict on every mention.
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
    sums = _Sums(ambiguity=None if kb is None else Ambiguity(kb, links))
    verdicts: list[Verdict] = []
    keys: Iterable[TextKey] = gold
    if metric == "ccks2020":
        # The organisers' script goes through all predictions; what is on other texts is wrong.
        keys = [*gold, *(key for key in predictions if key not in gold)]
    for key in keys:
        judged = judge(gold.get(key, ()), predictions.get(key, ()), metric, kb, known=key in gold)
        sums.add(key[1], judged)
        if explain:
            verdicts += explain_text(key, judged, metric, answered=key in predictions)
    total, places = sum(sums.total, PRFScore()), sum(sums.places, PRFScore())
    interval = f1_interval(sums.total, resamples=resamples)
    accuracies, counts = _ambiguous_values(sums.ambiguity)
    tables = [
        _stages(metric, sums, resamples),
        _errors("Gold mentions missed, by kind", sums.missed, MISSED, "predicted", with_kb=kb is not None),
        _errors("Wrong predictions, by kind", sums.wrong, WRONG, "gold"),
        _worst_names(sums),
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
        interval=interval,
        notes=[*notes, *_notes(gold, predictions, metric, sums)],
        verdicts=verdicts,
    )


def _notes(
    gold: Mapping[TextKey, Sequence[Mention]],
    predictions: Mapping[TextKey, Sequence[Mention]],
    metric: str,
    sums: _Sums,
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


def _ambiguous_values(ambiguity: Ambiguity | None) -> tuple[dict[str, float], dict[str, int]]:
    """(accuracies, counts) for :attr:`Report.values`."""
    if ambiguity is None:
        return {}, {}
    found = sum(ambiguity.texts, PRFScore())
    accuracies = {"ambiguous_accuracy": found.precision}
    if ambiguity.links is not None:
        accuracies["ambiguous_prior"] = ambiguity.prior / found.gold if found.gold else 0.0
    return accuracies, {"ambiguous_mentions": found.gold}


def _stages(metric: str, sums: _Sums, resamples: int) -> Table:
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
        prf("mention", sums.places, f"gold ({without}) has {_PLACE}, whatever its kb_id"),
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


def _errors(
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


def _worst_names(sums: _Sums) -> Table:
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
        explain: also give a verdict on every mention.
        progress: told how far compiling is.

    Raises:
        UserError: a file cannot be read, is not of the form, or gold holds no record.
    """
    wanted = read_for_scoring(gold)
    if not wanted.records:
        raise UserError("holds no record", file=gold, mend="bring the gold file of the texts you predicted on")
    given = read_for_scoring(predictions)
    metric = metric or wanted.form
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
    candidates: Candidates | None = None
    links: Links | None = None
    if kb is not None:
        from ietool.tasks.el.kb import open_any
        from ietool.tasks.el.kb_lookup import annotations_beside

        opened = open_any(Path(kb), progress=progress)
        if opened.compiled_now:
            notes.append(f"{kb} was compiled into {opened.folder}, from where it is opened the next time")
        candidates = KBCandidates(opened)
        annotations = annotations_beside(opened)
        links = None if annotations is None else links_of(annotations)
    return score(
        wanted.mentions, given.mentions, metric=metric, kb=candidates, links=links, explain=explain, notes=notes
    )
