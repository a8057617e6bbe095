"""From inputs to predictions: a head's reader says what its model finds, a decoder draws the line.

inputs ──cut──▶ windows ──read in batches of like length──▶ candidates ──decode──▶ predictions
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any, ClassVar, Generic, Protocol, TypeVar

import numpy as np
import numpy.typing as npt

from ietool.core.candidates import Candidates, Floor, Layout, Parts
from ietool.recipe import Section

In = TypeVar("In")
Out = TypeVar("Out")
Asked = TypeVar("Asked", contravariant=True)
Said = TypeVar("Said", covariant=True)


class Reader(Protocol[In]):
    """A model with all it needs to say what it finds in a text; it knows no threshold but the floor it is given."""

    layout: ClassVar[Layout]
    most: int
    """At most so many rows a text are proposed, the most probable ones; a head may give long texts more."""
    highest_probability: float
    """The highest probability of anything seen so far: tells a silent model from one below its thresholds."""

    @property
    def notes(self) -> Sequence[str]:
        """What the user should know of the model with these settings, and of the texts read so far."""
        ...

    def propose(self, inputs: Iterable[In], *, floor: Floor) -> Iterator[tuple[In, Candidates]]:
        """Each input, in order, with everything above the floor; a bounded number of inputs is held at once."""
        ...

    def score(self, inputs: Iterable[tuple[In, Candidates]]) -> Iterator[tuple[In, Candidates]]:
        """The same rows of each input, with what this model says of them: 0 where it can say nothing."""
        ...


class Decoder(Protocol[Asked, Said]):
    """From candidates to a prediction: pure, numpy alone. It holds names and rules, and no threshold."""

    layout: ClassVar[Layout]

    def floor(self, decode: Any) -> Floor:
        """What a row needs at least to be of use with these settings of ``decode``."""
        ...

    def decode(self, item: Asked, found: Candidates, decode: Any) -> Said:
        """The prediction that these settings make of the candidates, which may lie below them."""
        ...


class Predictor(Generic[In, Out]):
    """A reader and a decoder with the settings of a recipe: inputs in, predictions out."""

    def __init__(self, reader: Reader[In], decoder: Decoder[In, Out], decode: Section) -> None:
        self.reader, self.decoder, self.settings = reader, decoder, decode
        self.capped = 0
        """Texts of which candidates were left out, because there were too many."""

    @property
    def highest_probability(self) -> float:
        """As the reader has it."""
        return self.reader.highest_probability

    @property
    def notes(self) -> Sequence[str]:
        """Those of the reader, and whether it found more than a text may have."""
        if not self.capped:
            return tuple(self.reader.notes)
        cap = (
            f"{self.capped:,} texts have more than {self.reader.most:,} candidates above the thresholds: the most "
            "probable ones were taken (a model that finds everything has learnt nothing, or the thresholds are too low)"
        )
        return (*self.reader.notes, cap)

    def predict(self, inputs: Iterable[In]) -> Iterator[Out]:
        """One prediction per input, in order; a bounded number of inputs is held at once."""
        for _, prediction in self.decided(inputs):
            yield prediction

    def decided(self, inputs: Iterable[In], floor: Floor | None = None) -> Iterator[tuple[Candidates, Out]]:
        """Each prediction with the candidates that it was made of: those above the thresholds alone, or all above a
        floor, of which the same is predicted."""
        decode = self.decoder.decode
        floor = self.decoder.floor(self.settings) if floor is None else floor
        for item, found in self.reader.propose(inputs, floor=floor):
            self.capped += found.capped > 0
            yield found, decode(item, found, self.settings)


def with_parts(given: Candidates, scored: Iterable[tuple[npt.NDArray[np.int64], Parts]], width: int) -> Candidates:
    """Candidates with what one model says of them; rows that were scored nowhere have zeros.

    Args:
        given: n rows.
        scored: (numbers of rows, their parts) of each window.
        width: parts of a row.
    """
    parts = np.zeros((len(given), width), np.float32)
    for rows, said in scored:
        parts[rows] = said
    return replace(given, parts=parts, models=1)
