"""Numbers as questions and cells write them: 一百二十万, 1,200, 3.5亿, 两百多万, 三个亿, 过亿, 5w, 百分之二十, 20%,
三成, 零八年, 08到10年, 两倍.

Libraries turn a whole string into a number; here numbers are found within a text, each with its stretch, full-width
ones too, and in words that they refuse (一万五 is 15,000, 零八 is 08). What is said to be more (两百多万) is its least.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import lru_cache

DIGITS = "零一二三四五六七八九"
_VALUES = {character: n for n, character in enumerate(DIGITS)} | {"〇": 0, "○": 0, "两": 2, "俩": 2}
_VALUES |= dict(zip("壹贰叁肆伍陆柒捌玖", range(1, 10), strict=True))
_SMALL = {"十": 10, "拾": 10, "百": 100, "佰": 100, "千": 1000, "仟": 1000}
_LARGE = {"万": 10**4, "萬": 10**4, "亿": 10**8, "億": 10**8}
SCALES = {**_SMALL, **_LARGE}
_SCALES = {**SCALES, "w": 10**4, "W": 10**4}
"""Those behind digits: 5w is 五万."""

_LONGEST = 40
"""Characters of a number; what is longer is none."""

# One character for one, so that no offset moves.
_NARROW = str.maketrans("０１２３４５６７８９．，％－＋ｗＷ", "0123456789.,%-+wW")

_ARABIC = (
    r"\d+(?:\.\d+)?[eE][+-]?\d{1,3}(?![0-9A-Za-z])|\d{1,3}(?:,\d{3})+(?:\.\d+)?(?![\d])|\d+(?:\.\d+)?"
    r"|(?:^|(?<=[\s于为是到至过超达约负之(（<>=~～:：、,-]))\.\d+"  # 《默读.2018》 is a name and a year
)
_WORD = "".join(_VALUES)
_WORDS = f"[{_WORD}{''.join(SCALES)}]"
# Words that only begin as a number does.
_ONE_OF_WORDS = "一(?=[些般样共直定起下向旦边方切致同])"
# 万 and 亿 behind a number's words, unless names begin with them: 三个亿, but 三个亿达的楼盘.
_FAR = "(?:万?亿(?![达利阳城纬滋帆嘉晶航])|万(?![达科华国宝象豪能物维润泰丰隆盛兴年代亿]))"
# 百万 and 亿 alone are words; as something that is reached or passed they count one.
_PASSED = "(?:(?<=[过超破上逾达近])|(?<=[过超破上达]了))"
_BARE = f"{_PASSED}[百千]?{_FAR}|(?<=[到足于])[百千]{_FAR}|(?<![几数])[百千]?{_FAR}(?=[元块人]?以[上下内外])"
_MINUS = rf"负|(?<![0-9A-Za-z.%元块人个年月日号{_WORD}{''.join(SCALES)}-])-(?=[\d百千.])"
_NUMBER = re.compile(
    rf"(?P<minus>{_MINUS})?"
    rf"(?:(?P<full>百分之?百(?!{_WORDS}))"
    rf"|(?:(?P<of>百分之|千分之)(?P<below>负|-(?=\d))?)?"
    rf"(?:(?P<arabic>{_ARABIC})(?P<scale>[ ]?[十百千]?(?:万亿|[万亿])|[十百千]|[wW](?![0-9A-Za-z]))?"
    rf"(?P<chain>(?:\d{{1,4}}(?:[十百千]?万|[十百千])){{0,3}})(?P<rest>\d(?![\d.%万亿千百]))?"
    rf"|(?P<bare>{_BARE})"
    rf"|(?!{_ONE_OF_WORDS})(?P<words>{_WORDS}+)(?:点(?P<decimals>[{_WORD}]+)(?P<behind>万亿|[万亿])?)?"
    rf"|(?P<half>半)|(?P<sign>[正负](?:值|数|增长)|(?<=[为是])[正负](?=[的，,。？?]|$)))"
    rf"(?P<more>(?:[多几来余]个?|个){_FAR})?"
    rf"(?P<after>%|‰|成(?![都为立交员功绩果本人就熟长])|年(?!级|龄|代))?)"
)
_RANGE = re.compile(r" ?(?:到|至|-|~|～|—{1,2}|–) ?")

_PARTS = re.compile(r"(\d+)(\D+)")

_THOUSANDTHS = "千分之"
_PERCENTS = ("%", "‰", "成")

PLAIN, PERCENT, YEAR = "plain", "percent", "year"


@dataclass(frozen=True, slots=True)
class Number:
    """A number in a text.

    Attributes:
        start, end: its stretch, half-open, with what belongs to it (``%``, ``百分之``, 年).
        value: what it says; of a percentage the number before the sign, 20 of 20%.
        kind: ``plain``, ``percent``, or ``year`` (four digits, or two of which the century is guessed, before 年).
        head: the number before the scale, 3.5 of 3.5亿, 3 of 三个亿; None where it is said in one, or there is none.
        scale: that scale, 10^8; 1 without.

    Of 100到200万 the first has the scale of the second: its head is what is written.
    """

    start: int
    end: int
    value: Decimal
    kind: str = PLAIN
    head: Decimal | None = None
    scale: int = 1


def narrow(text: str) -> str:
    """A text with full-width digits and signs as plain ones; no offset moves."""
    return text.translate(_NARROW)


@lru_cache(1 << 12)
def find_numbers(text: str) -> tuple[Number, ...]:
    """The numbers of a text, from left to right."""
    text = narrow(text)
    matches = _NUMBER.finditer(text)
    numbers = (_number(match) for match in matches if match.end() - match.start() <= _LONGEST)
    found: list[Number] = []
    for number in numbers:
        if number is None:
            continue
        if found and _RANGE.fullmatch(text, found[-1].end, number.start):
            found[-1], number = _range(found[-1], number, text)
        found.append(number)
    return tuple(found)


def _range(low: Number, high: Number, text: str) -> tuple[Number, Number]:
    """Both borders of a range, of which one may say scale or sign of percent for the other too: 3~5万, 三到五百万,
    5-10%, 百分之三到五; or that it is a year: 08到10年."""
    if low.kind == PLAIN and high.kind == YEAR:
        said = text[low.start : low.end]
        year = _year(said if said.isdigit() else spoken_digits(said) or "", low.value)
        return low if year is None else replace(low, value=year, kind=YEAR), high
    if low.kind == PLAIN and low.scale == 1 and high.kind == PLAIN:
        said = text[high.start : high.end]
        scales = said[len(said.rstrip("".join(_SCALES))) :]
        for begin in range(len(scales)):  # 三到五百万 is of 百万, 一百到二百万 of 万
            scale = _scale(scales[begin:])
            if low.value and low.value * scale < high.value:
                return replace(low, value=low.value * scale, head=low.value, scale=scale), high
    elif low.kind == PLAIN and high.kind == PERCENT and low.scale == 1:
        value = _percent(low.value, text[high.end - 1])
        if value < high.value and text[high.end - 1] in _PERCENTS:
            return replace(low, value=value, kind=PERCENT), high
    elif low.kind == PERCENT and high.kind == PLAIN and high.scale == 1 and text[low.end - 1] not in _PERCENTS:
        value = _percent(high.value, "‰" if _THOUSANDTHS in text[low.start : low.end] else "")
        if value > low.value:
            return low, replace(high, value=value, kind=PERCENT)
    return low, high


def _percent(value: Decimal, sign: str) -> Decimal:
    """The percentage that a number before a sign says."""
    return value / 10 if sign == "‰" else value * 10 if sign == "成" else value


def _number(match: re.Match[str]) -> Number | None:
    start, end = match.span()
    head, scale, digits = None, 1, ""
    if match["full"] is not None:
        return Number(start, end, Decimal(-100 if match["minus"] else 100), PERCENT)
    if match["bare"] is not None:
        scale = _scale(match["bare"])
        return Number(start, match.end("bare"), Decimal(scale), PLAIN, None, scale)
    if match["arabic"] is not None:
        digits = match["arabic"]
        value = Decimal(digits.replace(",", ""))
        chain, rest = match["chain"], match["rest"]
        if not match["scale"]:
            end = match.start("chain") if chain else match.start("rest") if rest else end
        else:
            head, scale = value, _scale(match["scale"])
            value *= scale
            if chain or rest:
                low = scale
                for part in _PARTS.finditer(chain):
                    low = _scale(part[2])
                    value += int(part[1]) * low
                if rest and low < 100:  # 3十5 is no number
                    end = match.start("rest")
                elif rest:
                    value += int(rest) * (low // 10)
                head, scale = None, 1
    elif match["sign"] is not None:
        return Number(start, end, Decimal(0))  # below or above it
    elif match["half"] is not None:
        if match["of"] or match["after"]:
            return None
        value = Decimal("0.5")
    else:
        words = match["words"]
        spoken = spoken_digits(words)
        whole = number_of(words) if spoken is None else Decimal(spoken)
        if whole is None:
            return None
        digits = spoken or ""
        value = whole
        if match["decimals"]:
            value += Decimal("0." + "".join(str(_VALUES[c]) for c in match["decimals"]))
            if match["behind"]:
                head, scale = value, _scale(match["behind"])
                value *= scale
    if match["more"] and end == match.end():
        head, scale = value, _scale(match["more"].lstrip("多几来余个"))
        value *= scale
    if match["minus"] or match["below"]:
        value, head = -value, None if head is None else -head
    after = match["after"] if end == match.end() else None
    if match["of"] or after in _PERCENTS:
        sign = "‰" if match["of"] == _THOUSANDTHS else after or ""
        return Number(start, end, _percent(value, sign), PERCENT)
    if after == "年":
        year = _year(digits, value)
        if year is not None:
            return Number(start, end, year, YEAR)
        end -= 1  # 三年 is three of them
    return Number(start, end, value, PLAIN, head, scale)


def _scale(written: str) -> int:
    scale = 1
    for character in written.strip():
        scale *= _SCALES[character]
    return scale


def _year(digits: str, value: Decimal) -> Decimal | None:
    """The year that digits before 年 say: four of them, or two; 08 is 2008, 98 is 1998."""
    if len(digits) == 4 and 1000 <= value <= 2999:
        return value
    if len(digits) == 2 and value == int(value):
        return value + (2000 if value < 50 else 1900)
    return None


def spoken_digits(words: str) -> str | None:
    """``2019`` of 二零一九: digits said one by one, two at least; None where there are scales among them."""
    if len(words) < 2 or any(c not in _VALUES for c in words) or "两" in words or "俩" in words:
        return None
    return "".join(str(_VALUES[c]) for c in words)


def number_of(words: str) -> Decimal | None:
    """The number that words with scales say: 一百二十万 is 1,200,000, 一万五 is 15,000; None where they say none."""
    total = section = 0  # of 亿 and 万, below them
    pending: int | None = None
    last = large = 0  # the scale that came last, the last of 万 and 亿
    zero = said = False
    for character in words:
        if character in _VALUES:
            if pending is not None and (pending or zero is False) and pending != 0:
                return None
            pending = _VALUES[character]
            zero = zero or pending == 0
            said = True
        elif character in _SMALL:
            unit = _SMALL[character]
            if pending is None and unit != 10 and last == 0:
                return None  # 百 and 千 alone are words
            # 零十万 is what 零一十万 is.
            section += (1 if pending is None or (pending == 0 and unit == 10) else pending) * unit
            pending, last, zero, said = None, unit, False, True
        else:
            unit = _LARGE[character]
            below = section + (pending or 0)
            if not below and not total:
                return None
            if unit == 10**8:
                total = (total + below) * unit
            elif last == unit or large == unit:
                total = (total + below) * unit  # 两万九千万
            else:
                total += below * unit
            section, pending, last, large, zero, said = 0, None, unit, unit, False, True
    if not said:
        return None
    if pending is not None:
        # Of 一万五 the last digit counts in the scale below; 一万零五 says that it does not.
        section += pending * (last // 10 if last >= 100 and not zero else 1)
    return Decimal(total + section)


def plain(value: Decimal | float | int) -> str:
    """A number as a query has it: no exponent, no needless zeros."""
    exact = value if isinstance(value, Decimal) else Decimal(repr(value))
    if not exact.is_finite():
        return str(value)
    shown = format(exact, "f")
    if "." in shown:
        shown = shown.rstrip("0").rstrip(".")
    return "0" if shown in ("-0", "") else shown


def whole_number(text: str) -> Decimal | None:
    """The number that a text as a whole is, a sign of percent or a unit word behind it aside; None where it is none."""
    text = text.strip()
    numbers = find_numbers(text)
    if len(numbers) != 1 or numbers[0].start != 0:
        return None
    rest = text[numbers[0].end :].strip()
    return numbers[0].value if not rest or (len(rest) <= _UNIT and not find_numbers(rest)) else None


_UNIT = 3
"""Characters of a unit word at most: 平方米."""
