"""A served run without a model, which answers at once, late, or not at all, with words of a stranger's."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from ietool.core.candidates import Candidates
from ietool.core.view import Link, Mark, View
from ietool.errors import UserError
from ietool.recipe import Section, Share
from ietool.serve.served import Answer
from ietool.serve.settings import Choice, chosen
from ietool.tables import Table


@dataclass(frozen=True)
class Asked:
    """A text."""

    text: str


@dataclass(frozen=True)
class Found:
    """How often the letter ``a`` stands in a text, and how sure that is."""

    text: str
    places: tuple[int, ...]
    threshold: float


class Decode(Section):
    """Its settings."""

    threshold: Share = 0.5
    strict: bool = False


class StubTask:
    """Reads texts; ``bad`` is refused."""

    name, title, text_names_files, asks_text = "stub", "letters", False, True

    def input_of(self, text: str) -> Asked:
        if text == "bad":
            raise UserError("is bad", file="/home/someone/secret", field="--text", mend="send another")
        return Asked(text)

    def inputs_of(self, record: Mapping[str, Any], place: str) -> list[Asked]:
        if "text" not in record:
            raise UserError("is missing", file=place, line=1, field="text", mend="write it")
        return [Asked(str(record["text"]))] * int(record.get("times", 1))


class Stub:
    """As :class:`ietool.serve.served.Served`.

    Args:
        label: of what is found.
        about: told of it besides.
    """

    keeps = True

    def __init__(self, name: str = "stub", *, label: str = "letter", seconds: float = 0.0, **about: Any) -> None:
        self.name, self.label, self.seconds, self.task = name, label, seconds, StubTask()
        self.batch_size = 4
        self.batches: list[list[str]] = []
        self.gate = threading.Event()
        self.gate.set()
        self.choices: Sequence[Choice] = (
            Choice("threshold", "share", 0.5, "how sure", 0.01),
            Choice("strict", "switch", False),
        )
        self.about = {
            "name": name, "task": "stub", "title": "letters", "recipe": "stub", "inputs": "texts", "finds": "letters",
            "takes_text": True, "plain_text": True, "members": 1, "score": None, "keeps_scores": True,
            "settings": [choice.plain() for choice in self.choices], "examples": ["a banana"], **about,
        }  # fmt: skip

    def settle(self) -> None:
        """Nothing to settle."""

    def answer(self, items: Sequence[Any], *, keep: bool) -> list[Answer]:
        self.batches.append([item.text for item in items])
        if any(item.text == "boom" for item in items):
            raise RuntimeError("boom in /home/someone/model.py")
        time.sleep(self.seconds)
        self.gate.wait(20)
        return [Answer(found_in(item.text), self._made(item, found_in(item.text), 0.5)) for item in items]

    def settings(self, wanted: Mapping[str, Any]) -> Section:
        return chosen(Decode(), self.choices, wanted)

    def decoded(self, items: Sequence[Any], found: Sequence[Candidates], settings: Any) -> list[Found]:
        return [self._made(item, one, settings.threshold) for item, one in zip(items, found, strict=True)]

    def _made(self, item: Asked, found: Candidates, threshold: float) -> Found:
        kept = found.rows[found.parts[:, 0] > threshold, 0]
        return Found(item.text, tuple(kept.tolist()), threshold)

    def record(self, prediction: Found) -> dict[str, Any]:
        return asdict(prediction)

    def view(self, item: Asked, prediction: Found) -> tuple[View, Table]:
        marks = [Mark(at, at + 1, self.label, 0.5) for at in prediction.places]
        links = [Link(self.label, self.label + "→", str(at), 0.5) for at in prediction.places]
        rows = [(self.label, at, 0.5) for at in prediction.places]
        return View([(self.label, item.text)], marks, links), Table("t", ("letter", "at", "sure"), rows, self.label)


def found_in(text: str) -> Candidates:
    """The places of the letter, less and less sure: 1, 1/2, 1/3 …"""
    at = [n for n, c in enumerate(text) if c == "a"]
    rows = np.array([[n, n + 1] for n in at], np.int32).reshape(-1, 2)
    sure = np.array([[1 / (n + 1)] for n in range(len(at))], np.float32).reshape(-1, 1)
    return Candidates(rows, sure, np.zeros(0, np.float32))
