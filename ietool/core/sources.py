"""Finding a competition's files in a folder, under the names that organisers gave them over the years."""

from __future__ import annotations

import re
import shlex
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ietool.errors import UserError
from ietool.files.archives import FOREIGN_NAME

_ENDINGS = {".json", ".jsonl", ".txt", ".gz", ".zip"}
# Samples, results and the like are never what a preparation starts from.
_STRANGERS = {"sample", "samples", "example", "examples", "result", "results", "pred", "predict", "prediction",
              "predictions", "rejects", "readme"}  # fmt: skip
EXTRA = "extra"
"""The role of a file of further records, which are trained on beside train; every task takes one."""
_GOLD = {"gold", "golden", "answer", "answers"}


def option_of(role: str) -> str:
    """How the command line names a file of a role."""
    return f"--{role} FILE" if role in ("train", "dev", "test", "schema", EXTRA) else f"--file {role}=FILE"


def options_of(files: Mapping[str, Path]) -> list[str]:
    """The options that name files by their roles, as they can be pasted."""
    return [option_of(role).replace("FILE", shlex.quote(str(path))) for role, path in files.items()]


def flag_of(role: str) -> str:
    """How verbs that judge name a file of a role."""
    return f"--{role}" if role in ("alias", "locations", "kb", "schema") else option_of(role)


@dataclass(frozen=True)
class FileNames:
    """Under which names the files of a task are found.

    A name counts by its words, which ``_``, ``-`` and blanks divide, without endings (.json .jsonl .txt .gz .zip, and
    those of ``endings``).

    Attributes:
        words: role → the words of which a name must have one; of several roles that fit the first counts.
        examples: role → names to tell a user whose folder lacks it; the same roles as ``words``.
        tests: words of files to predict on; digits may follow them.
        strangers: words of files that are no such, whatever else their names say.
        endings: of the task's own files, beside those of every task.

    Beside the roles of ``words`` there are ``test`` (a word like ``test`` or ``test1``; of several files the first by
    name) and ``test_gold`` (the same, with a word like ``gold`` or ``answers``).
    """

    words: Mapping[str, Collection[str]]
    examples: Mapping[str, str]
    tests: Collection[str] = ("test",)
    endings: Collection[str] = ()
    strangers: Collection[str] = ()

    def locate(self, folder: Path, needed: Collection[str]) -> Sources:
        """The files in a folder or one folder down, plain, gzip or zip.

        Of one file both packed and unpacked the unpacked is taken, of one both here and one folder down the one here.

        Args:
            folder: where the files are.
            needed: roles that must be found; without those that the user names.

        Raises:
            UserError: the folder is none, or a needed role is missing or could be filled by several files.
        """
        if not folder.is_dir():
            what = "is a file, a folder is needed" if folder.exists() else "no such folder"
            *others, last = (option_of(role).removesuffix(" FILE") for role in self.words)
            mend = f"check the path, or name the files with {', '.join(others)} and {last}"
            raise UserError(what, file=folder, mend=mend)
        files: dict[str, Path] = {}
        ambiguous: dict[str, UserError] = {}
        for role, stems in self._candidates(folder).items():
            paths = sorted(stems.values())
            if len(paths) == 1 or role not in self.words:
                files[role] = paths[0]
                continue
            names = ", ".join(str(path.relative_to(folder)) for path in paths)
            error = UserError(
                f"several files could be the {role} file: {names}",
                file=folder,
                mend=f"name one with {option_of(role)}",
            )
            if role in needed:
                raise error
            ambiguous[role] = error
        missing = [role for role in self.words if role in needed and role not in files]
        if missing:
            looked = "; ".join(f"{role}: {self.examples[role]}" for role in missing)
            what = f"has no {' and no '.join(missing)} file"
            mend = f"name it with {' and '.join(option_of(role) for role in missing)}"
            if packed := [path.name for path in sorted(folder.iterdir()) if FOREIGN_NAME.search(path.name)]:
                mend = f"unpack {', '.join(packed[:3])}, or {mend}"
            raise UserError(
                f"{what} (looked here and one folder down, packed or not, for {looked})", file=folder, mend=mend
            )
        return Sources(files, ambiguous)

    def _candidates(self, folder: Path) -> dict[str, dict[str, Path]]:
        """role → name without endings → file."""
        # Organisers pack duie_train.json into a folder that is itself called duie_train.json.
        here = [path for path in sorted(folder.iterdir()) if not path.name.startswith((".", "__"))]
        down = [
            path
            for inner in here
            if inner.is_dir()
            for path in sorted(inner.iterdir())
            if not path.name.startswith((".", "__"))
        ]
        found: dict[str, dict[str, Path]] = {}
        for path in [*here, *down]:
            role, stem = self._role(path) if path.is_file() else ("", "")
            if role:
                stems = found.setdefault(role, {})
                known = stems.get(stem)
                if known is None or (_packed(known) and not _packed(path)):
                    stems[stem] = path
        return found

    def _role(self, path: Path) -> tuple[str, str]:
        """(role, name without endings) of a file by its name; ("", "") for those that are none of ours."""
        stem = path.name.lower()
        while (ending := Path(stem).suffix) and (ending in _ENDINGS or ending in self.endings):
            stem = stem[: -len(ending)]
        head, _, last = stem.rpartition(".")
        plain = path.name.lower().removesuffix(".gz").removesuffix(".zip") == stem
        if plain and any(last in names for names in (*self.words.values(), self.tests)):  # Weibo's conll.train
            stem = f"{head}_{last}"
        if "." in stem:  # an ending we do not know
            return "", ""
        words = set(re.split(r"[_\-\s]+", stem))
        if words & (_STRANGERS | set(self.strangers)):
            return "", ""
        for role, names in self.words.items():
            if words & set(names):
                return role, stem
        if any(word.rstrip("0123456789") in self.tests for word in words):
            return ("test_gold" if words & _GOLD else "test"), stem
        return "", ""


def _packed(path: Path) -> bool:
    return path.suffix.lower() in (".gz", ".zip")


@dataclass(frozen=True)
class Sources:
    """The files that a preparation starts from, by role (``train``, ``dev``, ``schema``, ``kb`` …).

    Attributes:
        files: by role.
        ambiguous: roles for which a folder holds several files, with what to tell the user unless one is named.
        left_out: (records,) of train, as a preparation of all of it numbers them: those that are left out, because a
            model is to be asked about them that has not seen them; None: none.
        like: a prepared folder or run folder whose numbering of labels is kept; None: labels are numbered anew.
    """

    files: Mapping[str, Path]
    ambiguous: Mapping[str, UserError] = field(default_factory=dict)
    left_out: npt.NDArray[np.bool_] | None = field(default=None, compare=False)
    like: Path | None = None
