"""What holds for all tests."""

from __future__ import annotations

from hypothesis import settings

# Examples run beside trainings on slow machines: how long one takes says nothing.
settings.register_profile("ietool", deadline=None)
settings.load_profile("ietool")
