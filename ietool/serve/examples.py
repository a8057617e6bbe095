"""Some inputs of a run's task, for the page: of the dev set that it was trained with, else of the corpus that ships."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from ietool import paths
from ietool.core.contract import Task
from ietool.runs.info import RunInfo
from ietool.serve.asked import characters_of

SHOWN = 6
_LOOKED_AT = 60
_LONGEST = 4_000
"""Characters of an example."""


def examples_of(task: Task[Any], info: RunInfo) -> list[str | dict[str, Any]]:
    """What a client can send as it stands; a text or a record each."""
    for source in (_of_dev, _shipped):
        try:
            found = [task.told(example) for example in islice(source(task, info), _LOOKED_AT)]
        except Exception:  # examples are a courtesy: folders may be gone, or of another version
            continue
        fitting = [one for one in found if 0 < characters_of(one) <= _LONGEST]
        if fitting:
            return fitting[:: max(1, len(fitting) // SHOWN)][:SHOWN]
    return []


def _of_dev(task: Task[Any], info: RunInfo) -> Iterator[Any]:
    if info.prepared and Path(info.prepared).is_dir():
        yield from task.gold(Path(info.prepared), "dev", _LOOKED_AT)


def _shipped(task: Task[Any], info: RunInfo) -> Iterator[Any]:
    sources = task.locate(paths.shipped_data(task.name), needed=("dev",))
    yield from task.open_inputs(str(sources.files["dev"]))
