"""When two triples count as the same: the rules of the scorers, one text at a time."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from ietool.tasks.ske.data.example import VALUE, Triple, order_slots
from ietool.tasks.ske.data.schema import WEBNLG

Names = Mapping[str, Collection[str]]
"""A dictionary of other names: name → its aliases, all lower-cased."""

Key = tuple[str, str, tuple[tuple[str, str], ...]]
"""(subject, predicate, ((slot, value), …)) with names normalised: what is compared."""

EXACT = "exact"


def normalise(name: str) -> str:
    """Lower-case, then without one 《…》 pair if both ends are there. Spaces, width and punctuation count."""
    name = name.lower()
    return name[1:-1] if name.startswith("《") and name.endswith("》") else name


@dataclass(frozen=True)
class Matching:
    """The rules of one variant: ``ske2019``, ``duie2`` or ``webnlg``, with the user's dictionaries.

    ``alias`` maps a name to its other names. ``locations`` (``ske2019`` only) maps a gold object to names of places
    that count for it.
    """

    metric: str
    alias: Names = field(default_factory=dict)
    locations: Names = field(default_factory=dict)

    @property
    def plain(self) -> bool:
        """Whether only equal keys match."""
        return not self.alias and not self.locations

    def key(self, triple: Triple) -> Key:
        """What is compared of a triple. ``ske2019`` sees the main slot only, ``webnlg`` strings as they are."""
        if self.metric == WEBNLG:
            return triple.subject, triple.predicate, ((VALUE, dict(triple.object)[VALUE]),)
        if self.metric == "ske2019":
            value = triple.object[0][1] if triple.object[0][0] == VALUE else dict(triple.object)[VALUE]
            return normalise(triple.subject), triple.predicate, ((VALUE, normalise(value)),)
        slots = triple.object if len(triple.object) == 1 else order_slots(triple.object)
        return normalise(triple.subject), triple.predicate, tuple((slot, normalise(value)) for slot, value in slots)

    def match(self, predicted: Key, gold: Key) -> str | None:
        """The rule by which a predicted key is right given a gold key; None if it is not."""
        if predicted == gold:
            return EXACT
        if predicted[1] != gold[1]:
            return None
        return self._match_ske2019(predicted, gold) if self.metric == "ske2019" else self._match_duie2(predicted, gold)

    def _match_ske2019(self, predicted: Key, gold: Key) -> str | None:
        # Aliases are looked up from the prediction only, locations from gold only.
        subject, value = predicted[0], predicted[2][0][1]
        gold_subject, gold_value = gold[0], gold[2][0][1]
        if not self._known_as(subject, gold_subject):
            return None
        by = "" if subject == gold_subject else f"alias of subject ({subject} → {gold_subject})"
        if self._known_as(value, gold_value):
            other = "" if value == gold_value else f"alias of object ({value} → {gold_value})"
            return ", ".join(part for part in (by, other) if part)
        if value in self.locations.get(gold_value, ()):
            return ", ".join(part for part in (f"location (gold's {gold_value} may be {value})", by) if part)
        return None

    def _match_duie2(self, predicted: Key, gold: Key) -> str | None:
        # Equality must hold in both directions, and slot by slot.
        if len(predicted[2]) != len(gold[2]):
            return None
        by = []
        names = [("subject", predicted[0], gold[0])]
        for (slot, value), (gold_slot, gold_value) in zip(predicted[2], gold[2], strict=True):
            if slot != gold_slot:
                return None
            names.append((f"object.{slot}", value, gold_value))
        for part, one, other in names:
            if one != other:
                if not (self._known_as(one, other) and self._known_as(other, one)):
                    return None
                by.append(f"alias of {part} ({one} ↔ {other})")
        return ", ".join(by)

    def _known_as(self, name: str, other: str) -> bool:
        return name == other or other in self.alias.get(name, ())


@dataclass(frozen=True, slots=True)
class Judged:
    """One text judged. Keys map to the triples as they were written; the order is that of the files.

    Attributes:
        gold: gold triples, repeated ones merged.
        predicted: predicted triples that count, without duplicates.
        duplicates: predicted triples that are aliases of an earlier one → that earlier one; they count nowhere.
        right: right predictions → the rule that decided.
        found: gold triples that some prediction, duplicates included, hits.
    """

    gold: dict[Key, Triple]
    predicted: dict[Key, Triple]
    duplicates: dict[Key, Key]
    right: dict[Key, str]
    found: set[Key]


def judge(gold: Sequence[Triple], predicted: Sequence[Triple], matching: Matching) -> Judged:
    """Compare the predictions of one text with its gold triples."""
    wanted: dict[Key, Triple] = {}
    for triple in gold:
        wanted.setdefault(matching.key(triple), triple)
    given: dict[Key, Triple] = {}
    for triple in predicted:
        given.setdefault(matching.key(triple), triple)
    if matching.plain:
        right = {key: EXACT for key in given if key in wanted}
        return Judged(wanted, given, {}, right, set(right))
    if matching.metric == "duie2":
        # Gold is a set too under this variant: names of one thing count once.
        wanted = _merge(wanted, matching)[0]
    kept, duplicates = _merge(given, matching)
    right = {}
    for key in kept:
        hits = [rule for other in wanted if (rule := matching.match(key, other))]
        if hits:
            right[key] = EXACT if EXACT in hits else hits[0]
    found = {other for other in wanted if any(matching.match(key, other) for key in given)}
    return Judged(wanted, kept, duplicates, right, found)


def _merge(triples: dict[Key, Triple], matching: Matching) -> tuple[dict[Key, Triple], dict[Key, Key]]:
    """(triples kept, duplicate → the one it repeats). A triple repeats an earlier kept one found by its aliases.

    The order of the file decides which is the earlier; the organisers' script for SKE 2019 leaves it to chance.
    """
    aliases = Matching(matching.metric, matching.alias)
    kept: dict[Key, Triple] = {}
    duplicates: dict[Key, Key] = {}
    for key, triple in triples.items():
        for earlier in kept:
            if aliases.match(key, earlier):
                duplicates[key] = earlier
                break
        else:
            kept[key] = triple
    return kept, duplicates
