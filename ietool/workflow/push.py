"""Bring a run folder to a model hub."""

from __future__ import annotations

from collections.abc import Sequence, Set
from dataclasses import dataclass
from pathlib import Path

from ietool.errors import WHOLE, UserError, cause
from ietool.files import yaml_io
from ietool.files.plain_json import dump_json, load_json
from ietool.report.card import CARD, write_card
from ietool.report.local import local_paths, own_paths, strings_in, without_paths
from ietool.runs.entry import CONFIG_FILE, RECIPE_FILE, WEIGHTS_FILE, open_run
from ietool.runs.folder import is_model_file, model_files
from ietool.runs.info import RUN_FILE
from ietool.runs.members import is_ensemble, read_members


@dataclass(frozen=True)
class Pushed:
    """The files of the model, by their names within the run, their bytes, where they went (None: nowhere), and the
    names that ``run.json`` has besides: of what is no regular file within the run."""

    files: Sequence[str]
    size: int
    url: str | None
    left_out: Sequence[str] = ()


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
    if is_ensemble(run) and not read_members(run).copied:
        mend = "make it anew with `ietool ensemble … --copy`, which carries them"
        raise UserError("refers to its members, which would stay here", file=run, mend=mend)
    _check_name(repository)
    write_card(run)
    names = sorted({*(entry.info.files or model_files(run)), CARD})
    # Only what the training wrote: predictions that stand in the folder may hold the competition's texts. And only
    # what lies in the folder: the run may be a stranger's, who would like to be sent other files of this machine.
    left_out = [name for name in names if not is_model_file(run, name)]
    for name in left_out:
        if name in (WEIGHTS_FILE, CONFIG_FILE, RECIPE_FILE):
            raise UserError("is no file of the run itself (a link?)", file=run / name, mend="put the file in its place")
    names = [name for name in names if name not in left_out]
    size = sum((run / name).stat().st_size for name in names)
    if dry:
        return Pushed(names, size, None, left_out)

    local = local_paths(yaml_io.read(run / RECIPE_FILE)[0], entry.info)
    contents = {name: _content(run, name, local) for name in names}

    from huggingface_hub import CommitOperationAdd, HfApi

    try:
        api = HfApi(library_name="ietool")
        name = str(api.create_repo(repository, private=private, exist_ok=True).repo_id)
        if private and api.repo_info(name).private is False:
            raise UserError(f"{name!r} is public", mend="name another repository, or say --public if that is meant")
        message = f"{entry.info.recipe}, trained with ietool"
        files = [CommitOperationAdd(path_in_repo=file, path_or_fileobj=held) for file, held in contents.items()]
        made = api.create_commit(repo_id=name, operations=files, commit_message=message)
    except UserError:
        raise
    # What the library raises where there is no network, no token, no right, or no such name: many kinds, one answer.
    except Exception as error:
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise UserError(
            f"{repository!r} did not take the run ({reason})", mend="check the name, the network, and `hf auth login`"
        ) from None
    return Pushed(names, size, str(made.commit_url), left_out)


def _check_name(repository: str) -> None:
    """Raises UserError for what no hub takes as the name of a repository."""
    from huggingface_hub.utils import validate_repo_id  # type: ignore[attr-defined]

    try:
        validate_repo_id(repository)
    except ValueError:
        raise UserError(
            f"{repository!r} is no name of a repository", mend="write NAME or OWNER/NAME in letters, digits, - _ and ."
        ) from None


_LARGEST = 1 << 20
"""Bytes of a file of settings; vocabularies are larger, and name no file."""


def _content(run: Path, name: str, local: Set[str]) -> str | bytes:
    """A file of a run as it goes to others: its path, or what it holds without what tells of this machine."""
    path = run / name
    if path.name == RECIPE_FILE:
        data, _, text = yaml_io.read(path)
        return (yaml_io.dump(without_paths(data, local)) if local & set(strings_in(data)) else text).encode()
    if path.suffix != ".json" or path.stat().st_size > _LARGEST:
        return str(path)
    text = path.read_text(encoding="utf-8")
    try:
        data = load_json(text)
    except (ValueError, RecursionError) as error:
        raise UserError(f"is damaged ({cause(error)})", file=path, mend=WHOLE) from None
    cleaned = without_paths(data, {*local, *own_paths(data)})
    if path.name == RUN_FILE:
        for key in ("command", "process", "host", "prepared"):
            cleaned.pop(key, None)
        if isinstance(extra := cleaned.get("extra"), dict):
            extra.pop("prepared", None)
    elif cleaned == data:
        return str(path)
    return (dump_json(cleaned, indent=2) + "\n").encode()
