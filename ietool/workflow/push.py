"""Bring a run folder to a model hub."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ietool import yaml_io
from ietool.errors import UserError
from ietool.report.card import CARD, without_local_paths, write_card
from ietool.run_info import RUN_FILE
from ietool.runs import RECIPE_FILE, model_files, open_run


@dataclass(frozen=True)
class Pushed:
    """The files of the model, by their names within the run, their bytes, and where they went; None: nowhere."""

    files: Sequence[str]
    size: int
    url: str | None


def push(run: Path, repository: str, *, private: bool = True, dry: bool = False) -> Pushed:
    """Write the model card anew and upload the run as one commit; the repository is made where it is not there.

    Args:
        repository: ``name`` or ``owner/name`` on the hub that ``HF_ENDPOINT`` names, huggingface.co by default.
        private: whether a repository that is made is private.
        dry: only tell what would go.

    Raises:
        UserError: it is no finished run, or the hub refuses.
    """
    entry = open_run(run)
    if entry.state != "finished":
        what, mend = ("is still in training", "wait until it is finished") if entry.state == "training" else (
            "was interrupted", "finish it with `ietool train … --resume`"
        )  # fmt: skip
        raise UserError(what, file=run, mend=mend)
    if entry.info.overfit:
        raise UserError("is a self-check by --overfit, no model", file=run, mend="push a run that was trained on all")
    _check_name(repository)
    write_card(run)
    names = sorted({*(entry.info.files or model_files(run)), CARD})
    # Only what the training wrote: predictions that stand in the folder may hold the competition's texts.
    names = [name for name in names if (run / name).is_file()]
    size = sum((run / name).stat().st_size for name in names)
    if dry:
        return Pushed(names, size, None)

    from huggingface_hub import CommitOperationAdd, HfApi

    try:
        api = HfApi(library_name="ietool")
        name = str(api.create_repo(repository, private=private, exist_ok=True).repo_id)
        message = f"{entry.info.recipe}, trained with ietool"
        files = [CommitOperationAdd(path_in_repo=file, path_or_fileobj=_content(run, file)) for file in names]
        made = api.create_commit(repo_id=name, operations=files, commit_message=message)
    # What the library raises where there is no network, no token, no right, or no such name: many kinds, one answer.
    except Exception as error:
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise UserError(
            f"{repository!r} did not take the run ({reason})", mend="check the name, the network, and `hf auth login`"
        ) from None
    return Pushed(names, size, str(made.commit_url))


def _check_name(repository: str) -> None:
    """Raises UserError for what no hub takes as the name of a repository."""
    from huggingface_hub.utils import validate_repo_id  # type: ignore[attr-defined]

    try:
        validate_repo_id(repository)
    except ValueError:
        raise UserError(
            f"{repository!r} is no name of a repository", mend="write NAME or OWNER/NAME in letters, digits, - _ and ."
        ) from None


def _content(run: Path, name: str) -> str | bytes:
    """A file of a run as it goes to others: its path, or what it holds without what tells of this machine."""
    path = run / name
    if name not in (RUN_FILE, RECIPE_FILE, "config.json"):
        return str(path)
    text = path.read_text(encoding="utf-8")
    if name == RUN_FILE:
        info = json.loads(text)
        for key in ("command", "process", "host"):
            info.pop(key, None)
        info.pop("prepared", None)
        info.get("extra", {}).pop("prepared", None)
        text = json.dumps(info, ensure_ascii=False, indent=2) + "\n"
    recipe, _, _ = yaml_io.read(run / RECIPE_FILE)
    return without_local_paths(text, recipe).encode()
