"""Passages about a thing: sentences strung together, boxes of facts, and the talk around them."""

from __future__ import annotations

from collections.abc import Sequence

import banks
from banks import Dice
from facts import KINDS, Thing, World

HELD_OUT = 0.15  # the weight of a phrasing that only the test file has, there
BARE = 0.08  # titles without their marks
BEFORE = [
    "据{media}报道，",
    "百科：",
    "资料显示，",
    "【简介】",
    "{media}消息：",
    "众所周知，",
    "根据公开资料，",
    "答：",
]
AFTER = [
    "，值得一看。",
    "。更多内容请看下文。",
    "。（图片来自网络）",
    "，广受关注。",
    "...",
    "。以上仅供参考。",
    "，谢谢采纳！",
]
ECHO = ["网友提问：{q}？", "{q}？急，在线等。", "有没有人知道{q}？", "{q}？求大神解答。", "关于{q}，众说纷纭。"]
CONTRAST = [
    "和{a}不同，{b}",
    "不要和{a}弄混，{b}",
    "有人会想到{a}，其实说的不是它。{b}",
    "除了{a}，还有很多可以聊的：{b}",
    "比{a}更早为人所知，{b}",
]
LINK = ["。而", "。另外，", "；", "。与此相比，", "。同年被提起的还有一个：", "。顺便一提，"]

Told = list[tuple[str, str]]  # field, the spelling of its value


class Teller:
    """The voice of one split."""

    def __init__(self, dice: Dice, world: World, test: bool) -> None:
        self.dice, self.world, self.test = dice, world, test

    def choose(self, options: Sequence[str]) -> str:
        """A phrasing; those of the test file alone come by their own weight, never elsewhere."""
        hidden = self.test and self.dice.chance(HELD_OUT)
        fitting = [o for o in options if o.startswith("!") == hidden] or [o for o in options if o[0] != "!"]
        return self.dice.pick(fitting).lstrip("!")

    def called(self, thing: Thing, opening: float = 0.0) -> str:
        kind = KINDS[thing.kind]
        name = f"《{thing.name}》" if kind.marked and not self.dice.chance(BARE) else thing.name
        return self.dice.pick(kind.opening) + name if self.dice.chance(opening) else name

    def about(self, thing: Thing, told: Told) -> str:
        """Sentences that tell these values in random order, the first of them with the name. No full stop."""
        dice, kind = self.dice, KINDS[thing.kind]
        told = dice.some(told, len(told))
        if dice.chance(0.14):
            between = dice.pick([" ", "，", "；"])
            return self.called(thing) + " " + between.join(f"{kind.fields[f].label}：{v}" for f, v in told)
        text, led = "", False
        for name, value in told:
            clause = self.choose(kind.fields[name].tells)
            stand_in = dice.pick(kind.stand_ins)
            if not text:
                text = clause.replace("{S}", self.called(thing, 0.3)).replace("{v}", value)
            elif led and clause.startswith("{S}") and dice.chance(0.75):
                # The subject may be left out only where the clause before began with it.
                text += "，" + clause.removeprefix("{S}").removeprefix("的").replace("{v}", value)
            else:
                text += dice.pick(["，", "。"]) + clause.replace("{S}", stand_in).replace("{v}", value)
            led = clause.startswith("{S}")
        return text

    def pair(self, first: str, second: str) -> str:
        return first + self.dice.pick(LINK) + second

    def contrast(self, mentioned: Thing, text: str) -> str:
        return self.dice.pick(CONTRAST).format(a=self.called(mentioned), b=text)

    def echo(self, question: str, text: str) -> str:
        heard = self.dice.pick(ECHO).format(q=question)
        return heard + text if self.dice.chance(0.5) else text + "。" + heard

    def finish(self, text: str) -> str:
        dice = self.dice
        if dice.chance(0.22):
            text = dice.pick(BEFORE).format(media=dice.pick(self.world.places) + dice.pick(banks.MEDIA)) + text
        if text[-1] in "。？！":
            return text
        return text + (dice.pick(AFTER) if dice.chance(0.22) else dice.pick(["。", "。", ""]))
