"""Tables of scores by name."""

from __future__ import annotations

from ietool.scoring.prf import PRFScore
from ietool.scoring.tables import prf_table


def test_names_stand_worst_first_and_what_is_nowhere_last() -> None:
    scores = {
        "nowhere": PRFScore(),
        "invented": PRFScore(0, 2, 0, 0),
        "good": PRFScore(3, 4, 3, 3),
        "missed": PRFScore(0, 0, 0, 5),
    }
    table = prf_table("t", "type", scores)
    assert [row[0] for row in table.rows] == ["missed", "invented", "good", "nowhere"]
    assert table.rows[-1] == ["nowhere", None, None, None, 0, 0, 0]
    assert table.rows[2][1:4] == [0.75, 1.0, 6 / 7]
