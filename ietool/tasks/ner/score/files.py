"""Reading what is scored: gold and submission files, JSON or tokens and tags.

Apart from ``data.py`` because a scorer reads more loosely than training may: a text may be empty or missing, and a span
that lies outside it is merely wrong.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import seqeval.scheme
from seqeval.scheme import Entities

from ietool.errors import UserError
from ietool.files.lines import parse_json, read_lines
from ietool.files.plain_json import json_kind
from ietool.scoring.coverage import check_shared
from ietool.scoring.occurrences import numbered, numbered_as
from ietool.tasks.ner.data.example import Entity
from ietool.tasks.ner.data.forms.cluener import stated
from ietool.tasks.ner.data.forms.cmeee import read_line
from ietool.tasks.ner.data.forms.recognise import CLUENER, CMEEE, told
from ietool.tasks.ner.data.forms.tokens import Sentence, SentenceReader, join_tokens, split_tags
from ietool.tasks.ner.data.schemes import OUTSIDE, PLAIN, SCHEMES, Scheme, SchemeFinder
from ietool.tasks.ner.score.explain import Names

_FORMAT = 'write {"id": …, "label": {…}} or {"text": …, "label": {…}} a line'


@dataclass
class Scored:
    """A file to be scored.

    Attributes:
        path: the file.
        form: ``cluener``, ``cmeee``, or the scheme of its tags.
        records: of a text a line, (id, text, entities with their names, line) in file order; id and text None where
            they are missing.
        sentences: of tokens, as they stand in the file.
    """

    path: str
    form: str = CLUENER
    records: list[tuple[Any, str | None, Names, int]] = field(default_factory=list)
    sentences: list[Sentence] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.records) + len(self.sentences)


@dataclass(frozen=True)
class Pair:
    """One text of gold with what was predicted for it: entities with the strings under which they stand in the files.
    ``entities`` is None where there is no prediction."""

    text: str
    gold: Names
    entities: Names | None


def read_for_scoring(path: str | Path) -> Scored:
    """Read gold or predictions, plain, gzip or zip (every member).

    Raises:
        UserError: naming file, line and field of what is not of the form.
    """
    form, lines = told(read_lines(path))
    scored = Scored(str(path), form or CLUENER)
    if form:
        scored.records = [(_spans if form == CMEEE else _record)(*line) for line in lines]
        return scored
    scored.sentences = list(SentenceReader().read(lines))
    if not scored.sentences:
        return scored
    finder = SchemeFinder()
    for sentence in scored.sentences:
        finder.add(split_tags(sentence))
    try:
        scored.form = finder.find().name
    except UserError as error:
        raise UserError(error.message, file=path, mend=error.mend) from None
    return scored


def _spans(file: str, number: int, line: str) -> tuple[Any, str | None, Names, int]:
    text, entities, _ = read_line(line, file, number)
    return None, text, {entity: (text[entity.start : entity.end],) for entity in entities}, number


def _record(file: str, number: int, line: str) -> tuple[Any, str | None, Names, int]:
    record = parse_json(line, file, number)
    text, identity = record.get("text"), record.get("id")
    if text is None and identity is None:
        null = next((key for key in ("text", "id") if key in record), None)
        what = "is null" if null else "has neither text nor id"
        raise UserError(what, file=file, line=number, field=null, mend=_FORMAT)
    if text is not None and not isinstance(text, str):
        raise UserError(f"is {json_kind(text)}, a string is needed", file=file, line=number, field="text", mend=_FORMAT)
    if isinstance(identity, dict | list):
        raise UserError(f"is {json_kind(identity)}", file=file, line=number, field="id", mend=_FORMAT)
    if "label" not in record:
        raise UserError("is missing", file=file, line=number, field="label", mend=_FORMAT)
    names: dict[Entity, tuple[str, ...]] = {}
    for entity, name in stated(record["label"], file, number):
        if name not in names.get(entity, ()):
            names[entity] = (*names.get(entity, ()), name)
    return identity, text, names, number


def pair_up(gold: Scored, given: Scored) -> tuple[list[Pair], list[str]]:
    """Gold texts with their predictions, and remarks.

    JSON: by ``id`` where all of gold and all predictions have one, else by text (of one that stands several times the
    first with the first), else, where predictions have no text, line by line. Tokens: sentence by sentence.

    Raises:
        UserError: the files are not of one form, or do not run parallel where they must.
    """
    if len(given) and bool(gold.sentences) != bool(given.sentences):
        names = {CLUENER: "JSON lines", CMEEE: "texts with spans"}
        held, wanted = (names.get(one.form, "tokens and tags") for one in (given, gold))
        raise UserError(
            f"holds {held}, but gold {wanted}",
            file=given.path, mend="predict on the gold file itself: its form is kept",
        )  # fmt: skip
    return _pair_sentences(gold, given) if gold.sentences else _pair_records(gold, given)


def _pair_records(gold: Scored, given: Scored) -> tuple[list[Pair], list[str]]:
    notes = []
    keys: Sequence[tuple[Hashable, int]]
    others: Sequence[tuple[Hashable, int]]
    if given.records and all(r[0] is not None for r in (*gold.records, *given.records)):
        names, given_names = [str(r[0]) for r in gold.records], [str(r[0]) for r in given.records]
        keys, others = numbered(names), numbered_as(names, given_names)
        if repeated := sum(number < 0 for _, number in others):
            notes.append(f"predictions: {repeated:,} lines have an id that stands again further down; the last wins")
    elif all(r[1] is not None for r in (*gold.records, *given.records)):
        keys, others = numbered([r[1] for r in gold.records]), numbered([r[1] for r in given.records])
    elif len(gold.records) == len(given.records):
        keys, others = numbered(range(len(gold.records))), numbered(range(len(given.records)))
        notes.append("gold has no id and predictions no text: they are held against one another line by line")
    else:
        raise UserError(
            f"has {len(given.records):,} lines without a text, and gold {len(gold.records):,} lines without an id",
            file=given.path, mend='write {"text": …, "label": {…}} a line, or one line for every line of gold',
        )  # fmt: skip
    found = {key: record[2] for key, record in zip(others, given.records, strict=True) if key[1] >= 0}
    check_shared(len(set(keys)), len(found), len(found.keys() & set(keys)), file=given.path)
    pairs = [
        Pair(record[1] if record[1] is not None else str(record[0]), record[2], found.get(key))
        for key, record in zip(keys, gold.records, strict=True)
    ]
    unanswered, extra = sum(pair.entities is None for pair in pairs), len(found.keys() - set(keys))
    if unanswered:
        notes.append(f"{unanswered:,} of {len(pairs):,} gold texts have no prediction and count as empty ones")
    if extra:
        notes.append(f"{extra:,} predicted texts are not in gold and cost nothing")
    return pairs, notes


def _pair_sentences(gold: Scored, given: Scored) -> tuple[list[Pair], list[str]]:
    if given.sentences and len(given.sentences) != len(gold.sentences):
        raise UserError(
            f"has {len(given.sentences):,} sentences, but gold {len(gold.sentences):,}",
            file=given.path, mend="predict on the gold file itself, and keep its blank lines",
        )  # fmt: skip
    scheme, notes = SCHEMES[gold.form], []
    broken = Counter[str]()
    letters: set[str] = set()
    pairs = []
    for n, sentence in enumerate(gold.sentences):
        text, bounds = join_tokens(sentence.tokens)
        wanted, lost = _entities(sentence, scheme, text, bounds, "the file's")
        broken["gold"] += lost
        found: Names | None = None
        if given.sentences:
            other = given.sentences[n]
            _check_parallel(sentence, other)
            found, lost = _entities(other, scheme, text, bounds, "gold's")
            broken["predictions"] += lost
            letters.update(tag[0] for tag in other.tags)
        pairs.append(Pair(text, wanted, found))
    for name, count in broken.items():
        if count:
            notes.append(f"{name}: {count:,} tags break the scheme {scheme.name.upper()} and belong to no entity")
    if scheme.structure == "IOBES" and "B" in letters and not letters & set("ELSUW"):
        notes.append(f"predictions end no entity as gold's scheme {scheme.name.upper()} has it: are they BIO?")
    if not given.sentences:
        notes.append(f"all {len(pairs):,} gold texts have no prediction and count as empty ones")
    return pairs, notes


def _check_parallel(gold: Sentence, other: Sentence) -> None:
    if other.tokens == gold.tokens:
        return
    pairs = list(zip(other.tokens, gold.tokens, strict=False))
    at = next((i for i, (a, b) in enumerate(pairs) if a != b), len(pairs) - 1)
    raise UserError(
        f"the tokens differ from those of gold's line {gold.line + at}",
        file=other.file, line=other.line + at, mend="predict on the gold file itself, and keep its order",
    )  # fmt: skip


def _entities(
    sentence: Sentence, scheme: Scheme, text: str, bounds: Sequence[tuple[int, int]], whose: str
) -> tuple[Names, int]:
    """The entities of a sentence by seqeval in strict mode, in characters, and how many tags belong to none."""
    allowed = {PLAIN[letter] for letter in scheme.letters}
    tags = []
    for at, (letter, kind) in enumerate(split_tags(sentence)):
        if letter != OUTSIDE and PLAIN[letter] not in allowed:
            raise UserError(
                f"the tag {sentence.tags[at]!r} is not of {whose} scheme {scheme.name.upper()}",
                file=sentence.file, line=sentence.line + at, mend="write predictions in the scheme of gold",
            )  # fmt: skip
        tags.append(OUTSIDE if letter == OUTSIDE else f"{scheme.plain(letter)}-{kind}")
    found = {}
    covered = 0
    for entity in Entities([tags], getattr(seqeval.scheme, scheme.structure)).entities[0]:
        start, end = bounds[entity.start][0], bounds[entity.end - 1][1]
        found[Entity(start, end, entity.tag)] = (text[start:end],)
        covered += entity.end - entity.start
    return found, sum(tag != OUTSIDE for tag in tags) - covered
