"""From candidates to a subject: against a literal reading of the rule; joining."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ietool.core.candidates import Candidates
from ietool.errors import UserError
from ietool.tasks.event_subject.data.example import Example
from ietool.tasks.event_subject.heads.decoder import LEAST, Answered, FoundSubject, SubjectDecoder, joined
from tests.tasks.event_subject.made import TASK, small_recipe

TEXT = "甲乙甲乙丙甲"
TYPES = ("减持", "亏损")
DECODER = SubjectDecoder(TYPES)

ROWS = st.dictionaries(
    st.tuples(st.integers(0, 5), st.integers(1, 3)).map(lambda p: (p[0], min(p[0] + p[1], len(TEXT)))),
    st.sampled_from([0.0, 0.005, 0.011, 0.1, 0.2, 0.3]) | st.floats(0, 0.375, width=32),
    max_size=8,
)


def candidates(rows: dict[tuple[int, int], float]) -> Candidates:
    places = np.array([(a, b, 0) for a, b in rows], np.int32).reshape(-1, 3)
    return Candidates(places, np.array(list(rows.values()), np.float32).reshape(-1, 1), np.zeros(0, np.float32))


@settings(max_examples=60)
@given(ROWS, st.sampled_from([0.0, 0.1, 0.3, 0.5]), st.sampled_from([None, 0.0, 0.2, 0.9]))
def test_the_best_name_of_all_its_places(rows: dict[tuple[int, int], float], overall: float, own: float | None) -> None:
    decode = small_recipe().decode.model_copy(
        update={"threshold": overall, "by_label": {} if own is None else {"减持": own}}
    )
    item = Example(TEXT, "减持")
    # Every name that stands anywhere, by trying all of them.
    sums: dict[str, float] = {}
    for a in range(len(TEXT)):
        for b in range(a + 1, len(TEXT) + 1):
            p = float(np.float32(rows.get((a, b), 0.0)))
            if p > LEAST:
                sums[TEXT[a:b]] = sums.get(TEXT[a:b], 0.0) + p
    top = max(sums.values(), default=0.0)
    best = [name for name, p in sums.items() if p == pytest.approx(top, abs=1e-9)]
    found = DECODER.decode(item, candidates(rows), decode)
    if top <= (overall if own is None else own):
        assert found.subject is None
        assert found.name == ""
    else:
        assert found.subject is not None
        assert found.name in best
        assert found.subject.probability == pytest.approx(min(top, 1.0))
        assert TEXT[found.subject.start : found.subject.end] == found.name
    # What lies below the least place says nothing, so a lower floor decodes to the same.
    above = {place: p for place, p in rows.items() if np.float32(p) > LEAST}
    assert DECODER.decode(item, candidates(above), decode) == found


@pytest.mark.parametrize("character", [" ", "\x01"])
def test_a_name_that_no_submission_takes_is_none(character: str) -> None:
    item = Example(f"{character}{TEXT}", "减持")
    found = DECODER.decode(item, candidates({(0, 1): 0.9, (1, 3): 0.6}), small_recipe().decode)
    assert found.name == TEXT[:2]


def test_thresholds_are_of_types_that_there_are() -> None:
    with pytest.raises(UserError, match="no type is called '减仓'"):
        SubjectDecoder(TYPES, {"减仓": 0.2})


def test_one_of_several_predictions() -> None:
    item = Example(TEXT, "减持")
    some = [
        Answered(item, FoundSubject("甲", 0, 1, 0.4)),
        Answered(item, FoundSubject("乙", 1, 2, 0.7)),
        Answered(item, None),
    ]
    assert [TASK.items(p) for p in some] == [{"甲": 0.4}, {"乙": 0.7}, {}]
    assert joined(some, {}).subject is None
    assert joined(some, {"乙": 0.35, "甲": 0.2}).subject == FoundSubject("乙", 1, 2, 0.35)
    assert TASK.found(some[0]) == 1
    assert TASK.found(some[2]) == 0
