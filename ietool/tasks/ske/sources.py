"""Finding the files of SKE 2019 and DuIE 2.0 in a folder, under the names the organisers gave them over the years."""

from __future__ import annotations

import re
from collections.abc import Collection
from pathlib import Path

from ietool.errors import UserError
from ietool.tasks.base import Sources

_ENDINGS = {".json", ".jsonl", ".txt", ".gz", ".zip"}
_WORDS = {
    "train": {"train", "training"},
    "dev": {"dev", "valid", "validation", "val"},
    "schema": {"schema", "schemas"},
}
_LOOKED_FOR = {
    "train": "train_data.json, duie_train.json, train.jsonl, train.json",
    "dev": "dev_data.json, duie_dev.json, dev.jsonl, dev.json",
    "schema": "all_50_schemas, duie_schema.json, schema.jsonl, schema.json",
}
# Samples, results and the like are never what a preparation starts from.
_STRANGERS = {"sample", "samples", "example", "examples", "result", "results", "pred", "predict", "prediction",
              "predictions", "rejects", "readme"}  # fmt: skip


def locate(folder: Path, needed: Collection[str] = ("train", "dev")) -> Sources:
    """Find the competition's files in a folder or one folder down, plain, gzip or zip.

    Roles: ``train``, ``dev``, ``schema`` (may be absent: it can be told from the data), ``test`` (the first by name)
    and ``test_gold``. Of one file both packed and unpacked the unpacked is taken, of one both here and one folder down
    the one here.

    Args:
        folder: where the files are.
        needed: roles that must be found; leave out those the user names himself.

    Raises:
        UserError: the folder is none, a needed role is missing, or several files could fill one.
    """
    if not folder.is_dir():
        what = "is a file, a folder is needed" if folder.exists() else "no such folder"
        raise UserError(what, file=folder, mend="check the path, or name the files with --train, --dev and --schema")
    # The organisers pack duie_train.json into a folder that is itself called duie_train.json.
    here = [path for path in sorted(folder.iterdir()) if not path.name.startswith((".", "__"))]
    down = [
        path
        for inner in here
        if inner.is_dir()
        for path in sorted(inner.iterdir())
        if not path.name.startswith((".", "__"))
    ]
    candidates: dict[str, dict[str, Path]] = {}
    for path in [*here, *down]:
        role, stem = _role(path) if path.is_file() else ("", "")
        if role:
            stems = candidates.setdefault(role, {})
            known = stems.get(stem)
            if known is None or (_packed(known) and not _packed(path)):
                stems[stem] = path
    files: dict[str, Path] = {}
    for role, stems in candidates.items():
        paths = sorted(stems.values())
        if len(paths) > 1 and role in _WORDS:
            if role != "schema" and role not in needed:
                continue
            names = ", ".join(str(path.relative_to(folder)) for path in paths)
            raise UserError(
                f"several files could be the {role} file: {names}", file=folder, mend=f"name one with --{role} FILE"
            )
        files[role] = paths[0]
    missing = [role for role in _LOOKED_FOR if role in needed and role not in files]
    if missing:
        looked = "; ".join(f"{role}: {_LOOKED_FOR[role]}" for role in missing)
        options = " and ".join(f"--{role} FILE" for role in missing)
        raise UserError(
            f"has no {' and no '.join(missing)} file (looked here and one folder down, packed or not, for {looked})",
            file=folder,
            mend=f"name it with {options}",
        )
    return Sources(files)


def _packed(path: Path) -> bool:
    return path.suffix.lower() in (".gz", ".zip")


def _role(path: Path) -> tuple[str, str]:
    """(role, name without endings) of a file by its name; ("", "") for those that are none of ours."""
    stem = path.name.lower()
    while (ending := Path(stem).suffix) and ending in _ENDINGS:
        stem = stem[: -len(ending)]
    if "." in stem:  # an ending we do not know
        return "", ""
    words = set(re.split(r"[_\-\s]+", stem))
    if words & _STRANGERS:
        return "", ""
    for role, names in _WORDS.items():
        if words & names:
            return role, stem
    if any(re.fullmatch(r"test\d*", word) for word in words):
        return ("test_gold" if words & {"gold", "golden", "answer", "answers"} else "test"), stem
    return "", ""
