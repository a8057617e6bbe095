"""A run that is served: what it answers, by which settings, and what a client is told of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from ietool.core.candidates import Candidates
from ietool.core.view import View
from ietool.errors import UserError
from ietool.recipe import Section
from ietool.runs.entry import open_run
from ietool.runs.members import is_ensemble, read_members
from ietool.serve.examples import examples_of
from ietool.serve.settings import Choice, choices, chosen
from ietool.tables import Table
from ietool.training.threads import settle_threads
from ietool.workflow.members import decoder_of_run
from ietool.workflow.predict import Loaded
from ietool.workflow.scores import floor_below


class Answer(NamedTuple):
    """What is said of one input: its candidates, and the prediction that the run's own settings make of them."""

    found: Candidates
    prediction: Any


class Served:
    """A run in memory.

    Args:
        name: by which clients call it.
    """

    def __init__(self, name: str, loaded: Loaded) -> None:
        self.name, self.loaded, self.task = name, loaded, loaded.task
        recipe = loaded.recipe
        self.keeps = not loaded.joins_results
        """Whether there are scores, by which other thresholds are tried: members that decide each for itself leave
        none."""
        # One of its own: sliders are answered in another thread than the model's.
        self._decoder, _ = decoder_of_run(loaded.run, recipe)
        self.choices: Sequence[Choice] = choices(recipe.decode, self._decoder) if self.keeps else []
        self._floor = floor_below(loaded.predictor.reader, self._decoder, recipe.decode)
        self.batch_size = int(getattr(recipe.decode, "batch_size", 32))
        self._about = self._described()

    def settle(self) -> None:
        """Choose with how many threads the model computes; in the thread that will call :meth:`answer`."""
        if self.loaded.model is not None:
            settle_threads(self.loaded.model, self.loaded.device, self.loaded.precision)

    def answer(self, items: Sequence[Any], *, keep: bool) -> list[Answer]:
        """What the model says of each input, beside it; with ``keep`` the candidates go down to the least floor."""
        floor = self._floor if keep and self.keeps else None
        return [Answer(found, prediction) for found, prediction in self.loaded.decided(items, floor)]

    def settings(self, wanted: Mapping[str, Any]) -> Section:
        """The run's settings with those that a client wants otherwise. Raises UserError naming the key."""
        return chosen(self.loaded.recipe.decode, self.choices, wanted)

    def decoded(self, items: Sequence[Any], found: Sequence[Candidates], settings: Section) -> list[Any]:
        """The predictions that settings make of kept candidates, without the model."""
        return [self._decoder.decode(item, one, settings) for item, one in zip(items, found, strict=True)]

    def record(self, prediction: Any) -> dict[str, Any]:
        """A prediction as plain data."""
        return self.task.record(prediction)

    def view(self, item: Any, prediction: Any) -> tuple[View, Table]:
        """A prediction as a page draws it."""
        return self.task.view(item, prediction), self.task.show(prediction)

    @property
    def about(self) -> Mapping[str, Any]:
        """What clients are told of it; no path of this machine."""
        return self._about

    def _described(self) -> dict[str, Any]:
        run, task = self.loaded.run, self.task
        info = open_run(run).info
        best = info.best or {}
        return {
            "name": self.name,
            "task": task.name,
            "title": task.title,
            "recipe": info.recipe,
            "inputs": task.inputs,
            "finds": task.finds,
            "takes_text": not task.text_names_files,
            "plain_text": task.asks_text,
            "members": len(read_members(run).members) if is_ensemble(run) else 1,
            "score": {key: best[key] for key in ("metric", "score", "interval") if best.get(key) is not None} or None,
            "keeps_scores": self.keeps,
            "settings": [choice.plain() for choice in self.choices],
            "examples": examples_of(task, info),
        }


def open_all(
    folders: Sequence[Path], device: str, batch_size: int | None, overrides: Sequence[str] = ()
) -> list[Served]:
    """Runs in memory, named by their folders. Raises UserError where one cannot be opened."""
    runs = [open_run(folder).folder for folder in folders]
    for number, run in enumerate(runs):
        if run.resolve() in [other.resolve() for other in runs[:number]]:
            raise UserError("is named twice", file=run, mend="name each run once")
    names = names_of(runs)
    return [
        Served(name, Loaded(run, device, batch_size, overrides)) for name, run in zip(names, runs, strict=True)
    ]  # fmt: skip


def names_of(folders: Sequence[Path]) -> list[str]:
    """The shortest ends of the paths of distinct folders that tell them from one another."""
    paths = [folder.resolve().parts for folder in folders]
    names = []
    for parts in paths:
        others = [other for other in paths if other != parts]
        size = next(n for n in range(1, len(parts) + 1) if all(o[-n:] != parts[-n:] for o in others))
        names.append(str(Path(*parts[-size:])))
    return names
