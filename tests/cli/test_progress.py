"""Progress off a terminal, and the table of epochs."""

from __future__ import annotations

import io
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from ietool.cli.epochs import EpochTable, of_best, sparkline
from ietool.cli.progress import progress_bars
from ietool.progress import TRAINING
from ietool.workflow.prepare import prepare
from ietool.workflow.train import train
from tests.tasks.ner import made as ner


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(time, "monotonic", made)
    return made


def test_quick_steps_say_nothing(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    with progress_bars() as progress:
        for done in range(101):
            clock.now += 0.01
            progress("read", done, 100)
    assert capsys.readouterr() == ("", "")


def test_long_steps_say_at_most_a_line_a_minute(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    with progress_bars() as progress:
        for step in ("read", "features"):
            for done in range(0, 1001, 10):
                progress(step, done, 1000)
                clock.now += 0.9
    said = capsys.readouterr()
    assert said.out == ""
    lines = said.err.splitlines()
    assert len(lines) == 3  # of three minutes
    assert lines[0].startswith("read: 30 of 1,000 (3%), 11/s, 1:27 left")
    assert [line.partition(":")[0] for line in lines] == ["read", "read", "features"]
    assert "\x1b" not in said.err


def test_unknown_totals_and_repeated_steps(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    with progress_bars() as progress:
        for _ in range(3):
            progress("predict", 0, None)
            clock.now += 40
            progress("predict", 1000, None)
    assert capsys.readouterr().err == "predict: 1,000, 25/s\n" * 2  # the second came too early


def test_how_long_a_training_takes_yet_is_told_from_a_hundred_steps_on(
    clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    with progress_bars() as progress:
        for step in range(1, 500):
            progress(TRAINING, step, 20_000)
            progress("epoch 1", step, 1000)
            clock.now += 0.5
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "training: 5 of 20,000 (0%), 2.0/s"  # the first steps are slow
    assert lines[1] == "training: 125 of 20,000 (1%), 2.0/s, 2:45:38 left"
    assert len(lines) == 5 and all(line.endswith(" left") for line in lines[1:])


def test_slow_steps_are_measured_by_the_clock(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    with progress_bars() as progress:
        for step in range(1, 12):
            progress(TRAINING, step, 50)
            clock.now += 10
    assert capsys.readouterr().err.splitlines() == [
        "training: 2 of 50 (4%), 0.1/s", "training: 8 of 50 (16%), 0.1/s, 7:00 left",
    ]  # fmt: skip


def test_a_training_tells_how_far_it_is_over_all_stages(tmp_path: Path) -> None:
    later = "training.later_stages=[{epochs: 1, learning_rate: 0.001}]"
    recipe = ner.small_recipe("ner-globalpointer", "training.epochs=2", "training.patience=0", later)
    ner.write_json(tmp_path / "train.json", ner.examples(32))
    ner.write_json(tmp_path / "dev.json", ner.examples(8, seed=2))
    prepared = prepare(recipe, data=tmp_path, output=tmp_path / "prepared").folder
    told: list[tuple[str, int, int | None]] = []
    rows: list[int] = []

    def progress(step: str, done: int, total: int | None) -> None:
        if step == TRAINING:
            told.append((f"after {len(rows)} epochs", done, total))

    train(recipe, prepared=prepared, output=tmp_path / "run", device="cpu", progress=progress,
          on_epoch=lambda row: rows.append(row.epoch))  # fmt: skip
    steps = 12  # three epochs of four batches, before the first of them has ended as well
    assert told[:-1] == [(f"after {n // 4} epochs", n + 1, steps) for n in range(steps)]
    assert told[-1][1:] == (1, 1)


@dataclass
class Row:
    stage: int = 1
    epoch: int = 1
    loss: float = 0.1234567
    learning_rate: float = 1e-3
    raw: dict[str, float] | None = None
    ema: dict[str, float] | None = None
    sentences_per_second: float = 1234.5
    seconds: float = 21.04
    best: bool = False
    note: str = ""


def rows_of(*rows: Row) -> list[str]:
    """The lines of a training's table."""
    lines: list[str] = []
    table = EpochTable(lambda text: lines.append(text.plain))
    for row in rows:
        table(row)  # type: ignore[arg-type]
    return lines


SILENT = {"precision": 0.0, "recall": 0.0, "f1": 0.0, "score": 0.0}
SCORES = {"precision": 0.66, "recall": 1.0, "f1": 0.58123, "score": 0.58123}


def test_epoch_table_grows_in_aligned_columns() -> None:
    said = "nothing above the thresholds; highest probability 0.31"
    lines = rows_of(Row(raw=SILENT, ema=SILENT, best=True, note=said), Row(epoch=12, raw=SCORES, ema=SCORES, best=True))
    assert len(lines) == 4  # heading, row, note, row
    assert said in lines[2]
    assert lines[3].split() == [
        *("12", "0.1235", "1.0e-03", ".6600", "1.000", ".5812", ".6600", "1.000", ".5812", "1,234", "21.0", "▁█", "*")
    ]
    assert lines[0].index("sent/s") + len("sent/s") == lines[3].index("1,234") + len("1,234")
    assert max(map(len, lines)) <= 80


def test_an_epoch_that_found_nothing_has_no_star() -> None:
    assert not rows_of(Row(raw=SILENT, best=True))[1].endswith("*")
    assert rows_of(Row(raw=SCORES, best=True))[1].endswith("*")


def test_epoch_table_leaves_out_weights_that_are_not_scored() -> None:
    lines = rows_of(Row(ema=SCORES), Row(epoch=2, ema=SCORES))
    assert lines[0].split() == ["epoch", "loss", "rate", "P", "R", "F1", "sent/s", "sec", "curve"]
    assert [line.split().count(".5812") for line in lines] == [0, 1, 1]


def test_the_curve_of_the_dev_score_grows_beside_the_epochs() -> None:
    scores = (0.1, 0.5, 0.3, 0.8, 0.8, 0.9, 0.9, 0.2)
    for weights, room in ((("ema",), 16), (("raw", "ema"), 6)):
        rows = [Row(epoch=n + 1, **dict.fromkeys(weights, SCORES | {"score": x})) for n, x in enumerate(scores)]  # type: ignore[arg-type]
        lines = rows_of(*rows)
        curves = [line.split()[-1] for line in lines[1:]]
        assert curves[:4] == ["▁", "▁█", "▁█▄", "▁▅▃█"]
        assert [len(curve) for curve in curves] == [min(n, room) for n in range(1, 9)]
        assert max(map(len, lines)) <= 79
        at = lines[0].index("curve")
        assert all(line[at:].startswith(curve) for line, curve in zip(lines[1:], curves, strict=True))


def test_curves() -> None:
    assert sparkline([0, 1, 2, 3, 4, 5, 6, 7]) == "▁▂▃▄▅▆▇█"
    assert sparkline([0.5, 0.5]) == "▁▁" and sparkline([]) == ""
    assert sparkline([float("nan"), 0.0, float("inf"), 1.0]) == "·▁·█" and sparkline([float("nan")]) == "·"


def test_a_terminal_that_shows_no_bars_gets_no_curve(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(io.BytesIO(), "ascii"))
    assert "curve" not in rows_of(Row(ema=SCORES))[0]


def test_a_later_stage_is_said() -> None:
    lines = rows_of(Row(raw=SCORES), Row(stage=2, raw=SCORES), Row(stage=2, epoch=2, raw=SCORES))
    assert [line for line in lines if line.startswith("stage")] == ["stage 2"]
    assert lines.index("stage 2") == 2


def test_the_best_score_is_said_in_rounded_numbers() -> None:
    best = {"score": 0.95071234, "metric": "seqeval", "stage": 1, "epoch": 4, "interval": [0.93512345, 0.9651]}
    assert of_best(best) == "0.9507 (seqeval), epoch 4, 95 % interval .935 – .965"
    assert of_best(best | {"stage": 2, "interval": None}) == "0.9507 (seqeval), stage 2, epoch 4"
    assert "nothing was found" in of_best(best | {"score": 0.0})
