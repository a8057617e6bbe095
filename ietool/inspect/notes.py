"""What the user should know of a corpus, or mend, before hours of training: sentences, the weightiest first."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from ietool.core.survey import percent
from ietool.inspect.characters import LOST
from ietool.inspect.finding import Corpus
from ietool.inspect.survey import OTHERS, SplitSurvey
from ietool.registry import get_task

FEW = 5
"""Items of train below which a label can hardly be learnt."""

NAMED, PLACES = 5, 2
"""Labels and places that a sentence names."""


def notes_of(corpus: Corpus, found: Sequence[SplitSurvey]) -> list[str]:
    """What the user should know of a corpus."""
    return [
        *corpus.notes,
        *_missing(corpus, found),
        *_of_files(corpus, found),
        *_between(found),
        *_labels(corpus, found),
    ]


def _missing(corpus: Corpus, found: Sequence[SplitSurvey]) -> Iterator[str]:
    task = get_task(corpus.task)
    roles = {one.split.role for one in found} | set(corpus.beside)
    if lacking := [role for role in task.roles if role not in roles]:
        yield f"there is no {' and no '.join(lacking)} file: without it nothing is trained"
    if "train" in roles and "dev" not in roles:
        yield "there is no dev file: a part of train is held out as dev (data.held_out)"


def _of_files(corpus: Corpus, found: Sequence[SplitSurvey]) -> Iterator[str]:
    task = get_task(corpus.task)
    for one in found:
        name = one.split.path.name
        if one.fault is not None:
            yield f"{name} cannot be read to its end: {one.fault}"
        if one.bad and one.records:
            yield f"{name}: {_many(one.bad, 'bad record', 'bad records')}: mend them, or leave them out with --skip-bad"
        if one.otherwise:
            yield (
                f"{name}: {_many(one.otherwise, 'record has', 'records have')} the text of an earlier one and other "
                f"labels (first: {', '.join(one.places[:PLACES])}); of repeated texts a preparation takes the first"
            )
        for kind, seen in one.names.items():
            if seen.lost:
                yield (
                    f"{name}: {seen.lost:,} of {seen.total:,} {kind}s ({percent(seen.lost, seen.total)}) do not stand "
                    "in what is read: what finds stretches of text cannot find them"
                )
        if one.overlapping:
            yield (
                f"{name}: {one.overlapping:,} of {one.items:,} {task.finds} overlap others: a head with one tag a "
                "place loses some"
            )
        if (lost := one.characters.trouble.get(LOST)) is not None:
            many = _many(lost.texts, "text has", "texts have")
            yield f"{name}: {many} the sign of what could not be read (first: {lost.first}): get a better copy"
    moved = [f"{one.split.path.name} {one.characters.moved:,}" for one in found if one.characters.moved]
    if moved:
        yield (
            "under NFKC some texts become longer or shorter, and offsets of tools that normalise are not those of the "
            f"file: {', '.join(moved)}"
        )


def _between(found: Sequence[SplitSurvey]) -> Iterator[str]:
    names = {one.split.name: one.split for one in found}
    for one in found:
        name = one.split.path.name
        for other, shared in one.shared.items():
            theirs = names[other]
            if shared.kin and not (one.split.learnt and theirs.learnt):
                flattered = one.split.judged and theirs.learnt
                share = percent(shared.kin, one.records)
                effect = ": scores on it flatter what learns by heart" if flattered else ""
                records = _many(one.records, "record", "records")
                are = "is" if shared.kin == 1 else "are"
                yield f"{name}: {shared.kin:,} of {records} ({share}) {are} kin of one in {theirs.path.name}{effect}"
            if shared.otherwise:
                texts = _many(shared.otherwise, "text stands", "texts stand")
                yield f"{name}: {texts} in {theirs.path.name} with other labels"


def _labels(corpus: Corpus, found: Sequence[SplitSurvey]) -> Iterator[str]:
    what = get_task(corpus.task).words.labels
    known: Counter[str] = Counter()
    for one in found:
        if one.split.learnt:
            known += one.labels
    if not known:
        return
    few = [label for label, count in known.items() if count < FEW]
    if few:
        yield f"{len(few):,} of the {len(known):,} {what} stand fewer than {FEW} times in train: {_named(few)}"
    for one in found:
        fresh = [label for label in one.labels if label not in known and label != OTHERS]
        if fresh:
            items = _many(sum(one.labels[label] for label in fresh), "item is", "items are")
            yield f"{one.split.path.name}: {items} of {what} that train has not: {_named(fresh)}"


def _many(number: int, one: str, more: str) -> str:
    return f"{number:,} {one if number == 1 else more}"


def _named(labels: Sequence[str]) -> str:
    more = f" and {len(labels) - NAMED:,} more" if len(labels) > NAMED else ""
    return ", ".join(labels[:NAMED]) + more
