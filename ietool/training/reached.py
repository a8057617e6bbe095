"""What a training has reached: the rows of its table, and what a checkpoint says of it."""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict, dataclass, field
from pathlib import Path

from ietool.errors import UserError, cause
from ietool.files.outputs import atomic_text
from ietool.files.plain_json import dump_json

PROGRESS_FILE = "progress.json"
"""Of a checkpoint; written last."""


@dataclass
class EpochRow:
    """One row of the training table."""

    stage: int
    epoch: int
    loss: float
    learning_rate: float
    raw: dict[str, float] | None
    ema: dict[str, float] | None
    sentences_per_second: float
    seconds: float
    best: bool
    note: str = ""


@dataclass
class TrainState:
    """What a training has reached; saved with each checkpoint, since all that is printed must survive a resume.

    ``stopped`` says that the stage has ended early, ``metric`` by which variant the scores are; ``losses`` are
    the sums of the last ``steps`` losses, those of an epoch that is not over, one a process.
    """

    rows: list[EpochRow] = field(default_factory=list)
    best: float = -1.0
    stage: int = 1
    stopped: bool = False
    metric: str = ""
    losses: list[float] = field(default_factory=list)
    steps: int = 0

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> TrainState:
        data = json.loads(text)
        losses = data.get("losses", [])
        if isinstance(losses, int | float):  # of a version that wrote their mean
            losses = [losses]
        return cls(**(data | {"rows": [EpochRow(**row) for row in data["rows"]], "losses": losses}))


def last_checkpoint(folder: Path) -> Path | None:
    """The newest complete checkpoint: one whose progress file, written last, is there."""
    if not folder.is_dir():
        return None
    complete = [p for p in folder.glob("checkpoint-*") if (p / PROGRESS_FILE).is_file()]
    return max(complete, key=lambda p: int(p.name.rsplit("-", 1)[1]), default=None)


def read_progress(checkpoint: Path) -> TrainState:
    """The state saved in a checkpoint. Raises UserError if it is damaged."""
    path = checkpoint / PROGRESS_FILE
    try:
        return TrainState.from_json(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        mend = "delete the folder that it lies in, and go on with --resume from the checkpoint before"
        raise UserError(f"is damaged ({cause(error)})", file=path, mend=mend) from None


def write_rows(run: Path, rows: list[EpochRow]) -> None:
    """``metrics.jsonl``: a row an epoch."""
    with atomic_text(run / "metrics.jsonl") as out:
        out.writelines(dump_json(asdict(row)) + "\n" for row in rows)


def clear_parts(run: Path) -> None:
    """Take away what a training that stopped has half written into its run: on a full disk it stands in the way."""
    for checkpoint in run.glob("checkpoints/stage-*/checkpoint-*"):
        if not (checkpoint / PROGRESS_FILE).is_file():
            shutil.rmtree(checkpoint, ignore_errors=True)
    for part in (*run.glob(".*.part"), *run.glob("checkpoints/stage-*/begin.part")):
        if part.is_dir():
            shutil.rmtree(part, ignore_errors=True)
        else:
            part.unlink(missing_ok=True)
