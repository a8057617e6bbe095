"""Some records of a file, drawn so that each has the same chance, while the file streams by."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from random import Random

from ietool.core.looked import Looked

EACH = 2
"""Records of one label that are drawn besides."""

LABELS = 40
"""Labels of which some are drawn, those seen first."""


@dataclass(frozen=True)
class Sample:
    """A record and where it stands."""

    looked: Looked
    place: str
    number: int


@dataclass
class _Drawn:
    """``size`` of the records that came, by Vitter's algorithm R."""

    size: int
    random: Random
    came: int = 0
    kept: list[Sample] = field(default_factory=list)

    def offer(self, sample: Sample) -> None:
        self.came += 1
        if len(self.kept) < self.size:
            self.kept.append(sample)
        elif (at := self.random.randrange(self.came)) < self.size:
            self.kept[at] = sample


class Samples:
    """A few records of all, and some of each label.

    Args:
        size: of all.
        seed: the same seed draws the same records of the same file.
    """

    def __init__(self, size: int, seed: int = 0) -> None:
        self._seed, self._random = seed, Random(seed)
        self._all = _Drawn(size, self._random)
        self._labels: dict[str, _Drawn] = {}

    def offer(self, sample: Sample, labels: Iterable[str]) -> None:
        """One more record, with the labels that it has."""
        self._all.offer(sample)
        for label in labels:
            drawn = self._labels.get(label)
            if drawn is None:
                if len(self._labels) >= LABELS:
                    continue
                drawn = self._labels[label] = _Drawn(EACH, self._random)
            drawn.offer(sample)

    def drawn(self, most: int | None = None) -> list[Sample]:
        """Those of all records, or ``most`` of them, in the order of the file."""
        kept = self._all.kept
        if most is not None and most < len(kept):
            kept = Random(self._seed).sample(kept, most)
        return sorted(kept, key=lambda sample: sample.number)

    def __iter__(self) -> Iterator[Sample]:
        """All that were drawn, each once, in the order of the file."""
        every = {sample.number: sample for drawn in (self._all, *self._labels.values()) for sample in drawn.kept}
        return iter([every[number] for number in sorted(every)])
