"""The choice among ranked queries by what they give on the table.

Execution-guided decoding (Wang et al., "Robust Text-to-SQL Generation with Execution-Guided Decoding", 2018): of a beam
the first that runs and is not empty.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from itertools import islice

from ietool.tasks.nl2sql.data.example import Query, Table
from ietool.tasks.nl2sql.sql.execution import Failure, execute, returns_something

FAILED, NOTHING, NONE = "failed", "nothing", "none"


def first_that_returns(queries: Iterable[Query], table: Table, *, most: int = 32) -> tuple[int, Counter[str]]:
    """The place of the first query that runs and returns something; 0 where none of the first ``most`` does.

    Args:
        queries: the likeliest first; taken only as far as they are needed.

    Returns:
        the place, and how many were passed over, by why: ``failed``, ``nothing``; ``none`` is 1 where none was better.
    """
    passed: Counter[str] = Counter()
    for place, query in enumerate(islice(queries, most)):
        rows = execute(query, table)
        if returns_something(rows, query):
            return place, passed
        passed[FAILED if isinstance(rows, Failure) else NOTHING] += 1
    passed[NONE] += 1
    return 0, passed
