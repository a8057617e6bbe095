"""Checking a submission of triples: every text answered, triples of the competition's form, by its schema."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ietool.core.answers import Answers
from ietool.core.checking import Check, Place, control_in
from ietool.errors import UserError
from ietool.files.lines import parse_json, read_lines
from ietool.files.plain_json import json_kind
from ietool.tasks.ske.data.example import VALUE, Triple
from ietool.tasks.ske.data.reading import read_inputs
from ietool.tasks.ske.data.schema import WEBNLG, Schema, read_schema
from ietool.tasks.ske.score.files import complain, detect_metric, text_and_triples, triple_of

_SCHEMA = "take the triple out, or name the schema that belongs to the data: --schema FILE"
_PREDICT = "predict on the input file itself, with a model of this competition's schema"


def competition_of(source: Path, result: Path, schema: Path | None) -> str:
    """The competition, told from the schema, or else from the triples of the input or of the submission.

    Raises:
        UserError: there are none.
    """
    if schema is not None:
        return read_schema(schema).competition
    for path in (source, result):
        try:
            metric = detect_metric(path)
        except UserError:
            continue
        if metric == WEBNLG:
            raise UserError("is of WebNLG, which takes no submissions", file=path, mend="ietool score scores it")
        return metric
    mend = "say --competition ske2019 or --competition duie2, or name the schema: --schema FILE"
    raise UserError("has no triple, so its competition cannot be told", file=result, mend=mend)


def check(check: Check) -> None:
    """Check a submission of SKE 2019 or DuIE 2.0.

    Raises:
        UserError: the input or the schema cannot be read, or the submission is no text file.
    """
    path = check.options.get("schema")
    schema = None if path is None else read_schema(path)
    if schema is not None and schema.competition != check.competition:
        what = f"is a schema of {schema.competition}, but the submission is checked as {check.competition}"
        raise UserError(what, file=path, mend=f"say --competition {schema.competition}, or name its own schema")
    answers = Answers(check)
    try:
        for example in read_inputs(read_lines(check.source)):
            answers.ask({"text": example.text}, Place(example.file, example.line))
        check.counts["texts"] = answers.asked
        _check_lines(check, answers, schema)
        answers.finish()
    finally:
        answers.close()
    objects = "strings" if check.competition == "ske2019" else "objects with slots"
    check.rules += [f"each of {answers.asked:,} texts answered once", f"objects are {objects}"]
    if schema is None:
        check.notes.append("no schema is named or lies beside the input: predicates and types are not checked")
    else:
        check.rules.append(f"predicates, slots and types of {path}")


def _check_lines(check: Check, answers: Answers, schema: Schema | None) -> None:
    strings = check.competition == "ske2019"
    for file, number, line in read_lines(check.result, answers.reject):
        place = Place(file, number)
        try:
            text, spo_list = text_and_triples(parse_json(line, file, number, once=True), file, number)
        except UserError as error:
            answers.reject(error, line)
            continue
        answers.answer({"text": text}, place)
        check.counts["triples"] += len(spo_list)
        check.counts["texts without a triple"] += not spo_list
        for index, spo in enumerate(spo_list):
            at = f"spo_list[{index}]"
            triple = triple_of(spo, strings)
            if triple is None:
                check.tell(complain(spo, check.competition, at, file, number))
            elif fault := _fault(spo, triple, schema, at, place, strings):
                check.tell(fault)


def _fault(
    spo: dict[str, Any], triple: Triple, schema: Schema | None, at: str, place: Place, strings: bool
) -> UserError | None:
    """The first thing that is wrong with a triple of the right form."""
    values = [("subject", triple.subject), *((_slot(slot, strings), value) for slot, value in triple.object)]
    for name, value in values:
        if not value.strip():
            return place.error(f"{at}.{name}", "is empty", "leave the slot or the triple out")
        if code := control_in(value):
            return place.error(f"{at}.{name}", f"has a control character ({code})", "take it out")
    if schema is not None:
        try:
            schema.check(
                triple.predicate, (slot for slot, _ in triple.object), at=at, file=place.file, line=place.line or 0
            )
        except UserError as error:
            return UserError(error.message, file=error.file, line=error.line, field=error.field, mend=_SCHEMA)
    return _type_fault(spo, triple, schema, at, place, strings)


def _slot(slot: str, strings: bool) -> str:
    return "object" if strings else f"object.{slot}"


def _type_fault(
    spo: dict[str, Any], triple: Triple, schema: Schema | None, at: str, place: Place, strings: bool
) -> UserError | None:
    """What is wrong with the types beside a triple. Nothing is scored by them, but they are of the form."""
    objects = spo.get("object_type")
    for key, kind in (("subject_type", str), ("object_type", str if strings else dict)):
        if key not in spo:
            return place.error(f"{at}.{key}", "is missing", _PREDICT)
        if not isinstance(spo[key], kind):
            word = "a string" if kind is str else "an object with the type of each slot"
            return place.error(f"{at}.{key}", f"is {json_kind(spo[key])}, {word} is needed", _PREDICT)
    types = {VALUE: objects} if isinstance(objects, str) else dict(objects or {})
    given: list[tuple[str, Any, tuple[str, ...]]] = []
    known = schema.slot_types.get(triple.predicate, {}) if schema is not None else {}
    subjects = schema.subject_types.get(triple.predicate, ()) if schema is not None else ()
    given.append(("subject_type", spo["subject_type"], tuple(subjects)))
    for slot, _ in triple.object:
        name = "object_type" if strings else f"object_type.{slot}"
        if slot not in types:
            return place.error(f"{at}.{name}", "is missing", _PREDICT)
        given.append((name, types[slot], tuple(known.get(slot, ()))))
    for name, value, allowed in given:
        if not isinstance(value, str):
            return place.error(f"{at}.{name}", f"is {json_kind(value)}, a string is needed", _PREDICT)
        if allowed and value not in allowed:
            what = f"is {value!r}, but {triple.predicate!r} has {' or '.join(map(repr, allowed))} in the schema"
            return place.error(f"{at}.{name}", what, _SCHEMA)
    return None
