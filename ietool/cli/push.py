"""``ietool push``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ietool.cli.common import examples, print_json, say
from ietool.cli.options import JsonOption
from ietool.errors import visible


def push_cli(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="The folder of a trained run.")],
    repository: Annotated[str, typer.Argument(metavar="REPOSITORY", help="NAME or OWNER/NAME on the hub.")],
    public: Annotated[bool, typer.Option("--public", help="Make a new repository public; else it is private.")] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Write the card and tell what would go; send nothing.")
    ] = False,
    json: JsonOption = False,
) -> None:
    """Write a run's model card, and bring the run to a model hub.

    The card (README.md in the run) tells data, recipe, scores and use. Weights, vocabulary and index carry traces of
    the training data: mind its licence before you make them public.
    """
    from ietool.workflow.push import push

    outcome = push(run, repository, private=not public, dry=dry_run)
    for name in outcome.left_out:
        say(f"note: {name!r} stays here: it is no regular file of the model within the run")
    if json:
        print_json({"files": list(outcome.files), "bytes": outcome.size, "url": outcome.url})
        return
    for name in outcome.files:
        print(visible(name))
    verb = "would go" if outcome.url is None else "went"
    say(f"{len(outcome.files)} files, {outcome.size / 1e6:.1f} MB, {verb} to {outcome.url or repository}")


def register(app: typer.Typer) -> None:
    """Add the verb to the command line."""
    app.command(
        "push",
        epilog=examples(
            "ietool push runs/ske/best me/triples --dry-run",
            "ietool push runs/ske/best me/triples",
        ),
    )(push_cli)
