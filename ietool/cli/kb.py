"""``ietool kb``: what a knowledge base holds, and the candidates of a name."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ietool.cli.common import examples, print_json, say
from ietool.cli.options import JsonOption

if TYPE_CHECKING:
    from ietool.report.tables import Table
    from ietool.tasks.el.kb import KnowledgeBase
    from ietool.tasks.el.kb_lookup import Lookup

kb_app = typer.Typer(
    help="Look into a knowledge base: what it holds, candidates of a name.",
    epilog=examples("ietool kb stats kb_data", "ietool kb lookup prepared/el/FOLDER 胜利"),
    rich_markup_mode=None,
    no_args_is_help=True,
)

KBArgument = Annotated[
    Path,
    typer.Argument(metavar="KB", help="A prepared, run, data or compiled folder, or a kb_data file."),
]


@kb_app.command("stats", epilog=examples("ietool kb stats kb_data", "ietool kb stats runs/el/DATE-TIME --json"))
def stats_cli(kb: KBArgument, json: JsonOption = False) -> None:
    """What it holds, its size, seconds and memory to open."""
    from ietool.report.render import console, render

    opened, seconds = _open(kb)
    # What compiling needed is no measure of what opening needs.
    memory = None if opened.compiled_now else resident_memory()
    numbers = {
        "folder": str(opened.folder),
        **{key: value for key, value in vars(opened.info).items() if key not in ("checksums", "files", "types")},
        "types": opened.info.types,
        "files": opened.info.files,
        "bytes": opened.info.bytes,
        "seconds_to_open": None if opened.compiled_now else seconds,
        "resident_bytes": memory,
    }
    if json:
        print_json(numbers)
        return
    out = console()
    for table in stats_tables(opened, None if opened.compiled_now else seconds, memory):
        render(table, out)


@kb_app.command(
    "lookup",
    epilog=examples("ietool kb lookup kb_data 胜利", "ietool kb lookup runs/el/DATE-TIME 胜利 《胜利》 --json"),
)
def lookup_cli(
    kb: KBArgument,
    names: Annotated[list[str], typer.Argument(metavar="NAME...", help="Names to look up.")],
    limit: Annotated[int, typer.Option("--limit", min=1, metavar="N", help="Candidates to show of a name.")] = 20,
    json: JsonOption = False,
) -> None:
    """Candidates of names, with their priors and descriptions.

    Each with how often the annotators of the training texts linked the name to it, where they are known: in prepared
    folders and run folders. Of a name that is not there the nearest ones are told.
    """
    from ietool.report.render import console, render
    from ietool.tasks.el.kb_lookup import annotations_beside, look_up

    opened, _ = _open(kb)
    annotations = annotations_beside(opened)
    found = [look_up(opened, name, annotations) for name in names]
    for one in found:
        if not one.candidates:
            near = f"; the nearest: {', '.join(one.nearest)}" if one.nearest else ", nor one much like it"
            say(f"{one.name!r}: no such name in {kb}{near}")
    if json:
        print_json([candidate for one in found for candidate in one.candidates[:limit]])
        return
    out = console()
    for one in found:
        if one.candidates:
            render(lookup_table(one, limit), out)


def _open(path: Path) -> tuple[KnowledgeBase, float]:
    """The knowledge base, and the seconds that opening it took, without those of importing what opens it."""
    from ietool.cli.progress import progress_bars
    from ietool.tasks.el.kb import open_any

    with progress_bars() as progress:
        began = time.perf_counter()
        opened = open_any(path, progress=progress)
        seconds = time.perf_counter() - began
    if opened.compiled_now:
        say(f"compiled: {opened.folder}")
    return opened, seconds


def stats_tables(kb: KnowledgeBase, seconds: float | None, memory: int | None) -> list[Table]:
    """What a knowledge base holds, its most frequent types, and its files."""
    from ietool.report.tables import Table

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
    from ietool.report.tables import Table

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


def resident_memory() -> int:
    """Bytes of memory that this process holds now; where the system does not tell, the most it ever held."""
    try:
        with open("/proc/self/status", encoding="ascii", errors="replace") as lines:
            for line in lines:
                if line.startswith("VmRSS:"):
                    return int(line.split()[1]) * 1024
    except OSError:
        pass
    try:
        import resource
    except ImportError:  # Windows
        return 0
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def register(app: typer.Typer) -> None:
    """Add the verb to the command line."""
    app.add_typer(kb_app, name="kb")
