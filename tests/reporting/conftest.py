"""Molecules of all sorts in files, and a browser that is watched."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

BROWSERS = ("chromium", "chromium-browser", "google-chrome")


class Opened(NamedTuple):
    """A page in a browser, and what it did."""

    page: Any
    requests: list[str]
    messages: list[str]


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Headless Chromium."""
    playwright = pytest.importorskip("playwright.sync_api")
    program = next(filter(None, map(shutil.which, BROWSERS)), None)
    if program is None:
        pytest.skip("there is no Chromium")
    options = ["--no-sandbox", "--use-angle=swiftshader", "--enable-unsafe-swiftshader"]  # WebGL without a GPU
    with playwright.sync_playwright() as session:
        found = session.chromium.launch(executable_path=program, args=options)
        yield found
        found.close()


@pytest.fixture
def opened(browser: Any) -> Callable[[Path], Opened]:
    """Open a report in a page of its own, without a network to reach."""

    def open_page(path: Path) -> Opened:
        page = browser.new_page(viewport={"width": 1500, "height": 900}, offline=True)
        page.set_default_timeout(120_000)
        found = Opened(page, [], [])
        page.on("request", lambda request: found.requests.append(request.url))
        page.on("console", lambda message: found.messages.append(message.text))
        page.on("pageerror", lambda error: found.messages.append(str(error)))
        page.goto(path.as_uri())
        page.wait_for_selector("body[data-ready]")
        return found

    return open_page
