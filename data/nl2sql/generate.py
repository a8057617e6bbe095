"""Write the corpus of questions on tables anew: ``python data/nl2sql/generate.py`` (or ``... generate.py FOLDER``).

Tables (``domains.py``) are filled with invented names and numbers, and asked (``asking.py``); numbers are written as
people do (``wording.py``). Each query runs and gives something. Standard library only. Licence of what it writes: CC0.
"""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path
from typing import Any

# What lies in data/ ships: no compiled files beside it. The dice and some names are those of another corpus.
sys.dont_write_bytecode = True
sys.path.append(str(Path(__file__).resolve().parents[1] / "ske"))

from asking import Asker, Made  # noqa: E402
from banks import Dice  # noqa: E402
from domains import CITY, DOMAINS, Domain  # noqa: E402

SEED = 20190625
TABLES = {"train": 28, "val": 6, "test": 6}
QUESTIONS = {"train": 1100, "val": 200, "test": 200}
FEWEST, MOST = 6, 16  # rows

Record = dict[str, Any]


def table(name: str, number: int, domain: Domain, dice: Dice) -> Made:
    """A table of a domain; names of rows are different."""
    rows: list[list[str | float]] = []
    # Cells of columns that are no names repeat, so that conditions on them fit several rows.
    few = {n: [column.make(dice) for _ in range(dice.between(3, 5))] for n, column in enumerate(domain.columns)}
    wanted = dice.between(FEWEST, MOST)
    while len(rows) < wanted:
        row = [
            dice.pick(few[n]) if column.kind == "text" and not column.key else column.make(dice)
            for n, column in enumerate(domain.columns)
        ]
        if row[0] not in [other[0] for other in rows]:
            rows.append(row)
    title = dice.pick(domain.titles)
    place = str(dice.between(2015, 2022)) if "{}年" in title else CITY(dice)
    id = hashlib.sha256(f"{SEED}/{name}/{number}".encode()).hexdigest()[:32]
    return Made(id, title.format(place), domain, rows)


def split(name: str, seen: set[str]) -> tuple[list[Record], list[Record]]:
    """(questions, tables) of one split. ``seen`` are the questions that there are, added to."""
    dice = Dice(SEED + sum(map(ord, name)))
    # Every split has tables of several domains; the headers of test are known, its tables are not.
    first = {"train": 0, "val": 1, "test": 5}[name]
    tables = [table(name, n, DOMAINS[(first + n) % len(DOMAINS)], dice) for n in range(TABLES[name])]
    asker = Asker(dice)
    rows: list[Record] = []
    while len(rows) < QUESTIONS[name]:
        made = tables[len(rows) % len(tables)]
        asked = asker.question(made)
        if asked is None or asked[0] in seen:
            continue
        seen.add(asked[0])
        rows.append({"table_id": made.id, "question": asked[0], "sql": asked[1]})
    return rows, [made.record for made in tables]


def main(folder: Path) -> None:
    """Write ``folder/nl2sql``."""
    target = folder / "nl2sql"
    target.mkdir(parents=True, exist_ok=True)
    seen: set[str] = set()
    for name in TABLES:
        for records, path in zip(split(name, seen), (f"{name}.json", f"{name}.tables.json"), strict=True):
            lines = (json.dumps(record, ensure_ascii=False) + "\n" for record in records)
            (target / path).write_text("".join(lines), encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).resolve().parents[1])
