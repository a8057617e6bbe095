"""A text and the type of an event as the pieces that the model reads; and what a run must carry for that."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ietool.errors import WHOLE, UserError, cause
from ietool.tasks.event_subject.data.example import Example
from ietool.tasks.event_subject.recipe import SubjectRecipe
from ietool.text.pieces import Piece, cut_pieces
from ietool.text.readers import copy_reader, open_reader
from ietool.text.units import UnitReader

TYPES = "types.json"


def save_types(types: Sequence[str], folder: Path) -> None:
    """Write what :func:`load_types` reads."""
    (folder / TYPES).write_text(json.dumps(list(types), ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


def load_types(folder: Path) -> tuple[str, ...]:
    """The event types that a model was taught, by number. Raises UserError if the file is missing or damaged."""
    path = folder / TYPES
    try:
        types = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(types, list) or not types or not all(isinstance(name, str) for name in types):
            raise ValueError("a list of names is needed")
    except FileNotFoundError:
        raise UserError("is missing", file=path, mend=WHOLE) from None
    except (OSError, ValueError) as error:
        raise UserError(f"is no list of types ({cause(error)})", file=path, mend=WHOLE) from None
    return tuple(types)


@dataclass(frozen=True)
class TypedPiece(Piece):
    """A window, and the number of the type that is asked for in it."""

    type: int


class Featurizer:
    """Turns examples into pieces; opened from a prepared folder or a run folder."""

    def __init__(self, reader: UnitReader, types: Sequence[str], window: int, overlap: int) -> None:
        self.reader, self.window, self.overlap = reader, window, overlap
        self.numbers = {name: number for number, name in enumerate(types)}

    @classmethod
    def open(cls, recipe: SubjectRecipe, folder: Path) -> Featurizer:
        return cls(open_reader(folder), load_types(folder), recipe.data.window, recipe.data.overlap)

    def cut(self, examples: Sequence[Example]) -> Iterator[tuple[int, TypedPiece]]:
        """The windows of some examples, each with the number of its example; of a type that the model was not taught
        there are none."""
        known = [n for n, example in enumerate(examples) if example.type in self.numbers]
        for piece in cut_pieces(self.reader, [examples[n].text for n in known], self.window, self.overlap):
            number = known[piece.text]
            yield number, TypedPiece(number, piece.start, piece.end, piece.units, self.numbers[examples[number].type])


def copy_assets(source: Path, target: Path) -> None:
    """What a run folder carries: everything :meth:`Featurizer.open` reads."""
    copy_reader(source, target)
    shutil.copyfile(source / TYPES, target / TYPES)
