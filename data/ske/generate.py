"""Write the shipped corpora anew: ``python data/ske/generate.py`` (or ``... generate.py FOLDER``), byte for byte.

From fact tables (``worlds.py``) of names (``banks.py``) told in patterns (``patterns.py``). The three splits have
worlds of their own: a name of the test file occurs in training only where a record was shared on purpose, and some
patterns are kept for the test file. Standard library only. Licence of what it writes: CC0.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

# What lies in data/ ships: no compiled files beside it.
sys.dont_write_bytecode = True

import banks  # noqa: E402
import patterns  # noqa: E402
from banks import Dice  # noqa: E402
from worlds import RELATIONS, TYPES, Record, World  # noqa: E402

SEED = 20190520
SIZES = {"train": 1600, "dev": 200, "test": 200}
SCALES = {"train": 300, "dev": 60, "test": 60}
SHARED = 0.12  # of the dev and test sentences tell a record of the training world
HELD_OUT = 0.15  # the weight of a pattern that only the test file has, there
SHARES = {"film": 34, "song": 20, "book": 10, "couple": 10, "person": 9, "award": 8, "firm": 8, "empty": 4}
SLOT = re.compile(r"《?\{(\w+)\}》?|<(\w+)>")

Triple = tuple[str, str, tuple[tuple[str, str], ...]]


class Writer:
    """Sentences of one split."""

    def __init__(self, dice: Dice, world: World, test: bool) -> None:
        self.dice, self.world, self.test = dice, world, test

    def choose(self, options: list[str], fit: Any) -> str | None:
        """A fitting pattern; those of the test file alone come by their own weight, never elsewhere."""
        hidden = self.test and self.dice.chance(HELD_OUT)
        fitting = [o.lstrip("!") for o in options if o.startswith("!") == hidden and fit(o.lstrip("!"))]
        return self.dice.pick(fitting) if fitting else None

    def sentence(self, topic: str, record: Record) -> tuple[str, list[Triple]] | None:
        def known(pattern: str) -> bool:
            return all(f in record or f in ("genre", "year0") for f, _ in SLOT.findall(pattern) if f)

        head = self.choose(patterns.HEADS[topic], known)
        if head is None:
            return None
        parts, used = [head], {f for f, _ in SLOT.findall(head) if f}
        for _ in range(self.dice.pick([0, 0, 1, 1, 2, 3, 4])):
            tail = self.choose([t for t in patterns.TAILS[topic] if self._follows(t.lstrip("!"), used)], known)
            if tail is not None and tail.split("|")[-1] not in parts:
                parts.append(tail.split("|")[-1])
                used |= {f for f, _ in SLOT.findall(tail) if f}
        text = parts[0] + "".join(self.dice.pick(["，", "，", "，", "。", "；"]) + part for part in parts[1:])
        if self.dice.chance(0.25):
            text = (self.choose(patterns.BEFORE, bool) or "") + text
        if self.dice.chance(0.35):
            text += self.choose(patterns.AFTER, bool) or ""
        elif self.dice.chance(0.5):
            text += "。"
        style = self.dice.pick([" ", "、", "/", " / "] if "：" in text else ["、", "、", "、", "，", "和"])
        bare = self.dice.chance(0.06)
        filled = SLOT.sub(lambda match: self._fill(match, record, style, bare), text)
        return filled, self._triples(record, used, filled)

    @staticmethod
    def _follows(tail: str, used: set[str]) -> bool:
        need, _, text = tail.rpartition("|")
        fields = {f for f, _ in SLOT.findall(text) if f}
        views = {"actor1", "director1", "author1", need} & (used | {f + "1" for f in used})
        return (not need or need in used) and not (fields - views) & used and fields - views == fields - views - used

    def _fill(self, match: re.Match[str], record: Record, style: str, bare: bool) -> str:
        field, stranger = match.group(1), match.group(2)
        if stranger:
            return self._stranger(stranger, record)
        if field == "genre":
            return self.dice.pick(patterns.GENRES)
        if field == "year0":
            return str(self.dice.between(1975, 2019))
        value = record[field]
        names = [value] if isinstance(value, str) else value
        marked = match.group(0).startswith("《")
        if marked and not (bare and len(names) == 1):
            names = [f"《{name}》" for name in names]
        if len(names) == 1:
            return names[0]
        last = self.dice.pick(["和", "与", "及", style, style]) if style in "、，和" else style
        join = style if style != "和" else "、"
        if marked and self.dice.chance(0.3):
            join = last = ""
        return join.join(names[:-1]) + last + names[-1]

    def _stranger(self, kind: str, record: Record) -> str:
        """A name of the kind that the record does not hold: no fact is told by accident."""
        world, dice = self.world, self.dice
        make = {
            "person": world.anyone,
            "place": world.place,
            "school": lambda: dice.pick(world.schools),
            "company": lambda: dice.pick(world.studios),
            "title": lambda: banks.title(dice, world.place()),
            "date": lambda: banks.date(dice),
            "media": lambda: world.place() + dice.pick(banks.MEDIA),
        }[kind]
        held = {name for value in record.values() for name in ([value] if isinstance(value, str) else value)}
        while (name := make()) in held:
            pass
        return name

    @staticmethod
    def _triples(record: Record, used: set[str], text: str) -> list[Triple]:
        def names(field: str) -> list[str]:
            value = record[field]
            return [value] if isinstance(value, str) else value

        found: list[Triple] = []
        for subject, predicate, obj, slots in RELATIONS:
            if subject in used and obj in used:
                extra = tuple((s, names(f)[0]) for s, f in sorted(slots.items()) if f in used)
                found += [(s, predicate, (("@value", o), *extra)) for s in names(subject) for o in names(obj)]
        return list(dict.fromkeys(found))


def split(name: str, worlds: dict[str, World], seen: set[str]) -> list[dict[str, Any]]:
    """The records of one split, in DuIE 2.0 form."""
    dice = Dice(SEED + len(name) * 7 + ord(name[0]))
    topics = [topic for topic, share in SHARES.items() for _ in range(share)]
    records: list[dict[str, Any]] = []
    while len(records) < SIZES[name]:
        topic = dice.pick(topics)
        world = worlds["train"] if dice.chance(SHARED) else worlds[name]
        record = dice.pick(world.tables[topic])
        made = Writer(dice, world, name == "test").sentence(topic, record)
        if made is None:
            continue
        text, triples = made
        if not 10 <= len(text) <= 150 or len(triples) > 6 or (not triples and topic != "empty") or text in seen:
            continue
        seen.add(text)
        spo_list = [
            {
                "predicate": predicate,
                "object_type": {slot: TYPES[predicate][1][slot] for slot, _ in slots},
                "subject_type": TYPES[predicate][0],
                "object": dict(slots),
                "subject": subject,
            }
            for subject, predicate, slots in triples
        ]
        records.append({"text": text, "spo_list": spo_list})
    return records


def plain(record: dict[str, Any]) -> dict[str, Any]:
    """The same in SKE 2019 form: objects and their types are strings, further slots are gone."""
    spo_list: list[dict[str, str]] = []
    for spo in record["spo_list"]:
        flat = {**spo, "object": spo["object"]["@value"], "object_type": spo["object_type"]["@value"]}
        if flat not in spo_list:
            spo_list.append(flat)
    return {"text": record["text"], "spo_list": spo_list}


def write(path: Path, records: list[dict[str, Any]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = (json.dumps(record, ensure_ascii=False) + "\n" for record in records)
    path.write_text("".join(lines), encoding="utf-8", newline="\n")


def main(folder: Path) -> None:
    """Write ``folder/ske`` (DuIE 2.0 form) and ``folder/ske2019`` (SKE 2019 form)."""
    worlds: dict[str, World] = {}
    names: set[str] = set()
    for number, name in enumerate(SIZES):
        worlds[name] = World(Dice(SEED + number), SCALES[name], names)
        names |= worlds[name].names
    seen: set[str] = set()
    splits = {name: split(name, worlds, seen) for name in SIZES}
    for name, records in splits.items():
        write(folder / "ske" / f"{name}.jsonl", records)
    types = [{"object_type": o, "predicate": p, "subject_type": s} for p, (s, o) in TYPES.items()]
    write(folder / "ske" / "schema.jsonl", types)
    for name, file, count in (("train", "train_data", 60), ("dev", "dev_data", 20), ("test", "test1_data", 20)):
        write(folder / "ske2019" / f"{file}.json", [plain(record) for record in splits[name][:count]])
    write(folder / "ske2019" / "all_50_schemas", [{**t, "object_type": t["object_type"]["@value"]} for t in types])  # type: ignore[index]


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).resolve().parents[1])
