"""Records to look through in a page: as JSON in it, with filters, search, paging and a link to each."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from markupsafe import Markup

from ietool.report.html.spans import Mark, segments, shown

ID = "items"
"""Of the script tag that holds the records."""


@dataclass(frozen=True, slots=True)
class Chip:
    """A thing found or wanted in a text, beside it: a triple, a linked mention, an answer.

    Attributes:
        words: the thing itself.
        verdict: ``right``, ``spurious``, ``missed``, ``duplicate``, or empty where nothing was judged.
        kind: its class of error, or what else stands as a tag.
        note: why, in words.
        probability: of the model, where it is known.
        change: ``repaired`` or ``broken`` of two predictions.
    """

    words: str
    verdict: str = ""
    kind: str = ""
    note: str = ""
    probability: float | None = None
    change: str = ""


@dataclass(frozen=True, slots=True)
class Item:
    """A text of the page.

    Attributes:
        number: what its link says: ``#item-7``.
        text: with the marks of gold above it, and below it those of each prediction: one text a prediction.
        predicted, chips: one list a prediction; of records without predictions none, and one of chips.
        title: its id, its question.
        facets: filter → values, by which it is found: ``{"class": ["boundary"], "type": ["name", "place"]}``.
    """

    number: int
    text: str
    gold: Sequence[Mark] = ()
    predicted: Sequence[Sequence[Mark]] = ()
    chips: Sequence[Sequence[Chip]] = ()
    title: str = ""
    facets: Mapping[str, Sequence[str]] = field(default_factory=dict)


def items_json(
    items: Sequence[Item | str], *, sides: Sequence[str] = (), page: int = 20, facets: Sequence[str] | None = None
) -> str:
    """The records as one JSON value, in which nothing can end a script tag or begin a comment.

    Args:
        items: as they are, or as :func:`item_json` has them.
        sides: names of the predictions, where there are several.
        page: records shown at once.
        facets: the filters, in their order; None: those that the records have.
    """
    if facets is None:
        facets = list(dict.fromkeys(name for item in items if isinstance(item, Item) for name in item.facets))
    value = {"page": page, "sides": [shown(side) for side in sides], "facets": [shown(name) for name in facets]}
    dumped = ",".join(item if isinstance(item, str) else item_json(item, facets) for item in items)
    return _dumped(value)[:-1] + f',"items":[{dumped}]}}'


def item_json(item: Item, facets: Sequence[str]) -> str:
    """A record as the page holds it, so that its size is known."""
    return _dumped(_plain(item, facets))


def _dumped(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    for char in "<>&\u2028\u2029":
        text = text.replace(char, f"\\u{ord(char):04x}")
    return text


def _plain(item: Item, names: Sequence[str]) -> list[Any]:
    """What the script of the page reads: lists, since their keys would be most of the file.

    [number, title, pieces [text, numbers of marks…], marks by side [label, start, verdict], chips by side, values]
    """
    sides = (item.gold, *item.predicted)
    return [
        item.number,
        shown(item.title),
        [[shown(piece.text), *(piece.marks if any(piece.marks) else ())] for piece in segments(item.text, sides)],
        [[[shown(mark.label), max(0, mark.start), _verdict(mark)] for mark in marks] for marks in sides],
        [[_chip(chip) for chip in chips] for chips in item.chips],
        [[shown(value) for value in item.facets.get(name, ())] for name in names],
    ]


def _verdict(mark: Mark) -> str | list[str]:
    return [shown(verdict) for verdict in mark.verdicts] or shown(mark.verdict)


def _chip(chip: Chip) -> list[Any]:
    chance = None if chip.probability is None else round(chip.probability, 3)
    return [
        shown(chip.words), shown(chip.verdict), shown(chip.kind), shown(chip.note), chance, shown(chip.change),
    ]  # fmt: skip


def item_list(
    items: Sequence[Item | str], *, sides: Sequence[str] = (), page: int = 20, facets: Sequence[str] | None = None
) -> Markup:
    """The records, and the place where the script of the page draws them with their filters; one a page. Arguments as
    :func:`items_json` has them."""
    begin = Markup('<div id="finder" class="finder"></div><div id="list" class="list"></div>')
    note = Markup("<noscript><p>The texts are drawn by a script, which this browser does not run.</p></noscript>")
    # A script tag of JSON, which no browser runs.
    data = Markup(items_json(items, sides=sides, page=page, facets=facets))
    tag = Markup('<script type="application/json" id="{}">{}</script>').format(ID, data)
    return begin + note + tag
