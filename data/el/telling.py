"""Texts about the world's entities, and what the annotators made of them.

Every name that a pattern fills in is known, so the gold is known; the annotators pass over some of it and pick common
words by habit. A text is kept only if its words tell which of several namesakes is meant, except for a few.
"""

from __future__ import annotations

from dataclasses import dataclass

import names
import words
from banks import Dice
from world import ALTERNATIVES, KINDS, SLOT, Thing, World, key

BLIND, ELSE, UNKNOWN, TWINS = 0.02, 0.045, 0.05, 0.03  # shares of the texts
HELD_OUT = 0.2  # of the texts of the test file come from patterns that only it has
PASSED_OVER = 0.03  # of the names, by tired annotators
# Kinds whose texts are much alike: a name beside them has to tell.
ALIKE = [{"film", "series"}, {"song", "album"}, {"novel", "comic"}, {"city", "town", "scenic"}, {"actor", "director"}]
CALLED = {
    "novel": "小说", "film": "电影", "series": "电视剧", "song": "歌曲", "game": "游戏", "comic": "漫画",
    "album": "专辑", "show": "综艺",
}  # fmt: skip
PAIRS = [
    "{a}《{me}》和{b}《{twin}》[哪个好|你站谁]",
    "{b}《{twin}》比{a}《{me}》[差远了|好看]?",
    "先有{a}《{me}》还是先有{b}《{twin}》",
    "!{a}《{me}》之后，{b}《{twin}》也[来了|要出]",
]
UNKNOWN_TITLES = [
    q + t
    for q in ("玻璃", "九月", "倒春寒", "绿皮", "十二号", "北风", "老街", "失眠")
    for t in ("邮局", "少年", "食堂", "夜话", "机长", "情书", "打铁匠")
]


@dataclass
class Piece:
    """A stretch of text; ``thing`` where it names an entity, ``nil`` where it names what the KB lacks."""

    text: str
    thing: Thing | None = None
    nil: str = ""
    value: bool = False  # filled from a fact


@dataclass(frozen=True)
class Mention:
    start: int
    mention: str
    thing: Thing | None
    nil: str = ""


@dataclass
class Text:
    text: str
    core: str  # without what stands round it
    mentions: list[Mention]
    things: set[Thing]


class Teller:
    def __init__(self, dice: Dice, world: World, words_: dict[str, Thing], test: bool) -> None:
        self.dice, self.world, self.words, self.test = dice, world, words_, test
        self.index: dict[str, list[Thing]] = {}
        for thing in [*world.things, *words_.values()]:
            for name in thing.names:
                rows = self.index.setdefault(key(name), [])
                rows += [] if thing in rows else [thing]
        self.values = {thing: {v for _, v in thing.facts} for thing in self.index_things()}

    def index_things(self) -> set[Thing]:
        return {thing for things in self.index.values() for thing in things}

    def text(self, thing: Thing) -> Text | None:
        """One text with this entity in its centre; None if this draw is no good."""
        dice, roll = self.dice, self.dice.chance
        kind = KINDS[thing.kind]
        patterns, name, nil, blind, given = kind["texts"], thing.name, "", False, dict[str, Thing | str]()
        if roll(BLIND):
            patterns, blind = words.BLIND, True
        elif roll(ELSE) and kind["types"][0] in words.OTHERS:
            pattern, nil = dice.pick(words.OTHERS[kind["types"][0]])
            patterns = [pattern]
        elif roll(UNKNOWN) and kind["types"][0] in ("Person", "CreativeWork"):
            person = kind["types"][0] == "Person"
            name, nil = (self.stranger(), "Person") if person else (dice.pick(UNKNOWN_TITLES), "Work")
        elif roll(TWINS):
            twins = [t for t in self.index[key(thing.name)] if t.kind in CALLED and t.kind != thing.kind]
            if thing.kind in CALLED and twins:
                given["twin"] = dice.pick(twins)
                given |= {"a": CALLED[thing.kind], "b": CALLED[given["twin"].kind]}  # type: ignore[union-attr]
                patterns = PAIRS
        hidden = self.test and roll(HELD_OUT)
        fitting = [p.lstrip("!") for p in patterns if p.startswith("!") == hidden]
        if not fitting:
            return None
        pieces = self.fill(thing, dice.pick(fitting), name, nil, given)
        if pieces is None or not (blind or nil or given or self.tells(pieces)):
            return None
        if nil and name != thing.name and any(p.thing is not None and not self.tells([p]) for p in pieces):
            return None
        core = "".join(piece.text for piece in pieces)
        self.dress(pieces, dice.pick(kind["tail"]))
        whole = "".join(piece.text for piece in pieces)
        if not 10 <= len(whole) <= 45:
            return None
        return Text(whole, core, self.annotate(whole, pieces), {p.thing for p in pieces if p.thing is not None})

    def stranger(self) -> str:
        while key(name := self.world.person()) in self.index:
            pass
        return name

    def fill(
        self, thing: Thing, pattern: str, name: str, nil: str, given: dict[str, Thing | str]
    ) -> list[Piece] | None:
        told = ALTERNATIVES.sub(lambda match: self.dice.pick(match.group(1).split("|")), pattern)
        chosen: dict[str, Thing | str] = {"me": thing, **given}
        pieces: list[Piece] = []
        for number, part in enumerate(SLOT.split(told)):
            if number % 2 == 0:
                pieces += [Piece(part)] if part else []
                continue
            if part == "me" and nil:
                pieces.append(Piece(name, None, nil))
            elif part.startswith("?"):
                place = part == "?place"
                pieces.append(Piece("柳" + self.dice.pick("庄铺湾堡") if place else self.stranger(), None,
                                    "Location" if place else "Person"))  # fmt: skip
            else:
                head, _, rest = part.partition(".")
                if head not in chosen:
                    options = self.world.value(thing, head)
                    if not options:
                        return None
                    chosen[head] = self.dice.pick(options)
                value = chosen[head]
                if rest and isinstance(value, Thing):
                    options = self.world.value(value, rest)
                    if not options:
                        return None
                    value = self.dice.pick(options)
                if isinstance(value, Thing):
                    pieces.append(Piece(self.surface(value), value))
                else:
                    pieces.append(Piece(value, value=head not in given))
        return self.bare(pieces)

    def surface(self, thing: Thing) -> str:
        dice = self.dice
        name = dice.pick(thing.aliases) if thing.aliases and dice.chance(0.25) else thing.name
        name = name.strip("《》")
        if name.isascii() and dice.chance(0.5):
            name = dice.pick([name.lower(), name.upper(), name.replace(" ", "")])
        elif dice.chance(0.03) and thing.kind in names.PEOPLE:
            name = name[0] + "老师"
        return name

    def bare(self, pieces: list[Piece]) -> list[Piece]:
        """Some write no title marks."""
        for before, inside, after in zip(pieces, pieces[1:], pieces[2:], strict=False):
            marked = before.text.endswith("《") and after.text.startswith("》")
            if marked and (inside.thing or inside.nil) and self.dice.chance(0.12):
                before.text, after.text = before.text[:-1], after.text[1:]
        return pieces

    def tells(self, pieces: list[Piece]) -> bool:
        """Whether every name can be told from its namesakes: by its kind, or by a fact that only it has."""
        for piece in pieces:
            if piece.thing is None:
                continue
            others = {p.thing.name if p.thing else p.text for p in pieces if p is not piece and (p.thing or p.value)}
            mine = others & self.values[piece.thing]
            for rival in self.index.get(key(piece.text), []):
                if rival is piece.thing:
                    continue
                alike = rival.kind == piece.thing.kind or any({rival.kind, piece.thing.kind} <= a for a in ALIKE)
                if alike and not mine - self.values[rival] - {piece.text}:
                    return False
        return True

    def dress(self, pieces: list[Piece], tail: str) -> None:
        dice = self.dice
        if dice.chance(0.22):
            pieces.insert(0, Piece(dice.pick(words.HEADS)))
        pieces += [Piece(end) for end in dice.some(words.TAILS[tail], dice.pick([0, 0, 0, 1, 1, 1, 1, 2, 2, 2]))]

    def annotate(self, text: str, pieces: list[Piece]) -> list[Mention]:
        dice, found, at = self.dice, list[Mention](), 0
        taken = [False] * (len(text) + 1)
        for piece in pieces:
            end = at + len(piece.text)
            if piece.thing is not None or piece.nil:
                taken[at:end] = [True] * len(piece.text)
                sure = 0.8 if piece.nil else 1 - PASSED_OVER
                if dice.chance(sure):
                    found.append(Mention(at, piece.text, piece.thing, piece.nil))
            at = end
        at = 0
        while at < len(text):
            fits = [w for w in self.words if text.startswith(w, at) and not any(taken[at : at + len(w)])]
            if not fits:
                at += 1
                continue
            word = max(fits, key=len)
            chosen = self.habit(text, at, word)
            if chosen:
                found.append(Mention(chosen[0], chosen[1], self.words[chosen[1]]))
            at += len(word)
        return sorted(found, key=lambda mention: mention.start)

    def habit(self, text: str, at: int, word: str) -> tuple[int, str] | None:
        """What the annotators mark where this word stands: it, a shorter word in it, or nothing."""
        habit = next(h for w, h, _, _ in words.WORDS if w == word)
        if habit == words.MID:
            end = at + len(word)
            apart = end == len(text) or (at > 0 and text[at - 1] in "_-|[【· ")
            habit = 0.8 if apart else 0.08
        if self.dice.chance(habit):
            return at, word
        inner = [w for w in self.words if w in word and w != word]
        for part in inner:
            start = at + word.index(part)
            if self.dice.chance(0.5) and self.habit(text, start, part) == (start, part):
                return start, part
        return None
