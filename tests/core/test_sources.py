"""Finding files of a task whose roles and options are its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from ietool.core.sources import FileNames
from ietool.errors import UserError

NAMES = FileNames(
    words={"train": {"train"}, "dev": {"dev", "develop"}, "kb": {"kb"}},
    examples={"train": "train.json", "dev": "develop.json", "kb": "kb_data"},
)


def touch(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).touch()
    return folder


def test_roles_of_a_task(tmp_path: Path) -> None:
    touch(tmp_path, "train.json", "develop.json", "kb_data", "test1.json", "test1_answers.json", "notes.pdf")
    files = NAMES.locate(tmp_path, needed=("train", "dev", "kb")).files
    assert {role: path.name for role, path in files.items()} == {
        "train": "train.json", "dev": "develop.json", "kb": "kb_data", "test": "test1.json",
        "test_gold": "test1_answers.json",
    }  # fmt: skip


def test_what_is_missing_is_told_with_the_option_that_names_it(tmp_path: Path) -> None:
    touch(tmp_path, "train.json")
    with pytest.raises(UserError, match=r"has no dev and no kb file .* → name it with --dev FILE and --file kb=FILE"):
        NAMES.locate(tmp_path, needed=("train", "dev", "kb"))
    with pytest.raises(UserError, match="no such folder → check the path, or name the files with --train, --dev and"):
        NAMES.locate(tmp_path / "none", needed=())


def test_several_candidates_are_an_error_only_where_the_role_is_needed(tmp_path: Path) -> None:
    touch(tmp_path, "train.json", "dev.json", "kb_data", "kb_old.json")
    with pytest.raises(UserError, match=r"several files could be the kb file: kb_data, kb_old.json → .*--file kb=FILE"):
        NAMES.locate(tmp_path, needed=("train", "kb"))
    found = NAMES.locate(tmp_path, needed=("train",))
    assert "kb" not in found.files and "kb_old.json" in str(found.ambiguous["kb"])
