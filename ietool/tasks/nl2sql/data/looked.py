"""What a question on a table holds, for those who look at a corpus."""

from __future__ import annotations

from ietool.core.looked import NOWHERE, Gold, Looked, Name, Words
from ietool.tasks.nl2sql.data.example import AGGREGATES, CONNECTORS, OPERATORS, Example

WORDS = Words(labels="parts of queries", kinds="numbers of conditions")


def looked(example: Example) -> Looked:
    """The query in its parts: what is selected, each condition, how they are joined. A value need not stand in the
    question, which may say it in other words."""
    table, query = example.table, example.query
    identity = f"{table.id}\t{example.question}"
    if query is None:
        return Looked(example.question, identity=identity)
    gold = [
        Gold(f"select {AGGREGATES[number] or 'the cell'}", (Name("column", table.header[column]),))
        for column, number in zip(query.select, query.aggregates, strict=True)
    ]
    for condition in query.conditions:
        at = example.question.find(condition.value) if condition.value else NOWHERE
        value = Name("value", condition.value, at, at + len(condition.value) if at >= 0 else NOWHERE)
        gold.append(
            Gold(f"where {OPERATORS[condition.operator]}", (Name("column", table.header[condition.column]), value))
        )
    if CONNECTORS[query.connector]:
        gold.append(Gold(f"joined by {CONNECTORS[query.connector]}"))
    return Looked(example.question, gold, str(len(query.conditions)), identity=identity)
