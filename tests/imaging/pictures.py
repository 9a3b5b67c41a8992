"""Generated pictures of slides for the tests of colour and tissue."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import cv2
import numpy as np
import numpy.typing as npt

from stainbridge.geometry.frame import Space
from stainbridge.imaging.image import Image
from stainbridge.phantom.glass.artefacts import Artefact
from stainbridge.phantom.glass.slide import PhantomSlide
from stainbridge.phantom.pairs.pair import generate_pair
from stainbridge.phantom.staining.laboratory import Laboratory
from stainbridge.types import Mask

SIZE = 500
HEIGHT, WIDTH = 300, 420
LABORATORY = Laboratory((0.985, 1.156, 0.804), (0.112, 0.026, -0.107), (0.9501, 0.9527, 0.9486))


@cache
def section(stain: str) -> PhantomSlide:
    """A generated section without artefacts, as an overview of 500 x 500 pixels."""
    pair = generate_pair(
        seed=5,
        size_px=SIZE,
        mpp=6.4,
        moving_stain=stain,
        tear=False,
        damage=False,
        artefacts=False,
        faint=False,
    )
    return replace(pair.moving, jpeg_quality=None, laboratory=LABORATORY)


@cache
def _clean(stain: str) -> Image:
    return section(stain).read(section(stain).frame)


def overview(stain: str, *artefacts: Artefact) -> Image:
    """The whole of `section` with `artefacts` on it."""
    return (
        replace(section(stain), artefacts=artefacts).read(section(stain).frame)
        if artefacts
        else _clean(stain)
    )


@cache
def truth(stain: str) -> Mask:
    """Where the section truly is, (SIZE, SIZE), lumina included."""
    slide = section(stain)
    rows = np.split(slide.frame.centres_um(), SIZE)
    inside = np.stack([slide.tissue_depth_um(row) > 0 for row in rows])
    closed = cv2.morphologyEx(inside.astype(np.uint8), cv2.MORPH_CLOSE, np.ones((9, 9), np.uint8))
    return np.asarray(closed.astype(bool))


def image_of(pixels: npt.NDArray[np.floating]) -> Image:
    """(C, H, W) intensities as an 8-bit image."""
    frame = Space("slide", *pixels.shape[1:]).frame
    return Image(
        np.clip(np.rint(pixels), 0, 255).astype(np.uint8), frame, np.ones(pixels.shape[1:], bool)
    )


def glass(noise: float, seed: int, level: float = 240.0) -> npt.NDArray[np.float64]:
    """Blank glass (3, HEIGHT, WIDTH) with noise of standard deviation `noise` in grey levels."""
    return level + noise * np.random.default_rng(seed).normal(size=(3, HEIGHT, WIDTH))


def fluorescence(noise: float = 25.0) -> Image:
    """A 16-bit image of three channels, the last all but empty, with hot pixels."""
    source = overview("HE")
    stain = 1 - source.pixels / 255.0
    rng = np.random.default_rng(4)
    pixels = 300 + np.array([8000, 4000, 0])[:, None, None] * np.clip(stain - 0.08, 0, 1)
    pixels += rng.normal(0, noise, pixels.shape)
    pixels[rng.random(pixels.shape) < 3e-4] = 65535
    return Image(np.clip(pixels, 0, 65535).astype(np.uint16), source.frame, source.valid)


def agreement(region: Mask, expected: Mask) -> float:
    """Intersection over union."""
    return float((region & expected).sum() / (region | expected).sum())
