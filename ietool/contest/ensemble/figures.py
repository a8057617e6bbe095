"""What an ensemble gains: on texts with gold, each member, all together, and how often agreement is right."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np

from ietool.contest.judging import counted
from ietool.contest.nested import Nested, nested, parts_of
from ietool.core.candidates import Candidates
from ietool.core.joining import averaged
from ietool.core.kin import groups_of
from ietool.core.together import Heard
from ietool.recipe import Recipe, Section
from ietool.scoring.intervals import bootstrap
from ietool.scoring.paired import Ints, together
from ietool.scoring.report import Counts, Report
from ietool.workflow.members import TogetherPredictor, joined_result

Judge = Callable[[Iterable[Any]], Report]
"""Predictions, one an input and in their order → the official score; all of them are taken."""

FACTORS = (0.0, 0.5, 2.0)
"""What a member's weight is multiplied by when weights are tried."""
THRESHOLDS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7)
PARTS = 5
ROUNDS = 3
"""Of a search over all of them, at most: a threshold that was best for equal weights need not be so for others."""


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


@dataclass(frozen=True)
class Hearing:
    """Some texts and the members that are asked about them.

    Attributes:
        predictor: of these members together.
        heard: what they say of each text, as often as it is gone through.
    """

    predictor: TogetherPredictor
    heard: Iterable[Heard]


class Trial:
    """What members say of texts with gold, and what any setting makes of it. No model is run.

    Where each text has members of its own, which have not seen it, a place in ``weights`` stands for one of them in
    every hearing.

    Args:
        hearings: one after another; all have equally many members, in groups of the same sizes.
        judge: see :data:`Judge`; of the texts of all hearings.
        equal: the setting to compare with.
        recipe: by whose variant single texts are judged.
        groups: (texts,) of near-duplicates; None: found here.
        scratch: where counts are laid down; predictions are then made anew each time, so that memory does not grow with
            the texts. None: all is held in memory.
        told: how many settings were tried.
    """

    def __init__(
        self,
        hearings: Sequence[Hearing],
        judge: Judge,
        equal: Setting,
        recipe: Recipe,
        *,
        groups: Ints | None = None,
        scratch: Path | None = None,
        told: Callable[[int], None] = lambda done: None,
    ) -> None:
        self.hearings, self.judge, self.equal, self.scratch, self.told = hearings, judge, equal, scratch, told
        self.predictor, self.recipe = hearings[0].predictor, recipe
        self._given_groups = groups
        self._members: list[list[Any]] | None = None
        if scratch is None:
            self._members = [list(said) for said in zip(*self._of_members(), strict=True)]
        self.reports = [judge(self._of_member(number)) for number in range(len(equal.weights))]
        first = self.reports[0]
        if first.counts is None or first.measures is None:
            raise ValueError(f"{first.metric} gives no counts by text")
        self.primary, self.measures = first.primary, first.measures
        self._counts: dict[Setting, Counts] = {}
        self._kept_results: dict[tuple[float, ...], list[list[Any]]] = {}

    def _of_member(self, number: int) -> Iterable[Any]:
        """What a member predicts of each text alone."""
        if self._members is not None:
            return self._members[number]
        return (one.predictor.of_member(heard, number) for one in self.hearings for heard in one.heard)

    def _of_members(self) -> Iterator[Sequence[Any]]:
        """What each member predicts alone, text by text."""
        if self._members is not None:
            return zip(*self._members, strict=True)
        return (one.predictor.of_members(heard) for one in self.hearings for heard in one.heard)

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

    def predictions(self, setting: Setting) -> Iterator[Any]:
        """What the ensemble predicts with a setting, text by text."""
        weights, decode = self._weights(setting), self.decode_of(setting)
        if self.predictor.joins_results:
            info = replace(self.predictor.info, votes=setting.votes)
            for said in self._results(setting):
                yield joined_result(self.predictor.task, said, weights.between, info)
            return
        for predictor, heard in ((one.predictor, heard) for one in self.hearings for heard in one.heard):
            reader = predictor.together
            found = averaged(heard.said, weights, reader.decoders, reader.layout)
            yield predictor.decoder.decode(heard.item, found, decode)

    def found(self, setting: Setting, heard: Heard) -> Candidates:
        """The candidates that the ensemble has of a text with a setting."""
        reader = self.predictor.together
        return averaged(heard.said, self._weights(setting), reader.decoders, reader.layout)

    def _results(self, setting: Setting) -> Iterable[list[Any]]:
        """What each group decides of each text; weights within groups alone matter."""
        weights = self._weights(setting)
        if self._members is None:
            return self._decided(weights)
        sums = [sum(weights.members[n] for n in mine) for mine in weights.groups]
        key = tuple(round(weights.members[n] / sums[g], 9) for g, mine in enumerate(weights.groups) for n in mine)
        if key not in self._kept_results:
            self._kept_results[key] = list(self._decided(weights))
        return self._kept_results[key]

    def _decided(self, weights: Any) -> Iterator[list[Any]]:
        for one in self.hearings:
            one.predictor.weights = weights
            yield from map(one.predictor.of_groups, one.heard)

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
            self._counts[setting] = self._laid_down(found)
            self.told(len(self._counts))
        return self._counts[setting]

    def _laid_down(self, counts: Counts) -> Counts:
        """Counts as they are, or as they lie on disk."""
        if self.scratch is None:
            return counts
        path = self.scratch / f"counts-{len(self._counts)}.npy"
        np.save(path, counts, allow_pickle=False)
        found: Counts = np.load(path, mmap_mode="r", allow_pickle=False)
        return found

    @cached_property
    def groups(self) -> Ints:
        """(texts,) of near-duplicates."""
        groups = self._given_groups
        if groups is None:
            kin = self.predictor.task.kin
            groups = groups_of([kin(heard.item) for one in self.hearings for heard in one.heard])
        if len(groups) == self.texts:
            return groups
        # A scorer takes several for one, or leaves some out.
        items = (heard.item for one in self.hearings for heard in one.heard)
        places = counted(self.predictor.task, self.recipe, zip(items, self._of_member(0), strict=True))
        return groups[places] if len(places) == self.texts else np.arange(self.texts)

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
            steps = self._tried(weights, threshold)
            # A threshold that is best for equal weights may hide that others are better, and the other way round.
            found = [self._climbed(order, rows) for order in (steps, steps[::-1])]
            return max(found, key=lambda setting: self._worth(setting, rows))

        return nested(parts, choose, self.counts, self.value, self.equal, groups=self.groups)

    def _climbed(self, steps: Sequence[Callable[[Setting], list[Setting]]], rows: Any) -> Setting:
        """What a search by coordinates finds, on some texts."""
        best, value = self.equal, self._worth(self.equal, rows)
        for _ in range(ROUNDS):
            before = best
            for tried in steps:
                for setting in tried(best):
                    if (new := self._worth(setting, rows)) > value:
                        best, value = setting, new
            if best == before:
                break
        return best

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
        them, with 95 % intervals; all sides have the same draws of texts, near-duplicates together."""
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
        drawn = bootstrap(together(stacked, self.groups), differences)
        return {name: (float(whole[name]), drawn.get(name)) for name in ("mean", "best")}

    def agreement(self) -> list[tuple[int, int, float, str]]:
        """(n, items, how often they are right, by what measure) for what exactly n members have found."""
        rows = []
        for n in range(1, len(self.equal.weights) + 1):
            items: list[int] = []
            report = self.judge(self._agreed(n, items))
            if not sum(items):
                continue
            measure = "precision" if "precision" in report.values else report.primary
            assert report.counts is not None and report.measures is not None
            mask = np.array(items) > 0 if len(items) == len(report.counts) else np.ones(len(report.counts), bool)
            value = float(report.measures(report.counts[mask].sum(0))[measure])
            rows.append((n, sum(items), value, measure))
        return rows

    def _agreed(self, n: int, items: list[int]) -> Iterator[Any]:
        """What exactly n members have found of each text; ``items`` is told how much that is."""
        task = self.predictor.task
        for said in self._of_members():
            found = [task.items(one) for one in said]
            votes = Counter(item for mine in found for item in mine)
            probability = {item: max(f.get(item, 0.0) for f in found) for item, k in votes.items() if k == n}
            items.append(len(probability))
            yield task.joined(said, probability)
