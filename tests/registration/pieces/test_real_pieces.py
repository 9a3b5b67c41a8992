"""Real sections beside each other: turned, swapped, missing, unrelated, wrongly stitched."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

import stainbridge
from stainbridge.registration.result import Registration
from stainbridge.types import Points

pytestmark = pytest.mark.slow

Picture = npt.NDArray[np.uint8]  # (H, W, 3)
#: Glass around the sections, in pixels, and its colour.
ROOM_PX = 60
GLASS = 243


@dataclass(frozen=True, eq=False)
class Shown:
    """A section with its landmarks in pixels."""

    picture: Picture
    points: Points

    def turn(self, degrees: float) -> Shown:
        """Return the section turned on a square of glass."""
        height, width = self.picture.shape[:2]
        side = int(np.hypot(height, width)) + 4
        matrix = cv2.getRotationMatrix2D((width / 2, height / 2), degrees, 1)
        matrix[:, 2] += [(side - width) / 2, (side - height) / 2]
        turned = cv2.warpAffine(
            self.picture, matrix, (side, side), borderValue=(GLASS, GLASS, GLASS)
        )
        return Shown(np.asarray(turned, np.uint8), self.points @ matrix[:, :2].T + matrix[:, 2])


def read_case(folder: Path) -> tuple[Shown, Shown]:
    with (folder / "pairs.csv").open(encoding="utf-8") as file:
        row = next(csv.DictReader(file))
    fixed, moving = (
        Shown(
            np.asarray(Image.open(folder / row[side]).convert("RGB")),
            stainbridge.read_points_csv(folder / row[f"{side}_landmarks"])[0],
        )
        for side in ("fixed", "moving")
    )
    return fixed, moving


@pytest.fixture(scope="module")
def kidney(real_data: Path) -> tuple[Shown, Shown]:
    return read_case(real_data / "rat_kidney")


@pytest.fixture(scope="module")
def lung(real_data: Path) -> tuple[Shown, Shown]:
    return read_case(real_data / "lung_lesion_3")


def mount(*sections: Shown) -> tuple[Picture, list[Points]]:
    """Return sections beside each other on glass, and where their landmarks lie there."""
    height = max(item.picture.shape[0] for item in sections) + 2 * ROOM_PX
    width = sum(item.picture.shape[1] + 2 * ROOM_PX for item in sections)
    noise = np.random.default_rng(0).normal(GLASS, 1.2, (height, width, 3))
    glass = np.clip(noise, 0, 255).astype(np.uint8)
    points = []
    left = ROOM_PX
    for item in sections:
        rows, columns = item.picture.shape[:2]
        place = glass[ROOM_PX : ROOM_PX + rows, left : left + columns]
        np.minimum(place, item.picture, out=place)
        points.append(item.points + (left, ROOM_PX))
        left += columns + 2 * ROOM_PX
    return glass, points


def register(fixed: Picture, moving: Picture) -> Registration:
    return stainbridge.register(fixed, moving, "fast", device="cpu", threads=1)


def measure_px(registration: Registration, fixed: Points, moving: Points) -> float:
    found = registration.warp_points(fixed, to="moving")
    return float(np.median(np.hypot(*(found - moving).T)))


@pytest.mark.parametrize("degrees", [15, 40])
def test_each_of_two_sections_is_registered_when_one_is_turned(
    kidney: tuple[Shown, Shown], degrees: float
) -> None:
    fixed, fixed_points = mount(kidney[0], kidney[0])
    moving, moving_points = mount(kidney[1], kidney[1].turn(degrees))
    registration = register(fixed, moving)
    assert registration.status == "ok", registration.reason
    for points in zip(fixed_points, moving_points, strict=True):
        assert measure_px(registration, *points) < 6


def test_swapped_sections_are_each_registered(
    kidney: tuple[Shown, Shown], lung: tuple[Shown, Shown]
) -> None:
    fixed, fixed_points = mount(kidney[0], lung[0])
    moving, moving_points = mount(lung[1], kidney[1])
    registration = register(fixed, moving)
    assert registration.status == "ok", registration.reason
    for points in zip(fixed_points, moving_points[::-1], strict=True):
        assert measure_px(registration, *points) < 8


def test_a_missing_section_is_counted(
    kidney: tuple[Shown, Shown], lung: tuple[Shown, Shown]
) -> None:
    fixed, fixed_points = mount(kidney[0], lung[0])
    moving, moving_points = mount(kidney[1])
    registration = register(fixed, moving)
    assert registration.status == "fallback"
    assert "of the fixed tissue has no counterpart" in registration.reason
    assert measure_px(registration, fixed_points[0], moving_points[0]) < 6


def test_a_section_that_is_there_twice_is_no_ok(kidney: tuple[Shown, Shown]) -> None:
    fixed, _ = mount(kidney[0], kidney[0])
    moving, _ = mount(kidney[1])
    assert register(fixed, moving).status != "ok"


def test_unrelated_sections_amid_glass_are_no_ok(
    kidney: tuple[Shown, Shown], lung: tuple[Shown, Shown]
) -> None:
    def surround(picture: Picture) -> Picture:
        height, width = picture.shape[:2]
        glass = np.full((3 * height, 3 * width, 3), GLASS, np.uint8)
        glass[height : 2 * height, width : 2 * width] = picture
        return glass

    assert register(surround(kidney[0].picture), surround(lung[1].picture)).status == "failed"


def test_swapped_halves_are_no_ok(kidney: tuple[Shown, Shown], lung: tuple[Shown, Shown]) -> None:
    for fixed, moving in (kidney, lung):
        middle = moving.picture.shape[1] // 2
        swapped = np.hstack([moving.picture[:, middle:], moving.picture[:, :middle]])
        assert register(fixed.picture, swapped).status != "ok"


@pytest.mark.parametrize("share", [0.06, 0.15])
def test_wrongly_stitched_bands_are_no_ok(
    kidney: tuple[Shown, Shown], lung: tuple[Shown, Shown], share: float
) -> None:
    for fixed, moving in (kidney, lung):
        stitched = stitch(moving.picture, share)
        registration = register(fixed.picture, stitched)
        assert registration.status != "ok", registration.reason


def stitch(picture: Picture, share: float) -> Picture:
    """Shift the second and the fourth quarter sideways by a share of the height."""
    height, width = picture.shape[:2]
    shift = round(share * height)
    stitched = np.full((height, width + 2 * shift, 3), GLASS, np.uint8)
    for row in range(height):
        left = shift * (1 + (row * 4 // height) % 2)
        stitched[row, left : left + width] = picture[row]
    return stitched


@pytest.mark.parametrize("side", ["fixed", "moving"])
def test_a_section_twice_without_a_gap_is_no_ok(
    kidney: tuple[Shown, Shown], lung: tuple[Shown, Shown], side: str
) -> None:
    for fixed, moving in (kidney, lung):
        twice = np.hstack([moving.picture] * 2), np.hstack([fixed.picture] * 2)
        pair = (twice[1], moving.picture) if side == "fixed" else (fixed.picture, twice[0])
        assert register(*pair).status != "ok"


def test_genuine_sections_stay_ok(kidney: tuple[Shown, Shown], lung: tuple[Shown, Shown]) -> None:
    for fixed, moving in (kidney, lung):
        for pair in ((fixed, moving), (moving, fixed)):
            registration = register(*(shown.picture for shown in pair))
            assert registration.status == "ok", registration.reason
            assert registration.misfit is not None
            assert registration.misfit.share == 0
