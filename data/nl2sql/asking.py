"""Questions on a table, each with its query: conditions first, then what is asked, then the words for both."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from banks import Dice
from domains import NUMBER, PERCENT, TEXT, YEAR, Domain
from wording import percent, plain, quantity, year

AGGREGATES = ("", "AVG", "MAX", "MIN", "COUNT", "SUM")
OPERATORS = (">", "<", "==", "!=")
CONNECTORS = ("", "and", "or")

MORE = ("超过{}", "高于{}", "大于{}", "在{}以上", "比{}多")
LESS = ("低于{}", "少于{}", "不到{}", "在{}以下", "小于{}")
SAME = ("是{}", "为{}", "正好是{}")
OTHER = ("不是{}", "不等于{}", "并非{}")
AND = ("并且", "而且", "，同时", "、")
OR = ("或者", "或")

ENDINGS = ("有限公司", "股份", "集团")

OPENINGS = ("请问", "", "", "我想知道", "帮我查一下", "麻烦问下，", "你好，", "想了解一下")
WHAT = ("分别是多少", "各是多少", "是多少")
WHO = ("是什么", "都是什么", "是哪个")
TAILS = ("？", "？", "", "呢？", "啊？", "呀")
OF_AGGREGATE = {
    1: ("平均{}是多少", "{}的平均值是多少", "平均下来{}有多少"),
    2: ("最高的{}是多少", "{}最大是多少", "{}的最大值是多少"),
    3: ("最低的{}是多少", "{}最小是多少", "{}的最小值是多少"),
    5: ("{}一共是多少", "总的{}是多少", "{}加起来有多少"),
}
COUNT = ("有多少{measure}{thing}", "一共有几{measure}{thing}", "{thing}有多少{measure}")


@dataclass
class Made:
    """A table that was made, with what is needed to ask it."""

    id: str
    title: str
    domain: Domain
    rows: list[list[str | float]]
    db: sqlite3.Connection = field(init=False)

    def __post_init__(self) -> None:
        self.db = sqlite3.connect(":memory:")
        kinds = ", ".join(f"c{n} {'TEXT' if c.kind == TEXT else 'REAL'}" for n, c in enumerate(self.domain.columns))
        self.db.execute(f"CREATE TABLE t ({kinds})")
        self.db.executemany(f"INSERT INTO t VALUES ({','.join('?' * len(self.domain.columns))})", self.rows)

    @property
    def record(self) -> dict[str, Any]:
        columns = self.domain.columns
        return {
            "id": self.id,
            "name": f"Table_{self.id}",
            "title": self.title,
            "header": [c.header for c in columns],
            "types": ["text" if c.kind == TEXT else "real" for c in columns],
            "rows": self.rows,
        }

    def answers(self, sql: dict[str, Any]) -> bool:
        """Whether a query gives something."""
        chosen = ", ".join(f"{AGGREGATES[a]}(c{n})" for n, a in zip(sql["sel"], sql["agg"], strict=True))
        joint = f" {CONNECTORS[sql['cond_conn_op']]} "
        where = joint.join(f"c{n} {OPERATORS[o]} ?" for n, o, _ in sql["conds"])
        rows = self.db.execute(f"SELECT {chosen} FROM t WHERE {where}", [v for _, _, v in sql["conds"]]).fetchall()
        return any(value not in (None, 0) for row in rows for value in row)

    def fits(self, condition: Sequence[Any]) -> int:
        """How many rows fulfil a condition."""
        column, operator, value = condition
        found = self.db.execute(f"SELECT COUNT(*) FROM t WHERE c{column} {OPERATORS[operator]} ?", (value,))
        return int(found.fetchone()[0])


class Asker:
    """Asks tables."""

    def __init__(self, dice: Dice) -> None:
        self.dice = dice

    def question(self, table: Made) -> tuple[str, dict[str, Any]] | None:
        """A question and its query; None where the dice fell on one that has no answer."""
        dice = self.dice
        several = dice.chance(0.22)
        told = self._several(table) if several else self._conditions(table)
        if told is None:
            return None
        conditions, connector, phrase = told
        used = {column for column, _, _ in conditions}
        asked = self._asked(table, used, keyed=several or conditions[0][0] == 0)
        if asked is None:
            return None
        select, aggregates, what = asked
        sql = {"sel": select, "agg": aggregates, "cond_conn_op": connector, "conds": conditions}
        if not table.answers(sql):
            return None
        return dice.pick(OPENINGS) + phrase + what + dice.pick(TAILS), sql

    # -- conditions

    def _several(self, table: Made) -> tuple[list[list[Any]], int, str] | None:
        """One, two or three rows by their names."""
        dice = self.dice
        names = dice.some(sorted({str(row[0]) for row in table.rows}), dice.pick([1, 2, 2, 2, 3]))
        spoken = [self._short(table, 0, name) for name in names]
        if len(names) == 1:
            return [[0, 2, names[0]]], 0, spoken[0] + "的"
        said = "、".join(spoken[:-1]) + dice.pick(["和", "与", "跟"]) + spoken[-1]
        return [[0, 2, name] for name in names], 2, said + dice.pick(["的", "的", "这些" + table.domain.thing + "的"])

    def _conditions(self, table: Made) -> tuple[list[list[Any]], int, str] | None:
        """One to three conditions on columns other than the name; two of them may be on one column."""
        dice = self.dice
        count = dice.pick([1, 1, 1, 2, 2, 2, 3])
        columns = dice.some(range(1, len(table.domain.columns)), count)
        connector = 0 if count == 1 else dice.pick([1, 1, 2])
        if count == 2 and connector == 2 and dice.chance(0.4):
            columns[1] = columns[0]
        parts, conditions = [], []
        for n in columns:
            made = self._condition(table, n)
            if made is None or made[0] in conditions:
                return None
            conditions.append(made[0])
            parts.append(made[1])
        if count > 1 and connector == 1 and any(table.fits(c) == len(table.rows) for c in conditions):
            return None
        if connector == 2:
            phrase = dice.pick(OR).join(parts)
        else:
            phrase = parts[0] + "".join(dice.pick(AND) + part for part in parts[1:])
        return conditions, connector, phrase + ("" if phrase.endswith("的") else "的")

    def _condition(self, table: Made, n: int) -> tuple[list[Any], str] | None:
        dice, column = self.dice, table.domain.columns[n]
        value = dice.pick(table.rows)[n]
        name = dice.pick(column.names)
        if column.kind == TEXT:
            if dice.chance(0.12):
                return [n, 3, str(value)], name + dice.pick(OTHER).format(value)
            said = self._date(str(value)) if str(value).endswith("日") else self._short(table, n, str(value))
            return [n, 2, str(value)], dice.pick(column.equal).format(said).removesuffix("的")
        assert isinstance(value, float)
        if column.kind == YEAR:
            operator = dice.pick([0, 1, 2, 2, 2])
            written = year(int(value), dice)
            way = (["{}之后", "晚于{}"], ["{}之前", "早于{}"], ["{}", "在{}"])[operator]
            name = column.names[-1]
            said = dice.pick(way).format(written)
            # 2015年上映, 2015年之后上映; but 上映晚于2015年.
            return [n, operator, plain(value)], name + said if said[0] in "晚早" else said + name
        operator = dice.pick([0, 0, 0, 1, 1, 1, 2, 3])
        if operator < 2:
            value = self._threshold(value, operator)
        written = percent(value, dice) if column.kind == PERCENT else quantity(value, column.scale, column.unit, dice)
        return [n, operator, plain(value)], name + dice.pick((MORE, LESS, SAME, OTHER)[operator]).format(written)

    def _threshold(self, value: float, operator: int) -> float:
        """A rounder number beside a cell, on the side that leaves the cell in."""
        for step in (1000, 500, 100, 50, 10, 5, 1, 0.5, 0.1):
            if value >= 3 * step:
                below = int(value / step) * step
                beside = below + step if operator else below if below < value else below - step
                return round(beside, 2)
        return value

    def _short(self, table: Made, n: int, name: str) -> str:
        """A firm without what all firms are called, where that tells it from the others of its column."""
        bare = name
        for ending in ENDINGS:
            bare = bare.removesuffix(ending)
        alone = sum(str(value).startswith(bare) for value in {row[n] for row in table.rows}) == 1
        return bare if bare != name and alone and self.dice.chance(0.4) else name

    def _date(self, written: str) -> str:
        """A day as it stands in the table, or as it is said, with the year of two digits or 号."""
        dice = self.dice
        return dice.pick([written, written, written[2:], written[:-1] + "号"])

    # -- what is asked

    def _asked(self, table: Made, used: set[int], *, keyed: bool) -> tuple[list[int], list[int], str] | None:
        dice, columns = self.dice, table.domain.columns
        numbers = [n for n, c in enumerate(columns) if c.kind in (NUMBER, PERCENT) and n not in used]
        texts = [n for n, c in enumerate(columns) if c.kind in (TEXT, YEAR) and n not in used and n]
        thing = table.domain.thing
        roll = dice.between(1, 100)
        if keyed or roll <= 30:
            chosen = dice.some([*numbers, *texts], dice.pick([1, 1, 2]))
            if not chosen:
                return None
            names = [dice.pick(columns[n].names) for n in chosen]
            ends = WHAT if any(columns[n].kind in (NUMBER, PERCENT) for n in chosen) else WHO
            before = "" if keyed else thing + dice.pick(["的", "，"])
            return chosen, [0] * len(chosen), before + "和".join(names) + dice.pick(ends)
        if roll <= 45:
            said = dice.pick(["有哪些{}", "{}有哪些", "{}都有什么", "是哪{}{}"])
            said = said.format(table.domain.measure, thing) if said.count("{}") == 2 else said.format(thing)
            return [0], [0], said
        if roll <= 60:
            return [0], [4], dice.pick(COUNT).format(measure=table.domain.measure, thing=thing)
        if not numbers:
            return None
        if roll <= 68 and len(numbers) > 1:  # two columns, each with an aggregate of its own
            pair = sorted(dice.some(numbers, 2))
            kinds = [dice.pick([1, 2, 3, 5]) for _ in pair]
            names = [dice.pick(columns[n].names) for n in pair]
            said = [dice.pick(OF_AGGREGATE[a]).format(name) for a, name in zip(kinds, names, strict=True)]
            return pair, kinds, f"{thing}{said[0].removesuffix('是多少')}和{said[1]}"
        n, aggregate = dice.pick(numbers), dice.pick([1, 1, 2, 3, 5])
        return [n], [aggregate], thing + dice.pick(OF_AGGREGATE[aggregate]).format(dice.pick(columns[n].names))
