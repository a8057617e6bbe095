"""``ietool inspect``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ietool.cli.common import check_device, examples, print_json, say
from ietool.cli.options import DeviceOption, JsonOption
from ietool.errors import UserError

if TYPE_CHECKING:
    from rich.console import Console

    from ietool.inspect.inspecting import Folder, Inspected


def inspect_cli(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder of competition files, or one file.")],
    html: Annotated[
        Path | None, typer.Option("--html", metavar="FILE", help="Write all of it as a page, with many samples.")
    ] = None,
    samples: Annotated[
        int, typer.Option("--samples", metavar="N", min=0, max=1000, help="Records of each file that are drawn.")
    ] = 3,
    seed: Annotated[int, typer.Option("--seed", metavar="N", help="Another one draws other samples.")] = 0,
    speed: Annotated[
        bool,
        typer.Option("--speed/--no-speed", help="Train some steps of each recipe, to tell how long an epoch takes."),
    ] = True,
    encoder: Annotated[
        str | None,
        typer.Option(
            "--encoder",
            metavar="FOLDER|ID",
            help="Measure the recipes that need a pretrained encoder too, with this one.",
        ),
    ] = None,
    device: DeviceOption = "auto",
    json: JsonOption = False,
) -> None:
    """Say what is in a folder of competition files.

    Which competition, how much, samples, what is wrong, what the recipes that fit take: from the files alone, each of
    which is read once.
    """
    from ietool.cli.progress import progress_bars
    from ietool.files.outputs import atomic_text, check_output
    from ietool.inspect.inspecting import inspect

    if encoder is not None and not speed:
        raise UserError("--no-speed measures nothing", field="--encoder", mend="leave one of the two out")
    check_device(device)
    if json and str(html) == "-":
        raise UserError("--json wants standard output too", field="--html", mend="name a file: --html page.html")
    if html is not None:
        inside = [folder] if folder.is_file() else folder.rglob("*")
        check_output(html, () if _is_page(html) else inside)
    with progress_bars() as progress:
        found = inspect(
            folder,
            drawn=samples if html is None else max(samples, 24),
            seed=seed,
            measured=speed,
            encoder=encoder,
            device=device,
            progress=progress,
        )
    if html is not None:
        from ietool.inspect.html import write_page

        with atomic_text(html) as out:
            out.write(write_page(found))
    if json:
        from ietool.inspect.record import record

        print_json(record(found))
    elif html is None or str(html) != "-":
        _show(found, samples)
    if html is not None and str(html) != "-":
        say(f"page: {html}")


def _is_page(path: Path) -> bool:
    """Whether what stands at a path is a page of an earlier call, and no file of a competition."""
    return path.suffix.lower() in (".html", ".htm")


def _show(found: Folder, samples: int) -> None:
    from ietool.inspect.tables import others_table
    from ietool.report.render import console, render

    out = console()
    for number, one in enumerate(found.corpora):
        if number:
            print(file=out.file)
        _show_corpus(one, samples, out)
    if not found.corpora:
        print(f"{found.place} holds no competition that is known", file=out.file)
    others = others_table(found)
    if others is not None:
        print(file=out.file)
        render(others, out)


def _show_corpus(one: Inspected, samples: int, out: Console) -> None:
    from ietool.inspect.drawing import lines
    from ietool.inspect.tables import tables_of
    from ietool.registry import get_task
    from ietool.report.render import render, say_at_words

    task = get_task(one.corpus.task)
    told = "" if one.competition is None else f": {one.competition.title} ({one.competition.name})"
    say_at_words(f"{one.corpus.folder}", out)
    say_at_words(f"{task.title}{told}", out)
    say_at_words(f"{one.why}", out)
    for table in tables_of(one):
        print(file=out.file)
        render(table, out)
    for found in one.found:
        if found.told:
            print(file=out.file)
            say_at_words(f"{found.split.path.name}: {found.bad:,} records cannot be read; the first:", out)
            for error in found.told:
                say_at_words(f"  {error}", out)
    if one.notes:
        print(file=out.file)
        for note in one.notes:
            say_at_words(f"note: {note}", out)
    for found in one.found:
        drawn = found.samples.drawn(samples)
        if drawn:
            print(file=out.file)
            say_at_words(f"Samples of {found.split.path.name}", out)
        for sample in drawn:
            for line in lines(sample):
                _draw(line, out)


def _draw(line: str, out: Console) -> None:
    """Print a line of a sample; on a terminal it goes on below itself, and what stands in brackets is bold."""
    from rich.padding import Padding
    from rich.text import Text

    from ietool.errors import visible

    shown = visible(line.lstrip(" "))
    indent = len(line) - len(line.lstrip(" "))
    if not out.is_terminal:
        print(" " * indent + shown, file=out.file)
        return
    text = Text(shown, overflow="fold")
    text.highlight_regex(r"\[[^\[\]]+\]", "bold")
    out.print(Padding(text, (0, 0, 0, indent)))


def register(app: typer.Typer) -> None:
    """Add the verb to the command line."""
    app.command(
        "inspect",
        epilog=examples(
            "ietool inspect DIR",
            "ietool inspect DIR --no-speed --html corpus.html",
        ),
    )(inspect_cli)
