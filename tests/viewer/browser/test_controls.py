"""Every control of the page is used, with the mouse, the keys or both."""

from __future__ import annotations

import json
import random
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Browser, Page, expect
from tests.conftest import Sample
from tests.viewer.browser.conftest import (
    IS_READY,
    open_page,
    save_download,
    screenshot,
    settle,
    wait_until,
)
from tests.viewer.conftest import SIDE_PX, Result, serve_session

from stainbridge.viewer.review import ReviewFile
from stainbridge.viewer.session import Session
from stainbridge.viewer.sources import ResultSource, SlidesSource

#: The colour of the lines of a deformation grid.
GRID = (0x0B, 0x6D, 0x75)


def click_slide(page: Page, view: str, x: float, y: float) -> None:
    """Click a pixel of the slide in a view."""
    where = page.evaluate(f"stainbridge.{view}.placement()")
    box = page.locator(f"#view-{view}").bounding_box()
    assert box is not None
    page.mouse.click(
        box["x"] + where["x"] + x * where["scale"], box["y"] + where["y"] + y * where["scale"]
    )


def test_modes_fade_flicker_and_keys(page: Page) -> None:
    for key, mode in zip("123456", ("fade", "swipe", "side", "checker", "difference", "tint")):  # noqa: B905
        page.keyboard.press(key)
        expect(page.locator(f"#mode-{mode}")).to_have_attribute("aria-checked", "true")
    page.get_by_role("radio", name="Fade").click()
    slider = page.locator("#fade")
    slider.fill("80")
    assert page.evaluate("stainbridge.b.place.style.opacity") == "0.8"
    page.locator("#stage").click(position={"x": 5, "y": 5})
    shown = []
    for _ in range(3):
        page.keyboard.press("Space")
        shown.append(slider.input_value())
    assert shown == ["0", "100", "0"]
    page.keyboard.press("]")
    assert slider.input_value() == "10"
    page.keyboard.press("?")
    expect(page.get_by_role("dialog")).to_be_visible()
    page.get_by_role("button", name="Close").click()


def test_the_swipe_line_is_dragged_and_moved_with_keys(page: Page) -> None:
    page.keyboard.press("2")
    line = page.get_by_role("slider", name="Swipe line")
    box = line.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + 22, box["y"] + 300)
    page.mouse.down()
    page.mouse.move(box["x"] + 22 + 300, box["y"] + 300)
    page.mouse.up()
    moved = float(line.get_attribute("aria-valuenow") or "nan")
    assert moved == pytest.approx(50 + 100 * 300 / 1366, abs=1)
    line.focus()
    page.keyboard.press("ArrowLeft")
    assert float(line.get_attribute("aria-valuenow") or "nan") == pytest.approx(moved - 2, abs=1)


#: The view is at rest, and the link says where it is.
IS_AT_REST = (
    "(() => { const viewport = stainbridge.b.viewer.viewport;"
    " const zoom = Number(new URLSearchParams(location.hash.slice(1)).get('zoom'));"
    " return viewport.zoomSpring.isAtTargetValue() && viewport.centerSpringX.isAtTargetValue()"
    " && Math.abs(zoom / stainbridge.b.placement().scale - 1) < 1e-3; })()"
)


def test_moving_and_zooming_moves_both_and_the_link_keeps_it(page: Page) -> None:
    page.keyboard.press("+")
    page.keyboard.press("ArrowRight")
    wait_until(page, IS_AT_REST)
    settle(page)
    placements = page.evaluate("[stainbridge.a.placement(), stainbridge.b.placement()]")
    assert placements[0] == pytest.approx(placements[1])
    link = page.evaluate("location.hash")
    page.keyboard.press("0")
    wait_until(page, f"location.hash !== {link!r} && {IS_AT_REST}")
    page.evaluate(f"location.hash = {link!r}")
    scale = placements[1]["scale"]
    wait_until(page, f"Math.abs(stainbridge.b.placement().scale / {scale} - 1) < 0.01")
    again = page.evaluate("stainbridge.b.placement()")
    assert again["x"] == pytest.approx(placements[1]["x"], abs=2)


def has_grid(picture: np.ndarray) -> bool:
    return bool((picture == GRID).all(axis=-1).any())


def test_the_slides_are_shown_before_alignment_and_after(page: Page) -> None:
    page.evaluate("stainbridge.setFade(100)")
    settle(page)
    after = screenshot(page)
    page.keyboard.press("g")
    wait_until(page, "Boolean(stainbridge.overlays.grid)")
    settle(page)
    assert has_grid(screenshot(page))
    page.get_by_role("button", name="Before").click()
    expect(page.locator("#caption-b")).to_contain_text("Before alignment")
    read_colour = "id => getComputedStyle(document.getElementById(id)).backgroundColor"
    under_the_mouse = page.evaluate(read_colour, "before")
    assert under_the_mouse == page.evaluate(read_colour, "mode-fade")
    expect(page.locator("#marks-b")).to_be_hidden()
    page.wait_for_timeout(300)
    settle(page)
    before = screenshot(page)
    assert not has_grid(before)
    assert np.abs(before - after).mean() > 2
    page.keyboard.press("l")
    expect(page.locator("#before")).to_have_attribute("aria-pressed", "false")
    assert page.evaluate("stainbridge.correct.active")
    page.keyboard.press("b")
    assert not page.evaluate("stainbridge.correct.active")


def test_the_link_opens_the_same_view_in_another_browser(browser: Browser, page: Page) -> None:
    page.keyboard.press("3")
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.get_by_role("button", name="Link").click()
    expect(page.locator("#message")).to_contain_text("in the clipboard")
    link = page.evaluate("navigator.clipboard.readText()")
    other = browser.new_context()
    visitor = other.new_page()
    visitor.goto(link)
    wait_until(visitor, IS_READY)
    expect(visitor.locator("#mode-side")).to_have_attribute("aria-checked", "true")
    assert "token" not in visitor.url
    other.close()


def test_a_hundred_random_pans_leave_no_error(page: Page) -> None:
    generator = random.Random(3)
    for _ in range(100):
        x, y = generator.uniform(0, SIDE_PX), generator.uniform(0, SIDE_PX)
        scale = 2 ** generator.uniform(-2, 2)
        page.evaluate(
            f"stainbridge.leader = stainbridge.b; stainbridge.b.goTo({x}, {y}, {scale}, true)"
        )
    settle(page)
    places = page.evaluate("[stainbridge.a.placement(), stainbridge.b.placement()]")
    assert places[0] == pytest.approx(places[1])


def test_a_stain_is_shown_alone(page: Page) -> None:
    page.keyboard.press("t")
    page.evaluate("stainbridge.setFade(100)")
    page.get_by_label("What to show of ki67.ome.tiff").select_option("dab")
    page.wait_for_timeout(300)
    settle(page)
    assert "stain=dab" in page.evaluate("stainbridge.b.source")
    page.get_by_label("Colour of the stain of ki67.ome.tiff").fill("#00ff00")
    page.wait_for_timeout(300)
    settle(page)
    red, green, blue = np.moveaxis(screenshot(page), -1, 0)
    assert (green >= np.maximum(red, blue) - 12).mean() > 0.9


def test_channels_of_fluorescence_have_colours_and_windows(
    browser: Browser, samples: dict[str, Sample]
) -> None:
    source = SlidesSource("slide", (samples["ome fluorescence"].path,))
    with open_page(browser, Session("slide", (source,))) as page:
        wait_until(page, IS_READY)
        page.keyboard.press("t")
        for name in ("CD3", "CD8", "autofluorescence"):
            page.get_by_label(f"Show {name}").uncheck()
        page.get_by_label("Colour of DAPI").fill("#ff00ff")
        page.get_by_label("Full of DAPI").fill("65000")
        page.get_by_label("Full of DAPI").press("Tab")
        page.wait_for_timeout(300)
        settle(page)
        assert "0%3Aff00ff" in page.evaluate("stainbridge.b.source")
        assert ",1" not in page.evaluate("decodeURIComponent(stainbridge.b.source)")
        picture = screenshot(page)
        middle = picture[picture.shape[0] // 2, picture.shape[1] // 2]
        assert middle[1] < 20 < middle[0]


def test_a_point_is_found_on_the_other_slide(page: Page, shared_result: Result) -> None:
    page.keyboard.press("t")
    page.locator("#point-fixed-x").fill("300")
    page.locator("#point-fixed-y").fill("420")
    page.locator("#point-fixed-y").press("Enter")
    expect(page.locator("#point-moving-x")).not_to_have_value("")
    x, y = shared_result.registration.warp_points([[300, 420]], to="moving")[0]
    assert float(page.locator("#point-moving-x").input_value()) == pytest.approx(x, abs=0.1)
    page.locator("#point-unit").select_option("um")
    assert float(page.locator("#point-moving-y").input_value()) == pytest.approx(4 * y, abs=0.1)
    page.wait_for_timeout(500)
    click_slide(page, "b", 310, 410)
    page.wait_for_timeout(300)
    assert float(page.locator("#point-fixed-x").input_value()) == pytest.approx(4 * 310, abs=8)


def test_grid_maps_and_annotations_lie_over_the_slides(
    page: Page, shared_result: Result, tmp_path: Path
) -> None:
    page.keyboard.press("t")
    before = screenshot(page)
    page.locator("#grid-shown").check()
    page.locator("#map-kind").select_option("agreement")
    wait_until(page, "Boolean(stainbridge.overlays.map && stainbridge.overlays.grid)")
    settle(page)
    assert np.abs(screenshot(page) - before).mean() > 5
    page.locator("#map-kind").select_option("area")
    expect(page.locator(".legend.area")).to_be_visible()
    page.locator("#map-kind").select_option("")
    page.locator("#grid-shown").uncheck()

    square = [[100, 100], [300, 100], [300, 300], [100, 100]]
    drawn = {
        "type": "Feature",
        "geometry": {"type": "Polygon", "coordinates": [square]},
        "properties": {"name": "region"},
    }
    path = tmp_path / "drawn.geojson"
    path.write_text(json.dumps(drawn))
    page.locator("#annotations-of").select_option("moving")
    page.locator("#annotations-file").set_input_files(path)
    button = page.get_by_role("button", name="Save for he.ome.tiff")
    saved = json.loads(save_download(page, button.click, tmp_path).read_text())
    expected = shared_result.registration.warp_geojson(drawn)
    assert saved == json.loads(json.dumps(expected))
    path.write_text("{")
    page.locator("#annotations-file").set_input_files(path)
    expect(page.locator("#message")).to_contain_text("not JSON")


def test_landmarks_are_placed_dragged_undone_and_removed(
    browser: Browser, own_result: Result
) -> None:
    session = Session("result", (ResultSource("result", (own_result.folder,)),))
    with open_page(browser, session) as page:
        wait_until(page, IS_READY)
        page.keyboard.press("l")
        page.wait_for_timeout(300)
        settle(page)
        for x, y in ((250, 300), (420, 320), (330, 450)):
            count = page.evaluate("stainbridge.correct.pairs.length")
            click_slide(page, "a", x, y)
            expect(page.locator("#marks-a .pending")).to_be_visible()
            page.wait_for_timeout(400)  # two quick clicks are a double click
            click_slide(page, "b", x + 50, y)
            wait_until(page, f"stainbridge.correct.pairs.length === {count + 1}")
            page.wait_for_timeout(400)
        errors = page.evaluate("stainbridge.correct.pairs.map(pair => pair.error_um)")
        assert errors == pytest.approx([50 * 4] * 3, abs=12)
        mark = page.get_by_role("button", name="Landmark 1 on the moving slide")
        scale = page.evaluate("stainbridge.b.placement().scale")
        box = mark.bounding_box()
        assert box is not None
        page.mouse.move(box["x"] + 14, box["y"] + 14)
        page.mouse.down()
        page.mouse.move(box["x"] + 14 - 50 * scale, box["y"] + 14, steps=4)
        page.mouse.up()
        wait_until(page, "stainbridge.correct.pairs[0].error_um < 12")
        page.locator("#undo").click()
        wait_until(page, "stainbridge.correct.pairs[0].error_um > 180")
        page.get_by_label("Remove pair 2").click()
        wait_until(page, "stainbridge.correct.pairs.length === 2")
        page.locator("#save-pairs").click()
        expect(page.locator("#message")).to_contain_text("landmarks/fixed.csv")
    assert (own_result.folder / "landmarks" / "moving.geojson").is_file()


def test_a_cohort_is_judged_with_keys(browser: Browser, own_result: Result) -> None:
    folder = own_result.folder
    sources = tuple(ResultSource(f"case {n}", (folder,)) for n in (1, 2, 3))
    reviews = ReviewFile(folder.parent)
    with open_page(browser, Session("cohort", sources), reviews=reviews) as page:
        expect(page.locator(".card")).to_have_count(3)
        page.locator("#filter-failed").click()
        expect(page.locator(".card")).to_have_count(0)
        page.locator("#filter-all").click()
        page.locator(".card").first.click()
        wait_until(page, IS_READY)
        page.keyboard.press("y")
        expect(page.locator("#message")).to_contain_text("case 1: accepted")
        page.keyboard.press("j")
        expect(page.locator("#title")).to_have_text("case 2")
        page.keyboard.press("n")
        expect(page.locator("#message")).to_contain_text("case 2: rejected")
        page.keyboard.press("t")
        page.locator("#note").fill("torn")
        wait_until(page, "stainbridge.judging.review.note === 'torn'")
        page.locator("#title").click()
        page.keyboard.press("c")
        expect(page.locator(".count")).to_have_text("2 of 3 judged")
        page.locator("#filter-open").click()
        expect(page.locator(".card b")).to_have_text(["case 3"])
    kept = ReviewFile(folder.parent)
    assert (kept.get("case 1").verdict, kept.get("case 2").note) == ("accepted", "torn")


def test_without_the_server_one_line_says_so(browser: Browser, session: Session) -> None:
    context = browser.new_context()
    page = context.new_page()
    with serve_session(session) as client:
        page.goto(f"{client.base_url}/?token=the-right-token")
        wait_until(page, IS_READY)
    page.evaluate("stainbridge.overlays.setGrid(true).catch(error => error.message)")
    said = page.evaluate("stainbridge.overlays.setGrid(true).catch(error => error.message)")
    assert said.startswith("The viewer is not running any more")
    context.close()
