"""``run.json``: what a run is, when it was made, how far it has come."""

from __future__ import annotations

import json
import os
import platform
import socket
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Annotated, Any, NotRequired, Protocol

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError, with_config
from typing_extensions import TypedDict

from ietool.errors import WHOLE, UserError, cause
from ietool.files.outputs import atomic_text
from ietool.files.plain_json import UnknownNumber, dump_json, json_kind, load_json
from ietool.version import __version__

RUN_FILE = "run.json"

FORMAT = 2
"""Of the folders that this version makes."""

LIBRARIES = ("torch", "transformers", "accelerate", "datasets", "numpy", "safetensors", "tokenizers", "rjieba")
"""Distributions whose versions a run records."""


Number = Annotated[float, Field(allow_inf_nan=False)]
Scalar = str | int | float | bool | None


@with_config(ConfigDict(extra="allow"))
class BestInfo(TypedDict):
    """The best score of a run: absent where it has none yet."""

    score: Number
    metric: str
    epoch: NotRequired[Annotated[int, Field(ge=0)]]
    stage: NotRequired[Annotated[int, Field(ge=1)]]
    interval: NotRequired[tuple[Number, Number] | None]


@with_config(ConfigDict(extra="allow"))
class CorpusInfo(TypedDict):
    """What the model card says of the corpus."""

    files: NotRequired[dict[str, str]]
    columns: NotRequired[list[Scalar]]
    rows: NotRequired[list[list[Scalar]]]


_SHAPES = {"best": BestInfo, "corpus": CorpusInfo}
_LARGEST = 16 << 20
"""Bytes of ``run.json``: a run's has some thousand."""


@dataclass
class RunInfo:
    """``run.json``.

    Attributes:
        state: training, finished, interrupted or diverged.
        best: score, metric and epoch.
        precision: in which it trains.
        prepared: the folder of its features.
        overfit: of a self-check the number of records; None: it trains on all.
        base_model: the hub id of the encoder that training started from.
        corpus: names of files by role, and the table of the corpus, for the model card.
        tuned: settings of ``decode`` that were found on dev.
        files: of the model, by their names within the folder, when the training was over.
        members: folders of the runs that it is made of.
        left_out: the mark of the part of train that it has not seen, where it is a fold's; see
            :class:`ietool.workflow.prepare.LeftOut`.
        base_run: name of the folder of the run whose weights it began with.
        demo: whether ``ietool demo`` made it.
        threads: of the CPU with which it trains; None: as many as the libraries take.
        format: of the folder: 1 before recipes had sections for encoder and head, then :data:`FORMAT`.
    """

    recipe: str
    task: str
    created: str
    state: str = "training"
    best: dict[str, Any] | None = None
    differences: dict[str, Any] = field(default_factory=dict)
    device: str = ""
    command: list[str] = field(default_factory=list)
    versions: dict[str, str | None] = field(default_factory=dict)
    process: Annotated[int, Field(ge=1)] | None = None
    host: str = ""
    precision: str = ""
    prepared: str = ""
    overfit: Annotated[int, Field(ge=1)] | None = None
    base_model: str | None = None
    corpus: dict[str, Any] = field(default_factory=dict)
    tuned: list[str] = field(default_factory=list)
    files: list[str] = field(default_factory=list)
    members: list[str] = field(default_factory=list)
    left_out: str = ""
    base_run: str | None = None
    demo: bool = False
    threads: int | None = None
    format: Annotated[int, Field(ge=1)] = 1


def library_versions() -> dict[str, str | None]:
    """Versions of Python, ietool and the libraries a model depends on; None where one is not installed."""
    versions: dict[str, str | None] = {"python": platform.python_version(), "ietool": __version__}
    for name in LIBRARIES:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            versions[name] = None
    return versions


def other_versions(made: Mapping[str, Any]) -> str | None:
    """What is said where a run goes on with other versions of libraries than it began with."""
    now = library_versions()
    names = [name for name in now if name in made and made[name] != now[name]]
    told = ", ".join(f"{name} {made[name] or '–'} → {now[name] or '–'}" for name in names)
    return f"other versions than it began with: {told}" if told else None


def read_info(folder: Path) -> RunInfo | None:
    """What ``run.json`` of a folder says; None if the folder has no ``run.json``; UserError if it is damaged."""
    path = folder / RUN_FILE
    try:
        if path.exists() and not path.is_file():
            raise ValueError("no file")
        with path.open("rb") as stream:
            content = stream.read(_LARGEST + 1)
        if len(content) > _LARGEST:
            raise ValueError(f"more than {_LARGEST >> 20} MB")
        data = load_json(content.decode("utf-8"))
        json.dumps(data, ensure_ascii=False).encode()  # half of a surrogate pair could not be written again
        extra = data.pop("extra", {}) if isinstance(data, dict) else {}  # of format 1
        for value, name in ((data, "it"), (extra, "extra")):
            if not isinstance(value, dict):
                raise ValueError(f"{name} is {json_kind(value)}, an object is needed")
        data |= extra
        version, versions = data.get("format", 1), data.get("versions")
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError, TypeError, AttributeError, RecursionError) as error:
        what = f"{error} is no number of JSON" if isinstance(error, UnknownNumber) else cause(error)
        raise UserError(f"is damaged ({what})", file=path, mend=WHOLE) from None
    if not isinstance(version, int) or version > FORMAT:
        made_by = versions.get("ietool") if isinstance(versions, dict) else None
        raise UserError(
            f"is a run of format {version!r}; this version of ietool reads formats up to {FORMAT}",
            file=path,
            mend=f"update ietool (the run was made by {made_by or 'a newer one'})",
        )
    try:
        info = _checked()(data)
        for name, check in _shapes().items():
            if value := getattr(info, name):
                check({name: value})
    except ValidationError as error:
        problem = error.errors(include_url=False)[0]
        field = ".".join(map(str, problem["loc"]))
        message = problem["msg"][:1].lower() + problem["msg"][1:]
        raise UserError(f"is damaged ({message})", file=path, field=field, mend=WHOLE) from None
    return info


@cache
def _checked() -> Callable[[Any], RunInfo]:
    """What makes a :class:`RunInfo` of data, if its fields have the right types."""
    return TypeAdapter(RunInfo).validate_python


@cache
def _shapes() -> dict[str, Callable[[Any], Any]]:
    """What refuses a field of :class:`RunInfo` whose inner values are of wrong types; given ``{field: value}``."""
    return {name: TypeAdapter(dict[str, shape]).validate_python for name, shape in _SHAPES.items()}  # type: ignore[valid-type]


def write_info(folder: Path, info: RunInfo) -> None:
    """Write ``run.json`` atomically."""
    with atomic_text(folder / RUN_FILE) as out:
        out.write(dump_json(asdict(info), indent=2))
        out.write("\n")


class Owned(Protocol):
    """What a process on some machine works on."""

    @property
    def process(self) -> int | None: ...

    @property
    def host(self) -> str: ...


def is_alive(info: Owned) -> bool:
    """Whether the process that trains the run may still be there."""
    if info.process is None or info.host != socket.gethostname() or os.name == "nt":
        return True  # it may run on another machine that shares the disk; on Windows signal 0 is no mere question
    try:
        os.kill(info.process, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        return True
    return True
