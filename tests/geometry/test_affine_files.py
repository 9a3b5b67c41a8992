"""Affine maps for other programs: which way they lead, in what units, from which corner."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from tests.geometry.test_piecewise import swapped

from stainbridge.errors import InputError
from stainbridge.geometry.affine_files import format_explorer, format_ngff, format_spatialdata
from stainbridge.geometry.files import read_transform
from stainbridge.geometry.frame import Space
from stainbridge.geometry.pixel_affine import PixelAffine, fit_pixel_affine
from stainbridge.geometry.transform import Affine, DisplacementField

FIXED = Space("dapi", 900, 1200, (0.2125, 0.2125))
MOVING = Space("he", 500, 600, (0.5, 0.5))
#: A quarter turn with a shift: he (x, y) in µm lies at (y + 30, 250 - x) of dapi.
FIXED_FROM_MOVING_UM = np.array([[0, 1.0, 30], [-1, 0, 250], [0, 0, 1]])
TRUTH = Affine(np.linalg.inv(FIXED_FROM_MOVING_UM), FIXED, MOVING)
POINT_PX = np.array([100.0, 40.0])  # of he: 50 µm, 20 µm
THERE_PX = np.array([50.0, 200.0]) / 0.2125  # of dapi


def test_the_matrix_leads_from_moving_to_fixed_pixels() -> None:
    affine = fit_pixel_affine(TRUTH)
    assert np.allclose((affine.matrix @ [*POINT_PX, 1])[:2], THERE_PX)
    assert affine.largest_um < 1e-6


def test_explorer_s_matrix_is_read_back(tmp_path: Path) -> None:
    path = tmp_path / "matrix.csv"
    path.write_text(format_explorer(fit_pixel_affine(TRUTH)))
    assert path.read_text().splitlines()[2] == "0,0,1"
    read = read_transform(path, FIXED, MOVING)
    assert np.allclose(read(THERE_PX[None] * 0.2125), POINT_PX * 0.5)
    assert (read.source, read.target) == (FIXED, MOVING)


@pytest.mark.parametrize(
    ("text", "got"),
    [
        ("1,0,0\n0,1,0\n", "3 and 3 numbers"),
        ("1,0,0\n0,1,0\n0.1,0,1\n", "last line"),
        ("fixedX,fixedY\n1,2\n", "got 'fixedX'"),
        ("1,0,nan\n0,1,0\n0,0,1\n", "got 'nan'"),
        ("", "no numbers"),
    ],
)
def test_what_is_no_matrix_is_named(tmp_path: Path, text: str, got: str) -> None:
    path = tmp_path / "matrix.csv"
    path.write_text(text)
    with pytest.raises(InputError, match=got) as caught:
        read_transform(path, FIXED, MOVING)
    assert caught.value.where == path


def test_a_matrix_without_inverse_is_refused(tmp_path: Path) -> None:
    (tmp_path / "matrix.csv").write_text("1,1,0\n1,1,0\n0,0,1\n")
    with pytest.raises(InputError, match="no inverse"):
        read_transform(tmp_path / "matrix.csv", FIXED, MOVING)


def apply(transformation: dict[str, object], yx: np.ndarray) -> np.ndarray:
    """Apply an affine map as OME-NGFF says: its rows and columns are the axes, then the shift."""
    matrix = np.array(transformation["affine"])
    assert matrix.shape == (2, 3)
    return np.asarray(matrix[:, :2] @ yx + matrix[:, 2])


def test_spatialdata_counts_from_corners_with_y_first() -> None:
    (found,) = json.loads(format_spatialdata(fit_pixel_affine(TRUTH)))["coordinateTransformations"]
    assert np.allclose(apply(found, POINT_PX[::-1]), THERE_PX[::-1])
    assert (found["type"], found["input"]["name"], found["output"]["name"]) == (
        "affine",
        "moving",
        "fixed",
    )
    assert [axis["name"] for axis in found["input"]["axes"]] == ["y", "x"]


def test_ngff_counts_from_centres_and_names_both_systems() -> None:
    scene = json.loads(format_ngff(fit_pixel_affine(TRUTH)))["ome"]["scene"]
    (found,) = scene["coordinateTransformations"]
    assert np.allclose(apply(found, POINT_PX[::-1] - 0.5), THERE_PX[::-1] - 0.5)
    names = {system["name"] for system in scene["coordinateSystems"]}
    assert {found["input"]["name"], found["output"]["name"]} == names


def test_a_flip_by_centres_lays_the_last_pixel_on_the_first() -> None:
    flip = PixelAffine(np.array([[-1.0, 0, 600], [0, 1, 0], [0, 0, 1]]), 0, 0)
    assert np.allclose((flip.between_centres() @ [599, 7, 1])[:2], [0, 7])


def test_the_deformation_that_is_left_out_is_measured() -> None:
    grid = FIXED.frame.fit(16)
    displacement = np.zeros((2, grid.height, grid.width))
    displacement[0, ::2] = 4.0
    affine = fit_pixel_affine(DisplacementField(displacement, grid, FIXED, MOVING))
    assert 0.5 < affine.mean_um < affine.largest_um < 4


def test_pieces_have_no_affine_map() -> None:
    with pytest.raises(InputError, match="share no affine map"):
        fit_pixel_affine(swapped())
