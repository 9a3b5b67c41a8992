"""What can be done with a registration: points, pictures, slides, SimpleITK, notebooks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import PIL.Image
import pytest
from tests.registration.finished import FIXED, MOVING, make_solution
from tests.registration.pictures import SIZE, draw_tissue, similarity_matrix, warp_picture

import stainbridge
from stainbridge.errors import InputError, RegistrationError
from stainbridge.imaging.image import Image
from stainbridge.registration.config import RegisterConfig, SearchConfig
from stainbridge.registration.result import Registration
from stainbridge.slides.mapped import MappedSlide
from stainbridge.slides.memory import ArraySlide
from stainbridge.slides.slide import Slide
from stainbridge.types import Pixels

POINTS = np.array([[20.0, 30.0], [350.0, 40.0], [200.0, 280.0]])


def make_registration(**changes: Any) -> Registration:
    registration = Registration(
        fixed=FIXED,
        moving=MOVING,
        status="ok",
        reason="93% of the tissue fits best where it lies",
        stages=(),
        seconds=1.0,
        predicted_rtre=0.0031,
        seed=0,
        config={},
        solution=make_solution(),
    )
    return replace(registration, **changes)


FAILED = make_registration(
    status="failed",
    reason="the slides <may> not belong together",
    solution=None,
    predicted_rtre=float("nan"),
)


def test_points_are_warped_both_ways() -> None:
    registration = make_registration()
    on_moving = registration.warp_points(POINTS, to="moving")
    expected = registration.transform(FIXED.to_um(POINTS)) / MOVING.mpp
    np.testing.assert_allclose(on_moving, expected)
    np.testing.assert_allclose(registration.warp_points(on_moving), POINTS, atol=1e-3)
    assert registration.warp_points([]).shape == (0, 2)
    assert registration.warp_points([[1, 2]]).shape == (1, 2)


@pytest.mark.parametrize(
    "points",
    [
        np.zeros((4, 3)),
        np.zeros((2, 4, 2)),
        np.zeros(2),
        [[1, 2], [3]],
        [["a", "b"]],
        [[1, np.nan]],
    ],
    ids=["three columns", "three axes", "one axis", "ragged", "words", "nan"],
)
@pytest.mark.parametrize("to", ["fixed", "moving"])
def test_points_of_another_shape_are_refused(points: Any, to: Any) -> None:
    with pytest.raises(InputError, match="points_px") as caught:
        make_registration().warp_points(points, to=to)
    assert "\n" not in str(caught.value)


def test_another_word_for_a_slide_is_refused() -> None:
    registration = make_registration()
    calls: list[Callable[[Any], Any]] = [
        lambda side: registration.warp_points(POINTS, to=side),
        lambda side: registration.warp_geojson({"type": "FeatureCollection", "features": []}, side),
        registration.transform_to,
    ]
    for call in calls:
        for side in ("left", "", None, "Fixed"):
            with pytest.raises(InputError, match="expected fixed or moving"):
                call(side)


def test_a_transform_ends_on_the_side_asked_for() -> None:
    registration = make_registration()
    assert registration.transform_to("moving") is registration.transform
    back = registration.transform_to("fixed")
    assert (back.source, back.target) == (MOVING.space, FIXED.space)
    points = FIXED.to_um(POINTS)
    np.testing.assert_allclose(back(registration.transform(points)), points, atol=1e-3)


def test_a_failed_registration_warps_nothing() -> None:
    calls: list[Callable[[], Any]] = [
        lambda: FAILED.transform,
        lambda: FAILED.transform_to("fixed"),
        lambda: FAILED.warp_points(POINTS),
        lambda: FAILED.warp_image(np.zeros((310, 390), np.uint8)),
        FAILED.warp_slide,
        FAILED.to_sitk,
    ]
    for call in calls:
        with pytest.raises(RegistrationError, match="failed: the slides <may> not belong"):
            call()


def test_sitk_maps_points_as_warp_points_does() -> None:
    """ITK's points are in mm, or in pixels where their size is not known, from pixel centres."""
    registration = make_registration()
    transform = registration.to_sitk()
    expected = registration.warp_points(POINTS, to="moving")
    for point, end in zip(POINTS, expected, strict=True):
        physical = (point - 0.5) * 0.0005
        np.testing.assert_allclose(
            np.array(transform.TransformPoint(physical.tolist())) + 0.5, end, atol=0.01
        )


#: Side of the pictures that are registered, in pixels.
SIDE = 128
FAST = replace(
    RegisterConfig.preset("fast").with_stage(SearchConfig(angles=36, candidates=40, hypotheses=3)),
    second_search=None,
)


def shrink(pixels: Pixels) -> npt.NDArray[np.uint8]:
    """Return a picture (3, H, W) as (SIDE, SIDE, 3)."""
    size = (SIDE, SIDE)
    return np.asarray(cv2.resize(np.moveaxis(pixels, 0, -1), size, interpolation=cv2.INTER_AREA))


@pytest.fixture(scope="module")
def pictures() -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8]]:
    """A picture of tissue, and the same tissue turned and mirrored, each (H, W, 3)."""
    matrix = similarity_matrix(60, True, 1, SIZE)
    moving = warp_picture(draw_tissue(), matrix, SIZE)
    return shrink(draw_tissue()), shrink(moving)


def truth_px(points: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return where points of the first picture are on the second one."""
    scale = SIZE / SIDE
    matrix = similarity_matrix(60, True, 1, SIZE)
    return np.asarray((np.c_[points * scale, np.ones(len(points))] @ matrix.T)[:, :2] / scale)


TISSUE_POINTS = np.array([[40.0, 45.0], [90.0, 50.0], [70.0, 90.0]])


@pytest.fixture(scope="module")
def of_arrays(
    pictures: tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8]],
) -> Registration:
    fixed, moving = pictures
    return stainbridge.register(fixed, moving, config=FAST, fixed_mpp=2.0, moving_mpp=2.0)


@pytest.fixture(scope="module")
def folder(
    pictures: tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8]],
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:
    """A folder with both pictures as files."""
    folder = tmp_path_factory.mktemp("slides")
    for name, picture in zip(("he", "ki67"), pictures, strict=True):
        PIL.Image.fromarray(picture).save(folder / f"{name}.png")
    return folder


@pytest.fixture(scope="module")
def of_paths(folder: Path) -> Registration:
    """The registration of files whose pixel size only the caller knows."""
    return stainbridge.register(
        folder / "he.png", str(folder / "ki67.png"), config=FAST, fixed_mpp=2.0, moving_mpp=2.0
    )


def test_arrays_with_their_pixel_sizes_are_registered(of_arrays: Registration) -> None:
    assert of_arrays.status != "failed", of_arrays.reason
    for frame in (of_arrays.fixed, of_arrays.moving):
        assert (frame.height, frame.width, frame.mpp) == (SIDE, SIDE, (2.0, 2.0))
        assert frame.calibrated
    warped = of_arrays.warp_points(TISSUE_POINTS, to="moving")
    np.testing.assert_allclose(warped, truth_px(TISSUE_POINTS), atol=0.6)
    assert of_arrays.warp_slide().frame == of_arrays.fixed


def test_arrays_without_pixel_sizes_are_in_pixels(
    pictures: tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8]],
) -> None:
    registration = stainbridge.register(*pictures, config=FAST)
    assert not registration.fixed.calibrated
    assert registration.fixed.mpp == (1.0, 1.0)
    warped = registration.warp_points(TISSUE_POINTS, to="moving")
    np.testing.assert_allclose(warped, truth_px(TISSUE_POINTS), atol=0.6)


def check_warped(warped: Slide, picture: npt.NDArray[np.uint8]) -> None:
    """Check that a warped slide shows what the fixed picture shows."""
    shown = np.moveaxis(warped.read(warped.frame).pixels, 0, -1)
    inner = (slice(30, 100), slice(30, 100))
    difference = shown[inner].astype(float) - picture[inner]
    assert np.abs(difference).mean() < 8


def test_slides_that_were_paths_are_opened_again(
    of_paths: Registration, pictures: tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8]]
) -> None:
    with of_paths.warp_slide() as warped:
        assert warped.frame == of_paths.fixed
        check_warped(warped, pictures[0])
    with of_paths.open_slide("moving") as moving:
        assert moving.frame.mpp == (2.0, 2.0)  # as it was registered, whatever the file says
    with of_paths.warp_slide(crop="moving") as warped:
        assert (warped.frame.width, warped.frame.height) != (SIDE, SIDE)


def test_a_loaded_registration_remembers_its_slides(
    of_paths: Registration,
    pictures: tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    of_paths.save(tmp_path / "result")
    monkeypatch.chdir(tmp_path)  # the paths are not relative to where it was saved
    loaded = stainbridge.load("result")
    with loaded.warp_slide() as warped:
        check_warped(warped, pictures[0])
    np.testing.assert_array_equal(loaded.overlay(64), of_paths.overlay(64))
    np.testing.assert_allclose(
        loaded.warp_points(TISSUE_POINTS), of_paths.warp_points(TISSUE_POINTS), atol=1e-4
    )


def test_slides_that_were_handed_in_stay_open(
    pictures: tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8]],
) -> None:
    fixed, inner = (
        ArraySlide(np.moveaxis(picture, -1, 0).copy(), 2.0, name)
        for picture, name in zip(pictures, ("fixed", "moving"), strict=True)
    )
    moving = MappedSlide(inner, keep)
    registration = stainbridge.register(fixed, moving, config=FAST)
    with registration.warp_slide() as warped:
        check_warped(warped, pictures[0])
    registration.overlay(32)
    registration.checkerboard(32)
    for slide in (fixed, inner, moving):
        slide.read(slide.frame)  # raises where it is closed
    again = stainbridge.register(registration.warp_slide(), fixed, config=FAST)
    again.overlay(32)
    again.overlay(32)
    inner.read(inner.frame)


def keep(image: Image) -> Image:
    return image


def test_unknown_and_changed_slides_are_refused(folder: Path, of_paths: Registration) -> None:
    with pytest.raises(InputError, match="not known where the moving slide is; hand the slide in"):
        make_registration().warp_slide()
    with pytest.raises(InputError, match="not known where the fixed slide is"):
        make_registration().overlay()
    gone = replace(of_paths, moving_source=folder / "gone.png")
    with pytest.raises(FileNotFoundError):
        gone.warp_slide()
    PIL.Image.new("RGB", (SIDE, SIDE - 1)).save(folder / "other.png")
    changed = replace(of_paths, moving_source=folder / "other.png")
    with pytest.raises(InputError, match=r"other\.png: the moving slide is not the one"):
        changed.warp_slide()


def test_a_slide_that_is_handed_in_is_warped(
    pictures: tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8]], of_arrays: Registration
) -> None:
    with ArraySlide(np.moveaxis(pictures[1], -1, 0).copy(), 2.0) as moving:
        unknown = replace(of_arrays, moving_source=None)
        check_warped(unknown.warp_slide(moving), pictures[0])


def test_overlay_and_checkerboard_are_rgb_pictures_of_the_fixed_slide(
    of_paths: Registration, pictures: tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8]]
) -> None:
    for picture in (of_paths.overlay(), of_paths.checkerboard()):
        assert picture.shape == (SIDE, SIDE, 3)  # no larger than the slide
        assert picture.dtype == np.uint8
    assert of_paths.overlay(64).shape == (64, 64, 3)
    assert of_paths.checkerboard(64, across=4).shape == (64, 64, 3)
    # tissue on tissue is grey: magenta and green are only at its border
    colour = np.ptp(of_paths.overlay().astype(int), axis=-1)
    assert np.median(colour[40:90, 40:90]) < 40
    squares = of_paths.checkerboard(across=8)
    np.testing.assert_array_equal(squares[32:48, 32:48], pictures[0][32:48, 32:48])
    assert (squares[32:48, 48:64] != pictures[0][32:48, 48:64]).any()
    assert np.abs(squares.astype(float) - pictures[0])[32:96, 32:96].mean() < 8


def test_the_repr_is_one_line() -> None:
    assert repr(make_registration()) == (
        "<Registration 'ki67' to 'he': ok, expected error 0.31% of the diagonal (0.8 µm)>"
    )
    assert repr(FAILED) == (
        "<Registration 'ki67' to 'he': failed, the slides <may> not belong together>"
    )
    uncalibrated = make_registration(fixed=MOVING, status="fallback")
    assert repr(uncalibrated).endswith("fallback, expected error 0.31% of the diagonal>")


def test_a_notebook_shows_the_verdict_and_a_picture(of_paths: Registration) -> None:
    html = of_paths._repr_html_()
    assert of_paths.status in html
    assert of_paths.reason.split(";")[0] in html
    assert 'src="data:image/png;base64,' in html
    assert "http" not in html  # it needs nothing else


def test_a_notebook_shows_the_verdict_where_there_is_no_picture() -> None:
    html = FAILED._repr_html_()
    assert "failed" in html
    assert "&lt;may&gt;" in html
    assert "<may>" not in html
    assert "<img" not in html
    without_slides = make_registration()._repr_html_()
    assert "ok" in without_slides
    assert "not known where the fixed slide is" in without_slides
    assert "<img" not in without_slides


def test_registrations_of_one_result_are_equal_wherever_the_slides_are() -> None:
    registration = make_registration()
    assert replace(registration, fixed_source=Path("he.svs")) == registration
