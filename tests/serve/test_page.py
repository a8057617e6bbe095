"""The page in a real browser: what it draws, that thresholds cost no model, that nothing of a stranger's runs."""

from __future__ import annotations

import contextlib
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("fastapi", reason="serve is an extra: pip install 'ietool[serve]'")

from starlette.testclient import TestClient

from ietool.core.view import Link, View
from ietool.serve.app import create_app
from ietool.serve.guard import Hosts
from ietool.serve.limits import Limits
from ietool.serve.page import page_of, policy_of
from ietool.serve.server import listen, serve, url_of
from ietool.tables import Table
from tests.serve.made import Stub

HOSTILE = "</script><script>window.hit=1</script><img src=x onerror=window.hit=1>{{7*7}}\x1b[31m\u202e"
TOKEN = "correct-horse-battery"
SECONDS = 20


def test_it_is_one_file_that_runs_its_own_script_alone() -> None:
    page = page_of()
    assert page.count("<script") == page.count("<style") == 1
    for sign in ("src=", 'href="http', "@import", "url(", "innerHTML", "eval(", " onclick", " style="):
        assert sign not in page, sign
    policy = policy_of()
    assert "default-src 'none'" in policy and "connect-src 'self'" in policy and "unsafe" not in policy
    with TestClient(create_app([Stub()]), "http://localhost") as client:
        answer = client.get("/")
    assert answer.text == page and answer.headers["Content-Security-Policy"].startswith(policy)


# -- in a browser


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed: pip install selenium")
    binary, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if binary is None or driver is None:
        pytest.skip("there is no Chromium with its driver: apt-get install chromium chromium-driver")
    options = webdriver.ChromeOptions()
    options.binary_location = binary
    profile = tmp_path_factory.mktemp("profile")
    for word in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-background-networking",
                 "--disable-dev-shm-usage", f"--user-data-dir={profile}"):  # fmt: skip
        options.add_argument(word)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    made = webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))
    made.set_page_load_timeout(60)
    yield made
    made.quit()


class Page:
    """The page of a run in the browser."""

    def __init__(self, browser: Any, run: Stub, url: str, app: Any) -> None:
        self.browser, self.run, self.url, self.app = browser, run, url, app

    def open(self, end: str = "/") -> None:
        self.browser.get("about:blank")  # else another #… would load nothing
        self.browser.get(self.url + end)

    def find(self, selector: str) -> list[Any]:
        return list(self.browser.find_elements("css selector", selector))

    def wait(self, what: Callable[[], Any]) -> Any:
        from selenium.common.exceptions import StaleElementReferenceException

        end = time.monotonic() + SECONDS
        while True:
            with contextlib.suppress(StaleElementReferenceException):  # it was drawn anew meanwhile
                if value := what():
                    return value
            assert time.monotonic() < end, self.find("body")[0].text
            time.sleep(0.05)

    def js(self, code: str, *values: Any) -> Any:
        return self.browser.execute_script(code, *values)

    def type(self, text: str) -> None:
        self.js("document.getElementById('text').value = arguments[0]", text)
        self.find("#send")[0].click()

    def move(self, name: str, value: float) -> None:
        code = "const s = document.querySelector(`input[name='${arguments[0]}']`); s.value = arguments[1]; "
        self.js(code + "s.dispatchEvent(new Event('input'))", name, value)

    def rows(self) -> int:
        return len(self.find("#answers tbody tr"))


@pytest.fixture
def page(browser: Any) -> Iterator[Callable[..., Page]]:
    """``page(run, token=…)``: a server for it, and its page."""
    ends: list[tuple[Any, threading.Thread]] = []

    def made(run: Stub, token: str | None = None) -> Page:
        sock, servers = listen("127.0.0.1", 0), []
        app = create_app([run], Limits(timeout=10), token=token, hosts=Hosts())
        thread = threading.Thread(target=serve, args=(app, sock, Limits(timeout=2), servers.append))
        thread.start()
        while not servers or not servers[0].started:
            time.sleep(0.01)
        ends.append((servers[0], thread))
        return Page(browser, run, url_of(sock), app)

    browser.get_log("browser")
    yield made
    browser.get("about:blank")
    for server, thread in ends:
        server.should_exit = True
        thread.join(20)


def test_a_text_is_asked_and_its_answer_drawn(page: Callable[..., Page]) -> None:
    here = page(Stub())
    here.open()
    here.wait(lambda: here.find("#run option"))
    here.type("banana")
    here.wait(lambda: here.rows() == 1)
    (text,) = here.find("#answers .text")
    assert text.text == "banana"
    (mark,) = here.find("#answers .seg")
    assert (mark.text, mark.get_attribute("data-p"), mark.get_attribute("title")) == ("a", "letter", "letter 0.500")
    cells = [cell.text for cell in here.find("#answers td")]
    assert cells == ["letter", "1", "0.5000"]
    nodes = here.js("return [...document.querySelectorAll('svg.graph .node')].map(n => n.parentNode.textContent)")
    assert nodes == ["letterletter", "11"]  # the name and, for the mouse, the name whole
    # Thresholds: more is found, and the model is asked nothing.
    asked = len(here.run.batches)
    here.js("document.getElementById('settings').open = true")
    here.move("threshold", 0.4)
    here.wait(lambda: here.rows() == 2)
    assert len(here.find("svg.graph .edge")) == 2
    here.move("threshold", 0.9)
    here.wait(lambda: here.rows() == 1 and len(here.find("svg.graph .edge")) == 1)
    here.find("#reset")[0].click()
    here.wait(lambda: here.rows() == 1)
    assert len(here.run.batches) == asked
    # What is kept no longer is read once more.
    here.app.state.service.kept._entries.clear()
    here.move("threshold", 0.2)
    here.wait(lambda: here.rows() == 3)
    assert len(here.run.batches) == asked + 1
    said = [line["message"] for line in here.browser.get_log("browser")]
    assert all(" 410 " in message for message in said), said


def test_examples_and_problems(page: Callable[..., Page]) -> None:
    here = page(Stub(examples=["a banana", {"text": "aa"}]))
    here.open()
    here.wait(lambda: len(here.find("#example option")) == 3)
    here.find("#example option")[1].click()
    here.wait(lambda: here.rows() == 1 and here.find("#answers .text")[0].text == "a banana")
    here.find("#example option")[2].click()
    here.wait(lambda: here.find("#answers .text")[0].text == "aa")
    here.type("bad")
    here.wait(lambda: here.find("#trouble")[0].is_displayed())
    assert here.find("#trouble")[0].text == "texts[0]: is bad → send another"
    here.type("a")
    here.wait(lambda: not here.find("#trouble")[0].is_displayed())


def test_a_graph_is_no_tangle(page: Callable[..., Page], monkeypatch: pytest.MonkeyPatch) -> None:
    run = Stub()
    links = [Link("s", "l", f"{n}", n / 200) for n in range(150)]
    monkeypatch.setattr(run, "view", lambda item, one: (View([("", item.text)], (), links), Table("", ())))
    here = page(run)
    here.open()
    here.wait(lambda: here.find("#run option"))
    here.type("a")
    here.wait(lambda: here.find("svg.graph"))
    assert len(here.find("svg.graph .edge")) == 100
    names = here.js("return [...document.querySelectorAll('svg.graph .node')].map(n => n.nextSibling.textContent)")
    assert sorted(names) == sorted(["s", *(f"{n}" for n in range(50, 150))])  # the surest
    assert here.find("#answers .item > p.note")[0].text == "the 100 surest of 150 arrows"


def test_a_token_is_asked_for(page: Callable[..., Page]) -> None:
    here = page(Stub(), TOKEN)
    here.open()
    here.wait(lambda: here.find("#token-form")[0].is_displayed())
    here.js("document.getElementById('token').value = arguments[0]", TOKEN)
    here.find("#token-form button")[0].click()
    here.wait(lambda: here.find("#run option"))
    here.type("a")
    here.wait(lambda: here.rows() == 1)
    here.js("sessionStorage.clear()")
    here.open(f"/#token={TOKEN}")
    here.wait(lambda: here.find("#run option"))
    assert TOKEN not in here.browser.current_url


def test_nothing_of_a_strangers_runs(page: Callable[..., Page]) -> None:
    run = Stub(
        HOSTILE,
        label=HOSTILE,
        title=HOSTILE,
        recipe=HOSTILE,
        examples=[HOSTILE + "a", {"type": HOSTILE, "text": HOSTILE}],
    )
    here = page(run)
    here.open()
    here.wait(lambda: len(here.find("#example option")) == 3)
    here.find("#example option")[1].click()
    here.wait(lambda: here.rows())
    here.type(HOSTILE + "aaa")
    here.wait(lambda: here.find("#answers .seg"))
    here.js("document.getElementById('settings').open = true")
    here.move("threshold", 0.1)
    here.wait(lambda: here.rows() > 2)
    assert here.js("return window.hit") is None
    assert here.js("return document.querySelectorAll('script').length") == 1
    assert not here.find("img") and "49" not in here.find("#answers .text")[0].text
    shown = here.find("#answers .text")[0].get_attribute("textContent")
    assert "</script>" in shown and "\u202e" not in shown and "\x1b" not in shown
    assert not [line for line in here.browser.get_log("browser") if "Content Security Policy" in line["message"]]
    assert Path(here.browser.current_url).name in ("", Path(here.url).name)
