"""Bring a run folder to a model hub."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ietool.errors import UserError
from ietool.report.card import CARD, write_card
from ietool.runs import model_files, open_run


@dataclass(frozen=True)
class Outcome:
    """The files of the model, by their names within the run, their bytes, and where they went; None: nowhere."""

    files: Sequence[str]
    size: int
    url: str | None


def push(run: Path, repository: str, *, private: bool = True, dry: bool = False) -> Outcome:
    """Write the model card anew and upload the run as one commit; the repository is made where it is not there.

    Args:
        repository: ``name`` or ``owner/name`` on the hub that ``HF_ENDPOINT`` names, huggingface.co by default.
        private: whether a repository that is made is private.
        dry: only tell what would go.

    Raises:
        UserError: it is no finished run, or the hub refuses.
    """
    entry = open_run(run)
    if entry.state == "training":
        raise UserError("is still in training", file=run, mend="wait until it is finished")
    write_card(run)
    names = sorted({*entry.info.extra.get("files", model_files(run)), CARD})
    # Only what the training wrote: predictions that stand in the folder may hold the competition's texts.
    names = [name for name in names if (run / name).is_file()]
    size = sum((run / name).stat().st_size for name in names)
    if dry:
        return Outcome(names, size, None)

    from huggingface_hub import HfApi

    try:
        api = HfApi(library_name="ietool")
        name = str(api.create_repo(repository, private=private, exist_ok=True).repo_id)
        message = f"{entry.info.recipe}, trained with ietool"
        made = api.upload_folder(repo_id=name, folder_path=str(run), allow_patterns=names, commit_message=message)
    # What the library raises where there is no network, no token, no right, or no such name: many kinds, one answer.
    except Exception as error:
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise UserError(
            f"{repository!r} did not take the run ({reason})", mend="check the name, the network, and `hf auth login`"
        ) from None
    return Outcome(names, size, str(made.commit_url))
