"""Submissions that our own writers make of random predictions."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from ietool.files.csv_rows import format_row
from ietool.tasks.el.data.example import Mention
from ietool.tasks.el.writing import format_line as linked
from ietool.tasks.events.data.example import Argument, Event
from ietool.tasks.events.data.example import Example as EventExample
from ietool.tasks.events.writing import format_line as told
from ietool.tasks.ner.data.example import Entity, Example, flatten
from ietool.tasks.ner.data.forms.cluener import format_record
from ietool.tasks.ner.data.forms.cmeee import format_line
from ietool.tasks.ner.data.forms.tokens import format_sentence
from ietool.tasks.ner.data.schemes import SCHEMES
from ietool.tasks.nl2sql.data.example import Condition, Query, Table
from ietool.tasks.nl2sql.data.example import Example as Question
from ietool.tasks.nl2sql.heads.sketch.decode import Answered as Asked
from ietool.tasks.nl2sql.heads.sketch.decode import Ranked
from ietool.tasks.nl2sql.writing import format_prediction
from ietool.tasks.qa.heads.voting import Answered
from ietool.tasks.qa.writing import dureader2_line, write
from ietool.tasks.ske.data.example import VALUE, Triple
from ietool.tasks.ske.data.schema import Schema
from ietool.tasks.ske.writing import format_line as extracted

RELATIONS = {"作者": ("图书作品", {VALUE: "人物"}), "饰演": ("人物", {VALUE: "人物", "inWork": "影视作品"})}
IDS = ("10001", "10002", "70")
TYPES = ("name", "company", "address")
TABLE = Table("t", ("名", "数", "名"), ("text", "real", "text"), (("甲", 1.0, "乙"),))


@dataclass(frozen=True)
class Case:
    """A submission and its input.

    Attributes:
        competition: whose it is.
        asked: lines of the input, or records of one JSON value.
        records: of the submission, each with its line ends; of one JSON object ``"id": "answer"``.
        extra: a record that answers nothing of the input.
        joined: makes the text of a submission.
    """

    competition: str
    asked: Sequence[str]
    records: Sequence[str]
    extra: str
    joined: Callable[[Sequence[str]], str] = "".join

    def write(self, folder: Path) -> tuple[Path, Path]:
        """(submission, input), with the files that belong to them beside."""
        schema = [
            {
                "subject_type": subject,
                "predicate": name,
                "object_type": slots[VALUE] if self.competition == "ske2019" else slots,
            }
            for name, (subject, slots) in RELATIONS.items()
            if self.competition == "duie2" or len(slots) == 1
        ]
        if self.competition in ("ske2019", "duie2"):
            put(folder / "schema.jsonl", [json.dumps(line) + "\n" for line in schema])
        if self.competition == "tableqa":
            record = {"id": TABLE.id, "header": TABLE.header, "types": TABLE.types, "rows": list(TABLE.rows)}
            put(folder / "input.tables.json", [dump(record)])
        asked = "".join(self.asked)
        if self.competition in ("cmrc2018", "dureader_robust"):
            asked = json.dumps({"data": [{"title": "", "paragraphs": [json.loads(line) for line in self.asked]}]})
        return put(folder / "result.json", [self.joined(self.records)]), put(folder / "input.json", [asked])


def put(path: Path, pieces: Sequence[str]) -> Path:
    path.write_bytes("".join(pieces).encode())
    return path


def dump(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False) + "\n"


TEXT = st.text("甲乙丙丁ab𝒳《》 \t\"\\'\u2028", min_size=3, max_size=20).filter(
    lambda text: text[:3].strip() == text[:3]
)
"""Begins with three characters that are no blanks."""

TEXTS = st.lists(TEXT, min_size=3, max_size=5, unique=True)


@st.composite
def triples(draw: st.DrawFn, competition: str) -> Case:
    texts = draw(TEXTS)
    known = {k: v for k, v in RELATIONS.items() if competition == "duie2" or len(v[1]) == 1}
    schema = Schema(
        competition,
        {name: tuple(slots) for name, (_, slots) in known.items()},
        {name: (subject,) for name, (subject, _) in known.items()},
        {name: {slot: (kind,) for slot, kind in slots.items()} for name, (_, slots) in known.items()},
    )
    records = []
    for number, text in enumerate(texts):
        found = []
        for name in draw(st.lists(st.sampled_from(sorted(known)), min_size=not number, max_size=2)):
            slots = [VALUE, *(["inWork"] if "inWork" in known[name][1] and draw(st.booleans()) else [])]
            found.append(Triple(text[:1], name, tuple((slot, text[1:3]) for slot in slots)))
        records.append(extracted(text, found, schema) + "\n")
    return Case(
        competition, [dump({"text": text}) for text in texts], records, dump({"text": "戊" * 30, "spo_list": []})
    )


@st.composite
def mentions(draw: st.DrawFn, competition: str) -> Case:
    texts, records = draw(TEXTS), []
    nil = "NIL" if competition == "ccks2019" else "NIL_Person"
    for number, text in enumerate(texts):
        starts = draw(st.lists(st.integers(0, 2), min_size=not number, max_size=2, unique=True))
        found = [
            Mention(text[at : at + draw(st.integers(1, 3))], at, draw(st.sampled_from((*IDS, nil)))) for at in starts
        ]
        records.append(linked(str(number), text, found) + "\n")
    asked = [dump({"text_id": str(number), "text": text}) for number, text in enumerate(texts)]
    return Case(competition, asked, records, dump({"text_id": "99", "text": "戊" * 30, "mention_data": []}))


ANSWER = st.text('甲乙ab，" ', max_size=6)


@st.composite
def answers(draw: st.DrawFn, competition: str) -> Case:
    questions = draw(st.lists(TEXT, min_size=3, max_size=5))
    found = [
        Answered(f"Q{number}", text, (), draw(ANSWER), form="squad") for number, text in enumerate(questions)
    ]  # ids of DuReader-robust begin with none of CMRC's words
    prefix = "DEV_" if competition == "cmrc2018" else "Q"
    found = [replace(one, question_id=prefix + one.question_id) for one in found]
    if competition == "sogouqa":
        asked = [dump({"id": a.question_id, "question": a.question, "passages": [{"passage": "甲"}]}) for a in found]
        return Case(competition, asked, [p for a in found for p in write([a], "r.tsv")], "X9\t甲\n")
    asked = [
        dump({"id": "C", "context": "甲", "qas": [{"id": a.question_id, "question": a.question, "answers": []}]})
        for a in found
    ]
    pairs = [f"{json.dumps(a.question_id)}: {json.dumps(a.answer)}" for a in found]
    return Case(competition, asked, pairs, '"X9": "甲"', lambda some: "{\n" + ",\n".join(some) + "\n}\n")


@st.composite
def documents(draw: st.DrawFn) -> Case:
    asked, records = [], []
    for number in range(draw(st.integers(3, 5))):
        kind = draw(st.sampled_from(("YES_NO", "ENTITY", "DESCRIPTION")))
        answer = draw(ANSWER)
        label = draw(st.sampled_from(("Yes", "No", "Depends"))) if kind == "YES_NO" and answer else ""
        one = Answered(str(1000 + number), "何", (), answer, form="dureader2", kind=kind, label=label)
        records.append(dureader2_line(one) + "\n")
        document = {"title": "", "paragraphs": ["甲乙"]}
        asked.append(
            dump({"question_id": 1000 + number, "question_type": kind, "question": "何", "documents": [document]})
        )
    other = Answered("99", "何", (), "甲", form="dureader2", kind="ENTITY")
    return Case("dureader2", asked, records, dureader2_line(other) + "\n")


@st.composite
def entities(draw: st.DrawFn) -> Case:
    texts, ids, records = draw(TEXTS), draw(st.booleans()), []
    asked = []
    for number, text in enumerate(texts):
        spans = draw(st.lists(st.integers(0, len(text) - 1), min_size=not number, max_size=3, unique=True))
        found = [Entity(at, draw(st.integers(at + 1, len(text))), draw(st.sampled_from(TYPES))) for at in spans]
        example = Example(text, (), "cluener", number if ids else None)
        records.append(format_record(example, found) + "\n")
        asked.append(dump({"id": number, "text": text} if ids else {"text": text}))
    extra = {"id": 99, "label": {}} if ids else {"text": "戊" * 30, "label": {}}
    return Case("cluener", asked, records, dump(extra))


@st.composite
def events(draw: st.DrawFn, form: str) -> Case:
    texts, ids, asked, records = draw(TEXTS), form == "fewfc" or draw(st.booleans()), [], []
    for number, text in enumerate(texts):
        starts = draw(st.lists(st.integers(0, len(text) - 1), min_size=not number, max_size=3, unique=True))
        arguments = [Argument(at, draw(st.integers(at + 1, len(text))), draw(st.sampled_from(TYPES))) for at in starts]
        arguments = [a for a in arguments if text[a.start : a.end].strip()]
        arguments += [] if number else [Argument(0, len(text), "name")]
        trigger = (0, 1) if text[:1].strip() else (-1, -1)
        found = [Event(draw(st.sampled_from(TYPES)), *trigger, tuple(sorted(arguments)))] if arguments else []
        example = EventExample(text, (), form, number if ids else None)
        records.append(told(example, found) + "\n")
        key = "content" if form == "fewfc" else "text"
        asked.append(dump({"id": number, key: text} if ids else {key: text}))
    extra = told(EventExample("戊" * 30, (), form, 99 if ids else None), ())
    return Case("fewfc" if form == "fewfc" else "duee1", asked, records, extra + "\n")


@st.composite
def tags(draw: st.DrawFn) -> Case:
    scheme = SCHEMES[draw(st.sampled_from(("bio", "bmes", "bioes")))]
    asked, records = [], []
    texts = draw(st.lists(st.text("甲乙丙丁ab，", min_size=2, max_size=8), min_size=3, max_size=5, unique=True))
    for number, text in enumerate(texts):
        spans = draw(st.lists(st.integers(0, len(text) - 1), max_size=3, unique=True))
        found = [Entity(at, draw(st.integers(at + 1, len(text))), draw(st.sampled_from(TYPES))) for at in spans]
        found += [] if number else [Entity(0, 2, "name")]
        records.append(format_sentence(Example(text), flatten(found), scheme, " "))
        asked.append("".join(f"{char}\n" for char in text) + "\n")
    return Case("tags", asked, records, "戊 O\n戊 O\n\n")


@st.composite
def queries(draw: st.DrawFn) -> Case:
    asked, records = [], []
    column, value = st.integers(0, TABLE.width - 1), TEXT
    for number in range(draw(st.integers(3, 5))):
        conditions = draw(st.lists(st.builds(Condition, column, st.integers(0, 3), value), min_size=1, max_size=3))
        select = tuple(draw(st.lists(column, min_size=1, max_size=2, unique=True)))
        connector = draw(st.integers(1, 2)) if len(conditions) > 1 else 0
        query = Query(select, tuple(draw(st.integers(0, 5)) for _ in select), connector, tuple(conditions))
        prediction = Asked(Question(number, "何", TABLE, id=number), (Ranked(query, 0.5),))
        records.append(format_prediction(prediction) + "\n")
        asked.append(dump({"id": number, "table_id": TABLE.id, "question": "何"}))
    return Case("tableqa", asked, records, dump({"id": 99, **query.plain}))


@st.composite
def spans(draw: st.DrawFn) -> Case:
    asked, records = [], []
    for number, text in enumerate(draw(TEXTS)):
        starts = draw(st.lists(st.integers(0, len(text) - 1), min_size=not number, max_size=3, unique=True))
        found = [
            Entity(at, draw(st.integers(at + 1, len(text))), draw(st.sampled_from(("dis", "bod")))) for at in starts
        ]
        records.append(format_line(text, found) + "\n")
        asked.append(format_line(text, []) + "\n")
    return Case("cmeee", asked, records, format_line("戊" * 30, []) + "\n")


@st.composite
def subjects(draw: st.DrawFn) -> Case:
    asked, records = [], []
    for number, text in enumerate(draw(TEXTS)):
        asked.append(format_row([str(number), text, "减持"]) + "\n")
        name = draw(st.sampled_from(("NaN", text[:1], text[:3])))
        records.append(format_row([str(number), name if number else text[:2]]) + "\n")
    return Case("ccks2019-subject", asked, records, format_row(["99", "NaN"]) + "\n")


CASES = {
    "ske2019": triples("ske2019"),
    "duie2": triples("duie2"),
    "ccks2019": mentions("ccks2019"),
    "ccks2020": mentions("ccks2020"),
    "sogouqa": answers("sogouqa"),
    "cmrc2018": answers("cmrc2018"),
    "dureader_robust": answers("dureader_robust"),
    "dureader2": documents(),
    "cluener": entities(),
    "tags": tags(),
    "tableqa": queries(),
    "duee1": events("duee"),
    "fewfc": events("fewfc"),
    "cmeee": spans(),
    "ccks2019-subject": subjects(),
}
