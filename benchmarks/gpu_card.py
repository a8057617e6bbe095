"""The machine of a measurement, and how its graphics card was used."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Any

from ietool.errors import UserError


def own_code() -> dict[str, str]:
    """The environment, in which this checkout's code is found first."""
    here = str(Path(__file__).resolve().parents[1])
    before = os.environ.get("PYTHONPATH")
    return os.environ | {"PYTHONPATH": f"{here}{os.pathsep}{before}" if before else here}


def first_card() -> str:
    """Number or name of the first card that may be used."""
    return os.environ.get("CUDA_VISIBLE_DEVICES", "").partition(",")[0] or "0"


def machine(work: Path, *, dry: bool) -> dict[str, Any]:
    """Card, driver, processor, system and versions, as ``ietool env`` tells them; ``card`` is None without CUDA.

    Raises:
        UserError: it does not run.
    """
    # In a process of its own: asking for the card's name would hold memory on it.
    work.mkdir(parents=True, exist_ok=True)
    hidden = {"CUDA_VISIBLE_DEVICES": ""} if dry else {}
    done = subprocess.run(
        [sys.executable, "-m", "ietool", "env", "--json"], cwd=work, env=own_code() | hidden,
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        raise UserError(f"ietool env fails: {done.stderr.strip()[-500:]}", mend="make install")
    told = json.loads(done.stdout)
    cpu, *cards = told["devices"]
    card = next((card for card in cards if "memory_gib" in card), None)
    return {
        "card": None if card is None else f"{card['model']} ({card['memory_gib']} GiB)",
        "driver": None if card is None else driver(),
        "cpu": cpu["model"],
        "cores": cpu["cores"],
        "platform": told["platform"],
        "python": told["python"],
        "ietool": told["ietool"],
        "versions": {name: told["versions"][name] for name in ("torch", "transformers", "accelerate")},
    }


def driver() -> str | None:
    """The version of the driver, if its tool tells it."""
    if shutil.which("nvidia-smi") is None:
        return None
    asked = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]
    done = subprocess.run(asked, capture_output=True, text=True, check=False)
    return done.stdout.strip().partition("\n")[0] or None


class Card:
    """While it is open, a card's memory and load, written down once a second by the driver's tool, if it is there."""

    def __init__(self, path: Path, *, used: bool) -> None:
        self.path, self.used = path, used and shutil.which("nvidia-smi") is not None
        self.process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Card:
        if self.used:
            asked = ["nvidia-smi", "--query-gpu=memory.used,utilization.gpu", "--format=csv,noheader,nounits"]
            with self.path.open("wb") as out:
                self.process = subprocess.Popen(
                    [*asked, "-l", "1", "-i", first_card()], stdout=out, stderr=subprocess.DEVNULL
                )  # fmt: skip
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    def told(self) -> dict[str, float]:
        """``memory_gb``, the most of the whole card, and ``load``, the mean share of time that it computed."""
        return read_samples(self.path.read_text("utf-8", "replace")) if self.process is not None else {}


def read_samples(text: str) -> dict[str, float]:
    """The same of lines of MiB and per cent; those that hold no two numbers are left out."""
    rows = [line.split(",") for line in text.splitlines()]
    samples = [(int(a), int(b)) for a, b in (row for row in rows if len(row) == 2) if _number(a) and _number(b)]
    if not samples:
        return {}
    load = sum(share for _, share in samples) / len(samples) / 100
    return {"memory_gb": round(max(mib for mib, _ in samples) * 2**20 / 1e9, 2), "load": round(load, 3)}


def _number(text: str) -> bool:
    return text.strip().isdecimal()
