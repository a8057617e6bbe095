"""Numbers as people write them in a question: digits, words, with 万 and 亿, in percent, years of two digits."""

from __future__ import annotations

from banks import Dice

DIGITS = "零一二三四五六七八九"


def in_words(number: int, *, first: bool = True) -> str:
    """A whole number below 10^16 in words, as it is spoken: 1,200,000 is 一百二十万, 10,500 一万零五百.

    ``first``: whether nothing stands before it: 12 is then 十二, else 一十二.
    """
    if not 0 <= number < 10**16:
        raise ValueError(number)
    if number == 0:
        return DIGITS[0]
    for unit, name in ((10**8, "亿"), (10**4, "万")):
        if number >= unit:
            high, low = divmod(number, unit)
            joint = DIGITS[0] if low and low < unit // 10 else ""
            rest = in_words(low, first=False) if low else ""
            return in_words(high, first=first) + name + joint + rest
    out, gap = "", False
    for unit, name in ((1000, "千"), (100, "百"), (10, "十"), (1, "")):
        digit, number = divmod(number, unit)
        if digit:
            ten = unit == 10 and digit == 1 and not out and first
            out += (DIGITS[0] if gap and out else "") + ("" if ten else DIGITS[digit]) + name
            gap = False
        else:
            gap = True
    return out


def spoken(number: int, dice: Dice) -> str:
    """The same with 两 for 二 before 千, 万 and 亿, as often as not."""
    words = in_words(number)
    return "两" + words[1:] if words[0] == "二" and words[1:2] in ("千", "万", "亿") and dice.chance(0.6) else words


def plain(value: float) -> str:
    """A number without needless zeros."""
    return str(int(value)) if value == int(value) else repr(value)


def with_commas(value: int) -> str:
    return f"{value:,}"


def full_width(digits: str) -> str:
    return digits.translate(str.maketrans("0123456789", "０１２３４５６７８９"))


def year(value: int, dice: Dice) -> str:
    """A year, as ``2018年``, ``18年``, ``一八年`` or ``二零一八年``."""
    long = "".join(DIGITS[int(c)] for c in str(value))
    return dice.pick([f"{value}年", f"{value}年", f"{value % 100:02}年", f"{long[2:]}年", f"{long}年"])


def percent(value: float, dice: Dice) -> str:
    """Of 100: ``20%``, ``百分之二十``, ``两成``."""
    ways = [f"{plain(value)}%", f"{plain(value)}%"]
    if value == int(value):
        ways.append(f"百分之{in_words(int(value))}")
        if value % 10 == 0 and 10 <= value < 100:
            ways.append(f"{'两' if value == 20 else DIGITS[int(value) // 10]}成")
    return dice.pick(ways)


def quantity(value: float, scale: int, unit: str, dice: Dice) -> str:
    """A number of a column that counts in ``scale``; ``unit`` (元, 人) stands behind some of the ways to write it."""
    total = round(value * scale)
    ways = []
    if scale > 1:
        name = {10**4: "万", 10**8: "亿"}[scale]
        ways += [plain(value) + name, plain(value) + name + unit]
        if value == int(value) and value < 10**4:
            ways.append(spoken(int(value), dice) + name)
    else:
        ways += [plain(value), plain(value) + unit]
    if abs(total - value * scale) < 1e-6 and total > 0:
        digits = len(str(total)) - len(str(total).rstrip("0"))
        if len(str(total)) - digits <= 3:  # few figures: nobody spells 31,267
            ways.append(spoken(total, dice) + unit)
            for high, name in ((10**8, "亿"), (10**4, "万")):
                if total % (high // 100) == 0 and high <= total < high * 10**5:
                    ways.append(plain(total / high) + name + unit)
        if 1000 <= total < 10**8:
            ways.append(with_commas(total) + unit)
        if total < 10**5:
            ways.append(full_width(str(total)))
    return dice.pick(ways)
