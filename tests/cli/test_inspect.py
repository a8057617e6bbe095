"""``ietool inspect`` as a user runs it."""

from __future__ import annotations

import io
import json
import re
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
import torch
from rich.cells import cell_len
from rich.console import Console

from ietool import paths
from ietool.cli import inspect as verb
from ietool.cli.app import run
from ietool.inspect.inspecting import inspect
from ietool.recipe_io import load_recipe
from tests.browser import chromium, logged
from tests.cli.conftest import Printed, complaint
from tests.tiny_encoder import make_encoder_folder

DATA = paths.shipped_root() / "data"
HOSTILE = '<script>window.bad=1</script>{{ 7*7 }}</script><img src=x onerror="window.bad=1">\u202e\x1b[31m'


def heads(folder: Path, name: str, **lines: int) -> Path:
    """A folder with the first lines of a corpus that ships."""
    for file, count in lines.items():
        (source,) = (p for p in (DATA / name).iterdir() if p.stem == file and p.suffix != ".py")
        with source.open(encoding="utf-8") as out:
            (folder / source.name).write_text("".join(islice(out, count)), encoding="utf-8")
    return folder


def test_what_is_in_a_folder(tmp_path: Path, printed: Printed) -> None:
    heads(tmp_path, "ske2019", train_data=20, dev_data=10, all_50_schemas=50)
    (tmp_path / "notes.md").write_text("of no use")
    shown = printed("inspect", tmp_path, "--no-speed", "--samples", "1")
    assert "triple extraction: SKE 2019 (ske2019)" in shown
    assert re.search(r"^train_data.json +train +20 +0 +yes$", shown, re.MULTILINE)
    assert re.search(r"^texts +20 +10$", shown, re.MULTILINE)
    assert re.search(r"^dev +train +0 +0 +0 +0.00%$", shown, re.MULTILINE)
    assert re.search(r"^ske-cascade +hfl/\S+ +10 +– +–$", shown, re.MULTILINE)
    assert re.search(r"^notes.md +is of no form that is known$", shown, re.MULTILINE)
    assert shown.count("Samples of ") == 2


def test_the_same_as_plain_data(tmp_path: Path, printed: Printed) -> None:
    heads(tmp_path, "ner", train=12, dev=5)
    with (tmp_path / "train.jsonl").open("a", encoding="utf-8") as out:
        out.write(
            '{"text": "甲\\u3000", "label": {"x": {"乙": [[0, 0]]}}}\n{broken\n{"text": "乙\\u3000", "label": {}}\n'
        )
    told: dict[str, Any] = json.loads(printed("inspect", tmp_path, "--no-speed", "--json"))
    (corpus,) = told["corpora"]
    train, dev = corpus["files"]
    gold = [json.loads(line)["label"] for line in (tmp_path / "train.jsonl").read_text("utf-8").splitlines()[:12]]
    items = [places for label in gold for names in label.values() for places in names.values()]
    assert (corpus["task"], corpus["competition"]) == ("ner", "cluener")
    assert (train["records"], train["bad"], dev["records"]) == (13, 2, 5)
    assert train["items"] == sum(map(len, items)) == sum(train["labels"].values())
    assert [bad["line"] for bad in train["first_bad"]] == [13, 14]
    assert train["trouble"]["unusual blanks"]["characters"] == {"U+3000 IDEOGRAPHIC SPACE": 1}
    assert train["trouble"]["unusual blanks"]["first"] == "train.jsonl:15"
    assert {recipe["recipe"] for recipe in corpus["recipes"]} == {"ner-crf", "ner-globalpointer"}
    assert all(recipe["seconds_an_epoch"] is None for recipe in corpus["recipes"])
    (sample,) = [s for s in train["samples"] if s["at"] == "train.jsonl:1"] or train["samples"][:1]
    assert all(sample["text"][a:b] == n["text"] for g in sample["gold"] for n in g["names"] for a, b in [n["place"]])


def test_an_epoch_is_measured_of_recipes_with_an_encoder_too(
    tmp_path: Path, printed: Printed, capsys: pytest.CaptureFixture[str]
) -> None:
    data = tmp_path / "data"
    data.mkdir()
    heads(data, "ske2019", train_data=20, dev_data=5)
    texts = [json.loads(line)["text"] for line in (data / "train_data.json").read_text("utf-8").splitlines()]
    encoder = make_encoder_folder(tmp_path / "encoder", texts)
    told = json.loads(printed("inspect", data, "--json", "--encoder", encoder))
    recipes = {one["recipe"]: one for one in told["corpora"][0]["recipes"]}
    assert set(recipes) == {"ske", "ske-cascade", "ske-gplinker"}
    for name, one in recipes.items():
        assert 0 < one["seconds_an_epoch"] < 600 and one["seconds_scoring_dev"] > 0 and one["not_measured"] is None
        assert one["epochs"] == load_recipe(name).training.epochs
    assert sorted(path.name for path in data.iterdir()) == ["dev_data.json", "train_data.json"]
    assert "none" in complaint(capsys, "inspect", data, "--encoder", tmp_path / "none")
    assert "--no-speed measures nothing" in complaint(capsys, "inspect", data, "--encoder", encoder, "--no-speed")


def test_a_recipe_that_does_not_fit_into_memory_loses_nothing_else(
    tmp_path: Path, printed: Printed, monkeypatch: pytest.MonkeyPatch
) -> None:
    heads(tmp_path, "ske2019", train_data=20, dev_data=5)

    def full(*_: Any) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB")

    monkeypatch.setattr("ietool.contest.compete.measuring.measure", full)
    (corpus,) = json.loads(printed("inspect", tmp_path, "--json"))["corpora"]
    told = {one["recipe"]: one["not_measured"] for one in corpus["recipes"]}
    assert "the memory does not suffice" in told["ske"] and corpus["files"]


def test_tables_and_samples_fit_into_80_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("qa", "events", "el2020", "ske"):
        out = io.StringIO()
        screen = Console(file=out, force_terminal=True, width=80, color_system=None, highlight=False)
        monkeypatch.setattr("ietool.report.render.console", lambda screen=screen: screen)
        verb._show(_small(name), 2)
        lines = re.sub(r"\x1b\[[0-9;]*m", "", out.getvalue()).splitlines()
        # Paths are never broken.
        wide = [line for line in lines if cell_len(line) > 80 and str(DATA) not in line]
        assert not wide and len(lines) > 40, wide


def _small(name: str) -> Any:
    """What is told of the dev file of a corpus that ships."""
    (path,) = (p for p in (DATA / name).iterdir() if p.stem in ("dev", "val"))
    return inspect(path, drawn=3, measured=False)


def hostile(folder: Path) -> Path:
    """A corpus whose texts, names, relations and file names are hostile."""
    triple = {"subject": HOSTILE, "predicate": HOSTILE, "object": {"@value": "乙"}}
    record = {"text": f"甲{HOSTILE}乙", "spo_list": [triple]}
    content = json.dumps(record, ensure_ascii=False) + "\n{broken\n"
    (folder / "train_<b>x{{y}}.jsonl").write_text(content, encoding="utf-8")
    (folder / "<i>other{{z}}.txt").write_text("nothing")
    return folder


def test_a_page_holds_nothing_that_runs(tmp_path: Path, printed: Printed) -> None:
    pytest.importorskip("matplotlib")
    data = tmp_path / "<u>data{{d}}"
    data.mkdir()
    page = tmp_path / "page.html"
    shown = printed("inspect", hostile(data), "--no-speed", "--html", page)
    assert "\x1b" not in shown and "\u202e" not in shown
    html = page.read_text(encoding="utf-8")
    assert html.count("<script") == 2 and "<img" not in html  # the page's own and its records
    assert "<b>" not in html and "<i>" not in html and "<u>" not in html
    assert "\x1b" not in html and "\u202e" not in html and "{{ 7*7 }}" in html
    with chromium(tmp_path) as driver:
        driver.get(page.as_uri())
        assert driver.execute_script("return window.bad") is None
        assert len(driver.find_elements("css selector", "article.item")) == 1
        search = driver.find_element("css selector", "input[type=search]")
        search.send_keys("no such text")
        assert not driver.find_elements("css selector", "article.item")
        search.clear()
        search.send_keys("window.bad")
        assert len(driver.find_elements("css selector", "article.item")) == 1
        assert driver.execute_script("return window.bad") is None
        assert not logged(driver)


def test_a_page_of_several_corpora_goes_to_standard_output(tmp_path: Path, printed: Printed) -> None:
    pytest.importorskip("matplotlib")
    for name in ("ske2019", "el2020"):
        (tmp_path / name).mkdir()
    heads(tmp_path / "ske2019", "ske2019", train_data=9)
    heads(tmp_path / "el2020", "el2020", train=9)
    html = printed("inspect", tmp_path, "--no-speed", "--html", "-")
    assert html.startswith("<!DOCTYPE html>") and html.rstrip().endswith("</html>")
    assert html.count('<section id="corpus-') == 2
    assert "SKE 2019" in html and "CCKS 2020" in html


def test_a_page_takes_no_files_place(tmp_path: Path, printed: Printed, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("matplotlib")
    heads(tmp_path, "ske2019", train_data=9)
    words = ("inspect", tmp_path, "--no-speed", "--html")
    (train,) = tmp_path.rglob("*train*")
    before = train.read_bytes()
    assert "is what is read" in complaint(capsys, *words, train) and train.read_bytes() == before
    assert "--html: --json wants standard output too" in complaint(capsys, *words, "-", "--json")
    for _ in range(2):  # a page may be made anew
        printed(*words, tmp_path / "page.html")


def test_wrong_use_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "no such folder" in complaint(capsys, "inspect", tmp_path / "none")
    assert "holds no file" in complaint(capsys, "inspect", tmp_path)
    (tmp_path / "train.json").write_text('{"text": "甲", "label": {}}\n', encoding="utf-8")
    assert "is what is read" in complaint(capsys, "inspect", tmp_path / "train.json", "--html", tmp_path / "train.json")
    assert "train.json" in complaint(capsys, "inspect", tmp_path, "--html", tmp_path / "train.json" / "page.html")
    assert run(["inspect", str(tmp_path), "--samples", "-1"]) == 2


def test_a_folder_without_any_corpus_names_its_files(tmp_path: Path, printed: Printed) -> None:
    (tmp_path / "a.txt").write_text("nothing")
    shown = printed("inspect", tmp_path)
    assert "holds no competition that is known" in shown and "a.txt" in shown
