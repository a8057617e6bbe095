"""The pictures of the README: report, inspect and serve on a corpus that ships, in headless Chromium.

    python benchmarks/screenshots.py --output docs/images [--run DIR]

Without ``--run`` the demo is trained first. Pictures are reduced to 256 colours, so that each takes a few 10 KB. Needs
Chromium with its driver.
"""

from __future__ import annotations

import argparse
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from trainings import ietool

from ietool import paths

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from tests.browser import chromium

WIDTH, HEIGHT = 1000, 720
COLOURS = 256
PARTS = {"report": "#texts", "inspect": "body"}
"""The part of a page that is shown, and what follows it."""
RECIPE = "ske"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, default=Path("docs/images"))
    parser.add_argument("--run", type=Path, help="a finished run of the recipe ske on the corpus that ships")
    arguments = parser.parse_args()
    arguments.output.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as name:
        work, output = Path(name), arguments.output.resolve()
        run = None if arguments.run is None else arguments.run.resolve()
        os.chdir(work)  # pages tell of files as they are named
        data = Path("ske")
        data.mkdir()
        for path in paths.shipped_data(RECIPE).glob("*.jsonl"):
            shutil.copy(path, data)
        if run is None:
            run = work / "run"
            ietool("train", "--recipe", RECIPE, "--data", data, "--output", run, "--device", "cpu")
        gold, result = data / "dev.jsonl", Path("result.jsonl")
        ietool("predict", "--run", run, gold, "--output", result, "--device", "cpu")
        ietool("report", gold, result, "--train", data / "train.jsonl", "--output", "report.html")
        ietool("inspect", data, "--html", "inspect.html", "--no-speed")
        with chromium(work) as driver, served(run) as address:
            driver.set_window_size(WIDTH, HEIGHT)
            for page in ("report", "inspect"):
                driver.get((work / f"{page}.html").as_uri())
                if page == "report":
                    choose_errors(driver)
                driver.execute_script("document.querySelector(arguments[0]).scrollIntoView()", PARTS[page])
                keep(driver, output / f"{page}.png")
            driver.get(address)
            ask(driver)
            keep(driver, output / "serve.png")


@contextmanager
def served(run: Path) -> Iterator[str]:
    """The address at which a run is served."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    address = f"http://127.0.0.1:{port}/"
    process = subprocess.Popen([sys.executable, "-m", "ietool", "serve", str(run), "--port", str(port)])
    try:
        for _ in range(120):
            try:
                urllib.request.urlopen(address + "health", timeout=2)
                break
            except OSError:
                time.sleep(0.5)
        yield address
    finally:
        process.terminate()
        process.wait()


def choose_errors(driver: Any) -> None:
    """Let a report show texts with errors: those of the class behind "all" and "right"."""
    from selenium.webdriver.common.by import By
    from selenium.webdriver.support.ui import Select

    chosen = Select(driver.find_elements(By.TAG_NAME, "select")[0])
    names = [one.text for one in chosen.options]
    chosen.select_by_index(next(n for n, name in enumerate(names) if "all" not in name and "right" not in name))


def ask(driver: Any) -> None:
    """Let the page predict on its first example."""
    from selenium.webdriver.common.by import By
    from selenium.webdriver.support.ui import Select, WebDriverWait

    wait = WebDriverWait(driver, 20)
    wait.until(lambda d: len(d.find_elements(By.CSS_SELECTOR, "#example option")) > 1)
    examples = Select(driver.find_element(By.ID, "example"))
    values = [one.get_attribute("value") for one in examples.options]
    examples.select_by_index(max(range(1, len(values)), key=lambda n: len(values[n])))
    wait.until(lambda d: d.find_elements(By.CSS_SELECTOR, "#answers .seg"))
    driver.execute_script("document.getElementById('answers').scrollIntoView()")


def keep(driver: Any, path: Path) -> None:
    """A picture of what the window shows."""
    from PIL import Image

    time.sleep(0.5)
    with tempfile.NamedTemporaryFile(suffix=".png") as raw:
        driver.save_screenshot(raw.name)
        with Image.open(raw.name) as image:
            image.convert("RGB").quantize(COLOURS).save(path, optimize=True)
    print(f"{path}: {path.stat().st_size / 1024:.0f} KB")


if __name__ == "__main__":
    main()
