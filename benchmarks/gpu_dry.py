"""What ``gpu.py --dry`` works with: a piece of the corpus that ships, a tiny encoder, tiny models, a recorded run."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from gpu_steps import Day
from transformers.utils import logging

from tests.acting import acting
from tests.recorded import flows
from tests.recorded.settings import SETTINGS

RECIPES = ("ske", "ske-gplinker")
RECORDS = 40


def dry_day(work: Path) -> Day:
    """Make it, in a folder of the working folder, unless it is there."""
    logging.disable_progress_bar()
    folder = work / "dry"
    encoder = f"model.encoder={folder / 'encoder'}"
    if not folder.is_dir():
        flows.make_data("ske-gplinker", folder, RECORDS)
        flows.copy_run("ske", folder / "run")
    tiny = {}
    for name in RECIPES:
        asked = [encoder if setting == "model.encoder=encoder" else setting for setting in SETTINGS[name].small]
        tiny[name] = acting(name, asked, [*asked, "training.epochs=1"])
    return Day(work, data=folder / "data", dry=True, tiny=tiny, recorded=folder / "run")
