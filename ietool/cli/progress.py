"""Progress of long steps on standard error: Rich bars on a terminal, a plain line now and then elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ietool.progress import TRAINING

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.progress import Progress, TaskID

QUIET = 2.0
"""Seconds before a step shows at all: most are over by then."""

EVERY = 60.0
"""Seconds between two plain lines, of whatever steps: a log is read later, by people."""

SETTLED = 100, 60.0
"""Steps of a training, or seconds, after which its speed tells how long it takes yet: the first are slow."""


@dataclass
class _Step:
    began: float
    task: TaskID | None = None
    done: int = 0
    counted_from: tuple[float, int] = field(default=(0.0, 0))


class Reporter:
    """The callback ``progress(step, done, total)``, and printing of results that goes well with bars below it."""

    def __init__(self, bars: Progress | None, console: Console) -> None:
        self._bars = bars
        self._console = console
        self._steps: dict[str, _Step] = {}
        self._shown: float | None = None

    def __call__(self, step: str, done: int, total: int | None) -> None:
        now = time.monotonic()
        state = self._steps.get(step)
        if state is None or done < state.done:  # a step of the same name anew
            if state is not None:
                self._remove(state)
            # What is done at the first call was done before it (a resumed step), and is no measure of speed.
            state = self._steps[step] = _Step(began=now, counted_from=(now, done))
        state.done = done
        finished = total is not None and done >= total
        if self._bars is not None:
            self._draw(state, step, done, total, now)
        elif now - state.began >= QUIET and (self._shown is None or now - self._shown >= EVERY):
            self._shown = now
            print(f"{step}: {self._words(state, step, done, total, now)}", file=sys.stderr, flush=True)
        if finished:
            self._remove(state)
            del self._steps[step]

    def print(self, renderable: RenderableType) -> None:
        """Print a result on standard output, above the bars if it goes to the same terminal."""
        if self._bars is not None and sys.stdout.isatty():
            self._bars.console.print(renderable)
        else:
            self._console.print(renderable, soft_wrap=True)

    def _draw(self, state: _Step, step: str, done: int, total: int | None, now: float) -> None:
        assert self._bars is not None
        if state.task is None:
            if now - state.began < QUIET:
                return
            state.task = self._bars.add_task(step, total=total, rate="", left="")
        left = _left(state, step, done, total, now)
        self._bars.update(state.task, completed=done, total=total, rate=_rate(state, done, now), left=left)

    def _remove(self, state: _Step) -> None:
        if self._bars is not None and state.task is not None:
            self._bars.remove_task(state.task)

    @staticmethod
    def _words(state: _Step, step: str, done: int, total: int | None, now: float) -> str:
        words = [f"{done:,}" if total is None else f"{done:,} of {total:,} ({done / max(total, 1):.0%})"]
        rate = _rate(state, done, now)
        if rate:
            words.append(rate)
        if left := _left(state, step, done, total, now):
            words.append(left)
        return ", ".join(words)


def _speed(state: _Step, done: int, now: float) -> float:
    since, before = state.counted_from
    return (done - before) / (now - since) if now > since else 0.0


def _rate(state: _Step, done: int, now: float) -> str:
    speed = _speed(state, done, now)
    if not speed:
        return ""
    return f"{speed:,.0f}/s" if speed >= 10 else f"{speed:.1f}/s"


def _left(state: _Step, step: str, done: int, total: int | None, now: float) -> str:
    """How long a step takes yet, as ``1:27 left``; empty where that cannot be told. It follows from all that was done:
    a training stops at every epoch for its score."""
    since, before = state.counted_from
    speed = _speed(state, done, now)
    if total is None or not speed or done >= total:
        return ""
    if step == TRAINING and done - before < SETTLED[0] and now - since < SETTLED[1]:
        return ""
    minutes, seconds = divmod(round((total - done) / speed), 60)
    if minutes < 60:
        return f"{minutes}:{seconds:02d} left"
    return f"{minutes // 60}:{minutes % 60:02d}:{seconds:02d} left"


@contextmanager
def progress_bars() -> Iterator[Reporter]:
    """A reporter for the length of a command. Standard output is never touched by the bars."""
    from ietool.report.render import console

    if not sys.stderr.isatty():
        yield Reporter(None, console())
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    bars = Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=None),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}", markup=False),
        TextColumn("{task.fields[left]}", markup=False),
        console=console(stderr=True),
        transient=True,
        # Redirecting would send results meant for a file or a pipe through the bars' console.
        redirect_stdout=False,
        redirect_stderr=True,
    )
    with bars:
        yield Reporter(bars, console())
