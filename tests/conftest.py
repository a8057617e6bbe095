"""What holds for all tests."""

from __future__ import annotations

import gc
import signal

from hypothesis import settings

# Examples run beside trainings on slow machines: how long one takes says nothing.
settings.register_profile("ietool", deadline=None)
settings.load_profile("ietool")

# A shell starts what runs in the background with Ctrl-C ignored, and commands that tests start would inherit that.
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_finish() -> None:
    """What was imported stays: every full collection, and each training asks for some, would look through all of it."""
    gc.collect()
    gc.freeze()
