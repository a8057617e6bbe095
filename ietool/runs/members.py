"""``ensemble.json``: the runs that an ensemble is made of, and how what they say is joined."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path, PurePosixPath
from typing import Annotated, Any, Literal

from pydantic import Field

from ietool.errors import WHOLE, UserError
from ietool.files.outputs import atomic_text
from ietool.files.plain_json import dump_json
from ietool.files.typed_json import read_typed
from ietool.runs.info import read_info

ENSEMBLE_FILE = "ensemble.json"
REPORT = "report.json"
"""Of an ensemble that was measured: what was."""
COPIES = "members"
"""The folder within an ensemble that has the members which it carries."""
FORMAT = 1

Weight = Annotated[float, Field(ge=0, allow_inf_nan=False)]


@dataclass
class MemberInfo:
    """A run of an ensemble.

    Attributes:
        run: its folder as seen from that of the ensemble, parts divided by ``/``.
        mark: what tells its model from all others.
        weight: compared with those of its group.
    """

    run: str
    mark: str
    weight: Weight = 1.0


@dataclass
class GroupInfo:
    """Members of one head, whose probabilities are averaged before decoding.

    Attributes:
        head: ``model.head.kind`` of its members.
        weight: compared with those of the other groups.
    """

    head: str
    members: Annotated[list[MemberInfo], Field(min_length=1)]
    weight: Weight = 1.0


@dataclass
class EnsembleInfo:
    """``ensemble.json``.

    Attributes:
        join: how groups are joined.
        votes: the share of votes that an item must exceed, where they vote.
        base: the number of the member whose labels, recipe and files stand for all.
        copied: whether the folder carries its members.
    """

    join: Literal["mean", "vote", "union", "intersection"]
    groups: Annotated[list[GroupInfo], Field(min_length=1)]
    votes: Annotated[float, Field(ge=0, le=1)] = 0.5
    base: Annotated[int, Field(ge=0)] = 0
    copied: bool = False
    format: Annotated[int, Field(ge=1)] = field(default=FORMAT)

    @property
    def members(self) -> list[MemberInfo]:
        """All of them, group by group."""
        return [member for group in self.groups for member in group.members]


def is_ensemble(folder: Path) -> bool:
    """Whether a run folder is that of an ensemble."""
    return (folder / ENSEMBLE_FILE).is_file()


def read_members(folder: Path) -> EnsembleInfo:
    """What ``ensemble.json`` says. Raises UserError where it is missing or damaged."""
    path = folder / ENSEMBLE_FILE
    return read_typed(path, EnsembleInfo, newest=FORMAT, lacking="is no ensemble", check=_check)


def _check(info: EnsembleInfo) -> None:
    """Raise ValueError where the fields of an ensemble do not fit together."""
    if info.base >= len(info.members):
        raise ValueError(f"its base is member {info.base} of {len(info.members)}")
    for group in info.groups:
        if not any(member.weight > 0 for member in group.members):
            raise ValueError("all members of a group have the weight 0")
    if not any(group.weight > 0 for group in info.groups):
        raise ValueError("all groups have the weight 0")


def write_members(folder: Path, info: EnsembleInfo) -> None:
    """Write ``ensemble.json`` atomically."""
    with atomic_text(folder / ENSEMBLE_FILE) as out:
        out.write(dump_json(asdict(info), indent=2) + "\n")


def reference(folder: Path, member: Path) -> str:
    """A member's folder as seen from that of the ensemble."""
    return Path(os.path.relpath(os.path.realpath(member), os.path.realpath(folder))).as_posix()


def member_folders(folder: Path, info: EnsembleInfo) -> list[Path]:
    """The folders of the members, group by group.

    A folder that came from elsewhere (it tells no machine that it was made on), or that carries its members, is
    followed only to what lies in it.

    Raises:
        UserError: one is missing, or stands where it must not be looked for.
    """
    made = read_info(folder)
    abroad = info.copied or made is None or not made.host
    return list(_folders(folder, info, abroad))


def _folders(folder: Path, info: EnsembleInfo, abroad: bool) -> Iterator[Path]:
    for number, member in enumerate(info.members, 1):
        parts = PurePosixPath(member.run).parts
        outside = not parts or PurePosixPath(member.run).is_absolute() or ".." in parts or "\\" in member.run
        place = folder / member.run
        where: dict[str, Any] = {"file": folder / ENSEMBLE_FILE, "field": f"member {number}"}
        if "\0" in member.run:
            raise UserError("is no name of a folder", **where, mend=WHOLE)
        if abroad:
            real = os.path.realpath(folder)
            inside = not outside and Path(os.path.realpath(place)).is_relative_to(real)
            if not inside:
                message = f"{member.run!r} is outside of the folder, which did not come with it"
                raise UserError(message, **where, mend="ask for one that was made with `ietool ensemble --copy`")
        if not place.is_dir():
            mend = "put it back beside the ensemble, or make the ensemble anew"
            raise UserError(f"the run {member.run!r} is not there", **where, mend=WHOLE if abroad else mend)
        yield place
