"""HTTP/1.1 as uvicorn speaks it by httptools, with bounds on what comes before a request can be looked at."""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HEAD_BYTES = 32 << 10
"""Of the first line and the headers of a request, about: what has come when they are not yet whole."""

HEAD_SECONDS = 20.0
"""In which they must be whole, from the first byte on or, of a new connection, from its beginning."""


class BoundedProtocol(HttpToolsProtocol):
    """A connection whose requests begin within bounds: one that sends nothing, or headers without end, is closed."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._in_head, self._head = True, 0
        self._number, self._behind, self._body = 0, 0, 0
        self._due: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        """A client has come."""
        super().connection_made(transport)
        self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """It has left."""
        self._head_came()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Bytes of it."""
        number = 0 if self._in_head else self._number
        super().data_received(data)
        if number == self._number and not self._in_head:  # all of it is of the body of one request
            self._behind += len(data)
            # Chunks of one byte take six; what is more is trailers, which are in no one's interest.
            if self._behind > HEAD_BYTES + 8 * self._body:
                self.transport.close()
        if self._in_head and not self.transport.is_closing():
            self._head += len(data)
            if self._head > HEAD_BYTES:
                self.send_400_response("The headers are too long.")

    def on_message_begin(self) -> None:
        """The first byte of a request."""
        super().on_message_begin()
        self._in_head, self._head = True, 0
        self._number, self._behind, self._body = self._number + 1, 0, 0
        self._await_head()

    def on_headers_complete(self) -> None:
        """Its headers are whole."""
        self._in_head = False
        self._head_came()
        super().on_headers_complete()

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header; a trailer, behind a body in chunks, is passed over."""
        if self._in_head:
            super().on_header(name, value)

    def on_body(self, body: bytes) -> None:
        """A part of its body."""
        self._body += len(body)
        super().on_body(body)

    def on_message_complete(self) -> None:
        """Its body is whole."""
        super().on_message_complete()
        self._number += 1  # what comes now is of no body

    def _await_head(self) -> None:
        self._head_came()
        self._due = self.loop.call_later(HEAD_SECONDS, self.transport.close)

    def _head_came(self) -> None:
        if self._due is not None:
            self._due.cancel()
            self._due = None
