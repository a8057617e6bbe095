"""The command line, put together in one place, and what becomes of errors."""

from __future__ import annotations

import contextlib
import errno
import functools
import os
import sys
import traceback
from collections.abc import Sequence
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

import ietool
from ietool.cli import (
    clean,
    compare,
    compete,
    demo,
    distil,
    ensemble,
    env,
    inspect,
    kb,
    predict,
    prepare,
    push,
    recipes,
    report,
    runs,
    score,
    serve,
    submit,
    train,
    tune,
)
from ietool.cli.common import examples, say
from ietool.cli.streams import enduring, open_closed, silence
from ietool.errors import UserError
from ietool.files.full_disk import why_unwritten


class _Guarded(TyperGroup):
    """Turns what a verb raises into the exit codes 2, 130 and 1; usage errors go on to :func:`run`."""

    def invoke(self, ctx: Any) -> Any:
        if _is_folder_gone():  # libraries would say so in ways of their own, or end the process
            say(f"error: {_GONE}")
            raise typer.Exit(2)
        given = list(ctx.args)
        try:
            return super().invoke(ctx)
        except UserError as error:
            say(f"error: {self._advised(error, str(ctx.invoked_subcommand), given)}")
            raise typer.Exit(2) from None
        except KeyboardInterrupt:
            say("\ninterrupted: files that were finished before are untouched")
            raise typer.Exit(130) from None
        except BrokenPipeError:
            silence(sys.stdout)  # the reader has seen enough, as in `ietool recipes | head -1`
            raise typer.Exit(0) from None
        except Exception as error:
            if _is_of_typer(error):
                raise
            if (code := _say_of_machine(error)) is not None:
                raise typer.Exit(code) from None
            traceback.print_exc()
            say("This is a bug in ietool. Please report it with the lines above and the output of: ietool env")
            raise typer.Exit(1) from None

    def _advised(self, error: UserError, verb: str, given: Sequence[str]) -> UserError:
        """Readers do not know which verb calls them: where bad records cannot be left out, or were to be and this one
        could not, that is no advice."""
        if not error.mend or _SKIP not in error.mend or "prepare" in error.mend:
            return error
        own = (
            {name for option in self.commands[verb].params for name in option.opts} if verb in self.commands else set()
        )
        if _SKIP in own and _SKIP not in given:
            return error
        from ietool.files.records import unskippable

        return unskippable(error)


# Typer draws its help with Rich only at the price of a slow start, which no one wants to pay for a plain list.
app = typer.Typer(
    name="ietool",
    cls=_Guarded,
    help="Chinese information extraction competitions: prepare, train, predict, score.",
    epilog=examples("ietool demo", "ietool train --recipe ske --data DIR"),
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"ietool {ietool.__version__}")
        raise typer.Exit


@app.callback()
def _top(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and leave.")
    ] = False,
) -> None:
    pass


for _verb in (
    prepare, train, predict, score, compare, tune, ensemble, clean, distil, submit, compete, inspect, report, serve,
    recipes, runs, push, kb, env, demo,
):  # fmt: skip
    _verb.register(app)


def run(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; gives the exit code. A usage error becomes one line on standard error.

    Messages that nobody reads any more end nothing; results that nobody reads end a listing, but no training.
    """
    open_closed()
    with enduring("stderr"):
        return _run(arguments)


@functools.cache
def _command() -> Any:
    """The verbs with all their options: a tenth of a second to build, which those who call us often pay once."""
    return typer.main.get_command(app)


def _run(arguments: Sequence[str] | None) -> int:
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(AttributeError, ValueError):
            # A terminal that cannot show a character gets an escape for it, never a crash.
            stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    # Libraries draw bars of their own, which a log file would fill with control codes.
    for variable in ("HF_DATASETS_DISABLE_PROGRESS_BARS", "HF_HUB_DISABLE_PROGRESS_BARS"):
        os.environ.setdefault(variable, "1")
    try:
        code = _command().main(list(sys.argv[1:] if arguments is None else arguments), "ietool", standalone_mode=False)
        sys.stdout.flush()
    except BrokenPipeError:
        silence(sys.stdout)
        return 0
    except SystemExit as end:  # how click ends when the reader of --help has left
        if not isinstance(end.__context__, BrokenPipeError):
            raise
        silence(sys.stdout)
        return 0
    except KeyboardInterrupt:
        say("\ninterrupted: nothing was begun")
        return 130
    except Exception as error:
        if (code := _say_of_machine(error)) is not None:
            return code
        if not _is_of_typer(error):
            raise
        return _usage_error(error)
    return code if isinstance(code, int) else 0


def _is_of_typer(error: Exception) -> bool:
    """Exit, Abort or a usage error: Typer's own in new versions, click's in older ones."""
    return isinstance(error, typer.Exit | typer.Abort) or hasattr(error, "format_message")


def _say_of_machine(error: Exception) -> int | None:
    """Tell in one line of what the machine or the input, and not the program, is the cause; gives the exit code."""
    if why := why_unwritten(error):
        return _say_full(error, why)
    from ietool.environment import is_out_of_memory  # which asks for versions of libraries, and so costs time

    if isinstance(error, RuntimeError | MemoryError) and is_out_of_memory(error):
        said = "there is not enough memory → make batches or the model smaller, or use another machine"
    elif isinstance(error, RecursionError) and _is_of_parser(error):
        said = "the input is nested too deeply → mend it"
    elif isinstance(error, OSError) and error.errno is not None:
        if _is_folder_gone():
            said = _GONE
        elif error.filename:
            mend = "choose a shorter name" if error.errno == errno.ENAMETOOLONG else "check the path"
            said = f"{' '.join(str(error.filename).split())}: {error.strerror} → {mend}"
        else:
            return None
    else:
        return None
    say(f"error: {said}")
    return 2


_SKIP = "--skip-bad"
_GONE = "the working folder is gone → change to another folder"


def _is_folder_gone() -> bool:
    try:
        os.getcwd()
    except OSError:
        return True
    return False


def _is_of_parser(error: Exception) -> bool:
    """Whether an error was raised while a file was taken apart."""
    modules = (str(frame.f_globals.get("__name__")) for frame, _ in traceback.walk_tb(error.__traceback__))
    return any(module.partition(".")[0] in ("json", "yaml") for module in modules)


def _say_full(error: Exception, why: str) -> int:
    """A full or read-only disk, met outside the places that name their file; gives the exit code."""
    where = getattr(error, "filename", None) or "standard output, or a file being written"
    say(f"error: {where}: could not be written ({why}) → free some space or choose another place")
    silence(sys.stdout)  # what is left in its buffer would fail once more at exit
    return 2


def _usage_error(error: Any) -> int:
    if not hasattr(error, "format_message"):  # Abort
        say("aborted")
        return 1
    message = " ".join(str(error.format_message()).split())
    context = getattr(error, "ctx", None)
    if context is not None and type(error).__name__ == "NoArgsIsHelpError":
        say(context.get_help())
        return 2
    path = context.command_path if context is not None else "ietool"
    mend = _as_setting(error, context) or f"see `{path} --help`"
    say(f"error: {message.rstrip('.')} → {mend}")
    return int(getattr(error, "exit_code", 2))


def _as_setting(error: Any, context: Any) -> str | None:
    """How to give a key of recipes that was given as an option (``--epochs 1``), where the verb takes settings."""
    option = getattr(error, "option_name", None)
    takes = {name for parameter in getattr(context and context.command, "params", ()) for name in parameter.opts}
    if type(error).__name__ != "NoSuchOption" or not isinstance(option, str) or "--set" not in takes:
        return None
    from ietool.recipe_keys import keys_like

    keys = keys_like(option.lstrip("-").partition("=")[0])
    if not keys:
        return None
    return f"it is a key of recipes: --set {keys[0]}=VALUE" + (f" (or {', '.join(keys[1:])})" if keys[1:] else "")


def main() -> None:
    """The console script."""
    sys.exit(run())
