"""The invented world: entities that share names, and the facts that tell them apart.

``build`` draws the entities and wires them: a work chooses its makers, firms and places, and from these choices follows
what the makers, firms and places are known for. Descriptions are told from the facts (``artists.py`` and its like).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

import artists
import figures
import firms
import names
import places
import works
from banks import Dice

KINDS = artists.KINDS | figures.KINDS | works.KINDS | firms.KINDS | places.KINDS
ALTERNATIVES = re.compile(r"\[([^\[\]]*)\]")
SLOT = re.compile(r"\{([?\w.]+)\}")

# field of a kind: (kinds it is chosen from, how many, the field there that lists what chose it)
CHOICES: dict[str, dict[str, tuple[str, int, str]]] = {
    "novel": {"author": ("writer", 1, "novels")},
    "film": {
        "director": ("director", 1, "works"),
        "actors": ("actor", 2, "works"),
        "studio": ("studio", 1, "works"),
        "theme": ("song", 1, ""),
    },
    "series": {
        "director": ("director", 1, "works"),
        "actors": ("actor", 2, "works"),
        "studio": ("studio", 1, "works"),
    },
    "song": {
        "singer": ("singer singer band", 1, "songs"),
        "lyricist": ("writer singer", 1, ""),
        "composer": ("singer", 1, ""),
        "album": ("album", 1, "tracks"),
    },
    "album": {"singer": ("singer band", 1, "albums"), "label": ("label", 1, "records")},
    "game": {"maker": ("tech", 1, "products")},
    "comic": {"maker": ("cartoonist", 1, "comics")},
    "show": {"hosts": ("host", 1, "shows")},
    "phone": {"maker": ("tech", 1, "products")},
    "character": {"work": ("novel game comic series", 1, "heroes")},
    "tech": {"boss": ("founder", 1, "company"), "seat": ("city", 1, "")},
    "food": {"boss": ("founder", 1, "company"), "seat": ("city", 1, "")},
    "studio": {"seat": ("city", 1, "")},
    "label": {"seat": ("city", 1, "")},
    "club": {"seat": ("city", 1, "")},
    "school": {"seat": ("city", 1, "schools")},
    "band": {"seat": ("city", 1, ""), "lead": ("singer", 1, ""), "label": ("label", 1, "people")},
    "town": {"city": ("city", 1, "sights")},
    "scenic": {"city": ("city", 1, "sights")},
    "dish": {"city": ("city", 1, "")},
    "actor": {"agency": ("studio", 1, "people")},
    "singer": {"label": ("label", 1, "people")},
    "director": {"agency": ("studio", 1, "")},
    "footballer": {"club": ("club", 1, "people")},
    "chef": {"dishes": ("dish", 1, "")},
    "writer": {},
}
HOME = {"home": ("city", 1, "")}
SCHOOL = {"school": ("school", 1, "people")}
SCHOOLED = ("actor", "writer", "director", "host", "cartoonist", "scientist", "founder")
OWN: dict[tuple[str, str], list[str]] = {
    ("general", "rank"): ["镇北将军", "总兵", "枢密使", "左都督", "骠骑将军"],
    ("player", "rank"): ["三段", "五段", "七段", "九段"],
    ("show", "genre"): ["音乐竞技", "脱口秀", "美食竞技", "户外真人秀", "访谈"],
    ("game", "genre"): ["角色扮演", "射击", "卡牌", "塔防", "模拟经营", "解谜"],
    ("food", "trade"): ["饮料生产", "调味品", "休闲食品", "酒水酿造", "速食加工"],
    ("character", "role"): ["刺客", "郡主", "药师", "机甲驾驶员", "客栈掌柜", "书生"],
}
BORN = {"footballer": (1984, 1995), "scientist": (1926, 1952), "player": (1968, 1994)}
RANGES: dict[str, tuple[int, int]] = {
    "year": (1988, 2012), "year2": (2013, 2018), "count": (12, 98), "length": (81, 148), "episodes": (18, 62),
    "staff": (120, 9800), "number": (1, 33), "people": (23, 890), "ticket": (20, 160), "hours": (2, 9),
    "battery": (2800, 5200), "price": (799, 4999), "phone year": (2011, 2018), "game year": (2003, 2018),
    "album count": (8, 14), "comic count": (40, 320), "show year": (1999, 2018), "footballer year": (2004, 2012),
    "footballer year2": (2014, 2018), "scientist year": (1976, 2006), "host year": (1996, 2012),
}  # fmt: skip


@dataclass(eq=False)
class Thing:
    """An entity. ``fields`` holds lists of things and strings; ``kind`` is "word" for a common word."""

    kind: str
    name: str
    kb_id: str = ""
    aliases: list[str] = field(default_factory=list)
    fields: dict[str, list[Any]] = field(default_factory=dict)
    facts: list[tuple[str, str]] = field(default_factory=list)

    @property
    def names(self) -> list[str]:
        return [self.name, *self.aliases]


def key(name: str) -> str:
    """How names are compared: lower case, title marks off."""
    name = name.lower()
    return name[1:-1] if name.startswith("《") and name.endswith("》") else name


class World:
    def __init__(self, dice: Dice) -> None:
        self.dice = dice
        self.things: list[Thing] = []
        self._uses: dict[tuple[str, int], int] = {}
        self._people()
        for name, kinds in names.FAMILIES.items():
            self.things += [Thing(kind, name) for kind in kinds]
        for kind, titles in names.SINGLE.items():
            self.things += [Thing(kind, title) for title in titles]
        self._wire()
        self._nicknames()
        for thing in self.things:
            thing.facts = self._facts(thing)

    def person(self) -> str:
        """A person's name."""
        given = self.dice.pick(names.GIVEN) if self.dice.chance(0.7) else self.dice.pick(names.SHORT)
        return self.dice.pick(names.SURNAMES) + given

    def _people(self) -> None:
        dice, taken = self.dice, set[str]()
        deck = [kind for kind, weight in zip(names.PEOPLE, names.WEIGHTS, strict=True) for _ in range(weight)]
        # One name each for the unambiguous: every kind that others choose from has some.
        groups = [[kind] for kind in ("actor", "singer", "writer", "director", "host", "cartoonist", "founder") * 2]
        groups += [dice.some(deck, dice.pick([2, 2, 2, 3, 3])) for _ in range(names.SHARED_PEOPLE)]
        for group in groups:
            while (name := self.person()) in taken:
                pass
            taken.add(name)
            self.things += [Thing(kind, name) for kind in group]

    def of(self, kinds: str) -> list[Thing]:
        return [thing for kind in kinds.split() for thing in self.things if thing.kind == kind]

    def _choose(self, thing: Thing, role: str, kinds: str, count: int) -> list[Thing]:
        """Those of the kinds chosen least so far, so that everybody has made something."""
        twins = [t for t in self.of(kinds) if t.name == thing.name and t.kind == "city"]
        if twins and role in ("seat", "city"):
            return twins
        options = [t for t in self.of(kinds) if t.name != thing.name and not set(t.names) & set(thing.names)]
        chosen: list[Thing] = []
        for _ in range(count):
            least = min(self._uses.get((role, id(t)), 0) for t in options)
            pick = self.dice.pick([t for t in options if self._uses.get((role, id(t)), 0) == least])
            self._uses[(role, id(pick))] = least + 1
            options = [t for t in options if t is not pick]
            chosen.append(pick)
        return chosen

    def _wire(self) -> None:
        for thing in self.things:
            choices = CHOICES.get(thing.kind, {})
            if thing.kind in names.PEOPLE and thing.kind != "character":
                choices = choices | HOME | (SCHOOL if thing.kind in SCHOOLED else {})
            for role, (kinds, count, back) in choices.items():
                thing.fields[role] = list(self._choose(thing, role, kinds, count))
                for other in thing.fields[role] if back else []:
                    other.fields.setdefault(back, []).append(thing)
            if thing.kind in ("film", "series"):
                thing.fields["source"] = [t for t in self.things if t.name == thing.name and t.kind == "novel"]
        for thing in self.of("novel game comic series"):
            if thing.fields.get("heroes"):
                thing.fields["hero"] = thing.fields["heroes"][:1]
            thing.fields["maker"] = thing.fields.get("author") or thing.fields.get("maker") or thing.fields["director"]

    def _nicknames(self) -> None:
        dice, latin = self.dice, names.LATIN * 2
        for thing in self.things:
            thing.aliases += names.ALIASES.get(thing.name, []) if thing.name not in names.FAMILIES else []
            if thing.kind in names.PEOPLE and dice.chance(0.3):
                first, last = thing.name[0], thing.name[-1]
                nick = dice.pick(names.NICKS).format(first=first, last=last)
                modern = thing.kind in ("actor", "singer", "host", "footballer", "founder", "character")
                thing.aliases.append(latin.pop(int(dice.between(0, len(latin) - 1))) if modern and latin else nick)
                if dice.chance(0.4):
                    thing.aliases.append(nick)
            if thing.kind in ("city", "town"):
                thing.aliases.append(thing.name + ("市" if thing.kind == "city" else "古镇"))
            if thing.kind in ("novel", "film", "song") and dice.chance(0.15):
                thing.aliases.append(f"《{thing.name}》")
            thing.aliases = list(dict.fromkeys(thing.aliases))
        for name in names.FAMILIES:
            family = [t for t in self.things if t.name == name]
            for alias in names.ALIASES.get(name, []):
                for thing in dice.some(family, dice.between(1, len(family))):
                    thing.aliases.append(alias)

    def value(self, thing: Thing, path: str) -> list[Any]:
        """What a field holds: drawn once and kept where it is no choice of things. Empty: it has none."""
        head, _, rest = path.partition(".")
        if rest:
            return [v for t in thing.fields.get(head, [])[:1] for v in self.value(t, rest)]
        if head not in thing.fields and not self._is_choice(thing.kind, head):
            thing.fields[head] = [self._draw(thing, head)]
        return thing.fields.get(head, [])

    @staticmethod
    def _is_choice(kind: str, role: str) -> bool:
        back = {b for choices in CHOICES.values() for _, _, b in choices.values()} - {"people"}
        return (
            role in CHOICES.get(kind, {})
            or role in back | {"source", "home", "school", "actors", "maker"}
            or (role == "people" and kind != "city")
        )

    def _draw(self, thing: Thing, role: str) -> str:
        dice, kind = self.dice, thing.kind
        if role == "birth":
            return f"{dice.between(*BORN.get(kind, (1955, 1992)))}年{dice.between(1, 12)}月{dice.between(1, 28)}日"
        if role == "length" and kind == "song":
            return f"{dice.between(3, 5)}分{dice.between(10, 59)}秒"
        if role == "inch":
            return f"{dice.between(4, 6)}.{dice.between(0, 9)}"
        if role == "plate":
            return dice.pick("浦岭屏原") + dice.pick("ABCDEFGHJK")
        if role == "place":
            return dice.pick(self.of("city town")).name
        if role in names.LEARNING:
            return dice.pick(names.LEARNING[role][self.value(thing, "field")[0]])
        if (kind, role) in OWN:
            return dice.pick(OWN[kind, role])
        if role in names.VALUES:
            return dice.pick(names.VALUES[role])
        return str(dice.between(*(RANGES.get(f"{kind} {role}") or RANGES[role])))

    def tell(self, thing: Thing, template: str) -> str | None:
        """A template told of a thing in plain words; None if something it needs is missing."""
        told = ALTERNATIVES.sub(lambda match: self.dice.pick(match.group(1).split("|")), template)
        for path in SLOT.findall(told):
            values = [thing] if path == "me" else self.value(thing, path)
            if not values:
                return None
            chosen = self.dice.pick(values)
            told = told.replace(f"{{{path}}}", chosen.name if isinstance(chosen, Thing) else chosen, 1)
        return told

    def _facts(self, thing: Thing) -> list[tuple[str, str]]:
        kind, dice, facts = KINDS[thing.kind], self.dice, list[tuple[str, str]]()
        for row in kind["facts"]:
            predicate, _, template = row.partition(":")
            slots = SLOT.findall(template)
            values = self.value(thing, slots[0]) if slots and slots[0] != "me" else [thing]
            for value in values[:4]:
                told = value.name if isinstance(value, Thing) else value
                facts.append((predicate, SLOT.sub(told, template) if slots else template))
        facts = dice.some(facts, 12)
        opening, closing = self._one(thing, "opening"), self._one(thing, "closing")
        middle = self._some(thing)
        count = dice.pick([2, 2, 3, 3])
        while count < len(middle) and len("".join([opening, *middle[:count], closing])) < 60:
            count += 1
        summary = "".join([opening, *middle[:count], closing])
        if len(summary) < 60:
            summary = summary.removesuffix(closing) + max(KINDS[thing.kind]["closing"], key=len)
        return [("摘要", summary), *facts, ("义项描述", self._one(thing, "sense") or thing.name)]

    def _one(self, thing: Thing, part: str) -> str:
        told = [self.tell(thing, template) for template in self.dice.some(KINDS[thing.kind][part], 9)]
        return next((text for text in told if text is not None), "")

    def _some(self, thing: Thing) -> list[str]:
        told = [self.tell(thing, template) for template in self.dice.some(KINDS[thing.kind]["middle"], 9)]
        return [text for text in told if text is not None]
