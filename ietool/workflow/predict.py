"""Predict with a run: files as a stream, or texts from Python."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import Any

from transformers import PreTrainedModel

from ietool.core.candidate_files import ABOUT, TABLE, CandidateWriter
from ietool.core.candidates import Candidates, Floor
from ietool.core.forms import reading, told_apart
from ietool.core.predicting import Predictor
from ietool.errors import UserError
from ietool.files.lines import OnBad
from ietool.files.outputs import atomic_text, check_folder, check_output, replace_folder, unpacked_name
from ietool.files.plain_json import dump_json
from ietool.progress import Progress, no_progress
from ietool.recipe_io import load_recipe
from ietool.registry import get_task
from ietool.runs.entry import RECIPE_FILE, open_run
from ietool.runs.folder import files_of
from ietool.runs.members import is_ensemble
from ietool.tables import Table
from ietool.training.device import autocast, choose_device, choose_precision, memory_told
from ietool.training.threads import settle_threads
from ietool.workflow.members import TogetherPredictor, open_members, open_model
from ietool.workflow.scores import about_scores, file_mark, floor_below, proposing, size_of

_LARGE = 1 << 14
"""Bytes of an input from which on it is measured with how many threads to predict."""


@dataclass(frozen=True)
class Predicted:
    """What came of a file.

    Attributes:
        texts: read, or questions.
        seconds: that reading, predicting and writing took, without loading the model.
        summary: how much was found in how many; where nothing was, how near the model came to it.
        rejected: records that were left out.
        notes: remarks.
        scores: bytes of the scores that were kept.
    """

    texts: int
    seconds: float
    summary: str
    rejected: int = 0
    notes: Sequence[str] = ()
    scores: int = 0


class Loaded:
    """A trained model, ready to read texts.

    Args:
        run: a run folder.
        device: ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.
        batch_size: texts at a time; None: the recipe's.
        overrides: ``decode.…=value`` settings (thresholds, rules) that take the place of the run's.
        members_at_once: of an ensemble, how many members are in memory; None: all if they fit, else one.

    Raises:
        UserError: the run cannot be opened, or an override is of another section.
    """

    def __init__(
        self,
        run: Path,
        device: str = "auto",
        batch_size: int | None = None,
        overrides: Sequence[str] = (),
        members_at_once: int | None = None,
    ) -> None:
        self.run = open_run(run).folder
        for override in overrides:
            if not override.startswith("decode."):
                raise UserError(
                    f"{override!r} cannot change a trained run", field="--set", mend="set keys of decode, or train anew"
                )
        self.recipe = load_recipe(str(self.run / RECIPE_FILE), overrides)
        if batch_size is not None and hasattr(self.recipe.decode, "batch_size"):
            self.recipe.decode.batch_size = batch_size
        self.task = get_task(self.recipe.task)
        self.device = choose_device(device)
        self.precision = choose_precision(self.recipe, self.device)
        self.assets = self.run
        """The folder whose labels and files stand for what is predicted."""
        self.model: PreTrainedModel | None = None
        """None: there are several."""
        if is_ensemble(self.run):
            together = open_members(
                self.run, self.device, batch_size=batch_size, overrides=overrides, at_once=members_at_once
            )
            self.predictor: Predictor[Any, Any] = together
            self.assets = together.assets
            return
        opened = open_model(self.task, self.recipe, self.run, self.device)
        self.model = opened.model
        self.predictor = Predictor(opened.reader, opened.decoder, self.recipe.decode)

    def predict(self, texts: Iterable[str]) -> list[Any]:
        """One typed result per text, in order; offsets count characters of the text as given.

        Raises:
            TypeError: a single string, or something in the list that is none.
        """
        if isinstance(texts, str | bytes):
            raise TypeError("predict takes a list of texts; for one text give [text]")
        texts = list(texts)
        for number, text in enumerate(texts):
            if not isinstance(text, str):
                raise TypeError(f"texts[{number}] is {type(text).__name__}, a string is needed")
        return list(self.stream(self.task.input_of(text) for text in texts))

    def stream(self, inputs: Iterable[Any], scores: CandidateWriter | None = None) -> Iterator[Any]:
        """The same as a stream of the task's inputs, in bounded memory.

        Args:
            scores: takes all candidates above its floor.
        """
        for found, prediction in self.decided(inputs, None if scores is None else scores.floor):
            if scores is not None:
                scores.add(found)
            yield prediction

    def decided(self, inputs: Iterable[Any], floor: Floor | None = None) -> Iterator[tuple[Candidates, Any]]:
        """Each prediction with the candidates that it was made of, as :meth:`Predictor.decided` has it."""
        decided = self.predictor.decided(inputs, floor)
        while True:
            # Entered anew for each: what you compute between two predictions must not run in bf16.
            with memory_told("predict fewer texts at a time: --batch-size N"), autocast(self.device, self.precision):
                one = next(decided, None)
            if one is None:
                return
            yield one

    def tell(self, progress: Progress) -> None:
        """Have the members of an ensemble tell how far they are."""
        if isinstance(self.predictor, TogetherPredictor):
            self.predictor.together.progress = progress

    @property
    def joins_results(self) -> bool:
        """Whether it is an ensemble whose members decide each for itself: there are no scores then."""
        return isinstance(self.predictor, TogetherPredictor) and self.predictor.joins_results

    @property
    def notes(self) -> Sequence[str]:
        """What the user should know of this model with these settings, and of the texts read so far."""
        return tuple(self.predictor.notes)

    def summary(self, found: int, texts: int) -> str:
        """How much was found in so many texts: ``12 triples in 500 texts``."""
        said = f"{found:,} {self.task.finds} in {texts:,} {self.task.inputs}"
        if found or not texts:
            return said
        highest = self.predictor.highest_probability
        return f"{said}; highest probability {highest:.3f}: see the thresholds under decode"

    def show(self, prediction: Any) -> Table:
        """A result as a table."""
        return self.task.show(prediction)


def load(run: str | Path, device: str = "auto", overrides: Sequence[str] = ()) -> Loaded:
    """Open a run folder, perhaps with other ``decode.…`` settings. Raises UserError if it is none."""
    return Loaded(Path(run), device, overrides=overrides)


def predict_file(
    run: Path,
    source: str,
    output: str,
    *,
    device: str = "auto",
    batch_size: int | None = None,
    overrides: Sequence[str] = (),
    scores: Path | None = None,
    members_at_once: int = 1,
    files: Mapping[str, Path] | None = None,
    on_bad: OnBad | None = None,
    on_start: Callable[[], None] = lambda: None,
    on_note: Callable[[str], None] = lambda note: None,
    progress: Progress = no_progress,
) -> Predicted:
    """Read ``source`` as a stream and write a submission; ``-`` stands for the standard streams.

    Args:
        scores: a folder for what the model says before thresholds, above a floor; replaced when it is whole.
        members_at_once: of an ensemble, how many members are in memory.
        files: further files that the input needs, by role (``tables``); default: those found beside it.
        on_bad: told of bad records, which are then left out; without it the first one raises.
        on_start: called when model and input are open.
        on_note: told what the user should know before the first text.

    Raises:
        UserError: a bad record, a run that cannot be opened, or an output that cannot be written
            or is one of the files that are read. Nothing is left under the output's name then.
    """
    check_output(output, [source, *(files or {}).values()])
    if scores is not None:
        scores = check_scores(scores, source, output)
    loaded = Loaded(run, device, batch_size, overrides, members_at_once)
    check_output(output, [*files_of(loaded.run), *_named(loaded)])
    loaded.tell(progress)
    if scores is not None and loaded.joins_results:
        message = "keeps no scores: what its members have decided is joined"
        raise UserError(message, file=run, field="--scores", mend="make the ensemble with --join mean, or leave it out")
    done = found = rejected = 0

    def reject(error: UserError, line: str) -> None:
        nonlocal rejected
        assert on_bad is not None
        rejected += 1
        on_bad(error, line)

    begin = time.monotonic()
    inputs = reading(loaded.task, source, None if on_bad is None else reject, files)
    first = list(islice(inputs, 1))  # what is wrong with the run or with all of the input is told before anything else
    on_start()
    # What is read in a moment is not worth the tenths of a second that measuring takes.
    if loaded.model is not None and (source == "-" or Path(source).stat().st_size >= _LARGE):
        _, said = settle_threads(loaded.model, loaded.device, loaded.precision)
        if said:
            on_note(said)

    # The predictions are put in their place first: they stay whatever becomes of the scores.
    with _scores(loaded, source, scores) as kept, atomic_text(output) as out:

        def counted() -> Iterator[Any]:
            nonlocal done, found
            for prediction in loaded.stream(chain(first, inputs), kept):
                yield prediction
                done += 1
                found += loaded.task.found(prediction)
                if done % 64 == 0:
                    progress("texts", done, None)

        for piece in loaded.task.submission(counted(), loaded.assets, unpacked_name(output)):
            out.write(piece)
    progress("texts", done, done)
    stranger = told_apart(loaded.task, source)
    notes = loaded.notes if stranger is None else (*loaded.notes, stranger)
    if not done and not rejected:
        notes = (f"{source} holds no text: nothing is predicted", *notes)
    size = 0 if scores is None else size_of(scores)
    return Predicted(done, time.monotonic() - begin, loaded.summary(found, done), rejected, notes, size)


@contextmanager
def _scores(loaded: Loaded, source: str, folder: Path | None) -> Iterator[CandidateWriter | None]:
    """What takes the scores of a file, if a folder is named for them; it is put there when all went well."""
    if folder is None:
        yield None
        return
    part = folder.with_name(f".{folder.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    reader, decoder = loaded.predictor.reader, loaded.predictor.decoder
    floor = floor_below(reader, decoder, loaded.recipe.decode)
    about = about_scores(loaded.recipe, loaded.run, source, file_mark(Path(source)))
    own: Any = load_recipe(loaded.run / RECIPE_FILE)
    if other := proposing(loaded.recipe.decode, own.decode):
        about["decode"] = ", ".join(f"decode.{name}={dump_json(value)}" for name, value in other.items())
    try:
        with CandidateWriter(part, reader.layout, floor, about) as writer:
            yield writer
        replace_folder(part, folder)
    finally:
        shutil.rmtree(part, ignore_errors=True)


def check_scores(folder: Path, source: str, output: Path | str) -> Path:
    """The folder, links followed. Raise UserError unless the scores of a file may be kept in it: a new or empty one, or
    one of scores and nothing else, which is replaced as a whole."""
    if source == "-" or (Path(source).exists() and not Path(source).is_file()):
        raise UserError("needs a file that can be read again", field="--scores", mend="name the input file")
    if folder.exists() and not folder.is_dir():
        raise UserError("is a file, a folder is needed", file=folder, mend="choose another --scores")
    place, another = Path(os.path.realpath(folder)), "choose another --scores"
    if place.is_dir():
        names = {path.name for path in place.iterdir()}
        if names and ABOUT not in names:
            raise UserError("is not empty and holds no scores", file=folder, mend=another)
        if strangers := sorted(names - {ABOUT, TABLE}):
            what = f"holds something else beside scores, and is replaced as a whole: {strangers[0]}"
            raise UserError(what, file=folder, mend=another)
        if os.path.ismount(place) or Path.cwd().is_relative_to(place):
            what = "is a mount point" if os.path.ismount(place) else "is the working folder"
            raise UserError(f"{what}, and would be replaced", file=folder, mend=f"name a folder in it: {folder}/scores")
    if str(output) != "-" and Path(os.path.realpath(output)).is_relative_to(place):
        raise UserError(f"would hold the predictions, and is replaced as a whole: {output}", file=folder, mend=another)
    check_folder(folder, [Path(source)])
    return place


def _named(loaded: Loaded) -> Iterator[Path | str]:
    """The files that settings of ``decode`` name, also those that are found in a folder by the name of the key."""
    for key, value in loaded.recipe.decode:
        if isinstance(value, Path) and value.is_dir():
            found = loaded.task.locate(value, needed=()).files.get(key)
            yield from () if found is None else (found,)
        elif isinstance(value, Path | str):
            yield value
