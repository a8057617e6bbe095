"""Where things are: what ships with the package, and the working folders of the user."""

from __future__ import annotations

import os
from pathlib import Path

from ietool.errors import UserError

_PACKAGE = Path(__file__).resolve().parent


def package_folder() -> Path:
    """Where this very copy of the package lies."""
    return _PACKAGE


def shipped_root() -> Path:
    """The folder that holds ``recipes/`` and ``data/``: the top of a source checkout, or the wheel's copy of it."""
    checkout = _PACKAGE.parent
    # Both must be there: a site-packages folder may well hold somebody's "recipes".
    if (checkout / "pyproject.toml").is_file() and (checkout / "recipes").is_dir():
        return checkout
    return _PACKAGE / "_shipped"


def recipes_folder() -> Path:
    """The folder of the shipped recipes; rule files are in its ``rules/``."""
    return shipped_root() / "recipes"


def shipped_recipes() -> dict[str, Path]:
    """Name → file of the recipes that ship, by name."""
    return {path.stem: path for path in sorted(recipes_folder().glob("*.yaml"), key=lambda path: path.stem)}


def shipped_data(task: str) -> Path:
    """The folder of a task's sample corpus. Raises UserError if the task ships none."""
    folder = shipped_root() / "data" / task
    if not folder.is_dir():
        raise UserError(f"no sample corpus ships for task {task!r}", mend="bring your own files with --data DIR")
    return folder


def home() -> Path:
    """The folder under which runs and prepared data are kept: ``$IETOOL_HOME``, or the current directory."""
    return Path(os.environ.get("IETOOL_HOME") or ".")


def home_mend() -> str:
    """What a user can do where nothing can be written under :func:`home`."""
    if os.environ.get("IETOOL_HOME"):
        return "set $IETOOL_HOME to a folder that can be written"
    return "work in a folder that can be written, or set $IETOOL_HOME to one"


def runs_folder() -> Path:
    """Where run folders are made: ``runs/`` under :func:`home`. May not exist yet."""
    return home() / "runs"


def prepared_folder() -> Path:
    """Where prepared data is kept: ``prepared/`` under :func:`home`. May not exist yet."""
    return home() / "prepared"
