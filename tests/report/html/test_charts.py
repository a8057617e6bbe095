"""Charts: whole SVG without styles or scripts, whose labels are text as it was given."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest

from ietool.report.html import charts

SVG = "{http://www.w3.org/2000/svg}"
HOSTILE = "<script>alert(1)</script>$x^2$&\x1b[31m\u202e{{7}}"

DRAWN = {
    "bars": lambda: charts.bars([("导演", 0.5, ".500 of 3"), (HOSTILE[:24], 1.0, HOSTILE)], name="bars"),
    "columns": lambda: charts.columns([(str(n), n) for n in range(30)], name="columns", caption=HOSTILE),
    "curves": lambda: charts.curves({"一": [(1, 0.2), (2, 0.4)], "$two": [(1, 3)]}, name="curves", x="n", y=HOSTILE),
    "diagonal": lambda: charts.curves({"p": [(0.1, 0.2)]}, name="diagonal", diagonal=True),
    "nothing": lambda: charts.bars([], name="nothing", most=None),
    "no points": lambda: charts.curves({"p": []}, name="no points"),
    "zeros": lambda: charts.bars([("a", 0.0, "0")], name="zeros", most=None),
}


@pytest.mark.parametrize("kind", DRAWN)
def test_a_chart_is_small_and_has_no_style_script_or_colour_of_the_paper(kind: str) -> None:
    text = str(DRAWN[kind]())
    root = ElementTree.fromstring(text)
    assert len(text) < 40_000 and root.tag == f"{SVG}svg"
    assert not [e for e in root.iter() if e.tag in (f"{SVG}style", f"{SVG}script", f"{SVG}metadata")]
    attributes = [(key, value) for e in root.iter() for key, value in e.attrib.items()]
    assert not [key for key, _ in attributes if key == "style" or key.startswith("on") or "}" in key]
    assert not [value for _, value in attributes if value.lower() in ("#000000", "#ffffff", "black", "white")]
    assert any(value == "currentColor" for _, value in attributes)
    ids = [value for key, value in attributes if key == "id"]
    assert len(ids) == len(set(ids)) and all(value.startswith(kind.replace(" ", "-")) for value in ids)
    for _, value in attributes:  # what is referred to is there
        if value.startswith(("#", "url(#")) and not value.startswith("#3") and len(value) > 9:
            assert value.removeprefix("url(").strip("#)") in ids


def test_labels_are_the_texts_that_were_given() -> None:
    texts = [e.text for e in ElementTree.fromstring(str(DRAWN["bars"]())).iter(f"{SVG}text")]
    assert "导演" in texts and ".500 of 3" in texts
    assert any(text and text.startswith("<script>alert(1)</script>$x^2$&␛[31m") for text in texts)


def test_long_labels_are_cut_by_the_columns_that_they_take() -> None:
    chart = charts.bars([("长" * 40, 0.1, ""), ("l" * 40, 0.1, ""), ("长" * 12, 0.1, "")], name="long")
    texts = {e.text for e in ElementTree.fromstring(str(chart)).iter(f"{SVG}text")}
    assert {"长" * 12 + "…", "l" * 24 + "…", "长" * 12} <= texts


def test_the_same_chart_is_the_same_text() -> None:
    assert DRAWN["curves"]() == DRAWN["curves"]()


def test_numbers_of_labels() -> None:
    assert [charts.plain_number(value) for value in (0.5, 1.0, 0.0)] == [".500", "1.000", ".000"]
