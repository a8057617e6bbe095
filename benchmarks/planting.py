"""Errors planted into the gold of a corpus, for benchmarks/clean.py: an item is dropped, altered or invented.

| task | altered | invented (of qa: moved) |
|---|---|---|
| ske | another name of the text in place of subject or object | one more triple, made so |
| ner | another type, or a border moved by up to two characters | one more entity, made so |
| el | another entity of the same name | another name of the text, linked |
| qa | another span of the passage | a border of the answer moved by up to four characters, in its place |
"""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any, ClassVar

from ietool.files.lines import read_lines
from ietool.text.matching import NameMatcher, occurrences

DROPPED, ALTERED, INVENTED, MOVED = "dropped", "altered", "invented", "moved"
Item = dict[str, Any]
Record = dict[str, Any]


def plant(task: str, files: dict[str, Path], target: Path, share: float, random: Random) -> list[dict[str, Any]]:
    """Write a corpus with errors; gives them: {"mark", "how", "was", "now"}: what stands for the record as
    ``ietool clean`` marks it; ``was`` and ``now`` are items or None."""
    plan = PLANTERS[task](files)
    records = plan.read(files["train"])
    planted = []
    for number, record in enumerate(records):
        items = plan.items(record)
        kept: list[Item] = []
        for item in items:
            how = random.choice(plan.kinds) if random.random() < share else ""
            now = None
            if how not in ("", DROPPED):
                now = plan.wrong(record, how, item, items + kept, random)
                how = how if now is not None else DROPPED
            kept += [item] if how in ("", INVENTED) else []
            kept += [now] if now is not None else []
            if how:
                was = None if how == INVENTED else item
                planted.append({"record": number, "how": how, "was": was, "now": now})
        records[number] = plan.record(record, kept)
    plan.write(records, target)
    marks = plan.marks(target)
    return [{"mark": marks[error.pop("record")], **error} for error in planted]


class Planter(ABC):
    """Of one task. Items are plain, as ``ietool clean`` shows them, as far as :meth:`key` looks at them.

    Attributes:
        kinds: of errors, one as frequent as the other.
    """

    kinds: ClassVar[tuple[str, ...]] = (DROPPED, ALTERED, INVENTED)

    def __init__(self, files: dict[str, Path]) -> None:
        self.files = files

    def read(self, source: Path) -> list[Record]:
        """One record of each text: which copy of it is kept must not decide what is found."""
        records = [json.loads(line) for _, _, line in read_lines(source)]
        return list({record["text"]: record for record in records}.values())

    def write(self, records: list[Record], target: Path) -> None:
        with target.open("w", encoding="utf-8") as out:
            out.writelines(json.dumps(record, ensure_ascii=False) + "\n" for record in records)

    def marks(self, target: Path) -> list[str]:
        """Of each record of the written file."""
        from ietool.contest.clean.review import mark_of

        return [mark_of(json.loads(line)["text"]) for _, _, line in read_lines(target)]

    @abstractmethod
    def items(self, record: Record) -> list[Item]: ...
    @abstractmethod
    def record(self, record: Record, items: list[Item]) -> Record: ...
    @abstractmethod
    def wrong(self, record: Record, how: str, item: Item, others: list[Item], random: Random) -> Item | None:
        """A wrong item in place of one, or beside it; None if there is none."""

    @staticmethod
    @abstractmethod
    def key(item: Item) -> str:
        """By what two items are the same."""


class Triples(Planter):
    """Of texts with ``spo_list``."""

    def items(self, record: Record) -> list[Item]:
        return [dict(item) for item in record["spo_list"]]

    def record(self, record: Record, items: list[Item]) -> Record:
        return {**record, "spo_list": items}

    def wrong(self, record: Record, how: str, item: Item, others: list[Item], random: Random) -> Item | None:
        names = sorted({one["subject"] for one in others} | {one["object"]["@value"] for one in others})
        known = [self.key(one) for one in others]
        choices = [{**item, "subject": name} for name in names if name != item["object"]["@value"]]
        choices += [{**item, "object": {**item["object"], "@value": name}} for name in names if name != item["subject"]]
        choices = [one for one in choices if self.key(one) not in known]
        return random.choice(choices) if choices else None

    @staticmethod
    def key(item: Item) -> str:
        slots = item["object"] if isinstance(item["object"], dict) else {"@value": item["object"]}
        return json.dumps([item["subject"], item["predicate"], sorted(slots.items())], ensure_ascii=False)


class Entities(Planter):
    """Of texts with ``label``."""

    def items(self, record: Record) -> list[Item]:
        return [
            {"type": kind, "start": start, "end": last + 1}
            for kind, names in record["label"].items()
            for spans in names.values()
            for start, last in spans
        ]

    def record(self, record: Record, items: list[Item]) -> Record:
        label: dict[str, dict[str, list[list[int]]]] = {}
        for item in items:
            name = record["text"][item["start"] : item["end"]]
            label.setdefault(item["type"], {}).setdefault(name, []).append([item["start"], item["end"] - 1])
        return {**record, "label": label}

    def wrong(self, record: Record, how: str, item: Item, others: list[Item], random: Random) -> Item | None:
        choices = [{**item, "type": kind} for kind in self.types if kind != item["type"]]
        for left, right in ((-1, 0), (-2, 0), (1, 0), (0, 1), (0, 2), (0, -1)):
            start, end = item["start"] + left, item["end"] + right
            if 0 <= start < end <= len(record["text"]):
                choices += [{**item, "start": start, "end": end}] * 2
        return random.choice([one for one in choices if one not in others] or [None])

    types = ("address", "book", "company", "game", "government", "movie", "name", "organization", "position", "scene")

    @staticmethod
    def key(item: Item) -> str:
        return json.dumps([item["start"], item["end"], item["type"]])


class Mentions(Planter):
    """Of texts with ``mention_data``, and a knowledge base."""

    def __init__(self, files: dict[str, Path]) -> None:
        super().__init__(files)
        meant: dict[str, dict[str, None]] = defaultdict(dict)
        for _, _, line in read_lines(files["kb"]):
            entity = json.loads(line)
            for name in (entity["subject"], *entity.get("alias", ())):
                meant[name][str(entity["subject_id"])] = None
        self.meant = {name: list(ids) for name, ids in meant.items() if len(name) > 1}
        self.names = list(self.meant)
        self.matcher = NameMatcher(self.names)

    def items(self, record: Record) -> list[Item]:
        return [dict(item) for item in record["mention_data"]]

    def record(self, record: Record, items: list[Item]) -> Record:
        return {**record, "mention_data": sorted(items, key=lambda item: int(item["offset"]))}

    def wrong(self, record: Record, how: str, item: Item, others: list[Item], random: Random) -> Item | None:
        if how == ALTERED:
            choices = [kb_id for kb_id in self.meant.get(item["mention"], ()) if kb_id != item["kb_id"]]
            return {**item, "kb_id": random.choice(choices)} if choices else None
        taken = [(int(one["offset"]), int(one["offset"]) + len(one["mention"])) for one in others]
        free = [
            (name, start)
            for name, start, end in self.matcher.find(record["text"])
            if all(end <= a or b <= start for a, b in taken)
        ]
        if not free:
            return None
        at, start = random.choice(free)
        name = self.names[at]
        return {"kb_id": random.choice(self.meant[name]), "mention": name, "offset": str(start)}

    @staticmethod
    def key(item: Item) -> str:
        return json.dumps([int(item["offset"]), item["mention"], item["kb_id"]], ensure_ascii=False)


class Answers(Planter):
    """Of a list of questions with passages, each with its answer."""

    kinds = (DROPPED, ALTERED, MOVED)

    def read(self, source: Path) -> list[Record]:
        records: list[Record] = json.loads(source.read_text(encoding="utf-8"))
        return records

    def write(self, records: list[Record], target: Path) -> None:
        target.write_text(json.dumps(records, ensure_ascii=False), encoding="utf-8")

    def marks(self, target: Path) -> list[str]:
        from ietool.contest.clean.review import mark_of
        from ietool.tasks.qa.data import answers
        from ietool.tasks.qa.data.reading import load_questions

        return [mark_of(answers.mark_of(question)) for question in load_questions(target)]

    def items(self, record: Record) -> list[Item]:
        return [
            {"answer": passage["answer"], "passage": number}
            for number, passage in enumerate(record["passages"])
            if passage["answer"] and passage["answer"] in passage["passage"]
        ]

    def record(self, record: Record, items: list[Item]) -> Record:
        answers = {item["passage"]: item["answer"] for item in items}
        passages = [{**passage, "answer": answers.get(n, "")} for n, passage in enumerate(record["passages"])]
        return {**record, "passages": passages, "golden_answers": list(dict.fromkeys(answers.values()))}

    def wrong(self, record: Record, how: str, item: Item, others: list[Item], random: Random) -> Item | None:
        text, answer = record["passages"][item["passage"]]["passage"], item["answer"]
        stands = [(at, at + len(answer)) for at in occurrences(answer, text)]
        if how == MOVED:
            start, end = stands[0]
            moves = [(start + left, end) for left in range(-4, 5)]
            moves += [(start, end + right) for right in range(-4, 5)]
            spans = [(a, b) for a, b in moves if 0 <= a < b <= len(text) and (a, b) != stands[0]]
        else:
            size = len(answer)
            spans = [(a, a + size) for a in range(len(text) - size + 1)]
            spans = [(a, b) for a, b in spans if all(b <= c or d <= a for c, d in stands)]
        choices = [text[a:b].strip() for a, b in spans]
        choices = [one for one in choices if one and one != answer]
        return {**item, "answer": random.choice(choices)} if choices else None

    @staticmethod
    def key(item: Item) -> str:
        return json.dumps([item["passage"], item["answer"]], ensure_ascii=False)


PLANTERS: dict[str, type[Planter]] = {"ske": Triples, "ner": Entities, "el": Mentions, "qa": Answers}


def wanted(task: str, planted: list[dict[str, Any]]) -> Iterator[tuple[tuple[str, str, str], int]]:
    """((mark, ``add`` or ``drop``, key of the item) of each change that mends an error, number of the error)."""
    key = PLANTERS[task].key
    for number, error in enumerate(planted):
        if error["was"] is not None:
            yield (error["mark"], "add", key(error["was"])), number
        if error["now"] is not None:
            yield (error["mark"], "drop", key(error["now"])), number
