"""The contract that every task fills in.

A task is a folder with the rooms ``data features heads prepare score`` and one :class:`Task` in its ``__init__``, which
imports a room only when a command enters it: nothing heavy is loaded to list recipes or to score.

    competition files ──read──▶ examples ──prepare──▶ features on disk ──training_set──▶ batches ──build_model──▶
    scores ──reader──▶ candidates ──decoder──▶ predictions ──format──▶ submission file ──score──▶ report
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from ietool.core.headed import R
from ietool.core.reads import Reads
from ietool.core.sources import Sources
from ietool.errors import UserError
from ietool.progress import Progress, no_progress
from ietool.recipe import Section
from ietool.scoring.classes import ErrorClasses, JudgedBy
from ietool.scoring.report import Report
from ietool.tables import Table

if TYPE_CHECKING:
    from ietool.core.checking import Check
    from ietool.core.intake import Kept
    from ietool.core.labelled import LabelWriter
    from ietool.core.view import View


@dataclass
class PrepareReport:
    """What a preparation found: tables for the screen, numbers for ``--json`` and for the run."""

    tables: list[Table] = field(default_factory=list)
    statistics: dict[str, Any] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    rejected: int = 0


class Task(Reads[R], ABC):
    """One kind of competition. Stateless: every method gets what it needs."""

    title: ClassVar[str]
    scorers: ClassVar[tuple[str, ...]]
    """Names of the scoring variants, the default first."""
    score_options: ClassVar[tuple[str, ...]] = ()
    """Files that ``score`` can take besides gold and predictions, by the name of their option (``alias``, ``kb``)."""
    check_options: ClassVar[tuple[str, ...]] = ()
    """Files that a check of a submission takes besides it and the input, by role; found beside the input too."""
    class_options: ClassVar[tuple[str, ...]] = ()
    """Files by which :meth:`error_classes` tells more apart, by role."""
    feature_sections: ClassVar[tuple[str, ...]] = ("data",)
    """Sections of the recipe on which features depend: a change of them prepares anew."""
    feature_keys: ClassVar[tuple[str, ...]] = (
        "model.encoder.kind",
        "model.encoder.name",
        "model.encoder.word_vectors",
        "model.encoder.min_char_count",
        "model.head.kind",
    )
    """Single keys on which they depend, where the recipe has them. The oracle recall is that of a head's decoder."""
    former_keys: ClassVar[Mapping[str, str | tuple[str, ...]]] = {}
    """Dotted key of a recipe that had no sections for encoder and head → the key that it became; several, where heads
    have it in different places."""
    epoch_scores: ClassVar[tuple[tuple[str, str], ...]] = (("P", "precision"), ("R", "recall"), ("F1", "f1"))
    """What the table of ``train`` shows of the dev score, three of (heading of up to 5 letters, name of the value);
    ``score`` is the primary value whatever its name. A value that the variant has not is shown as a dash."""
    one_item: ClassVar[bool] = False
    """Whether an input has at most one of what is found: an answer."""
    finds: ClassVar[str]
    """What a prediction holds, in the plural: ``triples``."""
    takes_soft: ClassVar[bool] = False
    """Whether labels may be soft: probabilities of items, as ``distil --soft`` writes them."""
    demo: ClassVar[tuple[str, ...]] = ()
    """``key=value`` settings of ``ietool demo``: what the small corpus that ships wants otherwise than the recipe.
    Those that do not act for a recipe's head are left out."""

    # -- predictions → files (data/, writing)

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

    def view(self, asked: Any, prediction: Any) -> View:
        """A prediction as a page draws it, beside the table of :meth:`show`. ``asked`` is the input."""
        from ietool.core.view import View

        return View([("", str(asked.text))])

    # -- examples → features (features/, prepare/)

    @abstractmethod
    def prepare(
        self, recipe: R, sources: Sources, folder: Path, *, rejects: Path | None, progress: Progress
    ) -> PrepareReport:
        """Validate, encode and write features and everything a run must carry into ``folder``.

        With ``rejects``, bad records go to that file with their reason and are counted; without, the first one raises
        UserError. ``folder`` is private, and empty but for the tokenizer of a pretrained encoder: the caller renames it
        into place when all went well.
        """

    @abstractmethod
    def save_assets(self, recipe: R, prepared: Path, run: Path) -> None:
        """Copy vocabulary, schema and the like into the run folder, so that it stands alone."""

    @abstractmethod
    def kept(self, prepared: Path) -> Kept[Any]:
        """How a prepared folder keeps examples, in ``train.jsonl`` and ``dev.jsonl``: they are both what a model is
        asked and what its answers are judged by."""

    def gold(self, prepared: Path, split: str = "dev", limit: int | None = None) -> Sequence[Any]:
        """The first examples of a prepared split, ``dev`` or ``train``."""
        return self.kept(prepared).split(prepared, split, limit)

    def label_names(self, folder: Path) -> Sequence[str]:
        """The labels that a prepared folder or run folder numbers, in their order: of the rows that its model proposes,
        or of what else its model has one output each for; none where it numbers nothing."""
        return ()

    def numbered(self, folder: Path) -> Mapping[str, Sequence[str]]:
        """What the same model has numbered besides characters and tokens, by what it is called in the plural."""
        return {"labels": self.label_names(folder)}

    # -- evaluation during training

    @abstractmethod
    def found(self, prediction: Any) -> int:
        """How many of ``finds`` the prediction holds: a model that never finds anything is told apart from a poor
        one."""

    def check(self, recipe: R) -> None:
        """Raise UserError for what the recipe names and is not there, before a run is begun with it."""

    def overfitting(self, recipe: R, records: int) -> R:
        """The recipe for ``--overfit``: nothing that keeps a model from learning so many records by heart."""
        copy = recipe.model_copy(deep=True)
        training = copy.training
        training.epochs, training.patience, training.ema_decay, training.warmup_epochs = 75, 6, 0.0, 1.25
        training.schedule, training.weight_decay = "constant_with_warmup", 0.0
        training.adversarial, training.r_drop, training.frozen_layers = 0.0, 0.0, 0
        training.batch_size = min(training.batch_size, max(1, records // 8))  # eight steps for all of them
        model = getattr(copy, "model", None)
        for section in (getattr(model, "encoder", None), getattr(model, "head", None)):
            for key in type(section).model_fields if section is not None else ():
                if key == "dropout" or key.endswith("_dropout"):
                    setattr(section, key, 0.0)
        return copy

    @abstractmethod
    def evaluate(
        self, recipe: R, gold: Sequence[Any], predictions: Sequence[Any], *, resamples: int = 0, outcomes: bool = False
    ) -> Report:
        """The official score of predictions made in this process, by the recipe's variant.

        Args:
            gold: from :meth:`gold`, beside ``predictions``.
            resamples: draws of its bootstrap interval.
            outcomes: whether the report tells of every item how it was judged.
        """

    def counts_by_label(self, metric: str) -> bool:
        """Whether the columns of counts of a variant follow from the labels that gold has: then counts of some texts
        cannot be laid beside those of others, and all are judged at once."""
        return False

    def record(self, prediction: Any) -> dict[str, Any]:
        """A prediction as plain data, as JSON has it: for servers and kept predictions."""
        from dataclasses import asdict

        return asdict(prediction)

    def items(self, prediction: Any) -> dict[Hashable, float]:
        """What a prediction holds, each with its probability: what is the same in those of several models is equal."""
        raise NotImplementedError

    def joined(self, predictions: Sequence[Any], chosen: Mapping[Hashable, float]) -> Any:
        """One prediction of several on the same input: of their :meth:`items` the chosen ones, with the probabilities
        given; of those that could not stand together the most probable."""
        raise NotImplementedError

    def tunes(self, recipe: R, gold: Sequence[Any]) -> bool:
        """Whether thresholds of ``decode`` are to be found on dev when a training is over."""
        return False

    def tune(self, recipe: R, gold: Sequence[Any], predictions: Sequence[Any]) -> Sequence[str]:
        """``key=value`` settings of ``decode`` by which predictions on dev score best; the run's recipe gets them."""
        return ()

    def retold(self, recipe: R, predictions: Sequence[Any]) -> Sequence[Any]:
        """Predictions as the recipe makes them with what :meth:`tune` found, made by it without that."""
        return predictions

    def tuning_start(self, recipe: R, gold: Sequence[Any]) -> Section:
        """The settings of ``decode`` from which a search on kept scores starts: the recipe's, with what its thresholds
        need to be of use on this gold."""
        return recipe.decode

    # -- labels, one by one

    def labels(self, recipe: R, folder: Path) -> LabelWriter[Any, Any]:
        """What writes predictions as gold; a :class:`Labels` where gold can also be changed item by item. ``folder`` is
        a prepared folder or run folder.

        Raises:
            UserError: the task has none.
        """
        raise UserError(f"predictions of the task {self.name} are not written as gold", mend="use another recipe")

    # -- files → score (score/); must not import torch

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

    def error_classes(self, by: JudgedBy) -> ErrorClasses:
        """How outcomes of the task's scorers are told apart and shown, for reports; imports no torch.

        Raises:
            UserError: a file cannot be read.
        """
        return ErrorClasses()

    def asked(self, sources: Sources, role: str) -> Sequence[Path]:
        """The files of a role, several where a competition divides it: of ``test`` those that one submission answers,
        in its order; none where the role has none."""
        return [sources.files[role]] if role in sources.files else []

    def fitting(self, source: Path) -> Sequence[str]:
        """``key=value`` settings of a recipe that an input wants whatever else it says: where it gives a part of what
        others ask for."""
        return ()

    def competition(self, source: Path, result: Path, options: Mapping[str, Path]) -> str:
        """The competition of a submission, told from the input that it answers, else from ``options`` and itself.

        Raises:
            UserError: it cannot be told, or no submission of the task is checked.
        """
        raise UserError(f"submissions of the task {self.name} are not checked", file=result)

    def check_submission(self, check: Check, progress: Progress = no_progress) -> None:
        """Hold a submission against its input by the rules of ``check.competition``: faults are told, what was checked
        is noted. ``progress`` is for what has to be made of its options first.

        Raises:
            UserError: the input or an option cannot be read, or nothing of the submission.
        """
        raise NotImplementedError
