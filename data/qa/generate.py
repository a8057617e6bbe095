"""Write the reading corpus anew: ``python data/qa/generate.py`` (or ``... generate.py FOLDER``), byte for byte.

An invented world (``facts.py``) is told in short passages (``telling.py``) and asked about (``works.py``,
``bodies.py``); ``samples.py`` writes the small files of other forms. Standard library only. Licence of what it
writes: CC0.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

# What lies in data/ ships: no compiled files beside it. The dice and the names are those of the other corpus.
sys.dont_write_bytecode = True
sys.path.append(str(Path(__file__).resolve().parents[1] / "ske"))

import samples  # noqa: E402
from banks import Dice  # noqa: E402
from facts import KINDS, Thing, World  # noqa: E402
from telling import Teller, Told  # noqa: E402

SEED = 20190731
SIZES = {"train": 1100, "dev": 200, "test": 200}
SHARES = {"film": 21, "book": 14, "song": 14, "person": 17, "firm": 12, "city": 9, "club": 7, "school": 6}
SHARED = 0.1  # of the dev and test questions ask about a thing of the training world, but not what training asks
BACKWARDS = 0.15  # of the questions give a value and ask for the thing
SHORTEST, LONGEST = 20, 120  # characters of a passage

Row = dict[str, Any]


class Asker:
    """The questions of one split, with their passages."""

    def __init__(self, dice: Dice, world: World, test: bool) -> None:
        self.dice, self.world = dice, world
        self.teller = Teller(dice, world, test)

    def ask(self, thing: Thing, name: str, backwards: bool) -> Row | None:
        """The question for one field of a thing, or from it; None if the dice fell badly."""
        dice, field = self.dice, KINDS[thing.kind].fields[name]
        if backwards:
            shown, forms = thing.values[name][0], (thing.name,)
            asked = self.teller.choose(field.backs).replace("{v}", shown)
        else:
            forms = thing.values[name]
            asked = self.teller.choose(field.asks).replace("{S}", self.teller.called(thing))
        if any(form in asked for form in forms):
            return None
        rivals = self._rivals(thing, name)
        passages = []
        for _ in range(dice.pick([1, 1, 2, 2, 3])):
            form = thing.name if backwards else forms[-1 if dice.chance(0.3) else 0]
            made = self._try(lambda form=form: self._answering(thing, name, form, backwards, rivals))
            if made is None or made.count(form) > (1 if len(form) < 3 else 2):
                return None
            passages.append({"passage": made, "answer": form})
        for _ in range(min(dice.between(1, 4) + (len(passages) == 1), 6 - len(passages))):
            made = self._try(lambda: self._misleading(thing, name, asked, backwards, rivals))
            if made is None or any(form in made for form in forms):
                return None
            passages.append({"passage": made, "answer": ""})
        if not 3 <= len(passages) <= 6 or len({p["passage"] for p in passages}) < len(passages):
            return None
        told = [p["passage"] for p in passages if p["answer"]]
        return {
            "question": ("请问" if dice.chance(0.1) else "") + asked + dice.pick(["？", "？", "", "呢？"]),
            "passages": dice.some(passages, len(passages)),
            "golden_answers": [form for form in forms if any(form in text for text in told)],
        }

    def _try(self, make: Any) -> str | None:
        for _ in range(20):
            text = self.teller.finish(make())
            if SHORTEST <= len(text) <= LONGEST:
                return str(text)
        return None

    def _rivals(self, thing: Thing, name: str) -> list[Thing]:
        """Two things of the kind that could be mistaken for it: the first shares most of its name."""
        others = [t for t in self.world.things[thing.kind] if t is not thing and t.values[name] != thing.values[name]]
        others = self.dice.some(others, 25)
        closest = max(others, key=lambda t: len(set(t.name) & set(thing.name)) - abs(len(t.name) - len(thing.name)) / 4)
        return [closest, self.dice.pick(others)]

    def _told(self, thing: Thing, without: str, count: int) -> Told:
        names = [n for n in thing.values if n != without]
        return [(n, self.dice.pick(thing.values[n])) for n in self.dice.some(names, count)]

    def _answering(self, thing: Thing, name: str, form: str, backwards: bool, rivals: list[Thing]) -> str:
        dice = self.dice
        value = thing.values[name][0] if backwards else form
        text = self.teller.about(thing, [(name, value), *self._told(thing, name, dice.pick([0, 1, 1, 2]))])
        if dice.chance(0.3):
            rival = dice.pick(rivals)
            other = self.teller.about(
                rival, [(name, rival.values[name][0]), *self._told(rival, name, dice.pick([0, 1]))]
            )
            return self.teller.pair(text, other) if dice.chance(0.5) else self.teller.pair(other, text)
        return text

    def _misleading(self, thing: Thing, name: str, asked: str, backwards: bool, rivals: list[Thing]) -> str:
        """A passage that shares something with the question but answers it not."""
        dice, teller = self.dice, self.teller
        rival = rivals[0] if dice.chance(0.7) else rivals[1]
        if backwards:
            # The value of the question in another part: the director of one film wrote another.
            fields = KINDS[thing.kind].fields
            parts = [n for n in fields if n != name and fields[n].type == fields[name].type]
            text = teller.about(rival, [(name, rival.values[name][0]), *self._told(rival, name, dice.pick([0, 1, 2]))])
            if parts and dice.chance(0.5):
                part = dice.pick(parts)
                rest = [(n, v) for n, v in self._told(rival, part, 2) if n != name]
                text = teller.about(rival, [(part, thing.values[name][0]), *rest])
            return teller.echo(asked, text) if dice.chance(0.2) else text
        fate = dice.pick(["same", "same", "same", "rival", "rival", "rival", "contrast", "contrast", "echo", "other"])
        if fate == "other":
            stranger = dice.pick(self.world.things[dice.pick(list(KINDS))])
            return teller.contrast(thing, teller.about(stranger, self._told(stranger, "", dice.pick([1, 2]))))
        if fate in ("same", "echo"):
            text = teller.about(thing, self._told(thing, name, dice.pick([1, 2, 2, 3])))
            return teller.echo(asked, text) if fate == "echo" else text
        told = [(name, dice.pick(rival.values[name])), *self._told(rival, name, dice.pick([0, 1, 2]))]
        text = teller.about(rival, told)
        return teller.contrast(thing, text) if fate == "contrast" else text


def worlds() -> dict[str, World]:
    made: dict[str, World] = {}
    for name, size in SIZES.items():
        others = {n for world in made.values() for n in world.names}
        sizes = {kind: max(size * share // 220, 8) for kind, share in SHARES.items()}
        made[name] = World(Dice(SEED + len(name) * 7 + ord(name[0])), sizes, others)
    return made


def split(name: str, every: dict[str, World], used: set[tuple[Thing, str]]) -> list[tuple[Thing, Row]]:
    """The questions of one split, each with the thing it is about."""
    dice = Dice(SEED * 3 + len(name) * 7 + ord(name[0]))
    kinds = [kind for kind, share in SHARES.items() for _ in range(share)]
    rows: list[tuple[Thing, Row]] = []
    while len(rows) < SIZES[name]:
        world = every["train"] if dice.chance(SHARED) else every[name]
        thing = dice.pick(world.things[dice.pick(kinds)])
        fields = KINDS[thing.kind].fields
        backwards = dice.chance(BACKWARDS)
        field = dice.pick([n for n in fields if fields[n].backs or not backwards])
        if (thing, field) in used or (backwards and not unique(thing, field, world)):
            continue
        made = Asker(dice, world, name == "test").ask(thing, field, backwards)
        if made is not None:
            used.add((thing, field))
            rows.append((thing, made))
    return rows


def unique(thing: Thing, field: str, world: World) -> bool:
    return sum(other.values[field] == thing.values[field] for other in world.things[thing.kind]) == 1


def subjects() -> dict[str, list[str]]:
    """What each question is about, by split, in the order of the files."""
    every, used = worlds(), set[tuple[Thing, str]]()
    return {name: [thing.name for thing, _ in split(name, every, used)] for name in SIZES}


def write_list(path: Path, rows: list[Row]) -> None:
    """One JSON list, a line an item."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = ",\n".join(json.dumps(row, ensure_ascii=False) for row in rows)
    path.write_text(f"[\n{lines}\n]\n", encoding="utf-8", newline="\n")


def main(folder: Path) -> None:
    """Write ``folder/qa``."""
    every, used, first = worlds(), set[tuple[Thing, str]](), 1
    for name in SIZES:
        rows = [row for _, row in split(name, every, used)]
        write_list(folder / "qa" / f"{name}.json", [{"id": f"Q{first + n:04}", **row} for n, row in enumerate(rows)])
        first += len(rows)
    samples.write(folder / "qa", Dice(SEED), every["test"])


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).resolve().parents[1])
