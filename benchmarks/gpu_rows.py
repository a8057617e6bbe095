"""What ``gpu.py`` has found, for people: a line a step, and rows for BENCHMARKS.md."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gpu_steps import SEED

from ietool.errors import visible


def number(value: Any) -> str:
    """A figure in few digits; of a switch what is told of it."""
    if isinstance(value, float):
        return f"{value:.1e}" if 0 < abs(value) < 1e-3 else f"{value:,.1f}" if abs(value) >= 100 else f"{value:.4g}"
    if isinstance(value, list):
        return " – ".join(map(number, value))
    return str(value)


def figures(row: dict[str, Any]) -> list[tuple[str, str]]:
    """(name, value) of all figures of a step, those of switches and loops one by one; recipes are in the JSON."""
    found: list[tuple[str, str]] = []
    for key, value in row.get("figures", {}).items():
        if key == "switches":
            found += [(name, number(of.get("ratio", next(iter(of), "")))) for name, of in value.items()]
        elif key == "recipes":
            continue
        elif isinstance(value, dict):
            found += [(f"{key} {name}", number(part)) for name, part in value.items()]
        else:
            found.append((key, number(value)))
    if "card" in row:
        found += [(f"card {key}", number(value)) for key, value in row["card"].items()]
    return found


def verdict(row: dict[str, Any]) -> str:
    """The targets of a step, each with whether it was reached."""
    words = {True: "reached", False: "**missed**", None: "not measured"}
    return "; ".join(f"{target}: {words[reached]}" for target, reached in row.get("targets", {}).items())


def shown(row: dict[str, Any]) -> str:
    """A step in one line."""
    told = ", ".join(f"{name} {value}" for name, value in figures(row))
    said = [row["status"], *([f"{row['seconds']:.1f} s"] if "seconds" in row else []), row.get("why", ""), told]
    return f"{row['name']:<12}" + "  ".join(part for part in [*said, verdict(row)] if part)


def rows_of(about: dict[str, Any], rows: Sequence[dict[str, Any]]) -> str:
    """A table in Markdown, below a line that names the machine."""
    card = about.get("card") or f"CPU ({about.get('cpu')})"
    versions = about.get("versions") or {}
    lines = [
        f"`python benchmarks/gpu.py{' --dry' if about.get('dry') else ''}` on {card}, driver {about.get('driver')}, "
        f"torch {versions.get('torch')}, {about.get('cores')} cores, seed {SEED}:",
        "",
        "| step | what | figures | target | seconds | date |",
        "|---|---|---|---|---|---|",
    ]
    for row in rows:
        told = "; ".join(f"{name} {value}" for name, value in figures(row))
        if row["status"] != "done":
            told = f"{row['status']}: {row.get('why', '')}" + (f"; {told}" if told else "")
        cells = (f"`{row['name']}`", row["what"], told, verdict(row), number(row.get("seconds", "")), row["date"])
        lines.append("| " + " | ".join(visible(cell).replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(lines) + "\n"
