"""Clauses strung together and filled with names, each remembered with its place."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

import banks
import names
from banks import Dice
from names import TITLES, Namer
from openings import AFTER, BEFORE, ENDS, LAWS, OPEN, PLAIN
from patterns import EMPTY, SAME, TELL

HELD_OUT = 0.1  # the weight of a clause that only the test file has, there
FROM_SHARED = 0.4  # of the names are drawn from those of several kinds
FROM_TRAIN = 0.1  # of the names of dev and test are names of train
WIDE = 0.05  # of the texts have full-width letters and digits
EITHER = re.compile(r"\(([^()]*\|[^()]*)\)")
SLOT = re.compile(r"\{(\w+)(?::(\w))?\}|\[(\w+)\]|<(\w+)>")
PLAIN_KIND = {"nick": "name", "firm": "company"}  # slots that can have a letter though they are no kind

Span = tuple[int, int, str]
Filled = tuple[str, list[Span]]


class Teller:
    """The voice of one split."""

    def __init__(self, dice: Dice, namer: Namer, known: Namer | None, test: bool) -> None:
        self.dice, self.namer, self.known, self.test = dice, namer, known, test
        self.kinds = [kind for kind in TELL for _ in range(1 if kind == "position" else 2)]
        self.slots: dict[str, Callable[[], Filled]] = {
            "street": self._street, "fans": self._fans,
            "school": lambda: self._org(names.SCHOOLS, 0.2),
            "media": lambda: self._org(names.MEDIA, 0.0),
            "bureau": lambda: self._org(names.BUREAUS, 0.5),
            "org": lambda: self._org(self.dice.pick([names.SCHOOLS, names.BUREAUS, names.SOCIETIES]), 0.4),
            "post": lambda: self.named("position", self.core("position")),
            "place": lambda: self.named("address", self.core("address")),
            "team": lambda: self.named("organization", self.core("organization")),
        }  # fmt: skip

    # -- texts

    def sentence(self) -> Filled:
        """A text and its entities, in no order."""
        dice = self.dice
        fate = dice.between(1, 100)
        if fate <= 12:
            parts = [dice.pick(dice.pick(list(PLAIN.values()))) if dice.chance(0.4) else self.choose(EMPTY)]
            if dice.chance(0.3):
                parts.append(self.choose(EMPTY))
        elif fate <= 36:
            kind = dice.pick([k for k in ENDS for _ in range(2 if k in TITLES else 3)])
            parts = [self.choose(OPEN).replace("{X}", "{" + kind + "}") + self.choose(ENDS[kind])]
        elif fate <= 44:
            parts = [self.choose(SAME)]
        else:
            parts = [self.choose(TELL[dice.pick(self.kinds)]) for _ in range(dice.pick([1, 1, 2, 2, 2, 3]))]
        if dice.chance(0.07):
            parts.append(dice.pick(dice.pick(list(PLAIN.values()))))
        text = parts[0]
        for part in dict.fromkeys(parts[1:]):
            text += dice.pick(["，", "，", "。", "；", " "]) + part
        if fate > 12 and dice.chance(0.18):
            text = self.choose(BEFORE) + text
        if text[-1] not in "。？！”":
            text += self.choose(AFTER) if dice.chance(0.15) else dice.pick(["。", "。", ""])
        filled, spans = self.fill(text)
        return (_wide(filled) if dice.chance(WIDE) else filled), spans

    def choose(self, options: Sequence[str]) -> str:
        """A clause; those of the test file alone come by their own weight, never elsewhere."""
        hidden = self.test and self.dice.chance(HELD_OUT)
        fitting = [o for o in options if o.startswith("!") == hidden] or [o for o in options if o[0] != "!"]
        return self.dice.pick(fitting).lstrip("!")

    def fill(self, text: str) -> Filled:
        text = EITHER.sub(lambda match: self.dice.pick(match.group(1).split("|")), text)
        keyed = [match.group(1) for match in SLOT.finditer(text) if match.group(2)]
        core = self._common(keyed) if keyed else ""
        out, spans, at = "", list[Span](), 0
        for match in SLOT.finditer(text):
            out += text[at : match.start()]
            kind, key, filler, post = match.groups()
            if post:
                name, inner = _whole(post, "position")
            else:
                name, inner = self._filler(filler) if filler else self._name(kind, core if key else "")
            spans += [(len(out) + a, len(out) + b, k) for a, b, k in inner]
            out, at = out + name, match.end()
        return out + text[at:], spans

    # -- names

    def core(self, kind: str) -> tuple[str, bool]:
        """A name of a kind, and whether it is one of several kinds."""
        dice = self.dice
        namer = self.known if self.known is not None and dice.chance(FROM_TRAIN) else self.namer
        if dice.chance(FROM_SHARED if kind != "position" else 0.12):
            fitting = [name for name, kinds in namer.shared if kind in kinds]
            return dice.pick(fitting), True
        if namer is not self.namer and namer.made.get(kind):
            return dice.pick(namer.made[kind]), False
        return self.namer.fresh(kind), False

    def _common(self, slots: list[str]) -> str:
        kinds = {PLAIN_KIND.get(slot, slot) for slot in slots}
        if len(kinds) == 1:
            return self.core(kinds.pop())[0]
        fitting = [name for name, theirs in self.namer.shared if all(kind in theirs for kind in kinds)]
        if not fitting:
            raise ValueError(f"no name is shared by {kinds}")
        return self.dice.pick(fitting)

    def _name(self, kind: str, core: str) -> Filled:
        if kind in PLAIN_KIND:
            return self._nick(core) if kind == "nick" else self._firm(core)
        if kind in self.slots:
            return self.slots[kind]()
        return self.named(kind, (core, True) if core else self.core(kind))

    def named(self, kind: str, core: tuple[str, bool]) -> Filled:
        """A name as it is written: titles with their marks, which belong to them; companies with their trade."""
        dice, (name, shared) = self.dice, core
        if kind in TITLES:
            fate = dice.between(1, 100)
            if fate <= (66 if kind == "game" else 85):
                return _whole(f"《{name}》", kind)
            return (f"“{name}”", [(1, 1 + len(name), kind)]) if fate <= 90 else _whole(name, kind)
        if kind == "company" and not shared and dice.chance(0.45):
            name += dice.pick(names.TRADES)
        if kind == "address" and dice.chance(0.06):
            name = dice.pick(names.AREAS)
        elif kind == "address" and not shared and dice.chance(0.3):
            name += dice.pick(names.LEVELS)
        return _whole(name, kind)

    def _nick(self, name: str) -> Filled:
        """What somebody is called among friends: of a name, or of nobody told."""
        dice = self.dice
        surname, given = (name[0], name[-1]) if name else (dice.pick(banks.SURNAMES), dice.pick(banks.MALE))
        shapes = ["老" + surname, "小" + surname, "阿" + given, given + dice.pick("姐哥"), given + given]
        return _whole(dice.pick(banks.LATIN) if not name and dice.chance(0.15) else dice.pick(shapes), "name")

    def _city(self) -> str:
        return self.namer.fresh("address") + "市"

    def _firm(self, brand: str) -> Filled:
        """A full name, often with the city's, which is nested where it is told by its 市."""
        dice, city = self.dice, self._city()
        trade = dice.pick(names.BRANCHES + [trade for trade in names.TRADES if "公司" not in trade])
        rest = (brand or self.namer.fresh("company")) + trade + dice.pick(names.LEGAL)
        if dice.chance(0.15):
            rest += self.namer.fresh("address") + "分公司"
        fate = dice.between(1, 100)
        if fate <= 30:
            return city + rest, [(0, len(city), "address"), (0, len(city + rest), "company")]
        return _whole(city[:-1] + rest if fate <= 60 else rest, "company")

    def _street(self) -> Filled:
        dice, city = self.dice, self._city()
        road = self.namer.fresh("address") + dice.pick(names.ROADS)
        if dice.chance(0.5):
            road += f"{dice.between(1, 999)}号" + (f"{dice.between(1, 30)}楼" if dice.chance(0.3) else "")
        district = self.namer.fresh("address") + "区"
        spot = city[:-1] + dice.pick(names.SPOTS)
        return _whole(dice.pick([city + district + road, city + road, district + road, road, spot, spot]), "address")

    def _org(self, kinds: Sequence[str], told: float) -> Filled:
        """Something of a city's, which is nested where it is told by its 市."""
        city, kind = self._city(), self.dice.pick(kinds)
        if not self.dice.chance(told):
            return _whole(city[:-1] + kind, "organization")
        return city + kind, [(0, len(city), "address"), (0, len(city + kind), "organization")]

    def _fans(self) -> Filled:
        name, _ = self.core("name")
        whole = name + self.dice.pick(names.FANS)
        return whole, [(0, len(name), "name"), (0, len(whole), "organization")]

    def _filler(self, kind: str) -> Filled:
        dice = self.dice
        return {
            "song": lambda: banks.title(dice, self.namer.place()),
            "law": lambda: dice.pick(LAWS),
            "date": lambda: dice.pick([f"{dice.between(1, 12)}月{dice.between(1, 28)}日", "下周三", "今年年底"]),
            "year": lambda: str(dice.between(1931, 2025)),
            "code": lambda: str(dice.between(100001, 999999)),
            "n": lambda: dice.pick(["三", "五", "十", str(dice.between(2, 99)), str(dice.between(2, 99))]),
            "x": lambda: f"{dice.between(11, 399) / 10:.1f}".removesuffix(".0"),
            "g": lambda: str(dice.between(0, 5)),
        }[kind](), []


def _whole(name: str, kind: str) -> Filled:
    return name, [(0, len(name), kind)]


def _wide(text: str) -> str:
    """Letters and digits at full width; no offset moves."""
    return "".join(chr(ord(c) + 0xFEE0) if c.isascii() and c.isalnum() else c for c in text)
