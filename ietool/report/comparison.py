"""What a comparison says: as plain data, as tables, and in one line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ietool.errors import cut
from ietool.scoring.changes import Change
from ietool.tables import Cell, Difference, Table, between, interval, share

if TYPE_CHECKING:
    from ietool.workflow.compare import Compared


def to_value(compared: Compared, examples: int) -> dict[str, Any]:
    """What ``--json`` prints."""
    changes, result = compared.changes, compared.result

    def side(n: int) -> dict[str, Any]:
        runs = zip(compared.names[n], compared.values[n], strict=True)
        scores = (result.a, result.b)[n]
        return {"score": sum(scores) / len(scores), "runs": [{"name": name, **values} for name, values in runs]}

    return {
        "task": compared.task,
        "metric": compared.metric,
        "primary": compared.primary,
        "definition": compared.definition,
        "texts": compared.texts,
        "groups": compared.groups,
        "a": side(0),
        "b": side(1),
        "difference": result.difference,
        "interval": result.interval,
        "probability": result.probability,
        "sign_test": {
            "items": changes.items,
            "repaired": len(changes.repaired),
            "broken": len(changes.broken),
            "p": compared.p,
        },
        "moved": [
            {
                changes.what: one.label, "gold": one.gold, "a": one.a, "b": one.b,
                "repaired": one.repaired, "broken": one.broken,
            }
            for one in changes.moved
        ],
        "errors": [{"kind": kind, "a": a, "b": b} for kind, a, b in changes.errors],
        "repaired": [one.record() for one in _spread(changes.repaired, examples)],
        "broken": [one.record() for one in _spread(changes.broken, examples)],
        "notes": list(compared.notes),
    }  # fmt: skip


MOVED = 15
"""Relations, types or kinds that the table of those that moved has at most."""


def tables(compared: Compared, *, tsv: bool = False) -> list[Table]:
    """The sides, their difference and what moved, as tables."""
    result, changes = compared.result, compared.changes
    names = [name for name, value in compared.values[0][0].items() if isinstance(value, float)]
    names = [compared.primary, *(n for n in names if n != compared.primary)][:4]
    rows: list[tuple[Any, ...]] = []
    for letter, runs, values in zip("AB", compared.names, compared.values, strict=True):
        if len(runs) > 1:
            mean = [sum(own[n] for own in values) / len(values) for n in names]
            rows.append((letter, *mean, f"mean of {len(runs)}"))
        rows += [
            (letter if len(runs) == 1 else f"{letter}{number}", *(own[n] for n in names), run)
            for number, (run, own) in enumerate(zip(runs, values, strict=True), 1)
        ]
    drawn = f"{compared.texts:,} texts"
    if compared.groups < compared.texts:
        drawn += f" in {compared.groups:,} groups of near-duplicates"
    title = f"{compared.metric} on {drawn}"
    found = [Table(title, ("", *names, "of"), rows, whole=("of",))]
    sure: Cell = result.probability if tsv or result.probability is None else share(result.probability)
    p: Cell = compared.p if tsv else "p < .001" if compared.p < 0.0005 else f"p = {share(compared.p)}"
    found.append(
        Table(
            "B against A",
            (compared.primary, "95 % interval", "B is better", "repaired", "broken", "sign test"),
            [
                (
                    Difference(result.difference), interval(result.interval, signed=True), sure,
                    len(changes.repaired), len(changes.broken), p,
                )
            ],
            note=f"of {changes.items:,} items; sign test: on gold's; B is better: in so many draws of texts"
            + (" and runs" if max(len(result.a), len(result.b)) > 1 else ""),
            whole=("95 % interval", "sign test"),
        )
    )  # fmt: skip
    moved = [one for one in changes.moved if one.repaired or one.broken or one.a != one.b]
    if moved:
        more = f"{len(moved) - MOVED:,} more have moved less" if len(moved) > MOVED else ""
        found.append(
            Table(
                f"{changes.what[:1].upper()}{changes.what[1:]}s that moved, F1 of their items",
                (changes.what, "A", "B", "change", "repaired", "broken", "gold"),
                [
                    (m.label, m.a, m.b, Difference(m.b - m.a), m.repaired, m.broken, m.gold)
                    for m in moved[: None if tsv else MOVED]
                ],
                note=more,
            )
        )
    if changes.errors:
        rows = [(kind, *((x, y, y - x) if tsv else (_count(x), _count(y), f"{y - x:+,.1f}".removesuffix(".0"))))
                for kind, x, y in changes.errors[: None if tsv else MOVED]]  # fmt: skip
        more = f"further kinds: {len(changes.errors) - MOVED:,}" if len(changes.errors) > MOVED else ""
        found.append(Table("Errors by kind", ("error", "A", "B", "change"), rows, note=more))
    return found


def _count(mean: float) -> Cell:
    """How many there are; the mean of several runs in one decimal."""
    return int(mean) if mean == int(mean) else f"{mean:,.1f}"


def example_tables(compared: Compared, examples: int) -> list[Table]:
    """Examples of what was repaired and broken, a row each."""
    found, changes = list[Table](), compared.changes
    for title, some in (("Repaired", changes.repaired), ("Broken", changes.broken)):
        if chosen := _spread(some, examples):
            rows = [(_item(one), _word(one), one.rule, _around(one)) for one in chosen]
            found.append(
                Table(f"{title}: {len(chosen)} of {len(some):,}", ("item", "was" if title == "Repaired" else "is",
                      "why", "text"), rows)
            )  # fmt: skip
    return found


def _spread(some: Sequence[Change], count: int) -> list[Change]:
    """So many changes from all over the texts: neighbours are often of one kind."""
    if len(some) <= count:
        return list(some)
    return [some[n * len(some) // count] for n in range(count)]


_CONTEXT = 60
"""Characters of a text that an example shows."""


def _around(change: Change) -> str:
    """A text, or the part of a long one where the first of its item's names stands."""
    text = change.text
    if len(text) <= _CONTEXT:
        return text
    places = [text.find(value) for value in _strings(change.item) if value and value != text]
    at = min((place for place in places if place >= 0), default=0)
    start = max(0, min(at - _CONTEXT // 4, len(text) - _CONTEXT))
    return ("…" if start else "") + text[start : start + _CONTEXT] + ("…" if start + _CONTEXT < len(text) else "")


def _strings(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [text for part in value.values() for text in _strings(part)]
    return [value] if isinstance(value, str) else []


_ASIDE = ("id", "text_id", "question", "verdict", "credited", "score", "start", "end", "reference", "kind")
"""Fields of an item that say nothing of it beside its text."""


def _item(change: Change) -> str:
    """An item in a few words; where another stands in its place now, what differs in both."""
    if change.now is None:
        return cut(_words(change.item), 2 * _CONTEXT) or "–"
    was, now = (_words(_differing(one, other)) for one, other in ((change.item, change.now), (change.now, change.item)))
    return f"{cut(was, _CONTEXT) or '–'} → {cut(now, _CONTEXT) or '–'}"


def _words(item: Mapping[str, Any]) -> str:
    told = (_plain(value) for name, value in item.items() if name not in _ASIDE and not isinstance(value, float))
    return " / ".join(word for word in told if word)


def _differing(item: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of an item that another has not, or has otherwise; of objects within it the same."""
    found: dict[str, Any] = {}
    for name, value in item.items():
        beside = other.get(name)
        if isinstance(value, dict) and isinstance(beside, dict):
            value = _differing(value, beside)
        if value != beside and value != {}:
            found[name] = value
    return found


def _plain(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(_plain(part) if name == "@value" else f"{name}={_plain(part)}" for name, part in value.items())
    return str(value)


def _word(change: Change) -> str:
    shares = f"{change.a:.0%} → {change.b:.0%}" if {change.a, change.b} != {0.0, 1.0} else ""
    return f"{change.verdict} {shares}".strip()


def verdict(compared: Compared) -> str:
    """What follows, in one line."""
    result = compared.result
    if result.interval is None or result.probability is None:
        if not compared.texts:
            return "there is no text to compare on"
        return f"{result.difference:+.4f} {compared.primary} for B: too few texts that differ for an interval"
    low, high = result.interval
    if low > 0 or high < 0:
        better, sure = ("B", result.probability) if low > 0 else ("A", 1 - result.probability)
        return (
            f"{better} is better by {abs(result.difference):.4f} {compared.primary} "
            f"(95 %: {between(result.interval, signed=True)} for B; probability {share(sure)})"
        )
    return (
        f"not told apart on these texts: {result.difference:+.4f} {compared.primary} for B, 95 % "
        f"{between(result.interval, signed=True)}, probability that B is better {share(result.probability)}"
    )
