"""What our own writers make of any predictions is accepted; changed in one place, it is not."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings

from ietool.contest.submit.competitions import COMPETITIONS
from ietool.contest.submit.submitting import Submitted, submit
from ietool.tasks.el.kb.knowledge_base import compile_kb
from tests.contest.submit.changes import EVERYWHERE, OWN
from tests.contest.submit.made import CASES, IDS, Case, dump, put

NAMES = tuple(one.name for one in COMPETITIONS)


@pytest.fixture(scope="module")
def kb(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("kb")
    records = [{"subject_id": kb_id, "subject": "甲", "type": ["Person"], "alias": [], "data": []} for kb_id in IDS]
    compile_kb(put(folder / "kb_data", [dump(record) for record in records]), folder / "compiled")
    return folder / "compiled"


def checked(case: Case, kb: Path, change: Callable[[Case], str] | None = None) -> Submitted:
    """What is said of a submission, with one change if there is one."""
    with tempfile.TemporaryDirectory() as name:
        result, source = case.write(Path(name))
        if change is not None:
            put(result, [change(case)])
        options = {"kb": kb} if case.competition in ("ccks2019", "ccks2020") else {}
        # What tells the two of linking apart may be missing here.
        named = case.competition if options or change is not None else None
        done = submit(result, source, competition=named, options=options)
        assert done.competition.name == case.competition
        assert (done.archive is None) == bool(done.faults)
        assert all("\n" not in str(fault) and str(result) in str(fault) for fault in done.faults)
        return done


def test_every_competition_is_tried() -> None:
    assert set(CASES) == set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_a_submission_that_we_write_is_accepted_and_no_other(name: str, kb: Path) -> None:
    changes = {**{change.__name__: change for change in EVERYWHERE}, **OWN.get(name, {})}
    free = "reordered" if name in ("cmrc2018", "dureader_robust") else ""

    @settings(max_examples=4, deadline=None, derandomize=True)
    @given(case=CASES[name])
    def hold(case: Case) -> None:
        assert not checked(case, kb).faults
        accepted = [what for what, change in changes.items() if not checked(case, kb, change).faults]
        assert accepted == ([free] if free else [])

    hold()
