"""What a recorded run finds, read on the CPU or on the pretend device."""

from __future__ import annotations

from itertools import islice
from pathlib import Path
from typing import Any
from unittest import mock

import torch

from ietool.workflow.predict import load
from tests.pretend.counts import Counts, counting
from tests.recorded import doors, flows
from tests.recorded.plain import PLAIN

TEXTS, BATCH = 6, 64
"""All windows of the texts are one batch."""


def find(name: str, work: Path, device: torch.device, *settings: str, precision: str = "fp32") -> tuple[Any, Counts]:
    """The predictions of a flow's recorded run on its first texts as plain data, and what happened on the device."""
    flow, run = flows.FLOWS[name], flows.old_run(name, work)
    with (
        doors.working_in(work),
        mock.patch("ietool.workflow.predict.choose_device", lambda _: device),
        mock.patch("ietool.workflow.predict.choose_precision", lambda *_: precision),
    ):
        loaded = load(run, "auto", list(settings))
        loaded.recipe.decode.batch_size = BATCH
        inputs = list(islice(loaded.task.open_inputs(f"data/few-{flow.inputs[0]}"), TEXTS))
        with counting() as counts:
            found = list(loaded.stream(inputs))
    return [PLAIN[flow.task](each) for each in found], counts
