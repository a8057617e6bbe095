"""How much a client may ask, and what a request is refused with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ietool.errors import UserError


@dataclass(frozen=True)
class Limits:
    """What one request, and all that wait together, may have.

    Attributes:
        texts: inputs of a request.
        characters: of an input, all its fields together.
        body: bytes of a request.
        waiting: inputs that wait for the model, of all clients.
        timeout: seconds after which a request is given up.
        window: seconds that a batch waits for more clients.
        kept: answers whose scores are kept for other thresholds.
        kept_bytes: of all of these together.
    """

    texts: int = 256
    characters: int = 20_000
    body: int = 4 << 20
    waiting: int = 2048
    timeout: float = 60.0
    window: float = 0.005
    kept: int = 256
    kept_bytes: int = 64 << 20

    @property
    def waiting_characters(self) -> int:
        """Characters that wait for the model at most: what a queue full of texts of a fifth of the longest has."""
        return max(self.characters, self.waiting * self.characters // 5)


@dataclass
class Refused(Exception):
    """A request that is not answered.

    Attributes:
        status: of HTTP.
        message: one sentence.
        where: the field that is wrong.
        mend: what the client can do.
        headers: of the answer.
    """

    status: int
    message: str
    where: str | None = None
    mend: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)

    def value(self) -> dict[str, str]:
        """The body of the answer."""
        told = {"error": self.message, "field": self.where, "mend": self.mend}
        return {key: value for key, value in told.items() if value}


def unusable(error: UserError, where: str = "") -> Refused:
    """422 for what a task says of an input; no path of this machine is told.

    Args:
        where: stands before the field.
    """
    at = ".".join(part for part in (where, error.field or "") if part)
    return Refused(422, error.message, at or None, error.mend)
