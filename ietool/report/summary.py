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


def summary(report: Report, title: str = "Score") -> Table:
    """The first table on the screen: the variant and its numbers, the interval beside the primary one."""
    from ietool.tables import Table

    shares = [(name, value) for name, value in report.values.items() if isinstance(value, float)]
    counts = [(name, value) for name, value in report.values.items() if not isinstance(value, float)]
    columns, row = ["metric"], [report.metric]
    for name, value in shares:
        columns.append(name)
        row.append(f"{value:.4f}")
        if name == report.primary and report.interval is not None:
            columns.append("95 % interval")
            row.append(f"{report.interval[0]:.4f} – {report.interval[1]:.4f}")
    for name, value in counts:
        columns.append(name)
        row.append(f"{value:,}")
    return Table(title, columns, [row])
