"""What may be done to submissions that no organiser takes."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from ietool.tasks.ske.data.example import VALUE
from tests.contest.submit.made import Case, dump


def twice(case: Case) -> str:
    return case.joined([*case.records, case.records[1]])


def missing(case: Case) -> str:
    return case.joined([*case.records[:1], *case.records[2:]])


def missing_at_the_end(case: Case) -> str:
    return case.joined(case.records[:-1])


def reordered(case: Case) -> str:
    return case.joined([case.records[1], case.records[0], *case.records[2:]])


def extra(case: Case) -> str:
    return case.joined([case.records[0], case.extra, *case.records[1:]])


def instead(case: Case) -> str:
    return case.joined([case.extra, *case.records[1:]])


def marked(case: Case) -> str:
    return "\ufeff" + case.joined(case.records)


def with_zero(case: Case) -> str:
    text = case.joined(case.records)
    return text[:2] + "\0" + text[2:]


def cut(case: Case) -> str:
    return case.joined(case.records).rstrip()[:-1] if case.competition not in ("sogouqa", "tags") else ""


EVERYWHERE = (twice, missing, missing_at_the_end, reordered, extra, instead, marked, with_zero, cut)


def _first(case: Case, change: Callable[[dict[str, Any]], None]) -> str:
    """The submission with its first record changed."""
    record = json.loads(case.records[0])
    change(record)
    return case.joined([dump(record), *case.records[1:]])


def _triple(key: str, value: Any) -> Callable[[Case], str]:
    return lambda case: _first(case, lambda record: record["spo_list"][0].update({key: value}))


def _mention(key: str, value: Any) -> Callable[[Case], str]:
    return lambda case: _first(case, lambda record: record["mention_data"][0].update({key: value}))


def _shifted(case: Case) -> str:
    def shift(record: dict[str, Any]) -> None:
        one = record["mention_data"][0]
        one["offset"] = str(int(one["offset"]) + len(record["text"]))

    return _first(case, shift)


def _other_span(case: Case) -> str:
    def shift(record: dict[str, Any]) -> None:
        names = next(iter(record["label"].values()))
        spans = next(iter(names.values()))
        spans[0] = [spans[0][0], spans[0][1] + 1]

    return _first(case, shift)


def _span_twice(case: Case) -> str:
    def add(record: dict[str, Any]) -> None:
        spans = next(iter(next(iter(record["label"].values())).values()))
        spans.append(spans[0])

    return _first(case, add)


def _other_character(case: Case) -> str:
    return _first(case, lambda record: record.update(text="戊" + record["text"][1:]))


def _key_twice(case: Case) -> str:
    """The first key of the first record stands twice, and what is right comes last."""
    name = json.dumps(next(iter(json.loads(case.records[0]))))
    return case.joined([f"{{{name}: null, {case.records[0][1:]}", *case.records[1:]])


def _returned(at: int) -> Callable[[Case], str]:
    """With a carriage return in the first line, which divides it for readers with universal newlines."""
    return lambda case: case.joined([case.records[0][:at] + "\r" + case.records[0][at:], *case.records[1:]])


def _set(**fields: Any) -> Callable[[Case], str]:
    return lambda case: _first(case, lambda record: record.update(fields))


def _argument(key: str, value: Any) -> Callable[[Case], str]:
    return lambda case: _first(case, lambda record: record["event_list"][0]["arguments"][0].update({key: value}))


_TRIPLE = {
    "unknown relation": _triple("predicate", "丈夫"),
    "type": _triple("subject_type", "水果"),
    "no type": _triple("object_type", None),
    "empty": _triple("subject", " "),
    "control": _triple("subject", "甲\x01"),
    "character": _other_character,
    "no list": _set(spo_list=None),
}
_LINK = {
    "offset": _shifted,
    "number": _mention("offset", 1),
    "id": _mention("kb_id", "404"),
    "no id": _mention("kb_id", ""),
    "name": _mention("mention", "戊"),
    "text_id": _set(text_id="98"),
    "text": _other_character,
    "again": lambda case: _first(case, lambda record: record["mention_data"].append(record["mention_data"][0])),
}
OWN: dict[str, dict[str, Callable[[Case], str]]] = {
    "ske2019": {**_TRIPLE, "object": _triple("object", {VALUE: "甲"})},
    "duie2": {
        **_TRIPLE,
        "object": _triple("object", "甲"),
        "slot": _triple("object", {VALUE: "甲", "inArea": "甲"}),
        "empty slot": _triple("object", {VALUE: ""}),
    },
    "ccks2019": {**_LINK, "NIL": _mention("kb_id", "NIL_Person")},
    "ccks2020": {
        **_LINK,
        "bare NIL": _mention("kb_id", "NIL"),
        "NIL type": _mention("kb_id", "NIL_Peron"),
        "NIL types": _mention("kb_id", "NIL_Person|NIL_Work"),
    },
    "sogouqa": {
        "columns": lambda case: case.joined([case.records[0].rstrip("\n") + "\t甲\n", *case.records[1:]]),
        "no tab": lambda case: case.joined([case.records[0].replace("\t", " "), *case.records[1:]]),
        "control": lambda case: case.joined([case.records[0].rstrip("\n") + "\x02\n", *case.records[1:]]),
        "blank": lambda case: case.joined([case.records[0], "\n", *case.records[1:]]),
        "return": lambda case: case.joined([case.records[0].rstrip("\n") + "\r甲\n", *case.records[1:]]),
    },
    "dureader2": {
        "type": _set(question_type="WHY"),
        "no answers": _set(answers=None),
        "label": _set(question_type="YES_NO", answers=["甲"], yesno_answers=["Maybe"]),
        "entities": _set(entity_answers=["甲"]),
        "id": _set(question_id=7),
        "control": _set(answers=["\x00"]),
    },
    "cluener": {
        "span": _other_span,
        "span twice": _span_twice,
        "type without names": lambda case: _first(case, lambda record: record["label"].update({"星球": {}})),
        "type": _set(label={"星球": {"甲": [[0, 0]]}}),
        "no label": _set(label=None),
        "id or text": lambda case: _first(case, lambda record: record.update({next(iter(record)): "戊" * 9})),
    },
    "tableqa": {
        "column": _set(sel=[3], agg=[0]),
        "aggregate": _set(sel=[0], agg=[6]),
        "connector": _set(cond_conn_op=3),
        "no connector": _set(conds=[[0, 2, "甲"], [1, 0, "1"]], cond_conn_op=0),
        "operator": _set(conds=[[0, 4, "甲"]]),
        "number": _set(conds=[[1, 2, 1]]),
        "control": _set(conds=[[0, 2, "\x00"]]),
        "no list": _set(sel=None),
        "id": _set(id=98),
    },
    "duee1": {
        "argument": _argument("argument", "戊" * 9),
        "no string": _argument("argument", 3),
        "empty": _argument("argument", " "),
        "control": _argument("argument", "\x01"),
        "no role": _argument("role", ""),
        "no type": lambda case: _first(case, lambda record: record["event_list"][0].pop("event_type")),
        "trigger": lambda case: _first(case, lambda record: record["event_list"][0].update(trigger="戊" * 9)),
        "blank trigger": lambda case: _first(case, lambda record: record["event_list"][0].update(trigger=" \x02")),
        "no list": _set(event_list=None),
    },
    "fewfc": {
        "span": lambda case: _first(case, lambda record: record["events"][0]["mentions"][-1].update(span=[90, 91])),
        "word": lambda case: _first(case, lambda record: record["events"][0]["mentions"][-1].update(word="戊" * 9)),
        "character": lambda case: _first(case, lambda record: record.update(content="戊" + record["content"])),
        "no list": _set(events=None),
        "DuEE": lambda case: case.joined([dump({"id": json.loads(case.records[0])["id"], "event_list": []}),
                                          *case.records[1:]]),
        "DuEE besides": _set(event_list=[]),
    },
    "ccks2019-subject": {
        "gold": lambda case: case.joined([row.rstrip("\n") + ',"减持","甲"\n' for row in case.records]),
        "four cells": lambda case: case.joined([f'"{n}","甲",{row}' for n, row in enumerate(case.records)]),
        "JSON": lambda case: "".join(dump({"id": str(n), "subject": None}) for n in range(len(case.records))),
        "empty": lambda case: case.joined(['"0",""\n', *case.records[1:]]),
        "blank": lambda case: case.joined(['"0"," "\n', *case.records[1:]]),
        "lower case": lambda case: case.joined(['"0","nan"\n', *case.records[1:]]),
        "names of columns": lambda case: case.joined(['"id","subject"\n', *case.records]),
    },
    "tags": {
        "token": lambda case: case.joined(["戊" + case.records[0][1:], *case.records[1:]]),
        "letter": lambda case: case.joined([case.records[0].replace(" B-name", " X-name", 1), *case.records[1:]]),
        "no tag": lambda case: case.joined([case.records[0][:1] + case.records[0][case.records[0].index("\n") :],
                                            *case.records[1:]]),
        "no blank line": lambda case: case.joined([case.records[0][:-1], *case.records[1:]]),
    },
}  # fmt: skip
for _name in ("ske2019", "duie2", "ccks2019", "ccks2020", "dureader2", "cluener", "tableqa", "duee1", "fewfc"):
    OWN[_name] |= {"key twice": _key_twice, "return": _returned(1)}
