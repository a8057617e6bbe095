"""Prepare: validate, count, encode and write."""

from __future__ import annotations

import hashlib
import tempfile
from collections import Counter
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from ietool.tasks.base import PrepareReport, Progress, Sources
from ietool.files import read_lines
from ietool.tasks.ske.data import Example, format_line, infer_schema, load_examples, read_examples, read_schema
from ietool.tasks.ske.features import CHARACTERS, SCHEMA, VECTORS, WORDS, Featurizer
from ietool.tasks.ske.labelling import facts, label_rows
from ietool.tasks.ske.prior import PriorBuilder
from ietool.tasks.ske.recipe import SkeRecipe
from ietool.text.characters import CharVocabulary, fold
from ietool.text.windows import windows
from ietool.text.word_vectors import load_word_vectors
from ietool.training.tables import write_table


HEAD = 4096
"""Training records kept as they are, for ``--overfit``."""


def _digest(text: str) -> bytes:
    return hashlib.blake2b(text.encode(), digest_size=12).digest()


def prepare(
    recipe: SkeRecipe, sources: Sources, folder: Path, *, rejects: Path | None, progress: Progress
) -> PrepareReport:
    from datasets import Features, Sequence, Value

    if "schema" in sources.files:
        schema = read_schema(sources.files["schema"])
    else:
        schema = infer_schema(load_examples(sources.files["train"]))
    labels = {label: i for i, label in enumerate(schema.labels)}
    counts: Counter[str] = Counter()
    report = PrepareReport()
    with tempfile.TemporaryDirectory(dir=folder, prefix=".scratch-") as name:
        scratch = Path(name)
        builder = PriorBuilder(scratch)
        number = 0
        for number, example in enumerate(load_examples(sources.files["train"], schema), 1):
            if builder.first_time(_digest(example.text)):
                counts.update(fold(example.text))
                builder.add(set(facts(example.triples, labels)))
        builder.write(folder)
        vocabulary = CharVocabulary.from_counts(counts, recipe.data.min_char_count)
        vocabulary.save(folder / CHARACTERS)
        (folder / SCHEMA).write_text(schema.to_json(), encoding="utf-8")
        if recipe.data.word_vectors is not None:
            vectors = load_word_vectors(recipe.data.word_vectors)
            (folder / WORDS).write_text("\n".join(vectors.words) + "\n", encoding="utf-8")
            np.save(folder / VECTORS, np.asarray(vectors.matrix, np.float16), allow_pickle=False)
        featurizer = Featurizer.open(folder, priors=True)

        def rows(example: Example) -> Iterator[dict[str, Any]]:
            stated = facts(example.triples, labels)
            for start, end in windows(example.text, recipe.data.window, recipe.data.overlap):
                text = example.text[start:end]
                features = featurizer.encode(text, own=set(stated))
                spans = label_rows(stated, text, first_only=recipe.data.occurrences == "first")
                yield {
                    "text": text, "length": len(text), "start": start,
                    "characters": features.characters, "words": features.words, "tags": features.tags,
                    "spans": np.array(spans, np.int32).reshape(-1), "prior": features.prior.reshape(-1),
                }  # fmt: skip

        def train_rows() -> Iterator[dict[str, Any]]:
            for done, example in enumerate(load_examples(sources.files["train"], schema), 1):
                yield from rows(example)
                if done % 256 == 0:
                    progress("features", done, number)

        columns = Features(
            {
                "text": Value("string"), "length": Value("int32"), "start": Value("int32"),
                "characters": Sequence(Value("int32")), "words": Sequence(Value("int32")),
                "tags": Sequence(Value("uint8")), "spans": Sequence(Value("int32")), "prior": Sequence(Value("int32")),
            }
        )  # fmt: skip
        write_table(train_rows, columns, folder / "train", scratch)
        with (folder / "dev.jsonl").open("w", encoding="utf-8") as out:
            for example in load_examples(sources.files["dev"], schema):
                out.write(format_line(example.text, example.triples, schema) + "\n")
        with (folder / "train.jsonl").open("w", encoding="utf-8") as out:
            for example in islice(load_examples(sources.files["train"], schema), HEAD):
                out.write(format_line(example.text, example.triples, schema) + "\n")
    return report


def read_split(prepared: Path, split: str, limit: int | None) -> list[Example]:
    """The examples of a prepared split, ``dev`` or the head of ``train``; at most ``limit``."""
    return list(islice(read_examples(read_lines(prepared / f"{split}.jsonl")), limit))
