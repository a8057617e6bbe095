"""A report as plain values, for ``--json``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ietool.scoring.report import Report
    from ietool.tables import Table


def to_value(report: Report) -> dict[str, Any]:
    """A report as one JSON value: the variant, its numbers, the interval, the tables and the notes."""
    return {
        "metric": report.metric,
        **report.values,
        "primary": report.primary,
        "interval": None if report.interval is None else list(report.interval),
        "definition": report.definition,
        "tables": [
            {"title": table.title, "rows": [dict(zip(table.columns, row, strict=True)) for row in table.rows]}
            for table in report.tables
        ],
        "notes": list(report.notes),
    }


def figures(report: Report, title: str = "Score") -> Table:
    """The same as :func:`summary` with numbers for programs."""
    from ietool.tables import Table, interval

    ends = interval(report.interval)
    rows = [(name, value, ends if name == report.primary else None) for name, value in report.values.items()]
    return Table(title, ("measure", report.metric, "95 %"), rows)


def summary(report: Report, title: str = "Score") -> Table:
    """The first table on the screen: a row a measure, the primary one with its interval, then the counts."""
    from ietool.tables import Table, between

    shares = [name for name, value in report.values.items() if isinstance(value, float)]
    counts = [name for name in report.values if name not in shares]
    rows = []
    for name in (*shares, *counts):
        value = report.values[name]
        interval = between(report.interval) if name == report.primary else ""
        rows.append((name, f"{value:.4f}" if name in shares else f"{value:,}", interval))
    return Table(title, ("measure", report.metric, "95 % interval"), rows, whole=("95 % interval",))
