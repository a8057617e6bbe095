"""Write the corpus of entities anew: ``python data/ner/generate.py`` (or ``... generate.py FOLDER``), byte for byte.

Names (``names.py``) are put into clauses (``patterns.py``), which are strung together (``telling.py``). Each split has
names of its own, and some clauses are kept for the test file. Standard library only. Licence of what it writes: CC0.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

# What lies in data/ ships: no compiled files beside it. The dice and some names are those of another corpus.
sys.dont_write_bytecode = True
sys.path.append(str(Path(__file__).resolve().parents[1] / "ske"))

from banks import Dice  # noqa: E402
from names import Namer  # noqa: E402
from telling import Teller  # noqa: E402

SEED = 20200113
SIZES = {"train": 1500, "dev": 200, "test": 200}
SHARED = {"train": 133, "dev": 38, "test": 38}  # names of several kinds
SHORTEST, LONGEST = 8, 70  # characters of a text

Row = dict[str, Any]


def split(name: str, namer: Namer, known: Namer | None, seen: set[str]) -> list[Row]:
    """The records of one split, in CLUENER's form.

    Args:
        known: the names of train, of which dev and test use some.
        seen: texts that there are, added to.
    """
    teller = Teller(Dice(SEED * 3 + len(name) * 7 + ord(name[0])), namer, known, test=name == "test")
    rows: list[Row] = []
    while len(rows) < SIZES[name]:
        text, spans = teller.sentence()
        if not SHORTEST <= len(text) <= LONGEST or text in seen:
            continue
        seen.add(text)
        label: dict[str, dict[str, list[list[int]]]] = {}
        for start, end, kind in sorted(spans):
            label.setdefault(kind, {}).setdefault(text[start:end], []).append([start, end - 1])
        rows.append({"text": text, "label": label})
    return rows


def main(folder: Path) -> None:
    """Write ``folder/ner``."""
    namers: dict[str, Namer] = {}
    seen: set[str] = set()
    (folder / "ner").mkdir(parents=True, exist_ok=True)
    for part, name in enumerate(SIZES):
        foreign = {n for namer in namers.values() for made in namer.made.values() for n in made}
        namers[name] = Namer(Dice(SEED + part), part, SHARED[name], foreign)
        rows = split(name, namers[name], namers["train"] if part else None, seen)
        lines = (json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        (folder / "ner" / f"{name}.jsonl").write_text("".join(lines), encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).resolve().parents[1])
