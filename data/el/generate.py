"""Write the entity-linking corpora anew: ``python data/el/generate.py`` (or ``... generate.py FOLDER``), byte for byte.

An invented world (``world.py``, of the names in ``names.py`` and the kinds in ``artists.py``, ``figures.py``,
``works.py``, ``firms.py``, ``places.py``) told in short texts by whimsical annotators (``telling.py``, ``words.py``).
Standard library only. Licence of what it writes: CC0.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

# What lies in data/ ships: no compiled files beside it. The dice are those of the other corpus.
sys.dont_write_bytecode = True
sys.path.append(str(Path(__file__).resolve().parents[1] / "ske"))

import words  # noqa: E402
from banks import Dice  # noqa: E402
from telling import Teller, Text  # noqa: E402
from world import KINDS, Thing, World, key  # noqa: E402

SEED = 20190413
SIZES = {"train": 1100, "dev": 200, "test": 200}
SMALL = {"train": 60, "dev": 20, "test": 20}  # the 2020 form
HELD_NAMES, HELD_THINGS = 5, 15  # ambiguous names, and single bearers of others, that train never links
TYPES_2020 = {
    "Person": "Person",
    "VirtualThing": "VirtualThings",
    "CreativeWork": "Work",
    "Organization": "Organization",
    "Place": "Location",
    "Brand": "Brand",
    "Thing": "Other",
    "Vocabulary": "Other",
}

Row = dict[str, Any]


def common_words(dice: Dice) -> dict[str, Thing]:
    found: dict[str, Thing] = {}
    for word, _, sense, text in words.WORDS:
        told = {
            "word": word,
            "sense": sense,
            "text": text,
            "part": dice.pick(words.PARTS),
            "use": dice.pick(words.USES),
            "manner": dice.pick(words.MANNERS),
        }
        summary = dice.pick(words.OPENING).format(**told) + "".join(dice.some(words.MIDDLE, 2))
        facts = [row.partition(":") for row in dice.some(words.FACTS, 5)]
        thing = Thing("word", word)
        thing.facts = [("摘要", summary), *((p, o.format(**told)) for p, _, o in facts), ("义项描述", sense)]
        found[word] = thing
    return found


def number(dice: Dice, things: list[Thing]) -> list[Thing]:
    """The things in KB order, which says nothing about them, with their ids."""
    order, last = dice.some(things, len(things)), 10000
    for thing in order:
        last += dice.between(1, 40)
        thing.kb_id = str(last)
    return order


def held_out(dice: Dice, teller: Teller) -> set[Thing]:
    shared = [name for name, things in teller.index.items() if len([t for t in things if t.kind != "word"]) > 1]
    chosen = dice.some(shared, HELD_NAMES)
    held = {thing for name in chosen for thing in teller.index[name] if thing.kind != "word"}
    rest = dice.some([name for name in shared if name not in chosen], HELD_THINGS)
    return held | {dice.pick([t for t in teller.index[name] if t.kind != "word"]) for name in rest}


def split(name: str, world: World, common: dict[str, Thing], seen: set[str], held: set[Thing]) -> list[Text]:
    dice = Dice(SEED + len(name) * 7 + ord(name[0]))
    teller = Teller(dice, world, common, name == "test")
    shared = [t for t in world.things if any(len(teller.index[key(n)]) > 1 for n in t.names)]
    rest = [t for t in world.things if t not in shared]
    deck: list[Thing] = []
    texts: list[Text] = []
    while len(texts) < SIZES[name]:
        # Round by round, so that namesakes are told of equally often; those with a name of their own half as often.
        deck = deck or dice.some(shared + dice.some(rest, len(rest) // 2), len(world.things))
        thing = deck.pop()
        for _ in range(40):
            made = teller.text(thing)
            if made is None or made.text in seen or made.core in seen:
                continue
            if name == "train" and made.things & held:
                continue
            seen |= {made.text, made.core}
            texts.append(made)
            break
    return texts


def line(text_id: int, text: Text, typed: bool = False) -> Row:
    def kb_id(thing: Thing | None, nil: str) -> str:
        if thing is not None:
            return thing.kb_id
        return "|".join(f"NIL_{kind}" for kind in nil.split("|")) if typed else "NIL"

    data = [{"kb_id": kb_id(m.thing, m.nil), "mention": m.mention, "offset": str(m.start)} for m in text.mentions]
    return {"text_id": str(text_id), "text": text.text, "mention_data": data}


def entity(thing: Thing, typed: bool = False) -> Row:
    """A line of the KB. As in the real one, some list the name among the aliases; in 2020 types were a string."""
    data = [{"predicate": predicate, "object": value} for predicate, value in thing.facts]
    types = KINDS[thing.kind]["types"] if thing.kind in KINDS else ["Vocabulary"]
    return {
        "alias": thing.names if len(thing.name) % 2 else thing.aliases,
        "subject_id": thing.kb_id,
        "subject": thing.name,
        "type": TYPES_2020[types[0]] if typed else types,
        "data": data,
    }


def write(path: Path, rows: list[Row]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = (json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    path.write_text("".join(lines), encoding="utf-8", newline="\n")


def main(folder: Path) -> None:
    """Write ``folder/el`` (CCKS 2019 form) and ``folder/el2020`` (CCKS 2020 form)."""
    dice = Dice(SEED)
    world = World(dice)
    common = common_words(dice)
    order = number(dice, [*world.things, *common.values()])
    held = held_out(dice, Teller(dice, world, common, False))
    seen: set[str] = set()
    texts = {name: split(name, world, common, seen, held) for name in SIZES}
    write(folder / "el" / "kb_data", [entity(thing) for thing in order])
    first = 1
    small: set[Thing] = set()
    index = Teller(dice, world, common, False).index
    for name, rows in texts.items():
        write(folder / "el" / f"{name}.jsonl", [line(first + n, text) for n, text in enumerate(rows)])
        first += len(rows)
        chosen = [text for text in rows if text.mentions][: SMALL[name]]
        write(folder / "el2020" / f"{name}.json", [line(n, text, typed=True) for n, text in enumerate(chosen, 1)])
        small |= {t for text in chosen for m in text.mentions for t in index.get(key(m.mention), [])}
    write(folder / "el2020" / "kb.json", [entity(thing, typed=True) for thing in order if thing in small])


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).resolve().parents[1])
