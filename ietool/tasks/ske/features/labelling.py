"""From gold strings to spans: every occurrence of a name that means it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ietool.tasks.ske.data.example import Triple
from ietool.tasks.ske.features.prior import Fact
from ietool.text.characters import fold
from ietool.text.matching import occurrences

Span = tuple[int, int]
Row = tuple[int, int, int, int, int]
"""(subject start, end, label, object start, end), half-open."""


def facts(triples: Iterable[Triple], labels: Mapping[tuple[str, str], int]) -> list[Fact]:
    """The (subject, label, object) facts of triples, one per slot, each once, in order; none of unknown relations."""
    stated = ((t.subject, labels.get((t.predicate, slot)), value) for t in triples for slot, value in t.object)
    found = [(subject, label, value) for subject, label, value in stated if label is not None]
    return list(dict.fromkeys(found))


def locate_names(
    names: Iterable[str], text: str, *, first_only: bool = False, words: bool = False
) -> dict[str, list[Span]]:
    """Where each name stands in the text.

    A name found only in another case is located too. Occurrences inside a longer one of these names (京 in 北京) are
    left out, unless the name has no other.

    Args:
        first_only: of several occurrences the first.
        words: names stand only where words between blanks begin and end, and in their own case.

    Returns:
        name → spans, in order; names that are not in the text are absent.
    """
    found: dict[str, list[Span]] = {}
    folded: str | None = None
    for name in dict.fromkeys(names):
        starts = occurrences(name, text)
        if words:
            starts = [at for at in starts if at_words(text, at, at + len(name))]
        elif not starts:
            folded = fold(text) if folded is None else folded
            starts = occurrences(fold(name), folded)
        if starts:
            found[name] = [(at, at + len(name)) for at in starts]
    everything = {span for spans in found.values() for span in spans}
    for name, spans in found.items():
        if len(spans) > 1 or first_only:
            free = [span for span in spans if not any(_inside(span, other) for other in everything)]
            found[name] = (free or spans)[: 1 if first_only else None]
    return found


def at_words(text: str, start: int, end: int) -> bool:
    """Whether a span begins and ends where words between blanks do."""
    return (not start or text[start - 1].isspace()) and (end == len(text) or text[end].isspace())


def _inside(span: Span, other: Span) -> bool:
    """Whether ``other`` holds ``span`` and more."""
    return other[0] <= span[0] and span[1] <= other[1] and other != span


def label_rows(stated: Iterable[Fact], text: str, *, first_only: bool = False, words: bool = False) -> list[Row]:
    """The facts as rows of spans, each once: every occurrence of the subject with every occurrence of the object."""
    return list(rows_of_facts(stated, text, first_only=first_only, words=words))


def rows_of_facts(
    stated: Iterable[Fact], text: str, *, first_only: bool = False, words: bool = False
) -> dict[Row, Fact]:
    """The rows of :func:`label_rows`, each with the fact that it states."""
    stated = list(stated)
    spans = locate_names((name for s, _, o in stated for name in (s, o)), text, first_only=first_only, words=words)
    rows = (
        ((*s_span, label, *o_span), (s, label, o))
        for s, label, o in stated
        for s_span in spans.get(s, ())
        for o_span in spans.get(o, ())
    )
    # Facts that differ in upper and lower case alone stand in the same places.
    found: dict[Row, Fact] = {}
    for row, fact in rows:
        found.setdefault(row, fact)
    return found
