"""How large are the rooms? Files and lines of every folder of the package, and circles of imports.

    python benchmarks/rooms.py [CHECKOUT …]        default: this one

A folder is counted with its own files alone. The largest file stands beside it. A circle is a set of modules, or of
folders beside each other, that import one another at run time; imports for types alone do not count. Prints a table a
checkout, then one JSON line.
"""

from __future__ import annotations

import json
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

import grimp

HERE = Path(__file__).resolve().parents[1]


def rooms(checkout: Path) -> dict[str, tuple[int, int, str]]:
    """Folder → files that hold anything, their lines, the largest of them with its size in KB."""
    found: dict[str, list[Path]] = defaultdict(list)
    for path in sorted((checkout / "ietool").rglob("*.py")):
        if path.stat().st_size:
            found[path.parent.relative_to(checkout).as_posix()].append(path)
    counted = {}
    for name, files in found.items():
        largest = max(files, key=lambda path: path.stat().st_size)
        lines = sum(len(path.read_text(encoding="utf-8").splitlines()) for path in files)
        counted[name] = (len(files), lines, f"{largest.name} {largest.stat().st_size / 1000:.1f} KB")
    return counted


def circles(checkout: Path) -> int:
    """Sets of modules that import one another, and imports that close a circle of folders beside each other."""
    sys.path.insert(0, str(checkout))
    try:
        graph = grimp.build_graph("ietool", exclude_type_checking_imports=True, cache_dir=None)
        folders = [module for module in graph.modules if graph.find_children(module)]
        return sum(len(graph.nominate_cycle_breakers(folder)) for folder in folders)
    finally:
        sys.path.pop(0)


def main() -> int:
    results: list[dict[str, Any]] = []
    for checkout in [Path(name).resolve() for name in sys.argv[1:]] or [HERE]:
        counted = rooms(checkout)
        print(f"\n{checkout.name}\n{'folder':<42} {'files':>5} {'lines':>6}  largest")
        for name, (files, lines, largest) in counted.items():
            print(f"{name:<42} {files:>5} {lines:>6}  {largest}")
        total = [sum(row[k] for row in counted.values()) for k in (0, 1)]
        closed = circles(checkout)
        print(f"{'all':<42} {total[0]:>5} {total[1]:>6}  imports that close a circle: {closed}")
        results.append({"rooms": counted, "files": total[0], "lines": total[1], "circles": closed})
    print(json.dumps(results))
    return 0


if __name__ == "__main__":
    sys.exit(main())
