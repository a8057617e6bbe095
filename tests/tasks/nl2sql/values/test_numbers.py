"""Numbers as questions write them, to and fro."""

from __future__ import annotations

import sys
from collections.abc import Callable
from decimal import Decimal
from importlib import import_module
from pathlib import Path
from unittest import mock

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ietool.tasks.nl2sql.values.dates import agree, find_dates, whole_date
from ietool.tasks.nl2sql.values.numbers import find_numbers, number_of, plain, spoken_digits, whole_number

DATA = Path(__file__).resolve().parents[4] / "data"


def _of_the_corpus() -> Callable[[int], str]:
    """How the shipped corpus says numbers, written without a look at how they are read."""
    path = [str(DATA / "nl2sql"), str(DATA / "ske"), *sys.path]
    with mock.patch.object(sys, "path", path), mock.patch.object(sys, "dont_write_bytecode", True):
        said: Callable[[int], str] = import_module("wording").in_words
    return said


in_words = _of_the_corpus()


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("超过一百二十万的", [("一百二十万", "1200000")]),
        ("20%", [("20%", "20")]),
        ("超过5w的", [("5w", "50000")]),
        ("总价３０Ｗ＋", [("３０Ｗ", "300000")]),
        ("带5WiFi的", [("5", "5")]),
        ("百分之二十", [("百分之二十", "20")]),
        ("百分之12.5以上", [("百分之12.5", "12.5")]),
        ("千分之三", [("千分之三", "0.3")]),
        ("三成", [("三成", "30")]),
        ("3.5亿元", [("3.5亿", "350000000")]),
        ("一点五亿", [("一点五亿", "150000000")]),
        ("零点五", [("零点五", "0.5")]),
        ("零八年", [("零八年", "2008")]),
        ("08年", [("08年", "2008")]),
        ("98年", [("98年", "1998")]),
        ("二零一九年", [("二零一九年", "2019")]),
        ("2008年", [("2008年", "2008")]),
        ("三年", [("三", "3")]),
        ("五年级", [("五", "5")]),
        ("两倍", [("两", "2")]),
        ("一个半", [("一", "1"), ("半", "0.5")]),
        ("1,200元", [("1,200", "1200")]),
        ("2,345,678.5", [("2,345,678.5", "2345678.5")]),
        ("１２３", [("１２３", "123")]),
        ("１，２００", [("１，２００", "1200")]),
        ("３．５％", [("３．５％", "3.5")]),
        ("三到五", [("三", "3"), ("五", "5")]),
        ("3-5", [("3", "3"), ("5", "5")]),
        ("-5度", [("-5", "-5")]),
        ("负五", [("负五", "-5")]),
        ("低于-5%的", [("-5%", "-5")]),
        ("同比为负的", [("负", "0")]),
        ("涨幅是正数", [("正数", "0")]),
        ("为正式员工负责", []),
        ("9.78e+12的书", [("9.78e+12", "9780000000000")]),
        ("15年增发价", [("15年", "2015")]),
        ("一万五", [("一万五", "15000")]),
        ("三千二", [("三千二", "3200")]),
        ("一千零五", [("一千零五", "1005")]),
        ("3万5", [("3万5", "35000")]),
        ("3万5千", [("3万5千", "35000")]),
        ("10亿2千万", [("10亿2千万", "1020000000")]),
        ("两万九千万", [("两万九千万", "290000000")]),
        ("四万万", [("四万万", "400000000")]),
        ("1万亿", [("1万亿", "1000000000000")]),
        ("两千万", [("两千万", "20000000")]),
        ("壹佰贰拾", [("壹佰贰拾", "120")]),
        ("过三个亿的", [("三个亿", "300000000")]),
        ("2.5个亿", [("2.5个亿", "250000000")]),
        ("半个亿", [("半个亿", "50000000")]),
        ("两百多万", [("两百多万", "2000000")]),
        ("二十多万人", [("二十多万", "200000")]),
        ("十几万", [("十几万", "100000")]),
        ("20来万", [("20来万", "200000")]),
        ("500余亿", [("500余亿", "50000000000")]),
        ("三万多亿", [("三万多亿", "3000000000000")]),
        ("两百多元", [("两百", "200")]),
        ("20多年", [("20", "20")]),
        ("三个亿达和3个万科的楼盘", [("三", "3"), ("3", "3")]),
        ("票房过亿的", [("亿", "100000000")]),
        ("超过千万", [("千万", "10000000")]),
        ("上百万", [("百万", "1000000")]),
        ("破百亿", [("百亿", "10000000000")]),
        ("超了万亿", [("万亿", "1000000000000")]),
        ("百万以上", [("百万", "1000000")]),
        ("不到千万元", [("千万", "10000000")]),
        ("超过亿达的百万富翁和几百万以上", []),
        ("上百家过千", []),
        ("属于万开州区", []),
        ("默读.2018这本书", [("2018", "2018")]),
        ("百分之百", [("百分之百", "100")]),
        ("百分之一百", [("百分之一百", "100")]),
        ("负百分之五", [("负百分之五", "-5")]),
        ("百分之负五", [("百分之负五", "-5")]),
        ("低于-百分之5", [("-百分之5", "-5")]),
        ("低于-.5", [("-.5", "-0.5")]),
        (".5", [(".5", "0.5")]),
        ("1.2.3", [("1.2", "1.2"), ("3", "3")]),
        ("成都的一些百姓千方百计", []),
        ("万达百货", []),
        ("", []),
    ],
)
def test_numbers_are_found_with_their_stretch(text: str, found: list[tuple[str, str]]) -> None:
    assert [(text[one.start : one.end], plain(one.value)) for one in find_numbers(text)] == found


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("100到200万", ["1000000", "2000000"]), ("3~5万", ["30000", "50000"]), ("3至5亿", ["300000000", "500000000"]),
        ("1.5-2.5亿", ["150000000", "250000000"]), ("五到十亿", ["500000000", "1000000000"]),
        ("三到五百万", ["3000000", "5000000"]), ("一百到二百万", ["1000000", "2000000"]),
        ("-5到5万", ["-50000", "50000"]), ("3到5%", ["3", "5"]), ("三到五成", ["30", "50"]),
        ("千分之三到五", ["0.3", "0.5"]), ("3-5w", ["30000", "50000"]), ("3万到5w", ["30000", "50000"]),
        ("08到10年", ["2008", "2010"]), ("零八到一零年", ["2008", "2010"]), ("98-02年", ["1998", "2002"]),
        ("5到10年", ["5", "2010"]),
        # The first is no less, or has a scale of its own.
        ("2019-3万", ["2019", "30000"]), ("5-5万", ["5", "50000"]), ("五千到一万", ["5000", "10000"]),
        ("1亿到2亿", ["100000000", "200000000"]), ("10万-20万", ["100000", "200000"]),
        ("100元-200元", ["100", "200"]), ("3和5万", ["3", "50000"]),
    ],
)  # fmt: skip
def test_borders_of_a_range_share_what_the_second_says(text: str, values: list[str]) -> None:
    assert [plain(one.value) for one in find_numbers(text)] == values


def test_what_is_written_of_a_range_is_kept() -> None:
    low, high = find_numbers("100到200万")
    assert (low.start, low.end, low.head, low.scale) == (0, 3, 100, 10**4) and high.head == 200
    percent, other = find_numbers("百分之三到五")
    assert percent.kind == other.kind == "percent" and other.value == 5


def test_the_head_is_what_stands_before_the_scale() -> None:
    (one,) = find_numbers("3.5亿")
    assert (one.head, one.scale) == (Decimal("3.5"), 10**8)
    (other,) = find_numbers("一百二十万")
    assert other.head is None and other.scale == 1


@settings(max_examples=100, deadline=None)
@given(
    st.one_of(st.integers(0, 10**16 - 1), st.builds(lambda a, b: a * 10**b, st.integers(1, 9999), st.integers(0, 11)))
)
def test_a_number_in_words_is_that_number(number: int) -> None:
    words = in_words(number)
    assert number_of(words) == number
    (found,) = find_numbers(f"超过{words}的")
    assert found.value == number and (found.start, found.end) == (2, 2 + len(words))
    spoken = "两" + words[1:] if words[0] == "二" and words[1:2] in ("千", "万", "亿") else words
    assert number_of(spoken) == number


@settings(max_examples=100, deadline=None)
@given(st.decimals(0, 10**9, places=2), st.sampled_from(["", "万", "亿"]), st.booleans())
def test_digits_in_a_question_are_that_number(value: Decimal, scale: str, full: bool) -> None:
    written = plain(value) + scale
    if full:
        written = written.translate(str.maketrans("0123456789.", "０１２３４５６７８９．"))
    (found,) = find_numbers(f"比{written}多")
    assert found.value == value * {"": 1, "万": 10**4, "亿": 10**8}[scale]


_FAR = {"万": 10**4, "亿": 10**8, "万亿": 10**12}


@settings(max_examples=100, deadline=None)
@given(st.integers(1, 9999), st.booleans(), st.sampled_from(["多", "来", "余", "个", "多个"]), st.sampled_from([*_FAR]))
def test_a_number_of_a_scale_behind_it_is_so_many_of_that(number: int, words: bool, between: str, scale: str) -> None:
    text = (in_words(number) if words else str(number)) + between + scale
    (found,) = find_numbers(f"超过{text}的")
    assert found.value == number * _FAR[scale] and (found.start, found.end) == (2, 2 + len(text))
    assert (found.head, found.scale) == (number, _FAR[scale])


@settings(max_examples=100, deadline=None)
@given(
    st.integers(1, 9998), st.integers(1, 9999), st.sampled_from(["到", "至", "-", "~", "～"]), st.sampled_from([*_FAR])
)
def test_the_first_of_a_range_has_the_scale_of_the_second(low: int, more: int, to: str, scale: str) -> None:
    first, second = find_numbers(f"在{low}{to}{low + more}{scale}之间")
    assert (first.value, second.value) == (low * _FAR[scale], (low + more) * _FAR[scale]) and first.head == low


@settings(max_examples=300, deadline=None)
@given(st.text(alphabet="零一二两三十百千万亿点半负0123456789.,%％年成-到个百分之多几来余~过超上以", max_size=14))
def test_whatever_stands_there_stretches_lie_apart(text: str) -> None:
    last = 0
    for one in find_numbers(text):
        assert last <= one.start < one.end <= len(text) and one.value.is_finite()
        last = one.end


@pytest.mark.parametrize(
    ("value", "written"),
    [(1200.0, "1200"), (3.5, "3.5"), (0.1, "0.1"), (-0.0, "0"), (1e20, "100000000000000000000"),
     (Decimal("1E+3"), "1000"),     (Decimal("2.50"), "2.5"), (7, "7"), (1e-7, "0.0000001")],
)  # fmt: skip
def test_numbers_are_written_without_exponent_and_needless_zeros(value: float | Decimal, written: str) -> None:
    assert plain(value) == written


@pytest.mark.parametrize(
    ("text", "value"),
    [("120万", "1200000"), ("3.5 亿元", "350000000"), ("12%", "12"), ("5平方米", "5"), ("第3名", None), ("3-5", None),
     ("2个3", None), ("很多", None), ("12号线", "12"),
     ("20多万", "200000"), ("负百分之五", "-5"), (".5", "0.5"), ("100到200万", None)],
)  # fmt: skip
def test_a_cell_may_be_a_number_with_its_unit(text: str, value: str | None) -> None:
    found = whole_number(text)
    assert (None if found is None else plain(found)) == value


def test_digits_said_one_by_one() -> None:
    assert spoken_digits("二零一九") == "2019" and spoken_digits("零八") == "08"
    assert spoken_digits("十二") is None and spoken_digits("二") is None and spoken_digits("两三") is None


@pytest.mark.parametrize("words", ["百", "万", "亿万", "千", "二三十四百", ""])
def test_words_that_are_no_number(words: str) -> None:
    assert number_of(words) is None


# -- dates


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("2019年11月3日", (2019, 11, 3)), ("19年11月3号", (2019, 11, 3)), ("二零一九年十一月三日", (2019, 11, 3)),
        ("2019-11-03 08:00:00", (2019, 11, 3)), ("2019/1", (2019, 1, None)), ("2019.11.3", (2019, 11, 3)),
        ("十二月二十一日", (None, 12, 21)), ("11月", (None, 11, None)), ("2019年度", (2019, None, None)),
        ("99年1月", (1999, 1, None)), ("２０１９年１月", (2019, 1, None)), ("2019年11月份", (2019, 11, None)),
    ],
)  # fmt: skip
def test_dates(text: str, said: tuple[int | None, ...]) -> None:
    (found,) = find_dates(text)
    assert found.key == said and (found.start, found.end) == (0, len(text))


def test_what_is_no_date() -> None:
    for text in ("13月", "1.5", "2019.115", "三年", "192.168.1.1", "月亮", "2019-13-01"):
        assert not [one for one in find_dates(text) if one.month is not None], text
    assert whole_date("2019年11月3日的票") is None


def test_dates_agree_as_far_as_they_say() -> None:
    day, month, other = (whole_date(text) for text in ("2019年11月3日", "2019年11月", "2018年11月3日"))
    short, year = whole_date("11月3日"), whole_date("2019年")
    assert day and month and other and short and year
    assert agree(day, day) == 1 > agree(month, day) == agree(short, day) > agree(year, day) > 0
    assert agree(day, other) == 0 and agree(short, year) == 0
