"""Opening an ensemble: a predictor of several runs, as many of them in memory as are allowed."""

from __future__ import annotations

import gc
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import torch
from transformers import PreTrainedModel

from ietool.core.candidates import Candidates, Floor, Layout
from ietool.core.contract import Task
from ietool.core.joining import JoinedDecoder, Weights, chosen
from ietool.core.labels import LabelColumn, renumbered
from ietool.core.predicting import Decoder, Predictor, Reader
from ietool.core.together import Heard, TogetherReader
from ietool.environment import free_memory
from ietool.errors import WHOLE, UserError
from ietool.recipe import Recipe
from ietool.recipe_io import load_recipe
from ietool.registry import get_task
from ietool.runs.entry import RECIPE_FILE, WEIGHTS_FILE, open_run
from ietool.runs.members import ENSEMBLE_FILE, EnsembleInfo, is_ensemble, member_folders, read_members
from ietool.training.device import autocast, choose_precision
from ietool.training.finite import not_finite
from ietool.workflow.scores import floor_below, model_mark

_DIVERGED = "train again with a lower training.learning_rate"
_TIMES = 4
"""So many times their weights must be free for all members to be held in memory."""


@dataclass(frozen=True)
class Opened:
    """A trained model with what reads and decodes."""

    model: PreTrainedModel
    reader: Reader[Any]
    decoder: Decoder[Any, Any]


def open_model(task: Task[Any], recipe: Recipe, run: Path, device: torch.device) -> Opened:
    """The model of a run folder, ready to read. Raises UserError where the folder is damaged."""
    model = task.load_model(run).to(device).eval()  # type: ignore[arg-type]
    if name := not_finite(model):
        raise UserError(f"has weights that are not finite ({name})", file=run / WEIGHTS_FILE, mend=_DIVERGED)
    try:
        return Opened(model, task.reader(recipe, model, run), task.decoder(recipe, run))
    # The other files of the run: what they raise when they are missing, cut or of another model.
    except (OSError, EOFError, ValueError, LookupError, TypeError) as error:
        name = getattr(error, "filename", None)
        what = f"{Path(name).name}: {error.strerror}" if isinstance(error, OSError) and name else str(error)
        raise UserError(f"is a damaged run ({' '.join(what.split())[:200]})", file=run, mend=WHOLE) from None


class RunReaders:
    """The models of some runs of a task, those that were used last in memory.

    Args:
        marks: what tells each model from all others.
        recipes: of each, whose ``decode`` the readers go by.
        at_once: how many are in memory.
    """

    def __init__(
        self,
        task: Task[Any],
        folders: Sequence[Path],
        recipes: Sequence[Recipe],
        marks: Sequence[str],
        device: torch.device,
        at_once: int,
    ) -> None:
        self.task, self.folders, self.recipes = task, folders, recipes
        # What is read follows from settings too: which candidates, how long an answer.
        self.marks = [f"{mark} {recipe.decode.model_dump_json()}" for mark, recipe in zip(marks, recipes, strict=True)]
        self.device, self.at_once = device, max(1, at_once)
        self.decoders: list[Any] = [task.decoder(r, folder) for r, folder in zip(recipes, folders, strict=True)]
        self.layouts: list[Layout] = [decoder.layout for decoder in self.decoders]
        self.labels: list[LabelColumn | None] = [decoder.labels for decoder in self.decoders]
        self._held: OrderedDict[int, Opened] = OrderedDict()

    def __len__(self) -> int:
        return len(self.folders)

    def release(self) -> None:
        """Let go of all models; those that are asked for are opened once more."""
        self._held.clear()
        self._clear()

    def _clear(self) -> None:
        gc.collect()
        if self.device.type == "cuda":
            torch.cuda.empty_cache()

    @contextmanager
    def reading(self, number: int) -> Iterator[tuple[Reader[Any], Floor]]:
        """As in :class:`ietool.core.together.Readers`; each computes in the precision that it has alone."""
        if number not in self._held:
            if len(self._held) >= self.at_once:
                self._held.popitem(last=False)
                self._clear()  # before the next one takes its room
            self._held[number] = open_model(self.task, self.recipes[number], self.folders[number], self.device)
        self._held.move_to_end(number)
        reader = self._held[number].reader
        with autocast(self.device, choose_precision(self.recipes[number], self.device)):
            yield reader, floor_below(reader, self.decoders[number], self.recipes[number].decode)


class TogetherPredictor(Predictor[Any, Any]):
    """What the members of an ensemble predict together.

    Attributes:
        assets: the folder whose labels and files stand for all.
        folders: those of the members.
        together: the reader.
    """

    def __init__(
        self,
        task: Task[Any],
        info: EnsembleInfo,
        readers: RunReaders,
        decode: Any,
        *,
        scratch: Path | None = None,
    ) -> None:
        self.task, self.info, self.readers = task, info, readers
        self.assets, self.folders = readers.folders[info.base], readers.folders
        groups = _numbered(info)
        self.weights = Weights(
            tuple(groups), tuple(m.weight for m in info.members), tuple(group.weight for group in info.groups)
        )
        base: JoinedDecoder = readers.decoders[info.base]
        of_groups: list[Any] = [readers.decoders[mine[0]] for mine in groups]
        decoder = _together(base, of_groups)
        alone = self.joins_results and all(len(mine) == 1 for mine in groups)
        reader = TogetherReader(
            readers, base.labels, self.weights, of_groups, decoder.layout, asks=not alone, scratch=scratch
        )
        self.together = reader
        super().__init__(cast(Reader[Any], reader), decoder, decode)

    @property
    def joins_results(self) -> bool:
        """Whether groups decide each for itself, and what they decided is joined."""
        return self.info.join != "mean"

    def decided(self, inputs: Iterable[Any], floor: Floor | None = None) -> Iterator[tuple[Candidates, Any]]:
        """As in :class:`ietool.core.predicting.Predictor`; where results are joined there are no candidates."""
        if not self.joins_results:
            yield from super().decided(inputs, floor)
            return
        for heard in self.together.heard(inputs):
            self.capped += any(one.capped for one in heard.proposed)
            yield Candidates.none(self.together.layout), self.result(heard)

    def result(self, heard: Heard) -> Any:
        """What the results of the groups are together, of one input."""
        return joined_result(self.task, self.of_groups(heard), self.weights.between, self.info)

    def of_groups(self, heard: Heard) -> list[Any]:
        """What each group decides by itself, with the thresholds of its first member."""
        from ietool.core.candidates import merged

        decided = []
        for number, mine in enumerate(self.weights.groups):
            first = mine[0]
            found = merged([heard.said[n] for n in mine], self.weights.of(number))
            found = renumbered(found, self.readers.layouts[first], self.together.base, self.readers.labels[first])
            decided.append(
                self.readers.decoders[first].decode(heard.item, found, self.readers.recipes[first].decode)
            )  # fmt: skip
        return decided

    def of_members(self, heard: Heard) -> list[Any]:
        """What each member would predict alone."""
        return [self.of_member(heard, number) for number in range(len(heard.proposed))]

    def of_member(self, heard: Heard, number: int) -> Any:
        """What a member would predict alone."""
        decode = self.readers.recipes[number].decode
        return self.readers.decoders[number].decode(heard.item, heard.proposed[number], decode)


def _numbered(info: EnsembleInfo) -> list[tuple[int, ...]]:
    """The numbers of the members of each group."""
    groups, at = [], 0
    for group in info.groups:
        groups.append(tuple(range(at, at + len(group.members))))
        at += len(group.members)
    return groups


def _together(base: JoinedDecoder, of_groups: Sequence[Any]) -> Decoder[Any, Any]:
    """What decodes the candidates of all members together."""
    return base if len(of_groups) == 1 else base.joined(of_groups)


def decoder_of_run(run: Path, recipe: Recipe | None = None) -> tuple[Decoder[Any, Any], Path]:
    """What decodes the scores that a run or an ensemble keeps, and the folder whose labels and files stand for it; no
    model is opened.

    Args:
        recipe: None: the run's own.

    Raises:
        UserError: the folder, or a member, is missing or damaged.
    """
    recipe = load_recipe(str(run / RECIPE_FILE)) if recipe is None else recipe
    task = get_task(recipe.task)
    if not is_ensemble(run):
        return task.decoder(recipe, run), run
    info = read_members(run)
    folders = member_folders(run, info)
    first = [folders[mine[0]] for mine in _numbered(info)]
    of_groups = [task.decoder(load_recipe(str(place / RECIPE_FILE)), place) for place in first]
    base: Any = task.decoder(load_recipe(str(folders[info.base] / RECIPE_FILE)), folders[info.base])
    return _together(base, of_groups), folders[info.base]


def joined_result(task: Task[Any], decided: Sequence[Any], weights: Sequence[float], info: EnsembleInfo) -> Any:
    """One prediction of those that several have made of an input."""
    items = [task.items(one) for one in decided]
    wanted = chosen(items, weights, info.join, info.votes, single=task.one_item)
    return task.joined(decided, wanted)


def open_members(
    folder: Path,
    device: torch.device,
    *,
    batch_size: int | None = None,
    overrides: Sequence[str] = (),
    at_once: int | None = 1,
    scratch: Path | None = None,
) -> TogetherPredictor:
    """The predictor of an ensemble.

    Args:
        overrides: ``decode.…=value`` settings; a member gets those that its head has.
        at_once: how many members are in memory; None: all if they fit, else one.
        scratch: see :class:`TogetherReader`.

    Raises:
        UserError: a member is missing, damaged, of another task, or not the run that the ensemble was made of.
    """
    info = read_members(folder)
    recipe = load_recipe(str(folder / RECIPE_FILE), overrides)
    task = get_task(recipe.task)
    if batch_size is not None and hasattr(recipe.decode, "batch_size"):
        recipe.decode.batch_size = batch_size
    folders = member_folders(folder, info)
    recipes = [
        checked_member(folder, number, place, task, member.mark, overrides, batch_size)
        for number, (place, member) in enumerate(zip(folders, info.members, strict=True), 1)
    ]
    marks = [member.mark for member in info.members]
    if at_once is None:
        at_once = len(folders) if _fit(folders) else 1
    readers = RunReaders(task, folders, recipes, marks, device, at_once)
    return TogetherPredictor(task, info, readers, recipe.decode, scratch=scratch)


def checked_member(
    folder: Path,
    number: int,
    place: Path,
    task: Task[Any],
    mark: str,
    overrides: Sequence[str],
    batch_size: int | None,
) -> Recipe:
    """The recipe of a member, which must be the run that the ensemble was made of."""
    where: dict[str, Any] = {"file": folder / ENSEMBLE_FILE, "field": f"member {number}"}
    if is_ensemble(place):
        raise UserError(f"{place} is an ensemble itself", **where, mend="make the ensemble anew")
    entry = open_run(place)
    if entry.info.task != task.name:
        message = f"{place} is of the task {entry.info.task}, the ensemble is of {task.name}"
        raise UserError(message, **where, mend="make the ensemble anew of runs of one task")
    if model_mark(place) != mark:
        message = f"{place} is not the run that the ensemble was made of: its weights are others"
        raise UserError(message, **where, mend="make the ensemble anew")
    plain = load_recipe(str(place / RECIPE_FILE))
    own = [o for o in overrides if hasattr(plain.decode, o.partition("=")[0].strip().split(".")[1])]
    recipe = load_recipe(str(place / RECIPE_FILE), own) if own else plain
    if batch_size is not None and hasattr(recipe.decode, "batch_size"):
        recipe.decode.batch_size = batch_size
    return recipe


def _fit(folders: Sequence[Path]) -> bool:
    """Whether all members fit into memory together, by the size of their weights."""
    free = free_memory()
    return free is None or _TIMES * sum((f / WEIGHTS_FILE).stat().st_size for f in folders) < free
