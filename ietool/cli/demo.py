"""``ietool demo``."""

from __future__ import annotations

import shlex
from typing import Annotated

import typer

from ietool.cli.common import examples, say
from ietool.cli.options import DeviceOption, SetOption, complete_recipe


def demo_cli(
    recipe: Annotated[
        str, typer.Option("--recipe", "-r", metavar="NAME", help="A recipe's name.", autocompletion=complete_recipe)
    ] = "ske",
    overrides: SetOption = None,
    device: DeviceOption = "auto",
) -> None:
    """Run all four steps on the small corpus that ships.

    Prepares, trains, predicts and scores in a few minutes, and prints the tables. The run is kept under runs/demo.
    """
    from ietool import paths
    from ietool.cli.predict import predict_to
    from ietool.cli.score import show
    from ietool.cli.train import prepare_and_train
    from ietool.recipe_io import load_recipe
    from ietool.recipe_keys import keys_of
    from ietool.registry import get_task
    from ietool.workflow.score import score_files

    plain = load_recipe(recipe)
    task = get_task(plain.task)
    acting = set(keys_of(type(plain), plain.model_dump(mode="json")))
    settings = [setting for setting in task.demo if setting.partition("=")[0] in acting]
    loaded = load_recipe(recipe, [*settings, *(overrides or ())])
    corpus = paths.shipped_data(loaded.task)
    test = task.locate(corpus, needed=["test"]).files["test"]

    say("1/4 prepare, 2/4 train")
    outcome = prepare_and_train(loaded, data=corpus, files={}, output=None, device=device, demo=True)
    say("3/4 predict")
    ending = ".csv" if test.suffix == ".csv" else ".json"
    result = outcome.run / f"demo-result{ending}"
    predict_to(outcome.run, str(test), str(result), device=device, batch_size=None)
    say("4/4 score")
    show(score_files(loaded, test, result), f"Score of {result} against gold {test}")
    name = shlex.quote(str(outcome.run))
    if task.asks_text:
        text = next(iter(task.open_inputs(str(test)))).text
        say(f"next: ietool predict --run {name} --text {shlex.quote(text)}")
    else:
        say(f"next: ietool predict --run {name} {shlex.quote(str(test))} --output result{ending}")
    say(f"or train on your own files: ietool train --recipe {shlex.quote(recipe)} --data DIR")


def register(app: typer.Typer) -> None:
    """Add the verb to the command line."""
    app.command(
        "demo",
        epilog=examples(
            "ietool demo",
            "ietool demo --recipe el --device cpu",
        ),
    )(demo_cli)
