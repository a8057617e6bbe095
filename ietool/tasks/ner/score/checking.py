"""Checking a submission of entities: every text answered, spans that hold what they say, types and tags of the form."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from ietool.core.answers import Answers
from ietool.core.checking import Check, Place, control_in
from ietool.errors import UserError
from ietool.files.lines import parse_json, read_lines
from ietool.tasks.ner.data.example import Entity
from ietool.tasks.ner.data.forms.cluener import check_span, stated
from ietool.tasks.ner.data.forms.cmeee import check_inside, read_line
from ietool.tasks.ner.data.forms.recognise import CLUENER, CMEEE, told
from ietool.tasks.ner.data.forms.tokens import Sentence, SentenceReader, split_tags
from ietool.tasks.ner.data.reading import load_inputs
from ietool.tasks.ner.data.schemes import OUTSIDE, SCHEMES, Scheme, SchemeFinder

TAGS = "tags"
"""The competition of those whose files are tokens and tags."""

CLUENER_TYPES = frozenset(
    ("address", "book", "company", "game", "government", "movie", "name", "organization", "position", "scene")
)

CMEEE_TYPES = frozenset(("bod", "dep", "dis", "dru", "equ", "ite", "mic", "pro", "sym"))
TYPES = {CLUENER: CLUENER_TYPES, CMEEE: CMEEE_TYPES}
TITLES = {CLUENER: "CLUENER", CMEEE: "CMeEE"}

_FORMAT = 'write {"id": …, "label": {…}} a line, or {"text": …, "label": {…}} where the input has no id'
_TYPE = "name a file with the types of your own, one a line: --schema FILE"
_ORDER = "predict on the input file itself, and keep its blank lines and its order"


def competition_of(source: Path) -> str:
    """``cluener`` for JSON, ``cmeee`` for texts a line, ``tags`` for tokens."""
    form, lines = told(read_lines(source), texts=True)
    if next(lines, None) is None:
        raise UserError("holds no text", file=source, mend="name the input that is answered")
    return form or TAGS


def check(check: Check) -> None:
    """Check a submission of CLUENER or CMeEE, or of tokens and tags.

    Raises:
        UserError: the input or the list of types cannot be read, or the submission is no text file.
    """
    schema = check.options.get("schema")
    types = None if schema is None else frozenset(line.strip() for _, _, line in read_lines(schema))
    if schema is None and check.competition in TYPES:
        types = TYPES[check.competition]
    if types is not None:
        check.rules.append(f"the {len(types)} types of {schema or TITLES[check.competition]}")
    answers = Answers(check, _ORDER)
    try:
        if check.competition == CLUENER:
            _records(check, answers, types or ())
        elif check.competition == CMEEE:
            _lines(check, answers, types or ())
        else:
            _sentences(check, answers, types)
        answers.finish()
    finally:
        answers.close()
    check.rules.append(f"each of {answers.asked:,} texts answered once")


# -- JSON


def _records(check: Check, answers: Answers, types: Collection[str]) -> None:
    by_id: bool | None = None
    for example in load_inputs(check.source):
        by_id = example.id is not None if by_id is None else by_id
        place = Place(example.file, example.line)
        if by_id and example.id is None:
            raise place.error("id", "is missing, and earlier records have one", "give all records an id, or none")
        answers.ask({"id": str(example.id)} if by_id else {"text": example.text}, place, example.text)
    check.counts["texts"] = answers.asked
    for file, number, line in read_lines(check.result, answers.reject):
        place = Place(file, number)
        try:
            record = parse_json(line, file, number, once=True)
            key = _key(record, bool(by_id), place)
            if "label" not in record:
                raise place.error("label", "is missing", _FORMAT)
            entities = list(stated(record["label"], file, number))
        except UserError as error:
            answers.reject(error, line)
            continue
        text = answers.answer(key, place)
        check.counts["entities"] += len(entities)
        check.counts["texts without an entity"] += not entities
        if text is None:
            continue
        if "text" in record and record["text"] != text:
            check.tell(place.error("text", f"is not that of the id in {check.source}", "leave the text out"))
            continue
        for fault in _label_faults(record["label"], entities, text, types, place):
            check.tell(fault)
    check.rules.append("spans hold their names, each once")


def _key(record: dict[str, Any], by_id: bool, place: Place) -> dict[str, str]:
    name = "id" if by_id else "text"
    value = record.get(name)
    if isinstance(value, bool) or not isinstance(value, str | int if by_id else str):
        what = "is missing" if value is None else "is no id" if by_id else "is no string"
        raise place.error(name, what, _FORMAT)
    return {name: str(value)}


def _label_faults(
    label: Mapping[str, Any], entities: Iterable[tuple[Entity, str]], text: str, types: Collection[str], place: Place
) -> Iterator[UserError]:
    """What is wrong with a label of the right form, whose entities come as they stand there."""
    for kind in label:  # also one that has no names
        if kind not in types:
            yield place.error(f"label.{kind}", "is no type of the competition", _TYPE)
    seen = set[Entity]()
    for entity, name in entities:
        if entity.type not in types:
            continue
        try:
            check_span(entity, name, text, place.file, place.line or 0)
        except UserError as error:
            yield error
            continue
        if entity in seen:
            span = f"[{entity.start}, {entity.end - 1}]"
            yield place.error(f"label.{entity.type}.{name}", f"the span {span} stands twice", "write it once")
        seen.add(entity)


# -- texts with spans behind them


def _lines(check: Check, answers: Answers, types: Collection[str]) -> None:
    for example in load_inputs(check.source):
        answers.ask({"text": example.text}, Place(example.file, example.line), example.text)
    check.counts["texts"] = answers.asked
    for file, number, line in read_lines(check.result, answers.reject):
        place = Place(file, number)
        try:
            text, entities, empty = read_line(line, file, number)
            if empty:
                raise place.error("", "has an entity that ends before it begins", "take it out")
            behind = line[len(text) :]  # the text itself stands there as it does in the input, whatever it has
            if code := control_in(behind) or ("\\r" if "\r" in behind else ""):
                raise place.error("", f"has a control character ({code}) behind the text", "take it out")
        except UserError as error:
            answers.reject(error, line)
            continue
        known = answers.answer({"text": text}, place)
        check.counts["entities"] += len(entities)
        check.counts["texts without an entity"] += not entities
        for at, entity in enumerate(entities):
            if entity.type not in types:
                check.tell(place.error(f"entity {at + 1}", f"{entity.type!r} is no type of the competition", _TYPE))
            if entity in entities[:at]:
                check.tell(place.error(f"entity {at + 1}", "stands twice", "write it once"))
            try:
                check_inside(entity, text if known is None else known, file, number, at)
            except UserError as error:
                check.tell(error)
    check.rules.append("spans lie in their texts, each once")


# -- tokens and tags


def _sentences(check: Check, answers: Answers, types: Collection[str] | None) -> None:
    if check.any_order:
        raise UserError("the order of sentences is all they are known by", field="--any-order", mend="leave it out")
    for sentence in SentenceReader(tags=None).read(read_lines(check.source)):
        answers.ask(_sentence_key(sentence), Place(sentence.file, sentence.line))
    check.counts["texts"] = answers.asked
    scheme = _scheme(check)
    broken = 0
    for sentence in _given(check, answers):
        answers.answer(_sentence_key(sentence), Place(sentence.file, sentence.line))
        try:
            tags = _tags(sentence, scheme, types)
        except UserError as error:
            check.tell(error)
            continue
        spans, lost = scheme.spans(tags)
        broken += lost
        check.counts["entities"] += len(spans)
        check.counts["texts without an entity"] += not spans
    check.rules.append(f"tags of the scheme {scheme.name.upper()}")
    if broken:
        check.notes.append(f"{broken:,} tags break the scheme {scheme.name.upper()} and belong to no entity")


def _given(check: Check, answers: Answers) -> Iterator[Sentence]:
    reader = SentenceReader(on_bad=answers.reject)
    return reader.read(read_lines(check.result, reader.unread))


def _sentence_key(sentence: Sentence) -> dict[str, str]:
    return {"tokens": " ".join(sentence.tokens)}


def _scheme(check: Check) -> Scheme:
    """The scheme of the input, where it has tags, else that of the submission.

    Raises:
        UserError: the submission has tags of several.
    """
    for path in (check.source, check.result):
        finder = SchemeFinder()
        reader = SentenceReader(on_bad=_ignore)
        for sentence in reader.read(read_lines(path, reader.unread)):
            with suppress(UserError):
                finder.add(split_tags(sentence))
        if set(finder.letters) - {OUTSIDE}:
            try:
                return finder.find()
            except UserError as error:
                raise UserError(error.message, file=path, mend=error.mend) from None
    return SCHEMES["bio"]


def _ignore(error: UserError, line: str) -> None:
    """For those who want to know only what can be read."""


def _tags(sentence: Sentence, scheme: Scheme, types: Collection[str] | None) -> list[tuple[str, str]]:
    """The tags as :meth:`Scheme.spans` takes them. Raises UserError naming the line of one that may not be."""
    found = []
    for at, (letter, kind) in enumerate(split_tags(sentence)):
        place = Place(sentence.file, sentence.line + at)
        if letter != OUTSIDE and letter not in scheme.letters:
            what = f"the tag {sentence.tags[at]!r} is not of the scheme {scheme.name.upper()}"
            raise place.error("", what, "write all tags in the scheme of the input")
        if letter != OUTSIDE and types is not None and kind not in types:
            raise place.error("", f"the tag {sentence.tags[at]!r} has no type of the competition", _TYPE)
        found.append((scheme.plain(letter), kind))
    return found
