"""What is told of a corpus, as tables that fit into 80 columns."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from ietool.inspect.characters import BLANK, BREAK, CONTROL, HIDDEN, LOST, PRIVATE, SURROGATE, UNASSIGNED
from ietool.inspect.inspecting import Folder, Inspected
from ietool.inspect.speed import NEEDS, Fit
from ietool.inspect.survey import SplitSurvey
from ietool.registry import get_task
from ietool.tables import Cell, Table

SHOWN = 12
"""Rows of a table of labels on the screen."""

PAIRS = 15
"""Pairs of files whose texts are compared in a table."""

BESIDE = 4
"""Files side by side in a table."""

SHORT = {
    CONTROL: "control",
    BREAK: "tab, line end",
    PRIVATE: "private use",
    SURROGATE: "half a pair",
    HIDDEN: "no width",
    BLANK: "unusual blank",
    LOST: "was unreadable",
    UNASSIGNED: "unassigned",
}
"""Class of characters → its name in a narrow table, in the order of that."""


def percent(part: int, whole: int) -> str:
    """As wide as all of them, so that columns stand one below another."""
    return f"{part / max(whole, 1):7.2%}"


def files_table(one: Inspected) -> Table:
    """Which file is what."""
    names = short_names(one.found)
    rows: list[list[Cell]] = [
        [s.split.path.name, name, s.records, s.bad, "–" if not s.records else "yes" if s.labelled else "no"]
        for s, name in zip(one.found, names, strict=True)
    ]
    rows += [[path.name, role, None, None, "–"] for role, path in one.corpus.beside.items()]
    return Table("Files", ("file", "for", "records", "left out", "gold"), rows, whole=("file",))


def short_names(found: Sequence[SplitSurvey]) -> list[str]:
    """What each file is called in the tables: its role, with a number where several have it."""
    roles = [one.split.role or "file" for one in found]
    counts, so_far, names = Counter(roles), Counter[str](), []
    for role in roles:
        so_far[role] += 1
        names.append(role if counts[role] == 1 and role != "file" else f"{role} {so_far[role]}")
    return names


def count_tables(one: Inspected) -> Iterator[Table]:
    """Counts and lengths, a column a file."""
    task = get_task(one.corpus.task)
    words, finds = task.words, task.finds
    for found, names in _beside(one):
        rows: list[list[Cell]] = [
            [task.inputs, *(s.records for s in found)],
            [f"  without {finds}", *(s.empty if s.labelled else None for s in found)],
            ["  again, the same", *(s.repeated - s.otherwise if s.labelled else s.repeated for s in found)],
            ["  again, with other labels", *(s.otherwise if s.labelled else None for s in found)],
            ["  kin of an earlier one, not the same", *(s.kin for s in found)],
            ["characters: median", *(s.lengths.at(0.5) for s in found)],
            ["  95 % have at most", *(s.lengths.at(0.95) for s in found)],
            ["  longest", *(s.lengths.longest for s in found)],
        ]
        if words.further and any(s.further for s in found):
            rows += [
                [words.further, *(s.further for s in found)],
                ["  characters: median", *(s.further_lengths.at(0.5) for s in found)],
                ["    95 % have at most", *(s.further_lengths.at(0.95) for s in found)],
                ["    longest", *(s.further_lengths.longest for s in found)],
            ]
        rows += [
            ["items of gold", *(s.items if s.labelled else None for s in found)],
            ["  a record: mean", *(s.items / max(s.records, 1) if s.labelled else None for s in found)],
            ["  a record: most", *(max(s.per_record, default=0) if s.labelled else None for s in found)],
            [words.labels, *(len(s.labels) if s.labelled else None for s in found)],
            ["texts that NFKC changes", *(s.characters.changed for s in found)],
            ["  in length", *(s.characters.moved for s in found)],
        ]
        note = f"Kin: {words.kin}."
        yield Table("Counts", ("", *names), rows, note)


def balance_tables(one: Inspected, most: int = SHOWN) -> Iterator[Table]:
    """How often each label stands, the most frequent first."""
    words = get_task(one.corpus.task).words
    for found, names in _beside(one):
        for what, kind in ((words.labels, "labels"), (words.kinds, "kinds"), ("roles", "roles")):
            counts: list[Counter[str]] = [getattr(s, kind) for s in found]
            if what and any(counts):
                yield _balance(what, names, counts, [s.split.learnt for s in found], most)


def _balance(
    what: str, names: Sequence[str], counts: Sequence[Counter[str]], learnt: Sequence[bool], most: int
) -> Table:
    every: Counter[str] = sum(counts, start=Counter())
    train: Counter[str] = sum((c for c, is_learnt in zip(counts, learnt, strict=True) if is_learnt), start=Counter())
    base, whose = (train, "train") if train else (every, "all")
    order = [label for label, _ in every.most_common()]

    def row(label: str, of: Sequence[str]) -> list[Cell]:
        numbers = [sum(c[name] for name in of) if c else None for c in counts]
        return [label, *numbers, percent(sum(base[name] for name in of), base.total())]

    rows = [row(label, [label]) for label in order[:most]]
    if rest := order[most:]:
        rows.append(row(f"({len(rest):,} more)", rest))
    return Table(f"Balance of {what}", (what, *names, f"% of {whose}"), rows, whole=(what,))


def overlap_table(one: Inspected) -> Table | None:
    """What files share with earlier ones; None where there is one file."""
    names = dict(zip((s.split.name for s in one.found), short_names(one.found), strict=True))
    pairs = [(s, other, t) for s in one.found for other, t in s.shared.items()]
    shown = pairs
    if len(pairs) > PAIRS:  # of a folder of many files
        shown = sorted((p for p in pairs if p[2].same or p[2].kin), key=lambda p: -p[2].kin)[:PAIRS]
    rows: list[list[Cell]] = [
        [names[s.split.name], names[other], t.same, t.otherwise, t.kin, percent(t.kin, s.records)]
        for s, other, t in shown
    ]
    note = f"{len(pairs) - len(shown):,} more pairs share less, or nothing" if len(shown) < len(pairs) else ""
    columns = ("of", "in", "same", "other labels", "kin", "% kin")
    return Table("The same texts", columns, rows, note=note) if pairs else None


def names_table(one: Inspected) -> Table | None:
    """Which names of a file train has, as far as it has gold."""
    rows: list[list[Cell]] = []
    for found, name in zip(one.found, short_names(one.found), strict=True):
        for kind, seen in found.names.items():
            known: list[Cell] = [None, None]
            if not found.split.learnt and any(s.split.learnt for s in one.found):
                known = [percent(seen.total_in_train, seen.total), percent(seen.distinct_in_train, seen.distinct)]
            rows.append([kind, name, seen.total, seen.distinct, *known])
    columns = ("names", "of", "all", "different", "% in train", "% different")
    return Table("Names that train has", columns, rows) if rows else None


def character_table(one: Inspected) -> Table | None:
    """Characters that trouble tokenizers; None where there are none."""
    rows: list[list[Cell]] = []
    for kind, short in SHORT.items():
        seen = [s.characters.trouble[kind] for s in one.found if kind in s.characters.trouble]
        if seen:
            counts: Counter[str] = sum((t.characters for t in seen), start=Counter())
            rows.append([short, sum(t.texts for t in seen), counts.total(), _most(counts), seen[0].first])
    if not rows:
        return None
    columns = ("characters", "texts", "all", "most often", "first at")
    return Table("Characters that trouble tokenizers", columns, rows, whole=("first at", "characters", "most often"))


def _most(counts: Counter[str]) -> str:
    return " ".join(f"U+{ord(char):04X}" for char, _ in counts.most_common(2))


def recipe_table(fits: Sequence[Fit]) -> Table:
    """The recipes that fit, and how long they take here."""
    rows: list[list[Cell]] = [
        [fit.recipe, fit.encoder or "scratch", fit.epochs, _duration(fit.seconds), _duration(fit.whole)] for fit in fits
    ]
    notes = dict.fromkeys(f"{fit.recipe}: {fit.why}" for fit in fits if fit.why and fit.why != NEEDS)
    columns = ("recipe", "starts from", "epochs", "an epoch", "all of them")
    return Table(
        "Recipes that fit", columns, rows, "; ".join(notes), whole=("recipe", "starts from", "an epoch", "all of them")
    )


def _duration(seconds: float | None) -> str | None:
    """As ``19.6 s``, ``5.2 min``, ``3.1 h``: an estimate needs no more."""
    if seconds is None:
        return None
    if seconds < 90:
        return f"{seconds:.1f} s"
    return f"{seconds / 60:.1f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def others_table(folder: Folder, most: int = 20) -> Table | None:
    """The files that belong to no corpus."""
    if not folder.others:
        return None
    rows = [[_under(folder, path), reason] for path, reason in folder.others[:most]]
    left = len(folder.others) - len(rows)
    note = f"and {left:,} more" if left else ""
    return Table("Not looked into", ("file", "since it"), rows, note, whole=("file",))


def _under(folder: Folder, path: object) -> str:
    return str(path).removeprefix(f"{folder.place}/")


def tables_of(one: Inspected, most: int = SHOWN) -> list[Table]:
    """All tables of a corpus, in the order in which one reads them."""
    further = (overlap_table(one), names_table(one), character_table(one))
    return [
        files_table(one),
        *count_tables(one),
        *balance_tables(one, most),
        *(table for table in further if table is not None),
        recipe_table(one.fits),
    ]


def _beside(one: Inspected) -> Iterator[tuple[Sequence[SplitSurvey], Sequence[str]]]:
    """The files, a few side by side, with their short names."""
    names = short_names(one.found)
    for at in range(0, len(one.found), BESIDE):
        yield one.found[at : at + BESIDE], names[at : at + BESIDE]
