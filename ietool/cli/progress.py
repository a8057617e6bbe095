"""Progress of long steps on standard error: Rich bars on a terminal, a plain line now and then elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.progress import Progress, TaskID

QUIET = 2.0
"""Seconds before a step shows at all: most are over by then."""

EVERY = 60.0
"""Seconds between two plain lines, of whatever steps: a log is read later, by people."""


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
            print(f"{step}: {self._words(state, done, total, now)}", file=sys.stderr, flush=True)
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
            state.task = self._bars.add_task(step, total=total, rate="")
        self._bars.update(state.task, completed=done, total=total, rate=_rate(state, done, now))

    def _remove(self, state: _Step) -> None:
        if self._bars is not None and state.task is not None:
            self._bars.remove_task(state.task)

    @staticmethod
    def _words(state: _Step, done: int, total: int | None, now: float) -> str:
        words = [f"{done:,}" if total is None else f"{done:,} of {total:,} ({done / max(total, 1):.0%})"]
        rate = _rate(state, done, now)
        if rate:
            words.append(rate)
        speed = _speed(state, done, now)
        if total is not None and speed and done < total:
            minutes, seconds = divmod(round((total - done) / speed), 60)
            words.append(f"{minutes}:{seconds:02d} left")
        return ", ".join(words)


def _speed(state: _Step, done: int, now: float) -> float:
    since, before = state.counted_from
    return (done - before) / (now - since) if now > since else 0.0


def _rate(state: _Step, done: int, now: float) -> str:
    speed = _speed(state, done, now)
    if not speed:
        return ""
    return f"{speed:,.0f}/s" if speed >= 10 else f"{speed:.1f}/s"


@contextmanager
def progress_bars() -> Iterator[Reporter]:
    """A reporter for the length of a command. Standard output is never touched by the bars."""
    from ietool.report.render import console

    if not sys.stderr.isatty():
        yield Reporter(None, console())
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    bars = Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=None),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}", markup=False),
        TimeRemainingColumn(),
        console=console(stderr=True),
        transient=True,
        # Redirecting would send results meant for a file or a pipe through the bars' console.
        redirect_stdout=False,
        redirect_stderr=True,
    )
    with bars:
        yield Reporter(bars, console())
