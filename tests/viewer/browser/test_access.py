"""Labels and contrast, by axe; from a phone's width to a wall's."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page
from tests.viewer.browser.conftest import IS_READY, open_page, settle, wait_until
from tests.viewer.conftest import Result

from stainbridge.viewer.review import ReviewFile
from stainbridge.viewer.session import Session
from stainbridge.viewer.sources import ResultSource

AXE = Path(__file__).with_name("axe.min.js")
RULES = "{runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'best-practice']}"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing(browser: Browser, own_result: Result, scheme: str) -> None:
    sources = tuple(ResultSource(f"case {n}", (own_result.folder,)) for n in (1, 2))
    reviews = ReviewFile(own_result.folder.parent)
    options = {"reviews": reviews, "context": {"color_scheme": scheme}}
    with open_page(browser, Session("cohort", sources), **options) as page:
        page.evaluate(AXE.read_text(encoding="utf-8"))
        page.locator(".card").first.wait_for()
        assert_accessible(page)
        page.locator(".card").first.click()
        wait_until(page, IS_READY)
        page.evaluate("stainbridge.showPanel(true)")
        for mode in ("swipe", "side"):
            page.evaluate(f"stainbridge.setMode({mode!r})")
            settle(page)
            assert_accessible(page)
        page.keyboard.press("?")
        assert_accessible(page)


def assert_accessible(page: Page) -> None:
    found = page.evaluate(
        f"axe.run(document, {RULES}).then(result => result.violations.map(one =>"
        " [one.id, one.help, one.nodes.map(node => node.html.slice(0, 120)).join(' | ')]))"
    )
    assert found == []


@pytest.mark.parametrize(("width", "height"), [(360, 740), (1366, 768), (2560, 1300)])
def test_nothing_is_wider_than_the_screen(
    browser: Browser, session: Session, width: int, height: int
) -> None:
    context = {"viewport": {"width": width, "height": height}, "has_touch": width < 500}
    with open_page(browser, session, context=context) as page:
        wait_until(page, IS_READY)
        page.evaluate("stainbridge.showPanel(true)")
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        for place in ("#modes", "#fade", "#stage", "#panel", "#home"):
            box = page.locator(place).bounding_box()
            assert box is not None
            assert box["x"] >= 0
            assert box["x"] + box["width"] <= width + 1
        stage = page.locator("#stage").bounding_box()
        assert stage is not None
        assert stage["height"] > height / 3
