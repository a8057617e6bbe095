"""What is told of a folder, as one page."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from markupsafe import Markup

from ietool.inspect.characters import WHY, name_of
from ietool.inspect.drawing import passages, said, stretches
from ietool.inspect.inspecting import Folder, Inspected
from ietool.inspect.tables import (
    balance_tables,
    character_table,
    count_tables,
    files_table,
    names_table,
    others_table,
    overlap_table,
    recipe_table,
    short_names,
)
from ietool.registry import get_task
from ietool.report.html.charts import bars, columns
from ietool.report.html.items import Chip, Item, item_list
from ietool.report.html.page import Section, page, table
from ietool.report.html.spans import Mark, shown
from ietool.tables import Cell, Table

BARS = 24
"""Labels in a chart; the table below has more."""

ROWS = 300
"""Rows of a table of labels in a page."""


def write_page(folder: Folder) -> str:
    """The page: a section a corpus, then the samples of all of them, and the files that were not looked into."""
    sections = [_section(number, one) for number, one in enumerate(folder.corpora, 1)]
    items = list(_items(folder))
    if items:
        note = "Drawn by chance, and some of each label. Gold is above the line; a name is marked at one of its places."
        sections.append(Section("samples", "Samples", item_list(items), note))
    others = others_table(folder, most=ROWS)
    if others is not None:
        sections.append(Section("others", "Not looked into", table(_untitled(others))))
    count = len(folder.corpora)
    lead = f"{count} {'corpus' if count == 1 else 'corpora'} in {folder.place}"
    return page(f"What is in {folder.place.name or folder.place}", sections, lead=lead)


def _untitled(one: Table) -> Table:
    return Table("", one.columns, one.rows, one.note)


def _section(number: int, one: Inspected) -> Section:
    task = get_task(one.corpus.task)
    title = task.title if one.competition is None else f"{task.title}: {one.competition.title}"
    parts = [_list(one.notes), table(files_table(one)), _bad(one), *map(table, count_tables(one))]
    parts += _charts(number, one)
    parts += [table(each, most=ROWS) for each in balance_tables(one, most=ROWS)]
    for each in (overlap_table(one), names_table(one), character_table(one)):
        parts.append(table(each) if each is not None else Markup(""))
    parts += [_characters(one), table(recipe_table(one.fits))]
    return Section(f"corpus-{number}", title, Markup("").join(parts), f"{one.corpus.folder}: {one.why}.")


def _list(sentences: Sequence[str]) -> Markup:
    entries = Markup("").join(Markup("<li><bdi>{}</bdi></li>").format(shown(sentence)) for sentence in sentences)
    return Markup("<ul>{}</ul>").format(entries) if entries else Markup("")


def _bad(one: Inspected) -> Markup:
    rows = [[str(error)] for found in one.found for error in found.told]
    return table(Table("Records that cannot be read: the first", ("where and why",), rows)) if rows else Markup("")


def _charts(number: int, one: Inspected) -> Iterator[Markup]:
    found = next((s for s in one.found if s.records), None)
    if found is None:
        return
    what = get_task(one.corpus.task).words.labels
    shares = found.labels.most_common(BARS)
    total = max(found.labels.total(), 1)
    if shares:
        rows = [(label, count / total, f"{count:,}") for label, count in shares]
        caption = f"share of {what} of {found.split.name}"
        yield bars(rows, name=f"labels-{number}", most=None, caption=shown(caption))
    drawn = [columns(_buckets(found.lengths.counts), name=f"lengths-{number}", caption="characters", side="records")]
    if found.labelled:
        counted: Counter[int] = found.per_record
        many = [(str(n), float(counted[n])) for n in range(min(max(counted, default=0), 15) + 1)]
        caption = "items of gold in a record, up to 15"
        drawn.append(columns(many, name=f"items-{number}", caption=caption, side="records"))
    yield Markup('<div class="pair">{}</div>').format(Markup("").join(drawn))


def _buckets(counts: Counter[int], most: int = 24) -> list[tuple[str, float]]:
    """Lengths in steps of equal width up to the length that 99 % do not exceed; the rest is in the last."""
    total, seen, limit = counts.total(), 0, 1
    for length, count in sorted(counts.items()):
        seen += count
        limit = length
        if seen >= 0.99 * total:
            break
    step = max(1, -(-(limit + 1) // most))
    heights: Counter[int] = Counter()
    for length, count in counts.items():
        heights[min(length // step, limit // step)] += count
    return [(str(bucket * step), float(heights[bucket])) for bucket in range(limit // step + 1)]


def _characters(one: Inspected) -> Markup:
    """Which characters exactly, and what they do; which change under NFKC."""
    rows: list[list[Cell]] = []
    changing: Counter[str] = Counter()
    for kind, why in WHY.items():
        counts: Counter[str] = Counter()
        for found in one.found:
            if kind in found.characters.trouble:
                counts += found.characters.trouble[kind].characters
        rows += [[name_of(char), count, kind, why] for char, count in counts.most_common(20)]
    for found in one.found:
        changing += found.characters.changing
    parts = []
    if rows:
        parts.append(table(Table("Which characters", ("character", "times", "kind", "what it does"), rows)))
    changed: list[list[Cell]] = [[char, name_of(char), count] for char, count in changing.most_common(20)]
    if changed:
        parts.append(table(Table("Characters that NFKC changes", ("", "character", "times"), changed)))
    return Markup("").join(parts)


def _items(folder: Folder) -> Iterator[Item]:
    number = 0
    for one in folder.corpora:
        for found, name in zip(one.found, short_names(one.found), strict=True):
            for sample in found.samples:
                number += 1
                looked = sample.looked
                labels = list(dict.fromkeys(item.label for item in looked.gold))
                facets = {"corpus": [str(one.corpus.folder)], "file": [name], "label": labels or ["(none)"]}
                if looked.kind:
                    facets["kind"] = [looked.kind]
                chips = [Chip(said(item)) for item in looked.gold]
                chips += [Chip(passage, kind="passage") for passage in passages(looked)]
                marks = [Mark(s.label, s.start, s.end) for s in stretches(looked)]
                yield Item(number, looked.text, marks, (), (chips,), f"{sample.place} {looked.kind}".strip(), facets)
