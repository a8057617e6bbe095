"""What is written and shown of a prediction."""

from __future__ import annotations

import json

from ietool.tasks.nl2sql import Nl2sqlTask
from ietool.tasks.nl2sql.data.example import Example
from ietool.tasks.nl2sql.heads.sketch.decode import Answered, Ranked
from ietool.tasks.nl2sql.writing import format_prediction, spoken
from tests.tasks.nl2sql.invented import FILMS, query

FIRST = query((9, 2, "x"))
CHOSEN = query((1, 2, "a'b\"\n"), (2, 0, "3000"), select={0: 4, 3: 0}, connector=2)
PREDICTION = Answered(Example(0, "问", FILMS, id=7), (Ranked(CHOSEN, 0.5), Ranked(query(), 0.25)), 0, {"failed": 1})


def test_a_line_is_one_query() -> None:
    line = format_prediction(PREDICTION)
    assert "\n" not in line and json.loads(line) == {"id": 7, **CHOSEN.plain}


def test_queries_are_spoken_with_the_names_of_columns() -> None:
    assert spoken(CHOSEN, FILMS) == (
        "SELECT COUNT(影片), 上座率(%) WHERE 类型 == 'a\\'b\"\\n' or 票房（万元） > '3000'"
    )  # fmt: skip
    assert spoken(query(), FILMS) == "SELECT 影片"


def test_the_chosen_query_is_shown_first() -> None:
    later = Answered(PREDICTION.example, PREDICTION.queries[::-1], 1)
    for prediction in (PREDICTION, later):
        shown = Nl2sqlTask().show(prediction)
        assert [row[1] for row in shown.rows] == [0.5, 0.25] and shown.title == "问"


def test_a_record_is_plain_data_without_the_table() -> None:
    record = Nl2sqlTask().record(PREDICTION)
    assert json.loads(json.dumps(record)) == record and record["sql"] == CHOSEN.plain
    assert record["table_id"] == "films" and record["passed"] == {"failed": 1} and "rows" not in record
