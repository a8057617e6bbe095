"""The page: one HTML file with its style and script in it, drawn on the floor that all pages share."""

from __future__ import annotations

from functools import cache
from importlib import resources

from markupsafe import Markup

from ietool.report.html.page import Section, environment, policy
from ietool.version import __version__

_LEAD = "Type a text, or take an example; what the run finds in it is drawn below."


@cache
def page_of() -> str:
    """The whole page; it holds nothing of a run, and asks the API for that."""
    style, script = _style(), _script()
    ask = Section("ask", "Ask", Markup(_shipped("ask.html")))
    found = Section("found", "Found", Markup(_shipped("found.html")))
    return (
        environment()
        .get_template("page.html")
        .render(
            title="ietool",
            lead=_LEAD,
            sections=[ask, found],
            style=Markup(style),
            script=Markup(script),
            policy=policy_of(),
            version=__version__,
        )
    )


@cache
def policy_of() -> str:
    """The policy of the page: it asks this server alone, and nothing runs or styles but what it was made with."""
    return f"{policy(_style(), _script())}; connect-src 'self'"


@cache
def _style() -> str:
    shared = resources.files("ietool.report.html") / "templates" / "page.css"
    return shared.read_text(encoding="utf-8") + _shipped("serve.css")


@cache
def _script() -> str:
    return _shipped("graph.js") + _shipped("serve.js")


def _shipped(name: str) -> str:
    return (resources.files("ietool.serve") / "templates" / name).read_text(encoding="utf-8")
