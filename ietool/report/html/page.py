"""A page: one HTML file that needs no network and runs nothing but the script that it was made with."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from ietool.report.html.spans import shown
from ietool.tables import Cell, Table
from ietool.version import __version__


@dataclass(frozen=True)
class Section:
    """A part of a page.

    Attributes:
        anchor: of its link, letters and dashes alone.
        title: its heading.
        body: HTML; what comes from data in it was escaped by whoever made it.
        note: a sentence under the heading.
    """

    anchor: str
    title: str
    body: Markup
    note: str = ""


@cache
def environment() -> Environment:
    """Where templates are found; everything that they are given is escaped, and control characters are visible."""
    made = Environment(
        loader=PackageLoader("ietool.report.html"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_visible,
    )
    made.globals["cell"] = cell
    return made


def _visible(value: object) -> object:
    return shown(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def page(title: str, sections: Sequence[Section], *, lead: str = "") -> str:
    """A whole page.

    Args:
        title: its heading.
        lead: a sentence under it.
    """
    style, script = _shipped("page.css"), _shipped("page.js")
    return (
        environment()
        .get_template("page.html")
        .render(
            title=title,
            lead=lead,
            sections=sections,
            style=Markup(style),
            script=Markup(script),
            policy=policy(style, script),
            version=__version__,
        )
    )


def policy(style: str, script: str) -> str:
    """The policy of a page: nothing is loaded, nothing runs and nothing styles but what has these hashes."""
    return (
        f"default-src 'none'; style-src '{_hash(style)}'; script-src '{_hash(script)}'; "
        "base-uri 'none'; form-action 'none'; require-trusted-types-for 'script'"
    )


def table(one: Table, *, most: int = 0) -> Markup:
    """A table; beyond ``most`` rows, where that is given, it says how many there are more."""
    rows = one.rows[:most] if most else one.rows
    numeric = [
        any(isinstance(row[n], int | float) for row in one.rows)
        and all(row[n] is None or isinstance(row[n], int | float) for row in one.rows)
        for n in range(len(one.columns))
    ]
    text = (
        environment()
        .get_template("table.html")
        .render(table=one, rows=rows, numeric=numeric, left=len(one.rows) - len(rows))
    )
    return Markup(text)


def cell(value: Cell) -> str:
    """A cell: scores with four decimals, a dash for None."""
    if value is None:
        return "–"
    if isinstance(value, float):
        return f"{value:.4f}"
    return f"{value:,}" if isinstance(value, int) else str(value)


def _shipped(name: str) -> str:
    return (resources.files("ietool.report.html") / "templates" / name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode("utf-8")).digest()).decode()
