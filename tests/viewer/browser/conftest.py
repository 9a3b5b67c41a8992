"""A real browser before a real server; skipped where there is no Chromium."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, sync_playwright
from tests.viewer.conftest import ACCESS, decode, serve_session

from stainbridge.viewer.session import Session

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
LAPTOP = {"width": 1366, "height": 900}
#: What is looked at without the words over it.
BARE = (
    "for (const id of ['caption-a', 'caption-b', 'scale', 'message', 'swipe'])"
    " document.getElementById(id).style.visibility = 'hidden'"
)
IS_READY = (
    "Boolean(window.stainbridge && stainbridge.case"
    " && stainbridge.a.viewer.isOpen() && stainbridge.b.viewer.isOpen()"
    " && !stainbridge.a.isBusy && !stainbridge.b.isBusy)"
)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    if CHROMIUM is None:
        pytest.skip("no Chromium is installed: apt-get install chromium")
    # Chromium's sandbox does not work for root.
    options = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=options)
        yield browser
        browser.close()


OpenPage = Callable[..., Any]


@contextmanager
def open_page(
    browser: Browser, session: Session, *, context: dict[str, Any] | None = None, **options: Any
) -> Iterator[Page]:
    """Open the page of a session; no error may be in the console after."""
    said: list[str] = []

    def listen(message: ConsoleMessage) -> None:
        if message.type == "error":
            said.append(message.text)

    with serve_session(session, **options) as client:
        made = browser.new_context(**{"viewport": LAPTOP, **(context or {})})
        page = made.new_page()
        page.on("console", listen)
        page.on("pageerror", lambda error: said.append(str(error)))
        page.goto(f"{client.base_url}/?token={ACCESS.token}")
        wait_until(page, "Boolean(window.stainbridge)")
        yield page
        made.close()
    assert said == []


@pytest.fixture
def page(browser: Browser, session: Session) -> Iterator[Page]:
    """The page of the shared result, with both slides there."""
    with open_page(browser, session) as page:
        wait_until(page, IS_READY)
        yield page


def wait_until(page: Page, condition: str, seconds: float = 30) -> None:
    """Wait for an expression to be true; the page's policy forbids to do that inside it."""
    deadline = time.monotonic() + seconds
    while not page.evaluate(condition):
        assert time.monotonic() < deadline, condition
        time.sleep(0.02)


def settle(page: Page) -> None:
    """Wait for all tiles and two frames."""
    wait_until(page, IS_READY)
    page.evaluate(
        "new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => done(1))))"
    )


def look_at_pixels(page: Page, x: int, y: int) -> None:
    """Show the slides pixel for pixel, (x, y) in the middle, and pixels on the screen's own."""
    page.evaluate(BARE)
    size = page.evaluate("[stainbridge.b.place.clientWidth, stainbridge.b.place.clientHeight]")
    centre = [x + size[0] % 2 / 2, y + size[1] % 2 / 2]
    page.evaluate(
        f"stainbridge.leader = stainbridge.b; stainbridge.b.goTo({centre[0]}, {centre[1]}, 1, true)"
    )
    settle(page)


def screenshot(page: Page, place: str = "#stage") -> np.ndarray:
    return decode(page.locator(place).screenshot(animations="disabled")).astype(float)[..., :3]


def save_download(page: Page, click: Callable[[], None], folder: Path) -> Path:
    with page.expect_download() as waiting:
        click()
    path = folder / waiting.value.suggested_filename
    waiting.value.save_as(path)
    return path
