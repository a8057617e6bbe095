"""``ietool kb``: what a knowledge base holds, and the candidates of a name."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ietool.cli.common import examples, print_json, say
from ietool.cli.options import JsonOption

if TYPE_CHECKING:
    from ietool.tasks.el.kb.knowledge_base import KnowledgeBase

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
    from ietool.environment import resident_memory
    from ietool.report.render import console, render
    from ietool.tasks.el.lookup import stats_tables

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
    from ietool.tasks.el.lookup import annotations_beside, look_up, lookup_table

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
    from ietool.tasks.el.kb.knowledge_base import open_any

    with progress_bars() as progress:
        began = time.perf_counter()
        opened = open_any(path, progress=progress)
        seconds = time.perf_counter() - began
    if opened.compiled_now:
        say(f"compiled: {opened.folder}")
    return opened, seconds


def register(app: typer.Typer) -> None:
    """Add the verb to the command line."""
    app.add_typer(kb_app, name="kb")
