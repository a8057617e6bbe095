"""``ietool recipes``: list, show, copy, validate."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated, Any

import typer

from ietool.cli.common import examples, print_json, say
from ietool.cli.options import JsonOption, RecipeArgument, TsvOption, one_form
from ietool.errors import UserError, told

recipes_app = typer.Typer(
    help="List, show, copy and validate recipes.",
    epilog=examples("ietool recipes", "ietool recipes copy ske my.yaml"),
    rich_markup_mode=None,
    invoke_without_command=True,
)


@recipes_app.callback()
def recipes_cli(context: typer.Context, json: JsonOption = False, tsv: TsvOption = False) -> None:
    """List the recipes that ship, or show, copy and validate one."""
    if context.invoked_subcommand is not None:
        return
    one_form(json=json, tsv=tsv)
    from ietool.recipe_io import list_recipes
    from ietool.report.render import console, render
    from ietool.tables import Table

    found = list_recipes()
    if json:
        print_json(
            [
                {
                    "name": info.name,
                    "task": info.task,
                    "title": info.title,
                    "model": info.model,
                    "best": info.best,
                    "path": info.path,
                    "header": info.header,
                }
                for info in found
            ]
        )
        return
    rows = []
    for info in found:
        best = f"{info.best.score:.4f} {info.best.metric}, {info.best.split}" if info.best else None
        rows.append((info.name, info.title, best))
    note = "ietool recipes show NAME prints one; recipes copy NAME FILE makes one of your own"
    render(Table("", ("name", "title", "best measured score"), rows, note), console(), tsv=tsv)


@recipes_app.command("show", epilog=examples("ietool recipes show ske", "ietool recipes show ske --all"))
def show_cli(
    name: RecipeArgument,
    everything: Annotated[
        bool, typer.Option("--all", help="The resolved recipe: every key that acts, with what it means.")
    ] = False,
    json: JsonOption = False,
) -> None:
    """Print a recipe's file; with --all or --json the resolved recipe."""
    from ietool.files import yaml_io
    from ietool.recipe_io import find_recipe, load_recipe
    from ietool.recipe_text import resolved

    if json:
        print_json(load_recipe(name))
        return
    if everything:
        print(resolved(load_recipe(name)), end="")
        return
    _, _, text = yaml_io.read(find_recipe(name))
    print(text, end="")


@recipes_app.command(
    "copy", epilog=examples("ietool recipes copy ske my.yaml", "ietool recipes copy ske my.yaml --force")
)
def copy_cli(
    name: RecipeArgument,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Where to copy it.")],
    force: Annotated[bool, typer.Option("--force", help="Replace FILE.")] = False,
) -> None:
    """Copy a recipe, to edit it and pass it as --recipe FILE."""
    from ietool.files import yaml_io
    from ietool.files.outputs import atomic_text, check_output
    from ietool.recipe_io import find_recipe

    if file.is_dir():
        raise UserError("is a folder", file=file, mend=f"name a file in it, for example {file / (name + '.yaml')}")
    if file.exists() and not force:
        raise UserError("exists already", file=file, mend="choose another name, or give --force")
    source = find_recipe(name)
    check_output(file, [source])
    text = yaml_io.read_text(source)
    with atomic_text(file) as out:
        out.write(text)
    say(f"copied: {file}; train it with: ietool train --recipe {_as_argument(file)}")


@recipes_app.command(
    "validate", epilog=examples("ietool recipes validate my.yaml", "ietool recipes validate ske --json")
)
def validate_cli(
    recipe: Annotated[str, typer.Argument(metavar="NAME|FILE", help="A recipe file, a recipe's name, or a run.")],
    json: JsonOption = False,
) -> None:
    """Check a recipe: what is wrong, in one line, or what differs."""
    from ietool.recipe_io import base_of, differences, validate

    loaded = validate(recipe)
    base = base_of(loaded)
    changed: dict[str, Any] = {} if base is None else differences(loaded, base)
    if json:
        print_json({"valid": True, "name": loaded.name, "task": loaded.task, "differences": changed})
        return
    print(told(f"{recipe}: a valid recipe for task {loaded.task}, named {loaded.name}"))
    for key, value in changed.items():
        print(told(f"  differs from the recipe that ships: {key} = {value}"))


def _as_argument(file: Path) -> str:
    # A bare name without ending would be looked up among the shipped recipes first.
    text = str(file)
    return shlex.quote(text if file.suffix in (".yaml", ".yml") or "/" in text else f"./{text}")


def register(app: typer.Typer) -> None:
    """Add the verb to the command line."""
    app.add_typer(recipes_app, name="recipes")
