"""From candidates to triples, whatever the head: no model here, and no torch."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Hashable, Sequence
from pathlib import Path
from typing import Any, ClassVar, cast

import numpy as np
import numpy.typing as npt

from ietool.core.candidates import PRODUCT, Candidates, Floor, Layout, Parts, Rows
from ietool.core.checking import can_stand
from ietool.core.labels import LabelColumn
from ietool.core.predicting import check_names, least_by_label
from ietool.files import yaml_io
from ietool.tasks.ske.data.example import Example
from ietool.tasks.ske.data.schema import Schema
from ietool.tasks.ske.features.featurizer import RULES, SCHEMA, find_rules
from ietool.tasks.ske.features.labelling import Row, at_words
from ietool.tasks.ske.heads.assembly import ExtractedTriple, Extraction, SpanRow, assemble, whole_names
from ietool.tasks.ske.recipe import SkeRecipe
from ietool.tasks.ske.rules.files import Rules, load_rules

ROWS = ("subject_start", "subject_end", "label", "object_start", "object_end", "cut")
"""What a row of every head states. ``cut``: :data:`CUT_SUBJECT` and :data:`CUT_OBJECT`, added up, where the span ends
as its window does within the text, and may be the half of a name."""

CUT_SUBJECT, CUT_OBJECT = 1, 2


def least_triple(decode: Any) -> float:
    """The lowest threshold that any relation has."""
    return float(min((decode.triple, *decode.by_label.values())))


class SkeDecoder(ABC):
    """Names the labels, joins slots to triples, and repairs these by rules.

    Args:
        assets: a run folder or prepared folder.

    Raises:
        UserError: its schema or rules are missing or damaged.
    """

    layout: ClassVar[Layout]
    threshold: ClassVar[str] = "triple"
    """The key of ``decode`` that is tried first where thresholds are chosen."""

    def __init__(self, recipe: SkeRecipe, assets: Path) -> None:
        self.recipe, self.assets, self.schema = recipe, assets, Schema.load(assets / SCHEMA)
        self._labels = self.schema.labels
        predicates = [predicate for predicate, _ in self._labels]
        self.label_names: Sequence[str] = list(dict.fromkeys(predicates))
        """The relations, which thresholds by name are for."""
        check_names(recipe.decode.by_label, self.label_names, "relation")
        self._relation = np.array([self.label_names.index(name) for name in predicates], np.int64)
        self._rules: dict[str, Rules] = {}
        self.rules_of(recipe.decode)

    @property
    def labels(self) -> LabelColumn:
        """As in :class:`ietool.core.joining.JoinedDecoder`."""
        return LabelColumn("label", self._labels)

    def joined(self, others: Sequence[Any]) -> SkeDecoder:
        """As in :class:`ietool.core.joining.JoinedDecoder`."""
        return JoinedRows(self.recipe, self.assets)

    def plain(self, parts: Parts) -> Parts:
        """As in :class:`ietool.core.joining.JoinedDecoder`: the probability of a triple."""
        return self.layout.probability(parts)[:, None]

    @staticmethod
    @abstractmethod
    def perfect(windows: Sequence[Sequence[Row]], labels: int) -> list[list[Row]]:
        """What would be found if every probability were 0 or 1, as the label rows have it: what this way of decoding
        could reach at most.

        Args:
            windows: the label rows of each window.
            labels: how many labels there are.
        """

    @abstractmethod
    def floor(self, decode: Any) -> Floor:
        """As in :class:`ietool.core.predicting.Decoder`."""

    @abstractmethod
    def able(self, parts: Parts, decode: Any) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.float64]]:
        """(n,): which rows may be chosen as far as their parts alone go, and how probable each is."""

    def labels_of(self, rows: Rows) -> npt.NDArray[np.int64]:
        """(n,): which of ``label_names`` each row is of."""
        numbers: npt.NDArray[np.int64] = self._relation[rows[:, 2]]
        return numbers

    def chosen(self, found: Candidates, decode: Any) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.float64]]:
        """(n,): which rows these settings choose, and how probable each is. A relation's own threshold goes before
        that of all."""
        able, probability = self.able(found.parts, decode)
        least = decode.triple
        if decode.by_label:
            least = least_by_label(self.label_names, decode.triple, decode.by_label)[self.labels_of(found.rows)]
        return able & (probability >= least), probability

    def choice(self, found: Candidates, decode: Any) -> tuple[npt.NDArray[np.bool_], Hashable]:
        """As in :class:`ietool.core.predicting.Choosing`."""
        return self.chosen(found, decode)[0][:, None], decode.rules if decode.apply_rules else None

    def decode(self, item: Example, found: Candidates, decode: Any) -> Extraction:
        """As in :class:`ietool.core.predicting.Decoder`."""
        if not len(found):
            return Extraction(item.text, ())
        mask, probability = self.chosen(found, decode)
        kept = np.flatnonzero(mask)
        places, probability = found.rows[kept], probability[kept]
        rows: list[SpanRow] = [
            (a, b, label, c, d, p)
            for (a, b, label, c, d, _), p in zip(places.tolist(), probability.tolist(), strict=True)
        ]
        whole = [
            n
            for n, (a, b, _, c, d, _) in enumerate(rows)
            if (can_stand(item.text[a:b]) and can_stand(item.text[c:d]))
            and (not self.schema.words or (at_words(item.text, a, b) and at_words(item.text, c, d)))
        ]
        rows, places = [rows[n] for n in whole], places[whole]
        halves = {
            (rows[n], at)
            for n in np.flatnonzero(places[:, 5]).tolist()
            for at, bit in ((0, CUT_SUBJECT), (3, CUT_OBJECT))
            if places[n, 5] & bit
        }
        triples = assemble(item.text, whole_names(rows, halves), self._labels)
        rules = self.rules_of(decode)
        return Extraction(item.text, tuple(triples if rules is None else _ruled(rules, item.text, triples)))

    def rules_of(self, decode: Any) -> Rules | None:
        """The rules that these settings ask for; those that a run folder carries, where it has them.

        Raises:
            UserError: there are none of that name, or the file is none of rules.
        """
        name = decode.rules
        if name is None or not decode.apply_rules:
            return None
        if name not in self._rules:
            own = self.assets / RULES
            path = own if own.is_file() and _carried(self.assets) == name else find_rules(name)
            self._rules[name] = load_rules(path, set(self.schema.relations))
        return self._rules[name]


class JoinedRows(SkeDecoder):
    """Of rows that several heads speak of, and whose probability alone is known: ``decode.triple`` decides."""

    layout = Layout(ROWS, ("triple",), ("triple",))

    @staticmethod
    def perfect(windows: Sequence[Sequence[Row]], labels: int) -> list[list[Row]]:
        """Every row decides for itself."""
        return [list(rows) for rows in windows]

    def floor(self, decode: Any) -> Floor:
        return Floor(parts={PRODUCT: least_triple(decode)})

    def able(self, parts: Parts, decode: Any) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.float64]]:
        probability = parts[:, 0].astype(np.float64)
        return probability > 0, probability


def _carried(run: Path) -> str | None:
    """The name of the rules that a run folder carries; others may be asked for in prediction."""
    recipe, _, _ = yaml_io.read(run / "recipe.yaml")
    return cast(str | None, recipe["decode"]["rules"])


def _ruled(rules: Rules, text: str, triples: list[ExtractedTriple]) -> list[ExtractedTriple]:
    ruled = []
    for triple, source in rules.apply(text, [t.triple for t in triples]):
        origin = triples[source] if source is not None else None
        if origin is not None and origin.triple == triple:
            ruled.append(origin)
        else:
            ruled.append(ExtractedTriple(triple, origin.probability if origin else 0.0))
    return ruled
