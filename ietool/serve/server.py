"""From an application to a server on a socket, which ends cleanly: what was asked before SIGTERM is answered."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import uvicorn
from fastapi import FastAPI

from ietool.errors import UserError, cause
from ietool.serve.limits import Limits
from ietool.serve.protocol import BoundedProtocol

CONNECTIONS = 1024
"""At a time; others are told to come again (503)."""

SWITCH = 2e-4
"""Seconds after which a thread lets another one run. The one that talks to clients gives its turn away with each of
their messages, and would wait for it long while the model's thread computes."""

_IDLE = 30
"""Seconds that a connection without a request is held."""


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens.

    Raises:
        UserError: there is no such address here, or the port is taken.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        made = socket.socket(family, kind, protocol)
        try:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            made.bind(address)
            made.listen(256)
        except OSError:
            made.close()
            raise
    except (OSError, UnicodeError) as error:
        message = f"cannot listen on {host} port {port} ({cause(error)})"
        raise UserError(message, field="--port", mend="choose another --port or --host; 0 is any free port") from None
    return made


def is_loopback(host: str) -> bool:
    """Whether an address or name to listen on is reached from this machine alone."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def url_of(made: socket.socket) -> str:
    """Where a browser on this machine finds the page."""
    host, port = made.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


class _Server(uvicorn.Server):
    """Ends with the exit code 0 when it is told to end: uvicorn would raise the signal once more."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        wanted = (signal.SIGTERM, signal.SIGINT)
        before = {}
        with contextlib.suppress(ValueError):  # not in the main thread: who runs it there ends it otherwise
            before = {number: signal.signal(number, self.handle_exit) for number in wanted}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def serve(
    app: FastAPI, made: socket.socket, limits: Limits, on_server: Callable[[uvicorn.Server], None] = lambda server: None
) -> None:
    """Answer until SIGTERM or Ctrl-C; then no connection is accepted, and those that wait are answered.

    Args:
        on_server: given the server before it begins; its ``should_exit`` ends it.
    """
    config = uvicorn.Config(
        app,
        http=BoundedProtocol,
        ws="none",
        loop="asyncio",
        lifespan="on",
        log_level="warning",
        access_log=False,
        server_header=False,
        limit_concurrency=CONNECTIONS,
        timeout_keep_alive=_IDLE,
        timeout_graceful_shutdown=int(limits.timeout) + 1,
        proxy_headers=False,
    )
    server = _Server(config)
    on_server(server)
    before = sys.getswitchinterval()
    sys.setswitchinterval(SWITCH)
    try:
        asyncio.run(server.serve(sockets=[made]))
    finally:
        sys.setswitchinterval(before)
