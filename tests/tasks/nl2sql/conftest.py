"""The command line, for tests of the task's own room."""

from __future__ import annotations

from tests.cli.conftest import ietool as ietool
