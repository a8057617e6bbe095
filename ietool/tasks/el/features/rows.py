"""The rows of the training table: texts with their matches, labels and gold mentions as numbers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from ietool.tasks.el.data.example import Example
from ietool.tasks.el.features.annotations import Folds
from ietool.tasks.el.features.featurizer import Featurizer
from ietool.tasks.el.features.signals import SIGNALS
from ietool.text.windows import RECORD, windows

UNKNOWN, NIL_ROW = -1, -2
"""In place of a gold entity's row: not said, or not in the knowledge base."""

NO_RECORD = -1
"""Row number of texts that are no records of train: those of a file of mentions without ids. They are learnt from where
all of train is, or where their number is asked for too."""

COLUMNS = {
    "ids": 1, "words": 1, "tags": 1, "matches": 3, "names": 2, "signals": SIGNALS, "labels": 1,
    "mentions": 5, "mention_units": 2, "borders": 2,
}  # fmt: skip
"""List columns of the training table and the width of their rows. ``matches``: units, half-open, and name number.
``mentions``: start, end, name number (−1: no name of the knowledge base), gold row, NIL type (−1: none);
``mention_units``: the same in units, half-open. ``borders``: first and last unit of every annotated mention, whether
the knowledge base has its name or not. What the units cannot express is left out."""


def gold_of(example: Example, nil: str) -> dict[tuple[int, int], str]:
    """Span → kb_id of the mentions that are to be found, an empty one where there is no id; NIL by recipe."""
    return {(m.start, m.end): "" if m.is_nil else m.kb_id for m in example.mentions if nil == "keep" or not m.is_nil}


def encode(
    featurizer: Featurizer, folds: Folds, example: Example, types: Mapping[str, int], record: int
) -> Iterator[dict[str, Any]]:
    """The rows of one training text, one a window.

    Args:
        featurizer: with the statistics of all parts of train.
        folds: those of each.
        example: the text.
        types: classes of NIL mentions.
        record: number of the text among the records of train; :data:`NO_RECORD` if it is none.
    """
    data, kb = featurizer.recipe.data, featurizer.kb
    part = folds.part(example.text)
    gold = gold_of(example, data.nil)
    for start, stop in windows(example.text, data.window, data.overlap):
        text = example.text[start:stop]
        features = featurizer.encode(text, folds.parts[part])
        units = features.units
        labels = [(a + start, b + start) in gold for a, b, _ in features.matches.tolist()]
        mentions, mention_units, borders = [], [], []
        for m in example.mentions:
            if not (start <= m.start and m.end <= stop):
                continue
            at = units.span_of(m.start - start, m.end - start)
            if at is None:
                continue
            number = kb.number(m.mention)
            row = NIL_ROW if m.is_nil else kb.row(m.kb_id) if m.kb_id else None
            nil_type = types[m.kb_id.partition("|")[0]] if m.is_nil and data.nil == "keep" else -1
            borders.append((at[0], at[1] - 1))
            if number is not None or nil_type >= 0:
                mentions.append((m.start - start, m.end - start, -1 if number is None else number,
                                 UNKNOWN if row is None else row, nil_type))  # fmt: skip
                mention_units.append(at)
        lists = {
            "ids": units.ids, "words": units.words, "tags": units.tags,
            "matches": np.c_[features.spans, features.matches[:, 2]], "names": features.names, "labels": labels,
            "mentions": mentions, "mention_units": mention_units, "borders": borders,
        }  # fmt: skip
        yield {
            RECORD: record,
            "text": text,
            "length": len(units),
            "fold": part,
            "signals": features.signals.reshape(-1),
            **{name: np.asarray(value, np.int32).reshape(-1) for name, value in lists.items()},
        }


def table_columns() -> Any:
    """The columns of the training table, as ``datasets`` wants them."""
    from datasets import Features as Columns
    from datasets import Sequence, Value

    lists = {name: Sequence(Value("float32" if name == "signals" else "int32")) for name in COLUMNS}
    numbers = {RECORD: Value("int32"), "text": Value("string")}
    return Columns({**numbers, "length": Value("int32"), "fold": Value("int32"), **lists})
