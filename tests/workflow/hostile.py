"""Files whose every string tries to leave its place: markup, templates, control codes, marks of direction."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

RAN = "window.ran"
"""What a script that ran has set."""

PAYLOADS = (
    "<script>window.ran=1</script>",
    "</script><script>window.ran=2</script>",
    "<img src=x onerror='window.ran=3'>",
    '"><svg onload="window.ran=4">',
    "{{ constructor.constructor('window.ran=5')() }}{% raw %}${window.ran=6}",
    "\x1b[31m红\x1b[0m\x07",
    "\u202e右左\u202c\u200f\u2066x",
    "javascript:window.ran=7",
    "<!--<script>",
    "]]><style>body{display:none}</style>",
    "\u2028\u2029\ufeff\x00\x7f",
)

FILE = "<img src=x onerror=window.ran=8>{{7}}\u202e.json"
"""A name that a file may have; a slash it may not."""


def records() -> list[dict[str, Any]]:
    """Texts with triples of the form of SKE 2019."""
    return [
        {
            "text": f"{payload}第{n}句{payload}",
            "spo_list": [{"subject": payload, "predicate": payload, "object": f"第{n}句"}],
        }
        for n, payload in enumerate(PAYLOADS)
    ]


def write(folder: Path) -> tuple[Path, Path, Path]:
    """(gold, a prediction, another): the first predicts another relation every other time, the second none."""
    gold = records()
    first, second = records(), records()
    for n, (one, two) in enumerate(zip(first, second, strict=True)):
        if n % 2:
            one["spo_list"][0]["predicate"] += "了"
        two["spo_list"][:] = []
    paths = folder / "gold.json", folder / FILE, folder / "other.json"
    for path, rows in zip(paths, (gold, first, second), strict=True):
        path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), "utf-8")
    return paths
