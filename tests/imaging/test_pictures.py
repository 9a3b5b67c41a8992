from __future__ import annotations

import numpy as np
import pytest

from stainbridge.geometry.frame import Space
from stainbridge.imaging.image import Image
from stainbridge.imaging.pictures import checkerboard, display_density, overlay, render_rgb
from stainbridge.types import Mask, Pixels


def image(pixels: Pixels, valid: Mask | None = None) -> Image:
    frame = Space("slide", *pixels.shape[1:]).frame
    return Image(pixels, frame, np.ones(pixels.shape[1:], bool) if valid is None else valid)


def brightfield(tissue: tuple[int, int, int], background: int = 240) -> Image:
    """A square of tissue, of grainy colour, on a slightly noisy bright background."""
    rng = np.random.default_rng(0)
    pixels = rng.normal(background, 2, (3, 60, 80))
    pixels[:, 15:45, 20:60] = np.array(tissue)[:, None, None] + rng.normal(0, 8, (3, 30, 40))
    return image(np.clip(pixels, 0, 255).astype(np.uint8))


INSIDE = (slice(15, 45), slice(20, 60))


def outside(plane: np.ndarray) -> np.ndarray:
    mask = np.ones(plane.shape, bool)
    mask[INSIDE] = False
    return plane[mask]


@pytest.mark.parametrize("tissue", [(180, 60, 140), (215, 212, 222)], ids=["strong", "faint"])
def test_density_is_equal_for_strong_and_faint_stains(tissue: tuple[int, int, int]) -> None:
    plane = display_density(brightfield(tissue))
    assert plane.min() >= 0
    assert plane.max() <= 1
    assert np.median(plane[INSIDE]) == pytest.approx(0.5, abs=0.1)
    assert np.median(outside(plane)) < 0.05


def test_density_of_unevenly_lit_glass_is_zero() -> None:
    slide = brightfield((180, 60, 140))
    light = np.linspace(0.85, 1.0, 80)
    plane = display_density(image((slide.pixels * light).astype(np.uint8)))
    assert (outside(plane) < 0.1).mean() > 0.95
    assert np.median(plane[INSIDE]) == pytest.approx(0.5, abs=0.1)


@pytest.mark.parametrize("kind", ["16-bit", "dark RGB"])
def test_density_of_fluorescence_is_its_brightness(kind: str) -> None:
    pixels = np.random.default_rng(0).normal(10, 1, (3, 60, 80))
    pixels[:, 15:45, 20:60] += 100
    dark = image((pixels * 50).astype(np.uint16) if kind == "16-bit" else pixels.astype(np.uint8))
    plane = display_density(dark)
    assert np.median(plane[INSIDE]) > 0.4
    assert np.median(outside(plane)) < 0.05


def test_density_of_invalid_or_flat_images_is_zero() -> None:
    slide = brightfield((180, 60, 140))
    valid = np.zeros((60, 80), bool)
    assert display_density(image(slide.pixels, valid)).max() == 0
    valid[:, :40] = True
    assert display_density(image(slide.pixels, valid))[:, 40:].max() == 0
    assert display_density(image(np.full((3, 9, 9), 255, np.uint8))).max() == 0


def test_overlay_colours_tell_fixed_from_moving_tissue() -> None:
    fixed, moving = np.array([[0, 1, 0, 1]], np.float32), np.array([[0, 0, 1, 1]], np.float32)
    white, magenta, green, black = overlay(fixed, moving)[0].tolist()
    assert (white, magenta, green, black) == ([255] * 3, [255, 0, 255], [0, 255, 0], [0] * 3)


def test_checkerboard_takes_squares_in_turn() -> None:
    first, second = np.zeros((40, 60, 3), np.uint8), np.full((40, 60, 3), 255, np.uint8)
    board = checkerboard(first, second, across=6)
    assert board[0, 0, 0] == board[15, 15, 0] == 0
    assert board[0, 15, 0] == board[15, 0, 0] == 255
    assert board.mean() == pytest.approx(127.5)


def test_rgb_is_shown_as_it_is() -> None:
    slide = brightfield((180, 60, 140))
    assert np.array_equal(render_rgb(slide), np.moveaxis(slide.pixels, 0, -1))


@pytest.mark.parametrize("channels", [1, 2, 3, 8])
def test_other_channels_are_stretched_and_coloured(channels: int) -> None:
    pixels = np.zeros((channels, 20, 30), np.uint16)
    for n in range(channels):
        pixels[n, :, n * 3 : n * 3 + 3] = 3000
    picture = render_rgb(image(pixels))
    assert picture.shape == (20, 30, 3)
    shown = picture[0, 1 : channels * 3 : 3]
    assert (shown.max(axis=1) > 200).all()
    assert len({tuple(colour) for colour in shown.tolist()}) == min(channels, 6)
    assert picture[:, channels * 3 :].max(initial=0) == 0
