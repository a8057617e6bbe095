"""Values that questions mention, and what a stretch means in a column."""

from __future__ import annotations

import gc
import time
import weakref

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ietool.tasks.nl2sql.data.example import Table
from ietool.tasks.nl2sql.sql.execution import execute
from ietool.tasks.nl2sql.values.columns import Alike, Column, columns_of
from ietool.tasks.nl2sql.values.correcting import correct
from ietool.tasks.nl2sql.values.finding import Mention, find_all, find_values
from ietool.tasks.nl2sql.values.numbers import find_numbers
from ietool.tasks.nl2sql.values.units import meant, numbers_of, unit_of
from tests.tasks.nl2sql.invented import FILMS, query, table


def found(question: str, asked: Table = FILMS, column: int | None = None) -> list[Mention]:
    return [one for one in find_values(question, asked) if column is None or one.column == column]


def test_cells_are_found_with_their_stretch() -> None:
    question = "晚风记和雪路的票房"
    names = found(question, column=0)
    assert [(one.value, question[one.start : one.end], one.kind, one.likeness) for one in names] == [
        ("晚风记", "晚风记", "cell", 1.0), ("雪路", "雪路", "cell", 1.0)
    ]  # fmt: skip


def test_case_and_width_count_for_nothing_and_values_stay_those_of_the_table() -> None:
    asked = table([("Kavo X2",), ("Ｎｏｒｉ１２",)], ("手机",))
    assert [one.value for one in found("kavo x2多少钱", asked)] == ["Kavo X2"]
    assert [one.value for one in found("Ｎｏｒｉ12多少钱", asked)] == ["Ｎｏｒｉ１２"]


def test_no_cell_is_found_within_a_number_or_a_word() -> None:
    asked = table([("1",), ("Pro",), ("12",)], ("码",))
    assert [one.value for one in found("12号", asked) if one.kind == "cell"] == ["12"]
    assert not found("Process", asked) and [one.value for one in found("Pro版", asked)] == ["Pro"]


def test_a_number_is_proposed_in_the_unit_of_the_header() -> None:
    best = found("票房超过一百二十万的影片", column=2)[0]
    assert (best.value, best.kind, best.start, best.end) == ("120", "number", 4, 9)
    assert found("票房超过5.6亿", column=2)[0].value == "56000"
    assert found("票房超过1200", column=2)[0].value == "1200"
    assert found("上座率低于百分之三十", column=3)[0].value == "30"
    assert found("上座率低于两成", column=3)[0].value == "20"


def test_of_a_header_without_unit_the_cells_tell_it() -> None:
    profits = table([("甲", 42000.0), ("乙", 310000.0), ("丙", 5600.5)], ("企业", "利润"), ("text", "real"))
    values = [one.value for one in found("利润超过8亿的企业", profits, 1)]
    assert values[0] == "80000" and "800000000" in values
    rates = table([("甲", 0.2), ("乙", 0.35)], ("企业", "增速"), ("text", "real"))
    assert found("增速高于百分之三十", rates, 1)[0].value == "0.3"


def test_years() -> None:
    years = table([("甲", 2008.0), ("乙", 2015.0)], ("书", "年份"), ("text", "real"))
    assert found("零八年的书", years, 1)[0].value == "2008"
    short = table([("甲", 8.0), ("乙", 15.0)], ("书", "年份"), ("text", "real"))
    assert found("15年的书", short, 1)[0].value == "15"
    texts = table([("2008年",), ("2015年",)], ("年份",))
    assert {one.value for one in found("08年的", texts)} == {"2008年"}


def test_numbers_in_a_column_of_texts_are_what_sqlite_holds_for_them() -> None:
    mixed = table([("甲", 2008.0), ("乙", 2011), ("丙", "2012年")], ("书", "年份"))
    for question, value, name in (
        ("2008年的书", "2008.0", "甲"),
        ("二零一一年的书", "2011", "乙"),
        ("12年的", "2012年", "丙"),
    ):
        assert {one.value for one in found(question, mixed, 1)} == {value}
        assert execute(query((1, 2, value)), mixed) == [(name,)]
    assert correct("2008", mixed, 1, 2)[0] == ("2008.0", 1.0)


@settings(max_examples=80, deadline=None)
@given(st.floats(allow_nan=False, allow_infinity=False), st.integers(-(2**63), 2**63 - 1))
def test_any_number_in_a_column_of_texts_can_be_asked_for(real: float, whole: int) -> None:
    asked = table([("甲", real), ("乙", whole)], ("名", "数"))
    for name, value in zip("甲乙", columns_of(asked).columns[1].cells, strict=False):
        rows = execute(query((1, 2, value)), asked)
        assert isinstance(rows, list) and (name,) in rows


def test_dates_are_those_of_the_table() -> None:
    question = "19年3月5号上映的影片"
    one = found(question, column=4)[0]
    assert (one.value, one.kind, question[one.start : one.end]) == ("2019年3月5日", "like", "19年3月5号")
    of_month = {one.value for one in found("2019年3月上映的", column=4)}
    assert of_month == {"2019年3月5日", "2019年3月18日"}
    stamps = table([("2019-11-01 08:00:00",), ("2019-12-01 08:00:00",)], ("时间",))
    assert found("2019年11月的成交", stamps)[0].value == "2019-11-01 08:00:00"


def test_dates_of_columns_of_numbers() -> None:
    months = table(
        [("甲", 2010.9, 20180203.0), ("乙", 2011.1, 20180301.0)], ("书", "出版", "日期"), ("text", "real", "real")
    )
    said = [(one.value, one.likeness) for one in found("2010年9月出版的书", months, 1)]
    assert ("2010.9", 0.95) in said
    assert "20180203" in {one.value for one in found("18年2月3号生产的", months, 2)}


def test_a_firm_is_known_by_a_part_of_its_name() -> None:
    firms = [("橙和地产股份有限公司",), ("汇诺食品股份有限公司",), ("智河地产有限公司",), ("天影物流股份有限公司",)]
    asked = table(firms, ("企业",))
    question = "橙和地产的利润是多少"
    best = max(found(question, asked), key=lambda one: one.likeness)
    assert best.value == "橙和地产股份有限公司" and question[best.start : best.end] == "橙和地产"
    assert not found("哪些有限公司", asked)


def test_a_letter_amiss_is_no_matter() -> None:
    asked = table([("同济创新创业控股",), ("光大嘉宝集团",)], ("企业",))
    question = "同济创新创叶控股的规模"
    best = found(question, asked)[0]
    assert best.value == "同济创新创业控股" and question[best.start : best.end] == "同济创新创叶控股"


def test_mentions_come_by_column_and_likeliest_first() -> None:
    mentions = find_values("票房超过3.5亿的喜剧影片晚风记", FILMS)
    assert [m.column for m in mentions] == sorted(m.column for m in mentions)
    numbers = [m for m in mentions if m.column == 2]
    assert [m.likeness for m in numbers] == sorted((m.likeness for m in numbers), reverse=True) and len(numbers) > 1
    assert find_all(["雪路", "喜剧"], [FILMS, FILMS]) == [find_values("雪路", FILMS), find_values("喜剧", FILMS)]


def test_duplicate_headers_empty_tables_and_empty_questions() -> None:
    twice = table([("甲", "甲"), ("乙", None)], ("名", "名"))
    assert {(one.column, one.value) for one in found("甲的名", twice)} == {(0, "甲"), (1, "甲")}
    empty = table([], ("名", "数"), ("text", "real"))
    assert [one.value for one in found("超过20的", empty)] == ["20"]
    assert find_values("", FILMS) == []
    assert found("好", table([("",), (" ",), (None,)], ("名",))) == []
    assert find_values("\ud800雪路", FILMS)[0].value == "雪路"


def test_numbers_of_columns_of_text() -> None:
    asked = table([("120万",), ("80万",), ("面议",)], ("报价",))
    question = "一百二十万的有哪些"
    (one,) = found(question, asked)
    assert (one.value, question[one.start : one.end]) == ("120万", "一百二十万")


def test_ten_thousand_rows_are_worked_out_once() -> None:
    many = table([(f"名{n:05}号楼", float(n)) for n in range(10_000)], ("楼", "数"), ("text", "real"))
    columns_of(many)
    begin = time.process_time()
    for _ in range(20):
        assert found("名04321号楼有几层", many, 0)[0].value == "名04321号楼"
    assert (time.process_time() - begin) / 20 < 0.05
    assert correct("名0432l号楼", many, 0, 2)[0][1] > 0.8


def test_what_is_worked_out_goes_with_its_table() -> None:
    asked = table([("甲",)], ("名",))
    kept = weakref.ref(columns_of(asked))
    assert kept() is columns_of(asked)
    del asked
    gc.collect()
    assert kept() is None


@settings(max_examples=50, deadline=None)
@given(
    st.lists(st.text(alphabet="甲乙丙丁戊", min_size=1, max_size=6), min_size=1, max_size=8, unique=True),
    st.text(alphabet="甲乙丙丁戊", max_size=10),
)
def test_shares_are_those_of_a_literal_twin(cells: list[str], text: str) -> None:
    def pairs(one: str) -> set[str]:
        return {one[n : n + 2] for n in range(len(one) - 1)}

    def weight(pair: str) -> float:
        return float(np.log((len(cells) + 1) / sum(pair in pairs(cell) for cell in cells)))

    shares = {}
    for n, cell in enumerate(cells):
        whole = sum(weight(pair) for pair in pairs(cell))
        if whole:
            shares[n] = sum(weight(pair) for pair in pairs(cell) & pairs(text)) / whole
    alike = Alike([Column(table([(cell,) for cell in cells], ("名",)), 0)])
    given_back = dict(alike.find(text, 0.3))
    assert given_back == pytest.approx({n: share for n, share in shares.items() if share >= 0.3})


@settings(max_examples=80, deadline=None)
@given(st.text(alphabet="晚风记雪路喜剧一二三万亿0123.%年月日超过的和 Aa", max_size=24))
def test_every_mention_lies_in_the_question(question: str) -> None:
    for one in find_values(question, FILMS):
        assert 0 <= one.start < one.end <= len(question) and 0 < one.likeness <= 1
        assert 0 <= one.column < FILMS.width and one.value
        if one.kind == "cell":
            assert one.value == question[one.start : one.end]
        if FILMS.types[one.column] == "real":
            float(one.value)
        else:
            assert one.value in FILMS.column(one.column)


# -- units


@pytest.mark.parametrize(
    ("header", "unit"),
    [
        ("票房（万元）", (10**4, False)), ("营收(亿)", (10**8, False)), ("人口/万人", (10**4, False)),
        ("上座率(%)", (1, True)), ("占比", (1, True)), ("营收 单位：百万元", (10**6, False)),
        ("生产总值亿元", (10**8, False)),
        ("均价（元/平方米）", (1, False)), ("重量（千克）", (1, False)), ("万达广场", (1, False)),
        ("千元机", (1, False)),
        ("产量（千吨）", (1000, False)), ("", (1, False)), ("总额[千万]", (10**7, False)),
    ],
)  # fmt: skip
def test_units_of_headers(header: str, unit: tuple[int, bool]) -> None:
    assert unit_of(header) == unit


def test_readings_that_fit_the_cells_come_first() -> None:
    (number,) = find_numbers("3亿")
    for header, cells, first in (
        ("利润", [20000.0, 50000.0], "30000"),
        ("利润", [2e8, 5e8], "300000000"),
        ("利润", [1.0, 7.5], "3"),
        ("利润（万元）", [], "30000"),
    ):
        assert meant(number, header, numbers_of(cells))[0][0] == first, (header, cells)


def test_numbers_of_cells() -> None:
    assert numbers_of([3, "1,200", "x", None, 2.5, "nan", "inf"]).tolist() == [2.5, 3.0, 1200.0]


# -- correction


@pytest.mark.parametrize(
    ("text", "column", "operator", "value"),
    [
        ("晚风", 0, 2, "晚风记"), ("雪地", 0, 2, "雪路"), ("喜剧片", 1, 3, "喜剧"), ("海信传", 0, 2, "海信传"),
        ("三千万", 2, 0, "3000"), ("约3.05亿", 2, 1, "30500"), ("20%", 3, 1, "20"),
        ("19年3月5号", 4, 2, "2019年3月5日"),
        ("1200", 2, 2, "1200"),
    ],
)  # fmt: skip
def test_a_stretch_means_a_cell_or_a_number(text: str, column: int, operator: int, value: str) -> None:
    found_values = correct(text, FILMS, column, operator)
    assert found_values[0][0] == value and 0 < found_values[0][1] <= 1
    assert [likeness for _, likeness in found_values] == sorted((p for _, p in found_values), reverse=True)


def test_what_is_like_nothing_stands_for_itself() -> None:
    assert correct("qqq", FILMS, 0, 2) == [("qqq", 0.0)]
    assert correct("很多", FILMS, 2, 0) == [("很多", 0.0)]
    assert correct("", FILMS, 0, 2) == [("", 0.0)]
    assert correct("甲", table([], ("名",)), 0, 2) == [("甲", 0.0)]
    assert len(correct("的", FILMS, 0, 2, most=1)) == 1


def test_the_same_text_is_surest() -> None:
    asked = table([("创业",), ("创业板",), ("创业投资",)], ("名",))
    assert correct("创业板", asked, 0, 2)[0] == ("创业板", 1.0)
    assert correct("创业", asked, 0, 2)[0] == ("创业", 1.0)
