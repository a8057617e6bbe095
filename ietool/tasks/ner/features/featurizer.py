"""A text as the pieces that the model reads: windows of it, as units; and what a run must carry for that."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from ietool.errors import WHOLE, UserError, cause
from ietool.tasks.ner.data.example import Example
from ietool.tasks.ner.recipe import NerRecipe
from ietool.text.pieces import Piece, cut_pieces
from ietool.text.readers import copy_reader, open_reader
from ietool.text.units import UnitReader

LABELS = "labels.json"


@dataclass(frozen=True)
class Labels:
    """What a model was taught, and in what form it is written.

    Attributes:
        types: of entities, the most frequent first.
        form: of the training file.
        separator: between a token and its tag in that file.
    """

    types: tuple[str, ...]
    form: str
    separator: str = " "

    def save(self, folder: Path) -> None:
        """Write what :meth:`load` reads."""
        (folder / LABELS).write_text(json.dumps(asdict(self), ensure_ascii=False, indent=1) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> Labels:
        """From a prepared folder or run folder. Raises UserError if the file is missing or damaged."""
        path = folder / LABELS
        try:
            data = json.loads(path.read_text(encoding="utf-8"))
            types, form, separator = data["types"], data["form"], data["separator"]
            if not all(isinstance(x, str) for x in (*types, form, separator)):
                raise ValueError("something is no string")
        except FileNotFoundError:
            raise UserError("is missing", file=path, mend=WHOLE) from None
        except (OSError, ValueError, LookupError, TypeError) as error:
            raise UserError(f"is no list of types ({cause(error)})", file=path, mend=WHOLE) from None
        return cls(tuple(types), form, separator)


class Featurizer:
    """Turns texts into pieces; opened from a prepared folder or a run folder."""

    def __init__(self, reader: UnitReader, window: int, overlap: int) -> None:
        self.reader, self.window, self.overlap = reader, window, overlap

    @classmethod
    def open(cls, recipe: NerRecipe, folder: Path) -> Featurizer:
        return cls(open_reader(folder), recipe.data.window, recipe.data.overlap)

    def cut(self, examples: Sequence[Example]) -> Iterator[tuple[int, Piece]]:
        """The windows of some examples, each with the number of its example."""
        return ((piece.text, piece) for piece in self.pieces([example.text for example in examples]))

    def pieces(self, texts: Sequence[str]) -> list[Piece]:
        """The windows of some texts; see :func:`cut_pieces`."""
        return cut_pieces(self.reader, texts, self.window, self.overlap)


def copy_assets(source: Path, target: Path) -> None:
    """What a run folder carries: everything :meth:`Featurizer.open` and :meth:`Labels.load` read."""
    copy_reader(source, target)
    shutil.copyfile(source / LABELS, target / LABELS)
