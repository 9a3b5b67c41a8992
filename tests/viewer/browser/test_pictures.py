"""What the browser shows is what numpy makes of the same slides."""

from __future__ import annotations

import numpy as np
import pytest
from playwright.sync_api import Page
from tests.viewer.browser.conftest import look_at_pixels, screenshot, settle
from tests.viewer.conftest import SIDE_PX, Result

#: Mean difference that JPEG makes, of 255.
JPEG = 1.0
SQUARE_PX = 96


@pytest.fixture(scope="module")
def slides(shared_result: Result) -> tuple[np.ndarray, np.ndarray]:
    """Both slides on the fixed slide's pixels, (H, W, 3)."""
    registration = shared_result.registration
    with registration.open_slide("fixed") as fixed, registration.warp_slide() as warped:
        pair = [np.moveaxis(slide.read(fixed.frame).pixels, 0, -1) for slide in (fixed, warped)]
    return pair[0].astype(float), pair[1].astype(float)


def show(page: Page, change: str) -> tuple[np.ndarray, int, int]:
    """Return the slides' pixels as they are shown, and where they lie on the stage."""
    page.evaluate(change)
    look_at_pixels(page, SIDE_PX // 2, SIDE_PX // 2)
    where = page.evaluate("stainbridge.b.placement()")
    left, top = round(where["x"]), round(where["y"])
    assert where["scale"] == pytest.approx(1, abs=1e-6)
    picture = screenshot(page)
    return picture[top : top + SIDE_PX, left : left + SIDE_PX], left, top


def assert_alike(picture: np.ndarray, expected: np.ndarray) -> None:
    assert picture.shape == expected.shape
    assert np.abs(picture - expected).mean() < JPEG


def test_every_way_to_compare_is_numpys(page: Page, slides: tuple[np.ndarray, np.ndarray]) -> None:
    fixed, moving = slides
    assert np.abs(fixed - moving).mean() > 2 * JPEG
    x = np.arange(SIDE_PX)[None, :, None]
    y = np.arange(SIDE_PX)[:, None, None]

    assert_alike(show(page, "stainbridge.setFade(0)")[0], fixed)
    assert_alike(show(page, "stainbridge.setFade(100)")[0], moving)
    assert_alike(show(page, "stainbridge.setFade(30)")[0], 0.7 * fixed + 0.3 * moving)

    picture, left, _ = show(page, "stainbridge.swipe = 40; stainbridge.setMode('swipe')")
    line = 0.4 * page.evaluate("document.getElementById('stage').clientWidth") - left
    assert_alike(picture, np.where(x < line, fixed, moving))

    picture, left, top = show(page, "stainbridge.setFade(50); stainbridge.setMode('checker')")
    is_moving = ((x + left) // SQUARE_PX + (y + top) // SQUARE_PX) % 2 == 1
    assert_alike(picture, np.where(is_moving, moving, fixed))

    picture, *_ = show(page, "stainbridge.setMode('difference')")
    assert_alike(picture, np.abs(fixed - moving))

    grey_fixed, grey_moving = (slide @ (0.2126, 0.7152, 0.0722) for slide in slides)
    picture, *_ = show(page, "stainbridge.setMode('tint')")
    assert_alike(picture, np.stack([grey_moving, grey_fixed, grey_moving], axis=-1))


def test_side_by_side_shows_the_same_place_of_both(
    page: Page, slides: tuple[np.ndarray, np.ndarray]
) -> None:
    page.evaluate("stainbridge.setMode('side')")
    settle(page)
    look_at_pixels(page, SIDE_PX // 2, SIDE_PX // 2)
    for view, slide in zip(("a", "b"), slides, strict=True):
        where = page.evaluate(f"stainbridge.{view}.placement()")
        border = page.evaluate(f"document.getElementById('view-{view}').clientLeft")
        left, top = round(where["x"]) + border, round(where["y"])
        picture = screenshot(page, f"#view-{view}")
        inner = slice(20, SIDE_PX - 20)
        shown = picture[top : top + SIDE_PX, max(left, 0) : left + SIDE_PX]
        part = slide[:, max(-left, 0) : max(-left, 0) + shown.shape[1]]
        assert_alike(shown[inner, 20:-20], part[inner, 20:-20])


def test_slides_lie_on_whole_pixels_of_the_screen(page: Page) -> None:
    for size in ({"width": 1366, "height": 900}, {"width": 390, "height": 844}):
        page.set_viewport_size(size)
        settle(page)
        box = page.evaluate("document.getElementById('stage').getBoundingClientRect().toJSON()")
        assert box["top"] == round(box["top"])
        assert box["height"] == round(box["height"])


def test_brightness_is_of_one_slide_alone(
    page: Page, slides: tuple[np.ndarray, np.ndarray]
) -> None:
    page.evaluate("stainbridge.showPanel(true)")
    slider = page.get_by_label("Brightness").nth(1)
    slider.fill("60")
    assert_alike(show(page, "stainbridge.setFade(100)")[0], 0.6 * slides[1])
    assert_alike(show(page, "stainbridge.setFade(0)")[0], slides[0])
