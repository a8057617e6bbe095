"""What an ensemble gains: on texts with gold, each member, all together, and how often agreement is right."""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import Any

import numpy as np

from ietool.contest.nested import Ints, Nested, groups_of, nested, parts_of
from ietool.core.candidates import Candidates
from ietool.core.intake import bare
from ietool.core.joining import averaged
from ietool.core.together import Heard
from ietool.recipe import Section
from ietool.scoring.intervals import bootstrap
from ietool.scoring.report import Counts, Report
from ietool.workflow.members import TogetherPredictor, joined_result

Judge = Callable[[Sequence[Any]], Report]
"""Predictions, one an input and in their order → the official score."""

FACTORS = (0.0, 0.5, 2.0)
"""What a member's weight is multiplied by when weights are tried."""
THRESHOLDS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7)
PARTS = 5


@dataclass(frozen=True)
class Setting:
    """How members are joined.

    Attributes:
        weights: of each member; a group counts as much as its members together.
        votes: the share of votes that an item must exceed.
        threshold: of the decoder's main threshold; None: the recipe's.
    """

    weights: tuple[float, ...]
    votes: float = 0.5
    threshold: float | None = None


class Trial:
    """What the members say of texts with gold, and what any setting makes of it. No model is run.

    Args:
        predictor: of the ensemble; what it says of weights is what :attr:`start` has.
        heard: of each text.
        judge: see :data:`Judge`.
        equal: the setting to compare with.
    """

    def __init__(self, predictor: TogetherPredictor, heard: Sequence[Heard], judge: Judge, equal: Setting) -> None:
        self.predictor, self.heard, self.judge, self.equal = predictor, heard, judge, equal
        self.members = [list(said) for said in zip(*(predictor.of_members(one) for one in heard), strict=True)]
        self.reports = [judge(said) for said in self.members]
        first = self.reports[0]
        if first.counts is None or first.measures is None:
            raise ValueError(f"{first.metric} gives no counts by text")
        self.primary, self.measures = first.primary, first.measures
        self._counts: dict[Setting, Counts] = {}
        self._kept_results: dict[tuple[float, ...], list[list[Any]]] = {}

    @property
    def texts(self) -> int:
        """Texts that count: rows of counts."""
        counts = self.reports[0].counts
        assert counts is not None
        return len(counts)

    @property
    def threshold_key(self) -> str | None:
        """The key of ``decode`` that is the decoder's main threshold, if it has one."""
        return getattr(self.predictor.decoder, "threshold", None)

    def value(self, sums: Counts) -> Any:
        """The primary measure of sums (…, columns)."""
        return np.asarray(self.measures(sums)[self.primary], np.float64)

    def decode_of(self, setting: Setting) -> Any:
        """The settings of ``decode`` that a setting means."""
        settings: Section = self.predictor.settings
        key = self.threshold_key
        return settings if setting.threshold is None or key is None else settings.model_copy(
            update={key: setting.threshold}
        )  # fmt: skip

    def predictions(self, setting: Setting) -> list[Any]:
        """What the ensemble predicts with a setting."""
        predictor, weights = self.predictor, self._weights(setting)
        if predictor.joins_results:
            info = replace(predictor.info, votes=setting.votes)
            results = self._results(setting)
            return [joined_result(predictor.task, said, weights.between, info) for said in results]
        reader, decode = predictor.together, self.decode_of(setting)
        return [
            predictor.decoder.decode(one.item, averaged(one.said, weights, reader.decoders, reader.layout), decode)
            for one in self.heard
        ]

    def found(self, setting: Setting, heard: Heard) -> Candidates:
        """The candidates that the ensemble has of a text with a setting."""
        reader = self.predictor.together
        return averaged(heard.said, self._weights(setting), reader.decoders, reader.layout)

    def _results(self, setting: Setting) -> list[list[Any]]:
        """What each group decides of each text; weights within groups alone matter."""
        weights = self._weights(setting)
        key = weights.members
        if key not in self._kept_results:
            self.predictor.weights = weights
            self._kept_results[key] = [self.predictor.of_groups(one) for one in self.heard]
        return self._kept_results[key]

    def _weights(self, setting: Setting) -> Any:
        groups = self.predictor.weights.groups
        between = tuple(sum(setting.weights[n] for n in mine) for mine in groups)
        # A group that does not count still needs shares within it.
        inner = [
            setting.weights[n] if between[g] > 0 else 1.0 for g, mine in enumerate(groups) for n in mine
        ]  # fmt: skip
        return replace(self.predictor.weights, members=tuple(inner), between=between)

    def counts(self, setting: Setting) -> Counts:
        """(texts, columns) of what adds up."""
        if setting not in self._counts:
            found = self.judge(self.predictions(setting)).counts
            assert found is not None
            self._counts[setting] = found
        return self._counts[setting]

    @cached_property
    def groups(self) -> Ints:
        """(texts,) of near-duplicates; each alone where a scorer takes several inputs for one."""
        if len(self.heard) != self.texts:
            return np.arange(self.texts)
        return groups_of([[bare(str(one.item.text))] for one in self.heard])

    @cached_property
    def parts(self) -> Ints:
        """(texts,): the part of each text; what is chosen on the others is scored on it."""
        return parts_of(self.groups, PARTS)

    def apart(self, estimate: Nested[Setting]) -> Counts:
        """(texts, columns): the counts of each text with what was chosen without its part."""
        found = np.zeros_like(self.counts(self.equal))
        for part, setting in enumerate(estimate.by_part):
            found[self.parts == part] = self.counts(setting)[self.parts == part]
        return found

    def nested(self, *, weights: bool = True, threshold: bool = True) -> Nested[Setting]:
        """Choose weights, votes and threshold, and say what that is worth on texts they were not chosen on."""
        parts = self.parts

        def choose(some: Collection[int]) -> Setting:
            rows = np.isin(parts, list(some))
            best, value = self.equal, self._worth(self.equal, rows)
            for tried in self._tried(weights, threshold):
                for setting in tried(best):
                    if (new := self._worth(setting, rows)) > value:
                        best, value = setting, new
            return best

        return nested(parts, choose, self.counts, self.value, self.equal, groups=self.groups)

    def _worth(self, setting: Setting, rows: Any) -> float:
        return float(self.value(self.counts(setting)[rows].sum(0)))

    def _tried(self, weights: bool, threshold: bool) -> list[Callable[[Setting], list[Setting]]]:
        """Steps of a search by coordinates: each gives the settings that differ from the best so far in one."""
        steps: list[Callable[[Setting], list[Setting]]] = []
        join, count = self.predictor.info.join, len(self.predictor.weights.groups)
        if join == "mean" and threshold and self.threshold_key is not None:
            steps.append(lambda best: [replace(best, threshold=value) for value in THRESHOLDS])
        if join == "vote" and threshold and not self.predictor.task.one_item:
            steps.append(lambda best: [replace(best, votes=(n + 0.5) / count) for n in range(count)])
        if weights and join in ("mean", "vote"):
            steps += [partial(self._other_weights, n=n) for n in range(len(self.equal.weights))]
        return steps

    def _other_weights(self, best: Setting, n: int) -> list[Setting]:
        found = []
        for factor in FACTORS:
            changed = tuple(self.equal.weights[n] * factor if k == n else w for k, w in enumerate(best.weights))
            if sum(w > 0 for w in changed) > 0:
                found.append(replace(best, weights=changed))
        return found

    # -- what is told

    def gains(self, after: Counts) -> Mapping[str, tuple[float, tuple[float, float] | None]]:
        """``mean`` and ``best``: what some counts (texts, columns) are above the mean of the members and the best of
        them, with 95 % intervals; all sides have the same draws of texts."""
        own = [report.counts for report in self.reports]
        values = [float(self.value(counts.sum(0))) for counts in own]  # type: ignore[union-attr]
        best = int(np.argmax(values))
        every = [after, *own]
        width = after.shape[1]
        if len({counts.shape for counts in every}) != 1:  # type: ignore[union-attr]
            return {}

        def differences(sums: Counts) -> Mapping[str, Any]:
            parts = [self.value(sums[..., at * width : (at + 1) * width]) for at in range(len(every))]
            return {"mean": parts[0] - np.mean(parts[1:], axis=0), "best": parts[0] - parts[1 + best]}

        stacked = np.hstack(every)  # type: ignore[arg-type]
        whole = differences(stacked.sum(0))
        drawn = bootstrap(stacked, differences)
        return {name: (float(whole[name]), drawn.get(name)) for name in ("mean", "best")}

    def agreement(self) -> list[tuple[int, int, float, str]]:
        """(n, items, how often they are right, by what measure) for what exactly n members have found."""
        task, count = self.predictor.task, len(self.members)
        votes: list[dict[Hashable, int]] = []
        for said in zip(*self.members, strict=True):
            mine: dict[Hashable, int] = {}
            for prediction in said:
                for item in task.items(prediction):
                    mine[item] = mine.get(item, 0) + 1
            votes.append(mine)
        rows = []
        for n in range(1, count + 1):
            predictions, has = [], []
            items = 0
            for said, of in zip(zip(*self.members, strict=True), votes, strict=True):
                found = [task.items(one) for one in said]
                probability = {item: max(f.get(item, 0.0) for f in found) for item, k in of.items() if k == n}
                predictions.append(task.joined(said, probability))
                items += len(probability)
                has.append(bool(probability))
            if not items:
                continue
            report = self.judge(predictions)
            measure = "precision" if "precision" in report.values else report.primary
            assert report.counts is not None and report.measures is not None
            mask = np.array(has) if len(has) == len(report.counts) else np.ones(len(report.counts), bool)
            value = float(report.measures(report.counts[mask].sum(0))[measure])
            rows.append((n, items, value, measure))
        return rows
