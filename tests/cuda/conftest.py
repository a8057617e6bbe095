"""Tests of devices: some recipes on the CPU, so that the bodies are tried everywhere, every recipe on CUDA."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
import torch

from tests.cuda.sides import fp32_as
from tests.recorded import doors, flows

Work = Callable[[str], Path]

GPU = "cuda:0"
ON_CUDA = (
    pytest.mark.cuda,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device, and here is none"),
)


def on_devices(*cheap: str, gpu: Sequence[str] = tuple(flows.FLOWS)) -> pytest.MarkDecorator:
    """A test's ``name`` and ``device``: these recipes on the CPU, and those of ``gpu``, else every one, on CUDA."""
    on_cpu = [pytest.param(name, "cpu", id=f"{name}-cpu") for name in cheap]
    on_gpu = [pytest.param(name, GPU, id=f"{name}-cuda", marks=ON_CUDA) for name in gpu]
    return pytest.mark.parametrize(("name", "device"), [*on_cpu, *on_gpu])


@pytest.fixture(scope="session")
def work(tmp_path_factory: pytest.TempPathFactory) -> Work:
    """``work("ske")``: the working folder of a recipe with its files, made once; its encoder has no dropout."""
    made: dict[str, Path] = {}

    def folder(name: str) -> Path:
        if name not in made:
            made[name] = tmp_path_factory.mktemp(name)
            flows.make_data(name, made[name])
            path = made[name] / "encoder" / "config.json"
            dropout = dict.fromkeys(("hidden_dropout_prob", "attention_probs_dropout_prob"), 0.0)
            path.write_text(json.dumps(json.loads(path.read_text(encoding="utf-8")) | dropout), encoding="utf-8")
        return made[name]

    return folder


@pytest.fixture(autouse=True)
def _full_precision() -> Iterator[None]:
    """What is told apart here is devices, not the rounding of TF32, which tensor cores do unasked in convolutions."""
    with fp32_as("ieee"):
        yield


@pytest.fixture
def own(work: Work, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Path]:
    """A test's own folder with ``data`` and ``encoder`` of the recipe ``name``; the working folder while it runs."""
    source = work(request.getfixturevalue("name"))
    for part in ("data", "encoder"):
        (tmp_path / part).symlink_to(source / part)
    with doors.working_in(tmp_path):
        yield tmp_path
