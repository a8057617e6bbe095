"""What a knowledge base says of a name: its candidates, what the annotators made of them, or the nearest names."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from ietool.tasks.el.data.example import normalise
from ietool.tasks.el.features.descriptions import pieces

if TYPE_CHECKING:
    from ietool.tables import Table
    from ietool.tasks.el.features.annotations import Annotations
    from ietool.tasks.el.kb.knowledge_base import KnowledgeBase
    from ietool.tasks.el.kb.records import Entity

ANNOTATIONS = "annotations.jsonl"
"""The annotators' statistics, beside the knowledge base of a prepared folder or a run folder."""

DESCRIPTION = 60
"""Characters shown of a description."""


@dataclass(frozen=True)
class KBCandidate:
    """An entity that has a name.

    Attributes:
        name: as it was asked for.
        written: how the entity writes it.
        linked: how often the annotators linked the name to it; None where that is not known.
        share: that, of all times the name was linked; None where it never was.
        description: the beginning of what is told of it.
    """

    name: str
    kb_id: str
    subject: str
    written: tuple[str, ...]
    types: tuple[str, ...]
    linked: int | None
    share: float | None
    description: str


@dataclass(frozen=True)
class Lookup:
    """What was found of a name.

    Attributes:
        name: as it was asked for.
        key: the normalised name that was looked up.
        candidates: the most often linked first, then in the order of the knowledge base.
        strangers: ids that the annotators linked the name to though no entity of that id has it → times.
        annotated, passed: how often maximum matching found it where it was annotated, and where not; None where that
            is not known.
        nearest: the names most like it, if it has no candidate.
    """

    name: str
    key: str
    candidates: list[KBCandidate]
    strangers: dict[str, int] = field(default_factory=dict)
    annotated: int | None = None
    passed: int | None = None
    nearest: list[str] = field(default_factory=list)

    @property
    def variants(self) -> list[str]:
        """How the entities write the name, where none writes it as it was asked for."""
        written = list(dict.fromkeys(text for candidate in self.candidates for text in candidate.written))
        return [] if self.name in written else written


def annotations_beside(kb: KnowledgeBase) -> Annotations | None:
    """The annotators' statistics that were prepared with a knowledge base, if any.

    Raises:
        UserError: the file is damaged.
    """
    from ietool.tasks.el.features.annotations import Annotations

    path = Path(kb.folder).resolve().parent / ANNOTATIONS
    return Annotations.load(path) if path.is_file() else None


def look_up(kb: KnowledgeBase, name: str, annotations: Annotations | None = None) -> Lookup:
    """What is known of a name, which need not be normalised."""
    key = normalise(name)
    number = kb.number(name)
    if number is None:
        return Lookup(name, key, [], nearest=nearest_names(kb, key))
    habit = None if annotations is None else annotations.get(key)
    links = {} if habit is None else dict(habit.links)
    total = sum(links.values())
    found = []
    for entity in kb.entities(kb.candidates(number)):
        linked = None if habit is None else links.pop(entity.kb_id, 0)
        found.append(
            KBCandidate(
                name=name,
                kb_id=entity.kb_id,
                subject=entity.subject,
                written=tuple(text for text in entity.names() if normalise(text) == key),
                types=entity.types,
                linked=linked,
                share=None if linked is None or not total else linked / total,
                description=_beginning(entity),
            )
        )
    found.sort(key=lambda candidate: -(candidate.linked or 0))
    yes, no = (None, None) if habit is None else (habit.yes, habit.no)
    return Lookup(name, key, found, strangers=links, annotated=yes, passed=no)


def nearest_names(kb: KnowledgeBase, key: str, limit: int = 5) -> list[str]:
    """The normalised names most like a string, by longest common subsequence; none that shares less than half."""
    from rapidfuzz import process
    from rapidfuzz.distance import Indel

    found: Iterable[tuple[str, float, int]] = process.extract(
        key, kb.names, scorer=Indel.normalized_similarity, limit=limit, score_cutoff=0.5
    )
    return [name for name, _, _ in found]


def _beginning(entity: Entity) -> str:
    text = "；".join(piece.rstrip("。；") for piece in islice(pieces(entity, "ranked"), 1, 6))
    return text if len(text) <= DESCRIPTION else text[: DESCRIPTION - 1] + "…"


def stats_tables(kb: KnowledgeBase, seconds: float | None, memory: int | None) -> list[Table]:
    """What a knowledge base holds, its most frequent types, and its files."""
    from ietool.tables import Table

    info = kb.info
    rows = [
        ("entities", f"{info.entities:,}"),
        ("names (normalised)", f"{info.names:,}"),
        ("names of an entity, mean", f"{info.names_per_entity:.2f}"),
        ("ambiguous names", f"{info.ambiguous_names:,} ({info.ambiguous_names / info.names:.1%})"),
        (
            "candidates of a name",
            f"{info.candidates_mean:.2f} on average, {info.candidates_p95:.0f} at the 95th percentile, "
            f"{info.candidates_max:,} at most",
        ),
        ("facts", f"{info.facts:,}"),
        ("description characters", f"{info.description_characters:,}"),
        ("left out: empty aliases, empty objects", f"{info.empty_aliases:,}, {info.empty_objects:,}"),
        ("left out: names that fold to another or to nothing", f"{info.merged_names:,}, {info.unusable_names:,}"),
        ("left out: bad records", f"{info.rejected:,}"),
        ("size on disk", f"{info.bytes / 1e6:,.1f} MB"),
        ("opened in", None if seconds is None else f"{seconds:.3f} s"),
        ("resident memory then", None if memory is None else f"{memory / 1e6:,.0f} MB"),
    ]
    note = "it was compiled just now: the next call tells how long opening takes" if seconds is None else ""
    types = list(info.types.items())
    more = f"and {len(types) - 15:,} further types" if len(types) > 15 else ""
    return [
        Table(str(kb.folder), ("what", "how much"), rows, note),
        Table("types", ("type", "entities", "share"), [(t, n, n / info.entities) for t, n in types[:15]], more),
        Table("files", ("file", "bytes"), list(info.files.items())),
    ]


def lookup_table(found: Lookup, limit: int) -> Table:
    """The candidates of one name."""
    from ietool.tables import Table

    rows = []
    for candidate in found.candidates[:limit]:
        written = "" if candidate.written == (found.name,) else " ".join(candidate.written)
        rows.append(
            (
                candidate.kb_id,
                candidate.subject,
                " ".join(candidate.types),
                written or None,
                candidate.linked,
                candidate.share,
                candidate.description,
            )
        )
    notes = []
    if found.variants:
        notes.append(f"not written so by any of them, but: {' '.join(found.variants)}")
    if len(found.candidates) > limit:
        notes.append(f"the first {limit:,} of {len(found.candidates):,}: --limit N shows more")
    if found.annotated is not None:
        notes.append(
            f"in the training texts annotated {found.annotated:,} times where it was found, not {found.passed:,}"
        )
    if found.strangers:
        strangers = ", ".join(f"{kb_id} ({times:,})" for kb_id, times in found.strangers.items())
        notes.append(f"also linked to what has no such name here: {strangers}")
    columns = ("kb_id", "subject", "types", "written", "linked", "share", "description")
    title = f"{found.name}: {len(found.candidates):,} candidate{'s' if len(found.candidates) > 1 else ''}"
    return Table(title, columns, rows, "; ".join(notes))
