"""Who may ask: names of this server, pages of its own, holders of the token; and how large a request may be."""

from __future__ import annotations

import ipaddress
import json
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import urlsplit

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ietool.serve.limits import Refused

OPEN = frozenset(("/", "/health", "/openapi.json"))
"""What is answered without a token: nothing of a run is told there."""

HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"cache-control", b"no-store"),
)
"""Of every answer. There are none of CORS: pages of other origins get nothing to read."""

_OTHERS = ("cross-site", "same-site")


@dataclass(frozen=True)
class Hosts:
    """Which names a request may call this server by.

    A page of a stranger's domain that is made to point here (DNS rebinding) sends the name of that domain: a server on
    a loopback address knows loopback names alone, others any number and the names given.

    Attributes:
        loopback: whether the server listens on a loopback address alone.
        names: further names, in small letters.
    """

    loopback: bool = True
    names: frozenset[str] = frozenset()

    def knows(self, header: str) -> bool:
        """Whether a ``Host`` header may be answered."""
        try:
            name = (urlsplit(f"//{header}").hostname or "").rstrip(".")
        except ValueError:
            return False
        if name in self.names or name == "localhost":
            return True
        try:
            address = ipaddress.ip_address(name)
        except ValueError:
            return False
        return address.is_loopback or not self.loopback


@lru_cache(maxsize=256)
def _knows(hosts: Hosts, header: str) -> bool:
    return hosts.knows(header)


class Guard:
    """Stands before the application, and refuses what must not reach it.

    Args:
        token: what ``Authorization: Bearer …`` must have; None: nothing.
        body: bytes of a request at most.
    """

    def __init__(self, app: ASGIApp, hosts: Hosts, token: str | None, body: int) -> None:
        self._app, self._hosts, self._body = app, hosts, body
        self._token = None if token is None else token.encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """As ASGI has it."""
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self._app(scope, receive, send)
            return

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": [*message.get("headers", ()), *HEADERS]}
            await send(message)

        try:
            self._check(scope)
        except Refused as refused:
            await answer_refused(refused, send_guarded)
            return
        await self._app(scope, receive, send_guarded)

    def _check(self, scope: Scope) -> None:
        given = _headers(scope)
        hosts = given.get("host", ())
        if len(hosts) != 1 or not _knows(self._hosts, hosts[0]):
            mend = "call it by its address, or name the host with --allow-host when it is started"
            raise Refused(421, "this server does not answer to that host name", mend=mend)
        self._check_origin(given, hosts[0])
        if self._token is not None and scope["path"] not in OPEN:
            self._check_token(given)
        for length in given.get("content-length", ()):
            if not length.isdigit() or len(length) > 15 or int(length) > self._body:
                raise too_large(self._body)

    def _check_origin(self, given: Mapping[str, Sequence[str]], host: str) -> None:
        """Pages of other origins may not even ask: what they send would be computed though they cannot read it."""
        foreign = any(site in _OTHERS for site in given.get("sec-fetch-site", ()))
        navigates = given.get("sec-fetch-mode", [""])[0] == "navigate"  # a link on another page to this one
        origins = given.get("origin", ())
        if (foreign and not navigates) or any(urlsplit_host(origin) != host for origin in origins):
            raise Refused(403, "a page of another origin may not ask here")

    def _check_token(self, given: Mapping[str, Sequence[str]]) -> None:
        assert self._token is not None
        values = given.get("authorization", ())
        kind, _, word = values[0].partition(" ") if len(values) == 1 else ("", "", "")
        sent = word.strip().encode("utf-8", "surrogateescape")
        if not secrets.compare_digest(sent, self._token) or kind.lower() != "bearer":
            headers = {"WWW-Authenticate": "Bearer"}
            raise Refused(
                401, "the token is missing or wrong", mend="send Authorization: Bearer TOKEN", headers=headers
            )


def urlsplit_host(origin: str) -> str | None:
    """Host and port of an origin, as a ``Host`` header has them; None of one that is none (``null``)."""
    try:
        return urlsplit(origin).netloc or None
    except ValueError:
        return None


def _headers(scope: Scope) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name, value in scope["headers"]:
        found.setdefault(name.decode("latin-1").lower(), []).append(value.decode("latin-1"))
    return found


def too_large(most: int) -> Refused:
    """413 for a body."""
    return Refused(413, f"the body is larger than {most:,} bytes", mend="send several requests")


async def answer_refused(refused: Refused, send: Send) -> None:
    """Answer with what is wrong. The connection stays: what is left of the body is read and thrown away, where closing
    would reset it, and the client would never see the answer."""
    body = json.dumps(refused.value(), ensure_ascii=False).encode()
    headers = {"content-type": "application/json", "content-length": str(len(body))}
    headers |= {key.lower(): value for key, value in refused.headers.items()}
    raw = [(key.encode("latin-1"), value.encode("latin-1")) for key, value in headers.items()]
    await send({"type": "http.response.start", "status": refused.status, "headers": raw})
    await send({"type": "http.response.body", "body": body})
