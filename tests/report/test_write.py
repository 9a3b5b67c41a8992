from __future__ import annotations

import base64
import io
import math
import os
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
from scipy.ndimage import gaussian_filter

from stainbridge.errors import InputError
from stainbridge.geometry.fit import fit_affine
from stainbridge.geometry.frame import Frame
from stainbridge.geometry.landmarks import read_points_csv
from stainbridge.geometry.transform import Affine, Chain, DisplacementField
from stainbridge.registration.result import Registration
from stainbridge.registration.stages.record import StageRecord
from stainbridge.registration.verdict.judge import RegistrationStatus
from stainbridge.report.write import report_html, write_report
from stainbridge.slides.memory import ArraySlide
from stainbridge.slides.open import open_slide
from stainbridge.slides.slide import Slide

STAGES = (
    StageRecord("coarse", True, 0.5, 0.1, 0.4),
    StageRecord("deformable", False, 1.25, 0.4, 0.3, "worse <than> before"),
)


def slide(
    seed: int, name: str, *, mpp: float | None = 0.5, height: int = 150, width: int = 200
) -> ArraySlide:
    noise = gaussian_filter(np.random.default_rng(seed).normal(size=(height, width)), 5)
    grey = np.clip(240 - 3000 * np.maximum(noise, 0), 0, 255)
    return ArraySlide(np.stack([grey, grey * 0.8, grey]).astype(np.uint8), mpp=mpp, name=name)


def bend(frame: Frame, size_um: float, seed: int = 0) -> DisplacementField:
    grid = frame.fit(100)
    u = gaussian_filter(
        np.random.default_rng(seed).normal(size=(2, grid.height, grid.width)), (0, 8, 8)
    )
    return DisplacementField(
        (u / u.std() * size_um).astype(np.float32), grid, frame.space, frame.space
    )


def registration(
    fixed: Slide, moving: Slide, status: RegistrationStatus = "ok", reason: str = ""
) -> Registration:
    mirrored = Affine(
        np.array([[-1.0, 0, 100], [0, 1, 2], [0, 0, 1]]), fixed.frame.space, moving.frame.space
    )
    failed = status == "failed"
    return Registration(
        fixed=fixed.frame,
        moving=moving.frame,
        status=status,
        reason=reason,
        stages=STAGES,
        seconds=1.75,
        predicted_rtre=math.nan if failed else 0.004,
        seed=3,
        config={},
        solution=None if failed else Chain((bend(fixed.frame, 1.0), mirrored)),
    )


class Page(HTMLParser):
    """Collects the elements of a page and checks that its tags are balanced."""

    VOID = ("meta", "img", "input", "br", "path")

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.text = ""
        self.feed(html)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in self.VOID:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if not self.open or self.open[-1] not in ("style", "script"):
            self.text += data

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


def pictures(page: Page) -> list[np.ndarray]:
    sources = [image["src"] or "" for image in page.all("img")]
    return [
        np.asarray(PIL.Image.open(io.BytesIO(base64.b64decode(s.partition(",")[2]))))
        for s in sources
    ]


@pytest.fixture
def pair() -> tuple[ArraySlide, ArraySlide]:
    return slide(0, "he.svs"), slide(1, "ki67.svs", height=160)


def test_the_page_shows_every_check(pair: tuple[ArraySlide, ArraySlide]) -> None:
    page = Page(report_html(registration(*pair), *pair))
    assert "ki67.svs on he.svs" in page.text
    for words in (
        "Aligned",
        "0.40 %",
        "Slide over",
        "Before and after",
        "Checkerboard",
        "grid",
        "Jacobian",
        "No fold",
    ):
        assert words in page.text
    assert "worse <than> before" in page.text  # and so was escaped
    assert "not kept" in page.text
    assert "Flipped" in page.text
    assert "stainbridge warp geojson" in page.text
    assert len(page.all("path")) > 20
    assert {picture.shape for picture in pictures(page)} == {(150, 200, 3)}
    assert "Misfit" in page.text
    assert "20 µm" in page.text  # the scale bar
    assert next(i for i in page.all("input") if i["type"] == "range")["aria-label"]
    assert all(image["alt"] for image in page.all("img"))


@pytest.mark.parametrize("status", ["ok", "failed"])
def test_the_page_needs_nothing_else(
    pair: tuple[ArraySlide, ArraySlide], status: RegistrationStatus
) -> None:
    html = report_html(registration(*pair, status), *pair)
    without_pictures = re.sub(r"data:image/\w+;base64,[\w+/=]+", "data:", html)
    assert not re.search(r"https?:|//\w|@import|url\(|<link|src=\"(?!data:)", without_pictures)


def test_the_swipe_lays_the_warped_slide_over_the_fixed_one(
    pair: tuple[ArraySlide, ArraySlide],
) -> None:
    fixed, moving = pair
    first, second = pictures(Page(report_html(registration(fixed, moving), fixed, moving)))[:2]
    assert np.abs(first.astype(int) - fixed.read(fixed.frame).pixels.transpose(1, 2, 0)).mean() < 4
    mirrored = moving.read(moving.frame).pixels.transpose(1, 2, 0)[4:154, ::-1]
    # The bend moves tissue by about two pixels: most of the picture still agrees with the plain
    # mirror image.
    assert np.corrcoef(second.ravel(), mirrored.ravel())[0, 1] > 0.8
    assert abs(np.corrcoef(second.ravel(), first.ravel())[0, 1]) < 0.5


def test_a_failed_registration_shows_both_slides_the_reason_and_what_to_try(
    pair: tuple[ArraySlide, ArraySlide],
) -> None:
    page = Page(report_html(registration(*pair, "failed", "nothing in common"), *pair))
    for words in (
        "Not aligned",
        "Nothing in common.",
        "What to try",
        "--fixed-landmarks",
        "coarse",
    ):
        assert words in page.text
    assert "Use the result" not in page.text
    assert [picture.shape for picture in pictures(page)] == [(150, 200, 3), (160, 200, 3)]


def test_a_fallback_says_why(pair: tuple[ArraySlide, ArraySlide]) -> None:
    page = Page(report_html(registration(*pair, "fallback", "the fine stage was no better"), *pair))
    assert "with care" in page.text
    assert "The fine stage was no better." in page.text


def test_folds_are_told(pair: tuple[ArraySlide, ArraySlide]) -> None:
    fixed, moving = pair
    torn = Chain(
        (bend(fixed.frame, 15.0), Affine(np.eye(3), fixed.frame.space, moving.frame.space))
    )
    complete = registration(fixed, moving)
    folded = Registration(**{**vars(complete), "solution": torn})
    assert "of the area folds" in Page(report_html(folded, fixed, moving)).text


def test_fluorescence_and_slides_without_a_pixel_size_are_shown() -> None:
    fixed = slide(0, "he.svs")
    brightness = np.random.default_rng(5).integers(0, 4000, (2, 120, 130)).astype(np.uint16)
    moving = ArraySlide(brightness, name="af.tif")
    page = Page(report_html(registration(fixed, moving), fixed, moving))
    assert "not known" in page.text
    assert "µm per pixel" in page.text or "pixels per µm" in page.text


def test_large_slides_are_read_small(tmp_path: Path) -> None:
    fixed, moving = slide(0, "a", height=1300, width=2600), slide(1, "b", height=1300, width=2600)
    write_report(tmp_path / "report.html", registration(fixed, moving), fixed, moving)
    page = Page((tmp_path / "report.html").read_text())
    assert {picture.shape for picture in pictures(page)} == {(600, 1200, 3)}
    assert (tmp_path / "report.html").stat().st_size < 6e6


def test_nothing_is_left_when_it_cannot_be_written(
    tmp_path: Path, pair: tuple[ArraySlide, ArraySlide]
) -> None:
    with pytest.raises(InputError, match="no such folder"):
        write_report(tmp_path / "none" / "report.html", registration(*pair), *pair)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif("STAINBRIDGE_DATA" not in os.environ, reason="needs STAINBRIDGE_DATA")
def test_a_real_pair(tmp_path: Path) -> None:
    folder = Path(os.environ["STAINBRIDGE_DATA"]) / "rat_kidney"
    stems = ("Rat-Kidney_HE", "Rat-Kidney_PanCytokeratin")
    marks = [read_points_csv(folder / "landmarks" / f"{stem}.csv")[0] for stem in stems]
    with (
        open_slide(folder / "images" / f"{stems[0]}.jpg") as fixed,
        open_slide(folder / "images" / f"{stems[1]}.jpg") as moving,
    ):
        affine = fit_affine(*marks, fixed.frame.space, moving.frame.space)
        complete = registration(fixed, moving)
        solved = Registration(
            **{**vars(complete), "solution": Chain((bend(fixed.frame, 3.0), affine))}
        )
        write_report(tmp_path / "report.html", solved, fixed, moving)
    page = Page((tmp_path / "report.html").read_text())
    before, after = pictures(page)[2:4]
    assert measure_colour(after) < 0.8 * measure_colour(before)
    assert (tmp_path / "report.html").stat().st_size < 6e6


def measure_colour(picture: np.ndarray) -> float:
    """Tissue that lies on tissue is grey; what stands alone is magenta or green."""
    smooth = gaussian_filter(picture.astype(float), (6, 6, 0))
    return float(np.abs(smooth[..., 0] - smooth[..., 1]).mean())


def test_a_failed_registration_keeps_no_stage(pair: tuple[ArraySlide, ArraySlide]) -> None:
    page = Page(report_html(registration(*pair, "failed", "nothing in common"), *pair))
    assert page.text.count("discarded") == len(STAGES) + 1
    assert "kept" not in page.text.replace("A stage is kept only if", "")


def test_no_folder_is_named(tmp_path: Path) -> None:
    """The demo writes its slides into a folder that is gone when the page is read."""
    paths = tmp_path / "he.png", tmp_path / "ki67.png"
    for number, path in enumerate(paths):
        pixels = np.random.default_rng(number).integers(0, 255, (60, 80, 3), np.uint8)
        PIL.Image.fromarray(pixels).save(path)
    with open_slide(paths[0]) as fixed, open_slide(paths[1]) as moving:
        text = report_html(registration(fixed, moving), fixed, moving)
    assert str(tmp_path) not in text
    assert "he.png" in text


def test_three_places_are_shown_at_full_resolution() -> None:
    noise = gaussian_filter(np.random.default_rng(5).normal(size=(300, 400)), 3)
    grey = np.full((300, 400), 240.0)
    grey[40:260, 60:340] = np.clip(130 + 900 * noise, 40, 200)[40:260, 60:340]
    picture = np.stack([grey] * 3).astype(np.uint8)
    both = ArraySlide(picture, mpp=0.5, name="a"), ArraySlide(picture, mpp=0.5, name="b")
    same = replace(
        registration(*both),
        solution=Affine(np.eye(3), both[0].frame.space, both[1].frame.space),
    )
    page = Page(report_html(same, *both))
    assert "At full resolution" in page.text
    details = [picture for picture in pictures(page) if picture.shape == (208, 208, 3)]
    assert len(details) == 6
    for fixed, warped in zip(details[::2], details[1::2], strict=True):
        np.testing.assert_allclose(fixed, warped, atol=12)
