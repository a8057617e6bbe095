"""What holds for all tests."""

from __future__ import annotations

import gc
import os
import signal
from collections.abc import Iterator

import pytest
from hypothesis import settings

# Examples run beside trainings on slow machines: how long one takes says nothing.
settings.register_profile("ietool", deadline=None)
settings.load_profile("ietool")

# Where a user keeps prepared folders and runs is none of the tests' business.
os.environ.pop("IETOOL_HOME", None)

# A shell starts what runs in the background with Ctrl-C ignored, and commands that tests start would inherit that.
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

LONG = ("tests/training/", "tests/cli/test_encoders.py", "tests/recorded/", "tests/fuzz/", "tests/cases/")
"""Where few tests take long: were they the last, one worker would end alone."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: not item.nodeid.startswith(LONG))


def pytest_collection_finish() -> None:
    """What was imported stays: every full collection, and each training asks for some, would look through all of it."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session", autouse=True)
def no_bf16_by_itself() -> Iterator[None]:
    """``precision: auto`` is fp32 in tests: some CPUs are faster in bf16, and what is compared would differ by them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("ietool.training.device.cpu_bf16_gain", lambda: 1.0)
        yield
