"""What changed between two sides, item by item."""

from __future__ import annotations

from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from ietool.scoring.changes import changes_of, label_of
from ietool.scoring.report import Outcome

GOLD = ("作者", "导演", "主演")
ITEMS = st.lists(st.tuples(st.integers(0, 3), st.sampled_from([*GOLD, "国籍"])), max_size=8, unique=True)


def judged(gold: set[tuple[int, str]], said: set[tuple[int, str]]) -> list[Outcome]:
    """Outcomes as a scorer gives them of (text, relation) items."""

    def outcome(verdict: str, item: tuple[int, str]) -> Outcome:
        return Outcome(item[0], f"文{item[0]}", verdict, verdict, {"subject": "甲", "predicate": item[1]})

    found = [outcome("right" if item in gold else "spurious", item) for item in sorted(said)]
    return found + [outcome("missed", item) for item in sorted(gold - said)]


@given(ITEMS, st.lists(ITEMS, min_size=1, max_size=3), st.lists(ITEMS, min_size=1, max_size=3))
@settings(max_examples=50)
def test_an_item_is_right_where_prediction_and_gold_agree_on_it(
    gold: list[tuple[int, str]], a: list[list[tuple[int, str]]], b: list[list[tuple[int, str]]]
) -> None:
    wanted = set(gold)
    found = changes_of(*([judged(wanted, set(run)) for run in side] for side in (a, b)), whole=False)
    every = wanted.union(*map(set, a), *map(set, b))
    shares = {
        item: tuple(sum((item in run) == (item in wanted) for run in side) / len(side) for side in (a, b))
        for item in every
    }
    for told, better in ((found.repaired, True), (found.broken, False)):
        said = Counter((one.text, one.item["predicate"], one.a, one.b) for one in told)
        changed = {item: own for item, own in shares.items() if own[0] != own[1] and (own[1] > own[0]) is better}
        assert said == Counter((f"文{n}", name, *own) for (n, name), own in changed.items())
    assert found.items == len(every)
    for moved in found.moved:
        f1 = []
        for side in (a, b):
            runs = []
            for run in side:
                own, mine = ({i for i in some if i[1] == moved.label} for some in (set(run), wanted))
                runs.append(2 * len(own & mine) / (len(own) + len(mine)) if own or mine else 0.0)
            f1.append(sum(runs) / len(runs))
        assert abs(moved.a - f1[0]) < 1e-12 and abs(moved.b - f1[1]) < 1e-12
        assert moved.repaired == sum(one.label == moved.label for one in found.repaired)


def test_an_answer_is_right_as_a_whole_and_its_parts_are_counted_apart() -> None:
    def query(verdict: str, text: str, *parts: tuple[str, str]) -> list[Outcome]:
        whole = Outcome(1, "问", verdict, "logical form", {"part": "query", "query": text})
        return [whole, *(Outcome(1, "问", v, "", {"part": name, name: "x"}) for name, v in parts)]

    a = query("spurious", "SELECT a", ("agg", "spurious"), ("sel", "right"))
    b = query("right", "SELECT b", ("agg", "right"), ("sel", "right"))
    found = changes_of([a], [b], whole=True)
    assert (found.items, len(found.repaired), len(found.broken), found.what) == (1, 1, 0, "part")
    change = found.repaired[0]
    assert change.item["query"] == "SELECT a" and change.now is not None and change.now["query"] == "SELECT b"
    assert {(m.label, m.a, m.b) for m in found.moved} == {("query", 0, 1), ("agg", 0, 1), ("sel", 1, 1)}


def test_a_wrong_answer_that_is_spurious_and_missed_is_one_item() -> None:
    wrong = [Outcome(1, "文", verdict, "", {"type": "重组", "subject": s}) for verdict, s in
             (("spurious", "乙"), ("missed", "甲"))]  # fmt: skip
    right = [Outcome(1, "文", "right", "exact", {"type": "重组", "subject": "甲"})]
    found = changes_of([wrong], [right], whole=True)
    assert (found.items, len(found.repaired), found.repaired[0].b) == (1, 1, 1.0)
    assert len(changes_of([wrong], [right], whole=False).repaired) == 2


def test_what_an_item_is_worth_is_not_what_it_is() -> None:
    a = [Outcome(1, "文", "right", "", {"role": "时间", "type": "胜负", "argument": "周日", "score": 0.5})]
    b = [Outcome(1, "文", "right", "", {"role": "时间", "type": "胜负", "argument": "周日", "score": 1.0})]
    found = changes_of([a], [b], whole=False)
    assert (found.items, found.repaired, found.broken) == (1, [], [])
    assert label_of(a[0].item) == ("type", "胜负") and label_of({"kb_id": "3"}) == ("", "")
