"""A prediction as a page draws it: texts with marked spans, and what links what."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Mark:
    """A span of a text that is marked.

    Attributes:
        start, end: in characters of the text, half-open.
        label: what it is: a type, a relation, the id of an entity.
        probability: how probable the model finds it; None: not known.
        text: number of the text among those of the view.
    """

    start: int
    end: int
    label: str
    probability: float | None = None
    text: int = 0


@dataclass(frozen=True)
class Link:
    """An arrow of the graph, from one name to another."""

    source: str
    label: str
    target: str
    probability: float | None = None


@dataclass(frozen=True)
class View:
    """What is drawn of one prediction.

    Attributes:
        texts: (heading, text): what was read, one or several passages; headings may be empty.
    """

    texts: Sequence[tuple[str, str]]
    marks: Sequence[Mark] = field(default_factory=tuple)
    links: Sequence[Link] = field(default_factory=tuple)
