"""Pages: everything escaped, nothing loaded, nothing run but the script whose hash the policy has."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from html import unescape
from html.parser import HTMLParser

from hypothesis import given, settings
from hypothesis import strategies as st
from markupsafe import Markup

from ietool.report.html.items import Chip, Item, item_json, item_list
from ietool.report.html.page import Section, page, table
from ietool.report.html.spans import Mark
from ietool.tables import Table

HOSTILE = "</script><script>x()</script><!--<img src=x onerror=x()>{{ 7*7 }}{% if %}\"'&\x1b[31m\u202eabc\u2028\ud800"


class Tags(HTMLParser):
    """The tags of a page with their attributes, and what stands in its scripts."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag == "script":
            self.scripts.append("")

    def handle_data(self, data: str) -> None:
        if self.tags and self.tags[-1][0] == "script" and self.cdata_elem == "script":
            self.scripts[-1] += data


def parsed(text: str) -> Tags:
    tags = Tags()
    tags.feed(text)
    return tags


def hostile_page(text: str = HOSTILE) -> str:
    gold, predicted = Mark(text, 0, 3, "missed"), Mark(text, 1, 9, text, (text,))
    item = Item(1, text, [gold], [[predicted]], [[Chip(text, text, text, text, 0.5, text)]], text, {text: [text]})
    shown = table(Table(text, (text,), [(text,), (0.5,), (None,)], note=text))
    return page(text, [Section("a", text, shown, text), Section("t", text, item_list([item]))], lead=text)


def test_a_page_loads_nothing_and_its_policy_has_the_hashes_of_its_own_script_and_style() -> None:
    text = hostile_page()
    tags = parsed(text)
    for tag, attributes in tags.tags:
        assert not {"src", "srcset", "style", "background", "action"} & set(attributes), tag
        assert not [key for key in attributes if key.startswith("on")]
        assert tag not in ("img", "iframe", "link", "object", "embed", "base", "form")
        assert str(attributes.get("href", "#")).startswith("#")
    policy = next(a["content"] for tag, a in tags.tags if tag == "meta" and a.get("http-equiv"))
    assert policy is not None and "default-src 'none'" in policy and "unsafe" not in policy and "http" not in policy
    kinds = [a.get("type") for tag, a in tags.tags if tag == "script"]
    assert sorted(kinds, key=str) == [None, "application/json"]
    own = tags.scripts[kinds.index(None)]
    assert f"'sha256-{base64.b64encode(hashlib.sha256(own.encode()).digest()).decode()}'" in policy


@settings(max_examples=20)
@given(st.text(st.characters(codec="utf-16-le") | st.sampled_from("<>&\"'{}%/!-"), max_size=30))
def test_whatever_stands_in_texts_the_tags_are_those_of_a_plain_page(text: str) -> None:
    plain, hostile = parsed(hostile_page("plain text")), parsed(hostile_page(text or "x"))
    bare = [tag for tag, _ in hostile.tags if tag != "p" and tag != "caption"]
    assert bare == [tag for tag, _ in plain.tags if tag != "p" and tag != "caption"]
    assert len(plain.scripts) == len(hostile.scripts) == 2


def test_texts_are_not_templates_and_hidden_characters_are_seen() -> None:
    text = hostile_page()
    assert "{{ 7*7 }}" in unescape(text) and "49" not in re.sub(r"<style>.*</style>|<script.*?</script>", "", text)
    assert not set(text) & set("\x1b\u202e\u2028\ud800") and text.encode()


def test_records_come_back_from_the_script_tag_as_they_were() -> None:
    marks = [Mark("人", 0, 1)], [[Mark("人", 0, 2)]]
    item = Item(7, "甲乙</script>", *marks, [[Chip("甲 → 乙")]], "题", {"class": ["right"]})
    text = str(item_list([item], sides=["a"]))
    data = json.loads(text[text.index('id="items">') + 11 : text.rindex("</script>")])
    assert data == {
        "page": 20,
        "sides": ["a"],
        "facets": ["class"],
        "items": [
            [
                7, "题", [["甲", [0], [0]], ["乙", [], [0]], ["</script>"]], [[["人", 0, ""]], [["人", 0, ""]]],
                [[["甲 → 乙", "", "", "", None, ""]]], [["right"]],
            ]
        ],
    }  # fmt: skip
    assert item_list([item_json(item, ["class"])], sides=["a"], facets=["class"]) == text


def test_tables_cut_what_is_too_long_and_say_so() -> None:
    text = str(table(Table("", ("n",), [(n,) for n in range(2500)], note="<b>"), most=10))
    assert text.count("<td") == 10 and "and 2,490 more" in text and "&lt;b&gt;" in text
    assert str(table(Table("", (), []))).count("<tr>") == 1


def test_markup_is_kept() -> None:
    assert "<i>x</i>" in page("t", [Section("a", "b", Markup("<i>x</i>"))])
