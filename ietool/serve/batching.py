"""Requests of many clients in one queue, read in batches by the one thread that the models run in.

client ──submit──▶ queue ──up to a time window──▶ batch ──model──▶ each client's future
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import threading
import time
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from ietool.errors import UserError
from ietool.serve.limits import Limits, Refused

_CHARACTERS = 40_000
"""Of a batch of several requests: one of long texts must not keep many others waiting."""

_FEW = 16
"""Inputs that are read at once in any case."""

_LOG = logging.getLogger("ietool.serve")

TOGETHER = 8
"""A batch takes so many times the texts that the model reads at once, so that it can put those of like length
together."""

LOOK = 1.0
"""Seconds after which it is looked, again and again, whether a client that waits is still there."""

_LONGEST_WAIT = 60

Gone = Callable[[], Awaitable[bool]]


class Model(Protocol):
    """What answers."""

    @property
    def batch_size(self) -> int:
        """Texts that it reads at once."""
        ...

    def answer(self, items: Sequence[Any], *, keep: bool) -> Sequence[Any]:
        """What is said of each, beside it."""
        ...


@dataclass(eq=False)
class Job:
    """The inputs of one request.

    Attributes:
        keep: whether scores below the thresholds are wanted too.
        size: characters.
        future: takes what is said of each input.
        dropped: whether its client no longer waits.
    """

    model: Model
    items: Sequence[Any]
    keep: bool
    size: int
    future: asyncio.Future[Sequence[Any]]
    arrived: float = field(default_factory=time.monotonic)
    dropped: bool = False


def _refused(error: Exception) -> Refused:
    if isinstance(error, UserError):  # as where memory does not suffice
        return Refused(503, error.message, mend="send fewer or shorter texts", headers={"Retry-After": "1"})
    return Refused(500, "the model failed on this input; the server's log says why")


def _logged(error: BaseException) -> None:
    if isinstance(error, UserError):
        _LOG.error("error: %s", error)
    else:
        _LOG.error("the model failed", exc_info=error)


class Batcher:
    """The queue and its thread.

    Args:
        on_start: called in the thread before the first batch.
        on_error: told of what a model raised; default: its traceback is logged, by default on standard error.
    """

    def __init__(
        self,
        limits: Limits,
        on_start: Callable[[], None] = lambda: None,
        on_error: Callable[[BaseException], None] = _logged,
    ) -> None:
        self.limits = limits
        self.answered = 0
        """Inputs so far."""
        self._on_start, self._on_error = on_start, on_error
        self._queue: deque[Job] = deque()
        self._changed = threading.Condition()
        self._stopping = False
        self._waiting = self._characters = 0
        self._rate = 0.0
        self._thread: threading.Thread | None = None

    @property
    def waiting(self) -> int:
        """Inputs that wait for the model."""
        return self._waiting

    @property
    def alive(self) -> bool:
        """Whether there is a thread that answers."""
        return self._thread is not None and self._thread.is_alive()

    def start(self) -> None:
        """Begin to answer."""
        self._thread = threading.Thread(target=self._run, name="ietool-model", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Answer all that waits, and end."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
        if self._thread is not None:
            self._thread.join(self.limits.timeout)  # a model that is still busy then ends with the process

    async def ask(
        self, model: Model, items: Sequence[Any], *, keep: bool, size: int, gone: Gone | None = None
    ) -> Sequence[Any]:
        """What a model says of each input.

        Args:
            gone: tells whether the client has left; what it asked is then not read.

        Raises:
            Refused: the queue is full (429), the server stops or memory does not suffice (503), it took too long (504),
                the model failed (500).
        """
        job = Job(model, items, keep, size, asyncio.get_running_loop().create_future())
        self._submit(job)
        end = job.arrived + self.limits.timeout
        try:
            while not job.future.done():
                left = end - time.monotonic()
                if left <= 0:
                    message = f"was not answered within {self.limits.timeout:g} s"
                    raise Refused(504, message, mend="send fewer texts, or try again later")
                done, _ = await asyncio.wait((job.future,), timeout=min(left, LOOK))
                if not done and gone is not None and await gone():
                    raise Refused(499, "the client has left")
            return job.future.result()
        finally:
            job.dropped = True

    def _submit(self, job: Job) -> None:
        with self._changed:
            if self._stopping:
                raise Refused(503, "the server is stopping", headers={"Retry-After": "5"})
            beyond = self._waiting + len(job.items) > self.limits.waiting
            beyond = beyond or self._characters + job.size > self.limits.waiting_characters
            if beyond and self._waiting:  # what waits alone is within the limits of a request
                after = str(self._seconds())
                raise Refused(
                    429, "too many texts wait", mend=f"try again in {after} s", headers={"Retry-After": after}
                )
            self._queue.append(job)
            self._waiting += len(job.items)
            self._characters += job.size
            self._changed.notify_all()

    def _seconds(self) -> int:
        """In which what waits will have been answered."""
        return min(_LONGEST_WAIT, max(1, math.ceil(self._waiting / self._rate if self._rate else 1)))

    # -- in the thread of the models

    def _run(self) -> None:
        try:
            self._on_start()
        except Exception as error:  # it computes all the same
            self._say(error)
        while (jobs := self._next()) is not None:
            begin = time.monotonic()
            self._answer(jobs)
            texts = sum(len(job.items) for job in jobs)
            now = texts / max(time.monotonic() - begin, 1e-6)
            self._rate = now if not self._rate else 0.8 * self._rate + 0.2 * now

    def _next(self) -> list[Job] | None:
        """The jobs of the next batch, which are of one model and kind; None: there will be none."""
        with self._changed:
            while True:
                self._forget()
                while not self._queue and not self._stopping:
                    self._changed.wait()
                if not self._queue:
                    return None
                first = self._queue[0]
                most = TOGETHER * first.model.batch_size
                until = first.arrived + self.limits.window
                while self._alike(first) < most and not self._stopping and (left := until - time.monotonic()) > 0:
                    self._changed.wait(left)
                # Half of what waits: while the model reads it, the other half's clients are answered and ask anew.
                if jobs := self._taken(first, min(most, max(_FEW, -(-self._alike(first) // 2)))):
                    return jobs

    def _forget(self) -> None:
        """Let go of those whose clients no longer wait."""
        gone = [job for job in self._queue if job.dropped]
        if gone:
            self._queue = deque(job for job in self._queue if not job.dropped)
            self._count_out(gone)

    def _alike(self, first: Job) -> int:
        return sum(len(job.items) for job in self._queue if job.model is first.model and job.keep == first.keep)

    def _taken(self, first: Job, most: int) -> list[Job]:
        taken: list[Job] = []
        left: deque[Job] = deque()
        texts, characters, full = 0, 0, False
        for job in self._queue:
            alike = job.model is first.model and job.keep == first.keep
            if alike and taken:  # none overtakes one of its kind
                full = full or texts + len(job.items) > most or characters + job.size > _CHARACTERS
            if alike and not full:
                taken.append(job)
                texts += len(job.items)
                characters += job.size
            else:
                left.append(job)
        self._queue = left
        self._count_out(taken)
        return [job for job in taken if not job.dropped]

    def _count_out(self, jobs: Iterable[Job]) -> None:
        for job in jobs:
            self._waiting -= len(job.items)
            self._characters -= job.size

    def _answer(self, jobs: Sequence[Job]) -> None:
        model, keep = jobs[0].model, jobs[0].keep
        try:
            said = model.answer([item for job in jobs for item in job.items], keep=keep)
        except Exception as error:
            if len(jobs) > 1:  # one client's text must not cost the others their answers
                for job in jobs:
                    self._answer([job])
                return
            self._tell(jobs, (), _refused(error))
            self._say(error)
            return
        self.answered += len(said)
        self._tell(jobs, said)

    def _say(self, error: BaseException) -> None:
        """Where nobody reads the log any more, the others are answered all the same."""
        with contextlib.suppress(Exception):
            self._on_error(error)

    def _tell(self, jobs: Sequence[Job], said: Sequence[Any], refused: Refused | None = None) -> None:
        """Give each client its own, or tell it why there is none."""

        def settle() -> None:
            at = 0
            for job in jobs:
                mine = said[at : at + len(job.items)]
                at += len(job.items)
                if job.dropped or job.future.done():
                    continue
                if refused is None:
                    job.future.set_result(mine)
                else:
                    job.future.set_exception(refused)

        loop = jobs[0].future.get_loop()
        if not loop.is_closed():
            loop.call_soon_threadsafe(settle)
