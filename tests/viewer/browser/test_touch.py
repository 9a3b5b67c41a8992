"""Fingers move, enlarge and swipe the slides, as a mouse does."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page
from tests.viewer.browser.conftest import IS_READY, open_page, settle, wait_until

from stainbridge.viewer.session import Session

PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}
STEPS = 8

Place = tuple[float, float]


@pytest.fixture
def phone(browser: Browser, session: Session) -> Iterator[Page]:
    with open_page(browser, session, context=PHONE) as page:
        wait_until(page, IS_READY)
        yield page


def drag(page: Page, *fingers: tuple[Place, Place]) -> None:
    """Move fingers over the screen, each from one place to another, and lift them."""
    chrome = page.context.new_cdp_session(page)

    def send(kind: str, share: float) -> None:
        points = [
            {"x": x0 + share * (x1 - x0), "y": y0 + share * (y1 - y0), "id": number}
            for number, ((x0, y0), (x1, y1)) in enumerate(fingers)
        ]
        chrome.send(
            "Input.dispatchTouchEvent",
            {"type": kind, "touchPoints": points if kind != "touchEnd" else []},
        )

    send("touchStart", 0)
    for step in range(1, STEPS + 1):
        send("touchMove", step / STEPS)
        page.wait_for_timeout(20)
    send("touchEnd", 1)
    page.wait_for_timeout(800)  # until the slides have come to rest
    settle(page)


def find_middle(page: Page) -> Place:
    box = page.locator("#stage").bounding_box()
    assert box is not None
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def test_one_finger_moves_both_slides(phone: Page) -> None:
    x, y = find_middle(phone)
    before = phone.evaluate("stainbridge.b.placement()")
    drag(phone, ((x, y), (x - 60, y - 40)))
    after, other = (phone.evaluate(f"stainbridge.{view}.placement()") for view in "ba")
    assert after["x"] < before["x"] - 30
    assert after["y"] < before["y"] - 20
    assert other["x"] == pytest.approx(after["x"], abs=1)


def test_two_fingers_enlarge(phone: Page) -> None:
    x, y = find_middle(phone)
    before = phone.evaluate("stainbridge.b.placement().scale")
    drag(phone, ((x - 30, y), (x - 120, y)), ((x + 30, y), (x + 120, y)))
    assert phone.evaluate("stainbridge.b.placement().scale") > 1.5 * before


def test_a_finger_taps_a_mode_and_moves_the_swipe_line(phone: Page) -> None:
    phone.locator("#mode-swipe").tap()
    assert phone.evaluate("stainbridge.mode") == "swipe"
    box = phone.locator("#swipe span").bounding_box()
    assert box is not None
    start = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    drag(phone, (start, (start[0] - 100, start[1])))
    assert phone.evaluate("stainbridge.swipe") < 40
