"""Reports of runs, and a report full of hostile texts in a real browser."""

from __future__ import annotations

import base64
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ietool.errors import UserError
from ietool.recipe_io import load_recipe
from ietool.report.classes.study import Given
from ietool.report.html.spans import shown
from ietool.scoring.classes import ErrorClasses
from ietool.scoring.report import Report
from ietool.workflow.judged import OUTCOMES
from ietool.workflow.prepare import prepare
from ietool.workflow.report import recipe_of, report_files, report_runs, short_names, write
from ietool.workflow.train import train
from tests.browser import chromium, logged
from tests.tasks.ner.made import examples, small_recipe, write_json
from tests.workflow import hostile

LEARNING = ("training.epochs=3", "training.head_learning_rate=0.03", "training.warmup_epochs=0",
            "training.ema_decay=0.8", "training.schedule=constant_with_warmup", "training.patience=0")  # fmt: skip


def items_of(page: Path) -> list[Any]:
    text = page.read_text("utf-8")
    begin = text.index('id="items">') + len('id="items">')
    found: list[Any] = json.loads(text[begin : text.index("</script>", begin)])["items"]
    return found


# -- runs


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """(run, prepared folder) of entities, small."""
    folder = tmp_path_factory.mktemp("report")
    recipe = small_recipe("ner-globalpointer", *LEARNING)
    write_json(folder / "train.json", examples(120))
    write_json(folder / "dev.json", examples(20, seed=2))
    prepared = prepare(recipe, data=folder, output=folder / "prepared").folder
    return train(recipe, prepared=prepared, output=folder / "run", device="cpu").run, prepared


def test_a_run_is_judged_anew_from_what_it_kept_with_probabilities_and_curves(
    trained: tuple[Path, Path], tmp_path: Path
) -> None:
    run, prepared = trained
    made = report_runs([run], tmp_path / "page.html", train=prepared.parent / "train.json")
    one = made.studies[0]
    kept = [json.loads(line) for line in (run / "dev" / OUTCOMES).read_text("utf-8").splitlines()]
    assert [outcome.record() for outcome in one.report.outcomes] == kept
    for outcome, chance in zip(one.report.outcomes, one.chances, strict=True):
        assert (chance is None) == (outcome.verdict == "missed") and (chance is None or 0 <= chance <= 1)
    text = (tmp_path / "page.html").read_text("utf-8")
    for heading in ("Training", "Calibration", "Errors by class", "Names seen and unseen in train", "Texts"):
        assert f"<h2>{heading}</h2>" in text
    assert 'aria-label="curve-loss"' in text and "of 3" in text
    assert len(items_of(tmp_path / "page.html")) == len(one.texts)


def test_a_run_whose_data_is_gone_is_read_from_its_outcomes(trained: tuple[Path, Path], tmp_path: Path) -> None:
    run, _ = trained
    whole = report_runs([run], tmp_path / "page.html").studies[0]
    alone = tmp_path / "run"
    shutil.copytree(run, alone)
    info = json.loads((alone / "run.json").read_text("utf-8"))
    (alone / "run.json").write_text(json.dumps(info | {"prepared": str(tmp_path / "gone")}), "utf-8")
    made = report_runs([alone], tmp_path / "alone.html").studies[0]
    assert [*made.classes] == [*whole.classes] and not made.has_chances
    assert made.report.values["score"] == info["best"]["score"]
    text = (tmp_path / "alone.html").read_text("utf-8")
    assert "is gone or has changed" in text and "<h2>Training</h2>" in text and "Calibration" not in text
    kept = (alone / "dev" / OUTCOMES).read_text("utf-8")
    first = json.loads(kept.splitlines()[0])
    for bad in (
        first | {"rule": 1},
        first | {"spans": [["a", 0]]},
        first | {"spans": 7},
        first | {"verdict": []},
        first | {"start": "1"},
        {key: first[key] for key in first if key != "start"},
    ):
        (alone / "dev" / OUTCOMES).write_text(f"{kept}{json.dumps(bad)}\n", "utf-8")
        with pytest.raises(UserError, match="is damaged") as error:
            report_runs([alone], tmp_path / "alone.html")
        assert error.value.line == len(made.classes) + 1


def test_two_runs_stand_side_by_side_if_their_dev_sets_are_the_same(trained: tuple[Path, Path], tmp_path: Path) -> None:
    run, _ = trained
    made = report_runs([run, run], tmp_path / "page.html")
    assert len(made.studies) == 2
    assert all(len(item[3]) == 3 and not item[5][2] for item in items_of(tmp_path / "page.html"))
    other = tmp_path / "other"
    shutil.copytree(run, other)
    rows = (other / "dev" / OUTCOMES).read_text("utf-8").splitlines(keepends=True)
    (other / "dev" / OUTCOMES).write_text("".join(rows[:-3]), "utf-8")
    info = json.loads((other / "run.json").read_text("utf-8"))
    (other / "run.json").write_text(json.dumps(info | {"prepared": ""}), "utf-8")
    with pytest.raises(UserError, match="has another dev set"):
        report_runs([run, other], tmp_path / "page.html")
    # Who finds something where there is nothing keeps that text too: it is the same dev set all the same.
    more = json.dumps({**json.loads(rows[0]), "verdict": "spurious", "text": "一段没有实体的话"}, ensure_ascii=False)
    (other / "dev" / OUTCOMES).write_text("".join([*rows, more + "\n"]), "utf-8")
    made = report_runs([run, other], tmp_path / "page.html")
    assert [one.report.outcomes[-1].text for one in made.studies][1] == "一段没有实体的话"
    assert made.studies[0].report.keys == made.studies[1].report.keys
    (other / "dev" / OUTCOMES).unlink()
    with pytest.raises(UserError, match="keeps no outcomes of dev"):
        report_runs([other], tmp_path / "page.html")


def test_the_task_of_a_gold_file_is_told_from_its_first_record(tmp_path: Path) -> None:
    gold, _, _ = hostile.write(tmp_path)
    assert load_recipe(recipe_of(gold)).task == "ske"
    write_json(tmp_path / "ner.json", examples(2))
    assert load_recipe(recipe_of(tmp_path / "ner.json")).task == "ner"


@pytest.mark.parametrize(
    ("files", "names"),
    [
        (["a/x.json"], ["a/x.json"]),
        (["a/x.json", "a/y.json"], ["x.json", "y.json"]),
        (["a/1/x.json", "a/2/x.json"], ["1/x.json", "2/x.json"]),
        (["a/x.json", "a/x.json"], ["a/x.json", "a/x.json (2)"]),
    ],
)
def test_predictions_are_called_by_what_tells_them_apart(files: list[str], names: list[str]) -> None:
    assert short_names(list(map(Path, files))) == names


def test_a_task_that_tells_nothing_of_its_items_has_a_page_with_its_score(tmp_path: Path) -> None:
    report = Report("digits", "A digit is right.", {"precision": 0.5, "recall": 0.5, "f1": 0.5})
    made = write(tmp_path / "page.html", "digits", [Given("mine", report)], ErrorClasses(), None, 10)
    text = (tmp_path / "page.html").read_text("utf-8")
    assert "0.5000" in text and "A digit is right." in text and items_of(tmp_path / "page.html") == []
    assert made.studies[0].classes == []


# -- the browser


@pytest.fixture(scope="module")
def hostile_page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("hostile")
    gold, first, second = hostile.write(folder)
    report_files(gold, [first, second], folder / "page.html", train=gold)
    return folder / "page.html"


def test_a_page_of_hostile_texts_holds_them_as_text_alone(hostile_page: Path) -> None:
    text = hostile_page.read_text("utf-8")
    assert "<img" not in text and "<svg onload" not in text and text.count("<script") == 2
    assert not set(text) & set("\x1b\x00\x07\u202e\u2066\u200f\u2028\ufeff")
    texts = {"".join(piece[0] for piece in item[2]) for item in items_of(hostile_page)}
    assert texts == {shown(str(record["text"])) for record in hostile.records()}


@pytest.fixture(scope="module")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    with chromium(tmp_path_factory.mktemp("browser")) as opened:
        yield opened


def test_in_a_browser_filters_search_and_links_work_and_nothing_else_runs(
    hostile_page: Path, tmp_path: Path, driver: Any
) -> None:
    driver.get(hostile_page.as_uri())

    def items() -> list[Any]:
        return driver.find_elements("css selector", "article.item")  # type: ignore[no-any-return]

    def choose(facet: str, value: str) -> None:
        box = driver.find_element("css selector", f"select[aria-label='{facet}']")
        option = next(o for o in box.find_elements("tag name", "option") if o.text.startswith(value))
        option.click()

    count = len(hostile.PAYLOADS)
    assert len(items()) == count
    texts = [item.find_element("css selector", ".text").get_property("textContent") for item in items()]
    assert texts == [shown(str(record["text"])) for record in hostile.records()]
    assert len(items()[0].find_elements("css selector", ".text")) == 2  # two predictions
    choose("change", "broken")
    assert 0 < len(items()) < count
    choose("change", "change: all")
    for box in driver.find_elements("css selector", "select"):  # every value of every filter, hostile ones too
        for option in box.find_elements("tag name", "option")[1:]:
            number = int(option.get_property("textContent").rpartition("(")[2].rstrip(")"))
            option.click()
            assert len(items()) == number
        box.find_elements("tag name", "option")[0].click()
    search = driver.find_element("css selector", "input[type=search]")
    search.send_keys("onerror='window.ran=3'")
    assert len(items()) == 1 and "1 found" in driver.find_element("css selector", ".count").text
    items()[0].find_element("css selector", "header a").click()
    assert driver.execute_script("return location.hash") == "#item-3"
    driver.get(hostile_page.as_uri() + "#item-7")
    driver.refresh()
    assert driver.find_element("css selector", ".wanted").get_attribute("id") == "item-7"
    assert driver.execute_script(f"return {hostile.RAN} === undefined && document.title.includes('<img')")
    assert driver.find_elements("css selector", "img, iframe, main script:not([type='application/json'])") == []
    assert driver.find_element("css selector", "h1").is_displayed()
    wide = "return document.documentElement.scrollWidth - document.documentElement.clientWidth"
    for width in (1200, 500):
        driver.set_window_size(width, 900)
        assert driver.execute_script(wide) <= 0, width
    assert logged(driver) == []

    # That a script which ran would be seen, and that the policy stops one which got into the page.
    text = hostile_page.read_text("utf-8").replace("</main>", f"<script>{hostile.RAN}=9</script></main>")
    foreign = tmp_path / "foreign.html"
    foreign.write_text(text, "utf-8")
    driver.get(foreign.as_uri())
    assert driver.execute_script(f"return {hostile.RAN} === undefined")
    assert any("Content Security Policy" in line for line in logged(driver)) and len(items()) == count
    foreign.write_text(text.replace('http-equiv="Content-Security-Policy"', 'name="none"'), "utf-8")
    driver.get(foreign.as_uri())
    assert driver.execute_script(f"return {hostile.RAN}") == 9


def test_in_a_browser_pages_turn_and_dark_and_printed_ones_can_be_read(tmp_path: Path, driver: Any) -> None:
    rows = [
        {"text": f"第{n}句", "spo_list": [{"subject": "句", "predicate": "号", "object": str(n)}]} for n in range(50)
    ]
    gold = tmp_path / "gold.json"
    gold.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    report_files(gold, [gold], tmp_path / "page.html")
    driver.get((tmp_path / "page.html").as_uri())
    shown_at = lambda: driver.find_element("css selector", ".count").text  # noqa: E731
    on, back = (driver.find_element("css selector", f"button[aria-label='{name} page']") for name in
                ("next", "previous"))  # fmt: skip
    assert shown_at().startswith("1–20 of 50") and not back.is_enabled()
    on.click()
    on.click()
    assert shown_at().startswith("41–50 of 50") and not on.is_enabled()
    back.click()
    assert shown_at().startswith("21–40 of 50")
    colour = "return getComputedStyle(document.body).backgroundColor"
    light = driver.execute_script(colour)
    driver.execute_cdp_cmd(
        "Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": "dark"}]}
    )
    dark = driver.execute_script(colour)
    assert light == "rgb(255, 255, 255)" and dark != light
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    assert not driver.find_element("css selector", ".finder").is_displayed()
    assert driver.find_element("css selector", ".item").is_displayed()
    printed = driver.execute_cdp_cmd("Page.printToPDF", {})
    assert base64.b64decode(printed["data"]).startswith(b"%PDF") and logged(driver) == []
