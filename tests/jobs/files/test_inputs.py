from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import PIL.Image
import pytest

from stainbridge.errors import InputError
from stainbridge.geometry.frame import Frame, Space
from stainbridge.geometry.landmarks import write_points_csv
from stainbridge.jobs.files.inputs import read_landmark_pair, read_mask, transform_from_landmarks

SLIDE = Space("slide", height=301, width=399, mpp=(0.5, 0.5)).frame
MOVING = Space("moving", height=200, width=200, mpp=(2.0, 2.0)).frame


def open_at(frame: Frame, bounds_px: tuple[int, int] = (0, 0)) -> Any:
    """A slide as far as landmarks need it."""
    return SimpleNamespace(frame=frame, info=SimpleNamespace(bounds_px=bounds_px))


def write_mask(path: Path, inside: np.ndarray) -> Path:
    PIL.Image.fromarray(inside.astype(np.uint8) * 255).save(path)
    return path


def write_points(path: Path, points: list[tuple[float, float]]) -> Path:
    write_points_csv(path, np.array(points, float), tuple(map(str, range(len(points)))))
    return path


@pytest.mark.parametrize("size", [(301, 399), (30, 40), (76, 100), (602, 798)])
def test_a_mask_covers_the_whole_slide_at_any_resolution(
    tmp_path: Path, size: tuple[int, int]
) -> None:
    inside = np.zeros(size, bool)
    inside[: size[0] // 2] = True
    mask = read_mask(write_mask(tmp_path / "m.png", inside), SLIDE)
    assert mask.frame.size_um == pytest.approx(SLIDE.size_um)
    assert mask.frame.label == SLIDE.label
    assert mask.pixels.shape == (1, *size)
    assert (mask.pixels[0] == inside).all()


@pytest.mark.parametrize("size", [(399, 301), (301, 301), (30, 30)])
def test_a_mask_of_another_shape_is_refused(tmp_path: Path, size: tuple[int, int]) -> None:
    path = write_mask(tmp_path / "m.png", np.ones(size, bool))
    with pytest.raises(
        InputError, match=rf"m\.png: .*shape; expected 399 x 301 .*got {size[1]} x {size[0]}"
    ):
        read_mask(path, SLIDE)


def test_an_empty_a_missing_and_a_broken_mask_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="empty"):
        read_mask(write_mask(tmp_path / "m.png", np.zeros((301, 399), bool)), SLIDE)
    with pytest.raises(InputError, match=r"none\.png: no such file"):
        read_mask(tmp_path / "none.png", SLIDE)
    (tmp_path / "text.png").write_text("no picture")
    with pytest.raises(InputError, match=r"text\.png: not a slide or image"):
        read_mask(tmp_path / "text.png", SLIDE)


def test_landmark_pairs_start_at_the_map_that_fits_them(tmp_path: Path) -> None:
    fixed = write_points(tmp_path / "f.csv", [(0, 0), (100, 0), (0, 100)])
    moving = write_points(
        tmp_path / "m.csv", [(10, 20), (10, 45), (-15, 20)]
    )  # a quarter turn, in other pixels
    start = transform_from_landmarks(fixed, moving, open_at(SLIDE), open_at(MOVING))
    assert start(np.array([[0.0, 0], [50, 0]])) == pytest.approx(np.array([[20.0, 40], [20, 90]]))
    assert (start.source, start.target) == (SLIDE.space, MOVING.space)


def test_key_points_of_xenium_explorer_are_both_files(tmp_path: Path) -> None:
    table = tmp_path / "keypoints.csv"
    table.write_text("fixedX,fixedY,alignmentX,alignmentY\n0,0,10,20\n100,0,10,45\n0,100,-15,20\n")
    start = transform_from_landmarks(table, table, open_at(SLIDE), open_at(MOVING))
    assert start(np.array([[0.0, 0], [50, 0]])) == pytest.approx(np.array([[20.0, 40], [20, 90]]))


def test_landmark_counts_must_match(tmp_path: Path) -> None:
    fixed = write_points(tmp_path / "f.csv", [(0, 0), (1, 1)])
    moving = write_points(tmp_path / "m.csv", [(0, 0), (1, 1), (2, 0)])
    with pytest.raises(InputError, match=r"m\.csv: .*expected 2 as in .*f\.csv; got 3"):
        read_landmark_pair(fixed, moving, SLIDE, MOVING)


def test_one_landmark_is_too_few_to_start_from(tmp_path: Path) -> None:
    one = write_points(tmp_path / "f.csv", [(0, 0)])
    with pytest.raises(InputError, match=r"f\.csv: too few landmarks; expected at least 2; got 1"):
        transform_from_landmarks(one, one, open_at(SLIDE), open_at(MOVING))


def test_qupath_s_centroids_count_from_its_corner_in_pairs_to_start_from(tmp_path: Path) -> None:
    points = np.array([[10, 20], [60, 25], [30, 90]], float)
    corners = {"f.csv": (40, 30), "m.csv": (7, 11)}
    for name, corner in corners.items():
        rows = "".join(f"{x},{y}\n" for x, y in points - corner)
        (tmp_path / name).write_text(f"Centroid X px,Centroid Y px\n{rows}")
    start = transform_from_landmarks(
        tmp_path / "f.csv",
        tmp_path / "m.csv",
        open_at(SLIDE, corners["f.csv"]),
        open_at(MOVING, corners["m.csv"]),
    )
    np.testing.assert_allclose(start(points * SLIDE.mpp), points * MOVING.mpp, atol=1e-9)


def test_transparent_parts_of_a_mask_are_outside(tmp_path: Path) -> None:
    rgba = np.full((SLIDE.height, SLIDE.width, 4), 255, np.uint8)
    rgba[:10, :, 3] = 0
    PIL.Image.fromarray(rgba).save(tmp_path / "mask.png")
    inside = read_mask(tmp_path / "mask.png", SLIDE).pixels[0]
    assert not inside[:10].any()
    assert inside[10:].all()
