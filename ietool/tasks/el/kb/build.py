"""Compiling a knowledge base: entities go to disk as they are read; names, in memory, become an automaton.

Standard parts: Arrow IPC files, which are opened by memory map, and daachorse's Aho–Corasick automaton.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from array import array
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import Any

import daachorse
import numpy as np
import pyarrow as pa

from ietool.errors import UserError
from ietool.files.lines import OnBad, read_lines
from ietool.files.outputs import replace_folder
from ietool.files.records import Told, count_lines, first_told
from ietool.progress import Progress, no_progress
from ietool.tasks.el.data.example import normalise
from ietool.tasks.el.kb.info import AUTOMATON, ENTITIES, FILES, IDS, INFO, NAMES, KBInfo, checksum
from ietool.tasks.el.kb.records import Entity, EntityReader

_strings = pa.list_(pa.string())
ENTITY_SCHEMA = pa.schema(
    {
        "kb_id": pa.string(), "subject": pa.string(), "aliases": _strings, "types": _strings,
        "predicates": _strings, "objects": _strings,
    }
)  # fmt: skip
NAME_SCHEMA = pa.schema({"name": pa.string(), "rows": pa.list_(pa.int32())})
ID_SCHEMA = pa.schema({"kb_id": pa.string(), "row": pa.int32()})

SCRATCH = ".kb-"
"""How folders of knowledge bases that are not finished begin."""

BATCH = 1024
"""Entities in a batch of the file: what is checked, and touched, when one of them is asked for."""

_BATCH_CHARACTERS = 1 << 26
"""A batch of fewer entities with very long texts; Arrow's strings are limited to 2 GiB a batch."""


def build(source: Path, folder: Path, *, on_bad: OnBad | None = None, progress: Progress = no_progress) -> None:
    """Compile ``source`` into ``folder``, which appears when it is whole; an older one there is replaced.

    Raises:
        UserError: the source cannot be read, has a bad record (without ``on_bad``) or no usable one, or the folder is
            taken by something else or cannot be written.
    """
    if folder.exists() and not (folder / INFO).is_file() and (not folder.is_dir() or any(folder.iterdir())):
        raise UserError("is not empty and no knowledge base", file=folder, mend="choose another place")
    scratch = None
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        scratch = Path(tempfile.mkdtemp(prefix=SCRATCH, dir=folder.parent))
        _Build(source, scratch, on_bad, progress).run()
        os.chmod(scratch, 0o755)
        replace_folder(scratch, folder)
    except OSError as error:
        message = f"could not be written ({error.strerror or error}); nothing was changed"
        raise UserError(message, file=folder, mend="free some space or choose another place") from None
    finally:
        if scratch is not None:
            shutil.rmtree(scratch, ignore_errors=True)


class _Build:
    """One run of :func:`build`: what its steps share."""

    def __init__(self, source: Path, folder: Path, on_bad: OnBad | None, progress: Progress) -> None:
        self.source, self.folder, self.progress = source, folder, progress
        self.on_bad = None if on_bad is None else Told(on_bad)
        self.reader = EntityReader()
        self.names: dict[str, int] = {}
        # Which name belongs to which entity: numbers of both, by entity.
        self.name_of, self.row_of = array("i"), array("i")
        self.types: Counter[str] = Counter()
        self.facts = self.characters = self.merged = self.unusable = 0

    def run(self) -> None:
        ids = self.write_entities()
        if not ids and self.on_bad is not None:
            self.on_bad.check()
        if not ids:
            mend = 'bring a file with one {"subject_id", "subject", "alias", "type", "data"} a line'
            raise UserError("holds no record", file=self.source, mend=mend)
        if not self.names:
            raise UserError("none of its names can be looked for", file=self.source, mend="check its subjects")
        reader = self.reader
        fingerprint, empty_aliases, empty_objects = reader.fingerprint, reader.empty_aliases, reader.empty_objects
        self.write_ids(ids)
        del ids, reader, self.reader
        counts = self.write_names()
        self.write_automaton()
        KBInfo(
            fingerprint=fingerprint,
            entities=self.entities,
            names=len(counts),
            names_per_entity=len(self.row_of) / self.entities,
            ambiguous_names=int((counts > 1).sum()),
            candidates_mean=float(counts.mean()),
            candidates_p95=float(np.percentile(counts, 95)),
            candidates_max=int(counts.max()),
            facts=self.facts,
            description_characters=self.characters,
            merged_names=self.merged,
            unusable_names=self.unusable,
            empty_aliases=empty_aliases,
            empty_objects=empty_objects,
            rejected=0 if self.on_bad is None else self.on_bad.count,
            types=dict(self.types.most_common()),
            files={name: (self.folder / name).stat().st_size for name in FILES},
            checksums={name: checksum(self.folder / name) for name in FILES},
        ).save(self.folder)

    def write_entities(self) -> list[str]:
        """Read the source, write the entities in batches and collect their names; gives their ids in order."""
        total = count_lines(self.source)
        ids: list[str] = []
        batch: list[Entity] = []
        size = 0
        with pa.ipc.new_file(self.folder / ENTITIES, ENTITY_SCHEMA) as out:
            for entity in self.entities_read():
                characters = sum(len(predicate) + len(value) for predicate, value in entity.facts)
                if len(batch) == BATCH or size > _BATCH_CHARACTERS:
                    out.write(_entity_batch(batch))
                    batch, size = [], 0
                    self.progress("knowledge base", self.reader.line if total else len(ids), total)
                self.add_names(entity, len(ids))
                self.types.update(set(entity.types))
                self.facts += len(entity.facts)
                self.characters += characters
                size += characters
                ids.append(entity.kb_id)
                batch.append(entity)
            if batch:
                out.write(_entity_batch(batch))
        self.progress("knowledge base", total or len(ids), total or len(ids))
        self.entities = len(ids)
        return ids

    def entities_read(self) -> Iterator[Entity]:
        """The entities of the source. Raises UserError as :func:`build`."""
        readers = chain([self.reader], iter(EntityReader, None))  # a file is looked at once more by a fresh one
        yield from first_told(lambda on_bad: next(readers).read(read_lines(self.source, on_bad), on_bad), self.on_bad)

    def add_names(self, entity: Entity, row: int) -> None:
        """Note under which names an entity is found."""
        names = entity.names()
        keys = {key: None for name in names if (key := normalise(name)).strip()}
        unusable = sum(not normalise(name).strip() for name in names)
        self.unusable += unusable
        self.merged += len(names) - unusable - len(keys)
        for key in keys:
            self.name_of.append(self.names.setdefault(key, len(self.names)))
            self.row_of.append(row)

    def write_ids(self, ids: list[str]) -> None:
        """The ids in order of code points, and their rows."""
        order = sorted(range(len(ids)), key=ids.__getitem__)
        self._write(IDS, ID_SCHEMA, [pa.array([ids[row] for row in order]), pa.array(order, pa.int32())])

    def write_names(self) -> Any:
        """The names in the order of their numbers, each with its rows; gives the numbers of rows."""
        numbers = np.frombuffer(self.name_of, np.int32)
        rows = np.frombuffer(self.row_of, np.int32)[np.argsort(numbers, kind="stable")]
        counts = np.bincount(numbers, minlength=len(self.names))
        offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int32)
        lists = pa.ListArray.from_arrays(pa.array(offsets), pa.array(rows))
        self._write(NAMES, NAME_SCHEMA, [pa.array(self.names.keys(), pa.string()), lists])
        return counts

    def write_automaton(self) -> None:
        self.progress("automaton", 0, 1)
        names = list(self.names)
        self.names.clear()
        # Standard: all occurrences, from which the leftmost longest follow; the other kinds give only those.
        automaton = daachorse.CharwiseDoubleArrayAhoCorasick(names, match_kind=daachorse.MATCH_KIND_STANDARD)
        del names
        (self.folder / AUTOMATON).write_bytes(automaton.serialize())
        self.progress("automaton", 1, 1)

    def _write(self, name: str, schema: Any, columns: list[Any]) -> None:
        with pa.ipc.new_file(self.folder / name, schema) as out:
            out.write(pa.record_batch(columns, schema=schema))


def _entity_batch(entities: Iterable[Entity]) -> Any:
    rows = [
        (e.kb_id, e.subject, e.aliases, e.types, [p for p, _ in e.facts], [o for _, o in e.facts]) for e in entities
    ]
    columns = [
        pa.array(column, field.type) for column, field in zip(zip(*rows, strict=True), ENTITY_SCHEMA, strict=True)
    ]
    return pa.record_batch(columns, schema=ENTITY_SCHEMA)
