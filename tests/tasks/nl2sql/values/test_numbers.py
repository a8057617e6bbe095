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
        ("成都的一些百姓千方百计", []),
        ("万达百货", []),
        ("", []),
    ],
)
def test_numbers_are_found_with_their_stretch(text: str, found: list[tuple[str, str]]) -> None:
    assert [(text[one.start : one.end], plain(one.value)) for one in find_numbers(text)] == found


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


@settings(max_examples=150, deadline=None)
@given(st.text(alphabet="零一二两三十百千万亿点半负0123456789.,%％年成-到个百分之", max_size=14))
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
     ("2个3", None), ("很多", None), ("12号线", "12")],
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
