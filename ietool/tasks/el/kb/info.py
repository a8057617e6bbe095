"""What a compiled knowledge base says of itself: its files, and ``kb.json`` with counts and checksums."""

from __future__ import annotations

import json
import zlib
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from ietool.errors import UserError

INFO, ENTITIES, NAMES, IDS, AUTOMATON = "kb.json", "entities.arrow", "names.arrow", "ids.arrow", "names.daac"
FILES = (ENTITIES, NAMES, IDS, AUTOMATON)

FORMAT = 1
"""Raised when folders of older versions must not be opened any more."""

AGAIN = "compile it again from kb_data, or copy the whole folder again"


@dataclass(frozen=True)
class KBInfo:
    """What is in a compiled knowledge base.

    Attributes:
        fingerprint: stands for the records it was made from.
        entities: how many entities.
        names: different names after normalisation.
        names_per_entity: mean number of (normalised) names of an entity.
        ambiguous_names: names of more than one entity.
        candidates_mean, candidates_p95, candidates_max: entities of a name.
        facts: (predicate, object) pairs.
        description_characters: characters of those pairs.
        types: type → entities, the most frequent first.
        merged_names: names dropped because another one of the entity is the same after normalisation.
        unusable_names: names dropped because nothing is left of them after normalisation.
        empty_aliases, empty_objects: blank strings dropped from records.
        rejected: bad records left out.
        files: file → bytes.
        checksums: file → CRC-32.
    """

    fingerprint: str
    entities: int
    names: int
    names_per_entity: float
    ambiguous_names: int
    candidates_mean: float
    candidates_p95: float
    candidates_max: int
    facts: int
    description_characters: int
    merged_names: int = 0
    unusable_names: int = 0
    empty_aliases: int = 0
    empty_objects: int = 0
    rejected: int = 0
    types: dict[str, int] = field(default_factory=dict)
    files: dict[str, int] = field(default_factory=dict)
    checksums: dict[str, int] = field(default_factory=dict)

    @property
    def bytes(self) -> int:
        """Size on disk, without ``kb.json``."""
        return sum(self.files.values())

    def save(self, folder: Path) -> None:
        """Write ``kb.json``."""
        text = json.dumps({"format": FORMAT, **asdict(self)}, ensure_ascii=False, indent=1)
        (folder / INFO).write_text(text + "\n", encoding="utf-8", newline="\n")

    @classmethod
    def load(cls, folder: Path) -> KBInfo:
        """Read ``kb.json``. Raises UserError where it is missing, damaged, or of another version."""
        path = folder / INFO
        try:
            data = json.loads(path.read_text(encoding="utf-8"))
        except (FileNotFoundError, NotADirectoryError):
            raise UserError(f"is no compiled knowledge base: {INFO} is missing", file=folder, mend=AGAIN) from None
        except (OSError, ValueError, RecursionError) as error:
            raise UserError(f"is damaged ({error})", file=path, mend=AGAIN) from None
        if not isinstance(data, dict) or not isinstance(data.get("format"), int):
            raise UserError("does not describe a compiled knowledge base", file=path, mend=AGAIN)
        if data["format"] != FORMAT:
            message = f"is of format {data['format']}, this version of ietool reads {FORMAT}"
            raise UserError(message, file=path, mend="compile it again from kb_data")
        try:
            info = cls(**{f.name: _checked(f.name, data[f.name]) for f in fields(cls)})
        except (KeyError, TypeError) as error:
            raise UserError(f"is damaged: wrong or missing {error}", file=path, mend=AGAIN) from None
        if set(info.files) != set(FILES) or set(info.checksums) != set(FILES):
            raise UserError("is damaged: wrong or missing 'files'", file=path, mend=AGAIN)
        return info


def _checked(name: str, value: Any) -> Any:
    """A field's value. Raises TypeError if it is of another type than the field."""
    if name in ("types", "files", "checksums"):
        right = isinstance(value, dict) and all(isinstance(n, int) for n in value.values())
    elif name == "fingerprint":
        right = isinstance(value, str)
    else:
        right = isinstance(value, int | float)
    if not right:
        raise TypeError(repr(name))
    return value


def checksum(path: Path) -> int:
    """CRC-32 of a file."""
    total = 0
    with path.open("rb") as stream:
        while block := stream.read(1 << 20):
            total = zlib.crc32(block, total)
    return total
