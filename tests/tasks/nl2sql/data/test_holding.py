"""What is kept of the tables asked last."""

from __future__ import annotations

import gc
import weakref

from ietool.tasks.nl2sql.data.example import Table
from ietool.tasks.nl2sql.data.holding import Holding, by_table
from tests.tasks.nl2sql.invented import table


class Made:
    def __init__(self, of: Table) -> None:
        self.id = of.id


def some(count: int) -> list[Table]:
    return [table([("x",)] * 100, ("a",), id=str(n)) for n in range(count)]


def test_so_many_cells_are_held_of_the_tables_asked_last() -> None:
    tables = some(4)
    kept = Holding(Made, 250)
    first, second = kept.of(tables[0]), kept.of(tables[1])
    assert kept.of(tables[0]) is first and len(kept) == 2
    kept.of(tables[2])
    assert len(kept) == 2 and kept.of(tables[0]) is first and kept.of(tables[1]) is not second
    alone = Holding(Made, 1)
    assert alone.of(tables[0]) is alone.of(tables[0]) and alone.of(tables[1]) is alone.of(tables[1])
    assert len(alone) == 1


def test_what_is_held_goes_with_its_table() -> None:
    tables = some(3)
    kept = Holding(Made, 350)
    gone, stays = weakref.ref(kept.of(tables[0])), kept.of(tables[1])
    del tables[0]
    gc.collect()
    assert gone() is None and len(kept) == 1
    more = some(2)
    kept.of(more[0])
    assert kept.of(tables[0]) is stays  # the table that is gone takes no room
    kept.of(more[1])
    assert kept.of(tables[0]) is stays and len(kept) == 3


def test_questions_of_one_table_stand_together() -> None:
    assert by_table("abcab") == [0, 3, 1, 4, 2] and by_table("") == []
