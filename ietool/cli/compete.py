"""``ietool compete``."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ietool.cli.common import check_device, examples, interrupted, print_json, say
from ietool.cli.options import DeviceOption, JsonOption, SetOption, finite
from ietool.errors import UserError

if TYPE_CHECKING:
    from ietool.contest.compete.plan import Plan


def compete_cli(
    context: typer.Context,
    data: Annotated[Path | None, typer.Option("--data", metavar="DIR", help="Folder of competition files.")] = None,
    hours: Annotated[
        float | None,
        typer.Option("--hours", metavar="N", min=0.01, callback=finite, help="How long it may take, all in all."),
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="DIR", help="The folder for all that is made.")
    ] = None,
    recipe: Annotated[
        list[str] | None,
        typer.Option(
            "--recipe",
            "-r",
            metavar="NAME|FILE",
            help="May be repeated. Default: those of the task that need no encoder.",
        ),
    ] = None,
    overrides: SetOption = None,
    folds: Annotated[
        int | None, typer.Option("--folds", metavar="K", min=0, help="Folds of the first recipe. Default: what fits.")
    ] = None,
    device: DeviceOption = "auto",
    plan: Annotated[bool, typer.Option("--plan", help="Measure, print the plan, and do no more.")] = False,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with what was begun in --output.")] = False,
    json: JsonOption = False,
) -> None:
    """From the files of a competition to a submission.

    Looks at the files, measures this machine, makes a plan that fits into the hours, trains, puts models together,
    finds thresholds, predicts, checks and packs. It can be stopped at any moment, and goes on with --resume, also on
    another --device.
    """
    from ietool.cli.progress import progress_bars
    from ietool.contest.compete.competing import compete, plan_for
    from ietool.contest.compete.state import STATE

    if resume:
        given = {"--data": data, "--hours": hours, "--recipe": recipe, "--set": overrides, "--plan": plan}
        given["--folds"] = folds is not None
        refused = [option for option, value in given.items() if value]
        if refused:
            mend = f"leave out {' and '.join(refused)}"
            raise UserError("--resume goes on with the plan that was begun", mend=mend)
        if output is None:
            raise UserError("no folder is named", field="--output", mend="name the folder that was begun")
    elif data is None or hours is None:
        missing = "--data" if data is None else "--hours"
        raise UserError("is missing", field=missing, mend="ietool compete --data DIR --hours 8 --output mine")
    elif folds == 1:
        raise UserError("one fold leaves nothing to learn from", field="--folds", mend="name 2 or more, or 0 for none")
    elif output is None and not plan:
        raise UserError("is missing", field="--output", mend="name a folder for all that is made")
    check_device(device)
    try:
        with progress_bars() as progress:
            if plan:
                assert data is not None and hours is not None
                made = plan_for(
                    data, hours, recipes=recipe or (), settings=overrides or (), folds=folds, device=device,
                    progress=progress,
                )  # fmt: skip
                if json:
                    print_json(made.record())
                else:
                    _show(made)
                return
            assert output is not None
            done = compete(
                data,
                output,
                hours=hours or 0.0,
                recipes=recipe or (),
                settings=overrides or (),
                folds=folds,
                device=None if resume and not _is_given(context, "device") else device,
                resume=resume,
                on_plan=(lambda plan: None) if json else _show,
                on_note=lambda note: say(f"note: {note}"),
                progress=progress,
            )
    except KeyboardInterrupt:
        going = output is not None and (output / STATE).is_file()
        again = (
            f"go on with: ietool compete --resume --output {shlex.quote(str(output))}" if going else "nothing was begun"
        )
        raise interrupted(lambda: again) from None
    if json:
        print_json({"folder": done.folder, "run": done.run, "result": done.result, "submission": done.submission})
    say(f"predictions: {done.result}")
    if done.submission is not None:
        say(f"submission: {done.submission}")
    say(f"what was done, and what it gained: {done.folder / 'README.md'}")


def _is_given(context: typer.Context, option: str) -> bool:
    """Whether the command line names an option, be it with its default."""
    source = context.get_parameter_source(option)
    return source is not None and source.name == "COMMANDLINE"


def _show(plan: Plan) -> None:
    from ietool.contest.compete.account import shown
    from ietool.report.render import console, render
    from ietool.tables import Table

    title = f"Plan: {plan.seconds / 3600:.2f} of {plan.hours:g} hours are trainings"
    columns = ("member", "epochs", "folds", "minutes", "settings")
    render(Table(title, columns, shown(plan), "; ".join(plan.notes)), console())


def register(app: typer.Typer) -> None:
    """Add the verb to the command line."""
    app.command(
        "compete",
        epilog=examples(
            "ietool compete --data DIR --hours 8 --output mine",
            "ietool compete --data DIR --hours 8 --plan",
            "ietool compete --resume --output mine",
        ),
    )(compete_cli)
