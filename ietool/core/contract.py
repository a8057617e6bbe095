"""The contract that every task fills in.

A task is a folder with the rooms ``data features model decode score`` and one :class:`Task` in its ``__init__``, which
imports a room only when a command enters it: nothing heavy is loaded to list recipes or to score.

    competition files ──read──▶ examples ──prepare──▶ features on disk ──training_set──▶ batches ──build_model──▶
    scores ──predictor──▶ predictions ──format──▶ submission file ──score──▶ report
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from ietool.core.sources import Sources
from ietool.files import Line, read_lines
from ietool.progress import Progress, no_progress
from ietool.recipe import Recipe
from ietool.scoring.report import Report
from ietool.tables import Table
from ietool.training.sets import TrainingSet

if TYPE_CHECKING:
    from transformers import PreTrainedModel


@dataclass
class PrepareReport:
    """What a preparation found: tables for the screen, numbers for ``--json`` and for the run."""

    tables: list[Table] = field(default_factory=list)
    statistics: dict[str, Any] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    rejected: int = 0


class Predictor(Protocol):
    """A trained model with all it needs to read texts: examples in, predictions out, in order, streaming."""

    highest_probability: float
    """The highest probability seen since the last reset: tells a silent model from one below its threshold."""

    @property
    def notes(self) -> Sequence[str]:
        """What the user should know of the model with these settings, and of the texts read so far."""
        ...

    def predict(self, inputs: Iterable[Any]) -> Iterator[Any]:
        """Yield one prediction per input, in order, holding only a bounded number of inputs at once."""
        ...


class Task(ABC):
    """One kind of competition. Stateless: every method gets what it needs."""

    name: ClassVar[str]
    title: ClassVar[str]
    recipe_class: ClassVar[type[Recipe]] = Recipe
    scorers: ClassVar[tuple[str, ...]]
    """Names of the scoring variants, the default first."""
    score_options: ClassVar[tuple[str, ...]] = ()
    """Files that ``score`` can take besides gold and predictions, by the name of their option (``alias``, ``kb``)."""
    roles: ClassVar[tuple[str, ...]] = ("train", "dev")
    """Roles that a preparation needs files for."""
    further_roles: ClassVar[tuple[str, ...]] = ("dev", "test")
    """Roles that files may have besides."""
    feature_sections: ClassVar[tuple[str, ...]] = ("data",)
    """Sections of the recipe on which features depend: a change of them prepares anew."""
    models: ClassVar[tuple[tuple[str, str], ...]] = ()
    """(configuration, model), each as ``module:class``, of the models that a run folder may hold."""
    feature_keys: ClassVar[tuple[str, ...]] = ("model.encoder",)
    """Single keys on which they depend, where the recipe has them."""
    epoch_scores: ClassVar[tuple[tuple[str, str], ...]] = (("P", "precision"), ("R", "recall"), ("F1", "f1"))
    """What the table of ``train`` shows of the dev score, three of (heading of up to 5 letters, name of the value);
    ``score`` is the primary value whatever its name. A value that the variant has not is shown as a dash."""
    demo: ClassVar[tuple[str, ...]] = ()
    """``key=value`` settings of ``ietool demo``: what the small corpus that ships wants otherwise than the recipe."""

    # -- files → examples (data.py)
    @abstractmethod
    def locate(self, folder: Path, *, needed: Sequence[str]) -> Sources:
        """Find the competition's files in a folder.

        Raises UserError naming what of the ``needed`` roles is missing and what was looked for.
        """

    @abstractmethod
    def read_inputs(self, lines: Iterable[Line]) -> Iterator[Any]:
        """Texts to predict on, from lines of the competition's test format (gold, where present, is ignored)."""

    def open_inputs(self, source: str) -> Iterator[Any]:
        """The same from a file; ``-`` is standard input. For tasks whose files are not read line by line."""
        return self.read_inputs(read_lines(source))

    @abstractmethod
    def input_of(self, text: str) -> Any:
        """The same from a bare string (``predict --text`` and Python users)."""

    @abstractmethod
    def format(self, prediction: Any, assets: Path) -> str:
        """One line of the submission, in the format of the competition whose data the run folder ``assets`` learnt."""

    def submission(self, predictions: Iterable[Any], assets: Path, output: str) -> Iterator[str]:
        """A submission in pieces, as a stream; ``output`` is the name of the file, whose ending may choose a form."""
        for prediction in predictions:
            yield self.format(prediction, assets) + "\n"

    @abstractmethod
    def show(self, prediction: Any) -> Table:
        """A prediction as a table for the screen."""

    # -- examples → features (features.py)
    @abstractmethod
    def prepare(
        self, recipe: Recipe, sources: Sources, folder: Path, *, rejects: Path | None, progress: Progress
    ) -> PrepareReport:
        """Validate, encode and write features and everything a run must carry into ``folder``.

        With ``rejects``, bad records go to that file with their reason and are counted; without, the first one raises
        UserError. ``folder`` is empty and private: the caller renames it into place when all went well.
        """

    # -- features → batches → model (features.py, model.py)
    @abstractmethod
    def training_set(self, recipe: Recipe, prepared: Path, *, limit: int | None = None) -> TrainingSet:
        """The training features, memory-mapped; only the first ``limit`` records with --overfit."""

    @abstractmethod
    def build_model(self, recipe: Recipe, prepared: Path) -> PreTrainedModel:
        """A fresh model. Its ``forward(**batch)`` returns a dict with ``loss``."""

    @abstractmethod
    def save_assets(self, recipe: Recipe, prepared: Path, run: Path) -> None:
        """Copy vocabulary, schema and the like into the run folder, so that it stands alone."""

    @abstractmethod
    def load_model(self, run: Path) -> PreTrainedModel:
        """The model of a run folder, by :func:`ietool.nn.pretrained.open_pretrained`.

        Raises UserError if the folder's files are damaged.
        """

    # -- batches → predictions (decode.py)
    @abstractmethod
    def predictor(self, recipe: Recipe, model: PreTrainedModel, assets: Path) -> Predictor:
        """A predictor on the model's device. ``assets`` is a run folder or a prepared folder."""

    # -- evaluation during training
    @abstractmethod
    def dev_set(
        self, recipe: Recipe, prepared: Path, *, split: str = "dev", limit: int | None = None
    ) -> tuple[Sequence[Any], Any]:
        """(inputs to predict on, gold in the form that ``evaluate`` takes) of a prepared split."""

    @abstractmethod
    def is_found(self, prediction: Any) -> bool:
        """Whether the prediction holds anything: a model that never finds anything is told apart from a poor one."""

    def check(self, recipe: Recipe) -> None:  # noqa: B027 - most tasks have nothing to check
        """Raise UserError for what the recipe names and is not there, before a run is begun with it."""

    def overfitting(self, recipe: Recipe, records: int) -> Recipe:
        """The recipe for ``--overfit``: nothing that keeps a model from learning so many records by heart."""
        copy = recipe.model_copy(deep=True)
        training = copy.training
        training.epochs, training.patience, training.ema_decay, training.warmup_epochs = 300, 40, 0.0, 5.0
        training.schedule, training.weight_decay = "constant_with_warmup", 0.0
        training.adversarial, training.r_drop, training.frozen_layers = 0.0, 0.0, 0
        training.batch_size = min(training.batch_size, max(1, records // 8))  # eight steps an epoch
        return copy

    @abstractmethod
    def evaluate(self, recipe: Recipe, gold: Any, predictions: Sequence[Any], *, resamples: int = 0) -> Report:
        """The official score of predictions made in this process, by the recipe's variant; with ``resamples``, its
        bootstrap interval too."""

    def tunes(self, recipe: Recipe, gold: Any) -> bool:
        """Whether thresholds of ``decode`` are to be found on dev when a training is over."""
        return False

    def tune(self, recipe: Recipe, gold: Any, predictions: Sequence[Any]) -> Sequence[str]:
        """``key=value`` settings of ``decode`` by which predictions on dev score best; the run's recipe gets them."""
        return ()

    # -- files → score (score.py); must not import torch
    @abstractmethod
    def score(
        self,
        gold: Path,
        predictions: Path,
        *,
        metric: str | None,
        options: Mapping[str, Any],
        explain: bool,
        progress: Progress = no_progress,
    ) -> Report:
        """The official score of a submission file. ``metric`` None: told from the gold file. ``options`` are files
        of the scorer's own: those of ``score_options`` that the user named; ``progress`` is for what has to be made
        of them first."""
