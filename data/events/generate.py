"""Write the corpus of events anew: ``python data/events/generate.py`` (or ``... generate.py FOLDER``), byte for byte.

Names are made for each split and put into clauses (``patterns.py``), one or two of which are a text. Standard library
only. Licence of what it writes: CC0.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

# What lies in data/ ships: no compiled files beside it. The dice and some names are those of another corpus.
sys.dont_write_bytecode = True
sys.path.append(str(Path(__file__).resolve().parents[1] / "ske"))

import banks  # noqa: E402
from patterns import NONE, ONLY_TEST, SCHEMA, SEVERAL, SINGLE, TRIGGERS, Clause  # noqa: E402

SEED = 20200426
SIZES = {"train": 1200, "dev": 150, "test": 150}
LONGEST = 110  # characters of a text

Row = dict[str, Any]


class Namer:
    """Names of every kind, by dice."""

    def __init__(self, dice: banks.Dice) -> None:
        self.dice = dice

    def name(self, kind: str) -> str:
        """One of a kind; see ``patterns.py``."""
        dice = self.dice
        if kind == "t":
            day = f"{dice.between(1, 12)}月{dice.between(1, 28)}日"
            year = f"{dice.between(2015, 2023)}年"
            return dice.pick([day, year + day, "昨天", "近日", "上周", f"{dice.between(1, 12)}月底", year])
        if kind == "c":
            return banks.company(dice, dice.pick(["", banks.place(dice)]), False)
        if kind == "p":
            return banks.person(dice, dice.chance(0.5))
        if kind == "l":
            return banks.place(dice) + dice.pick(["", "市", "县", "省"])
        if kind == "m":
            return f"{dice.between(1, 990)}{dice.pick(['亿元', '万元', '亿美元', '万英镑'])}"
        if kind == "n":
            count = dice.pick([str(dice.between(2, 900)), f"{dice.between(1, 9)}千", "上百", "数十"])
            return count + dice.pick(["人", "名员工", "人", "名"])
        if kind == "r":
            return dice.pick(["首席执行官", "董事长", "总经理", "CEO", "财务总监", "副总裁", "联合创始人", "独立董事"])
        if kind == "s":
            return banks.place(dice) + dice.pick(["女排", "男篮", "FC", "队", "女足", "俱乐部"])
        if kind == "e":
            return dice.pick(["", f"{dice.between(2010, 2023)}"]) + dice.pick(
                ["亚洲杯", "超级联赛", "锦标赛", "冠军联赛", "邀请赛", "城市杯"]
            )
        if kind == "g":
            return f"{dice.between(3, 8)}.{dice.between(0, 9)}级"
        if kind == "w":
            return banks.award(dice)
        return f"《{banks.title(dice, banks.place(dice))}》"


def told(dice: banks.Dice, namer: Namer, clause: Clause, before: str) -> tuple[str, list[Row]]:
    """A clause behind some text, and its events with their places in the whole."""
    pattern, events = clause
    pattern = re.sub(r"\[([^\]]*)\]", lambda match: match[1] if dice.chance(0.5) else "", pattern)
    triggers = [dice.pick(TRIGGERS[kind]) for kind, _ in events]
    text, places = before, dict[str, tuple[int, str]]()
    for piece in re.split(r"(\{[^}]*\})", pattern):
        key = piece[1:-1] if piece.startswith("{") else ""
        if key and key not in places:
            name = triggers[int(key[1:])] if key[0] == "!" else namer.name(key[0])
            places[key] = len(text), name
        text += places[key][1] if key else piece
    found = []
    for number, (kind, roles) in enumerate(events):
        start, trigger = places["!" + roles.get("!", str(number))]
        arguments = [
            {"argument_start_index": places[key][0], "role": role, "argument": places[key][1], "alias": []}
            for role in SCHEMA[kind]
            for key in roles.get(role, "").split()
            if key in places
        ]
        found.append(
            {
                "event_type": kind,
                "trigger": trigger,
                "trigger_start_index": start,
                "arguments": arguments,
                "class": kind,
            }
        )
    return text, found


def sentence(dice: banks.Dice, namer: Namer, test: bool) -> tuple[str, list[Row]]:
    """A text of one or two clauses, and its events."""
    text, events = "", list[Row]()
    for number in range(2 if dice.chance(0.3) else 1):
        if number:
            text += dice.pick(["。", "；", "，另外，"])
        if dice.chance(0.15):
            clause: Clause = (dice.pick(NONE), [])
        elif test and dice.chance(0.2):
            clause = dice.pick(ONLY_TEST)
        else:
            clause = dice.pick(SEVERAL if dice.chance(0.35) else SINGLE)
        text, found = told(dice, namer, clause, text)
        events += found
    return text + dice.pick(["。", "", "！"]), events


def split(name: str, seen: set[str]) -> list[Row]:
    """The records of one split; texts that were ``seen`` are left out."""
    dice = banks.Dice(SEED + len(name) * 101 + ord(name[0]))
    namer = Namer(dice)
    rows: list[Row] = []
    while len(rows) < SIZES[name]:
        text, events = sentence(dice, namer, name == "test")
        if len(text) > LONGEST or text in seen:
            continue
        seen.add(text)
        rows.append({"text": text, "id": f"{name}-{len(rows) + 1:04d}", "event_list": events})
    return rows


def main(folder: Path) -> None:
    """Write ``folder/events``."""
    (folder / "events").mkdir(parents=True, exist_ok=True)
    schema = [{"event_type": kind, "role_list": [{"role": role} for role in roles]} for kind, roles in SCHEMA.items()]
    seen: set[str] = set()
    for name, rows in [("schema", schema), *((name, split(name, seen)) for name in SIZES)]:
        lines = (json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        (folder / "events" / f"{name}.jsonl").write_text("".join(lines), encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).resolve().parents[1])
