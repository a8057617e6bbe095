"""The relations of a competition: which predicates there are and which slots their objects have."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ietool.errors import WHOLE, UserError, cause
from ietool.files.lines import parse_json, read_lines
from ietool.tasks.ske.data.example import VALUE

if TYPE_CHECKING:
    from ietool.tasks.ske.data.example import Example


WEBNLG = "webnlg"
FORMS = {
    "ske2019": "SKE 2019 (objects are strings)",
    "duie2": "DuIE 2.0 (objects have slots)",
    WEBNLG: "WebNLG (a triple_list)",
}
"""The published forms by the name of their competition or corpus."""


@dataclass(frozen=True)
class Schema:
    """The relations of a corpus.

    Attributes:
        competition: one of :data:`FORMS`; decides the form of submissions.
        relations: predicate → slots in the published order, ``@value`` first.
        subject_types: predicate → types of its subjects, the one written in submissions first.
        slot_types: predicate → slot → types of its values, the one written in submissions first.
        source: the file it was read from, for messages.
    """

    competition: str
    relations: Mapping[str, tuple[str, ...]]
    subject_types: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    slot_types: Mapping[str, Mapping[str, tuple[str, ...]]] = field(default_factory=dict)
    source: str = field(default="", compare=False)

    @property
    def words(self) -> bool:
        """Whether texts are words with blanks between them: names begin and end where words do, upper and lower case
        are told apart, and relations that train lacks may turn up elsewhere, since no file lists them."""
        return self.competition == WEBNLG

    @property
    def labels(self) -> list[tuple[str, str]]:
        """All (predicate, slot), in the published order: what a model tags."""
        return [(predicate, slot) for predicate, slots in self.relations.items() for slot in slots]

    def subject_type(self, predicate: str) -> str:
        """The type written beside subjects of ``predicate``; empty where unknown."""
        return next(iter(self.subject_types.get(predicate, ())), "")

    def slot_type(self, predicate: str, slot: str) -> str:
        """The type written beside values of a slot; empty where unknown."""
        return next(iter(self.slot_types.get(predicate, {}).get(slot, ())), "")

    def check(self, predicate: str, slots: Iterable[str], *, at: str, file: str, line: int) -> None:
        """Raise UserError if the predicate or one of its slots is not in the schema; ``at`` is the triple's field."""
        name = f"the schema {self.source}" if self.source else "the schema"
        mend = "bring the schema that belongs to the data (--schema), mend the record, or leave it out with --skip-bad"
        known = self.relations.get(predicate)
        if known is None:
            near = difflib.get_close_matches(predicate, self.relations, 1, 0.5)
            hint = f" (the nearest it has is {near[0]!r})" if near else ""
            raise UserError(
                f"{predicate!r} is not a predicate of {name}{hint}",
                file=file,
                line=line,
                field=f"{at}.predicate",
                mend=mend,
            )
        for slot in slots:
            if slot not in known:
                raise UserError(
                    f"is not a slot of {predicate!r} in {name} (which has {', '.join(known)})",
                    file=file,
                    line=line,
                    field=f"{at}.object.{slot}",
                    mend=mend,
                )

    def to_json(self) -> str:
        """One JSON object that :meth:`from_json` reads back; run folders carry it as ``schema.json``."""
        relations = [
            {
                "predicate": predicate,
                "subject_types": list(self.subject_types.get(predicate, ())),
                "slots": {slot: list(self.slot_types.get(predicate, {}).get(slot, ())) for slot in slots},
            }
            for predicate, slots in self.relations.items()
        ]
        return json.dumps({"competition": self.competition, "relations": relations}, ensure_ascii=False, indent=1)

    @classmethod
    def from_json(cls, text: str, file: str = "schema.json") -> Schema:
        """Read what :meth:`to_json` wrote. Raises UserError naming ``file`` when it is something else."""
        try:
            content = json.loads(text)
            entries = content["relations"]
            schema = cls(
                competition=content["competition"],
                relations={entry["predicate"]: tuple(entry["slots"]) for entry in entries},
                subject_types={entry["predicate"]: tuple(entry["subject_types"]) for entry in entries},
                slot_types={
                    entry["predicate"]: {slot: tuple(types) for slot, types in entry["slots"].items()}
                    for entry in entries
                },
                source=file,
            )
            if schema.competition not in FORMS or any(VALUE not in slots for slots in schema.relations.values()):
                raise ValueError
        except (ValueError, KeyError, TypeError, AttributeError):
            raise UserError("is not a schema that ietool wrote", file=file, mend=WHOLE) from None
        return schema

    @classmethod
    def load(cls, path: Path) -> Schema:
        """The schema of a prepared folder or run folder. Raises UserError if it is missing or damaged."""
        try:
            text = path.read_text(encoding="utf-8")
        except FileNotFoundError:
            raise UserError("is missing", file=path, mend=WHOLE) from None
        except (OSError, ValueError) as error:
            raise UserError(f"cannot be read ({cause(error)})", file=path, mend=WHOLE) from None
        return cls.from_json(text, str(path))


class SchemaBuilder:
    """Collects relations one by one and merges those that stand twice, each list in the order of first sight."""

    def __init__(self) -> None:
        self._subjects: dict[str, dict[str, None]] = {}
        self._slots: dict[str, dict[str, dict[str, None]]] = {}

    def add(self, predicate: str, subject_type: str, slot_types: Iterable[tuple[str, str]]) -> None:
        """One relation with one subject type and (slot, type) pairs; empty types are unknown ones."""
        subjects = self._subjects.setdefault(predicate, {})
        if subject_type:
            subjects[subject_type] = None
        slots = self._slots.setdefault(predicate, {VALUE: {}})
        for slot, slot_type in slot_types:
            types = slots.setdefault(slot, {})
            if slot_type:
                types[slot_type] = None

    def build(self, competition: str, source: str) -> Schema:
        """The schema of all that was added."""
        return Schema(
            competition=competition,
            relations={predicate: tuple(slots) for predicate, slots in self._slots.items()},
            subject_types={predicate: tuple(types) for predicate, types in self._subjects.items()},
            slot_types={
                predicate: {slot: tuple(types) for slot, types in slots.items()}
                for predicate, slots in self._slots.items()
            },
            source=source,
        )


def read_schema(path: str | Path) -> Schema:
    """The schema of a competition as its organisers publish it, plain or packed.

    One ``{"subject_type": …, "predicate": …, "object_type": …}`` a line; ``object_type`` is a string in SKE 2019 and
    ``{"@value": type, slot: type}`` in DuIE 2.0. A predicate may stand twice: its types and slots are merged.

    Raises:
        UserError: naming file, line and field of what cannot be read, or the file when it holds no relation.
    """
    builder, competition = SchemaBuilder(), ""
    for file, number, line in read_lines(path):
        record = parse_json(line, file, number)

        def fail(field: str, message: str, mend: str, file: str = file, number: int = number) -> UserError:
            return UserError(message, file=file, line=number, field=field, mend=mend)

        for key in ("predicate", "subject_type"):
            if not isinstance(record.get(key), str) or not record[key].strip():
                raise fail(key, "is missing, empty or no string", "is this the schema? write one relation a line")
        objects: Any = record.get("object_type")
        form = "ske2019" if isinstance(objects, str) else "duie2" if isinstance(objects, dict) else ""
        if not form or not objects:
            raise fail("object_type", "is neither a string nor an object", "copy the line from the published schema")
        if form == "duie2":
            if VALUE not in objects:
                raise fail("object_type", f"has no {VALUE}", "copy the line from the published schema")
            for slot, slot_type in objects.items():
                if not isinstance(slot_type, str):
                    raise fail(f"object_type.{slot}", "is no string", "copy the line from the published schema")
        if competition and form != competition:
            raise fail(
                "object_type",
                f"is of the form of {FORMS[form]}, the lines before are of {FORMS[competition]}",
                "keep the schemas of the two competitions apart",
            )
        competition = form
        pairs = [(VALUE, objects)] if isinstance(objects, str) else list(objects.items())
        builder.add(record["predicate"], record["subject_type"], pairs)
    if not competition:
        raise UserError("holds no relation", file=path, mend="bring the published schema, or leave --schema out")
    return builder.build(competition, str(path))


def infer_schema(examples: Iterable[Example]) -> Schema:
    """The schema that a corpus implies, for those who have no schema file: predicates and slots in order of sight.

    Raises:
        UserError: no example has a triple.
    """
    builder, competition, file = SchemaBuilder(), "", ""
    for example in examples:
        competition, file = competition or example.form, example.file or file
        types = example.types or ((("", ()),) * len(example.triples))
        for triple, (subject_type, slot_types) in zip(example.triples, types, strict=True):
            named = dict(slot_types)
            builder.add(triple.predicate, subject_type, [(slot, named.get(slot, "")) for slot, _ in triple.object])
    schema = builder.build(competition or "duie2", f"told from {file}" if file else "told from the data")
    if not schema.relations:
        raise UserError("has no triple from which a schema could be told", file=file or None, mend="use --schema FILE")
    return schema
