"""Thin dark grey rings are edges of bubbles; walls of vessels and tissue are not."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from tests.imaging.pictures import image_of

from stainbridge.imaging.bubbles import find_bubble_edges
from stainbridge.imaging.colour import tissue_density

SIDE = 400
Picture = npt.NDArray[np.uint8]


def draw_ring(
    axes: tuple[int, int] = (40, 34), width: int = 2, colour: tuple[int, int, int] = (70, 72, 70)
) -> tuple[Picture, npt.NDArray[np.bool_]]:
    """Return glass with a ring, (3, SIDE, SIDE), and where it is."""
    blank = np.zeros((SIDE, SIDE), np.uint8)
    drawn = cv2.ellipse(blank, (180, 200), axes, 20, 0, 360, 1, width) > 0
    rgb = np.full((3, SIDE, SIDE), 240, np.uint8)
    rgb[:, drawn] = np.array(colour)[:, None]
    return rgb, drawn


def find(rgb: Picture) -> npt.NDArray[np.bool_]:
    return find_bubble_edges(rgb, -np.log(rgb.mean(axis=0) / 240).astype(np.float32))


@pytest.mark.parametrize("width", [1, 2, 5])
@pytest.mark.parametrize("axes", [(16, 14), (40, 34), (90, 80)])
def test_the_edge_of_a_bubble_is_found_whatever_its_size(axes: tuple[int, int], width: int) -> None:
    rgb, drawn = draw_ring(axes, min(width, axes[1] // 8 + 1))
    found = find(rgb)
    assert found[drawn].all()
    assert found.sum() < 6 * drawn.sum()


def test_a_blurred_edge_is_found() -> None:
    rgb, drawn = draw_ring()
    blurred = np.stack([cv2.GaussianBlur(plane, (0, 0), 1.0) for plane in rgb])
    assert find(blurred)[drawn].mean() > 0.95


@pytest.mark.parametrize(
    ("axes", "width", "colour"),
    [
        ((40, 34), 3, (120, 90, 150)),  # stained
        ((40, 34), 14, (70, 72, 70)),  # thick
        ((8, 8), 2, (70, 72, 70)),  # small
    ],
)
def test_other_rings_are_none(
    axes: tuple[int, int], width: int, colour: tuple[int, int, int]
) -> None:
    rgb, _ = draw_ring(axes, width, colour)
    assert not find(rgb).any()


def test_an_open_arc_is_none() -> None:
    rgb, _ = draw_ring()
    rgb[:, :, 180:] = 240
    assert not find(rgb).any()


def test_blank_glass_has_none() -> None:
    assert not find(np.full((3, SIDE, SIDE), 240, np.uint8)).any()


def test_the_edge_of_a_bubble_is_not_tissue() -> None:
    rgb, drawn = draw_ring()
    y, x = np.mgrid[:SIDE, :SIDE]
    tissue = np.hypot(x - 300, y - 120) < 60
    rgb[:, tissue] = np.array([[200], [150], [200]])
    density = tissue_density(image_of(rgb))
    assert density[drawn].max() < 0.1
    assert density[tissue].min() > 0.3
