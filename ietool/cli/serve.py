"""``ietool serve``."""

from __future__ import annotations

import socket
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ietool.cli.common import check_device, examples, say
from ietool.cli.options import DeviceOption, SetOption
from ietool.errors import UserError

if TYPE_CHECKING:
    from ietool.serve.limits import Limits

_SHORTEST = 12
"""Characters of a token: what is shorter is guessed."""


def serve_cli(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN…", help="Run folders, ensembles too; the first answers "
                                               "where a request names none.")],
    host: Annotated[
        str, typer.Option("--host", metavar="ADDRESS", help="Where to listen; others than 127.0.0.1 want a --token.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", metavar="N", min=0, max=65535, help="0: any that is free.")] = 8000,
    token: Annotated[
        str | None,
        typer.Option(
            "--token", metavar="WORD", envvar="IETOOL_TOKEN", show_envvar=False,
            help="What clients must send as Authorization: Bearer WORD. Default: $IETOOL_TOKEN.",
        ),
    ] = None,
    allowed: Annotated[
        list[str] | None,
        typer.Option("--allow-host", metavar="NAME", help="A host name that it answers to besides; repeatable."),
    ] = None,
    texts: Annotated[
        int, typer.Option("--max-texts", metavar="N", min=1, max=100_000, help="Texts of a request.")
    ] = 256,
    characters: Annotated[
        int, typer.Option("--max-length", metavar="N", min=1, max=10_000_000, help="Characters of a text.")
    ] = 20_000,
    body: Annotated[
        int, typer.Option("--max-body", metavar="KB", min=1, max=1_000_000, help="Kilobytes of a request.")
    ] = 4096,
    waiting: Annotated[
        int, typer.Option("--max-waiting", metavar="N", min=1, max=1_000_000, help="Texts that wait, of all clients.")
    ] = 2048,
    timeout: Annotated[
        float, typer.Option("--timeout", metavar="SECONDS", min=0.01, max=3600, help="After which it gives up.")
    ] = 60.0,
    window: Annotated[
        float, typer.Option("--window", metavar="MS", min=0, max=1000, help="How long a batch waits for more clients.")
    ] = 5.0,
    overrides: SetOption = None,
    device: DeviceOption = "auto",
    batch_size: Annotated[
        int | None, typer.Option("--batch-size", metavar="N", min=1, help="Texts at a time. Default: the recipe's.")
    ] = None,
) -> None:  # fmt: skip
    """A page to try runs on, and an HTTP API, on this machine."""
    try:
        import fastapi  # noqa: F401
        import httptools  # noqa: F401
        import uvicorn  # noqa: F401
    except ImportError as error:
        mend = "install them: pip install 'ietool[serve]'"
        raise UserError(f"serve needs FastAPI, uvicorn and httptools ({error.name} is missing)", mend=mend) from None
    from ietool.serve.limits import Limits

    check_device(device)
    _check_token(host, token)
    limits = Limits(texts, characters, body << 10, waiting, timeout, window / 1000)
    start(
        runs,
        host,
        port,
        limits,
        token=token,
        allowed=allowed or (),
        overrides=overrides or (),
        device=device,
        batch_size=batch_size,
    )


def _check_token(host: str, token: str | None) -> None:
    from ietool.serve.server import is_loopback

    if token is not None and not (token.isascii() and token.isprintable() and " " not in token):
        raise UserError("has blanks or characters other than ASCII", field="--token", mend="use letters and digits")
    if token is not None and len(token) < _SHORTEST:
        mend = "take a longer one: python -c 'import secrets; print(secrets.token_urlsafe())'"
        raise UserError(f"has {len(token)} characters, {_SHORTEST} are the least", field="--token", mend=mend)
    if token is None and not is_loopback(host):
        mend = "give --token WORD, or set $IETOOL_TOKEN; or listen on 127.0.0.1"
        raise UserError("is seen by other machines, and there is no token", field="--host", mend=mend)


def start(
    folders: Sequence[Path],
    host: str,
    port: int,
    limits: Limits,
    *,
    token: str | None,
    allowed: Sequence[str],
    overrides: Sequence[str],
    device: str,
    batch_size: int | None,
) -> None:
    """Open the runs, listen, say where, and answer until it is ended."""
    from ietool.serve.app import create_app
    from ietool.serve.guard import Hosts
    from ietool.serve.served import open_all
    from ietool.serve.server import is_loopback, listen, serve, url_of

    made = listen(host, port)  # before the runs: what is wrong with it is told at once
    try:
        served = open_all(folders, device, batch_size, overrides)
        names = [name.lower().rstrip(".") for name in allowed]
        if not is_loopback(host):
            names += [host.lower(), socket.gethostname().lower()]
        app = create_app(served, limits, token=token, hosts=Hosts(is_loopback(host), frozenset(names)))
        for run in served:
            say(f"run: {run.name} ({run.about['recipe']}, {run.about['title']})")
            for note in run.loaded.notes:
                say(f"note: {note}")
        say(f"serving: {url_of(made)} (Ctrl-C ends it; API: /openapi.json)")
        if token is not None:
            say("token: the page asks for it, or takes it from an address that ends in #token=WORD")
        serve(app, made, limits)
    finally:
        made.close()
    say("stopped: what was asked before is answered")


def register(app: typer.Typer) -> None:
    """Add the verb to the command line."""
    app.command(
        "serve",
        epilog=examples(
            "ietool serve runs/mine runs/other",
            "ietool serve runs/mine --host 0.0.0.0 --token $(openssl rand -hex 16)",
        ),
    )(serve_cli)
